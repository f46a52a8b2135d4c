"""Lines of Python that do a part of Django's initialisation while a script is imported, by Django's version.

Pure text. Tests run the lines on the versions they are for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Version = tuple[int, int]
NEWEST: Version = (99, 0)  # later than any release: the lines for the newest Django


def version(text: str) -> Version:
    """`5.2.19` as (5, 2); NEWEST where it is not known."""
    match = re.match(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else NEWEST


def bootstrap(directory: str, options: str = "") -> tuple[str, ...]:
    """A script that sets everything up: `directory` holds manage.py, `options` are more arguments."""
    return (
        "from harness_bootstrap import get_application",
        f'application = get_application("{directory}"{options})',
    )


def setup(django: Version) -> tuple[str, ...]:
    """Settings and the app registry."""
    if django >= (1, 7):
        return ("import django", "django.setup()")
    settings = ("from django.conf import settings", "settings.INSTALLED_APPS  # loads the settings")
    return (*settings, *registry(django))


def registry(django: Version) -> tuple[str, ...]:
    """The models of every app; since Django 1.7 part of setup()."""
    if django >= (1, 7):
        return ()
    return ("from django.db.models import get_models", "get_models()")


def application(django: Version) -> tuple[str, str]:
    """An import, and the expression that creates the application with its middleware."""
    if django >= (1, 4):
        return "from django.core.wsgi import get_wsgi_application", "get_wsgi_application()"
    return "from django.core.handlers.wsgi import WSGIHandler", "WSGIHandler()"


def middleware(django: Version, name: str = "application") -> tuple[str, ...]:
    """Since Django 1.10 the handler loads its middleware when it is created; before, in its first request."""
    return () if django >= (1, 10) else (f"{name}.load_middleware()",)


def urls(django: Version, *, tables: bool = False, catalogues: bool = False) -> tuple[str, ...]:
    """The URLconf and the views; with `tables` also the tables of reverse(), with `catalogues` the translations. Both
    exist per language, so the lines build them for every language that the site names."""
    if not (tables or catalogues):
        return (_resolver_import(django), f"{_resolver(django)}.url_patterns  # imports the URLconf and the views")
    lines = ["from django.conf import global_settings, settings"] + ([_resolver_import(django)] if tables else [])
    lines += [
        "from django.utils import translation",
        "languages = [settings.LANGUAGE_CODE]",
        "if list(settings.LANGUAGES) != list(global_settings.LANGUAGES):  # Django's own list has a hundred",
        "    languages += [code for code, name in settings.LANGUAGES]",
    ]
    lines.append("for language in languages:")
    lines.append("    translation.activate(language)  # loads its catalogue")
    if tables:
        lines.append(f"    {_resolver(django)}.reverse_dict  # imports the URLconf, builds the tables of this language")
        if django < (3, 0):  # there the two are not the same resolver, and requests use both
            lines.append(f"    {_resolver(django, 'settings.ROOT_URLCONF')}.reverse_dict")
    lines.append("translation.deactivate()")
    return tuple(lines)


def _resolver_import(django: Version) -> str:
    return f"from django.{'urls' if django >= (1, 10) else 'core.urlresolvers'} import get_resolver"


def _resolver(django: Version, urlconf: str = "") -> str:
    return f"get_resolver({urlconf or ('' if django >= (1, 8) else 'None')})"


def templates(django: Version) -> tuple[str, ...]:
    """The template engines: the site's, and since Django 1.11 that of forms."""
    if django < (1, 8):
        return ()
    lines = ["from django.template import engines", "engines.all()"]
    if django >= (1, 11):
        lines += [
            "from django.forms.renderers import get_default_renderer",
            'getattr(get_default_renderer(), "engine", None)  # forms have an engine of their own',
        ]
    return tuple(lines)


def imports(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"import {name}" for name in names)


def requests(paths: Sequence[str]) -> tuple[str, ...]:
    """Requests to the script's own application, which import whatever such requests import."""
    listed = ", ".join(f'"{path.partition("?")[0]}"' for path in dict.fromkeys(paths))
    return (
        "from wsgiref.util import setup_testing_defaults",
        f"for path in [{listed}]:",
        '    environ = {"PATH_INFO": path, "HTTP_HOST": "localhost"}  # or another of ALLOWED_HOSTS',
        "    setup_testing_defaults(environ)",
        "    list(application(environ, lambda status, headers, exc_info=None: None))",
    )


def template(name: str) -> tuple[str, ...]:
    return ("from django.template.loader import get_template", f'get_template("{name}")')
