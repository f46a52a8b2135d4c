"""What is advised, by what a case has come to."""

import msgspec
import pytest
from build import make_case, make_tally

from harness.advice import advise, advise_all
from harness.result import FindingResult, Hazard, case_result


def result(verdict="hazard", *, hazards=(), findings=(), django="5.2.19", **changes):
    """A case's result with these hazards and findings."""
    made = case_result(
        make_case(), make_tally(), duration=1.0, versions={"django": django, "python": "3.11.2"}, backend="local"
    )
    return msgspec.structs.replace(made, verdict=verdict, hazards=list(hazards), findings=list(findings), **changes)


def hazard(kind, *names, waiters=3):
    return Hazard(kind=kind, count=1, max_ms=1.0, max_waiters=waiters, names=list(names))


def finding(summary, outcome="error", race_class="failed-request", evidence=()):
    return FindingResult(
        outcome=outcome, race_class=race_class, count=1, summary=summary, trial=1, request="GET /", process="",
        evidence=list(evidence),
    )  # fmt: skip


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
def test_what_belongs_to_set_up_is_moved(kind):
    """It is not a line at the end: the application is made when the script is imported."""
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
def test_lines_are_those_of_the_django_at_hand(django, kind, there, absent):
    """What is not there in a release is not advised for it."""
    found = lines(result(hazards=[hazard(kind, "x")], django=django))
    assert there is None or there in found
    assert absent not in found


@pytest.mark.parametrize(
    ("summary", "about"),
    [
        ("GET / got status 500 instead of 200: AppRegistryNotReady: Apps aren't loaded yet.", "app-registry"),
        ("GET / got 500: AttributeError: 'NoneType' object has no attribute 'INSTALLED_APPS'", "settings"),
        ("the settings were built 2 times by 2 threads in one cold process", "settings, middleware"),
        ("the handler and its middleware chain were built 2 times by 2 threads", "settings, middleware"),
    ],
)
def test_a_race_of_the_set_up_is_cured_by_setting_up_before(summary, about):
    """Whether it failed or was done twice."""
    (one,) = advise(result("race", findings=[finding(summary)]))
    assert (about, True) == (one.about, one.set_up)


def test_a_circle_of_imports_is_imported_before():
    """With what else of its package requests import; the names are in the error and in the hazards."""
    said = "AttributeError: partially initialized module 'shop.invoices' has no attribute 'total'"
    found = advise(
        result("race", findings=[finding(said)], hazards=[hazard("import", "shop.orders", "decimal", waiters=0)])
    )
    assert [("import shop.invoices", "import shop.orders")] == [each.lines for each in found]
    assert "break the circle" in found[0].says


@pytest.mark.parametrize(
    ("summary", "outcome", "race_class", "word"),
    [
        ("invariant  is 4 after the stampede, and 1 after one request at a time", "duplicate-init", "duplicate-init",
         "threading.Lock"),
        ("umask is 0077 after the stampede, and 0022 after one request at a time", "wrong-state", "wrong-state",
         "makedirs"),
        ("receivers of x is 3 after the stampede, and 2 after", "wrong-state", "wrong-state", "no line is known"),
        ("GET / got status 500 instead of 200: KeyError: 'x'", "error", "failed-request", "no rule knows"),
        ("RuntimeError: populate() isn't reentrant", "poisoned", "failed-request", "bootstrap"),
    ],
)  # fmt: skip
def test_where_no_line_helps_that_is_said(summary, outcome, race_class, word):
    """A race of the site's own, or one that nobody knows: words, and no lines that would only look like a cure."""
    (one,) = advise(result("race", findings=[finding(summary, outcome, race_class)]))
    assert ((), False) == (one.lines, one.set_up)
    assert word in one.says


def test_an_unknown_failure_is_told_with_its_place():
    """The innermost line of its traceback."""
    evidence = ['  File "/srv/a.py", line 1, in x', '  File "/srv/b.py", line 7, in y', "KeyError: 'x'"]
    (one,) = advise(result("race", findings=[finding("GET / got 500: KeyError", evidence=evidence)]))
    assert "/srv/b.py:7" in one.says


def test_vintage_races_have_vintage_lines():
    """Catalogues before Django 1.8, the list of template loaders before 1.4, the registry's lock on Python 2."""
    language = finding("GET / got 500: AttributeError: 'NoneType' object has no attribute '_info'")
    assert "    translation.activate(language)  # loads its catalogue" in lines(
        result("race", findings=[language], django="1.1.4")
    )
    template = finding("GET / got 500: TemplateDoesNotExist: letters/letter.html")
    assert 'get_template("letters/letter.html")' in lines(result("race", findings=[template], django="1.2.7"))
    hang = finding("GET / got no answer: 9 wait for the import lock", "hang", "hang")
    assert "get_models()" in lines(result("race", findings=[hang], django="1.4.22"))


def test_what_is_clean_or_inconclusive_gets_no_advice():
    """Also where something lazy was seen that nobody waited for."""
    assert () == advise(result("clean", hazards=[hazard("urlconf")]))
    assert () == advise(result("inconclusive", hazards=[hazard("urlconf")]))


@pytest.mark.parametrize(
    ("broken", "reason", "set_up", "word"),
    [
        ("error", "GET / fails one request at a time too: AppRegistryNotReady: not loaded", True, "app-registry"),
        ("poisoned", "populate() isn't reentrant", False, "bootstrap"),
        ("hang", "the first request hangs", False, "no line of a script"),
    ],
)  # fmt: skip
def test_what_is_broken_gets_what_there_is(broken, reason, set_up, word):
    """Not a race, and yet a script may be what is wrong."""
    (one,) = advise(result("broken", broken_class=broken, reason=reason, findings=[finding(reason)]))
    assert set_up == one.set_up
    assert word in f"{one.about} {one.says}"


def test_the_same_advice_of_two_modes_is_given_once():
    """Against what both have found."""
    both = [result(hazards=[hazard("settings")]), result(hazards=[hazard("settings"), hazard("middleware")])]
    (one,) = advise_all(both)
    assert "settings, middleware" == one.about
