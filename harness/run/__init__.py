"""Runs cases on a host: controls, trials, and the session that keeps their results."""
