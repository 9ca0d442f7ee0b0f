# SPDX-License-Identifier: MIT
"""The kernel on each kind of queue that QEMU offers, on both machines: the same service, and what
it costs, counted by the driver."""

import pytest
import samples
from harness import control, tpm

KINDS = {
    "split": {"packed": "off", "event_idx": "off", "indirect_desc": "off"},
    "split-events": {"packed": "off", "event_idx": "on", "indirect_desc": "off"},
    "split-tables": {"packed": "off", "event_idx": "on", "indirect_desc": "on"},
    "packed": {"packed": "on", "event_idx": "off", "indirect_desc": "off"},
    "packed-events": {"packed": "on", "event_idx": "on", "indirect_desc": "off"},
    "packed-tables": {"packed": "on", "event_idx": "on", "indirect_desc": "on"},
}
WRITES = 10


def properties(kind):
    """For every device of the machine, whatever its bus."""
    return [word for device in ("virtio-blk-device", "virtio-serial-device")
            for name, value in KINDS[kind].items()
            for word in ("-global", f"{device}.{name}={value}")]


def gains(start, disk, key, kind, machine="microvm"):
    """What the counters gained in WRITES commits."""
    booted = start(disks=[disk], key=key, extra=properties(kind), machine=machine)
    booted.serving()
    with tpm.Tpm(booted.tpm_path) as client:
        assert client.nv_read(samples.NV_INDEX, 4)
        client.nv_write(samples.NV_INDEX, b"warm")
        before = control.counters(booted.control_path)
        for number in range(WRITES):
            client.nv_write(samples.NV_INDEX, bytes([number]) * 32)
        after = control.counters(booted.control_path)
        assert client.nv_read(samples.NV_INDEX, 32) == bytes([WRITES - 1]) * 32
    samples.shut_down(booted)
    gained = {name: after[name] - before[name] for name in before}
    print(f"{machine} {kind}: {gained}")
    return gained


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_queue_serves(start, used_disk, used, kind):
    gained = gains(start, used_disk, used[0], kind)
    assert gained["volume_commits"] == WRITES
    assert (gained["block_writes"], gained["block_flushes"]) == (WRITES, WRITES)
    # One for each request, because each waits for the one before; a knock more if the machine was
    # so slow that the driver grew impatient.
    assert gained["block_notifications"] >= 1
    assert gained["shared_transitions"] == gained["shared_pages_leaked"] == 0


@pytest.mark.parametrize("kind", ("split-tables", "packed-tables"))
def test_queues_work_over_pci(start, used_disk, used, kind):
    gained = gains(start, used_disk, used[0], kind, machine="q35")
    assert gained["volume_commits"] == WRITES
