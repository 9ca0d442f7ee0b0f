# SPDX-License-Identifier: MIT
"""`holdfast image verify --repair-report`: every fault is named, and what is lost by it."""

import json

from program import BLOCK, SIZE, fails, ok, run, status_of

SECOND_SUPERBLOCK_COPY = SIZE - BLOCK


def report_of(image, key):
    done = run("image", "verify", "--repair-report", "--json", "-k", key, image)
    found = json.loads(done.stdout)
    assert found["status"] == status_of(done), "the exit and the report disagree"
    return found


def flip(image, offset):
    data = bytearray(image.read_bytes())
    data[offset] ^= 0x20
    image.write_bytes(data)


def test_sound_image(image, key):
    assert report_of(image, key)["faults"] == []
    assert ok("image", "verify", "--repair-report", "-k", key, image) == \
        b"OK: 0 faults, 0 blocks lost\n"


def test_bad_copy_is_told_from_loss(image, key):
    flip(image, SECOND_SUPERBLOCK_COPY + 200)
    found = report_of(image, key)
    assert [fault["kind"] for fault in found["faults"]] == ["copy"]
    assert found["lost_blocks"] == 0
    assert "repairs" in found["faults"][0]["remedy"]


def test_each_block_of_an_image(image, key, contents):
    """Whatever block is damaged: objects that the report does not name can be read."""
    # A key change checkpoints: nothing is in the log alone, whose last record may be torn.
    ok("key", "add", "-k", key, "--new-recovery-key", image)
    sound = image.read_bytes()
    kinds = set()
    used = [at for at in range(0, SIZE, BLOCK) if any(sound[at:at + BLOCK])][::2]
    for at in used:
        image.write_bytes(sound)
        flip(image, at + 300)
        done = run("image", "verify", "--repair-report", "--json", "-k", key, image)
        status = status_of(done)
        answer = json.loads(done.stdout)
        if "faults" not in answer:
            assert status != "OK", "an image that cannot be mounted"
            continue
        lost = {fault["object"] for fault in answer["faults"] if fault["lost_blocks"] > 0}
        kinds |= {fault["kind"] for fault in answer["faults"]}
        for name, content in contents.items():
            read = run("image", "cat", "-k", key, image, name)
            if name not in lost and "" not in lost:
                assert read.returncode == 0 and read.stdout == content, (at, name, lost)
    assert {"copy", "data", "node"} <= kinds


def test_what_cannot_be_mounted(image, key, tmp_path):
    image.write_bytes(bytes(SIZE))
    fails("NOT_A_VOLUME", "image", "verify", "--repair-report", "-k", key, image)
    fails("NO_DEVICE", "image", "verify", "--repair-report", "-k", key, tmp_path / "none")
