"""Hands out secrets."""

from django.conf import settings

SECRETS = {("north", "key"): "not-a-secret-this-is-a-sample-site", ("north", "pepper"): "neither is this"}


def read(name):
    """A secret of the vault that the settings name."""
    return read_from(settings.VAULT, name)


def read_from(vault, name):
    return SECRETS[vault, name]
