"""Signals at random moments: is everything ended, are the results readable, and does no exit code lie?

    python tests/faults/campaign_signals.py [--count 120] [--seed 1] [--keep FILE] [--only N]

One line for each fault, a table, and a last line "N of M as they should be"; exit code 1 if not all are.
"""

import argparse
import collections
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from signals import COMMANDS, SIGNALS, TARGETS, faults, inflict

from harness.hosting.preparing import prepare
from harness.runtimes.spec import declared_runtimes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="write the table as JSON")
    parser.add_argument("--only", type=int, help="only the fault of this number")
    arguments = parser.parse_args()
    python = prepare("django52", declared_runtimes()["django52"]).python
    sent: collections.Counter[tuple[str, str, str]] = collections.Counter()
    good: collections.Counter[tuple[str, str, str]] = collections.Counter()
    complaints, begin = {}, time.monotonic()
    for fault in faults(arguments.count, arguments.seed):
        if arguments.only not in (None, fault.number):
            continue
        aftermath = inflict(fault, python)
        cell = (fault.command, fault.signal, fault.target)
        sent[cell] += 1
        good[cell] += not aftermath.complaints
        verdict = "; ".join(aftermath.complaints) or "tidy, readable, honest"
        print(f"{fault}: exit code {aftermath.code}, {verdict}", flush=True)
        if aftermath.complaints:
            complaints[str(fault)] = aftermath.complaints
    print(f"\n{'command':9}{'signal':7}" + "".join(f"{target:>14}" for target in TARGETS))
    for command in COMMANDS:
        for name in SIGNALS:
            row = [(good[command, name, target], sent[command, name, target]) for target in TARGETS]
            print(
                f"{command:9}{name:7}" + "".join(f"{f'{right} of {all_}' if all_ else '-':>14}" for right, all_ in row)
            )
    print(f"{good.total()} of {sent.total()} as they should be")
    if arguments.keep:
        table = {"/".join(cell): [good[cell], sent[cell]] for cell in sorted(sent)}
        kept = {
            "count": sent.total(),
            "good": good.total(),
            "seed": arguments.seed,
            "seconds": round(time.monotonic() - begin),
            "cells": table,
            "complaints": complaints,
        }
        arguments.keep.write_text(json.dumps(kept, indent=1) + "\n")
    return 0 if good.total() == sent.total() else 1


if __name__ == "__main__":
    sys.exit(main())
