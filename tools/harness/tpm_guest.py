# SPDX-License-Identifier: MIT
"""A Linux guest whose TPM is the service VM's: QEMU's q35 with '-tpmdev emulator' on the bridge."""

import base64
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
# Defines `report`, which says what check_report() wants to hear.
REPORT = f"""
report() {{
echo report-begin
for bank in sha256 sha384; do for pcr in $($b seq 0 23); do
read value < /sys/class/tpm/tpm0/pcr-$bank/$pcr; echo "pcr $bank $pcr $value"; done; done
echo log-begin; $b base64 {LOG}; echo log-end
}}
"""
# What OVMF and Linux need to come up; QEMU fills in less, and the firmware maps less, than by
# default.
MACHINE = ("-M", "q35", "-m", "256")


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


def octal(data):
    """Bytes for a guest's printf(1)."""
    return "".join(f"\\{byte:03o}" for byte in data)


class Guest(vm.Vm):
    """Use as a context manager, like a service VM; `folder` is its own. A reset is its end, unless
    it `reboots`. Without a kernel it is firmware that finds nothing to boot."""

    def __init__(self, folder, archive, more, reboots=False, kernel=True):
        super().__init__(vm.VmOptions(folder=str(folder)))
        image = os.path.join(str(folder), "initramfs")
        with open(image, "wb") as file:
            file.write(archive)
        self._command = linux_guest.command(image, more, MACHINE)
        if reboots:
            self._command.remove("-no-reboot")
        if not kernel:
            del self._command[self._command.index("-kernel"):self._command.index("-append") + 2]

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


def check_report(console, folder):
    """The last report of a guest: its event log's replay is what its PCRs hold."""
    report = console[console.rindex("report-begin"):]
    pcrs = {(bank, int(pcr)): value.lower() for bank, pcr, value in
            re.findall(r"pcr (sha\d+) (\d+) ([0-9A-F]+)", report)}
    assert len(pcrs) == 48, report
    log = base64.b64decode(report[report.index("log-begin") + 9:report.index("log-end")])
    banks = replay(log, folder)
    assert set(banks) == {"sha256", "sha384"}
    for bank, replayed in banks.items():
        assert set(replayed) >= set(range(8)), replayed
        for pcr, value in replayed.items():
            assert pcrs[bank, pcr] == value, f"PCR {pcr} of {bank} is not what the event log says"
            assert int(value, 16) != 0
