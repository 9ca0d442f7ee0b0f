#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Limits and habits that compilers do not check; CONTRIBUTING.md explains each.

Functions of at most 70 lines, files of at most 500, lines of at most 100 columns; an SPDX line
first; braces always; no banned call; no dead file.
"""

import ast
import json
import os
import re
import tomllib

import check_common as common

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
COLUMNS_MAX = 100
TAB = 8

# Tables that are written as switches, so that the compiler checks that they are complete.
LONG_TABLES = {"base/status.c"}

# Each has a bounded or reporting replacement. The formatting family is banned in kernel modules
# only by way of the freestanding-header rule.
BANNED = re.compile(
    r"\b(strcpy|strcat|strncat|strncpy|sprintf|vsprintf|gets|scanf|sscanf|alloca|strtok|atoi|atol"
    r"|tmpnam|mktemp|system|bcopy|bzero|rand|srand)\s*\(")
# Tests of a failing CHECK have to come back from it.
BANNED_OUTSIDE_TESTS = re.compile(r"\b(setjmp|longjmp)\s*\(")
KEYWORD = re.compile(r"\b(if|for|while|else|do)\b")
CODE = (".c", ".h", ".S", ".py", ".sh", ".ld", ".lds")
MARKER = re.compile(r"\b(" + "TO" + "DO|FIX" + "ME|XX" + r"X)\b")


def is_script(root, name):
    with open(os.path.join(root, name), "rb") as file:
        return file.read(2) == b"#!"


def check_lines(root, name):
    lines = common.read(root, name).split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    if len(lines) > FILE_LINES_MAX:
        yield f"{name}:{len(lines)}: more than {FILE_LINES_MAX} lines"
    if not any("SPDX-License-Identifier: MIT" in line for line in lines[:2]):
        yield f"{name}:1: no SPDX line"
    for number, line in enumerate(lines, 1):
        if len(line.expandtabs(TAB)) > COLUMNS_MAX:
            yield f"{name}:{number}: more than {COLUMNS_MAX} columns"
        if line != line.rstrip():
            yield f"{name}:{number}: white space at the end"
        if MARKER.search(line):
            yield f"{name}:{number}: {MARKER.search(line).group(1)}: finish it or file an issue"


def check_c_functions(name, stripped):
    opened = None
    for number, line in enumerate(stripped.split("\n"), 1):
        if line.startswith("{"):
            opened = number
        elif line.startswith("}") and opened is not None:
            if number - opened + 1 > FUNCTION_LINES_MAX and name not in LONG_TABLES:
                yield f"{name}:{opened}: a function of {number - opened + 1} lines"
            opened = None


def after_parentheses(text, at):
    """Index behind the ')' that matches the '(' at or after `at`; None if there is none."""
    depth = 0
    for index in range(at, len(text)):
        if text[index] == "(":
            depth += 1
        elif text[index] == ")":
            depth -= 1
            if depth == 0:
                return index + 1
        elif depth == 0 and not text[index].isspace():
            return None
    return None


def check_braces(name, stripped):
    """`if (x) y;` without braces. `while (x);` is allowed only behind the brace of a do."""
    code = re.sub(r"(?m)^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m[0]),
                  stripped)
    for match in KEYWORD.finditer(code):
        word, end = match.group(1), match.end()
        if word in ("if", "for", "while"):
            end = after_parentheses(code, end)
            if end is None:
                continue
        rest = code[end:].lstrip()
        closes_do = word == "while" and code[:match.start()].rstrip().endswith("}") and \
            rest.startswith(";")
        chained = word == "else" and re.match(r"if\b", rest)
        if not rest.startswith("{") and not closes_do and not chained:
            line = code.count("\n", 0, match.start()) + 1
            yield f"{name}:{line}: {word} without braces"


def check_c(root, name):
    stripped = common.strip_c(common.read(root, name))
    yield from check_c_functions(name, stripped)
    yield from check_braces(name, stripped)
    for number, line in enumerate(stripped.split("\n"), 1):
        found = BANNED.search(line)
        if not found and not name.startswith("tests/"):
            found = BANNED_OUTSIDE_TESTS.search(line)
        if found:
            yield f"{name}:{number}: {found.group(1)}() is banned"


def check_python(root, name):
    for node in ast.walk(ast.parse(common.read(root, name))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f"{name}:{node.lineno}: a function of {length} lines"


def compiled_by(build, root):
    """Sources that this build compiles, as paths below root."""
    path = os.path.join(build, "compile_commands.json")
    if not os.path.exists(path):
        return set()
    with open(path, encoding="utf-8") as file:
        return {os.path.relpath(command["file"], os.path.realpath(root))
                for command in json.load(file)}


def proved(root):
    path = os.path.join(root, "tests", "proofs", "decoders.toml")
    if not os.path.exists(path):
        return set()
    with open(path, "rb") as file:
        return {name for row in tomllib.load(file).get("eva", []) for name in row["sources"]}


def check_dead_files(root, names, build):
    """Each source is compiled by the build, or a CMakeLists.txt of its folder or above names it
    (for what custom commands compile, or tests try to), or the list of what is proved does."""
    compiled = (compiled_by(build, root) if build else set()) | proved(root)
    cmake = {os.path.dirname(name): common.read(root, name) for name in names
             if name.endswith("CMakeLists.txt")}
    for name in names:
        if not name.endswith((".c", ".S")) or name in compiled:
            continue
        folders = [name]
        while folders[-1]:
            folders.append(os.path.dirname(folders[-1]))
        word = re.compile(r"(?<![\w.])" + re.escape(os.path.basename(name)) + r"(?!\w)")
        if not any(word.search(cmake.get(folder, "")) for folder in folders[1:]):
            yield f"{name}:1: no CMakeLists.txt builds it"


def main():
    arguments = common.parse_root(__doc__)
    names = common.tree_files(arguments.root)
    problems, count = [], 0
    for name in names:
        if not name.endswith(CODE) and not is_script(arguments.root, name):
            continue
        count += 1
        problems.extend(check_lines(arguments.root, name))
        if name.endswith((".c", ".h")):
            problems.extend(check_c(arguments.root, name))
        elif name.endswith(".py"):
            problems.extend(check_python(arguments.root, name))
    problems.extend(check_dead_files(arguments.root, names, arguments.build))
    common.finish("tidy", problems, count)


if __name__ == "__main__":
    main()
