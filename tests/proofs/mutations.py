#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shows that the proofs would notice: seeds a fault into a proved function, in a copy, and demands
that a goal of it stays open, or that EVA raises an alarm.

A fault is a text in one source and what stands there instead (fault_list.py). Only the goals of the
function that has it are tried, so a fault that they do not notice is a contract that says too
little. A fault whose text is no longer there fails, and so does one that survives.
"""

import argparse
import os
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "proofs"), os.path.join(ROOT, "tools")]
from fault_list import FAULTS  # noqa: E402 (the path has to be set first)
from harness import mutant, proofs  # noqa: E402

# All provers, so that a goal that one of them never proves is not taken for open. One that is costs
# this for each; the goals that stay proved are in the cache or easy.
ATTEMPT = (proofs.PROVERS, 4)


def seed(unit, fault, folder):
    """{source: copy with the fault}: of the unit's source that has the text, white space apart."""
    wanted = " ".join(fault.text.split())
    for source in unit.sources:
        with open(os.path.join(ROOT, source), encoding="utf-8") as file:
            text = file.read()
        if wanted in " ".join(text.split()) or source == unit.sources[-1]:
            break
    copy = os.path.join(folder, os.path.basename(source))
    with open(copy, "w", encoding="utf-8") as file:
        file.write(mutant.mutate(text, fault, source))
    return {source: copy}


def noticed(unit, fault, folder):
    """The goals of the function that are open with the fault in it; EVA: the alarms."""
    copies = seed(unit, fault, folder)
    cache = proofs.cache_folder()
    if unit.kind == "eva":
        return proofs.alarms_of(proofs.frama_c(unit.eva_command(copies), cache))
    command = unit.wp_command(ATTEMPT, source=copies[unit.sources[0]], smoke=(),
                              only=[fault.function])
    return proofs.open_goals(proofs.frama_c([*command, "-wp-cache-env"], cache))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="only some, one for each unit")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    units = {unit.name: unit for unit in proofs.load_units()}
    chosen = [fault for fault in FAULTS
              if (fault.name in options.names if options.names
                  else fault.quick or not options.quick)]
    os.makedirs(proofs.cache_folder(), exist_ok=True)
    survivors = []
    for fault in chosen:
        with tempfile.TemporaryDirectory() as folder:
            goals = noticed(units[fault.unit], fault, folder)
        says = f"{goals[0]}{f' and {len(goals) - 1} more' if len(goals) > 1 else ''}" \
            if goals else "SURVIVES"
        print(f"{fault.unit:20} {fault.name:22} {says}  ({fault.fault})", flush=True)
        if not goals:
            survivors.append(fault.name)
    print(f"{len(chosen)} faults seeded, {len(survivors)} survive")
    if survivors:
        print("survivors: " + ", ".join(survivors))
    return 1 if survivors or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
