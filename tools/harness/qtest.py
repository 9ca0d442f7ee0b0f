# SPDX-License-Identifier: MIT
"""QEMU's qtest socket beside a running guest: a host that turns registers behind its back."""

import os

from harness import vm

ADDRESS, DATA = 0xcf8, 0xcfc  # Of PCI configuration space.
CAPABILITIES = 0x34
CAPABILITY_EXPRESS = 0x10
SLOT_CONTROL = 0x18
INDICATOR_OFF, POWER_OFF = 0x300, 0x400
BAR4 = 0x20  # Where QEMU has a modern device's registers; the common ones come first.
# virtio 1.2, sections 4.1.4.3 and 4.2.2: the device's status.
PCI_STATUS, MMIO_STATUS = 0x14, 0x70


def arguments(folder):
    """For QEMU's command line."""
    path = os.path.join(folder, "qtest.sock")
    return ["-qtest", f"unix:{path},server=on,wait=off", "-qtest-log", os.devnull]


class Host:
    """Use as a context manager. The guest must not be in configuration space meanwhile."""

    def __init__(self, machine):
        self._path = os.path.join(machine.options.folder, "qtest.sock")

    def __enter__(self):
        self._socket = vm.connect(self._path, 20)
        self._answers = self._socket.makefile("r")
        return self

    def __exit__(self, *_):
        self._answers.close()
        self._socket.close()

    def _do(self, line):
        self._socket.sendall(line.encode() + b"\n")
        answer = self._answers.readline().split()
        if not answer or answer[0] != "OK":
            raise vm.VmError(f"qtest {line}: {answer}")
        return int(answer[1], 16) if len(answer) > 1 else None

    def config_read(self, device, offset):
        """32 bits of the configuration space of function 0 of a device on bus 0."""
        self._do(f"outl {ADDRESS} {1 << 31 | device << 11 | offset & ~3}")
        return self._do(f"inl {DATA}")

    def config_write16(self, device, offset, value):
        self._do(f"outl {ADDRESS} {1 << 31 | device << 11 | offset & ~3}")
        self._do(f"outw {DATA + (offset & 2)} {value}")

    def virtio_reset(self, machine, device):
        """Reset a virtio device from outside. `device`: on q35 its number, on microvm its type."""
        if machine.options.machine == "q35":
            low, high = (self.config_read(device, BAR4 + at) for at in (0, 4))
            self._do(f"writeb {(high << 32 | low & ~0xf) + PCI_STATUS} 0")
            return
        found = machine.wait_for(rf"virtio-mmio at (0x\w+): device type {device}$")
        self._do(f"writel {int(found.group(1), 16) + MMIO_STATUS} 0")

    def slot_empty(self, device):
        """Cut the power of a root port's slot: whatever is in it is gone."""
        at = self.config_read(device, CAPABILITIES) & 0xff
        while at and self.config_read(device, at) & 0xff != CAPABILITY_EXPRESS:
            at = self.config_read(device, at) >> 8 & 0xff
        if not at:
            raise vm.VmError(f"device {device} has no slot")
        control = self.config_read(device, at + SLOT_CONTROL) & 0xffff
        self.config_write16(device, at + SLOT_CONTROL, control | INDICATOR_OFF | POWER_OFF)
