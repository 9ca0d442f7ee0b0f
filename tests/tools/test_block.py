# SPDX-License-Identifier: MIT
"""Volumes of the block profile: one object, `device`, as large as a disk and mostly holes."""

import json
import os
import subprocess

import pytest

from program import PROGRAM, fails, ok, run, status_of, usage

MIB = 1 << 20


@pytest.fixture
def key(tmp_path):
    ok("key", "generate", tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def make(tmp_path, key):
    def make_image(size, name="block.img"):
        image = tmp_path / name
        ok("image", "create", "--profile", "block", "--size", size, "-k", key, image)
        return image
    return make_image


def answer(*arguments):
    return json.loads(ok(*arguments))


def on_disk(path):
    return path.stat().st_blocks * 512


@pytest.mark.parametrize("size, bytes_", [("16M", 16 << 20), ("1G", 1 << 30), ("8G", 8 << 30),
                                          ("1T", 1 << 40)])
def test_sizes(make, key, tmp_path, size, bytes_):
    """Sparse, whatever the size: what takes time and space is what is stored."""
    image = make(size)
    assert image.stat().st_size == bytes_ and on_disk(image) < MIB
    info = answer("image", "info", "--json", "-k", key, image)
    assert info["profile"] == "block" and info["size_bytes"] == bytes_
    listed = answer("image", "ls", "--json", "-k", key, image)["objects"]
    assert [entry["name"] for entry in listed] == ["device"]
    assert listed[0]["size_bytes"] == info["device_bytes"] < bytes_
    assert info["device_bytes"] > bytes_ * 0.8
    ok("image", "verify", "-k", key, image)
    ok("image", "export", "-k", key, image, "device", tmp_path / "plain")
    assert (tmp_path / "plain").stat().st_size == info["device_bytes"]
    assert on_disk(tmp_path / "plain") == 0
    made = answer("image", "backup", "--json", "-k", key, image, tmp_path / "backup")
    assert made["uuid"] == info["uuid"] and on_disk(tmp_path / "backup") < MIB


def content(size):
    """Data, holes, zeroes that are no holes, and an end that is no multiple of anything."""
    return (os.urandom(2 * MIB + 1000) + bytes(3 * MIB) + os.urandom(70000) + bytes(5000)
            + os.urandom(size - 5 * MIB - 76000))


def device_of(key, image):
    return ok("image", "cat", "-k", key, image, "device")


@pytest.mark.parametrize("how", ["file", "sparse", "pipe"])
def test_put_replaces_all_of_it(make, key, tmp_path, how):
    image, plain = make("32M"), content(9 * MIB + 17)
    source = tmp_path / "source"
    source.write_bytes(os.urandom(20 * MIB))
    ok("image", "put", "-k", key, image, "device", source)
    source.write_bytes(plain)
    if how == "sparse":
        subprocess.run(["fallocate", "--dig-holes", source], check=True)
    given = ["-"] if how == "pipe" else [source]
    options = {"input": plain} if how == "pipe" else {}
    done = run("image", "put", "--json", "-k", key, image, "device", *given, **options)
    assert json.loads(done.stdout) == {"status": "OK", "path": str(image), "name": "device",
                                       "size_bytes": len(plain)}
    found = device_of(key, image)
    assert found[:len(plain)] == plain and not any(found[len(plain):])
    ok("image", "export", "-k", key, image, "device", tmp_path / "plain")
    assert (tmp_path / "plain").read_bytes() == found
    assert on_disk(tmp_path / "plain") < 8 * MIB
    ok("image", "verify", "-k", key, image)


def test_zeroes_and_rm_give_space_back(make, key, tmp_path):
    image = make("32M")
    empty = answer("image", "info", "--json", "-k", key, image)["used_bytes"]
    (tmp_path / "data").write_bytes(os.urandom(15 * MIB))
    for release in (["put", "-k", key, image, "device", "/dev/null"],
                    ["rm", "-k", key, image, "device"]):
        ok("image", "put", "-k", key, image, "device", tmp_path / "data")
        full = answer("image", "info", "--json", "-k", key, image)["used_bytes"]
        assert full - empty >= 15 * MIB
        ok("image", *release)
        assert not any(device_of(key, image))
    ok("key", "add", "-k", key, "--new-recovery-key", image)  # Checkpoints.
    assert answer("image", "info", "--json", "-k", key, image)["used_bytes"] - empty < MIB // 8
    ok("image", "verify", "-k", key, image)


def test_cat_into_a_file_keeps_holes(make, key, tmp_path):
    image, plain = make("64M"), bytes(MIB) + b"x" * 4096 + bytes(4 * MIB)
    ok("image", "put", "-k", key, image, "device", "-", input=plain)
    with open(tmp_path / "out", "wb") as out:
        out.write(b"before")
        out.flush()
        subprocess.run([PROGRAM, "image", "cat", "-k", key, image, "device"], stdout=out,
                       check=True, timeout=60)
    found = (tmp_path / "out").read_bytes()
    assert found[:6] == b"before" and found[6:6 + len(plain)] == plain
    assert on_disk(tmp_path / "out") < MIB
    with open(tmp_path / "appended", "ab") as out:  # Where nothing can be skipped.
        subprocess.run([PROGRAM, "image", "cat", "-k", key, image, "device"], stdout=out,
                       check=True, timeout=60)
    assert (tmp_path / "appended").read_bytes() == found[6:]


def test_what_does_not_fit_changes_nothing(make, key, tmp_path):
    image = make("16M")
    ok("image", "put", "-k", key, image, "device", "-", input=b"text")
    os.truncate(tmp_path / "key", 32)
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 1 << 30)
    fails("TOO_LARGE", "image", "put", "-k", key, image, "device", tmp_path / "large")
    assert device_of(key, image)[:5] == b"text\0"
    fails("TOO_LARGE", "image", "put", "-k", key, image, "device", "-", input=bytes(16 * MIB))
    for command in (["cat"], ["rm"], ["put", "-"], ["export", tmp_path / "x"]):
        arguments = ["image", command[0], "-k", key, image]
        fails("NOT_FOUND", *arguments, "disk", *command[1:])
        fails("INVALID", *arguments, ".device", *command[1:])


def test_damage_is_found_and_stays_in_its_block(make, key, tmp_path):
    image, plain = make("16M"), os.urandom(4 * MIB)
    ok("image", "put", "-k", key, image, "device", "-", input=plain)
    data = bytearray(image.read_bytes())
    used = [at for at in range(260 * 4096, 8 * MIB, 4096) if any(data[at:at + 4096])]
    data[used[700] + 17] ^= 1
    image.write_bytes(data)
    done = fails("AUTH_DATA", "image", "verify", "--json", "-k", key, image)
    block = json.loads(done.stdout)["failure"]["logical_block"]
    fails("AUTH_DATA", "image", "export", "-k", key, image, "device", tmp_path / "plain")
    assert not (tmp_path / "plain").exists()
    fails("AUTH_DATA", "image", "backup", "-k", key, image, tmp_path / "backup")
    shown = run("image", "cat", "-k", key, image, "device")
    assert status_of(shown) == "AUTH_DATA" and plain.startswith(shown.stdout)
    assert len(shown.stdout) <= block * 4096
    ok("image", "put", "-k", key, image, "device", "-", input=plain)
    ok("image", "verify", "-k", key, image)  # Nothing needs the old block any more.


def test_backup_and_restore(make, key, tmp_path):
    image, plain = make("32M"), content(8 * MIB)
    ok("image", "put", "-k", key, image, "device", "-", input=plain)
    ok("image", "backup", "-k", key, image, tmp_path / "backup")
    ok("image", "rm", "-k", key, image, "device")
    ok("image", "restore", "--force", "-k", key, tmp_path / "backup", image)
    assert device_of(key, image)[:len(plain)] == plain
    ok("image", "scrub", "-k", key, image)


def test_bench_needs_an_empty_device(make, key):
    image = make("64M")
    first = answer("image", "bench", "--json", "-k", key, image)["workloads"]
    writes = {row["name"]: row for row in first}["random write 4K"]
    assert writes["operations"] <= writes["device_flushes"] < 1.2 * writes["operations"]
    assert not any(device_of(key, image))
    ok("image", "put", "-k", key, image, "device", "-", input=b"x")
    fails("EXISTS", "image", "bench", "-k", key, image)
    assert device_of(key, image)[:2] == b"x\0"


def test_usage(tmp_path, key):
    path = tmp_path / "new"
    for wrong in (["--profile", "disk"], ["--profile", "block", "--size", "8M"],
                  ["--size", "2G"], ["--profile", "block", "--size", "17T"],
                  ["--size", "8M", "--profile", "block"],
                  ["--profile", "block", "--size", "16777217"]):
        usage("image", "create", *wrong, "-k", key, path)
    assert not path.exists()
    ok("image", "create", "--profile", "block", "-k", key, path)
    assert path.stat().st_size == 1 << 30
    usage("key", "add", "-k", key, "--new-recovery-key", "--json", path)


def test_json_of_every_command(tmp_path, key):
    """What succeeds says so, in one object, as what fails does."""
    image, other = tmp_path / "state.img", tmp_path / "other"
    assert answer("key", "generate", "--json", other) == {"status": "OK", "path": str(other)}
    made = answer("image", "create", "--json", "-k", key, image)
    assert made["profile"] == "state" and made["size_bytes"] == 64 * MIB
    (tmp_path / "text").write_bytes(b"hello")
    for command, extra in ((["image", "put"], ["note", tmp_path / "text"]),
                           (["image", "export"], ["note", tmp_path / "plain"]),
                           (["image", "backup"], [tmp_path / "copy"]),
                           (["key", "add", "--new-key-file", other], []),
                           (["key", "remove", "--old-key-file", other], []),
                           (["key", "change", "--new-key-file", other], []),
                           (["image", "rm"], ["note"])):
        with_key = other if command[:2] == ["image", "rm"] else key
        said = answer(*command, "--json", "-k", with_key, image, *extra)
        assert said["status"] == "OK" and said["path"]
    done = fails("NOT_FOUND", "image", "rm", "--json", "-k", other, image, "note")
    assert json.loads(done.stdout)["status"] == "NOT_FOUND"
