"""Pure functions from a history to findings. No input or output here."""
