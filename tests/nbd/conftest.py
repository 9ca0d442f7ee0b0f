# SPDX-License-Identifier: MIT
"""Fixtures: a key, and new volumes."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "tools")]
from server import Volume, ok  # noqa: E402 (the path has to be set first)


@pytest.fixture(scope="session")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("key") / "key"
    ok("key", "generate", path)
    return path


@pytest.fixture
def make_image(tmp_path, key):
    def make(size="64M", profile="state"):
        image = tmp_path / "disk.img"
        ok("image", "create", "--profile", profile, "--size", size, "-k", key, image)
        return image
    return make


@pytest.fixture
def image(make_image):
    return make_image()


@pytest.fixture(params=["state", "block"])
def volume(request, make_image, key):
    """One of each profile."""
    return Volume(make_image(profile=request.param), key, request.param)
