"""The regression gate: a run against a stored baseline, against thresholds, or new against old in one run."""
