# SPDX-License-Identifier: MIT
"""SIGKILL to nbdkit in mid-load: the volume verifies, everything that a flush acknowledged is
there, and what is there besides is what was written next, in order."""

import os
import random
import threading

import nbd
import pytest

from server import Server

BLOCK = 4096
BLOCKS = 512
SEED = int(os.environ.get("HOLDFAST_SEED", "1"))
ROUNDS = 40 if os.environ.get("HOLDFAST_NIGHTLY") == "1" else 6
WRITES_MAX = 20000


def stamp(number):
    """The content of write `number`: each block of it says which it is."""
    return number.to_bytes(8, "little") * (BLOCK // 8)


class Load:
    """Writes of 1 to 8 blocks, flushes now and then, until the server is gone."""

    def __init__(self, generator, first_number):
        self.generator = generator
        self.next_number = first_number
        self.end_number = first_number + WRITES_MAX
        self.pieces = []  # (block, number), in order; those of the last write too.
        self.flushed = 0  # Pieces before the last flush that was acknowledged.

    def run(self, uri):
        try:
            disk = nbd.NBD()
            disk.connect_uri(uri)
            while self.next_number < self.end_number:
                self.write(disk)
                if self.generator.random() < 0.08:
                    before = len(self.pieces)
                    disk.flush()
                    self.flushed = before
        except nbd.Error:
            return
        raise AssertionError("the server was never killed")

    def write(self, disk):
        count = self.generator.randint(1, 8)
        first = self.generator.randrange(BLOCKS - count)
        flags = nbd.CMD_FLAG_FUA if self.generator.random() < 0.02 else 0
        self.pieces += [(first + i, self.next_number) for i in range(count)]
        self.next_number += 1
        disk.pwrite(stamp(self.next_number - 1) * count, first * BLOCK, flags)
        if flags:
            self.flushed = len(self.pieces)


def found_numbers(plain):
    numbers = []
    for at in range(0, BLOCKS * BLOCK, BLOCK):
        number = int.from_bytes(plain[at:at + 8], "little")
        assert plain[at:at + BLOCK] == stamp(number), "a torn block"
        numbers.append(number)
    return numbers


def prefix_of(before, load, found):
    """How many pieces are there; None if that is no prefix that holds all that was flushed."""
    state = list(before)
    for length in range(len(load.pieces) + 1):
        if length >= load.flushed and state == found:
            return length
        if length < len(load.pieces):
            block, number = load.pieces[length]
            state[block] = number
    return None


def test_kill_in_mid_load(tmp_path, volume):
    generator = random.Random(SEED)
    before, number = [0] * BLOCKS, 1
    print(f"seed {SEED}")
    for kill in range(ROUNDS):
        load = Load(generator, number)
        size = BLOCKS * BLOCK
        with volume.serve(tmp_path, size if kill == 0 else None) as server:
            timer = threading.Timer(generator.uniform(0.05, 0.6), server.kill)
            timer.start()
            load.run(server.uri)
            timer.join()
        volume.verify()
        found = found_numbers(volume.plain(tmp_path, size))
        length = prefix_of(before, load, found)
        print(f"kill {kill}: {len(load.pieces)} blocks written, {load.flushed} flushed, "
              f"{length} there")
        assert length is not None, f"seed {SEED}, kill {kill}"
        before, number = found, load.next_number


@pytest.mark.parametrize("content", [b"old", b"new"])
def test_kill_while_idle(tmp_path, image, key, content):
    """Nothing is pending: nothing can be lost."""
    with Server(tmp_path, image, key, "object=disk", "size=1M") as server:
        disk = nbd.NBD()
        disk.connect_uri(server.uri)
        disk.pwrite(content, 7, nbd.CMD_FLAG_FUA)
        server.kill()
    with Server(tmp_path, image, key, "object=disk") as server:
        disk = nbd.NBD()
        disk.connect_uri(server.uri)
        assert disk.pread(3, 7) == content
        disk.shutdown()
