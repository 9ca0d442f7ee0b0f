# SPDX-License-Identifier: MIT
"""./run --guest: the service VM, the bridge, and a Linux guest whose TPM it is, for a person."""

import os
import subprocess
import tempfile

from harness import bridge, linux_guest, tpm_guest

WELCOME = """
A Linux guest; its TPM is the service VM's. Try:
  tpm2 getrandom --hex 8
  cat /sys/class/tpm/tpm0/pcr-sha256/0
  tpm2 nvdefine 0x1500001 -s 8; echo -n 12345678 | tpm2 nvwrite 0x1500001 -i -
  tpm2 nvread 0x1500001        (now, and after the next ./run --guest)
  tpm2 eventlog /sys/kernel/security/tpm0/binary_bios_measurements
To leave: poweroff, or Ctrl-A X.
"""
SCRIPT = """
$b --install -s /bin
cat /welcome
echo 'alias poweroff="busybox poweroff -f"' > /etc/profile
export ENV=/etc/profile PS1='guest# '
setsid cttyhack sh
busybox poweroff -f
"""


def guest_command(options, folder, socket):
    """QEMU's command line, its console and monitor on ours."""
    image = os.path.join(folder, "initramfs")
    with open(image, "wb") as file:
        file.write(tpm_guest.initramfs(SCRIPT, with_tools=True,
                                       files={"welcome": WELCOME.encode()}))
    more = tpm_guest.arguments(socket)
    if options.guest == "ovmf":
        more += tpm_guest.firmware(folder)
    words = linux_guest.command(image, more, ("-M", "q35", "-m", "512"))
    words[words.index("stdio")] = "mon:stdio"
    if options.accel == "kvm":
        words[words.index("tcg,thread=multi")] = "kvm"
    return words


def boot(options, machine):
    """Until the guest ends; None if all is well, or what went wrong."""
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        try:
            with bridge.serve(machine, folder, "qemu"):
                command = guest_command(options, folder, os.path.join(folder, "qemu.sock"))
                print(f"run: booting a guest with {options.guest}; Ctrl-A X ends it", flush=True)
                code = subprocess.call(command)
        except (bridge.BridgeError, linux_guest.GuestError) as error:
            return str(error)
    return None if code == 0 else f"the guest's QEMU ended with {code}"
