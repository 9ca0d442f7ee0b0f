# SPDX-License-Identifier: MIT
"""`holdfast` on images that are missing, foreign, cut, of a later format, or damaged."""

import hashlib
import json
import os
import random
import struct

import pytest

from program import BLOCK, SIZE, copy, fails, ok, run, status_of


def test_missing_image(key, tmp_path):
    done = fails("NO_DEVICE", "image", "ls", "-k", key, tmp_path / "nothing")
    assert b"image create" in done.stderr
    fails("NO_DEVICE", "image", "info", tmp_path)
    fails("NO_DEVICE", "image", "info", "/dev/zero")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    fails("NO_DEVICE", "image", "info", fifo)


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 65536, SIZE])
@pytest.mark.parametrize("filler", [bytes, os.urandom], ids=["zeroes", "random"])
def test_no_volume(key, tmp_path, size, filler):
    image = tmp_path / "image"
    image.write_bytes(filler(size))
    for command in (["info", image], ["info", "-k", key, image], ["ls", "-k", key, image],
                    ["verify", "-k", key, image], ["rm", "-k", key, image, "a"]):
        fails("NOT_A_VOLUME", "image", *command)


@pytest.mark.parametrize("size", [SIZE - 1, SIZE - BLOCK, SIZE // 2, 1 << 20, 16 * BLOCK])
def test_truncated_image(image, key, size):
    os.truncate(image, size)
    for command in ("ls", "verify", "info"):
        fails("TRUNCATED", "image", command, "-k", key, image)
    assert status_of(run("image", "rm", "-k", key, image, "a")) == "TRUNCATED"


def test_longer_image(image, key, contents):
    """Space behind the volume is not ours: harmless, or refused by name."""
    os.truncate(image, SIZE + (1 << 20))
    done = run("image", "cat", "-k", key, image, "full")
    if status_of(done) == "OK":
        assert done.stdout == contents["full"]


def superblock_checksum(block):
    return hashlib.sha256(block[8:80]).digest()[:16]


def test_newer_format(image, key):
    """Intact superblocks of format 2: the version is behind the 8 bytes of magic, and a checksum
    at byte 80 covers it."""
    data = bytearray(image.read_bytes())
    for at in (0, BLOCK, SIZE - 2 * BLOCK, SIZE - BLOCK):
        block = data[at:at + BLOCK]
        assert block[80:96] == superblock_checksum(block)
        assert struct.unpack_from("<I", block, 8)[0] == 1
        struct.pack_into("<I", block, 8, 2)
        block[80:96] = superblock_checksum(block)
        data[at:at + BLOCK] = block
    image.write_bytes(data)
    for command in (["info", image], ["ls", "-k", key, image], ["verify", "-k", key, image]):
        fails("NEWER_FORMAT", "image", *command)


DAMAGE = {"AUTH_DATA", "AUTH_META", "TAMPER", "WRONG_KEY", "NOT_A_VOLUME", "NEWER_FORMAT",
          "TRUNCATED"}


def damage_places(data, seed, count):
    """Random bytes of the blocks in use, and some in each of the first and last blocks."""
    generator = random.Random(seed)
    used = [at for at in range(0, len(data), BLOCK) if any(data[at:at + BLOCK])]
    fixed = [at for at in used if at < 8 * BLOCK or at >= len(data) - 4 * BLOCK]
    heads = [at + generator.choice((0, 5, 9, 20, 40, 60, 90, 200, 4095)) for at in fixed]
    return heads + [generator.choice(used) + generator.randrange(BLOCK) for _ in range(count)]


def test_bit_flips(image, key, contents):
    data = image.read_bytes()
    seen = set()
    for number, place in enumerate(damage_places(data, 1, 60)):
        with open(image, "r+b") as file:
            file.seek(place)
            file.write(bytes([data[place] ^ (1 << number % 8)]))
        done = run("image", "cat", "-k", key, image, "full")
        if status_of(done) == "OK":
            assert done.stdout == contents["full"]
        else:
            assert status_of(done) in DAMAGE | {"NOT_FOUND"}
            assert done.stdout == b""
        verified = run("image", "verify", "--json", "-k", key, image)
        assert status_of(verified) in DAMAGE | {"OK"}
        answer = json.loads(verified.stdout)
        assert answer["status"] == status_of(verified)
        if answer["status"] in ("AUTH_DATA",):
            assert answer["failure"]["level"] == 0
            assert answer["failure"]["physical_block"] is not None
        # "No such object" is an earlier state of the log, never the answer of a damaged one.
        if status_of(done) == "NOT_FOUND":
            assert answer["status"] == "OK" and answer["sequence"] < 6
        seen.add(answer["status"])
        with open(image, "r+b") as file:
            file.seek(place)
            file.write(data[place:place + 1])
    assert seen & {"AUTH_DATA", "AUTH_META", "TAMPER"}
    assert image.read_bytes() == data


def test_commands_that_write_survive_damage(image, key, tmp_path):
    """put and rm on damaged images: a named end; what stays is authentic."""
    data = image.read_bytes()
    for place in damage_places(data, 2, 20):
        target = tmp_path / "copy"
        copy(image, target)
        with open(target, "r+b") as file:
            file.seek(place)
            file.write(bytes([data[place] ^ 0x10]))
        written = status_of(run("image", "put", "-k", key, target, "new", "-", input=b"n" * 9000))
        assert written in DAMAGE | {"OK", "READ_ONLY"}
        if written == "OK":
            assert ok("image", "cat", "-k", key, target, "new") == b"n" * 9000
        removed = status_of(run("image", "rm", "-k", key, target, "full"))
        assert removed in DAMAGE | {"OK", "READ_ONLY", "NOT_FOUND"}


def test_swapped_and_zeroed_blocks(image, key, contents):
    data = image.read_bytes()
    used = [at for at in range(0, len(data), BLOCK) if any(data[at:at + BLOCK])]
    generator = random.Random(3)
    for _ in range(15):
        a, b = generator.sample(used, 2)
        changed = bytearray(data)
        if generator.random() < 0.5:
            changed[a:a + BLOCK], changed[b:b + BLOCK] = data[b:b + BLOCK], data[a:a + BLOCK]
        else:
            changed[a:a + BLOCK] = bytes(BLOCK)
        image.write_bytes(changed)
        done = run("image", "cat", "-k", key, image, "vtpm0.permall")
        if status_of(done) == "OK":
            assert done.stdout in (contents["vtpm0.permall"], b"first" * 900, b"second" * 900)
        else:
            assert status_of(done) in DAMAGE | {"NOT_FOUND"}
        assert status_of(run("image", "verify", "-k", key, image)) in DAMAGE | {"OK"}
