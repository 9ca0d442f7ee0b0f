# SPDX-License-Identifier: MIT
"""A block device that lies, while the vTPM is in use: docs/virtio-threats.md, items 16 to 43, with
QEMU's own virtio code between the liar and the kernel.

Whatever it does, a TPM command is answered, truthfully or with a named failure; the kernel neither
hangs nor panics; and what a client was told is stored is there at the next honest boot, or that
boot says by name that it is not.
"""

import pytest

import samples
from harness import hostile, tools, tpm, vm
from samples import increment, status_of

# Nothing is wrong with the answer: only with how it comes, or with memory that we never read.
HARMLESS = ("storm", "silence 20", "no-notify 3", "drip 3", "descriptors 3", "available 3")
# The first lie ends the device; by which name. All but an honest error are recovered from.
FATAL = {
    "index-ahead": "BAD_HOST", "index-back": "BAD_HOST", "id-range": "BAD_HOST",
    "id-alias": "BAD_HOST", "id-not-head": "BAD_HOST", "not-submitted": "BAD_HOST",
    "double": "BAD_HOST", "status-unset": "BAD_HOST", "status-odd": "BAD_HOST",
    "stall": "TIMEOUT",
}
# There is nobody left to recover with; and the device's own word.
FINAL = {"disconnect": "LIMIT", "status-error": "IO"}
# Told about reads while the volume is mounted.
AT_MOUNT = {
    "corrupt": ("AUTH_META", "TAMPER", "WRONG_KEY"),
    "nothing-read": ("AUTH_META", "TAMPER", "NOT_A_VOLUME", "WRONG_KEY", "BAD_HOST"),
    "early": ("AUTH_META", "TAMPER", "NOT_A_VOLUME", "WRONG_KEY", "BAD_HOST"),
    "length-long": ("BAD_HOST",),
    "length-short": ("IO", "BAD_HOST"),
}
# Told about writes: the device says OK, and the disk holds something else.
SILENT = ("drop", "misdirect", "torn")
UNTOUCHED = ("late-write", "garbage-id")


def test_every_lie_is_tried():
    tried = {line.split()[0] for line in HARMLESS} | set(FATAL) | set(FINAL) | set(AT_MOUNT)
    assert tried | set(SILENT) | set(UNTOUCHED) == set(hostile.lies())


@pytest.mark.parametrize("plain", [False, True], ids=["all-features", "plain"])
def test_harmless_lies(start, used, liar, plain):
    back_end = liar(plain=plain)
    machine = start(disks=[back_end.disk], key=used[0])
    machine.serving()
    for count, script in enumerate(HARMLESS, 1):
        back_end.lie(script)
        assert increment(machine) == 0, script
        back_end.wait_lied(script.split()[0])
        back_end.lie("honest")
        with tpm.Tpm(machine.tpm_path) as client:
            assert client.nv_counter(samples.NV_COUNTER) == used[2].counter + count
    assert status_of(machine)["state"] == "OK"
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY


def expect_acknowledged(start, disk, used, increments):
    """At the next honest boot what was acknowledged is there; what was refused may be, too."""
    honest = start(disks=[disk], key=used[0])
    honest.serving()
    with tpm.Tpm(honest.tpm_path) as client:
        count = client.nv_counter(samples.NV_COUNTER) - used[2].counter
    assert count in (increments, increments + 1)


@pytest.mark.parametrize("lie", FATAL)
def test_lie_ends_the_device_and_honesty_brings_it_back(start, used, used_disk, liar, lie):
    back_end = liar()
    machine = start(disks=[back_end.disk], key=used[0])
    machine.serving()
    assert increment(machine) == 0
    back_end.lie(lie)
    code = increment(machine)
    back_end.wait_lied(lie)
    assert code in (0, tpm.RC_FAILURE), hex(code)
    machine.wait_for("state: mounted again")
    acknowledged = 2 + (code == 0)
    assert increment(machine) == 0
    status = status_of(machine)
    assert (status["state"], status["vtpm"]) == ("OK", "OK")
    assert (status["disk_resets"], status["disk_cause"]) == (1, FATAL[lie])
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY
    assert "panic" not in machine.console()
    expect_acknowledged(start, used_disk, used, acknowledged)


@pytest.mark.parametrize("lie", FINAL)
def test_lie_that_stops_the_volume(start, used, used_disk, liar, lie):
    back_end = liar()
    machine = start(disks=[back_end.disk], key=used[0])
    machine.serving()
    assert increment(machine) == 0
    back_end.lie(lie)
    assert increment(machine) == tpm.RC_FAILURE
    if FINAL[lie] == "LIMIT":
        machine.wait_for("state: failed: LIMIT")
    assert status_of(machine)["state"] == FINAL[lie]
    # It goes on answering, and ends in order.
    assert samples.response_to(machine) == tpm.RC_FAILURE
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY
    expect_acknowledged(start, used_disk, used, 1)


@pytest.mark.parametrize("lie", AT_MOUNT)
@pytest.mark.parametrize("after", [0, 3, 9])
def test_lie_at_mount(start, used, used_disk, liar, lie, after):
    before = samples.sha256(used_disk)
    back_end = liar(f"{lie} 1 {after}")
    machine = start(disks=[back_end.disk], key=used[0])
    found = machine.wait_for(r"vtpm: serving \S+ |vtpm: unavailable: (\w+)")
    back_end.wait_lied(lie)
    if found.group(1) is None:
        # Of what is kept twice, one good copy is enough.
        assert samples.facts_of(machine) == used[2]
    else:
        assert found.group(1) in AT_MOUNT[lie]
        assert samples.response_to(machine) == tpm.RC_FAILURE
        assert samples.sha256(used_disk) == before, "something was written"
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY


@pytest.mark.parametrize("lie", SILENT)
def test_write_that_did_not_happen(start, used, used_disk, liar, lie):
    back_end = liar()
    machine = start(disks=[back_end.disk], key=used[0])
    machine.serving()
    back_end.lie(lie)
    assert increment(machine) == 0, "the device said OK"
    back_end.wait_lied(lie)
    assert increment(machine) == 0
    machine.kill()
    honest = start(disks=[used_disk], key=used[0])
    samples.expect_failed_state(honest, "TAMPER", "AUTH_META")
    verified = tools.holdfast("image", "verify", "--key-file", used[0], used_disk, check=False)
    assert verified.returncode != 0


def test_buffers_that_change_after_completion(start, used, used_disk, liar):
    """By then they are a later request's: what that one reads is wrong, and found to be."""
    before = samples.sha256(used_disk)
    back_end = liar("late-write 0")
    machine = start(disks=[back_end.disk], key=used[0])
    found = machine.wait_for(r"vtpm: serving \S+ |vtpm: unavailable: (\w+)")
    assert back_end.lied("late-write") > 0
    if found.group(1) is None:
        assert samples.facts_of(machine) == used[2]
    else:
        assert found.group(1) in ("IO", "BAD_HOST", "AUTH_META", "TAMPER", "NOT_A_VOLUME")
        assert samples.sha256(used_disk) == before, "something was written"
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY


def test_device_name_is_never_printed_raw(start, used, liar):
    back_end = liar("garbage-id 0")
    machine = start(disks=[back_end.disk], key=used[0], append="holdfast.log=debug")
    machine.serving()
    assert "\x1b" not in machine.console()
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY
