"""What is compared: a row for each thing, made of two observations. No input or output here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.parity import words
from harness.parity.observation import Call, Observation, names, source
from harness.parity.places import Places
from harness.parity.references import Reference
from harness.records import Mode, Record

_SHOWN = 6
_PHASES = {"start": "before any request", "request": "in the first request"}


class ParityRow(Record, frozen=True):
    """One thing that both have, in words."""

    key: str
    title: str
    development_server: str
    script: str
    same: bool
    accepted: bool = False
    advice: str = ""
    """What to change in the script, where it differs."""


@dataclass(frozen=True)
class Sides:
    """What a row is made from."""

    dev: Observation
    wsgi: Observation
    places: Places
    mode: Mode
    used: tuple[Reference, ...]
    django: words.Version


# -- rows ------------------------------------------------------------------------------------------------


def _settings(both: Sides) -> ParityRow:
    """How often the settings were loaded and under which names. Of the development server only the process that
    serves is compared: its reloader has no counterpart."""

    def told(seen: Observation) -> str:
        loads = seen.settings_loads
        if not loads:
            return "not seen: they do not lie in the site's directory"
        pids = list(dict.fromkeys(each.pid for each in loads))
        per = [[each for each in loads if each.pid == pid] for pid in pids]
        alike = len({names(each) for each in per}) == 1
        of_each = _listed(names(per[0])) if alike else "; ".join(_listed(names(each)) for each in per)
        where = "1 process" if len(pids) == 1 else f"each of {len(pids)} processes"
        when = _PHASES["request" if any(each.phase == "request" for each in loads) else "start"]
        return f"{len(loads)} {'load' if len(loads) == 1 else 'loads'}: {of_each} in {where}, {when}"

    def compared(seen: Observation) -> list[tuple[str, str]]:
        return [(each.name, each.phase) for each in seen.settings_loads if each.pid == seen.snapshot.pid]

    dev, wsgi = compared(both.dev), compared(both.wsgi)
    return ParityRow(
        key="settings",
        title="settings loaded",
        development_server=told(both.dev),
        script=told(both.wsgi),
        same=dev == wsgi,
        advice="" if dev == wsgi else words.settings(dev, wsgi, both.places, both.django),
    )


def _settings_module(both: Sides) -> ParityRow:
    dev, wsgi = both.dev.snapshot.settings, both.wsgi.snapshot.settings
    return _plain("DJANGO_SETTINGS_MODULE", "DJANGO_SETTINGS_MODULE", dev or "not set", wsgi or "not set",
                  f'set it before Django is imported: os.environ["DJANGO_SETTINGS_MODULE"] = "{dev}"')  # fmt: skip


def _path(both: Sides) -> ParityRow:
    """Which directories are on sys.path; in which order matters where a name is found in two of them: `names`."""
    top = both.places.bases[0]

    def split(path: Sequence[str]) -> tuple[list[str], set[str]]:
        near = [
            each for each in dict.fromkeys(path) if each == str(top) or each == str(top.parent) or _within(each, top)
        ]
        return near, set(path) - set(near)

    (dev, dev_rest), (wsgi, wsgi_rest) = split(both.dev.snapshot.path), split(both.wsgi.snapshot.path)
    shown = both.places.shown
    same = sorted(dev) == sorted(wsgi) and dev_rest == wsgi_rest

    def told(near: list[str], rest: set[str], others: set[str]) -> str:
        extra = [f"and {shown(each)}" for each in sorted(rest - others)]
        return "\n".join([shown(each) for each in near] + extra) or "nothing of the site"

    return ParityRow(
        key="sys.path",
        title="sys.path (the site's)",
        development_server=told(dev, dev_rest, wsgi_rest),
        script=told(wsgi, wsgi_rest, dev_rest),
        same=same,
        advice="" if same else words.path(set(dev) | dev_rest, set(wsgi) | wsgi_rest),
    )


def _cwd(both: Sides) -> ParityRow:
    dev, wsgi = both.dev.snapshot.cwd, both.wsgi.snapshot.cwd
    return _plain(
        "cwd", "working directory", both.places.shown(dev), both.places.shown(wsgi), words.cwd(dev, both.mode)
    )


def _modules(both: Sides) -> ParityRow:
    """The site's modules that are loaded after the first request; how each was started (manage.py, script) aside."""
    entry = {source(str(both.places.manage)), source(str(both.places.script))}

    def loaded(seen: Observation) -> set[str]:
        return {name for name, file in seen.snapshot.modules.items() if source(file) not in entry}

    dev, wsgi = loaded(both.dev), loaded(both.wsgi)
    return _sets("modules", "site modules loaded", dev, wsgi, words.modules(dev - wsgi, wsgi - dev))


def _lazy(both: Sides) -> ParityRow:
    """The site's modules whose code ran inside the first request."""

    def late(seen: Observation) -> tuple[str, ...]:
        return names([each for each in seen.served if each.phase == "request"])

    dev, wsgi = late(both.dev), late(both.wsgi)
    same = set(dev) == set(wsgi)
    return ParityRow(
        key="first-request",
        title="loaded in the first request",
        development_server=_listed(dev) or "nothing of the site",
        script=_listed(wsgi) or "nothing of the site",
        same=same,
        advice="" if same else words.lazy([each for each in wsgi if each not in dev], both.django),
    )


def _checks(both: Sides) -> ParityRow:
    title = "system checks" if both.django >= (1, 7) else "models validated"
    return _called(both, "checks", title, words.checks(both.django), done="run")


def _commands(both: Sides) -> ParityRow:
    def done(calls: Sequence[Call]) -> str:
        return f"{len(calls[0].names)} discovered"

    return _called(both, "commands", "management commands", words.commands(both.django), done=done)


def _registry(both: Sides) -> ParityRow:
    title = "app registry" if both.django >= (1, 7) else "models registry"
    return _called(both, "registry", title, words.registry(both.django), done="filled")


def _apps(both: Sides) -> ParityRow:
    dev, wsgi = (set(each.snapshot.apps or ()) for each in (both.dev, both.wsgi))
    return _sets("apps", "apps (wildcards expanded)" if both.django < (1, 4) else "apps", dev, wsgi,
                 "the settings differ: see DJANGO_SETTINGS_MODULE, and what the settings read from the environment",
                 counted=True)  # fmt: skip


def _locale(both: Sides) -> ParityRow:
    """The language that was active on the thread of the first request when it began."""

    def told(seen: Observation) -> str:
        request = seen.request
        if request.language is None:
            return "none (LANGUAGE_CODE holds)"
        here = [each for each in seen.calls("activate") if each.thread == request.thread and each.phase == "start"]
        return request.language + (", on the thread that loaded the script" if seen is both.wsgi and here else "")

    dev, wsgi = both.dev.request.language, both.wsgi.request.language
    return ParityRow(
        key="locale", title="locale active", development_server=told(both.dev), script=told(both.wsgi),
        same=dev == wsgi, advice="" if dev == wsgi else words.locale(dev),
    )  # fmt: skip


def _catalogues(both: Sides) -> ParityRow:
    """The languages whose catalogues had been loaded when the first request began."""
    dev, wsgi = both.dev.request.catalogues or [], both.wsgi.request.catalogues or []
    missing = [each for each in dev if each not in wsgi]
    return _plain("catalogues", "catalogues loaded before", _listed(dev) or "none", _listed(wsgi) or "none",
                  words.catalogues(missing))  # fmt: skip


def _time_zone(both: Sides) -> ParityRow:
    def told(seen: Observation) -> str:
        return f"{seen.snapshot.time_zone or 'not set'} ({'/'.join(dict.fromkeys(seen.snapshot.time_names))})"

    return _plain(
        "TZ", "TZ", told(both.dev), told(both.wsgi), "Django sets it from TIME_ZONE when it loads the settings"
    )


def _names(both: Sides) -> ParityRow:
    """Names by which the site's modules can be imported in one of the two and not in the other."""
    entry = {source(str(both.places.manage)), source(str(both.places.script))}
    dev, wsgi = (
        {name: file for name, file in each.snapshot.found.items() if source(file) not in entry}
        for each in (both.dev, both.wsgi)
    )
    differing = [name for name in sorted({*dev, *wsgi}) if source(dev.get(name)) != source(wsgi.get(name))]
    used = {each.module: each for each in both.used}

    def told(found: Mapping[str, str | None]) -> str:
        can = [name for name in differing if found.get(name)]
        return _listed([f"{name} ({used[name].where})" if name in used else name for name in _used_first(can, used)])

    only_dev, only_wsgi = ([name for name in differing if found.get(name)] for found in (dev, wsgi))
    return ParityRow(
        key="names",
        title="imports that work in one only",
        development_server=told(dev) or "none",
        script=told(wsgi) or "none",
        same=not differing,
        advice=words.names(only_dev, only_wsgi, used) if differing else "",
    )


def _used_first(found: Sequence[str], used: Mapping[str, Reference]) -> list[str]:
    return sorted(found, key=lambda name: (name not in used, name))


def _views(both: Sides) -> ParityRow:
    dev, wsgi = both.dev.snapshot.views or {}, both.wsgi.snapshot.views or {}
    differing = sorted(name for name in dev.keys() | wsgi.keys() if bool(dev.get(name)) != bool(wsgi.get(name)))

    def told(views: Mapping[str, str]) -> str:
        failing = [f"{name}: {views[name]}" for name in differing if views.get(name)]
        return "\n".join(failing) or (f"{len(views)}, all resolve" if views else "none")

    return ParityRow(
        key="views", title="views named by strings", development_server=told(dev), script=told(wsgi),
        same=not differing, advice=words.views(differing) if differing else "",
    )  # fmt: skip


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


def _plain(key: str, title: str, dev: str, wsgi: str, advice: str) -> ParityRow:
    return ParityRow(
        key=key,
        title=title,
        development_server=dev,
        script=wsgi,
        same=dev == wsgi,
        advice="" if dev == wsgi else advice,
    )


def _sets(key: str, title: str, dev: set[str], wsgi: set[str], advice: str, *, counted: bool = False) -> ParityRow:
    def told(ours: set[str], theirs: set[str]) -> str:
        only = _listed(sorted(ours - theirs))
        return f"{len(ours)}" + (f", only here: {only}" if only else "" if counted else f": {_listed(sorted(ours))}")

    return ParityRow(
        key=key, title=title, development_server=told(dev, wsgi), script=told(wsgi, dev), same=dev == wsgi,
        advice="" if dev == wsgi else advice,
    )  # fmt: skip


def _called(
    both: Sides, what: str, title: str, advice: str, *, done: str | Callable[[Sequence[Call]], str]
) -> ParityRow:
    """Whether something was done before any request; in the first request is as late as not at all."""

    def told(seen: Observation) -> str:
        calls = seen.calls(what)
        if not calls:
            return "not " + (done if isinstance(done, str) else "discovered")
        words_of = done if isinstance(done, str) else done(calls)
        return f"{words_of} {_PHASES[calls[0].phase]}"

    return _plain(what, title, told(both.dev), told(both.wsgi), advice)


def _listed(found: Sequence[str]) -> str:
    return ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")


def _within(path: str, directory: object) -> bool:
    return path.startswith(f"{directory}/")
