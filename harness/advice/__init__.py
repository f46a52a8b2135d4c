"""What to do about findings: `advise` says it for the Django that ran, `script_edit` puts it into the script."""

from harness.advice.advise import Advice, advise, advise_all

__all__ = ["Advice", "advise", "advise_all"]
