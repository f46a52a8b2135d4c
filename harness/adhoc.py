"""Stable import for other projects' tests: `script_case` makes a case for a script alone."""

from harness.cases.script import script_case

__all__ = ["script_case"]
