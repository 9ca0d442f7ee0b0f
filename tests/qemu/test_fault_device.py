# SPDX-License-Identifier: MIT
"""Devices that fail, change and vanish while the vTPM is in use: what QEMU's blkdebug, monitor and
reset can do to it. A TPM command is answered, truthfully or with a failure; the error has a name;
the next boot finds what was acknowledged."""

import os
import shutil

import pytest

import samples
from harness import qmp, qtest, tools, tpm, vm
from samples import counter_of, increment, status_of

MACHINES = ("microvm", "q35")
SLOT = 5  # Of the root port that a disk is pulled out of.


def state_of(machine):
    return status_of(machine)["state"]


def monitor(machine, line):
    return qmp.execute(machine, "human-monitor-command", **{"command-line": line})


def failing(path, *rules):
    """The image behind blkdebug, whose properties `rules` are; the raw driver above it is what
    tells it of events."""
    debug = ["driver=blkdebug", "image.driver=file", f"image.filename={path}", *rules]
    node = "driver=raw,node-name=n0," + ",".join("file." + rule for rule in debug)
    return vm.Disk(path, node=node)


def counting_flushes(count):
    """blkdebug's state becomes count + 1 after so many flushes."""
    return [rule for n in range(count) for rule in (
        f"set-state.{n}.event=flush_to_disk", f"set-state.{n}.state={n + 1}",
        f"set-state.{n}.new_state={n + 2}")]


def fail_all(kind, event="none", state=0):
    """Every request of the kind fails, always or from an event in a state on."""
    return [f"inject-error.0.event={event}", f"inject-error.0.state={state}",
            f"inject-error.0.iotype={kind}", "inject-error.0.errno=5"]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("kind,event", [("write", "write_aio"), ("flush", "flush_to_disk")])
def test_disk_that_fails_in_use(start, used, used_disk, machine, kind, event):
    """After a few good flushes, each request of the kind fails."""
    rules = counting_flushes(6) + fail_all(kind, event, 7)
    booted = start(machine=machine, disks=[failing(used_disk, *rules)], key=used[0])
    booted.serving()
    codes = [increment(booted) for _ in range(10)]
    assert codes[0] == 0 and codes[-1] == tpm.RC_FAILURE, codes
    assert codes == sorted(codes), "it came back"
    assert state_of(booted) == "IO"
    assert samples.shut_down(booted) == vm.EXIT_ORDERLY
    again = start(disks=[used_disk], key=used[0])
    assert again.serving() == "persistent"
    # The one that failed was in flight: it may be there.
    acknowledged = used[2].counter + codes.count(0)
    assert counter_of(again) in (acknowledged, acknowledged + 1)


@pytest.mark.parametrize("machine", MACHINES)
def test_disk_that_cannot_be_read(start, used, used_disk, machine):
    before = samples.sha256(used_disk)
    booted = start(machine=machine, disks=[failing(used_disk, *fail_all("read"))], key=used[0])
    samples.expect_failed_state(booted, "IO")
    assert samples.sha256(used_disk) == before


@pytest.mark.parametrize("machine", MACHINES)
def test_disk_that_grows_in_use(start, used, used_disk, machine):
    booted = start(machine=machine, disks=[used_disk], key=used[0], qmp=True)
    booted.serving()
    assert increment(booted) == 0
    qmp.execute(booted, "block_resize", device="d0", size=96 << 20)
    assert increment(booted) == 0
    booted.wait_for("virtio_blk: a change of the configuration is ignored")
    assert state_of(booted) == "OK"
    booted.kill()
    again = start(disks=[used_disk], key=used[0])
    again.serving()
    assert counter_of(again) == used[2].counter + 2


@pytest.mark.parametrize("machine", MACHINES)
def test_disk_that_is_taken_away(start, used, used_disk, machine):
    """drive_del: the device stays and fails every request."""
    booted = start(machine=machine, disks=[used_disk], key=used[0], qmp=True)
    booted.serving()
    assert increment(booted) == 0
    monitor(booted, "drive_del d0")
    assert increment(booted) == tpm.RC_FAILURE
    assert state_of(booted) == "IO"
    assert samples.shut_down(booted) == vm.EXIT_ORDERLY
    again = start(disks=[used_disk], key=used[0])
    again.serving()
    assert counter_of(again) - used[2].counter in (1, 2)


def test_unplug_that_nobody_answers(start, used, used_disk):
    """QEMU asks the guest to let its disk go; this guest does not listen, and keeps it."""
    slot = ["-device", "pcie-root-port,id=slot0,chassis=1"]
    booted = start(machine="q35", disks=[vm.Disk(used_disk, device="bus=slot0,id=state")],
                   key=used[0], extra_first=slot, qmp=True)
    booted.serving()
    qmp.execute(booted, "device_del", id="state")
    assert increment(booted) == 0
    assert state_of(booted) == "OK"
    assert samples.shut_down(booted) == vm.EXIT_ORDERLY


@pytest.mark.parametrize("is_idle", [True, False], ids=["idle", "in-use"])
def test_disk_that_is_pulled_out(start, used, used_disk, folder, is_idle):
    """The power of its slot is cut, unasked: known at once, also if nobody wants anything of it."""
    slot = ["-device", f"pcie-root-port,id=slot0,chassis=1,addr={SLOT}"]
    booted = start(machine="q35", disks=[vm.Disk(used_disk, device="bus=slot0,id=state")],
                   key=used[0], extra_first=slot, extra=qtest.arguments(folder))
    booted.serving()
    assert increment(booted) == 0
    with qtest.Host(booted) as host:
        host.slot_empty(SLOT)
    if is_idle:
        booted.wait_for("state: failed: NO_DEVICE")
    assert increment(booted) == tpm.RC_FAILURE
    booted.wait_for("vtpm: unavailable: NO_DEVICE")
    status = status_of(booted)
    assert (status["state"], status["vtpm"]) == ("NO_DEVICE", "NO_DEVICE")
    assert (status["disk_resets"], status["disk_cause"]) == (0, "BAD_HOST")
    assert samples.shut_down(booted) == vm.EXIT_ORDERLY
    again = start(disks=[used_disk], key=used[0])
    again.serving()
    assert counter_of(again) - used[2].counter in (1, 2)


@pytest.mark.parametrize("machine", MACHINES)
def test_control_port_that_is_pulled(start, used, used_disk, machine):
    """A port of the serial device goes without asking; the other one goes on."""
    booted = start(machine=machine, disks=[used_disk], key=used[0], qmp=True)
    booted.serving()
    assert state_of(booted) == "OK"
    qmp.execute(booted, "device_del", id="port2")
    for _ in range(3):
        assert increment(booted) == 0
    booted.kill()
    again = start(disks=[used_disk], key=used[0])
    again.serving()
    assert counter_of(again) == used[2].counter + 3


@pytest.mark.parametrize("machine", MACHINES)
def test_reset_in_use(start, used, used_disk, machine):
    """The whole machine, in the middle of a session: it boots again, with everything."""
    booted = start(machine=machine, disks=[used_disk], key=used[0], qmp=True,
                   extra=["-action", "reboot=reset"])
    booted.serving()
    for count in (1, 2):
        assert increment(booted) == 0
        qmp.execute(booted, "system_reset")
        booted.wait_count("vtpm: serving", count + 1)
        assert counter_of(booted) == used[2].counter + count
    assert "ERROR" not in booted.console()


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("stranger_first", [False, True])
def test_twins_beside_a_stranger(start, used, used_disk, folder, machine, stranger_first):
    """Two disks with one UUID are refused wherever they are plugged in; the third is no way out."""
    twin = shutil.copy(used_disk, os.path.join(folder, "twin.img"))
    other = os.path.join(folder, "other.img")
    tools.image_create(other, used[0])
    disks = [other, used_disk, twin] if stranger_first else [used_disk, other, twin]
    before = [samples.sha256(path) for path in disks]
    booted = start(machine=machine, disks=disks, key=used[0])
    samples.expect_failed_state(booted, "DUPLICATE_VOLUME")
    assert [samples.sha256(path) for path in disks] == before


def test_volume_by_name(start, used, used_disk, folder):
    """Two volumes: none without a word, the named one with it, none if the word names another."""
    other = os.path.join(folder, "other.img")
    tools.image_create(other, used[0])
    disks, before = [other, used_disk], samples.sha256(other)
    booted = start(machine="q35", disks=disks, key=used[0])
    samples.expect_failed_state(booted, "BAD_CONFIG")
    wanted = tools.volume_uuid(used_disk)
    booted = start(machine="q35", disks=disks, key=used[0], append=f"holdfast.disk={wanted}")
    assert booted.serving() == "persistent"
    assert samples.facts_of(booted) == used[2]
    assert f"mounted volume {wanted}" in booted.console()
    assert samples.shut_down(booted) == vm.EXIT_ORDERLY
    assert samples.sha256(other) == before, "the other disk was written to"
    booted = start(disks=disks, key=used[0],
                   append="holdfast.disk=00000000-0000-0000-0000-000000000000")
    samples.expect_failed_state(booted, "NO_DEVICE")


@pytest.mark.parametrize("machine", MACHINES)
def test_host_entropy_only_adds(start, machine):
    """A device of zeroes: TPMs made from it still differ."""
    seen = set()
    for _ in range(2):
        zeroes = ["-object", "rng-random,id=zero,filename=/dev/zero",
                  *vm.device(vm.VmOptions(folder="", machine=machine), "rng", "rng=zero")]
        booted = start(machine=machine, extra=zeroes,
                       append="holdfast.state=ephemeral holdfast.log=debug")
        booted.serving()
        booted.wait_for("entropy: 64 bytes of the host's device: OK")
        with tpm.Tpm(booted.tpm_path) as client:
            seen.add(client.get_random(32))
            seen.add(client.endorsement_name())
        booted.kill()
    assert len(seen) == 4
