"""The tables of results/README.md that have their data beside them agree with it."""

import json
import math
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
REFERENCE = RESULTS / "reference"
PAGES = (RESULTS / "README.md", ROOT / "docs" / "which-wsgi-script.md")


def text_of(*pages):
    """What is written there, however it is emphasised."""
    return "".join(page.read_text() for page in pages).replace("**", "").replace("`", "")


def line(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def lines_of(name):
    return [json.loads(each) for each in (REFERENCE / f"{name}.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("*.json")), ids=lambda path: path.stem)
def test_tables_are_what_was_printed(path):
    """Each row that a benchmark has kept stands in a page, and the benchmark's command somewhere above it."""
    text = text_of(*PAGES)
    rows = [line(*row) for table in json.loads(path.read_text()) for row in table["rows"]]
    assert rows
    assert [] == [row for row in rows if row not in text]
    name, against, _ = path.stem.partition("-against")
    assert f"python -m benchmarks.{name.replace('-', '_')}{' --against ' if against else ''}" in text


def verdict(case):
    kind = case["race_class"] or case["broken_class"]
    return case["verdict"] + (f" ({kind})" if kind else "")


def bootstrap(case):
    """A row of the bootstrap: effective and bad trials, and what was left to requests."""
    cells = [case[key] for key in ("scenario", "mode", "schedule", "trials", "effective_trials", "bad_trials")]
    return line(*cells, verdict(case), case["lazy_in_request"])


def bootstrap_in_a_container(case):
    """The same, with the Django of the container."""
    cells = [case[key] for key in ("mode", "schedule", "trials", "effective_trials", "bad_trials")]
    return line(case["scenario"], case["versions"]["django"], *cells, verdict(case), case["lazy_in_request"])


@pytest.mark.parametrize("case", lines_of("bootstrap"), ids=lambda case: case["case"])
def test_the_bootstrap_is_what_was_measured(case):
    """Each kept case of the bootstrap has its row in the page."""
    assert bootstrap(case) in text_of(RESULTS / "README.md")


@pytest.mark.parametrize("case", lines_of("bootstrap-vintage"), ids=lambda case: case["case"])
def test_container_bootstrap_is_as_measured(case):
    """Each kept case of the bootstrap in a container has its row in the page, with its Django."""
    assert bootstrap_in_a_container(case) in text_of(RESULTS / "README.md")


def test_corpus_in_the_scripts_page():
    """Bad of effective trials of each site under the improved script and the bootstrap, in both modes."""
    text = text_of(*PAGES)
    for name in ("improved", "bootstrap"):
        cases = lines_of(name)
        for scenario in {each["scenario"] for each in cases}:
            assert sums(each for each in cases if each["scenario"] == scenario) in text, (name, scenario)


def sums(cases):
    of = {"natural": [0, 0], "perturbed": [0, 0]}
    for case in cases:
        of[case["schedule"]][0] += case["bad_trials"]
        of[case["schedule"]][1] += case["effective_trials"]
    return ", ".join(f"{bad} of {effective} {schedule}" for schedule, (bad, effective) in of.items())


def outcomes(case):
    return ", ".join(f"{name} {count}" for name, count in case["outcomes"].items() if count)


def longest(case):
    """What took longest of what was left to requests, and for how many others in the process."""
    of = case["longest"]
    return f"{of['kind']} {of['max_ms']:.0f} ms, {of['max_waiters']}" if of else ""


def today(case):
    """A row of today's scripts; of what could not be tried, that it could not."""
    cells = [f"{case['site']} {case['script']}", case["mode"], case["trials"], case["effective_trials"]]
    tried = case["verdict"] != "broken"
    return line(*cells, outcomes(case), verdict(case), case["lazy_in_request"] if tried else "", longest(case))


def first_requests_lost(case):
    """A row of 2010: trials and requests whose answer was an error; of the site's own language, what was lazy too."""
    sent, lost = sum(case["outcomes"].values()), case["outcomes"].get("error", 0)
    cells = [case["script"], case["mode"], case["effective_trials"], case["bad_trials"], f"{lost} of {sent}"]
    if case["scenario"] == "mysite2010":
        of = case["longest"]
        cells += [case["lazy_in_request"], f"{of['kind']} {of['max_ms']:.0f} ms"]
    return line(*cells)


NATURAL = [case for case in lines_of("today") if case["schedule"] == "natural"]


@pytest.mark.parametrize("case", NATURAL, ids=lambda case: case["case"])
def test_todays_scripts_are_what_was_measured(case):
    """A row for each case that was left alone."""
    assert today(case) in text_of(RESULTS / "README.md")


@pytest.mark.parametrize("script", ["default", "improved", "deferred"])
def test_todays_scripts_in_their_page(script):
    """How much each of today's scripts left to the requests of mysite, in either mode, stands in the scripts' page."""
    lazy = sorted(
        {case["lazy_in_request"] for case in NATURAL if (case["scenario"], case["script"]) == ("mysite", script)}
    )
    row = next(each for each in text_of(PAGES[1]).splitlines() if each.startswith(f"| {script} | "))
    assert row.endswith(f"| {' to '.join(map(str, lazy))} |")


def test_no_false_alarm_on_mysite():
    """The scripts that are right, left alone and with their threads disturbed."""
    right = [case for case in NATURAL if (case["scenario"], case["verdict"]) == ("mysite", "hazard")]
    disturbed = lines_of("mysite-perturbed")
    assert {"default", "improved"} == {case["script"] for case in right} == {case["script"] for case in disturbed}
    assert {0} == {case["bad_trials"] for case in [*right, *disturbed]}
    natural, perturbed = (sum(case["effective_trials"] for case in cases) for cases in (right, disturbed))
    assert f"0 bad of {natural} effective trials left alone, and 0 of {perturbed} disturbed" in " ".join(
        text_of(RESULTS / "README.md").split()
    )


def test_todays_scripts_under_perturbation():
    """Disturbed, today's scripts get the same verdicts but for one class; the page says how many requests that cost."""
    cases = lines_of("today")
    natural = {case["case"].replace("::natural", ""): verdict(case) for case in NATURAL}
    disturbed = [case for case in cases if case["schedule"] == "perturbed"]
    differing = [case for case in disturbed if natural[case["case"].replace("::perturbed", "")] != verdict(case)]
    assert {("settings_window", "deferred", "race (failed-request)")} == {
        (case["site"], case["script"], verdict(case)) for case in differing
    }
    failed = sum(case["outcomes"]["error"] for case in differing)
    sent = sum(case["outcomes"]["error"] + case["outcomes"]["ok"] for case in differing)
    assert f"{failed} of {sent} first requests" in " ".join(text_of(RESULTS / "README.md").split())


@pytest.mark.parametrize("case", lines_of("2010"), ids=lambda case: case["case"])
def test_2010_is_what_was_measured(case):
    """What each script of 2010 lost, with an active language of its own and with one that the pages activate."""
    assert first_requests_lost(case) in text_of(RESULTS / "README.md")
    assert {"ok", "error"} >= {name for name, count in case["outcomes"].items() if count}


BENCHES = ("bench-scripts", "bench-methods", "bench-processes")


def restart_cost(cell):
    """A row of a bench run."""
    of = cell["summary"]
    (during,) = [phase["latency"] for phase in of["phases"] if phase["name"] == "during"]
    return line(
        cell["cell"].partition("::")[2],
        f"{of['without_good_ms']:.0f}, {of['without_good_worst_ms']:.0f}",
        *(f"{of[name]:.0f}" for name in ("first_new_ms", "start_ms", "recovered_ms")),
        f"{during['p90']:.0f}, {during['p99']:.0f}",
        *(f"{of[name]:.0f}" for name in ("first_ms", "first_over_warm")),
        f"{of['cpu_s']:.2f}",
        f"{of['resident_mib']:.0f}",
    )


@pytest.mark.parametrize("cell", [cell for name in BENCHES for cell in lines_of(name)], ids=lambda cell: cell["cell"])
def test_a_restart_costs_what_was_measured(cell):
    """Of every cell of the three bench runs; and nothing was lost in any of them, as the page says."""
    assert restart_cost(cell) in text_of(RESULTS / "README.md")
    assert {"ok"} == {name for name, count in cell["summary"]["outcomes"].items() if count}


KINDS = ("A/A", "stored", "lazy", "slower", "lock")


def alarms(kind):
    """How a row of the gate begins: alarms and comparisons of that kind."""
    here = [each for each in lines_of("gate-power") if each["kind"] == kind]
    return f"| {kind} | {sum(bool(each['alarms']) for each in here)} of {len(here)} |"


@pytest.mark.parametrize("kind", KINDS)
def test_gate_power_is_as_measured(kind):
    """For each kind of change the page gives the alarms and comparisons that were kept."""
    assert alarms(kind) in (RESULTS / "README.md").read_text()


RACES = sorted({each["race"] for each in lines_of("time-to-detection")})


def detected(race):
    """A row: the median of the rounds of each cell, and what the best of people's ways is to the best lane."""
    found = {}
    for each in lines_of("time-to-detection"):
        if each["race"] == race:
            found.setdefault(each["way"], []).append(each)
    people = min(seconds(each) for way, each in found.items() if "," not in way)
    lane = min(seconds(each) for way, each in found.items() if "," in way)
    ratio = "only ours" if people == math.inf else f"{people / lane:.1f}"
    return line(race, *(median(each) for each in found.values()), ratio)


@pytest.mark.parametrize("race", RACES)
def test_detection_time_is_as_measured(race):
    """Each race has a row in the page with the median time of every way to detect it, from the kept rounds."""
    assert detected(race) in text_of(RESULTS / "README.md")


def seconds(rounds):
    """The median of the rounds; infinite where most found nothing."""
    return sorted(each["seconds"] if each["seconds"] is not None else math.inf for each in rounds)[len(rounds) // 2]


def median(rounds):
    """A cell of the table, as the benchmark prints it."""
    middle = seconds(rounds)
    if middle == math.inf:
        return "not found"
    return f"{middle:.2f} s, {statistics.median(each['restarts'] for each in rounds):.0f}"


def detection(cases):
    """A cell of the table: bad of effective trials where a race was found, and its first sight; else the verdicts."""
    found = [each for each in cases if each["verdict"] == "race"]
    if found:
        bad, effective = (sum(each[name] for each in found) for name in ("bad_trials", "effective_trials"))
        first = min(found, key=lambda each: each["first_bad_s"])
        return f"{bad} of {effective}; trial {first['first_bad_trial']}, {first['first_bad_s']:.1f} s"
    (kind,) = {each["verdict"] + (f" ({each['broken_class']})" if each["broken_class"] else "") for each in cases}
    return kind


CORPUS = sorted({each["row"] for each in lines_of("corpus")})


def worst(cases):
    """The verdict of a row: a race by its classes; of work that is done twice only where nothing worse came of it."""
    classes = sorted({each["race_class"] for each in cases if each["race_class"]})
    graver = [each for each in classes if each != "duplicate-init"]
    if classes:
        return f"race ({', '.join(graver or classes)})"
    (kind,) = {each["verdict"] for each in cases}
    return kind


def known_race(row):
    """A row of the corpus: its detection, natural and perturbed apart, and the trials of its fixed releases."""
    here = [each for each in lines_of("corpus") if each["row"] == row]
    affected = [each for each in here if each["release"] == "affected"]
    cells = [detection([each for each in affected if each["schedule"] == name]) for name in ("natural", "perturbed")]
    fixed = [each for each in here if each["release"] == "fixed"]
    bad, effective = (sum(each[name] for each in fixed) for name in ("bad_trials", "effective_trials"))
    return line(row, worst(affected), *cells, f"{bad} of {effective}" if effective else "-")


@pytest.mark.parametrize("row", CORPUS)
def test_the_corpus_is_what_was_measured(row):
    """Each row of the corpus stands in the page as its kept cases give it, and every case met its expectation."""
    assert known_race(row) in text_of(RESULTS / "README.md")
    assert all(each["met"] for each in lines_of("corpus") if each["row"] == row)


def test_the_sums_of_the_corpus():
    """No false alarm, in so many effective trials of fixed releases."""
    fixed = [each for each in lines_of("corpus") if each["release"] == "fixed"]
    text = (RESULTS / "README.md").read_text()
    assert 0 == sum(each["bad_trials"] for each in fixed)
    assert f"0 bad of {sum(each['effective_trials'] for each in fixed)} effective trials" in text


def test_every_row_has_its_data():
    """No row stands in the page that nothing was kept of."""
    kept = {
        line(*row)
        for path in REFERENCE.glob("*.json")
        for table in json.loads(path.read_text())
        for row in table["rows"]
    }
    kept |= {bootstrap(each) for each in lines_of("bootstrap")}
    kept |= {bootstrap_in_a_container(each) for each in lines_of("bootstrap-vintage")}
    kept |= {today(each) for each in NATURAL}
    kept |= {first_requests_lost(each) for each in lines_of("2010")}
    kept |= {restart_cost(each) for name in BENCHES for each in lines_of(name)}
    kept |= {detected(each) for each in RACES}
    kept |= {known_race(each) for each in CORPUS}
    lines = text_of(RESULTS / "README.md").splitlines()
    rows = [
        each
        for each, following in zip(lines, [*lines[1:], ""], strict=True)
        if each.startswith("| ") and not each.startswith("| --- ") and not following.startswith("| --- ")
    ]
    assert len(rows) > 150
    of_the_gate = tuple(alarms(kind) for kind in KINDS)
    assert [] == [each for each in rows if each not in kept and not each.startswith(of_the_gate)]
