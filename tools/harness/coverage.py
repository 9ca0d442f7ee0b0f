# SPDX-License-Identifier: MIT
"""Which lines of our sources the unit tests run, and whether that is enough.

The build with the sanitizers counts lines too, so that the unit tests run once. What they ran is
kept in a file at their end: other families run programs of the same build later.
"""

import json
import os
import re
import subprocess

from . import build

PRESET = "host-asan"
COVERED = ("block", "virtio", "sharedmem", "mm")
MIN_PERCENT = {"virtio": 95}
MIN_DEFAULT_PERCENT = 85
PURE_MIN_PERCENT = 50


def lines_path():
    """{path: (lines that ran, lines)} of our sources, of the last run of all unit tests."""
    return os.path.join(build.build_dir(PRESET), "lines.json")


def forget():
    """So that what ran before in this build counts for nothing."""
    if os.path.exists(lines_path()):
        os.unlink(lines_path())
    if os.path.isdir(build.build_dir(PRESET)):
        subprocess.run(["find", build.build_dir(PRESET), "-name", "*.gcda", "-delete"],
                       check=True)


def keep():
    folder = build.build_dir(PRESET)
    done = subprocess.run(
        ["gcovr", "--root", build.ROOT, "--json-summary", "-", "--exclude", "(.*/)?tests/.*",
         "--exclude-unreachable-branches", folder], cwd=folder, capture_output=True, text=True,
        check=True)
    lines = {file["filename"]: (file["line_covered"], file["line_total"])
             for file in json.loads(done.stdout)["files"]}
    with open(lines_path(), "w", encoding="utf-8") as file:
        json.dump(lines, file)


def measured():
    """What keep() kept; nothing if no unit test ran since forget()."""
    if not os.path.exists(lines_path()):
        return {}
    with open(lines_path(), encoding="utf-8") as file:
        return json.load(file)


def report(lines):
    """A line for each source, worst first within a module."""
    for path, (ran, total) in sorted(lines.items(), key=lambda item: (
            item[0].split("/")[0], item[1][0] / max(1, item[1][1]))):
        print(f"  {100 * ran / max(1, total):5.1f} % of {total:4} lines  {path}")


def min_percent(module):
    return MIN_PERCENT.get(module, MIN_DEFAULT_PERCENT)


def check_module(lines, module):
    files = [counts for path, counts in lines.items() if path.startswith(module + "/")]
    ran, total = (sum(column) for column in zip(*files)) if files else (0, 0)
    percent = 100 * ran / max(1, total)
    print(f"{module}/: {percent:.1f} % of {total} lines")
    if percent < min_percent(module):
        raise build.BuildError(f"{module}: {percent:.1f} % of the lines ran")


def check_pure_sources(lines):
    """Each PURE source owes a unit test: the lines that ran tell whether it has one."""
    with open(os.path.join(build.build_dir(PRESET), "holdfast_sources.txt"),
              encoding="utf-8") as file:
        pure = [line.split()[2] for line in file if line.split()[1] == "PURE"]
    without = []
    for path in pure:
        ran, total = lines.get(path, (0, 0))
        # Tables have no lines; a source that no test links has no entry at all.
        if path not in lines and re.search(r"\)\n\{", open(
                os.path.join(build.ROOT, path), encoding="utf-8").read()):
            without.append(path)
        elif total and 100 * ran < PURE_MIN_PERCENT * total:
            without.append(path)
    if without:
        raise build.BuildError("no unit test runs " + ", ".join(without))
