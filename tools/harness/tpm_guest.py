# SPDX-License-Identifier: MIT
"""A Linux guest whose TPM is the service VM's: QEMU's q35 with '-tpmdev emulator' on the bridge."""

import os
import re
import shutil
import subprocess

from harness import linux_guest, vm

OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"
TCTI = "/usr/lib/x86_64-linux-gnu/libtss2-tcti-device.so.0"
SCRIPT_HEAD = """
$b mount -t securityfs none /sys/kernel/security
$b mkdir -p /etc /run
$b ln -s bin /usr
PATH=/bin
export PATH TPM2TOOLS_TCTI=device:/dev/tpmrm0
"""
LOG = "/sys/kernel/security/tpm0/binary_bios_measurements"


def initramfs(script, with_tools=False, files=None):
    """A guest whose init is `script`; tpm2 (multi-call) is on its path if asked for."""
    programs = [("/usr/bin/tpm2", "tpm2-tools"), (TCTI, "libtss2-tcti-device0")]
    files = dict(files or {})
    if with_tools:
        with open(linux_guest.need(TCTI, "libtss2-tcti-device0"), "rb") as file:
            files[TCTI[1:]] = file.read()
    return linux_guest.initramfs(SCRIPT_HEAD + script, programs if with_tools else [], [], files)


def arguments(socket, device="tpm-crb"):
    """QEMU's, for the TPM behind the bridge's --qemu socket."""
    return ["-chardev", f"socket,id=chrtpm,path={socket}",
            "-tpmdev", "emulator,id=tpm0,chardev=chrtpm", "-device", f"{device},tpmdev=tpm0"]


def firmware(folder):
    """QEMU's arguments for OVMF, with variables of its own."""
    code = linux_guest.need(OVMF_CODE, "ovmf")
    variables = shutil.copy(linux_guest.need(OVMF_VARS, "ovmf"), str(folder))
    return ["-drive", f"if=pflash,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,format=raw,file={variables}"]


class Guest(vm.Vm):
    """Use as a context manager, like a service VM; `folder` is its own."""

    def __init__(self, folder, archive, more, on_line=None):
        super().__init__(vm.VmOptions(folder=str(folder)), on_line)
        image = os.path.join(str(folder), "initramfs")
        with open(image, "wb") as file:
            file.write(archive)
        self._command = linux_guest.command(image, more, ("-M", "q35", "-m", "512"))

    def command(self):
        return self._command


def replay(log, folder):
    """{bank: {pcr: hex}} that `tpm2_eventlog` computes out of an event log."""
    path = os.path.join(str(folder), "eventlog")
    with open(path, "wb") as file:
        file.write(log)
    text = subprocess.run(["tpm2_eventlog", path], capture_output=True, text=True, timeout=60,
                          check=True).stdout
    banks, bank = {}, None
    for line in text[text.rindex("pcrs:"):].split("\n"):
        named = re.match(r"  (sha\d+):$", line)
        value = re.match(r"    (\d+) *: 0x([0-9a-fA-F]+)", line)
        if named:
            bank = banks.setdefault(named.group(1), {})
        elif value:
            bank[int(value.group(1))] = value.group(2).lower()
    return banks
