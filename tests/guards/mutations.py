#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shows that each guard against a lying device is needed: switches it off, and demands that the
unit tests find out, with the split ring and with the packed one.

A mutation is a text in one source and what stands there instead; `items` are those of
docs/virtio-threats.md. The source is changed in a copy, compiled with the flags of the real one and
linked in its place. A mutation whose text is no longer there fails (so that the list is kept in
step with the code), and so does one that survives.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from typing import NamedTuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "guards"))
from guard_list import MUTATIONS  # noqa: E402 (the path has to be set first)

# A mutant may wait for ever: that, too, is found out.
TEST_SECONDS = 15
LAYOUTS = ("split", "packed")


class Kill(NamedTuple):
    """How a mutant was found out: the first test that says so, or what ended the program."""
    layout: str
    by: str


def mutate(text, mutation):
    """The source with its mutation. White space is what clang-format made of it: it counts as
    one."""
    words = r"\s+".join(re.escape(word) for word in mutation.text.split())
    found = list(re.finditer(words, text))
    if len(found) != 1:
        raise SystemExit(f"{mutation.name}: its text is {len(found)} times in {mutation.source}; "
                         "bring the list in step with the code")
    return text[:found[0].start()] + mutation.replacement + text[found[0].end():]


def compile_command(build, source, copy, output):
    """The real source's command, for a copy, without warnings."""
    real = os.path.join(ROOT, source)
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        for entry in json.load(file):
            command = shlex.split(entry.get("command", ""))
            if entry["file"] == real and "HOLDFAST_HOST=1" in entry["command"]:
                command[command.index("-o") + 1] = output
                command[command.index(real)] = copy
                return command + ["-w"], entry["directory"]
    raise SystemExit(f"{build} does not compile {real}")


def link_command(build, test, source, extra, output):
    """The test's command, with the mutant for the source's own object, or before the archive that
    has it."""
    lines = subprocess.run(["ninja", "-C", build, "-t", "commands", test], check=True,
                           capture_output=True, text=True).stdout.strip().split("\n")
    command = [word for word in shlex.split(lines[-1]) if word not in (":", "&&")]
    at = command.index("-o")
    command[at + 1] = output
    own = [i for i, word in enumerate(command) if word.endswith(f"/{source}.o")]
    if own:
        command[own[0]] = extra
    else:
        command.insert(at, extra)
    return command


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
    copy = os.path.join(folder, os.path.basename(mutation.source))
    with open(os.path.join(ROOT, mutation.source), encoding="utf-8") as file:
        text = mutate(file.read(), mutation)
    with open(copy, "w", encoding="utf-8") as file:
        file.write(text)
    command, directory = compile_command(build, mutation.source, copy, copy + ".o")
    subprocess.run(command, cwd=directory, check=True)
    found = []
    programs = []
    for test in mutation.tests.split():
        programs.append(os.path.join(folder, test))
        subprocess.run(link_command(build, test, mutation.source, copy + ".o", programs[-1]),
                       cwd=build, check=True)
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
