#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Limits and habits that compilers do not check; CONTRIBUTING.md explains each.

Functions of at most 70 lines, files of at most 500, lines of at most 100 columns; an SPDX line
first; braces always; no banned call; no dead file; a unit test for each PURE source.
"""

import ast
import os
import re

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
    r"|setjmp|longjmp|tmpnam|mktemp|system|bcopy|bzero|rand|srand)\s*\(")
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
        if BANNED.search(line):
            yield f"{name}:{number}: {BANNED.search(line).group(1)}() is banned"


def check_python(root, name):
    for node in ast.walk(ast.parse(common.read(root, name))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f"{name}:{node.lineno}: a function of {length} lines"


def check_dead_files(root, names):
    """Each source is named in a CMakeLists.txt, or included by a file that is."""
    cmake = {}
    for name in names:
        if name.endswith(("CMakeLists.txt", ".cmake")):
            cmake[os.path.dirname(name)] = common.read(root, name)
    everything = "\n".join(cmake.values())
    for name in names:
        if not name.endswith((".c", ".S")):
            continue
        folder, base = os.path.split(name)
        listed = False
        while not listed:
            text = cmake.get(folder, "")
            inside = os.path.relpath(name, folder or ".")
            listed = re.search(r"(^|[\s\"/(])" + re.escape(inside) + r"($|[\s\")])", text) or \
                re.search(r"(^|[\s(])" + re.escape(base[:-2]) + r"($|[\s)])", text)
            if folder == "" or listed:
                break
            folder = os.path.dirname(folder)
        if not listed and name not in everything:
            yield f"{name}:1: no CMakeLists.txt builds it"


def check_unit_tests(root, names, build):
    """Each PURE source's header, or the source itself, is named by a unit test of its module."""
    tests = {}
    for name in names:
        if name.startswith("tests/unit/") and name.endswith((".c", ".h", ".txt")):
            tests.setdefault(name.split("/")[2], []).append(common.read(root, name))
    for module, kind, path in common.sources_of_build(build):
        if kind != "PURE":
            continue
        text = "\n".join(tests.get(module, []))
        stem = path[:-2]
        declared = [stem + ".h", stem + "_internal.h", path]
        if not any(f'"{header}"' in text or header in text for header in declared):
            # A source without a header of its own implements one of its module: look for a name.
            functions = set(re.findall(r"^\w[\w \*]*?\b(\w+)\(", common.strip_c(
                common.read(root, path)), re.M))
            if not any(re.search(rf"\b{function}\b", text) for function in functions):
                yield f"{path}:1: a PURE source without a unit test in tests/unit/{module}"


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
    problems.extend(check_dead_files(arguments.root, names))
    if arguments.build:
        problems.extend(check_unit_tests(arguments.root, names, arguments.build))
    common.finish("tidy", problems, count)


if __name__ == "__main__":
    main()
