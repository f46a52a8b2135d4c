"""The door for other people's tests: `script_case` makes a case of a script alone."""

from harness.cases.script import script_case

__all__ = ["script_case"]
