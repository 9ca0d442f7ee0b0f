# SPDX-License-Identifier: MIT
"""Images of earlier versions mount, hold what they held, open with each of their keys, and can be
lived on in. README.md says how they were made."""

import glob
import hashlib
import json
import lzma
import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
VECTOR = os.environ["VECTOR"]
NAMES = sorted(os.path.basename(path)[:-5] for path in glob.glob(os.path.join(HERE, "*.json")))
KEYS = {"raw": (1, b"holdfast vectors: the raw key..."),
        "passphrase": (2, b"holdfast vectors: a passphrase"),
        "recovery": (3, b"holdfast vectors: the recovery..")}


def content(size, number, version):
    """As vector.c makes it."""
    return bytes((7 * i + 13 * number + 31 * version) & 0xff for i in range(size))


def digest(size, number, version):
    return hashlib.sha256(content(size, number, version)).hexdigest()


# What a reader has to find in every image of a profile; the rest of an image's facts (UUID, epoch,
# sequence, keyslots) is in its JSON file.
OBJECTS = {name: [size, digest(size, len(name), version)] for name, size, version in (
    ("vtpm0.permall", 9000, 1), ("config", 40, 2), ("log-only", 100, 3))}
BLOCKS = {str(at): digest(4096, at, version)
          for at, version in [(3, 2), (501, 1)] + [(at, 2) for at in range(502, 511)]}


def vector(*arguments):
    done = subprocess.run([VECTOR, *map(str, arguments)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read(image, key):
    kind, bytes_ = KEYS[key]
    return json.loads(vector("read", image, kind, bytes_.hex()))


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def image(name, tmp_path):
    path = tmp_path / name
    with lzma.open(os.path.join(HERE, name + ".img.xz")) as packed:
        path.write_bytes(packed.read())
    return path


def facts(name):
    with open(os.path.join(HERE, name + ".json"), encoding="utf-8") as file:
        return json.load(file)


def test_there_are_images_of_both_profiles():
    assert {name.split("-")[0] for name in NAMES} == {"state", "block"}


@pytest.mark.parametrize("key", KEYS)
def test_holds_what_it_held(name, image, key):
    found = read(image, key)
    assert found == facts(name)
    if found["profile"] == 1:
        assert found["objects"] == OBJECTS
    else:
        assert found["blocks"] == BLOCKS


def test_reading_changes_nothing(image):
    before = image.read_bytes()
    read(image, "raw")
    assert image.read_bytes() == before


def test_goes_on(name, image):
    kind, bytes_ = KEYS["raw"]
    was = facts(name)
    vector("write", image, kind, bytes_.hex())
    now = read(image, "recovery")
    assert now["uuid"] == was["uuid"] and now["keyslots"] == was["keyslots"]
    assert now["sequence"] > was["sequence"] and now["epoch"] > was["epoch"]
    if was["profile"] == 1:
        assert now["objects"] == {**OBJECTS, "new": [5000, digest(5000, 3, 9)]}
    else:
        written = {str(at): digest(4096, at, 9) for at in range(1000, 1020)}
        assert now["blocks"] == {**BLOCKS, **written}


def test_another_key_opens_nothing(image):
    done = subprocess.run([VECTOR, "read", str(image), "1", (b"x" * 32).hex()],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "WRONG_KEY" in done.stderr
