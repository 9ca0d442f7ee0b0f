# SPDX-License-Identifier: MIT
"""The host sees ciphertext: no canary on the disk, none in the memory that we share with it."""

import re

import samples
from harness import qmp, tpm

# The pool's place, as the kernel logs it when it shares it.
POOL = r"sharedmem: pool (0x[0-9a-f]+)\+(0x[0-9a-f]+|\d+)"


def needles(canary):
    """The canary as it is, reversed by words, and in pieces: any of 16 bytes would tell."""
    return [canary] + [canary[i:i + 16] for i in range(0, len(canary) - 16, 8)]


def test_image_holds_no_plaintext(start, used_disk, used):
    machine = start(disks=[used_disk], key=used[0])
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        for _ in range(3):
            client.nv_write(samples.NV_INDEX, samples.CANARY)
    machine.kill()
    with open(used_disk, "rb") as file:
        image = file.read()
    with open(used[0], "rb") as file:
        assert file.read() not in image, "the key is on the disk"
    assert used[2].key_name[2:] not in image
    assert used[2].endorsement[2:] not in image
    for needle in needles(samples.CANARY):
        assert needle not in image
    assert b"permall" not in image, "an object's name is on the disk"


def test_shared_memory_holds_no_nv_plaintext(start, used_disk, used, folder):
    """The NV data crosses shared pages once, as the client's own command and answer. What must not
    be there is what the disk's path copies: so read the index never, write it through the TPM only
    as part of a restart, and look at the pages while the volume is in use."""
    machine = start(disks=[used_disk], key=used[0], qmp=True)
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        # Stores the whole state, canary included, without naming the canary on the wire.
        client.nv_increment(samples.NV_COUNTER)
    found = machine.wait_for(POOL)
    first, size = (int(text, 0) for text in found.groups())
    shared = qmp.guest_memory(machine, first, size, folder)
    assert len(shared) == size and any(shared), "the pool is in use"
    for needle in needles(samples.CANARY):
        assert needle not in shared
    with open(used[0], "rb") as file:
        assert file.read() not in shared, "the key is in shared memory"


def test_canary_search_can_find_it(start, used_disk, used, folder):
    """The control experiment: in private memory the canary is there, so the search works."""
    machine = start(disks=[used_disk], key=used[0], qmp=True)
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        client.nv_increment(samples.NV_COUNTER)
    memory = qmp.guest_memory(machine, 0, machine.options.memory_mib << 20, folder)
    assert samples.CANARY in memory


def test_log_holds_no_secret(start, used_disk, used):
    machine = start(disks=[used_disk], key=used[0], append="holdfast.log=debug")
    machine.serving()
    samples.facts_of(machine)
    text = machine.console()
    with open(used[0], "rb") as file:
        secret = file.read().hex()
    assert secret not in text.lower()
    assert not re.search(samples.CANARY[:20].decode(), text)
