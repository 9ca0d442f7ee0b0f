# SPDX-License-Identifier: MIT
"""Fixtures: one image with some history, made once and copied for each test."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from program import copy, ok, put  # noqa: E402 (the path has to be set first)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """An image with some history: objects in the tree and in the log."""
    folder = tmp_path_factory.mktemp("made")
    key, image = folder / "key", folder / "image"
    ok("key", "generate", key)
    ok("image", "create", "--size", "8M", "--key-file", key, image)
    contents = {"vtpm0.permall": os.urandom(20000), "a": b"hello\n", "Z_9-x": b"",
                "full": os.urandom(256 * 1024)}
    for version in (b"first", b"second"):
        put(image, key, "vtpm0.permall", version * 900)
    for name, content in contents.items():
        put(image, key, name, content)
    return key, image, contents


@pytest.fixture
def key(made):
    return made[0]


@pytest.fixture
def contents(made):
    return made[2]


@pytest.fixture
def image(made, tmp_path):
    return copy(made[1], tmp_path / "image")
