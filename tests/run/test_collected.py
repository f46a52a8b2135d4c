"""Which of a pytest session's tests are over."""

from build import make_case

from harness.run.collected import CollectedTests, WorkerRuns


def test_case_that_ran_ahead():
    """A case counts once it ran to its end, though its own item was not reached; one that did not, does not."""
    collected = CollectedTests({"a.toml::x": make_case(id="a::x"), "a.toml::y": make_case(id="a::y")}, {"test_b"})
    collected.ran.add("a::x")
    assert {"a.toml::y", "test_b"} == collected.unfinished()
    collected.over.add("test_b")
    assert {"a.toml::y"} == collected.unfinished()
    collected.over.add("a.toml::y")  # skipped
    assert set() == collected.unfinished()


def test_workers():
    """What no worker finished is unfinished for all, whichever of them was to do it; a worker that is told of twice has
    one run."""
    runs = WorkerRuns()
    runs.add("one", ["x", "y"], ["x"])
    runs.add("one", ["x", "y"], ["x"])
    assert {"y"} == runs.unfinished()
    runs.add("", ["x", "y"], ["y"])
    assert (set(), ["one"]) == (runs.unfinished(), runs.directories)
