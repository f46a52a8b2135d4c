"""What is advised, by what a case has come to."""

import msgspec
import pytest
from build import (
    PROCESS,
    make_answer,
    make_case,
    make_control,
    make_inside,
    make_log,
    make_lost_answer,
    make_mishap,
    make_request_span,
    make_span,
    make_tally,
    make_trial,
    make_watched,
    make_yardstick,
)

from harness.advice import advise, advise_all
from harness.checkers.grade import grade
from harness.records import State, ThreadStack
from harness.result import FindingResult, Hazard, case_result


def result(verdict="hazard", *, hazards=(), findings=(), django="5.2.19", **changes):
    """A case's result with these hazards and findings."""
    made = case_result(
        make_case(), make_tally(), duration=1.0, versions={"django": django, "python": "3.11.2"}, backend="local"
    )
    return msgspec.structs.replace(made, verdict=verdict, hazards=list(hazards), findings=list(findings), **changes)


def hazard(kind, *names, waiters=3):
    return Hazard(kind=kind, count=1, max_ms=1.0, max_waiters=waiters, names=list(names))


def finding(outcome="error", race_class="failed-request", *, summary="a sentence for people", **fields):
    """What advice reads are the fields; the summary is for people."""
    return FindingResult(
        outcome=outcome, race_class=race_class, count=1, summary=summary, trial=1, request="GET /", process="",
        evidence=[], **fields,
    )  # fmt: skip


def failure(error, **fields):
    return finding(error=error, **fields)


def duplicate(**fields):
    return finding("duplicate-init", "duplicate-init", **fields)


def changed(entry, outcome="wrong-state"):
    return finding(outcome, outcome, kind="state", subject=entry)


def lines(case, **options):
    return [line for each in advise(case, **options) for line in each.lines]


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("urlconf", "get_resolver().url_patterns  # imports the URLconf and the views"),
        ("resolver", "    get_resolver().reverse_dict  # imports the URLconf, builds the tables of this language"),
        ("catalogue", "    translation.activate(language)  # loads its catalogue"),
        ("template-engine", "engines.all()"),
        ("import", "    list(application(environ, lambda status, headers, exc_info=None: None))"),
    ],
)
def test_each_hazard_has_its_lines(kind, line):
    """For the kind that others waited for; where nobody did, it is no hazard, and nothing is advised."""
    assert line in lines(result(hazards=[hazard(kind, "x")]))
    assert [] == lines(result(hazards=[hazard(kind, "x", waiters=0)]))


@pytest.mark.parametrize("kind", ["settings", "app-registry", "middleware"])
def test_set_up_is_moved(kind):
    """Work of the set-up gets no line at the end: the application is made when the script is imported."""
    (one,) = advise(result(hazards=[hazard(kind)]))
    assert (True, ()) == (one.set_up, one.lines)


@pytest.mark.parametrize(
    ("django", "kind", "there", "absent"),
    [
        ("1.1.4", "settings", "get_models()", "django.setup()"),
        ("1.1.4", "middleware", "application.load_middleware()", "get_models()"),
        ("1.9.13", "middleware", "application.load_middleware()", "get_models()"),
        ("1.4.22", "urlconf", "from django.core.urlresolvers import get_resolver", "get_resolver().url_patterns"),
        ("1.11.29", "resolver", "    get_resolver(settings.ROOT_URLCONF).reverse_dict", "import get_models"),
        ("4.2.1", "resolver", "from django.urls import get_resolver",
         "    get_resolver(settings.ROOT_URLCONF).reverse_dict"),
        ("1.7.11", "template-engine", None, "engines.all()"),
        ("1.8.19", "template-engine", "engines.all()", "from django.forms.renderers import get_default_renderer"),
    ],
)  # fmt: skip
def test_lines_fit_the_django_release(django, kind, there, absent):
    """Lines are those of the Django at hand: what a release does not have is not advised for it."""
    found = lines(result(hazards=[hazard(kind, "x")], django=django))
    assert there is None or there in found
    assert absent not in found


@pytest.mark.parametrize(
    ("race", "about"),
    [
        (failure("AppRegistryNotReady: Apps aren't loaded yet."), "app-registry"),
        (failure("AttributeError: 'NoneType' object has no attribute 'INSTALLED_APPS'"), "settings"),
        (duplicate(kind="settings"), "settings, middleware"),
        (duplicate(kind="middleware"), "settings, middleware"),
    ],
)
def test_set_up_race_moves_set_up(race, about):
    """A race of the set-up, be it a failure or work done twice, is cured by setting up before requests come."""
    (one,) = advise(result("race", findings=[race]))
    assert (about, True) == (one.about, one.set_up)


def test_import_cycle_is_imported_early():
    """A cycle of imports is imported before requests, with what else of its package the error and hazards name."""
    said = "AttributeError: partially initialized module 'shop.invoices' has no attribute 'total'"
    found = advise(
        result("race", findings=[failure(said)], hazards=[hazard("import", "shop.orders", "decimal", waiters=0)])
    )
    assert [("import shop.invoices", "import shop.orders")] == [each.lines for each in found]
    assert "break the circle" in found[0].says


@pytest.mark.parametrize(
    ("race", "word"),
    [
        (changed("invariant", "duplicate-init"), "threading.Lock"),
        (changed("invariant rooms"), "threading.Lock"),
        (changed("umask"), "makedirs"),
        (changed("receivers of x"), "no line is known"),
        (failure("KeyError: 'x'"), "no rule knows"),
        (finding("poisoned", error="RuntimeError: populate() isn't reentrant"), "bootstrap"),
    ],
)
def test_no_line_where_none_helps(race, word):
    """A race of the site's own, or one that nobody knows: words, and no lines that would only look like a cure."""
    (one,) = advise(result("race", findings=[race]))
    assert ((), False) == (one.lines, one.set_up)
    assert word in one.says


def test_unknown_failure_names_its_place():
    """A failure that no rule knows is named with the innermost line of its traceback, where there is one."""
    (one,) = advise(result("race", findings=[failure("KeyError: 'x'", place="/srv/b.py:7")]))
    assert "no rule knows this failure, which is raised at /srv/b.py:7." in one.says
    (other,) = advise(result("race", findings=[failure("KeyError: 'x'")]))
    assert "no rule knows this failure." in other.says


@pytest.mark.parametrize(
    "summary",
    [
        "the settings were built 2 times by 2 threads in one cold process",
        "module shop.orders was executed 2 times in one process",
        "umask is 0077 after the stampede, but 0022 after one request at a time",
        "GET / got a wrong body: expected '<p>', got 'AppRegistryNotReady'",
        "GET / got no answer while its process used no CPU time: of 2 threads 2 wait for the import lock",
    ],
)
def test_a_summary_is_no_fact(summary):
    """Whatever it says, in the site's words or ours, no rule reads it."""
    (one,) = advise(result("race", findings=[finding(summary=summary)]))
    assert "no rule knows" in one.says


@pytest.mark.parametrize(
    "error",
    [
        "ValueError: module shop.orders was executed 2 times in one process",
        "ValueError: the settings were built 2 times",
        "OSError: umask is 0077",
        "ValueError: invariant is 4",
        "TimeoutError: the import lock of module shop.orders",
    ],
)
def test_error_is_only_an_error(error):
    """A site that raises an error in the words of another finding has failed, and nothing else."""
    (one,) = advise(result("race", findings=[failure(error)]))
    assert ("error", ()) == (one.about, one.lines)
    assert "no rule knows" in one.says


@pytest.mark.parametrize(
    "entry",
    ["environment umask", "umask of a child", "environment invariant", "invariants", "receivers of invariant x"],
)
def test_state_entry_matches_whole_name(entry):
    """A state entry is known by its whole name: a similar one is neither the umask nor the site's invariant."""
    (one,) = advise(result("race", findings=[changed(entry)]))
    assert entry == one.about
    assert "no line is known" in one.says


def test_vintage_races_have_vintage_lines():
    """Catalogues before Django 1.8, the list of template loaders before 1.4, the registry's lock on Python 2."""
    language = failure("AttributeError: 'NoneType' object has no attribute '_info'")
    assert "    translation.activate(language)  # loads its catalogue" in lines(
        result("race", findings=[language], django="1.1.4")
    )
    template = failure("TemplateDoesNotExist: letters/letter.html")
    assert 'get_template("letters/letter.html")' in lines(result("race", findings=[template], django="1.2.7"))
    hang = finding("hang", "hang", kind="import")
    assert "get_models()" in lines(result("race", findings=[hang], django="1.4.22"))
    assert [] == lines(result("race", findings=[finding("hang", "hang")], django="1.4.22"))


def test_clean_case_gets_no_advice():
    """A clean or inconclusive case gets no advice, also where something lazy was seen that nobody waited for."""
    assert () == advise(result("clean", hazards=[hazard("urlconf")]))
    assert () == advise(result("inconclusive", hazards=[hazard("urlconf")]))


@pytest.mark.parametrize(
    ("broken", "error", "set_up", "word"),
    [
        ("error", "AppRegistryNotReady: not loaded", True, "app-registry"),
        ("poisoned", "RuntimeError: populate() isn't reentrant", False, "bootstrap"),
        ("hang", "", False, "no line in the script"),
    ],
)
def test_broken_case_gets_advice(broken, error, set_up, word):
    """A broken case is no race, and yet gets the advice there is: the script may be what is wrong."""
    (one,) = advise(result("broken", broken_class=broken, findings=[failure(error)]))
    assert set_up == one.set_up
    assert word in f"{one.about} {one.says}"


def test_unrelated_failure_gets_no_advice():
    """A case broken for another reason gets no advice: a reason that quotes the registry's error is not that error."""
    reason = "GET / fails one request at a time too: KeyError: 'AppRegistryNotReady'"
    assert () == advise(result("broken", broken_class="error", reason=reason, findings=[failure("KeyError: 'x'")]))


def test_same_advice_is_given_once():
    """The same advice for two modes is given once, about all that either has found."""
    both = [result(hazards=[hazard("settings")]), result(hazards=[hazard("settings"), hazard("middleware")])]
    (one,) = advise_all(both)
    assert "settings, middleware" == one.about


# -- the whole way: from a trial's record to advice -------------------------------------------------------


def advise_about(trial, *controls, django="5.2.19"):
    tally = make_tally(grade(trial, make_yardstick(*controls)))
    versions = {"django": django}
    return advise(case_result(make_case(), tally, duration=1.0, backend="local", versions=versions))


def inside_of(*spans, **changes):
    return (make_inside(make_request_span(0), make_request_span(1), *spans, **changes),)


def twice(kind):
    return make_trial(inside=inside_of(*(make_span(kind, thread=thread) for thread in (1, 2))))


def failing(error, *, lines=("Traceback (most recent call last):", '  File "/srv/b.py", line 7, in view')):
    mishap = make_mishap(error, traceback="\n".join((*lines, error)))
    return make_trial(make_answer(0, status=500), make_answer(1), inside=inside_of(mishaps=(mishap,)))


def hanging(*stacks):
    return make_trial(make_answer(0), make_lost_answer(1), processes=(make_watched(idle=True),), stacks=stacks)


def left(**entries):
    """A trial that left these entries in its process, and a control in which umask and invariant were sound."""
    sound = State(process=PROCESS, entries={"umask": "0022", "invariant": 1})
    return make_trial(states=(State(process=PROCESS, entries=entries),)), make_control(states=(sound,))


LOCK = "shop.views.LOCK"
IMPORT = "the import lock of module shop.orders"


@pytest.mark.parametrize(
    ("records", "about", "set_up", "lines", "word"),
    [
        ((twice("settings"),), "settings, middleware", True, (), "otherwise each early thread"),
        ((twice("middleware"),), "settings, middleware", True, (), "otherwise each early thread"),
        ((make_trial(inside=inside_of(executed_again=("shop.orders",))),), "module shop.orders", False,
         ("import shop.orders",), "import it in the"),
        (left(umask="0077"), "umask", False, (), "os.makedirs"),
        (left(invariant=8), "the site's invariant", False, (), "threading.Lock"),
        (left(invariant=0), "the site's invariant", False, (), "threading.Lock"),
        (left(cwd="/"), "cwd", False, (), "no line is known"),
        ((hanging(ThreadStack(thread=1, frames=(), waits_for=IMPORT)),), "hang", False, (), "an import inside a"),
        ((hanging(ThreadStack(thread=1, frames=(), waits_for=LOCK)),), "hang", False, (), "no rule knows"),
        ((hanging(),), "hang", False, (), "no rule knows"),
        ((failing("AppRegistryNotReady: Apps aren't loaded yet."),), "app-registry", True, (), "was filling"),
        ((failing("RuntimeError: populate() isn't reentrant"),), "poisoned", False, (), "bootstrap"),
        ((failing("KeyError: 'AppRegistry'"),), "error", False, (), "which is raised at /srv/b.py:7."),
        ((failing("KeyError: 'x'", lines=()),), "error", False, (), "no rule knows this failure."),
    ],
)  # fmt: skip
def test_from_a_trial_to_advice(records, about, set_up, lines, word):
    """What a checker saw reaches the rule that knows it, and no other."""
    (one,) = advise_about(*records)
    assert (about, set_up, lines) == (one.about, one.set_up, one.lines)
    assert word in one.says


def test_from_a_log_to_advice():
    """Where no probe saw the error, the server's log has it."""
    lines = ("Traceback", '  File "/srv/b.py", line 7, in view', "AppRegistryNotReady: Apps aren't loaded yet.")
    trial = make_trial(make_answer(0, status=500), make_answer(1), log=make_log(*lines))
    (one,) = advise_about(trial)
    assert "app-registry" == one.about


def test_waiting_thread_is_no_cause():
    """Threads that hold each other's locks hang; one that waits for the module that they import is only held up."""
    ring = [ThreadStack(thread=n, frames=(), waits_for=LOCK, owner=3 - n, lock=n) for n in (1, 2)]
    held_up = ThreadStack(thread=3, frames=(), waits_for=IMPORT, owner=1, lock=3)
    (one,) = advise_about(hanging(*ring, held_up))
    assert "no rule knows" in one.says
    (other,) = advise_about(hanging(*(msgspec.structs.replace(stack, waits_for=IMPORT) for stack in ring)))
    assert "an import inside a request waits for another one" in other.says
