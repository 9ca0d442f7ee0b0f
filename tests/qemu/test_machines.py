# SPDX-License-Identifier: MIT
"""Two machines, one kernel: microvm with virtio-mmio, q35 with a firmware and virtio-pci."""

import pytest

import samples
from harness import control, tpm, vm


def test_q35_serves_and_shuts_down(start, disk, key):
    machine = start(machine="q35", disks=[disk], key=key, append="holdfast.log=debug")
    assert machine.serving() == "persistent"
    machine.wait_for(r"devices: virtio-pci at \d+: device type 2$")
    machine.wait_for(r"devices: virtio-pci at \d+: device type 3$")
    with tpm.Tpm(machine.tpm_path) as client:
        assert len(client.get_random(8)) == 8
    assert control.counters(machine.control_path)["tpm_commands"] == 1
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY
    assert " ERROR " not in machine.console() and "skipped" not in machine.console()


def test_state_moves_between_machines(start, used, used_disk):
    """Written on microvm and killed; read and written on q35 and killed; read on microvm."""
    machine = start(machine="q35", disks=[used_disk], key=used[0])
    assert machine.serving() == "persistent"
    assert samples.facts_of(machine) == used[2]
    with tpm.Tpm(machine.tpm_path) as client:
        client.nv_write(samples.NV_INDEX, b"written over PCI")
    machine.kill()
    machine = start(disks=[used_disk], key=used[0])
    assert machine.serving() == "persistent"
    with tpm.Tpm(machine.tpm_path) as client:
        assert client.nv_read(samples.NV_INDEX, 16) == b"written over PCI"


def test_windows_that_no_firmware_placed(start, disk, key):
    """As on a machine without a firmware: the kernel finds room for every BAR."""
    machine = start(machine="q35", disks=[disk], key=key, append="holdfast.pci=place")
    assert machine.serving() == "persistent"
    with tpm.Tpm(machine.tpm_path) as client:
        client.get_random(8)


def test_disk_behind_a_bridge(start, disk, key):
    """The device is on bus 1, where only the firmware's bus numbers lead."""
    behind = ["-device", "pcie-root-port,id=slot0,chassis=1",
              "-drive", f"if=none,id=behind,format=raw,file={disk}",
              "-device", "virtio-blk-pci,drive=behind,bus=slot0"]
    machine = start(machine="q35", key=key, extra=behind, append="holdfast.log=debug")
    assert machine.serving() == "persistent"
    assert "devices: virtio-pci at 10000: device type 2" in machine.console()


@pytest.mark.parametrize("machine,disk_of", [
    ("q35", ["-device", "virtio-blk-pci,drive=old"]),
    ("microvm", ["-global", "virtio-mmio.force-legacy=true",
                 "-device", "virtio-blk-device,drive=old"])])
def test_legacy_devices_are_refused_by_name(start, disk, key, machine, disk_of):
    old = ["-drive", f"if=none,id=old,format=raw,file={disk}", *disk_of]
    booted = start(machine=machine, key=key, extra=old)
    booted.wait_for(r"devices: virtio-\w+ at .*UNSUPPORTED.*: skipped")
    booted.wait_for(r"state: failed: NO_DEVICE")


@pytest.mark.parametrize("address", ["0x4000000000000", "0x200000"],
                         ids=["beyond-the-cpu", "over-memory"])
def test_window_where_none_can_be(start, disk, key, address):
    """The host names a window: it is skipped with a word, and the others serve."""
    booted = start(disks=[disk], key=key, append=f"virtio_mmio.device=512@{address}:5")
    booted.wait_for(rf"devices: virtio-mmio at {address}: BAD_HOST: skipped")
    assert booted.serving() == "persistent"
