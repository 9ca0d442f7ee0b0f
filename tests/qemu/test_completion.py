# SPDX-License-Identifier: MIT
"""How the kernel waits for a device: polling, by interrupts, or both; counted, not timed. And what
interrupts that never come, or never stop, cost: time, and nothing else (docs/virtio-threats.md,
items 28 and 38)."""

import time

import pytest

import samples
from harness import control, hostile, tpm, vm

MACHINES = ("microvm", "q35")
WRITES = 10
IDLE_S = 2


def counted_writes(machine):
    """What WRITES commits and as many commands without one add to the counters."""
    with tpm.Tpm(machine.tpm_path) as client:
        client.nv_write(samples.NV_INDEX, b"warm")
        before = control.counters(machine.control_path)
        for number in range(WRITES):
            client.nv_write(samples.NV_INDEX, bytes([number]) * 32)
            client.get_random(8)
        after = control.counters(machine.control_path)
    return {name: after[name] - before[name] for name in after}


def check_work(gained):
    assert gained["volume_commits"] == WRITES
    assert gained["block_writes"] == gained["block_flushes"] == WRITES
    assert gained["tpm_commands"] == 2 * WRITES
    # A request is announced once, unless it took so long that we knocked again.
    kicks = gained["block_notifications"] + gained["block_notifications_suppressed"]
    assert kicks >= 2 * WRITES


@pytest.mark.parametrize("machine", MACHINES)
def test_interrupt_mode_sleeps_and_is_woken(start, used, used_disk, machine):
    booted = start(machine=machine, disks=[used_disk], key=used[0],
                   append="holdfast.completion=interrupt")
    booted.serving()
    gained = counted_writes(booted)
    check_work(gained)
    # Each command has to be waited for at the least.
    assert gained["sleeps"] >= WRITES
    assert gained["interrupts_device"] >= WRITES
    assert gained["interrupts_masked"] == 0


@pytest.mark.parametrize("machine", MACHINES)
def test_poll_mode_never_sleeps(start, used, used_disk, machine):
    booted = start(machine=machine, disks=[used_disk], key=used[0],
                   append="holdfast.completion=poll")
    booted.serving()
    check_work(counted_writes(booted))
    assert control.counters(booted.control_path)["sleeps"] == 0


@pytest.mark.parametrize("machine", MACHINES)
def test_adaptive_mode_sleeps_when_idle(start, used, used_disk, machine):
    booted = start(machine=machine, disks=[used_disk], key=used[0])
    booted.serving()
    gained = counted_writes(booted)
    check_work(gained)
    assert gained["sleeps"] > 0 and gained["interrupts_device"] > 0
    assert samples.shut_down(booted) == vm.EXIT_ORDERLY


def test_without_msix_the_timer_wakes(start, used, used_disk):
    """No vectors at all: every completion and every command is found by a tick."""
    booted = start(machine="q35", disks=[vm.Disk(used_disk, device="vectors=0")], key=used[0],
                   serial="vectors=0", append="holdfast.completion=interrupt holdfast.log=debug")
    booted.serving()
    assert booted.console().count(", no interrupt") == 2
    gained = counted_writes(booted)
    check_work(gained)
    assert gained["interrupts_device"] == 0
    assert gained["interrupts_timer"] > 0
    assert samples.shut_down(booted) == vm.EXIT_ORDERLY


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("lie", ["silence 0", "storm 0"])
def test_disk_that_interrupts_never_or_always(start, used, used_disk, folder, machine, lie):
    with hostile.HostileDisk(used_disk, folder, lie) as back_end:
        booted = start(machine=machine, disks=[back_end.disk], key=used[0],
                       append="holdfast.completion=interrupt")
        booted.serving()
        check_work(counted_writes(booted))
        back_end.wait_lied(lie.split()[0])
        assert samples.shut_down(booted) == vm.EXIT_ORDERLY


def test_idle_machine_hardly_wakes(start, used, used_disk):
    """By the VM's own clock; the host's share is a figure."""
    booted = start(disks=[used_disk], key=used[0])
    booted.serving()
    samples.response_to(booted)
    before, spent = control.counters(booted.control_path), booted.cpu_seconds()
    time.sleep(IDLE_S)
    spent = booted.cpu_seconds() - spent
    after = control.counters(booted.control_path)
    sleeps = after["sleeps"] - before["sleeps"]
    took_s = (after["uptime_us"] - before["uptime_us"]) / 1e6
    samples.figure(f"idle: {100 * spent / took_s:.1f} % of a host CPU, "
                   f"{sleeps / took_s:.0f} wake-ups a second")
    assert 0 < sleeps <= 50 * took_s
