"""Measurements of the harness itself: ratios of what was measured side by side in one run, never bare times."""
