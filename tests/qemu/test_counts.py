# SPDX-License-Identifier: MIT
"""Costs that do not depend on the machine: device operations, counted by the driver."""

import samples
from harness import control, tpm


def difference(machine, action):
    """What the counters gained while `action` ran."""
    before = control.counters(machine.control_path)
    action()
    after = control.counters(machine.control_path)
    return {name: after[name] - before[name] for name in before}


def test_nv_commit_is_one_write_and_one_flush(start, used_disk, used):
    machine = start(disks=[used_disk], key=used[0])
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        client.nv_write(samples.NV_INDEX, b"first of the session")
        for size in (1, 20, len(samples.CANARY)):
            gained = difference(machine, lambda size=size: client.nv_write(
                samples.NV_INDEX, bytes([size]) * size))
            assert gained["volume_commits"] == 1
            assert gained["block_writes"] == 1
            assert gained["block_flushes"] == 1
            assert gained["blocks_written"] <= 2, gained
            assert gained["block_reads"] == 0


def test_counter_increment_is_one_write_and_one_flush(start, used_disk, used):
    machine = start(disks=[used_disk], key=used[0])
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        client.nv_increment(samples.NV_COUNTER)
        gained = difference(machine, lambda: client.nv_increment(samples.NV_COUNTER))
    assert (gained["block_writes"], gained["block_flushes"]) == (1, 1)


def test_mount_of_a_clean_volume_writes_nothing(start, used_disk, used, folder):
    """The kernel mounts before it starts the vTPM, and TPM2_Startup may store. So: a mount whose
    vTPM cannot start is not at hand, and the counters tell instead."""
    machine = start(disks=[used_disk], key=used[0])
    machine.serving()
    samples.shut_down(machine)
    before = samples.sha256(used_disk)
    machine = start(disks=[used_disk], key=used[0])
    machine.wait_for(r"state: mounted")
    machine.serving()
    values = control.counters(machine.control_path)
    print(f"after a clean boot: {values}")
    # What was written is what TPM2_Startup stored: commits, not the mount.
    assert values["block_writes"] == values["volume_commits"]
    machine.kill()
    if values["volume_commits"] == 0:
        assert samples.sha256(used_disk) == before


def test_commands_that_store_nothing_cost_no_device_operation(start, used_disk, used):
    machine = start(disks=[used_disk], key=used[0])
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        client.get_random(8)

        def many():
            for _ in range(10):
                client.get_random(32)
                client.pcr_extend(16, b"\x22" * 32)
        gained = difference(machine, many)
    assert gained["tpm_commands"] == 20
    assert gained["block_writes"] == gained["block_reads"] == gained["block_flushes"] == 0


def test_no_visibility_change_per_operation(start, used_disk, used):
    machine = start(disks=[used_disk], key=used[0])
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        client.nv_write(samples.NV_INDEX, b"warm")

        def many():
            for number in range(20):
                client.nv_write(samples.NV_INDEX, bytes([number]) * 32)
        gained = difference(machine, many)
    assert gained["shared_transitions"] == 0
    assert gained["shared_pages"] == 0
    assert gained["shared_bytes_copied"] > 0
    assert gained["volume_commits"] == 20
