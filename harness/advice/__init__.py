"""What to do about what was found: `advise` says it for the Django at hand, `script_edit` puts it into a script."""

from harness.advice.advise import Advice, advise, advise_all

__all__ = ["Advice", "advise", "advise_all"]
