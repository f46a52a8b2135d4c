"""`result.json`: its schema is the one in the code, and a result fits it."""

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest
from build import make_case, make_expectation, make_finding, make_grade, make_lazy, make_tally

from harness.result import RunResult, SkippedCase, case_result, encode, schema

ROOT = Path(__file__).resolve().parents[1]
# The frozen interface: other programs read these.
FROZEN = {
    "case", "scenario", "site", "script", "runtime", "backend", "lane", "schedule", "hosting", "restart", "seed",
    "trials", "cold_trials", "effective_trials", "exposed_trials", "requests", "outcomes", "bad_trials", "verdict",
    "race_class", "expected", "met", "upper_bound", "hazards", "lazy_in_request", "findings", "duration_s",
}  # fmt: skip
FROZEN_HOSTING = {"mode", "mpm", "processes", "threads", "application_group"}
FROZEN_HAZARD = {"kind", "count", "max_ms", "max_waiters"}

GRADES = [
    make_grade(lazy=(make_lazy(),)),
    make_grade({"ok": 1, "error": 1}, exposed=True, findings=(make_finding(trial=2, race_class="failed-request"),)),
    make_grade(cold=False, effective=False),
]


def told(*grades, case=None, **fields):
    """A case's result as plain data, as it is in the file."""
    found = case_result(
        case or make_case(), make_tally(*grades, **fields), duration=12.34567, backend="local", versions={"django": "5"}
    )
    return msgspec.to_builtins(found)


def whole(*cases, **changes):
    fields = {"schema_version": 1, "run": "r", "status": "complete", "environment": {"cores": 2}, "skipped": []}
    return {**fields, "cases": list(cases), **changes}


class TestSchema:
    def test_file(self):
        """The schema that is shipped is the one in the code."""
        assert json.dumps(schema(), indent=2) + "\n" == (ROOT / "docs/reference/result.schema.json").read_text()

    def test_valid(self):
        """It is a JSON schema."""
        jsonschema.Draft202012Validator.check_schema(schema())

    @pytest.mark.parametrize(
        "case",
        [
            told(*GRADES),
            told(),
            told(broken=make_finding(broken_class="error")),
            told(*GRADES, case=make_case(expectation=make_expectation("clean"), mode="embedded", restart="reload")),
        ],
        ids=["race", "empty", "broken", "expected"],
    )
    def test_fits(self, case):
        """Results of every sort fit it."""
        jsonschema.validate(whole(case, skipped=[{"case": "x", "reason": "no Python 3.99"}]), schema())

    @pytest.mark.parametrize(
        "changes",
        [
            {"verdict": "fine"},
            {"trials": -1},
            {"met": None},
            {"outcomes": {"ok": -1}},
            {"outcomes": {"fine": 1}},
            {"race_class": "x"},
        ],
        ids=repr,
    )
    def test_does_not_fit(self, changes):
        """A value outside of what the words allow does not fit."""
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(whole(told(*GRADES) | changes), schema())

    @pytest.mark.parametrize("key", sorted(FROZEN))
    def test_required(self, key):
        """Every field of the frozen interface is required."""
        case = told(*GRADES)
        del case[key]

        with pytest.raises(jsonschema.ValidationError, match=f"'{key}' is a required property"):
            jsonschema.validate(whole(case), schema())

    def test_encoded(self):
        """The file is what the schema says, and ends with a line's end."""
        found = case_result(make_case(), make_tally(*GRADES), duration=1.0, backend="local", versions={})
        result = RunResult(
            schema_version=1, run="r", status="complete", environment={}, cases=[found],
            skipped=[SkippedCase(case="x", reason="y")],
        )  # fmt: skip

        jsonschema.validate(json.loads(encode(result)), schema())
        assert encode(result).endswith(b"}\n")
        assert result == msgspec.json.decode(encode(result), type=RunResult)


class TestCase:
    def test_frozen_fields(self):
        """A case has every field of the frozen interface, and so have its hosting and its hazards."""
        case = told(*GRADES)

        assert set() == FROZEN - set(case)
        assert FROZEN_HOSTING == set(case["hosting"])
        assert set() == FROZEN_HAZARD - set(case["hazards"][0])

    def test_counts(self):
        """Trials are counted as what they were."""
        case = told(*GRADES)

        counted = ("trials", "cold_trials", "effective_trials", "exposed_trials", "reload_trials", "bad_trials")
        assert (3, 2, 2, 1, 0, 1) == tuple(case[each] for each in counted)
        assert 6 == case["requests"]

    def test_requests(self):
        """Requests are those that were sent, not outcomes: a duplicate initialisation is no request."""
        assert 5 == told(make_grade({"ok": 2, "duplicate-init": 1}, requests=2), make_grade(requests=3))["requests"]

    def test_class_and_bound(self):
        """A race has its class and no bound; a clean case the reverse."""
        race, clean = told(*GRADES), told(make_grade())

        assert ("race", "failed-request", None) == (race["verdict"], race["race_class"], race["upper_bound"])
        assert ("clean", None, 0.95) == (clean["verdict"], clean["race_class"], pytest.approx(clean["upper_bound"]))

    @pytest.mark.parametrize(("expected", "expectation"), [(None, None), ("clean", make_expectation("clean"))])
    def test_expected(self, expected, expectation):
        """`expected` is a list, empty where nothing is declared."""
        assert expected == told(make_grade(), case=make_case(expectation=expectation))["expected"]

    @pytest.mark.parametrize(
        ("expected", "mode"),
        [
            ({"mode": "daemon", "mpm": "event", "processes": 3, "threads": 7}, "daemon"),
            ({"mode": "embedded", "mpm": "worker", "processes": 2, "threads": 9}, "embedded"),
        ],
    )
    def test_hosting(self, expected, mode):
        """The hosting told is the case's."""
        sizes = {name: value for name, value in expected.items() if name != "mode"}

        assert expected | {"application_group": "%{GLOBAL}"} == told(case=make_case(mode=mode, **sizes))["hosting"]

    @pytest.mark.parametrize(("expected", "black_box"), [("probe", False), ("external", True)])
    def test_cold_proof(self, expected, black_box):
        """What is proven from outside only is labelled."""
        assert expected == told(make_grade(), case=make_case(black_box=black_box))["cold_proof"]

    def test_hazards(self):
        """Hazards are told slowest first, without empty names."""
        lazy = (make_lazy("resolver", milliseconds=2.0, name=""), make_lazy("settings", milliseconds=9.0))
        hazards = told(make_grade(lazy=lazy))["hazards"]

        assert [("settings", ["site.settings"]), ("resolver", [])] == [
            (each["kind"], each["names"]) for each in hazards
        ]

    def test_order(self):
        """A result is the same in whatever order its trials ended, also where counts and times are equal."""
        kinds = [make_lazy(kind, name=name) for kind in ("settings", "resolver") for name in "ba"]
        findings = [make_finding(key=key, summary=f"{key}{n}", trial=n) for key in "dc" for n in (3, 1, 2, 4)]
        grades = [make_grade({"ok": 1, "wrong": 1}, lazy=(lazy,)) for lazy in kinds]
        grades += [make_grade({"error": 1}, findings=(finding,)) for finding in findings]
        case, turned = told(*grades), told(*reversed(grades))

        assert json.dumps(case) == json.dumps(turned)
        assert ["error", "ok", "wrong"] == list(case["outcomes"])
        assert [("resolver", ["a", "b"]), ("settings", ["a", "b"])] == [
            (each["kind"], each["names"]) for each in case["hazards"]
        ]
        assert [("c1", 4), ("d1", 4)] == [(each["summary"], each["count"]) for each in case["findings"]]
