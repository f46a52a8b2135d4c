"""From the result of a case to advice: lines for the script, or a sentence that says why no line helps.

Pure: a result in, advice out. The lines are right for the Django that the case ran on (harness/advice/recipes.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from harness.advice import recipes
from harness.advice.recipes import Version
from harness.records import Record
from harness.result import CaseResult, FindingResult

_SET_UP = "set Django up and create the application once, while the script is imported: "
_NAMED = 4  # modules that a sentence names: about a line of text


class Advice(Record, frozen=True):
    """One thing to do."""

    about: str
    """The hazards or the failure that it prevents."""
    says: str
    """What to do and why, as a sentence."""
    lines: tuple[str, ...] = ()
    """Lines for the end of the script; none where no line helps."""
    set_up: bool = False
    """Should the script set Django up and create the application while it is imported, and not in requests?"""


def advise(case: CaseResult, paths: Sequence[str] = ("/",)) -> tuple[Advice, ...]:
    """What to do about the hazards and the race of a case, or about what breaks it. `paths`: those it requested."""
    django = recipes.version(case.versions.get("django", ""))
    if case.verdict == "broken":
        return tuple(_unique(_broken(case, django)))
    if case.verdict not in ("race", "hazard"):
        return ()
    races = [_race(finding, case, django) for finding in case.findings if finding.race_class]
    return tuple(_unique([*races, *_hazards(case, django, paths)]))


def advise_all(cases: Iterable[CaseResult], paths: Sequence[str] = ("/",)) -> tuple[Advice, ...]:
    """The advice for several cases of one script, each piece once."""
    return tuple(_unique(advice for case in cases for advice in advise(case, paths)))


def _unique(pieces: Iterable[Advice]) -> list[Advice]:
    """Each piece once: where two would put the same lines into the script, one that is about both."""
    unique: dict[object, Advice] = {}
    for advice in pieces:
        key = (advice.lines, advice.set_up) if advice.lines or advice.set_up else advice.says
        first = unique.setdefault(key, advice)
        about = dict.fromkeys((*first.about.split(", "), *advice.about.split(", ")))
        unique[key] = msgspec.structs.replace(first, about=", ".join(about))
    return list(unique.values())


# -- hazards: by what kinds of initialisation are still lazy -----------------------------------------------


def _hazards(case: CaseResult, django: Version, paths: Sequence[str]) -> list[Advice]:
    lazy = {hazard.kind: hazard for hazard in case.hazards if hazard.max_waiters}
    pieces = []
    early = [kind for kind in ("settings", "app-registry", "middleware") if kind in lazy]
    # Even where the script creates the handler, an old one loads its middleware in the first request.
    if early:
        lines = recipes.middleware(django)
        if "settings" in lazy or "app-registry" in lazy:
            lines = (*(recipes.setup(django) if django < (1, 7) else ()), *lines)
        says = _SET_UP + "mod_wsgi imports it on one thread"
        pieces.append(Advice(about=", ".join(early), says=says, lines=lines, set_up=True))
    tables, catalogues = "resolver" in lazy, "catalogue" in lazy
    if tables or catalogues or "urlconf" in lazy:
        kinds = [kind for kind in ("urlconf", "resolver", "catalogue") if kind in lazy]
        if not (tables or catalogues):
            says = "import the URLconf, and with it the views"
        elif kinds == ["catalogue"]:
            says = "load the catalogue of each language that a request may ask for"
        else:
            says = "import the URLconf, and build its tables for each language that a request may ask for"
        tables = tables or (catalogues and "urlconf" in lazy)
        lines = recipes.urls(django, tables=tables, catalogues=catalogues)
        pieces.append(Advice(about=", ".join(kinds), says=says, lines=lines))
    if "template-engine" in lazy:
        says = "create the template engines"
        pieces.append(Advice(about="template-engine", says=says, lines=recipes.templates(django)))
    if "import" in lazy:
        names = lazy["import"].names
        shown = ", ".join(sorted(names)[:_NAMED]) + (" and more" if len(names) > _NAMED else "")
        says = f"have the script send itself a request of each kind, which imports what only views import ({shown})"
        # A request imports all that requests import, also what the result does not name.
        pieces.append(Advice(about="import", says=says, lines=recipes.requests(paths)))
    return pieces


def _is_module(name: str) -> bool:
    return all(part.isidentifier() for part in name.split(".")) and not name.startswith(("_mod_wsgi_", "__main__"))


# -- races: by the fields of their findings --------------------------------------------------------------

Rule = tuple[str, Callable[[re.Match[str], CaseResult, Version], Advice]]


def _set_up(about: str, why: str, django: Version) -> Advice:
    lines = () if django >= (1, 7) else recipes.setup(django)
    return Advice(about=about, says=_SET_UP + why, lines=(*lines, *recipes.middleware(django)), set_up=True)


def _cycle(match: re.Match[str], case: CaseResult, _django: Version) -> Advice:
    module = match["module"]
    package = module.partition(".")[0]
    lazy = [name for hazard in case.hazards if hazard.kind == "import" for name in hazard.names]
    near = sorted({module, *(name for name in lazy if name.partition(".")[0] == package and _is_module(name))})
    return Advice(
        about="circular import",
        says=f"{module} is part of a circular import that threads enter at two places: import it in the script, on one "
        f"thread; the lasting fix is to break the circle",
        lines=recipes.imports(tuple(near)),
    )


def _language(match: re.Match[str], case: CaseResult, django: Version) -> Advice:
    return Advice(
        about="catalogue",
        says="load the catalogues of all languages that a request may activate (fixed in Django 1.8)",
        lines=recipes.urls(django, catalogues=True),
    )


def _template(match: re.Match[str], case: CaseResult, django: Version) -> Advice:
    return Advice(
        about=f"template {match['name']}",
        says="load one template in the script, which fills the list of loaders"
        + (" (before Django 1.4 the cached loader does that without a lock)" if django < (1, 4) else ""),
        lines=recipes.template(match["name"]),
    )


def _state(entry: str) -> Advice:
    if entry.partition(" ")[0] == "invariant":
        return Advice(
            about=f"the site's {entry}",
            says="no line in the script fixes this: the site's own code creates something at its first use (since "
            "Python 3.12 functools.cached_property takes no lock). Create it under a threading.Lock, or while its "
            "module is imported, and import that module in the script",
        )
    if entry == "umask":
        return Advice(
            about=entry,
            says="the file cache sets the umask of the whole process while it creates its directory (CVE-2026-25674): "
            "create the directory beforehand (os.makedirs in the script), or upgrade to Django 4.2.29, 5.2.12, 6.0.3 "
            "or newer",
        )
    return Advice(
        about=entry,
        says="no line is known that fixes this: two threads change it at the same time. Change it while the script is "
        "imported, or under a lock",
    )


def _import_lock(django: Version) -> Advice:
    if django < (1, 7):
        return Advice(
            about="hang",
            says="fill the registry of models in the script, and import there what views import inside functions: "
            "on Python 2 the import lock and the registry's lock wait for each other",
            lines=recipes.registry(django),
        )
    return Advice(
        about="hang",
        says="an import inside a request waits for another one: import the modules that the stacks name in the script",
    )


POISONED = Advice(
    about="poisoned",
    says="no line in an ordinary script fixes this: a set-up that failed leaves a half-built registry behind, and "
    "mod_wsgi imports the script again in the same interpreter. The bootstrap never serves from such a process",
)
RULES: tuple[Rule, ...] = (
    (r"populate\(\) isn't reentrant", lambda match, case, django: POISONED),
    (
        r"AppRegistryNotReady",
        lambda match, case, django: _set_up(
            "app-registry", "a request met a registry that another thread was filling", django
        ),
    ),
    (
        r"no attribute 'INSTALLED_APPS'",
        lambda match, case, django: _set_up(
            "settings", "a request met settings that another thread was loading", django
        ),
    ),
    (r"no attribute '_info'", _language),
    (r"partially initialized module '(?P<module>[\w.]+)'", _cycle),
    (r"TemplateDoesNotExist: (?P<name>[\w./-]+)", _template),
)
"""The first pattern that a request's error matches decides."""


def _race(finding: FindingResult, result: CaseResult, django: Version) -> Advice:
    match finding.kind:
        case "settings" | "middleware":
            return _set_up("settings, middleware", "otherwise each early thread does it for itself", django)
        case "module":
            lines = recipes.imports((finding.module,))
            return Advice(about=f"module {finding.module}", says="import it in the script", lines=lines)
        case "state":
            return _state(finding.subject)
        case "import":
            return _import_lock(django)
    for pattern, make in RULES:
        if match := re.search(pattern, finding.error):
            return make(match, result, django)
    return Advice(
        about=finding.outcome,
        says="no rule knows this failure"
        + (f", which is raised at {finding.place}" if finding.place else "")
        + ". If it is enough that one thread does the work, a request at start-up fixes it (the bootstrap's warm=); "
        "otherwise it needs a lock",
    )


# -- broken: fails one request at a time too -------------------------------------------------------------


def _broken(case: CaseResult, django: Version) -> list[Advice]:
    if case.broken_class == "poisoned":
        return [POISONED]
    if any("AppRegistryNotReady" in finding.error for finding in case.findings):
        return [Advice(about="app-registry", says=_SET_UP + "nothing else fills the app registry", set_up=True)]
    if case.broken_class == "hang":
        return [
            Advice(
                about="hang",
                says="no line in the script fixes this: it hangs with one request too. A thread that is started and "
                "joined during an import must not import anything, nor read settings that are still loading; release "
                "locks in a finally, also after an exception",
            )
        ]
    return []
