"""What to change in a script, in words, for each thing in which it differs from the development server."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from harness.advice.recipes import Version, version
from harness.parity.places import Places
from harness.parity.references import Reference
from harness.records import Mode

__all__ = ["Version", "version"]


def settings(dev: Sequence[tuple[str, str]], wsgi: Sequence[tuple[str, str]], places: Places, django: Version) -> str:
    """`dev` and `wsgi` are names and phases of the loads."""
    said = []
    if any(phase == "request" for _, phase in wsgi):
        if django >= (1, 7):
            said.append("call get_wsgi_application() when the script is imported, not inside application()")
        else:
            said.append(
                "load the settings when the script is imported: `from django.conf import settings`, and ask for one"
            )
    missing = [name for name, _ in dev if name not in [each for each, _ in wsgi]]
    if missing and django < (1, 4):
        said.append(
            f'load them as manage.py does: `sys.path.insert(0, "{places.manage.parent}")`, `import {missing[0]}`, '
            f"`django.core.management.setup_environ({missing[0]})`"
        )
    elif missing:
        said.append(f"name the settings as manage.py does: {', '.join(missing)}")
    extra = [name for name, _ in wsgi if name not in [each for each, _ in dev]]
    if extra:
        said.append(f"the settings are executed under a name that manage.py does not use: {', '.join(extra)}")
    return "; ".join(said) or "the settings are executed more often in one of the two"


def path(dev: Collection[str], wsgi: Collection[str]) -> str:
    add = [f'`sys.path.insert(0, "{each}")`' for each in sorted(set(dev) - set(wsgi))]
    take = sorted(set(wsgi) - set(dev))
    said = [f"put it there: {', '.join(add)}"] if add else []
    if take:
        said.append(f"the development server does without {', '.join(take)}: take it off once the site is imported")
    return "; ".join(said)


def cwd(directory: str, mode: Mode) -> str:
    how = f"give WSGIDaemonProcess home={directory}" if mode == "daemon" else "embedded mode has no setting for it"
    return f"let no file name of the site depend on the working directory; where one must, {how}"


def modules(missing: Collection[str], extra: Collection[str]) -> str:
    said = [f"import {', '.join(sorted(missing)[:6])} in the script"] if missing else []
    if extra:
        said.append(f"{', '.join(sorted(extra)[:6])} is loaded by the script alone")
    return "; ".join(said)


def lazy(late: Sequence[str], django: Version) -> str:
    if not late:
        return ""
    if django >= (1, 10):
        return "import the URLconf, and so the views, with the script: `django.urls.get_resolver().url_patterns`"
    if any(name.rpartition(".")[2] == "settings" for name in late):
        return "most of it follows the settings: see there"
    return f"import them with the script: `import {', '.join(late[:6])}`"


def checks(django: Version) -> str:
    if django >= (1, 7):
        return (
            'run them: `ManagementUtility(["manage.py", "runserver"]).fetch_command("runserver").check()`, '
            "after django.setup(); they import the URLconf and the views"
        )
    return 'validate the models: `django.core.management.ManagementUtility().fetch_command("runserver").validate()`'


def commands(django: Version) -> str:
    del django
    return "`django.core.management.get_commands()` looks through every app for them; seldom needed by a site"


def registry(django: Version) -> str:
    if django >= (1, 7):
        return "call django.setup(), or get_wsgi_application(), when the script is imported"
    return "fill it when the script is imported: `from django.db.models import get_models; get_models()`"


def locale(dev: str | None) -> str:
    if dev is None:
        return "the development server has none: `translation.deactivate()` after the catalogue is loaded"
    return (
        "`translation.activate(settings.LANGUAGE_CODE)` when the script is imported: it holds for that thread only, "
        "but the catalogue that it loads is there for all"
    )


def catalogues(missing: Sequence[str]) -> str:
    if not missing:
        return "the script loads more: no harm"
    loading = ", ".join(f'`translation.activate("{each}")`' for each in missing[:6])
    return f"load them when the script is imported, before any other: {loading}, then `translation.deactivate()`"


def names(dev: Sequence[str], wsgi: Sequence[str], used: Mapping[str, Reference]) -> str:
    said = []
    broken = [used[name] for name in dev if name not in wsgi and name in used]
    if broken:
        said.append(
            f"{broken[0].where} names {broken[0].written}, which only the development server finds: write it with its "
            f"package, or put its directory on sys.path in the script"
        )
    hidden = [used[name] for name in wsgi if name not in dev and name in used]
    if hidden:
        said.append(f"{hidden[0].where} names {hidden[0].written}, which the development server does not find")
    both = [name for name in dev if name in wsgi]
    if both:
        said.append(f"{both[0]} is another file in each of the two: see the order of sys.path")
    return "; ".join(said) or "no code of the site uses these names: nothing to do"


def views(differing: Sequence[str]) -> str:
    return f"{', '.join(differing[:6])} resolves in one only: name the view with its package, or import it"
