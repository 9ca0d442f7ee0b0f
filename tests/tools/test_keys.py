# SPDX-License-Identifier: MIT
"""`holdfast key`: list, add, change and remove keys; recovery keys on paper."""

import json
import os
import re
import subprocess

import pytest

from program import PROGRAM, TIMEOUT_S, fails, ok, put, status_of, usage


def raw_key(path):
    ok("key", "generate", path)
    return path


def phrase(path, text):
    path.write_bytes(text + b"\n")
    return path


def keys_of(image, *key):
    answer = json.loads(ok("key", "list", "--json", *key, image))
    assert answer["status"] == "OK" and answer["slots"] == 8
    return [(row["slot"], row["type"]) for row in answer["keys"]]


def test_add_and_list(image, key, contents, tmp_path):
    other, words = raw_key(tmp_path / "other"), phrase(tmp_path / "words", b"correct horse")
    assert keys_of(image, "-k", key) == [(0, "raw")]
    ok("key", "add", "-k", key, "--new-key-file", other, image)
    ok("key", "add", "-k", other, "--new-passphrase-file", words, image)
    assert keys_of(image, "-p", words) == [(0, "raw"), (1, "raw"), (2, "passphrase")]
    assert ok("key", "list", "-k", key, image) == b"0 raw\n1 raw\n2 passphrase\n"
    for one in (["-k", key], ["-k", other], ["-p", words]):
        assert ok("image", "cat", *one, image, "a") == contents["a"]
    ok("image", "verify", "-k", other, image)


def test_add_is_refused_by_name(image, key, tmp_path):
    other = raw_key(tmp_path / "other")
    done = fails("EXISTS", "key", "add", "-k", key, "--new-key-file", key, image)
    assert b"already" in done.stderr
    fails("WRONG_KEY", "key", "add", "-k", other, "--new-key-file", other, image)
    fails("NO_KEY", "key", "add", "-k", key, "--new-key-file", tmp_path / "nothing", image)
    for number in range(7):
        ok("key", "add", "-k", key, "--new-key-file", raw_key(tmp_path / f"k{number}"), image)
    before = image.read_bytes()
    done = fails("LIMIT", "key", "add", "-k", key, "--new-key-file", other, image)
    assert b"keyslots" in done.stderr
    done = fails("LIMIT", "key", "add", "-k", key, "--new-recovery-key", image)
    assert done.stdout == b"", "a key that opens nothing was shown"
    assert image.read_bytes() == before
    # Changing one needs no room.
    ok("key", "change", "-k", tmp_path / "k3", "--new-key-file", other, image)
    assert len(keys_of(image, "-k", other)) == 8


def test_remove(image, key, tmp_path):
    other, third = raw_key(tmp_path / "other"), raw_key(tmp_path / "third")
    done = fails("INVALID", "key", "remove", "-k", key, "--old-key-file", key, image)
    assert b"last key" in done.stderr
    fails("INVALID", "key", "remove", "-k", key, "--slot", "0", image)
    ok("key", "add", "-k", key, "--new-key-file", other, image)
    fails("NOT_FOUND", "key", "remove", "-k", key, "--slot", "2", image)
    fails("WRONG_KEY", "key", "remove", "-k", key, "--old-key-file", third, image)
    ok("key", "remove", "-k", other, "--old-key-file", key, image)
    fails("WRONG_KEY", "image", "ls", "-k", key, image)
    ok("key", "add", "-k", other, "--new-key-file", third, image)
    ok("key", "remove", "-k", third, "--slot", "1", image)  # A lost key: only its slot is known.
    fails("WRONG_KEY", "image", "ls", "-k", other, image)
    assert keys_of(image, "-k", third) == [(0, "raw")]
    ok("image", "verify", "-k", third, image)


def test_change_a_passphrase(tmp_path):
    image = tmp_path / "image"
    old, new = phrase(tmp_path / "old", b"old words"), phrase(tmp_path / "new", b"new words")
    ok("image", "create", "--size", "8M", "-p", old, image)
    fails("EXISTS", "key", "change", "-p", old, "--new-passphrase-file", old, image)
    ok("key", "change", "-p", old, "--new-passphrase-file", new, image)
    fails("WRONG_KEY", "image", "ls", "-p", old, image)
    assert keys_of(image, "-p", new) == [(0, "passphrase")]


def test_recovery_key(image, key, contents, tmp_path):
    paper = tmp_path / "paper"
    shown = ok("key", "add", "-k", key, "--new-recovery-key", image)
    rows = [line for line in shown.decode().splitlines() if not line.startswith("#")]
    assert len(rows) == 4 and all(re.fullmatch(r"([0-9a-f]{4}-){4}[0-9a-f]{4}", r) for r in rows)
    paper.write_bytes(shown)
    assert ok("image", "cat", "-r", paper, image, "a") == contents["a"]
    assert keys_of(image, "-r", paper) == [(0, "raw"), (1, "recovery")]
    # As a person types it.
    paper.write_text("\r\n".join(row.upper().replace("-", " ") for row in rows))
    put(image, key, "a", b"still")
    assert ok("image", "cat", "--recovery-key-file", paper, image, "a") == b"still"
    # A slip in the third row.
    wrong = rows[2][:6] + ("1" if rows[2][6] != "1" else "2") + rows[2][7:]
    paper.write_text("\n".join([*rows[:2], wrong, rows[3]]))
    done = fails("NO_KEY", "image", "ls", "-r", paper, image)
    assert b"row 3" in done.stderr
    paper.write_bytes(os.urandom(32))
    fails("NO_KEY", "image", "ls", "-r", paper, image)
    # All other keys lost: the recovery key removes them.
    paper.write_bytes(shown)
    ok("key", "remove", "-r", paper, "--old-key-file", key, image)
    fails("WRONG_KEY", "image", "ls", "-k", key, image)
    ok("key", "change", "-r", paper, "--new-key-file", key, image)
    fails("WRONG_KEY", "image", "ls", "-r", paper, image)


def test_recovery_key_that_cannot_be_shown(image, key):
    for command in ("add", "change"):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([PROGRAM, "key", command, "-k", key, "--new-recovery-key",
                                   image], stdout=full, stderr=subprocess.PIPE,
                                  timeout=TIMEOUT_S, check=False)
        assert status_of(done) == "IO"
        assert keys_of(image, "-k", key) == [(0, "raw")]


@pytest.mark.parametrize("arguments", [
    ["add", "-k", "k", "i"], ["add", "--new-key-file", "n", "i"], ["change", "-k", "k", "i"],
    ["add", "-k", "k", "--new-key-file", "n", "--new-recovery-key", "i"],
    ["add", "-k", "k", "-r", "r", "--new-key-file", "n", "i"],
    ["remove", "-k", "k", "i"], ["remove", "-k", "k", "--slot", "8", "i"],
    ["remove", "-k", "k", "--slot", "-1", "i"], ["remove", "-k", "k", "--slot", "10", "i"],
    ["remove", "-k", "k", "--slot", "1", "--old-key-file", "o", "i"], ["list", "i"],
], ids=" ".join)
def test_usage_errors(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    usage("key", *arguments)
