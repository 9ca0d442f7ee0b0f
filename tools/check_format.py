#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""clang-format has nothing to change in C, and shellcheck nothing to say about shell scripts."""

import os
import subprocess

import check_common as common


def is_shell(root, name):
    if name.endswith(".sh"):
        return True
    with open(os.path.join(root, name), "rb") as file:
        first = file.readline(80)
    return first.startswith(b"#!") and b"sh" in first and b"python" not in first


def main():
    arguments = common.parse_root(__doc__)
    names = common.tree_files(arguments.root)
    c_files = [n for n in names if n.endswith((".c", ".h"))]
    scripts = [n for n in names if is_shell(arguments.root, n)]
    problems = []
    for tool, files in ((["clang-format", "--dry-run", "-Werror"], c_files),
                        (["shellcheck", "-x"], scripts)):
        if not files:
            continue
        done = subprocess.run(tool + files, cwd=arguments.root, capture_output=True, text=True)
        if done.returncode != 0:
            problems.append((done.stdout + done.stderr).rstrip())
    common.finish("format", problems, len(c_files) + len(scripts))


if __name__ == "__main__":
    main()
