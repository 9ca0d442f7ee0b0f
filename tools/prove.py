#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prove units of tests/proofs with Frama-C; `./test proofs` runs this for all.

docs/verification.md says what is proved, how to read a contract and what to do with an open goal.
"""

import argparse
import sys

from harness import proof_report, proofs


def choose(names):
    """The units of these names, all if there are none; ProofError."""
    units = proofs.load_units()
    unknown = set(names) - {unit.name for unit in units}
    if unknown:
        raise proofs.ProofError(f"no such unit: {', '.join(sorted(unknown))} (--list)")
    return [unit for unit in units if not names or unit.name in names]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("units", nargs="*", help="names of units; default: all")
    parser.add_argument("--list", action="store_true", help="list the units and end")
    parser.add_argument("--nightly", action="store_true", help="ask of each branch whether it "
                        "can be reached at all")
    parser.add_argument("--write", action="store_true",
                        help="write the table of docs/verification.md; units that are not "
                        "named keep their lines")
    return parser.parse_args()


def main():
    options = parse_arguments()
    units = choose(options.units)
    if options.list:
        for unit in units:
            print(f"{unit.name:20} {unit.kind:4} {' '.join(unit.sources)}")
        return 0
    off = proofs.suspended()
    smoke = proofs.SMOKE_NIGHTLY if options.nightly else proofs.SMOKE
    results, failed = [], []
    for unit in units:
        if unit.name in off:
            print(f"{unit.name}: suspended {off[unit.name]}")
            continue
        try:
            result = proofs.run_unit(unit, smoke)
        except proofs.ProofError as error:
            print(f"{unit.name}: FAILED {error}", flush=True)
            failed.append(unit.name)
            continue
        print(proof_report.describe(unit, result), flush=True)
        results.append((unit, result))
    print(f"{len(results)} units proved, {len(failed)} not: {' '.join(failed) or 'none'}")
    if options.write and not failed and not off:
        proof_report.write_page(results)
    return 1 if failed or not results else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except proofs.ProofError as stopped:
        sys.exit(str(stopped))
