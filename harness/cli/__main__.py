"""`python -m harness.cli`: the `harness` command where it is not on the PATH."""

from harness.cli import main

main()
