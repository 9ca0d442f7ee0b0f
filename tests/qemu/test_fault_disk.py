# SPDX-License-Identifier: MIT
"""What a bad disk or key gets: a named error everywhere, nothing written, never a fresh TPM.

Each row damages a copy of a disk that holds a TPM, boots it twice (on_failure=serve and =exit) and
compares the image with its copy byte for byte.
"""

import hashlib
import os
import struct

import pytest

import samples
from harness import vm

BLOCK = 4096
MIB = 1 << 20
# The layout of docs/volume-format.md, state profile.
SUPERBLOCKS = (0, 1, -2, -1)
KEYSLOTS = (2, 3, -4, -3)


def block_offsets(path, blocks):
    count = os.path.getsize(path) // BLOCK
    return [(block % count) * BLOCK for block in blocks]


def zero_all(path):
    size = os.path.getsize(path)
    with open(path, "wb") as file:
        file.truncate(size)


def random_bytes(path):
    """Pseudo-random, so that a failure repeats."""
    count = os.path.getsize(path) // MIB
    with open(path, "wb") as file:
        for number in range(count):
            file.write(hashlib.shake_128(number.to_bytes(4, "big")).digest(MIB))


def truncate_to(size):
    return lambda path: os.truncate(path, size)


def flip_in(blocks, at):
    """Flip a bit at an offset in each of the blocks."""
    def damage(path):
        for offset in block_offsets(path, blocks):
            samples.flip_bit(path, offset + at, 3)
    return damage


def newer_format(path):
    """The next version, with the header's checksum made to fit: not damage, but the future."""
    with open(path, "r+b") as file:
        for offset in block_offsets(path, SUPERBLOCKS):
            file.seek(offset)
            header = bytearray(file.read(112))
            struct.pack_into("<I", header, 8, struct.unpack_from("<I", header, 8)[0] + 1)
            header[80:96] = hashlib.sha256(header[8:80]).digest()[:16]
            file.seek(offset)
            file.write(header)


ROWS = {
    "zeroes": (zero_all, ["NOT_A_VOLUME"]),
    "random-bytes": (random_bytes, ["NOT_A_VOLUME"]),
    "truncated-by-half": (truncate_to(32 * MIB), ["TRUNCATED"]),
    "truncated-by-one-block": (truncate_to(64 * MIB - BLOCK), ["TRUNCATED"]),
    "truncated-to-one-block": (truncate_to(BLOCK), ["TRUNCATED", "NOT_A_VOLUME"]),
    "truncated-to-one-sector": (truncate_to(512), ["TRUNCATED", "NOT_A_VOLUME"]),
    "newer-format": (newer_format, ["NEWER_FORMAT"]),
    "magic-gone": (flip_in(SUPERBLOCKS, 0), ["AUTH_META", "NOT_A_VOLUME"]),
    "header-flipped": (flip_in(SUPERBLOCKS, 40), ["AUTH_META"]),
    "salt-flipped": (flip_in(SUPERBLOCKS, 60), ["AUTH_META"]),
    "tag-flipped": (flip_in(SUPERBLOCKS, 100), ["AUTH_META"]),
    "body-flipped": (flip_in(SUPERBLOCKS, 200), ["AUTH_META"]),
    "keyslots-flipped": (flip_in(KEYSLOTS, 200), ["AUTH_META", "WRONG_KEY"]),
    "keyslots-digest-flipped": (flip_in(KEYSLOTS, BLOCK - 1), ["AUTH_META", "WRONG_KEY"]),
}


def check_refused(start, path, key, statuses, **options):
    """Both policies, an unchanged image, exit codes."""
    before = samples.sha256(path)
    machine = start(disks=[vm.Disk(path, **options)], key=key)
    status = samples.expect_failed_state(machine, *statuses)
    machine = start(disks=[vm.Disk(path, **options)], key=key, append="holdfast.on_failure=exit")
    code = machine.wait_exit()
    assert code == vm.state_failure_exit(status), vm.describe_exit(code)
    assert samples.sha256(path) == before, "something was written"


@pytest.mark.parametrize("row", ROWS)
def test_damaged_disk(start, used, used_disk, row):
    damage, statuses = ROWS[row]
    damage(used_disk)
    check_refused(start, used_disk, used[0], statuses)


def test_no_disk(start, key):
    machine = start(key=key)
    samples.expect_failed_state(machine, "NO_DEVICE")
    machine = start(key=key, append="holdfast.on_failure=exit")
    assert machine.wait_exit() == vm.state_failure_exit("NO_DEVICE")


def test_read_only_disk(start, used, used_disk):
    check_refused(start, used_disk, used[0], ["READ_ONLY"], readonly=True)


def test_disk_without_flush(start, used, used_disk):
    check_refused(start, used_disk, used[0], ["NO_FLUSH"], device=vm.WITHOUT_FLUSH)


@pytest.mark.parametrize("content,status", [
    (bytes(32), "WRONG_KEY"), (b"\x5a" * 32, "WRONG_KEY"), (b"\x5a" * 31, "NO_KEY"),
    (b"\x5a" * 33, "NO_KEY"), (b"\x5a", "NO_KEY")], ids=["zeroes", "other", "31", "33", "1"])
def test_bad_key(start, used, used_disk, folder, content, status):
    path = os.path.join(folder, "bad.key")
    with open(path, "wb") as file:
        file.write(content)
    check_refused(start, used_disk, path, [status])


def test_missing_key(start, used_disk):
    check_refused(start, used_disk, None, ["NO_KEY"])


def test_two_disks_with_one_volume(start, used, used_disk, folder):
    twin = os.path.join(folder, "twin.img")
    with open(used_disk, "rb") as source, open(twin, "wb") as target:
        target.write(source.read())
    before = samples.sha256(used_disk)
    machine = start(disks=[used_disk, twin], key=used[0])
    samples.expect_failed_state(machine, "DUPLICATE_VOLUME")
    assert samples.sha256(used_disk) == samples.sha256(twin) == before


@pytest.mark.parametrize("copy", range(2))
def test_one_damaged_copy_of_the_superblock_is_no_loss(start, used, used_disk, copy):
    """Replicas are there for a bad sector: the other one of each slot serves."""
    flip_in((SUPERBLOCKS[2 * copy], SUPERBLOCKS[2 * copy + 1]), 200)(used_disk)
    flip_in((KEYSLOTS[2 * copy], KEYSLOTS[2 * copy + 1]), 200)(used_disk)
    machine = start(disks=[used_disk], key=used[0])
    assert machine.serving() == "persistent"
    assert samples.facts_of(machine) == used[2]
