# make demo: the main job. make test: the tests. Everything is set up in this directory.
PYTHON ?= $(firstword $(foreach v,3 3.11 3.12 3.13 3.14,$(shell python$(v) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo python$(v))))
VENV := .venv
TRIALS ?= 40
DEMO := circular-import flag-before-work mysite poisoned-registry settings-window

.PHONY: prerequisites demo fast test faults lint benchmark machines clean

demo: prerequisites $(VENV)/complete  ## the reference scenarios, few trials each: about two minutes
	$(VENV)/bin/harness run $(DEMO) --trials $(TRIALS)

# What the machine lacks is said at once, in one sentence, not after minutes of building.
prerequisites:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer is needed: install it (python3, python3-venv, python3-dev), or name it: make PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -B -m harness.runtimes.packages

test: $(VENV)/complete  ## the product's own tests and every scenario, two files at a time: half of it is waiting
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile

fast: $(VENV)/complete  ## without Apache, Docker and browsers
	$(VENV)/bin/python -m pytest -n 2 -m "not e2e" tests

lint: $(VENV)/complete
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

benchmark: $(VENV)/complete
	$(VENV)/bin/python -m benchmarks.trial_rate
	$(VENV)/bin/python -m benchmarks.probe_overhead

$(VENV)/complete: pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer is needed: install it (python3, python3-venv, python3-dev), or name it: make PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -B -m harness.runtimes.packages venv
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test,lint]'
	@touch $@

faults: $(VENV)/complete  ## what breaks and who attacks, the whole of it: takes an hour; some faults need root
	@failed=0; for campaign in tests/faults/campaign_*.py; do $(VENV)/bin/python $$campaign || failed=1; done; exit $$failed

machines:  ## the README's first command in clean containers of Debian 12 and 13: about an hour the first time
	.ci/docker
	.ci/machines

clean:
	rm -rf $(VENV) .harness results/[0-9]*
