#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A long campaign against the virtio drivers that can be stopped and continued.

    nice -n 19 tests/fuzz/campaign.py --total 1000000000   until so many, with those before
    tests/fuzz/campaign.py --seconds 3600 virtio_blk       an hour of one target
    tests/fuzz/campaign.py --report                        what was done so far

Slices of the lean engine go round over the targets; a slice of libFuzzer under the sanitizers ends
each round. Each slice is a line of the ledger (build/fuzz-lean/ledger.jsonl), which is all that a
later run needs to continue. Ctrl-C ends the campaign, and what was done counts. A finding ends it
with 1.
"""

import argparse
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import engines
from engines import LEAN, LIBFUZZER, build

# Seconds of a slice: most for what has the most states.
LEAN_SECONDS = {"virtio_queue": 60, "virtio_blk": 40, "virtio_serial": 40, "virtio_rng": 40,
                "virtio_pci": 40, "virtio_mmio_cmdline": 2}
OTHER_SECONDS = 20
LIBFUZZER_SECONDS = 30


def commit():
    """What was built, with a + if it was more than that."""
    def git(*words):
        return subprocess.run(["git", *words], cwd=engines.ROOT, capture_output=True, text=True,
                              check=True).stdout.strip()
    return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain") else "")


class Ledger:
    """The slices so far, one JSON object a line."""

    def __init__(self, path):
        self.path = path
        self.rows = []
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.rows = [json.loads(line) for line in file]

    def add(self, result, revision):
        row = {"target": result.target, "engine": result.engine,
               "executions": result.executions, "lied": result.lied,
               "cpu_seconds": round(result.cpu_seconds, 2), "seed": result.seed,
               "commit": revision, "ended": int(time.time()), "ok": result.ok}
        self.rows.append(row)
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def total(self):
        return sum(row["executions"] for row in self.rows)

    def report(self):
        executions, lied, seconds = Counter(), Counter(), Counter()
        for row in self.rows:
            key = (row["target"], row["engine"])
            executions[key] += row["executions"]
            lied[key] += row["lied"] or 0
            seconds[key] += row["cpu_seconds"]
        for key, count in sorted(executions.items()):
            share = f"  {100 * lied[key] // count} % with a lie" if lied[key] else ""
            print(f"{key[0]:22} {key[1]:9} {count:15,d} executions "
                  f"{int(count / max(seconds[key], 0.01)):9,d} a CPU second{share}")
        failed = sum(not row["ok"] for row in self.rows)
        print(f"{self.total():,d} executions in {sum(seconds.values()) / 3600:.1f} CPU hours, "
              f"{len(self.rows)} slices, {failed} with a finding")


def rounds(targets):
    """(engine, target, seconds) without end."""
    for turn in itertools.count():
        for target in targets:
            yield LEAN, target, LEAN_SECONDS.get(target, OTHER_SECONDS)
        yield LIBFUZZER, targets[turn % len(targets)], LIBFUZZER_SECONDS


def run(ledger, options):
    """1 after a finding. The terminal interrupts the slice as well: it ends, and is counted."""
    interrupts = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: interrupts.append(number))
    targets = options.targets or list(LEAN_SECONDS)
    folders = {engine: engines.prepare(engine, targets)[0] for engine in (LEAN, LIBFUZZER)}
    revision = commit()
    end = time.monotonic() + options.seconds if options.seconds else float("inf")
    for engine, target, seconds in rounds(targets):
        left = end - time.monotonic()
        enough = options.total and ledger.total() >= options.total
        if interrupts or left <= 0 or enough:
            return 0
        result = engines.run_slice(engine, folders[engine], target, min(seconds, left))
        ledger.add(result, revision)
        print(f"{result.line()}  {ledger.total():15,d} in all", flush=True)
        if not result.ok:
            engines.report_failure(engine, folders[engine], result)
            return 1
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET",
                        help="those of virtio if none is named")
    parser.add_argument("--total", type=int, help="stop when the ledger has so many executions")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument("--report", action="store_true", help="what the ledger has, and no run")
    parser.add_argument("--ledger", metavar="FILE",
                        default=os.path.join(build.build_dir(engines.PRESETS[LEAN]),
                                             "ledger.jsonl"))
    options = parser.parse_args()
    ledger = Ledger(os.path.abspath(options.ledger))
    if options.report:
        return ledger.report()
    if not options.total and not options.seconds:
        parser.error("say when to stop: --total, --seconds")
    result = run(ledger, options)
    ledger.report()
    return result


if __name__ == "__main__":
    sys.exit(main())
