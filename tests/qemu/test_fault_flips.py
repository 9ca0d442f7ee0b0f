# SPDX-License-Identifier: MIT
"""Flipped bits in what a running TPM wrote: the log and the tree.

Where a record or a node lies is found by comparing images, so these tests know nothing about the
format: every block that changed between two moments is fair game.
"""

import os
import random

import pytest

import samples
from harness import tpm, vm

BLOCK = 4096
RING_FIRST, RING_END = 4, 260
NAMED = ("AUTH_META", "AUTH_DATA", "TAMPER", "IO")
SEED = int(os.environ.get("HOLDFAST_SEED", "1"))


def blocks_of(path):
    with open(path, "rb") as file:
        content = file.read()
    return [content[at:at + BLOCK] for at in range(0, len(content), BLOCK)]


def changed(before, after):
    return [number for number, pair in enumerate(zip(before, after)) if pair[0] != pair[1]]


@pytest.fixture(scope="module")
def history(used, tmp_path_factory):
    """(path, facts, [blocks changed by commit 1, by commit 2, ...]) of a disk killed after them."""
    from conftest import copy_sparse
    folder = str(tmp_path_factory.mktemp("h"))
    path = copy_sparse(used[1], os.path.join(folder, "disk.img"))
    machine = vm.Vm(vm.VmOptions(folder=folder, disks=[vm.Disk(path)], key=used[0]))
    per_commit = []
    with machine:
        machine.serving()
        with tpm.Tpm(machine.tpm_path) as client:
            images = [blocks_of(path)]
            for number in range(6):
                client.nv_write(samples.NV_INDEX, bytes([0x61 + number]) * 40)
                images.append(blocks_of(path))
            facts = samples.read(client)
    for before, after in zip(images, images[1:]):
        per_commit.append(changed(before, after))
    return path, facts, per_commit


def boot_flipped(start, source, key, folder, block, at=100):
    from conftest import copy_sparse
    path = copy_sparse(source, os.path.join(folder, "flipped.img"))
    samples.flip_bit(path, block * BLOCK + at, 5)
    digest = samples.sha256(path)
    machine = start(disks=[path], key=key)
    machine.wait_for(r"vtpm: (serving|unavailable)")
    if not any("vtpm: unavailable" in line for line in machine.lines):
        return machine, None
    found = machine.wait_for(r"vtpm: unavailable: (\w+)")
    assert samples.response_to(machine) == tpm.RC_FAILURE
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY
    assert samples.sha256(path) == digest, "something was written"
    return machine, found.group(1)


@pytest.mark.parametrize("at", [0, 20, 60, 200, 1000])
def test_flipped_record_inside_the_log_is_tamper(start, history, used, folder, at):
    """Every record but the last is known to be durable by those after it."""
    path, _, per_commit = history
    assert all(RING_FIRST <= block < RING_END for blocks in per_commit for block in blocks)
    _, status = boot_flipped(start, path, used[0], folder, per_commit[2][0], at)
    assert status in ("TAMPER", "AUTH_META")


def test_flipped_last_record_loses_no_more_than_itself(start, history, used, folder):
    """The limit without a witness: the last record alone cannot be told from a torn write. Then the
    state is the one before it, and nothing else."""
    path, facts, per_commit = history
    machine, status = boot_flipped(start, path, used[0], folder, per_commit[-1][0])
    if status is None:
        found = samples.facts_of(machine)
        assert found.text[:40] == bytes([0x61 + 4]) * 40
        found.text = facts.text
        assert found == facts
    else:
        assert status in NAMED


@pytest.fixture(scope="module")
def settled(used, tmp_path_factory):
    """(path, facts) of a disk after checkpoints: the TPM's state lives in the tree."""
    from conftest import copy_sparse
    folder = str(tmp_path_factory.mktemp("s"))
    path = copy_sparse(used[1], os.path.join(folder, "disk.img"))
    with vm.Vm(vm.VmOptions(folder=folder, disks=[vm.Disk(path)], key=used[0])) as machine:
        machine.serving()
        with tpm.Tpm(machine.tpm_path) as client:
            for number in range(300):
                client.nv_write(samples.NV_INDEX, number.to_bytes(4, "big") * 10)
            facts = samples.read(client)
    return path, facts


def test_flips_all_over_the_volume(start, settled, used, folder):
    """A block that is in use gives a named error, a block that is not changes nothing. Never a
    fresh TPM, never other data."""
    path, facts = settled
    blocks = [n for n, content in enumerate(blocks_of(path)) if any(content)]
    allocated = [n for n in blocks if n >= RING_END]
    assert len(allocated) >= 4, "there was a checkpoint"
    choose = random.Random(SEED)
    count = 60 if os.environ.get("HOLDFAST_NIGHTLY") == "1" else 8
    outcomes = []
    for block in choose.sample(allocated, min(count, len(allocated))):
        machine, status = boot_flipped(start, path, used[0], folder, block,
                                       choose.randrange(0, BLOCK))
        outcomes.append(status)
        if status is None:
            assert samples.facts_of(machine) == facts
            machine.kill()
        else:
            assert status in NAMED, status
    print(f"seed {SEED}: {outcomes}")
    assert any(outcomes), "no flip hit anything that is in use"
