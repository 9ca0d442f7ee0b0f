# SPDX-License-Identifier: MIT
"""The check of the lists of guards finds what is out of step: each row breaks one thing of the real
tree, in memory, and names words of the message."""

import os
import sys

import pytest

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
sys.path[:0] = [os.path.join(ROOT, "tools"), os.path.join(ROOT, "tests", "guards")]
import check_common  # noqa: E402 (the path has to be set first)
import check_guards  # noqa: E402
from guards import MUTATIONS  # noqa: E402

PAGE = check_common.read(ROOT, check_guards.PAGE)


def found(page=PAGE, mutations=MUTATIONS):
    return "\n".join(check_guards.problems(ROOT, page, mutations))


def without(items, layout=None):
    """The guards but those for these items, or what they do with one ring."""
    def keeps(mutation):
        return not check_guards.numbers(mutation.items) & check_guards.numbers(items)
    return [mutation if keeps(mutation) else
            mutation._replace(layouts=tuple(set(mutation.layouts) - {layout}))
            for mutation in MUTATIONS if layout or keeps(mutation)]


def test_the_tree_is_in_step():
    assert found() == ""


@pytest.mark.parametrize("page,mutations,words", [
    (PAGE.replace("\n| 9 |", "\n| 8 |"), MUTATIONS, "no row for item 9"),
    (PAGE.replace("test_disk_choice", "test_disk_choices"), MUTATIONS, "names test_disk_choices"),
    (PAGE.replace("| B, test_sharedmem |", "| S |"), MUTATIONS, "item 30 names S, where"),
    (PAGE.replace("| unit tests of the volume |", "|  |"), MUTATIONS, "item 34 names no test"),
    (PAGE, without("9"), "no guard for item 9"),
    (PAGE, without("19", "packed"), "no guard for item 19, packed ring"),
    (PAGE, [mutation for mutation in MUTATIONS if not mutation.name.startswith("mmio-")],
     "guards for item 1 are in PCI only"),
    (PAGE, [MUTATIONS[0]._replace(text="if (gone) {"), *MUTATIONS[1:]],
     "the text of guard used-index is there 0 times"),
    (PAGE, [*MUTATIONS, MUTATIONS[0]], "two guards are called used-index"),
], ids=lambda value: value.replace(" ", "-") if isinstance(value, str) and len(value) < 60 else "")
def test_what_is_out_of_step_is_found(page, mutations, words):
    assert words in found(page, mutations)
