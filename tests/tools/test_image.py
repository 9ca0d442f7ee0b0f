# SPDX-License-Identifier: MIT
"""The host program `holdfast`, from outside: what it does, and what it says when it cannot."""

import contextlib
import fcntl
import json
import os
import pty
import resource
import shutil
import stat
import struct
import subprocess

import pytest

from program import PROGRAM, SIZE, TIMEOUT_S, fails, ok, put, run, status_of, usage


# ---- Command line -----------------------------------------------------------------------------


def test_help_lists_commands_and_exit_status():
    text = ok("--help").decode()
    for word in ("create", "info", "ls", "cat", "put", "rm", "verify", "generate", "Exit status"):
        assert word in text
    for command in ("create", "info", "ls", "cat", "put", "rm", "verify"):
        assert "PATH" in ok("image", command, "--help").decode()
    assert b"holdfast" in ok("--version")


@pytest.mark.parametrize("arguments", [
    [], ["image"], ["image", "frob", "x"], ["key", "create", "x"], ["--frob"],
    ["image", "info"], ["image", "info", "a", "b"], ["image", "info", "--force", "a"],
    ["image", "create", "a"], ["image", "create", "-k", "a", "-p", "b", "c"],
    ["image", "create", "-k", "k", "--size", "0", "c"],
    ["image", "create", "-k", "k", "--size", "7M", "c"],
    ["image", "create", "-k", "k", "--size", "2G", "c"],
    ["image", "create", "-k", "k", "--size", "8193k1", "c"],
    ["image", "create", "-k", "k", "--size", "67108865", "c"],
    ["image", "create", "-k", "k", "--size", "-64M", "c"],
    ["image", "cat", "-k", "k", "a"], ["image", "put", "-k", "k", "a", "b"],
    ["image", "ls", "a"], ["image", "verify", "a"], ["key", "generate"],
], ids=" ".join)
def test_usage_errors_exit_with_2(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    usage(*arguments)
    assert os.listdir(tmp_path) == []


# ---- Keys -------------------------------------------------------------------------------------


def test_key_generate(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    ok("key", "generate", first)
    ok("key", "generate", second)
    assert len(first.read_bytes()) == 32 and first.read_bytes() != second.read_bytes()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    before = first.read_bytes()
    fails("EXISTS", "key", "generate", first)
    assert first.read_bytes() == before
    fails("IO", "key", "generate", tmp_path / "no" / "where")


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_key_of_the_wrong_length(image, tmp_path, size):
    short = tmp_path / "short"
    short.write_bytes(os.urandom(size))
    for command in ("info", "ls", "verify"):
        fails("NO_KEY", "image", command, "-k", short, image)
    fails("NO_KEY", "image", "create", "-k", short, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_key_is_missing(image, tmp_path):
    fails("NO_KEY", "image", "ls", "-k", tmp_path / "nothing", image)
    fails("NO_KEY", "image", "ls", "-p", tmp_path / "nothing", image)


def test_wrong_key(image, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_bytes(os.urandom(32))
    before = image.read_bytes()
    for command in (["info", image], ["ls", image], ["verify", image], ["cat", image, "a"],
                    ["rm", image, "a"], ["put", image, "a", "/dev/null"]):
        assert fails("WRONG_KEY", "image", command[0], "-k", wrong, *command[1:]).stdout == b""
    assert image.read_bytes() == before


def test_passphrase(tmp_path):
    image, phrase, wrong = tmp_path / "image", tmp_path / "phrase", tmp_path / "wrong"
    phrase.write_bytes(b"correct horse\nignored\n")
    wrong.write_bytes(b"correct house\n")
    ok("image", "create", "--size", "8M", "--passphrase-file", phrase, image)
    assert ok("image", "ls", "-p", phrase, image) == b""
    fails("WRONG_KEY", "image", "ls", "-p", wrong, image)


# ---- Create -----------------------------------------------------------------------------------


def test_create(key, tmp_path):
    image = tmp_path / "image"
    ok("image", "create", "--key-file", key, image)
    info = image.stat()
    assert info.st_size == 64 << 20 and stat.S_IMODE(info.st_mode) == 0o600
    assert info.st_blocks * 512 < 4 << 20, "not sparse"
    assert ok("image", "ls", "-k", key, image) == b""
    ok("image", "verify", "-k", key, image)


def on_a_terminal(*arguments):
    """Run with standard error on a terminal; what appeared there."""
    ours, theirs = pty.openpty()
    done = subprocess.run([PROGRAM, *map(str, arguments)], stdout=subprocess.DEVNULL,
                          stderr=theirs, timeout=TIMEOUT_S, check=False)
    os.close(theirs)
    assert done.returncode == 0
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed.
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    return shown


def test_progress_is_for_terminals(image, key, tmp_path):
    for command in (["create", "-k", key, tmp_path / "new"], ["verify", "-k", key, image]):
        shown = on_a_terminal("image", *command)
        assert b"100 %" in shown and shown.endswith(b"\r\x1b[K")
    assert run("image", "verify", "-k", key, image).stderr == b""


def test_create_destroys_nothing_unasked(key, image, contents, tmp_path):
    other = tmp_path / "precious"
    other.write_bytes(b"data")
    before = image.read_bytes()
    fails("EXISTS", "image", "create", "-k", key, other)
    fails("EXISTS", "image", "create", "-k", key, image)
    assert other.read_bytes() == b"data" and image.read_bytes() == before
    assert len(ok("image", "ls", "-k", key, image).split()) == len(contents)
    ok("image", "create", "--force", "--size", "8M", "-k", key, image)
    assert ok("image", "ls", "-k", key, image) == b""
    empty = tmp_path / "empty"
    empty.touch()
    ok("image", "create", "--size", "8M", "-k", key, empty)


def test_create_in_a_missing_folder(key, tmp_path):
    fails("NO_DEVICE", "image", "create", "-k", key, tmp_path / "no" / "where")
    fails("NO_DEVICE", "image", "create", "-k", key, tmp_path)


def file_size_limit(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_create_above_the_file_size_limit(key, tmp_path):
    done = fails("IO", "image", "create", "-k", key, tmp_path / "image",
                 preexec_fn=file_size_limit(1 << 20))
    assert b"too large" in done.stderr.lower()
    assert not (tmp_path / "image").exists()


@contextlib.contextmanager
def small_disk(folder, size):
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder],
                             capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("no permission to mount a small tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_disk_full(key, tmp_path):
    with small_disk(tmp_path / "disk", "16k") as disk:
        done = fails("IO", "image", "create", "--size", "8M", "-k", key, disk / "image")
        assert b"No space left" in done.stderr
        assert os.listdir(disk) == [], "half a volume was left"
    with small_disk(tmp_path / "other", "200k") as disk:
        ok("image", "create", "--size", "8M", "-k", key, disk / "image")
        put(disk / "image", key, "a", b"old")
        big = os.urandom(250000)
        done = run("image", "put", "-k", key, disk / "image", "a", "-", input=big)
        assert status_of(done) == "IO" and b"No space left" in done.stderr
        # Nothing was acknowledged, so the old content is all there is.
        assert ok("image", "cat", "-k", key, disk / "image", "a") == b"old"
        ok("image", "verify", "-k", key, disk / "image")


# ---- Objects ----------------------------------------------------------------------------------


def test_objects_round_trip(image, key, contents):
    for name, content in contents.items():
        assert ok("image", "cat", "-k", key, image, name) == content
    listed = ok("image", "ls", "-k", key, image).decode().split("\n")[:-1]
    assert listed == sorted(contents)
    long = ok("image", "ls", "-l", "-k", key, image).decode()
    rows = [line.split() for line in long.splitlines()]
    assert [(row[2], int(row[0])) for row in rows] == [(n, len(contents[n])) for n in listed]
    assert dict((row[2], row[1]) for row in rows)["vtpm0.permall"] == "3"


def test_put_replaces_and_rm_removes(image, key, contents, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"x" * 5000)
    ok("image", "put", "-k", key, image, "vtpm0.permall", source)
    assert ok("image", "cat", "-k", key, image, "vtpm0.permall") == b"x" * 5000
    ok("image", "rm", "-k", key, image, "full")
    fails("NOT_FOUND", "image", "cat", "-k", key, image, "full")
    fails("NOT_FOUND", "image", "rm", "-k", key, image, "full")
    left = json.loads(ok("image", "ls", "--json", "-k", key, image))["objects"]
    assert [row["name"] for row in left] == sorted(set(contents) - {"full"})
    ok("image", "verify", "-k", key, image)


def test_object_names_and_sizes(image, key, tmp_path):
    for name in ("", ".hidden", "a/b", "x" * 49, "sp ace", "\u00e9"):
        fails("INVALID", "image", "put", "-k", key, image, name, "/dev/null")
        fails("INVALID", "image", "cat", "-k", key, image, name)
    fails("TOO_LARGE", "image", "put", "-k", key, image, "b", "-", input=os.urandom(300 * 1024))
    huge = tmp_path / "huge"
    huge.touch()
    os.truncate(huge, 65 << 20)
    fails("TOO_LARGE", "image", "put", "-k", key, image, "b", huge)
    fails("NOT_FOUND", "image", "cat", "-k", key, image, "b")
    fails("IO", "image", "put", "-k", key, image, "b", tmp_path / "missing")
    # Larger than a transaction, but sparse: that fits, and can be removed.
    ok("image", "put", "-k", key, image, "b", "-", input=bytes(400 * 1024) + b"end")
    assert ok("image", "cat", "-k", key, image, "b")[-4:] == b"\0end"
    ok("image", "rm", "-k", key, image, "b")


def test_64_objects(key, tmp_path):
    image = tmp_path / "image"
    ok("image", "create", "--size", "8M", "-k", key, image)
    for number in range(64):
        put(image, key, f"object{number}", str(number).encode())
    fails("LIMIT", "image", "put", "-k", key, image, "more", "/dev/null")
    assert len(ok("image", "ls", "-k", key, image).split()) == 64
    assert ok("image", "cat", "-k", key, image, "object63") == b"63"


def test_volume_full(key, tmp_path):
    image = tmp_path / "image"
    ok("image", "create", "--size", "8M", "-k", key, image)
    stored = {}
    for number in range(64):
        content = os.urandom(256 * 1024)
        done = run("image", "put", "-k", key, image, f"o{number}", "-", input=content)
        if done.returncode != 0:
            assert status_of(done) == "NO_SPACE"
            break
        stored[f"o{number}"] = content
    assert 10 < len(stored) < 32
    for name, content in stored.items():
        assert ok("image", "cat", "-k", key, image, name) == content
    ok("image", "verify", "-k", key, image)
    ok("image", "rm", "-k", key, image, "o0")


def test_output_that_cannot_be_written(image, key):
    for command in (["cat", "-k", key, image, "a"], ["ls", "-k", key, image], ["info", image]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([PROGRAM, "image", *map(str, command)], stdout=full,
                                  stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=False)
        assert status_of(done) == "IO"


# ---- Info and JSON ----------------------------------------------------------------------------


def test_info(image, key, tmp_path):
    public = json.loads(ok("image", "info", "--json", image))
    assert public["status"] == "OK" and not public["authenticated"]
    assert public["size_bytes"] == SIZE and public["format_version"] == 1
    assert "epoch" not in public
    full = json.loads(ok("image", "info", "--json", "-k", key, image))
    assert full["authenticated"] and full["uuid"] == public["uuid"]
    assert full["sequence"] == 6 and full["keyslots_in_use"] == 1
    assert full["uuid"] in ok("image", "info", image).decode()
    assert b"sequence" in ok("image", "info", "-k", key, image)
    # A path that JSON has to escape, and one that is not even text.
    odd = tmp_path / 'quo"te\n\\'
    shutil.copyfile(image, odd)
    assert json.loads(ok("image", "info", "--json", odd))["path"] == str(odd)
    raw = os.fsencode(tmp_path) + b"/\xff\xfe"
    shutil.copyfile(image, raw)
    done = subprocess.run([PROGRAM, "image", "info", "--json", raw], capture_output=True,
                          check=True)
    assert json.loads(done.stdout.decode("utf-8"))["path"].endswith("/\ufffd\ufffd")


def test_json_on_failure(image, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_bytes(os.urandom(32))
    for command in ("info", "ls", "verify"):
        done = fails("WRONG_KEY", "image", command, "--json", "-k", wrong, image)
        answer = json.loads(done.stdout)
        assert answer["status"] == "WRONG_KEY" and answer["subject"] == str(image)
        assert answer["advice"]


def test_reading_changes_nothing(image, key):
    before = image.read_bytes()
    ok("image", "info", "-k", key, image)
    ok("image", "ls", "-k", key, image)
    ok("image", "cat", "-k", key, image, "full")
    ok("image", "verify", "-k", key, image)
    assert image.read_bytes() == before


# ---- Two at once ------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(image, kind, first, count):
    """An open file description lock, as QEMU takes them."""
    with open(image, "r+b") as file:
        lock = struct.pack("hhqqi4x", kind, os.SEEK_SET, first, count, 0)
        fcntl.fcntl(file, fcntl.F_OFD_SETLK if hasattr(fcntl, "F_OFD_SETLK") else 37, lock)
        yield


def test_image_in_use(image, key):
    with locked(image, fcntl.F_RDLCK, 101, 1):  # QEMU writes to it.
        for command in (["ls", image], ["verify", image], ["cat", image, "a"], ["rm", image, "a"],
                        ["put", image, "a", "/dev/null"], ["info", image],
                        ["create", "--force", image]):
            fails("BUSY", "image", command[0], "-k", key, *command[1:])
        ok("image", "info", image)
    with locked(image, fcntl.F_RDLCK, 100, 1):  # Another one reads.
        ok("image", "ls", "-k", key, image)
        fails("BUSY", "image", "rm", "-k", key, image, "a")
    ok("image", "rm", "-k", key, image, "a")


def test_image_in_use_by_qemu(image, key, tmp_path):
    """The real thing: QEMU holds the disk, and refuses one that we hold."""
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None:
        pytest.skip("no QEMU here")
    drive = f"if=none,id=d0,format=raw,file={image}"
    command = [qemu, "-M", "none", "-nodefaults", "-display", "none", "-S", "-monitor", "stdio",
               "-drive", drive]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        try:
            assert b"QEMU" in process.stdout.readline()  # Its prompt: the drive is open.
            fails("BUSY", "image", "rm", "-k", key, image, "a")
        finally:
            process.stdin.write(b"quit\n")
            process.stdin.close()
            process.wait(timeout=TIMEOUT_S)
    with locked(image, fcntl.F_WRLCK, 100, 200):  # As a writing holdfast does.
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=TIMEOUT_S)
        assert done.returncode != 0 and b"lock" in done.stderr
