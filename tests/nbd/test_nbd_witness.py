# SPDX-License-Identifier: MIT
"""The freshness witness of a volume that is served: it is told without a checkpoint, by a timer."""

import json
import os
import time

import nbd
import pytest

from server import Server, ok, refused

BLOCK = 4096
DEADLINE_S = 30


@pytest.fixture(params=["block", "state"])
def served(request, tmp_path, key):
    """(image, witness, parameters) of a volume that tells its witness at checkpoints only."""
    image, witness = tmp_path / "disk.img", tmp_path / "witness"
    ok("image", "create", "--profile", request.param, "--size", "32M", "-k", key,
       "--witness", witness, "--policy", "open", image)
    object_ = ["object=disk", "size=1M"] if request.param == "state" else []
    return image, witness, [f"witness={witness}", *object_]


def connect(server):
    handle = nbd.NBD()
    handle.connect_uri(server.uri)
    return handle


def known(witness):
    """The sequence that the witness has."""
    return json.loads(ok("witness", "show", "--json", witness))["volumes"][0]["sequence"]


def wait_for(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_what_was_flushed_is_known_soon(tmp_path, served, key):
    image, witness, parameters = served
    with Server(tmp_path, image, key, *parameters, "witness-sync=1") as server:
        disk = connect(server)
        wait_for(lambda: known(witness) > 0, server.log())
        before = known(witness)
        disk.pwrite(b"\x5a" * BLOCK, 0)
        disk.flush()
        wait_for(lambda: known(witness) > before, server.log())
        server.kill()
    # The copy of another moment is found out, and this one is not.
    info = json.loads(ok("image", "info", "--json", "-k", key, "--witness", witness, image))
    assert info["freshness"] == "anchored" and info["sequence"] == known(witness)


def test_what_was_only_written_is_committed_for_it(tmp_path, served, key):
    image, witness, parameters = served
    with Server(tmp_path, image, key, *parameters, "witness-sync=1") as server:
        disk = connect(server)
        disk.pwrite(b"\x5a" * BLOCK, 0)
        disk.flush()
        disk.pwrite(b"\xa5" * BLOCK, 0)  # The volume is in a transaction when it is time.
        before = known(witness)
        wait_for(lambda: known(witness) > before, server.log())
        assert disk.pread(BLOCK, 0) == b"\xa5" * BLOCK
        server.kill()
    ok("image", "verify", "-k", key, image)


def test_a_witness_that_is_away_is_named_once(tmp_path, served, key):
    image, witness, parameters = served
    with Server(tmp_path, image, key, *parameters, "witness-sync=1") as server:
        disk = connect(server)
        before = known(witness)
        os.rename(witness, tmp_path / "away")
        disk.pwrite(b"\x5a" * BLOCK, 0)
        disk.flush()
        wait_for(lambda: "witness: UNANCHORED: " in server.log(), "nothing in the log")
        disk.pwrite(b"\xa5" * BLOCK, 0)  # An open volume goes on.
        disk.flush()
        os.rename(tmp_path / "away", witness)
        wait_for(lambda: known(witness) > before, server.log())
        assert server.log().count("witness: UNANCHORED: ") == 1
        disk.shutdown()


def test_parameters(tmp_path, served, key):
    image, _, parameters = served
    assert "witness=" in refused(image, key, "witness-sync=1")
    assert "at most 86400" in refused(image, key, *parameters, "witness-sync=86401")
    assert "witness-sync" in refused(image, key, *parameters, "witness-sync=soon")
    with Server(tmp_path, image, key, *parameters, "witness-sync=0") as server:
        assert connect(server).get_size() > 0
