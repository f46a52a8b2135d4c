"""Measurements of the harness itself. Ratios of things measured side by side in one run, never bare times."""
