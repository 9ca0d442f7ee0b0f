#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The lists of guards, the code and docs/virtio-threats.md are in step.

The text of each guard is in its source once. Each item of the page names tests that exist, and a
test of each place that it names carries the item's number. Each item has a guard that can be
switched off, with both rings where it is about a ring, and behind both transports where it is about
one. That a test misses each guard when it is off is what tests/guards/mutations.py shows.
"""

import os
import re
import sys

import check_common as common

PAGE = "docs/virtio-threats.md"
ITEMS = range(1, 45)
RING_ITEMS = range(16, 30)
TEST_FOLDERS = ("tests/unit", "tests/qemu", "tests/fuzz")
NUMBERS = r"\d+(?:-\d+)?(?:,\s*\d+(?:-\d+)?)*"
# Only a PCI function has capabilities and windows, and tells of a change by its generation.
PCI_ONLY = (8, 14)


def numbers(text):
    """The numbers of "1, 3-5"."""
    found = set()
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", text):
        found.update(range(int(first), int(last or first) + 1))
    return found


def page_rows(page):
    """(item, the words of its column of tests)."""
    for row in re.findall(r"^\| ([\d, ]+) \|.*\| ([^|]*) \|$", page, re.M):
        for item in numbers(row[0]):
            yield item, row[1]


def page_letters(page):
    """The names of tests behind each letter, as the page explains it."""
    explained = re.search(r"in `tests/unit/virtio` \((.*?)\) and `tests/unit/block` \((.*?)\)",
                          page, re.S)
    return {letter: re.findall(r"test_\w+", names)
            for part in (explained.groups() if explained else ())
            for letter, names in re.findall(r"(\w): ([^;]*)", part)}


def tests_of(root):
    """Path of each program of tests, by its name without a suffix."""
    found = {}
    for folder in TEST_FOLDERS:
        for path, _, files in os.walk(os.path.join(root, folder)):
            for name in files:
                if name.endswith((".c", ".py")):
                    found[os.path.splitext(name)[0]] = os.path.join(path, name)
    return found


def items_of_test(path):
    """The items that its comments name: a list of numbers that ends the comment or its clause."""
    with open(path, encoding="utf-8") as file:
        comments = re.findall(r"/\*\s*(" + NUMBERS + r")(?:\s*\*/|[:,])", file.read())
    return set().union(*(numbers(comment) for comment in comments))


def check_page(root, page):
    """Each item has a row, and the row names what exists."""
    tests, letters, seen = tests_of(root), page_letters(page), set()
    for item, words in page_rows(page):
        seen.add(item)
        named = re.findall(r"test_\w+|virtio_\w+", words)
        for name in named:
            if name not in tests:
                yield f"{PAGE}:1: item {item} names {name}, which does not exist"
        for letter in re.findall(r"\b[A-Z]\b", words):
            programs = [tests[name] for name in letters.get(letter, ()) if name in tests]
            if not any(item in items_of_test(path) for path in programs):
                yield f"{PAGE}:1: item {item} names {letter}, where no test carries its number"
        if not named and not words.strip():
            yield f"{PAGE}:1: item {item} names no test"
    for item in set(ITEMS) - seen:
        yield f"{PAGE}:1: no row for item {item}"


def check_texts(root, mutations):
    """Each name is one row's, and each text is in its source once."""
    names = [mutation.name for mutation in mutations]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"tests/guards/guard_list.py:1: two guards are called {name}"
    for mutation in mutations:
        words = r"\s+".join(re.escape(word) for word in mutation.text.split())
        count = len(re.findall(words, common.read(root, mutation.source)))
        if count != 1:
            yield f"{mutation.source}:1: the text of guard {mutation.name} is there {count} times"


def transports(mutations):
    """Which transports' own sources these guards are in."""
    return {"PCI" if "pci" in mutation.source else "virtio-mmio" for mutation in mutations
            if re.match(r"virtio/(virtio_)?(mmio|pci)", mutation.source)}


def check_items(mutations):
    """Each item has a guard, in each ring and transport that it is about."""
    of_item = {item: [mutation for mutation in mutations if item in numbers(mutation.items)]
               for item in ITEMS}
    for item, guards in of_item.items():
        layouts = {layout for mutation in guards for layout in mutation.layouts}
        missing = {"split", "packed"} - layouts if item in RING_ITEMS else set()
        if not guards:
            yield f"tests/guards/guard_list.py:1: no guard for item {item}"
        for layout in sorted(missing):
            yield f"tests/guards/guard_list.py:1: no guard for item {item}, {layout} ring"
        if len(transports(guards)) == 1 and item not in PCI_ONLY:
            yield (f"tests/guards/guard_list.py:1: guards for item {item} are in "
                   f"{transports(guards).pop()} only")


def problems(root, page, mutations):
    yield from check_page(root, page)
    yield from check_texts(root, mutations)
    yield from check_items(mutations)


def main():
    arguments = common.parse_root(__doc__)
    sys.path.insert(0, os.path.join(arguments.root, "tests", "guards"))
    import guards  # pylint: disable=import-outside-toplevel (from the tree that is looked at)
    found = list(problems(arguments.root, common.read(arguments.root, PAGE), guards.MUTATIONS))
    common.finish("guards", found, len(guards.MUTATIONS))


if __name__ == "__main__":
    main()
