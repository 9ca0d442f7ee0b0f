# SPDX-License-Identifier: MIT
"""`holdfast image export, scrub, backup, restore, bench`."""

import json
import os
import stat
import time

import pytest

from program import BLOCK, SIZE, copy, fails, ok, put, run, status_of
from test_image import locked


def state_of(image, key):
    answer = json.loads(ok("image", "info", "--json", "-k", key, image))
    return answer["uuid"], answer["epoch"], answer["sequence"]


def damage(image, key):
    """Flip a bit that `verify` notices."""
    data = image.read_bytes()
    used = [at for at in range(8 * BLOCK, SIZE - 8 * BLOCK, BLOCK) if any(data[at:at + BLOCK])]
    for place in reversed(used):
        with open(image, "r+b") as file:
            file.seek(place + 77)
            file.write(bytes([data[place + 77] ^ 1]))
        if status_of(run("image", "verify", "-k", key, image)) != "OK":
            return
        image.write_bytes(data)
    raise AssertionError("nothing that verify reads")


# ---- Export -----------------------------------------------------------------------------------


def test_export(image, key, contents, tmp_path):
    for name, content in contents.items():
        target = tmp_path / f"plain-{name}"
        ok("image", "export", "-k", key, image, name, target)
        assert target.read_bytes() == content
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
    put(image, key, "holes", bytes(300 * 1024) + b"end")
    ok("image", "export", "-k", key, image, "holes", tmp_path / "sparse")
    assert (tmp_path / "sparse").read_bytes() == bytes(300 * 1024) + b"end"
    assert (tmp_path / "sparse").stat().st_blocks * 512 <= 8192, "not sparse"


def test_export_replaces_only_when_told(image, key, contents, tmp_path):
    target = tmp_path / "plain"
    target.write_bytes(b"precious")
    fails("EXISTS", "image", "export", "-k", key, image, "full", target)
    fails("NOT_FOUND", "image", "export", "--force", "-k", key, image, "nothing", target)
    assert target.read_bytes() == b"precious"
    ok("image", "export", "--force", "-k", key, image, "full", target)
    assert target.read_bytes() == contents["full"]
    fails("NO_DEVICE", "image", "export", "--force", "-k", key, image, "full", tmp_path)
    fails("IO", "image", "export", "-k", key, image, "full", tmp_path / "no" / "where")
    # The image itself is locked, so it is not its own target.
    fails("BUSY", "image", "export", "--force", "-k", key, image, "full", image)


def test_export_of_a_damaged_object_leaves_nothing(image, key, tmp_path):
    ok("image", "rm", "-k", key, image, "a")
    damage(image, key)
    done = run("image", "export", "-k", key, image, "full", tmp_path / "plain")
    if status_of(done) != "OK":
        assert sorted(os.listdir(tmp_path)) == ["image"]


# ---- Scrub ------------------------------------------------------------------------------------


def test_scrub(image, key):
    before = image.read_bytes()
    answer = json.loads(ok("image", "scrub", "--json", "-k", key, image))
    assert answer["status"] == "OK" and answer["objects"] == 4
    assert answer["read_bytes"] >= answer["object_bytes"]
    assert b"read " in ok("image", "scrub", "-k", key, image)
    started = time.monotonic()
    rate = answer["read_bytes"]  # In one second.
    slow = json.loads(ok("image", "scrub", "--json", "--rate", str(rate), "-k", key, image))
    assert time.monotonic() - started > 0.9 and slow["elapsed_us"] > 900000
    assert image.read_bytes() == before
    damage(image, key)
    done = run("image", "scrub", "--json", "-k", key, image)
    assert status_of(done) in {"AUTH_DATA", "AUTH_META", "TAMPER"}
    assert json.loads(done.stdout)["status"] == status_of(done)


# ---- Backup and restore -----------------------------------------------------------------------


def test_backup_and_restore(image, key, contents, tmp_path):
    backup = tmp_path / "backup"
    before = image.read_bytes()
    assert b"verified" in ok("image", "backup", "-k", key, image, backup)
    assert image.read_bytes() == before == backup.read_bytes()
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert backup.stat().st_blocks * 512 < SIZE // 2, "not sparse"
    put(image, key, "a", b"later")
    fails("EXISTS", "image", "restore", "-k", key, backup, image)
    assert ok("image", "cat", "-k", key, image, "a") == b"later"
    saved = state_of(backup, key)
    ok("image", "restore", "--force", "-k", key, backup, image)
    assert ok("image", "cat", "-k", key, image, "a") == contents["a"]
    ok("image", "verify", "-k", key, image)
    # The same volume and history, but a new epoch: not the disk that was there.
    assert state_of(image, key) == (saved[0], saved[1] + 1, saved[2])
    assert state_of(backup, key) == saved
    ok("image", "restore", "-k", key, backup, tmp_path / "elsewhere")
    assert sorted(os.listdir(tmp_path)) == ["backup", "elsewhere", "image"]


def test_backup_of_a_checkpointed_volume_is_restored_as_a_new_epoch(key, tmp_path):
    """An empty log: a checkpoint of its own accord would write nothing."""
    image = tmp_path / "image"
    ok("image", "create", "--size", "8M", "-k", key, image)
    ok("image", "backup", "-k", key, image, tmp_path / "backup")
    ok("image", "restore", "-k", key, tmp_path / "backup", tmp_path / "restored")
    assert state_of(tmp_path / "restored", key)[1] == state_of(image, key)[1] + 1


def test_backup_is_refused_by_name(image, key, tmp_path):
    backup, wrong = tmp_path / "backup", tmp_path / "wrong"
    wrong.write_bytes(os.urandom(32))
    fails("WRONG_KEY", "image", "backup", "-k", wrong, image, backup)
    fails("NO_DEVICE", "image", "backup", "-k", key, tmp_path / "nothing", backup)
    with locked(image, 0, 101, 1):  # A VM writes to it.
        fails("BUSY", "image", "backup", "-k", key, image, backup)
    backup.write_bytes(b"precious")
    fails("EXISTS", "image", "backup", "-k", key, image, backup)
    assert backup.read_bytes() == b"precious"
    ok("image", "backup", "--force", "-k", key, image, backup)
    damage(image, key)
    done = run("image", "backup", "--force", "-k", key, image, backup)
    assert status_of(done) in {"AUTH_DATA", "AUTH_META", "TAMPER"}
    ok("image", "verify", "-k", key, backup)  # The good one is still there.
    assert sorted(os.listdir(tmp_path)) == ["backup", "image", "wrong"]


def test_restore_of_a_damaged_backup_changes_nothing(image, key, tmp_path):
    backup = copy(image, tmp_path / "backup")
    damage(backup, key)
    before = image.read_bytes()
    done = run("image", "restore", "--force", "-k", key, backup, image)
    assert status_of(done) in {"AUTH_DATA", "AUTH_META", "TAMPER"}
    assert image.read_bytes() == before
    os.truncate(backup, SIZE // 2)
    fails("TRUNCATED", "image", "restore", "--force", "-k", key, backup, image)
    assert image.read_bytes() == before
    ok("image", "backup", "--force", "-k", key, image, backup)
    with locked(image, 0, 100, 1):  # Somebody reads it.
        fails("BUSY", "image", "restore", "--force", "-k", key, backup, image)
    assert image.read_bytes() == before


# ---- Bench, and large objects -----------------------------------------------------------------


def test_bench_counts_are_repeatable(key, tmp_path):
    runs = []
    for number in range(2):
        image = tmp_path / f"image{number}"
        ok("image", "create", "--size", "16M", "-k", key, image)
        answer = json.loads(ok("image", "bench", "--json", "-k", key, image))
        assert answer["status"] == "OK"
        for row in answer["workloads"]:
            del row["elapsed_us"]
        runs.append(answer["workloads"])
        assert ok("image", "ls", "-k", key, image) == b""
        ok("image", "verify", "-k", key, image)
    assert runs[0] == runs[1]
    rows = {row["name"]: row for row in runs[0]}
    small = rows["random write 512"]
    # One write and one flush a commit; what is above that are the checkpoints.
    assert small["operations"] <= small["device_flushes"] <= small["operations"] * 1.1
    assert rows["random read 4K"]["device_writes"] == 0
    assert b"writes/op" in ok("image", "bench", "-k", key, tmp_path / "image0")


def test_bench_touches_nothing_of_others(image, key):
    put(image, key, "holdfast.bench", b"mine")
    fails("EXISTS", "image", "bench", "-k", key, image)
    assert ok("image", "cat", "-k", key, image, "holdfast.bench") == b"mine"


def test_bench_on_a_full_volume(key, tmp_path):
    image = tmp_path / "image"
    ok("image", "create", "--size", "8M", "-k", key, image)
    for number in range(64):
        if run("image", "put", "-k", key, image, f"o{number}", "-",
               input=os.urandom(256 * 1024)).returncode != 0:
            break
    fails("NO_SPACE", "image", "bench", "-k", key, image)
    assert b"holdfast.bench" not in ok("image", "ls", "-k", key, image)
    ok("image", "verify", "-k", key, image)


@pytest.mark.parametrize("rate", ["0", "1", "x", "-5M"])
def test_senseless_rates(image, key, rate):
    assert run("image", "scrub", f"--rate={rate}", "-k", key, image).returncode == 2
