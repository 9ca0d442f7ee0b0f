# SPDX-License-Identifier: MIT
"""A full disk: the TPM says that it could not store; what was acknowledged stays readable."""

import os

import pytest

import samples
from harness import control, tools, tpm

SMALLEST = "8M"
PIECE_BYTES = 256 * 1024


@pytest.fixture
def full(folder, key, start):
    """(path, facts) of a disk with a TPM whose every other block is taken by another object."""
    path = os.path.join(folder, "full.img")
    tools.image_create(path, key, SMALLEST)
    machine = start(disks=[path], key=key)
    machine.serving()
    facts = samples.fill(machine)
    assert samples.shut_down(machine) == 33
    filling = os.path.join(folder, "filling")
    size, number = PIECE_BYTES, 0
    while size >= 4096 and number < 60:
        with open(filling, "wb") as file:
            file.write(os.urandom(size))
        done = tools.holdfast("image", "put", "--key-file", key, path, f"filling.{number}", filling,
                              check=False)
        number += 1
        if done.returncode != 0:
            assert "NO_SPACE" in done.stderr, done.stderr
            size //= 2
    assert size < 4096, "the disk is not full"
    return path, facts


def test_full_disk_is_said_and_loses_nothing(start, full, key):
    path, facts = full
    machine = start(disks=[path], key=key)
    machine.wait_for(r"vtpm: (serving|unavailable)")
    refused, index = None, 0x1600000
    if any("vtpm: serving" in line for line in machine.lines):
        with tpm.Tpm(machine.tpm_path) as client:
            assert samples.read(client) == facts
            for number in range(60):
                try:
                    client.nv_define(index + number, 2048)
                    client.nv_write(index + number, os.urandom(1024))
                    facts_now = number
                except tpm.TpmError as error:
                    refused = error.code
                    break
        print(f"refused after {number} indices with {refused:#x}" if refused else "never refused")
        assert refused in (tpm.RC_FAILURE, tpm.RC_NV_SPACE)
        assert "status" and control.ask_values(machine.control_path, "status")
        if refused != tpm.RC_NV_SPACE:
            machine.wait_for("NO_SPACE")  # The console may be behind the answer.
        assert facts_now is not None
    else:
        machine.wait_for(r"vtpm: unavailable: NO_SPACE")
    machine.kill()
    # Making room is all that it takes.
    for number in range(4):
        tools.holdfast("image", "rm", "--key-file", key, path, f"filling.{number}")
    machine = start(disks=[path], key=key)
    assert machine.serving() == "persistent"
    assert samples.facts_of(machine) == facts
    with tpm.Tpm(machine.tpm_path) as client:
        client.nv_write(samples.NV_INDEX, b"room again")
    machine.kill()
    tools.holdfast("image", "verify", "--key-file", key, path)
