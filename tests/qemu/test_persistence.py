# SPDX-License-Identifier: MIT
"""What was acknowledged is there after a kill, a shutdown, a restore."""

import shutil

import samples
from harness import control, tpm, vm


def test_state_survives_sigkill(start, disk, key):
    machine = start(disks=[disk], key=key)
    machine.serving()
    before = samples.fill(machine)
    with tpm.Tpm(machine.tpm_path) as client:
        client.pcr_extend(7, b"\x11" * 32)
        assert client.pcr_read(7) != bytes(32)
    machine.kill()
    machine = start(disks=[disk], key=key)
    assert machine.serving() == "persistent"
    assert samples.facts_of(machine) == before
    with tpm.Tpm(machine.tpm_path) as client:
        assert client.pcr_read(7) == bytes(32)
        client.nv_increment(samples.NV_COUNTER)
        assert client.nv_counter(samples.NV_COUNTER) == before.counter + 1


def test_state_survives_shutdown(start, used_disk, used):
    for _ in range(2):
        machine = start(disks=[used_disk], key=used[0])
        assert machine.serving() == "persistent"
        assert samples.facts_of(machine) == used[2]
        assert samples.shut_down(machine) == vm.EXIT_ORDERLY


def test_orderly_shutdown_leaves_no_failed_try(start, used_disk, used):
    """TPM2_Shutdown is sent for the client that forgot it."""
    machine = start(disks=[used_disk], key=used[0])
    machine.serving()
    samples.facts_of(machine)
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY
    machine = start(disks=[used_disk], key=used[0])
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        assert client.lockout_counter() == 0
        assert not client.in_lockout()


def test_undefined_index_stays_undefined(start, used_disk, used):
    machine = start(disks=[used_disk], key=used[0])
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        client.nv_undefine(samples.NV_INDEX)
    machine.kill()
    machine = start(disks=[used_disk], key=used[0])
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        assert samples.NV_INDEX not in client.handles(0x1000000)
        assert samples.NV_COUNTER in client.handles(0x1000000)


def test_full_nv_survives(start, disk, key):
    """The largest state there is: NV filled until the TPM says no."""
    machine = start(disks=[disk], key=key)
    machine.serving()
    defined = 0
    with tpm.Tpm(machine.tpm_path) as client:
        try:
            for number in range(200):
                client.nv_define(0x1600000 + number, 2048)
                client.nv_write(0x1600000 + number, bytes([number]) * 1024, 1024)
                defined = number + 1
        except tpm.TpmError as error:
            assert error.code == tpm.RC_NV_SPACE
    assert defined >= 8
    machine.kill()
    machine = start(disks=[disk], key=key)
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        for number in range(defined):
            assert client.nv_read(0x1600000 + number, 16, 2032) == bytes([number]) * 16


def test_many_checkpoints_later(start, disk, key):
    """Enough commits to go around the 1 MiB log ring, then a kill."""
    commits = 400
    machine = start(disks=[disk], key=key)
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        client.nv_define(samples.NV_INDEX, 512)
        for number in range(commits):
            client.nv_write(samples.NV_INDEX, number.to_bytes(4, "big") * 128)
    counted = control.counters(machine.control_path)
    assert counted["volume_checkpoints"] >= 2
    machine.kill()
    machine = start(disks=[disk], key=key)
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        assert client.nv_read(samples.NV_INDEX, 512) == (commits - 1).to_bytes(4, "big") * 128


def test_older_copy_of_the_whole_image_mounts(start, used_disk, used, folder):
    """The documented limit: without a freshness witness an older image is an honest image."""
    older = f"{folder}/older.img"
    shutil.copy(used_disk, older)
    machine = start(disks=[used_disk], key=used[0])
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        client.nv_write(samples.NV_INDEX, b"newer than the copy".ljust(len(samples.CANARY)))
        client.nv_increment(samples.NV_COUNTER)
    machine.kill()
    machine = start(disks=[older], key=used[0])
    assert machine.serving() == "persistent"
    assert samples.facts_of(machine) == used[2]
