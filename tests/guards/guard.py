# SPDX-License-Identifier: MIT
"""What a row of the lists of guards is, and the words that they share. A row has the text that the
guard is, what stands there without it, and the tests that have to notice: mutations.py runs
them."""

from typing import NamedTuple

BOTH = ("split", "packed")
SPLIT = ("split",)
PACKED = ("packed",)
ONCE = SPLIT  # No ring is involved.


class Mutation(NamedTuple):
    name: str
    items: str  # Of docs/virtio-threats.md; or who it is that has to be kept out.
    quick: bool
    guard: str  # What is switched off.
    layouts: tuple  # Where it has to show.
    source: str
    text: str
    replacement: str
    tests: str


QUEUE = "test_virtq test_virtq_lies"
BLK = "test_virtio_blk test_virtio_blk_lies test_virtio_blk_queue"
SERIAL = "test_virtio_serial test_virtio_serial_lies test_virtio_serial_restart"
