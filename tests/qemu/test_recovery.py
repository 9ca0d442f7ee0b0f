# SPDX-License-Identifier: MIT
"""A disk that dies while the vTPM is in use, and what it may come back with: it is reset and its
volume mounted again by comparing it with what the kernel remembers, three times a boot at most.

A command that was running is answered with a failure, whatever became of it on the disk. What was
acknowledged is there, after the recovery and after the next boot, or the volume stops by name. Each
single lie is told in test_hostile_disk.py; these are about what comes after.
"""

import os
import shutil

import pytest

import samples
from harness import control, qtest, tools, tpm, tpm_control, vm
from samples import counter_of, increment, status_of

RESETS_MAX = 3
VIRTIO_BLK = 2  # The type of a block device.
SLOT = 6  # Where it is on q35's bus 0, to be found again.


def copy_of(image, name):
    return shutil.copy(image, os.path.join(os.path.dirname(image), name))


def expect_stopped(machine, name, resets):
    """The volume stopped for the rest of this boot, by this name; it says so everywhere."""
    found = machine.wait_for(r"state: failed: (\w+): (.+)")
    assert found.group(1) == name and len(found.group(2)) > 10
    machine.wait_for(f"vtpm: unavailable: {name}")
    status = status_of(machine)
    assert status["state"] == status["vtpm"] == name
    assert status["disk_resets"] == resets
    assert samples.response_to(machine) == tpm.RC_FAILURE
    assert "panic" not in machine.console()
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY


@pytest.mark.parametrize("machine", ["microvm", "q35"])
@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_each_moment_of_a_commit(start, used, used_disk, liar, machine, after):
    """The lie is about the record's write, about its flush, or about the same of a next commit. Two
    in a row, and the machine is killed: nothing depends on an orderly end."""
    back_end = liar()
    booted = start(machine=machine, disks=[back_end.disk], key=used[0])
    booted.serving()
    acknowledged, refused = used[2].counter, 0
    for turn in (1, 2):
        back_end.lie(f"status-odd 1 {after}")
        codes = [increment(booted) for _ in range(2)]
        assert set(codes) <= {0, tpm.RC_FAILURE} and codes.count(tpm.RC_FAILURE) == 1, codes
        booted.wait_count("state: mounted again", turn)
        acknowledged, refused = acknowledged + 1, refused + 1
        # A refused one may have been carried out; each acknowledged one was.
        assert acknowledged <= counter_of(booted) <= acknowledged + refused
        assert status_of(booted)["disk_resets"] == turn
    counter = counter_of(booted)
    assert status_of(booted)["state"] == status_of(booted)["vtpm"] == "OK"
    assert status_of(booted)["disk_cause"] == "BAD_HOST"
    facts = samples.facts_of(booted)
    assert facts.endorsement == used[2].endorsement and facts.key_name == used[2].key_name
    booted.kill()
    again = start(disks=[used_disk], key=used[0])
    assert again.serving() == "persistent"
    assert samples.facts_of(again) == facts and counter_of(again) == counter


def test_what_an_open_session_is_told(start, used, liar):
    """A client that stays connected: a failure for the command that was cut, then answers."""
    back_end = liar()
    machine = start(disks=[back_end.disk], key=used[0])
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        client.nv_increment(samples.NV_COUNTER)
        before = client.nv_counter(samples.NV_COUNTER)
        back_end.lie("id-range")
        with pytest.raises(tpm.TpmError) as refused:
            client.nv_increment(samples.NV_COUNTER)
        assert refused.value.code == tpm.RC_FAILURE
        assert client.nv_counter(samples.NV_COUNTER) - before in (0, 1)
        client.nv_increment(samples.NV_COUNTER)
        assert len(client.get_random(8)) == 8
    machine.wait_for("vtpmd: PCRs capped")
    # It ended before anybody looked at the disk again: what it had in memory is gone.
    assert machine.console().index("vtpm: suspended: BAD_HOST") < \
        machine.console().index("state: the disk was given up")


@pytest.mark.parametrize("machine,disk_of,which", [
    ("microvm", "", VIRTIO_BLK), ("q35", f"addr={SLOT}", SLOT)])
def test_an_idle_disk_that_was_reset(start, used, used_disk, folder, machine, disk_of, which):
    """Nothing was on its way, so the TPM goes on with all that it has in memory."""
    booted = start(machine=machine, disks=[vm.Disk(used_disk, device=disk_of)], key=used[0],
                   append="holdfast.log=debug", extra=qtest.arguments(folder))
    booted.serving()
    with tpm.Tpm(booted.tpm_path) as client:
        client.nv_increment(samples.NV_COUNTER)
        client.pcr_extend(4, b"\x33" * 32)
        measured = client.pcr_read(4)
        handle, _ = client.create_primary()
        with qtest.Host(booted) as host:
            for turn in range(1, RESETS_MAX + 1):
                host.virtio_reset(booted, which)
                booted.wait_count("state: mounted again", turn)
                client.nv_increment(samples.NV_COUNTER)
        assert client.pcr_read(4) == measured
        client.flush_context(handle)
        assert client.nv_counter(samples.NV_COUNTER) == used[2].counter + 1 + RESETS_MAX
    status = status_of(booted)
    assert (status["state"], status["vtpm"], status["disk_resets"]) == ("OK", "OK", RESETS_MAX)
    counters = control.counters(booted.control_path)
    assert counters["tpm_restarts"] == counters["shared_pages_leaked"] == 0
    booted.kill()
    again = start(disks=[used_disk], key=used[0])
    again.serving()
    assert counter_of(again) == used[2].counter + 1 + RESETS_MAX


def test_a_tpm_without_power_stays_without(start, used, used_disk, folder):
    """The disk comes back, and nobody switched the TPM on."""
    machine = start(disks=[used_disk], key=used[0], append="holdfast.log=debug",
                    extra=qtest.arguments(folder))
    machine.serving()
    assert increment(machine) == 0
    with tpm_control.TpmControl(machine.tpm_control_path) as power, qtest.Host(machine) as host:
        power.power_off()
        host.virtio_reset(machine, VIRTIO_BLK)
        machine.wait_for("state: mounted again")
        assert power.status().power == "off"
        assert increment(machine) == tpm.RC_FAILURE
        power.power_on(tpm_control.STARTUP)
        assert counter_of(machine) == used[2].counter + 1
        assert power.counters()["restarts"] == 0


@pytest.mark.parametrize("after", [0, 1])
def test_a_lie_while_the_tpm_starts(start, used, liar, after):
    """Its startup is a commit. Cut there, it starts again when the disk is back."""
    back_end = liar()
    machine = start(disks=[back_end.disk], key=used[0])
    machine.serving()
    assert increment(machine) == 0
    with tpm_control.TpmControl(machine.tpm_control_path) as power:
        power.power_off()
        back_end.lie(f"id-range 1 {after}")
        with pytest.raises(tpm_control.ControlError) as refused:
            power.power_on(tpm_control.STARTUP)
        assert refused.value.name == "UNAVAILABLE"
        machine.wait_for("vtpm: restarted after BAD_HOST")
        assert increment(machine) == 0
        assert power.status().power == "on"
    assert (status_of(machine)["state"], status_of(machine)["vtpm"]) == ("OK", "OK")


def test_a_device_that_lies_again_and_again(start, used, used_disk, liar):
    back_end = liar()
    machine = start(disks=[back_end.disk], key=used[0])
    machine.serving()
    assert increment(machine) == 0
    back_end.lie("id-range 0")
    assert increment(machine) == tpm.RC_FAILURE
    expect_stopped(machine, "LIMIT", RESETS_MAX)
    assert machine.console().count("opened again") == RESETS_MAX
    assert back_end.lied("id-range") == 1 + RESETS_MAX
    honest = start(disks=[used_disk], key=used[0])
    honest.serving()
    assert counter_of(honest) - used[2].counter in (1, 2)


def test_exit_instead_of_refusals(start, used, liar):
    """As ./run asks for it."""
    back_end = liar()
    machine = start(disks=[back_end.disk], key=used[0], append="holdfast.on_failure=exit")
    machine.serving()
    back_end.lie("id-range 0")
    assert increment(machine) == tpm.RC_FAILURE
    assert machine.wait_exit(30) == vm.state_failure_exit("LIMIT")


def test_the_resets_of_one_boot_are_counted_together(start, used, liar):
    """Honest in between, and again it does not come back a fourth time."""
    back_end = liar()
    machine = start(disks=[back_end.disk], key=used[0])
    machine.serving()
    for turn in range(1, RESETS_MAX + 1):
        back_end.lie("id-range")
        assert increment(machine) == tpm.RC_FAILURE
        machine.wait_count("state: mounted again", turn)
        assert increment(machine) == 0
        assert status_of(machine)["disk_resets"] == turn
    back_end.lie("id-range")
    assert increment(machine) == tpm.RC_FAILURE
    expect_stopped(machine, "LIMIT", RESETS_MAX)


def other_history(start, image, key, increments):
    """Another VM has the disk for a while, and the host kept what it made of it."""
    other = start(disks=[image], key=key)
    other.serving()
    for _ in range(increments):
        assert increment(other) == 0
    other.kill()


@pytest.mark.parametrize("what", ["same", "older", "fork", "longer", "volume"])
def test_what_the_disk_comes_back_with(start, used, used_disk, liar, what):
    """Another image after the reset: only the one that this boot knows will do."""
    key = used[0]
    back_end = liar()
    presented = copy_of(used_disk, "other.img")
    if what == "volume":
        os.unlink(presented)
        tools.image_create(presented, key)
    elif what in ("fork", "longer"):
        other_history(start, presented, key, 1 if what == "fork" else 3)
    machine = start(disks=[back_end.disk], key=key)
    machine.serving()
    assert increment(machine) == 0
    if what == "same":
        presented = copy_of(used_disk, "same.img")
    before = samples.sha256(presented)
    back_end.present(presented)
    back_end.lie("id-range")
    assert increment(machine) == tpm.RC_FAILURE
    if what == "same":
        machine.wait_for("state: mounted again")
        assert counter_of(machine) == used[2].counter + 1
        assert increment(machine) == 0
        assert samples.shut_down(machine) == vm.EXIT_ORDERLY
    else:
        expect_stopped(machine, "ROLLBACK" if what == "older" else "FORK", 1)
        assert samples.sha256(presented) == before, "something was written"
    assert "swapped" in back_end.said()
