# SPDX-License-Identifier: MIT
"""A vTPM that crashes takes neither the kernel nor its state with it, and lies about neither."""

import pytest

import samples
from harness import control, tpm, vm

CRASH_ON_GET_RANDOM = f"holdfast.vtpmd.crash_on={tpm.CC_GET_RANDOM:#x}"
CRASH_ON_NV_WRITE = f"holdfast.vtpmd.crash_on={tpm.CC_NV_WRITE:#x}"


def test_crash_is_answered_and_the_service_restarted(start, used_disk, used):
    machine = start(disks=[used_disk], key=used[0], append=CRASH_ON_GET_RANDOM)
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        before = samples.read(client)
        with pytest.raises(tpm.TpmError) as caught:
            client.get_random(8)
        assert caught.value.code == tpm.RC_FAILURE
    machine.wait_for(r"vtpm: restarted after FAULTED")
    # The state is the one on the disk: nothing was lost, nothing is new.
    assert samples.facts_of(machine) == before == used[2]
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY


def test_crash_never_gives_clean_pcrs(start, used_disk, used):
    """Else a client could measure, crash the TPM and measure something else."""
    machine = start(disks=[used_disk], key=used[0], append=CRASH_ON_GET_RANDOM)
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        clean = [client.pcr_read(index) for index in range(16)]
        client.pcr_extend(4, b"\x33" * 32)
        measured = client.pcr_read(4)
        with pytest.raises(tpm.TpmError):
            client.get_random(8)
    machine.wait_for(r"vtpm: restarted after")
    with tpm.Tpm(machine.tpm_path) as client:
        for index in range(16):
            assert client.pcr_read(index) not in (clean[index], bytes(32), measured)
        assert client.pcr_read(16) == bytes(32), "not one of the boot's PCRs"


def test_crash_before_the_commit_leaves_the_old_value(start, used_disk, used):
    machine = start(disks=[used_disk], key=used[0], append=CRASH_ON_NV_WRITE)
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        with pytest.raises(tpm.TpmError) as caught:
            client.nv_write(samples.NV_INDEX, b"never acknowledged")
        assert caught.value.code == tpm.RC_FAILURE
    machine.wait_for(r"vtpm: restarted after FAULTED")
    assert samples.facts_of(machine) == used[2]
    machine.kill()
    machine = start(disks=[used_disk], key=used[0])
    machine.serving()
    assert samples.facts_of(machine) == used[2]


def test_crash_again_and_again_ends_in_a_named_state(start, used_disk, used):
    """Either it is restarted each time, or it is given up with a name; the kernel stays."""
    machine = start(disks=[used_disk], key=used[0], append=CRASH_ON_GET_RANDOM)
    machine.serving()
    for _ in range(8):
        assert samples.response_to(machine) == tpm.RC_FAILURE
    assert "vtpm" in control.ask_values(machine.control_path, "status")
    assert "panic" not in machine.console()
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY


def test_crash_of_an_ephemeral_tpm_is_honest_too(start):
    machine = start(append="holdfast.state=ephemeral " + CRASH_ON_GET_RANDOM)
    machine.serving()
    assert samples.response_to(machine) == tpm.RC_FAILURE
    machine.wait_for(r"vtpm: (restarted after|unavailable)")
