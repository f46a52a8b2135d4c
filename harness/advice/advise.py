"""From what a case has come to, to what to do about it: lines for the script, or the honest word that none will do.

Pure: a result in, advice out. The lines are right for the Django that the case ran on (harness/advice/recipes.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from harness.advice import recipes
from harness.advice.recipes import Version
from harness.records import Record
from harness.result import CaseResult, FindingResult


class Advice(Record, frozen=True):
    """One thing to do."""

    about: str
    """The hazards or the failure that it is against."""
    says: str
    """What to do, and why, in a sentence."""
    lines: tuple[str, ...] = ()
    """To be put at the end of the script; none where no line of a script is a cure."""
    set_up: bool = False
    """Django is to be set up, and the application made, when the script is imported and not in requests."""


def advise(case: CaseResult, paths: Sequence[str] = ("/",)) -> tuple[Advice, ...]:
    """What to do about the hazards and the race of a case, or about what breaks it; nothing where there is nothing.
    `paths` are those that were asked for."""
    django = recipes.version(case.versions.get("django", ""))
    if case.verdict == "broken":
        return tuple(_unique(_broken(case, django)))
    if case.verdict not in ("race", "hazard"):
        return ()
    grave = [each for each in case.findings if each.race_class and each.outcome not in ("dropped", "slow")]
    return tuple(
        _unique([each for finding in grave for each in _race(finding, case, django)] + _hazards(case, django, paths))
    )


def advise_all(cases: Iterable[CaseResult], paths: Sequence[str] = ("/",)) -> tuple[Advice, ...]:
    """The advice for several cases of one script, each piece once."""
    return tuple(_unique(each for case in cases for each in advise(case, paths)))


def _unique(found: Iterable[Advice]) -> list[Advice]:
    """Each piece once: where two would put the same lines into the script, one that is against both."""
    kept: dict[object, Advice] = {}
    for each in found:
        key = (each.lines, each.set_up) if each.lines or each.set_up else each.says
        before = kept.get(key)
        about = each.about if before is None else ", ".join(_joined(before.about, each.about))
        kept[key] = Advice(
            about=about, says=(before or each).says, lines=each.lines, set_up=each.set_up
        )  # fmt: skip
    return list(kept.values())


def _joined(*given: str) -> list[str]:
    return list(dict.fromkeys(each for one in given for each in one.split(", ")))


# -- hazards: by what kinds of initialisation are still lazy -----------------------------------------------


def _hazards(case: CaseResult, django: Version, paths: Sequence[str]) -> list[Advice]:
    lazy = {each.kind: each for each in case.hazards if each.max_waiters}
    found = []
    early = [kind for kind in ("settings", "app-registry", "middleware") if kind in lazy]
    # Where the handler is made in time, an old one still loads its middleware in the first request.
    if early:
        lines = recipes.middleware(django)
        if "settings" in lazy or "app-registry" in lazy:
            lines = (*(recipes.setup(django) if django < (1, 7) else ()), *lines)
        found.append(
            Advice(
                about=", ".join(early),
                says="set Django up and make the application once, when the script is imported: mod_wsgi lets one "
                "thread do that",
                lines=lines,
                set_up=True,
            )
        )
    tables, catalogues = "resolver" in lazy, "catalogue" in lazy
    if tables or catalogues or "urlconf" in lazy:
        kinds = [kind for kind in ("urlconf", "resolver", "catalogue") if kind in lazy]
        if not (tables or catalogues):
            says = "import the URLconf, and so the views"
        elif kinds == ["catalogue"]:
            says = "load the catalogue of each language that a request may ask for"
        else:
            says = "import the URLconf, and build what depends on a language for each that a request may ask for"
        tables = tables or (catalogues and "urlconf" in lazy)
        lines = recipes.urls(django, tables=tables, catalogues=catalogues)
        found.append(Advice(about=", ".join(kinds), says=says, lines=lines))
    if "template-engine" in lazy:
        found.append(Advice(about="template-engine", says="make the template engines", lines=recipes.templates(django)))
    if "import" in lazy:
        found.append(_imports(lazy["import"].names, paths))
    return found


def _imports(names: Sequence[str], paths: Sequence[str]) -> Advice:
    """A request imports what requests import: also what a result has no room to name."""
    shown = ", ".join(sorted(names)[:4]) + (" and more" if len(names) > 4 else "")
    return Advice(
        about="import",
        says=f"let the script send itself a request of each kind, which imports what only views import ({shown})",
        lines=recipes.requests(paths),
    )


def _is_module(name: str) -> bool:
    return all(part.isidentifier() for part in name.split(".")) and not name.startswith(("_mod_wsgi_", "__main__"))


# -- races: by what they say -----------------------------------------------------------------------------

_SET_UP = "set Django up and make the application once, when the script is imported: "
Rule = tuple[str, Callable[[re.Match[str], FindingResult, CaseResult, Version], Advice]]


def _set_up(about: str, why: str) -> Callable[..., Advice]:
    def make(_match: re.Match[str], _finding: FindingResult, _case: CaseResult, django: Version) -> Advice:
        lines = () if django >= (1, 7) else recipes.setup(django)
        return Advice(about=about, says=_SET_UP + why, lines=(*lines, *recipes.middleware(django)), set_up=True)

    return make


def _cycle(match: re.Match[str], finding: FindingResult, case: CaseResult, _django: Version) -> Advice:
    module = match["module"]
    package = module.partition(".")[0]
    lazy = [name for each in case.hazards if each.kind == "import" for name in each.names]
    near = sorted({module, *(name for name in lazy if name.partition(".")[0] == package and _is_module(name))})
    return Advice(
        about="circular import",
        says=f"{module} is in a circle of imports that threads enter from two ends: import it from the script, where "
        f"one thread does; the cure that lasts is to break the circle",
        lines=recipes.imports(tuple(near)),
    )


def _again(match: re.Match[str], finding: FindingResult, case: CaseResult, django: Version) -> Advice:
    module = match["module"]
    return Advice(
        about=f"module {module}", says="import it when the script is imported", lines=recipes.imports((module,))
    )


def _own_counter(match: re.Match[str], finding: FindingResult, case: CaseResult, django: Version) -> Advice:
    what = match["what"].strip()
    return Advice(
        about=f"the site's {what}",
        says="no line of a script knows how: the site's own code makes something at its first use (since Python 3.12 "
        "functools.cached_property has no lock). Make it under a threading.Lock, or use it once when the module is "
        "imported, and import that module in the script",
    )


def _language(match: re.Match[str], finding: FindingResult, case: CaseResult, django: Version) -> Advice:
    return Advice(
        about="catalogue",
        says="load the catalogues of all languages that a request may activate (fixed in Django 1.8)",
        lines=recipes.urls(django, catalogues=True),
    )


def _template(match: re.Match[str], finding: FindingResult, case: CaseResult, django: Version) -> Advice:
    return Advice(
        about=f"template {match['name']}",
        says="let the script load one template, which fills the list of loaders"
        + (" (the cached loader does it under no lock until Django 1.4)" if django < (1, 4) else ""),
        lines=recipes.template(match["name"]),
    )


def _umask(match: re.Match[str], finding: FindingResult, case: CaseResult, django: Version) -> Advice:
    return Advice(
        about="umask",
        says="the file cache sets the umask of the whole process while it makes its directory (CVE-2026-25674): make "
        "the directory before (os.makedirs, in the script), or take Django 4.2.29, 5.2.12, 6.0.3 or newer",
    )


def _state(match: re.Match[str], finding: FindingResult, case: CaseResult, django: Version) -> Advice:
    return Advice(
        about=match["what"],
        says="no line is known that cures this: two threads change it at once. Do what changes it when the script is "
        "imported, or under a lock",
    )


def _import_lock(match: re.Match[str], finding: FindingResult, case: CaseResult, django: Version) -> Advice:
    if django < (1, 7):
        return Advice(
            about="hang",
            says="fill the models registry when the script is imported, and import there what views import inside "
            "their functions: on Python 2 an import and the registry's lock wait for each other",
            lines=recipes.registry(django),
        )
    return Advice(
        about="hang",
        says="an import inside a request waits for another: import the modules that the stacks name when the script is "
        "imported",
    )


def _re_entered(match: re.Match[str], finding: FindingResult, case: CaseResult, django: Version) -> Advice:
    return POISONED


POISONED = Advice(
    about="poisoned",
    says="no line of a usual script cures this: a set-up that failed once leaves a half-built registry, and mod_wsgi "
    "imports the script again in the same interpreter. The bootstrap never serves from one",
)
RULES: tuple[Rule, ...] = (
    (r"populate\(\) isn't reentrant", _re_entered),
    (r"AppRegistryNotReady", _set_up("app-registry", "a request met a registry that another thread was filling")),
    (r"no attribute 'INSTALLED_APPS'", _set_up("settings", "a request met settings that another thread was loading")),
    (r"no attribute '_info'", _language),
    (r"partially initialized module '(?P<module>[\w.]+)'", _cycle),
    (r"TemplateDoesNotExist: (?P<name>[\w./-]+)", _template),
    (r"the settings were built|the handler and its middleware chain were built",
     _set_up("settings, middleware", "each thread that comes early does it for itself")),
    (r"module (?P<module>[\w.]+) was executed", _again),
    (r"(?P<what>invariant [^ ]*) ?is ", _own_counter),
    (r"umask is ", _umask),
    (r"import lock|importlib|import of ", _import_lock),
)  # fmt: skip


def _race(finding: FindingResult, case: CaseResult, django: Version) -> list[Advice]:
    text = finding.summary if finding.outcome != "hang" else "\n".join((finding.summary, *finding.evidence))
    for pattern, make in RULES:
        if match := re.search(pattern, text):
            return [make(match, finding, case, django)]
    state = re.match(r"(?P<what>.{1,60}?) is ", finding.summary)
    if finding.outcome == "wrong-state" and state:
        return [_state(state, finding, case, django)]
    where = _last_place(finding.evidence)
    return [
        Advice(
            about=finding.outcome,
            says="no rule knows this failure" + (f": it happens at {where}" if where else "") + ". What is cured by "
            "doing it on one thread is cured by a request at start-up (the bootstrap's warm=); what is not needs a "
            "lock",
        )
    ]


def _last_place(evidence: Sequence[str]) -> str:
    places = [match for line in evidence if (match := re.search(r'File "([^"]+)", line (\d+)', line))]
    return f"{places[-1][1]}:{places[-1][2]}" if places else ""


# -- broken: fails one request at a time too -------------------------------------------------------------


def _broken(case: CaseResult, django: Version) -> list[Advice]:
    text = case.reason + "\n" + "\n".join(line for each in case.findings for line in (each.summary, *each.evidence))
    if case.broken_class == "poisoned":
        return [POISONED]
    if "AppRegistryNotReady" in text:
        return [Advice(about="app-registry", says=_SET_UP + "nothing else fills the app registry", set_up=True)]
    if case.broken_class == "hang":
        return [
            Advice(
                about="hang",
                says="no line of a script cures this: it hangs with one request too. A thread that is started and "
                "joined while a module is imported must not import, nor read settings that are being loaded; a lock "
                "that an exception leaves held must be released in a finally",
            )
        ]
    return []
