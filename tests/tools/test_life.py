# SPDX-License-Identifier: MIT
"""`holdfast image grow` and `holdfast key rotate`: the life of a volume after its creation."""

import json
import os

import pytest

from program import SIZE, fails, ok, usage


def info_of(image, key):
    return json.loads(ok("image", "info", "--json", "-k", key, image))


def made_anew(path, key, profile):
    ok("image", "create", "--profile", profile, "--size", "16M", "-k", key, path)
    return path


def test_grow(image, key, contents):
    before = info_of(image, key)
    answer = json.loads(ok("image", "grow", "--json", "--size", "150M", "-k", key, image))
    assert answer["status"] == "OK" and answer["size_bytes"] == 150 << 20
    assert os.path.getsize(image) == 150 << 20
    after = info_of(image, key)
    assert after["free_bytes"] - before["free_bytes"] > 140 << 20
    assert not after["growing"]
    for name, content in contents.items():
        assert ok("image", "cat", "-k", key, image, name) == content
    ok("image", "verify", "-k", key, image)
    assert b"150 MiB" in ok("image", "grow", "--size", "150M", "-k", key, image)


def test_grow_is_refused_by_name(image, key, tmp_path):
    before = image.read_bytes()
    fails("INVALID", "image", "grow", "--size", "4M", "-k", key, image)
    fails("TOO_LARGE", "image", "grow", "--size", "2G", "-k", key, image)
    ok("key", "generate", tmp_path / "other")
    fails("WRONG_KEY", "image", "grow", "--size", "16M", "-k", tmp_path / "other", image)
    usage("image", "grow", "-k", key, image)
    usage("image", "grow", "--size", "4097", "-k", key, image)
    assert image.read_bytes() == before and len(before) == SIZE


def test_grow_device(key, tmp_path):
    image = made_anew(tmp_path / "disk", key, "block")
    before = info_of(image, key)["device_bytes"]
    ok("image", "grow", "--size", "300M", "-k", key, image)
    assert info_of(image, key)["device_bytes"] > before + (200 << 20)
    ok("image", "verify", "-k", key, image)


@pytest.mark.parametrize("profile", ["state", "block"])
def test_rotate(profile, key, tmp_path):
    image = made_anew(tmp_path / "disk", key, profile)
    answer = json.loads(ok("key", "rotate", "--json", "-k", key, image))
    assert answer["status"] == "OK" and answer["key_generation"] == 2
    info = info_of(image, key)
    assert info["key_generation"] == 2 and not info["rotating"]
    ok("image", "verify", "-k", key, image)
    ok("key", "rotate", "--resume", "-k", key, image)  # There is nothing to go on with.
    assert info_of(image, key)["key_generation"] == 2


def test_rotate_keeps_contents_and_names_slots(image, key, contents, tmp_path):
    other, words = tmp_path / "other", tmp_path / "words"
    ok("key", "generate", other)
    words.write_bytes(b"correct horse\n")
    ok("key", "add", "-k", key, "--new-key-file", other, image)
    ok("key", "add", "-k", key, "--new-passphrase-file", words, image)
    before = image.read_bytes()
    refused = fails("NO_KEY", "key", "rotate", "-k", key, "--also-key-file", other, image)
    assert b": 2." in refused.stderr
    assert image.read_bytes() == before
    ok("key", "rotate", "-k", key, "--also-key-file", other, "--also-passphrase-file", words,
       image)
    for one in (["-k", key], ["-k", other], ["-p", words]):
        assert ok("image", "cat", *one, image, "a") == contents["a"]
    ok("key", "rotate", "-p", words, "--drop-others", image)
    fails("WRONG_KEY", "image", "verify", "-k", key, image)
    for name, content in contents.items():
        assert ok("image", "cat", "-p", words, image, name) == content
