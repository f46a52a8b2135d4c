"""The regression gate: a run against a baseline or thresholds, new against old in one run, or two stored runs."""
