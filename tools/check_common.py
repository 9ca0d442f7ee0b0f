# SPDX-License-Identifier: MIT
"""What the source checks share: which files there are, and C text without comments."""

import argparse
import os
import re
import subprocess
import sys

MODULES = ("base", "crypto", "arch", "boot", "mm", "sharedmem", "virtio", "block", "vtpm", "kernel")


def parse_root(description):
    """The one option that each check has: the tree to look at."""
    parser = argparse.ArgumentParser(description=description)
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--root", default=os.path.dirname(here))
    parser.add_argument("--build", default=None, help="a configured build directory")
    return parser.parse_args()


def tree_files(root):
    """Paths below root that git tracks or would track; everything if root is no checkout."""
    if os.path.exists(os.path.join(root, ".git")):
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=root, check=True, capture_output=True).stdout.decode().split("\0")
        names = {name for name in listed if name}
    else:
        names = set()
        for folder, folders, files in os.walk(root):
            folders[:] = [f for f in folders if f not in (".git", "build", "state", "__pycache__")]
            names.update(os.path.relpath(os.path.join(folder, f), root) for f in files)
    return sorted(n for n in names if os.path.isfile(os.path.join(root, n)))


def read(root, name):
    with open(os.path.join(root, name), encoding="utf-8") as file:
        return file.read()


_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def _blank(match):
    text = match.group(0)
    if text[0] in "\"'":
        return text[0] + " " * (len(text) - 2) + text[0]
    return re.sub(r"[^\n]", " ", text)


def strip_c(text):
    """C text with comments and the insides of literals blanked: line numbers stay."""
    return _TOKEN.sub(_blank, text)


def sources_of_build(build):
    """(module, PURE or HARDWARE, path) for each source that holdfast_module() lists."""
    with open(os.path.join(build, "holdfast_sources.txt"), encoding="utf-8") as file:
        return [tuple(line.split()) for line in file if line.strip()]


def finish(name, problems, looked_at):
    """Print and exit: one line a problem, then one line that sums up."""
    for problem in problems:
        print(problem)
    print(f"{name}: {looked_at} looked at, {len(problems)} problems")
    sys.exit(1 if problems or looked_at == 0 else 0)
