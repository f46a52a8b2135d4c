"""The rows of a comparison, each made from two observations, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.parity import words
from harness.parity.observation import Call, Observation, names, source
from harness.parity.places import Places
from harness.parity.references import Reference
from harness.records import Mode, Record

# Names in a cell of the table: the first few show which kind they are, and a cell stays a few lines high.
_SHOWN = 6
_PHASES = {"start": "before any request", "request": "in the first request"}


class ParityRow(Record, frozen=True):
    """One thing that is compared, in words."""

    key: str
    title: str
    development_server: str
    script: str
    same: bool
    accepted: bool = False
    advice: str = ""
    """What to change in the script if it differs."""


@dataclass(frozen=True)
class Sides:
    """The two observations, and what else a row is made from."""

    dev: Observation
    wsgi: Observation
    places: Places
    mode: Mode
    used: tuple[Reference, ...]
    django: words.Version


# -- rows ------------------------------------------------------------------------------------------------


def _settings(both: Sides) -> ParityRow:
    """How often the settings were loaded, and under which names. Of the development server only the process that
    serves is compared: its reloader has no counterpart."""

    def text(side: Observation) -> str:
        loads = side.settings_loads
        if not loads:
            return "not seen: they are not in the site's directory"
        pids = list(dict.fromkeys(load.pid for load in loads))
        by_process = [names([load for load in loads if load.pid == pid]) for pid in pids]
        alike = len(set(by_process)) == 1
        loaded = "; ".join(_listed(process) for process in (by_process[:1] if alike else by_process))
        where = "1 process" if len(pids) == 1 else f"each of {len(pids)} processes"
        when = _PHASES["request" if any(load.phase == "request" for load in loads) else "start"]
        return f"{len(loads)} {'load' if len(loads) == 1 else 'loads'}: {loaded} in {where}, {when}"

    def served(side: Observation) -> list[tuple[str, str]]:
        return [(load.name, load.phase) for load in side.settings_loads if load.pid == side.snapshot.pid]

    dev, wsgi = served(both.dev), served(both.wsgi)
    advice = words.settings(dev, wsgi, both.places, both.django)
    return _row("settings", "settings loaded", text(both.dev), text(both.wsgi), dev == wsgi, advice)


def _settings_module(both: Sides) -> ParityRow:
    dev, wsgi = both.dev.snapshot.settings, both.wsgi.snapshot.settings
    return _plain("DJANGO_SETTINGS_MODULE", "DJANGO_SETTINGS_MODULE", dev or "not set", wsgi or "not set",
                  f'set it before Django is imported: os.environ["DJANGO_SETTINGS_MODULE"] = "{dev}"')  # fmt: skip


def _path(both: Sides) -> ParityRow:
    """Which directories are on sys.path. Their order matters only for a name that two of them hold: see `names`."""
    top = both.places.bases[0]
    above = (str(top), str(top.parent))

    def split(path: Sequence[str]) -> tuple[list[str], set[str]]:
        near = [entry for entry in dict.fromkeys(path) if entry in above or entry.startswith(f"{top}/")]
        return near, set(path) - set(near)

    (dev, dev_rest), (wsgi, wsgi_rest) = split(both.dev.snapshot.path), split(both.wsgi.snapshot.path)
    shown = both.places.shown
    same = sorted(dev) == sorted(wsgi) and dev_rest == wsgi_rest

    def text(near: list[str], rest: set[str], others: set[str]) -> str:
        extra = [f"and {shown(entry)}" for entry in sorted(rest - others)]
        return "\n".join([shown(entry) for entry in near] + extra) or "nothing of the site"

    advice = words.path(set(dev) | dev_rest, set(wsgi) | wsgi_rest)
    dev_text, wsgi_text = text(dev, dev_rest, wsgi_rest), text(wsgi, wsgi_rest, dev_rest)
    return _row("sys.path", "sys.path (the site's)", dev_text, wsgi_text, same, advice)


def _cwd(both: Sides) -> ParityRow:
    dev, wsgi = both.dev.snapshot.cwd, both.wsgi.snapshot.cwd
    return _plain(
        "cwd", "working directory", both.places.shown(dev), both.places.shown(wsgi), words.cwd(dev, both.mode)
    )


def _modules(both: Sides) -> ParityRow:
    """The site's modules that are loaded after the first request, apart from manage.py and the script."""
    entry = {source(str(both.places.manage)), source(str(both.places.script))}

    def loaded(side: Observation) -> set[str]:
        return {name for name, file in side.snapshot.modules.items() if source(file) not in entry}

    dev, wsgi = loaded(both.dev), loaded(both.wsgi)
    return _sets("modules", "site modules loaded", dev, wsgi, words.modules(dev - wsgi, wsgi - dev))


def _lazy(both: Sides) -> ParityRow:
    """The site's modules that were executed inside the first request."""

    def late(side: Observation) -> tuple[str, ...]:
        return names([execution for execution in side.served if execution.phase == "request"])

    dev, wsgi = late(both.dev), late(both.wsgi)
    advice = words.lazy([name for name in wsgi if name not in dev], both.django)
    dev_text, wsgi_text = (_listed(side) or "nothing of the site" for side in (dev, wsgi))
    return _row("first-request", "loaded in the first request", dev_text, wsgi_text, set(dev) == set(wsgi), advice)


def _checks(both: Sides) -> ParityRow:
    title = "system checks" if both.django >= (1, 7) else "models validated"
    return _called(both, "checks", title, words.checks(both.django), done="run")


def _commands(both: Sides) -> ParityRow:
    def done(calls: Sequence[Call]) -> str:
        return f"{len(calls[0].names)} discovered"

    return _called(both, "commands", "management commands", words.commands(), done=done)


def _registry(both: Sides) -> ParityRow:
    title = "app registry" if both.django >= (1, 7) else "models registry"
    return _called(both, "registry", title, words.registry(both.django), done="filled")


def _apps(both: Sides) -> ParityRow:
    dev, wsgi = (set(side.snapshot.apps or ()) for side in (both.dev, both.wsgi))
    return _sets("apps", "apps (wildcards expanded)" if both.django < (1, 4) else "apps", dev, wsgi,
                 "the settings differ: see DJANGO_SETTINGS_MODULE, and what the settings read from the environment",
                 counted=True)  # fmt: skip


def _locale(both: Sides) -> ParityRow:
    """The language that was active on the thread of the first request when it began."""

    def text(side: Observation) -> str:
        request = side.request
        if request.language is None:
            return "none (LANGUAGE_CODE holds)"
        here = [call for call in side.calls("activate") if call.thread == request.thread and call.phase == "start"]
        return request.language + (", on the thread that loaded the script" if side is both.wsgi and here else "")

    dev, wsgi = both.dev.request.language, both.wsgi.request.language
    return _row("locale", "locale active", text(both.dev), text(both.wsgi), dev == wsgi, words.locale(dev))


def _catalogues(both: Sides) -> ParityRow:
    """The languages whose catalogues had been loaded when the first request began."""
    dev, wsgi = both.dev.request.catalogues or [], both.wsgi.request.catalogues or []
    missing = [language for language in dev if language not in wsgi]
    return _plain("catalogues", "catalogues loaded before", _listed(dev) or "none", _listed(wsgi) or "none",
                  words.catalogues(missing))  # fmt: skip


def _time_zone(both: Sides) -> ParityRow:
    def text(side: Observation) -> str:
        return f"{side.snapshot.time_zone or 'not set'} ({'/'.join(dict.fromkeys(side.snapshot.time_names))})"

    return _plain(
        "TZ", "TZ", text(both.dev), text(both.wsgi), "Django sets it from TIME_ZONE when it loads the settings"
    )


def _names(both: Sides) -> ParityRow:
    """Names by which the site's modules can be imported in one of the two only."""
    entry = {source(str(both.places.manage)), source(str(both.places.script))}
    dev, wsgi = (
        {name: file for name, file in side.snapshot.files.items() if source(file) not in entry}
        for side in (both.dev, both.wsgi)
    )
    differing = [name for name in sorted({*dev, *wsgi}) if source(dev.get(name)) != source(wsgi.get(name))]
    used = {reference.module: reference for reference in both.used}

    def text(importable: list[str]) -> str:
        used_first = sorted(importable, key=lambda name: (name not in used, name))
        return _listed([f"{name} ({used[name].where})" if name in used else name for name in used_first]) or "none"

    in_dev, in_wsgi = ([name for name in differing if files.get(name)] for files in (dev, wsgi))
    advice = words.names(in_dev, in_wsgi, used)
    return _row("names", "imports that work in one only", text(in_dev), text(in_wsgi), not differing, advice)


def _views(both: Sides) -> ParityRow:
    dev, wsgi = both.dev.snapshot.views or {}, both.wsgi.snapshot.views or {}
    differing = sorted(name for name in dev.keys() | wsgi.keys() if bool(dev.get(name)) != bool(wsgi.get(name)))

    def text(views: Mapping[str, str]) -> str:
        failing = [f"{name}: {views[name]}" for name in differing if views.get(name)]
        return "\n".join(failing) or (f"{len(views)}, all resolve" if views else "none")

    return _row("views", "views named by strings", text(dev), text(wsgi), not differing, words.views(differing))


def _answer(both: Sides) -> ParityRow:
    return _plain(
        "answer", "answer", str(both.dev.status), str(both.wsgi.status), "look at the answer first: one of them fails"
    )


ROWS: dict[str, Callable[[Sides], ParityRow]] = {
    "settings": _settings,
    "DJANGO_SETTINGS_MODULE": _settings_module,
    "sys.path": _path,
    "cwd": _cwd,
    "modules": _modules,
    "first-request": _lazy,
    "checks": _checks,
    "commands": _commands,
    "registry": _registry,
    "apps": _apps,
    "locale": _locale,
    "catalogues": _catalogues,
    "TZ": _time_zone,
    "names": _names,
    "views": _views,
    "answer": _answer,
}


# -- forms of rows ---------------------------------------------------------------------------------------


def _row(key: str, title: str, dev: str, wsgi: str, same: bool, advice: str) -> ParityRow:
    return ParityRow(
        key=key, title=title, development_server=dev, script=wsgi, same=same, advice="" if same else advice
    )


def _plain(key: str, title: str, dev: str, wsgi: str, advice: str) -> ParityRow:
    """Compares the texts themselves."""
    return _row(key, title, dev, wsgi, dev == wsgi, advice)


def _sets(key: str, title: str, dev: set[str], wsgi: set[str], advice: str, *, counted: bool = False) -> ParityRow:
    def text(ours: set[str], theirs: set[str]) -> str:
        only = _listed(sorted(ours - theirs))
        return f"{len(ours)}" + (f", only here: {only}" if only else "" if counted else f": {_listed(sorted(ours))}")

    return _row(key, title, text(dev, wsgi), text(wsgi, dev), dev == wsgi, advice)


def _called(
    both: Sides, what: str, title: str, advice: str, *, done: str | Callable[[Sequence[Call]], str]
) -> ParityRow:
    """Whether a step was done before any request; in the first request is as late as not at all."""

    def text(side: Observation) -> str:
        calls = side.calls(what)
        if not calls:
            return "not " + (done if isinstance(done, str) else "discovered")
        return f"{done if isinstance(done, str) else done(calls)} {_PHASES[calls[0].phase]}"

    return _plain(what, title, text(both.dev), text(both.wsgi), advice)


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(texts[:_SHOWN]) + (f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else "")
