#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shows that each guard against a lying device, a client and a program of ring 3 is needed:
switches it off, and demands that the unit tests find out, with either ring where there is one.

A mutation is a text in one source and what stands there instead; `items` are those of
docs/virtio-threats.md. The source is changed in a copy, compiled with the flags of the real one and
linked in its place. A mutation whose text is no longer there fails (so that the list is kept in
step with the code), and so does one that survives.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from typing import NamedTuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "guards"), os.path.join(ROOT, "tools")]
from guards import MUTATIONS  # noqa: E402 (the path has to be set first)
from harness import mutant  # noqa: E402

# A mutant may wait for ever: that, too, is found out.
TEST_SECONDS = 15
LAYOUTS = ("split", "packed")


class Kill(NamedTuple):
    """How a mutant was found out: the first test that says so, or what ended the program."""
    layout: str
    by: str


def run(program, layout):
    """None if all tests of the program pass with this layout, or what failed."""
    environment = dict(os.environ, HOLDFAST_LAYOUT=layout)
    try:
        done = subprocess.run([program], env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, errors="replace", text=True, check=False,
                              timeout=TEST_SECONDS)
    except subprocess.TimeoutExpired:
        return f"{os.path.basename(program)}: no end"
    if done.returncode == 0:
        return None
    failed = re.findall(r"^\[  FAILED  \] (test_\w+)", done.stdout, re.M)
    return failed[0] if failed else f"{os.path.basename(program)}: exit {done.returncode}"


def kills(build, mutation, folder):
    """A Kill for each layout in which the mutation was found out."""
    changed = mutant.compile_mutant(build, mutation, mutation.source, folder)
    found = []
    programs = [mutant.link_mutant(build, test, mutation.source, changed,
                                   os.path.join(folder, test))
                for test in mutation.tests.split()]
    for layout in mutation.layouts:
        reasons = (run(program, layout) for program in programs)
        reason = next((reason for reason in reasons if reason), None)
        if reason:
            found.append(Kill(layout, reason))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True, help="a build with the unit tests in it")
    parser.add_argument("--quick", action="store_true", help="only some, one for each part")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    chosen = [mutation for mutation in MUTATIONS
              if (mutation.name in options.names if options.names
                  else mutation.quick or not options.quick)]
    tests = sorted({test for mutation in chosen for test in mutation.tests.split()})
    subprocess.run(["ninja", "-C", build, *tests], check=True, stdout=subprocess.DEVNULL)
    survivors = []
    for mutation in chosen:
        with tempfile.TemporaryDirectory() as folder:
            found = kills(build, mutation, folder)
        for layout in mutation.layouts:
            by = next((kill.by for kill in found if kill.layout == layout), None)
            print(f"{mutation.items:10} {mutation.name:22} {layout:7} "
                  f"{by or 'SURVIVES'}  ({mutation.guard})", flush=True)
            if by is None:
                survivors.append(f"{mutation.name} ({layout})")
    print(f"{len(chosen)} guards switched off, {len(survivors)} survive")
    if survivors:
        print("survivors: " + ", ".join(survivors))
    return 1 if survivors or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
