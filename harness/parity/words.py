"""What to change in a script where it differs from the development server, one sentence for each row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from harness.advice.recipes import Version, version
from harness.parity.places import Places
from harness.parity.references import Reference
from harness.records import Mode

__all__ = ["Version", "version"]
_MOST_NAMES = 6  # in one piece of advice: as many as a cell of the table shows


def settings(dev: Sequence[tuple[str, str]], wsgi: Sequence[tuple[str, str]], places: Places, django: Version) -> str:
    """`dev` and `wsgi` are names and phases of the loads."""
    sentences = []
    if any(phase == "request" for _, phase in wsgi):
        if django >= (1, 7):
            sentences.append("call get_wsgi_application() when the script is imported, not inside application()")
        else:
            sentences.append(
                "load the settings when the script is imported: `from django.conf import settings`, and ask for one"
            )
    missing = [name for name, _ in dev if name not in dict(wsgi)]
    if missing and django < (1, 4):
        sentences.append(
            f'load them as manage.py does: `sys.path.insert(0, "{places.manage.parent}")`, `import {missing[0]}`, '
            f"`django.core.management.setup_environ({missing[0]})`"
        )
    elif missing:
        sentences.append(f"name the settings as manage.py does: {', '.join(missing)}")
    extra = [name for name, _ in wsgi if name not in dict(dev)]
    if extra:
        sentences.append(f"the settings are executed under a name that manage.py does not use: {', '.join(extra)}")
    return "; ".join(sentences) or "the settings are executed more often in one of the two"


def path(dev: Collection[str], wsgi: Collection[str]) -> str:
    add = [f'`sys.path.insert(0, "{entry}")`' for entry in sorted(set(dev) - set(wsgi))]
    take = sorted(set(wsgi) - set(dev))
    sentences = [f"add it: {', '.join(add)}"] if add else []
    if take:
        sentences.append(f"the development server does without {', '.join(take)}: remove it once the site is imported")
    return "; ".join(sentences)


def cwd(directory: str, mode: Mode) -> str:
    how = f"give WSGIDaemonProcess home={directory}" if mode == "daemon" else "embedded mode has no setting for it"
    return f"let no file name of the site depend on the working directory; if one must, {how}"


def modules(missing: Collection[str], extra: Collection[str]) -> str:
    sentences = [f"import {', '.join(sorted(missing)[:_MOST_NAMES])} in the script"] if missing else []
    if extra:
        sentences.append(f"{', '.join(sorted(extra)[:_MOST_NAMES])} is loaded by the script alone")
    return "; ".join(sentences)


def lazy(late: Sequence[str], django: Version) -> str:
    if not late:
        return ""
    if django >= (1, 10):
        return "import the URLconf, and so the views, with the script: `django.urls.get_resolver().url_patterns`"
    if any(name.rpartition(".")[2] == "settings" for name in late):
        return "most of it is a consequence of the settings row"
    return f"import them with the script: `import {', '.join(late[:_MOST_NAMES])}`"


def checks(django: Version) -> str:
    if django >= (1, 7):
        return (
            'run them: `ManagementUtility(["manage.py", "runserver"]).fetch_command("runserver").check()`, '
            "after django.setup(); they import the URLconf and the views"
        )
    return 'validate the models: `django.core.management.ManagementUtility().fetch_command("runserver").validate()`'


def commands() -> str:
    return "`django.core.management.get_commands()` looks through every app for them; seldom needed by a site"


def registry(django: Version) -> str:
    if django >= (1, 7):
        return "call django.setup(), or get_wsgi_application(), when the script is imported"
    return "fill it when the script is imported: `from django.db.models import get_models; get_models()`"


def locale(dev: str | None) -> str:
    if dev is None:
        return "the development server has none active: `translation.deactivate()` after the catalogue is loaded"
    return (
        "`translation.activate(settings.LANGUAGE_CODE)` when the script is imported: it holds for that thread only, "
        "but all threads share the catalogue that it loads"
    )


def catalogues(missing: Sequence[str]) -> str:
    if not missing:
        return "the script loads more, which does no harm"
    loading = ", ".join(f'`translation.activate("{language}")`' for language in missing[:_MOST_NAMES])
    return f"load them when the script is imported, before any other: {loading}, then `translation.deactivate()`"


def names(dev: Sequence[str], wsgi: Sequence[str], used: Mapping[str, Reference]) -> str:
    sentences = []
    broken = [used[name] for name in dev if name not in wsgi and name in used]
    if broken:
        sentences.append(
            f"{broken[0].where} names {broken[0].written}, which only the development server can import: write it with "
            f"its package, or put its directory on sys.path in the script"
        )
    hidden = [used[name] for name in wsgi if name not in dev and name in used]
    if hidden:
        sentences.append(f"{hidden[0].where} names {hidden[0].written}, which the development server cannot import")
    both = [name for name in dev if name in wsgi]
    if both:
        sentences.append(f"{both[0]} is a different file in each of the two: see the order of sys.path")
    return "; ".join(sentences) or "no code of the site uses these names: nothing to do"


def views(differing: Sequence[str]) -> str:
    resolved = ", ".join(differing[:_MOST_NAMES])
    return f"{resolved} resolves in one of the two only: name the view with its package, or import it"
