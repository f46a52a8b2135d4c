"""What a failed request leads to, as far as the record shows it, and which threads were at it just then."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers.findings import Cause
from harness.records import CodePlace, Evidence, Inside, Lead, Mishap, Span

# The work that makes what a module or an object of this package is: (name, kinds of spans). Old names of Django beside
# those of today.
_MAKERS = (
    ("django.conf", ("settings",)),
    ("django.apps", ("app-registry",)),
    ("django.db.models.loading", ("app-registry",)),
    ("django.core.handlers", ("middleware",)),
    ("django.urls", ("resolver", "urlconf")),
    ("django.core.urlresolvers", ("resolver", "urlconf")),
    ("django.template", ("template-engine",)),
    ("django.utils.translation", ("catalogue",)),
)


def witnessed(evidence: Evidence, name: str) -> tuple[Inside, Mishap] | None:
    """The failure of the request `name`, or the first one of its process, where that raised the same: with what was
    seen at it. Of another failure the later ones may be a consequence, which nothing shows."""
    for inside in evidence.inside:
        mishap = next((one for one in inside.mishaps if one.request == name), None)
        if mishap is None:
            continue
        if mishap.witness is not None:
            return inside, mishap
        first = next((one for one in inside.mishaps if one.witness is not None), None)
        if first is not None and _kind(first) == _kind(mishap):
            return inside, first
    return None


def cause_of(evidence: Evidence, name: str) -> Cause | None:
    """What the failed request `name` leads to; None where the record does not show it."""
    inside, mishap = witnessed(evidence, name) or (None, None)
    lead = mishap.witness.lead if mishap and mishap.witness else None
    if inside is None or mishap is None or lead is None:
        return None
    place = lead.place
    return Cause(kind=lead.kind, module=lead.name, file=place.file, line=place.line, proof=proof(lead, inside, mishap))


def proof(lead: Lead, inside: Inside, mishap: Mishap) -> str:
    """In one sentence, what the record shows of it."""
    if lead.kind == "module":
        numbers = inside.number_threads()
        executing = [
            f"thread {numbers.get(thread, '?')}, at {text(place)}" for thread, place in executors(mishap, lead.name)
        ]
        who = f" by {executing[0]}," if executing else ""
        return f"module {lead.name} was still being executed{who} when {text(lead.place)} used it"
    if lead.kind == "object":
        return f"the failing code, {text(lead.place)}, worked on {lead.name}, which all threads share"
    return f"it failed in {text(lead.place)}, which belongs to {package(lead)}"


def package(lead: Lead) -> str:
    """The package of the failing code; and, where a library is used by another one, that too."""
    own, through = lead.place.module.partition(".")[0], lead.through.partition(".")[0]
    return f"{own}, called through {through}" if through else own


def executors(mishap: Mishap, module: str) -> Iterator[tuple[int, CodePlace]]:
    """The other threads that were executing a module, and where they were in it."""
    for thread, places in mishap.witness.threads if mishap.witness else ():
        for place in places:
            if place.function == "<module>" and place.module == module:
                yield thread, place
                break


def company(mishap: Mishap) -> Iterator[tuple[int, CodePlace]]:
    """The other threads that were in the failing function, and where. They were there: that is no proof of more."""
    lead = mishap.witness.lead if mishap.witness else None
    for thread, places in mishap.witness.threads if mishap.witness and lead else ():
        for place in places:
            if lead and (place.file, place.function) == (lead.place.file, lead.place.function):
                yield thread, place
                break


def maker(inside: Inside, mishap: Mishap) -> Span | None:
    """The work of another thread that was under way when the request failed, and makes what the failure leads to."""
    under_way = [
        span
        for span in inside.spans
        if span.kind not in ("request", "script")
        and span.thread != mishap.thread
        and span.begin <= mishap.at
        and (span.end is None or span.end >= mishap.at)
    ]
    lead = mishap.witness.lead if mishap.witness else None
    if lead is None:
        # A recording of an older probe: the error itself has to name the module.
        named = [span for span in under_way if span.kind == "import" and f"'{span.name}'" in mishap.error]
        return named[-1] if named else None
    if lead.kind == "module":
        threads = {thread for thread, _ in executors(mishap, lead.name)}
        imports = [span for span in under_way if span.kind == "import"]
        return next((span for span in imports if span.thread in threads or span.name == lead.name), None)
    kinds = next((kinds for name, kinds in _MAKERS if f"{lead.name}.".startswith(f"{name}.")), ())
    return max((span for span in under_way if span.kind in kinds), key=lambda span: span.begin, default=None)


def text(place: CodePlace) -> str:
    """A place as a sentence names it."""
    return f"{'/'.join(place.file.split('/')[-2:])} line {place.line} ({place.function})"


def _kind(mishap: Mishap) -> str:
    return mishap.error.partition(":")[0]
