"""Reports have a column for each model, known once and for all when this module is imported."""

from django.db.models import get_models

COLUMNS = sorted(model._meta.object_name for model in get_models())


def heading():
    return " | ".join(COLUMNS)
