"""Searches for races in forked processes (the snapshot lane), and replays the trials that failed."""
