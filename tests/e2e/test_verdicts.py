"""Small WSGI scripts on a real Apache: each race, and a near-twin that is none."""

import pytest

from harness.errors import BadInput

pytestmark = pytest.mark.e2e
MODES = pytest.mark.parametrize("mode", ["daemon", "embedded"])


@MODES
def test_check_then_act_is_a_race(start, mode):
    """A request that meets half-built state and fails is a race of class failed-request, in either mode."""
    result = start("check_then_act", mode=mode)
    assert ("race", "failed-request") == (result.verdict, result.race_class)
    assert result.outcomes["error"] > 0
    assert any("KeyError" in finding.summary for finding in result.findings)
    assert not result.met


@MODES
def test_work_at_import_is_clean(start, mode):
    """The same work done at import, under the import lock, is clean, with the bound its effective trials support."""
    result = start("check_then_act_fixed", mode=mode, trials=20)
    assert ("clean", None) == (result.verdict, result.race_class)
    assert {"ok": 20 * 16} == result.outcomes
    assert result.upper_bound == pytest.approx(1 - 0.05 ** (1 / result.effective_trials))


def test_locks_in_opposite_order_hang(start):
    """Requests that wait for each other, using no CPU, are a race of class hang. Where the locks tell who holds them it
    is proven, and seen before the grace is over."""
    plain, owned = (start(name, paths=["/a", "/b"], trials=3) for name in ("lock_order", "lock_order_owned"))
    assert [("race", "hang")] * 2 == [(each.verdict, each.race_class) for each in (plain, owned)]
    assert any("held by" in finding.summary for finding in owned.findings)
    assert owned.first_bad_s < plain.first_bad_s


def test_one_lock_order_is_clean(start):
    """The near-twin that always takes the locks in the same order does not hang: it is clean."""
    result = start("lock_order_fixed", paths=["/a", "/b"], trials=10)
    assert {"ok"} == set(result.outcomes)


@MODES
def test_dead_process_is_a_crash(start, mode):
    """Requests whose process vanished are crashes, not drops."""
    result = start("crash", mode=mode, trials=6)
    assert ("race", "failed-request") == (result.verdict, result.race_class)
    assert result.outcomes["crash"] > 0
    assert "dropped" not in result.outcomes


def test_wrong_body_is_found(start):
    """A body that differs from the control's is wrong even though its status is 200."""
    result = start("half_list")
    assert ("race", "failed-request") == (result.verdict, result.race_class)
    assert result.outcomes["wrong"] > 0


def test_failing_process_is_poisoned(start):
    """Single requests that still fail after the stampede are graded poisoned."""
    result = start("poison")
    assert "race" == result.verdict
    assert result.outcomes["poisoned"] > 0


def test_volatile_answers_are_clean(start):
    """What differs between two controls (token, time, pid, thread) is masked."""
    result = start("volatile", trials=20)
    assert ("clean", {"ok": 20 * 16}) == (result.verdict, result.outcomes)


def test_lone_hang_is_broken(start):
    """A site that hangs one request at a time is broken, class hang, never a race."""
    result = start("hangs_alone", timeout=2.0)
    assert ("broken", "hang", 0) == (result.verdict, result.broken_class, result.trials)


def test_busy_process_is_slow(start):
    """Answers that stay out while the process works are slow: inconclusive, not a hang."""
    result = start("busy", users=3, threads=3, trials=1)
    assert "inconclusive" == result.verdict
    assert result.outcomes["slow"] > 0
    assert "hang" not in result.outcomes


def test_failing_import_is_broken(start):
    """A script that does not import is broken: the server's log lines are the evidence, and the sentence has a hint."""
    result = start("no_import")
    assert ("broken", "error") == (result.verdict, result.broken_class)
    assert "a_module_that_nobody_has" in result.findings[0].summary
    assert "sys.path" in result.findings[0].summary


def test_a_4xx_for_everybody_is_refused(start):
    """A control that nobody may pass says nothing about the site, so it is bad input."""
    with pytest.raises(BadInput, match=r"got status 403 for GET /: does it need a login"):
        start("forbidden")


def test_black_box_finds_the_same_race(start):
    """Without anything inside the process, cold is proven from outside and the race is found all the same."""
    result = start("check_then_act", black_box=True)
    assert ("race", "external") == (result.verdict, result.cold_proof)
    assert result.trials == result.cold_trials
    assert [] == result.hazards


def test_an_application_group_of_its_own(start):
    """In a sub-interpreter the probe is there too, and the race is found."""
    result = start("check_then_act", application_group="aside")
    assert ("race", "probe") == (result.verdict, result.cold_proof)
    assert result.effective_trials > 0


@pytest.mark.parametrize("restart", ["restart", "graceful", "touch"])
def test_every_restart_method_makes_cold(start, restart):
    """Each method's trials are proven cold: a new process, its first request."""
    result = start("check_then_act_fixed", restart=restart, trials=16)
    assert 16 == result.cold_trials
    assert "clean" == result.verdict


def test_a_reload_is_never_called_cold(start):
    """A touched script in embedded mode is imported again in the same interpreter: counted apart."""
    result = start("check_then_act", mode="embedded", restart="reload", trials=40)
    assert result.reload_trials > 0
    assert result.cold_trials + result.reload_trials <= 40
    assert result.effective_trials <= result.cold_trials


def test_what_a_request_carries(start, tmp_path):
    """Method, body, Host, header, environment, interpreter and Apache fragment reach the script."""
    fragment = tmp_path / "fragment.conf"
    fragment.write_text("SetEnv FRAGMENT included\n")
    result = start(
        "posted",
        paths=["POST /form a=1&b=2"],
        headers={"Host": "shop.example", "X-Colour": "red"},
        environment={"COLOUR": "blue"},
        application_group="aside",
        apache_conf=fragment,
        trials=2,
    )
    assert {"ok": 2 * 16} == result.outcomes


def test_large_reports_arrive_whole(start):
    """Reports that do not fit into a socket buffer arrive whole, though two stampedes of large pages send at once."""
    result = start("large", trials=10)
    assert ("clean", {"ok": 10 * 16}) == (result.verdict, result.outcomes)


def test_every_request_is_sent_alike(start):
    """Control and stampede send the same bytes, whatever is asked for: no difference between clients is a race."""
    paths = [
        "/%7Eu", "/%c3%a9", '/?a[]=1&b="x"|{}', "/a/../b", "/é/", "//a", "/a;b=c", "/?", "OPTIONS /x", "HEAD /x",
        "PUT /x", "PUT /x bödy", "PATCH /x a b", "DELETE /x", "DELETE /x body", "POST /x a\r\n\r\nGET / HTTP/1.1\r\n",
        "/" + "a/" * 1500,
    ]  # fmt: skip
    headers = {"Accept-Encoding": "gzip", "Expect": "100-continue", "Connection": "keep-alive", "Host": "Example.com"}
    result = start("asked", paths=paths, headers=headers, users=17, threads=17, trials=3)
    assert ("clean", {"ok": 3 * 18}) == (result.verdict, result.outcomes)


@pytest.mark.parametrize("path", ["/raise", "/short", "/garbled"])
def test_half_an_answer_is_broken(start, path):
    """A body that raises, one shorter than announced and a coding that is none fail one request at a time too."""
    result = start("half_answers", paths=[path], trials=1)
    assert ("broken", "error") == (result.verdict, result.broken_class)


def test_whole_answers_are_clean(start):
    """The near-twins: the same coding undone, whatever its bytes; two headers of one name; any bytes."""
    result = start("half_answers", paths=["/gzip", "/bytes", "/empty"], trials=3)
    assert ("clean", {"ok": 3 * 16}) == (result.verdict, result.outcomes)


@pytest.mark.hostile
@pytest.mark.parametrize("path", ["/endless", "/drip", "/bomb"])
def test_answer_without_end_proves_nothing(start, path):
    """What goes on beyond a limit is cut, and the case is inconclusive: neither clean nor a race."""
    result = start("half_answers", paths=[path], trials=1, timeout=2.0)
    assert ("inconclusive", True) == (result.verdict, "cut off" in result.reason)


@pytest.mark.parametrize("mode", ["daemon", "embedded"])
def test_body_that_raises_in_stampedes_only(start, mode):
    """One whose body raises only where requests meet is a race, though the client may see nothing of it."""
    result = start("half_answers", mode=mode, paths=["/together"], trials=4)
    assert ("race", "failed-request") == (result.verdict, result.race_class)
