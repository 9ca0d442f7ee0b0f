#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Frama-C's preprocessor for EVA: hides the contracts of the sources, so that it takes nothing of
what WP proves for granted. Those of entry programs and of the C library stay.

    preprocess.py OUTPUT COMMAND...       COMMAND writes the preprocessed text to its output
"""

import os
import re
import subprocess
import sys

KEPT = os.path.dirname(os.path.abspath(__file__))
MARKER = re.compile(r'^# \d+ "([^"]*)".*\n', re.M)
CONTRACT = re.compile(r"/\*@.*?\*/|//@[^\n]*", re.S)


def is_hidden(path):
    """Whether a file's contracts are: those of Frama-C's library and of this folder are not."""
    return not path.startswith(("<", KEPT)) and "/frama-c/" not in path


def blank(found):
    return "\n" * found.group(0).count("\n")


def hide(text):
    """The text without contracts, line for line. A marker names the file that follows."""
    marks = list(MARKER.finditer(text))
    parts = [text[:marks[0].start()] if marks else text]
    for mark, following in zip(marks, marks[1:] + [None]):
        body = text[mark.end():following.start() if following else len(text)]
        parts += [mark.group(0), CONTRACT.sub(blank, body) if is_hidden(mark.group(1)) else body]
    return "".join(parts)


def main():
    output, command = sys.argv[1], sys.argv[2:]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    with open(output, "w", encoding="utf-8") as file:
        file.write(hide(text))


if __name__ == "__main__":
    main()
