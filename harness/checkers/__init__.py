"""Judgements: pure functions from a trial's record to findings. Nothing here reads or writes anything."""
