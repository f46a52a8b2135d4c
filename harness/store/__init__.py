"""Runs on disk: their directories, their histories, and how they are graded again."""
