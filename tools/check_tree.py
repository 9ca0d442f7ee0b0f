#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The tree names no machine: no absolute path of somebody's disk, no package registry's host. Nor
does it hold build products, large files, keys or disk images."""

import os
import re

import check_common as common

# Written in pieces so that this file does not find itself.
MACHINE_PATH = re.compile(r"(?:^|[^A-Za-z0-9._-])/(?:work|farm|root|home/\w+)" + r"/")
REGISTRY = re.compile(r"(?:deb|security|snapshot)\.debian" + r"\.org|registry\.npm" + r"js|"
                      r"pypi" + r"\.org|crates" + r"\.io/api", re.I)
BYTES_MAX = 1 << 20
PRODUCTS = (".o", ".a", ".elf", ".img", ".key", ".bundle", ".pyc", ".gcda", ".gcno", ".orig")


def check_file(root, name):
    path = os.path.join(root, name)
    if name.endswith(PRODUCTS):
        yield f"{name}:1: a product, not a source"
    if os.path.getsize(path) > BYTES_MAX:
        yield f"{name}:1: larger than {BYTES_MAX} bytes"
        return
    with open(path, "rb") as file:
        text = file.read().decode("utf-8", "replace")
    for number, line in enumerate(text.split("\n"), 1):
        if MACHINE_PATH.search(line):
            yield f"{name}:{number}: an absolute path of one machine"
        if REGISTRY.search(line):
            yield f"{name}:{number}: a package registry's host"


def main():
    arguments = common.parse_root(__doc__)
    names = common.tree_files(arguments.root)
    problems = [p for name in names for p in check_file(arguments.root, name)]
    for script in ("run", "test", ".ci/run"):
        path = os.path.join(arguments.root, script)
        if script in names and not os.access(path, os.X_OK):
            problems.append(f"{script}:1: not executable")
    common.finish("tree", problems, len(names))


if __name__ == "__main__":
    main()
