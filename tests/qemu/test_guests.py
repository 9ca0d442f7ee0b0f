# SPDX-License-Identifier: MIT
"""Unmodified guests on the service VM's TPM: measured boot, sealing, and what a kill does."""

import base64
import os
import re
import select
import subprocess
import time

import pytest
from harness import bridge, build, tpm, tpm_guest

# OVMF under emulation, on a machine with other work.
BOOT_S = 240
END_S = 60

MEASURED = f"""
for bank in sha256 sha384; do for pcr in $($b seq 0 23); do
echo "pcr $bank $pcr $($b cat /sys/class/tpm/tpm0/pcr-$bank/$pcr)"; done; done
echo log-begin; $b base64 {tpm_guest.LOG}; echo log-end
$b poweroff -f
"""
SEAL = """
echo -n "a secret" > /tmp/secret
tpm2 createprimary -Q -C o -G ecc -c /tmp/srk.ctx
tpm2 evictcontrol -Q -c /tmp/srk.ctx 0x81000100
tpm2 pcrread -Q -o /tmp/pcrs sha256:0,7
tpm2 createpolicy -Q --policy-pcr -l sha256:0,7 -f /tmp/pcrs -L /tmp/policy
tpm2 create -Q -C 0x81000100 -L /tmp/policy -i /tmp/secret -u /tmp/pub -r /tmp/priv
tpm2 load -Q -C 0x81000100 -u /tmp/pub -r /tmp/priv -c /tmp/key.ctx
tpm2 evictcontrol -Q -c /tmp/key.ctx 0x81000101 && echo sealed
$b poweroff -f
"""
UNSEAL = """
echo "before: $(tpm2 unseal -c 0x81000101 -p pcr:sha256:0,7)"
tpm2 pcrextend 7:sha256=1111111111111111111111111111111111111111111111111111111111111111
echo "after: $(tpm2 unseal -c 0x81000101 -p pcr:sha256:0,7 2>/dev/null)."
$b poweroff -f
"""
READING = """
i=0
while [ $i -lt 3000 ]; do
value=$($b cat /sys/class/tpm/tpm0/pcr-sha256/7 2>/dev/null)
[ -n "$value" ] || break
echo "turn $i"; i=$((i+1)); done
echo ended
$b poweroff -f
"""


@pytest.fixture
def service(start, used, used_disk):
    machine = start(disks=[used_disk], key=used[0])
    machine.serving()
    return machine


@pytest.fixture
def guest_folder(folder):
    path = os.path.join(folder, "guest")
    os.mkdir(path)
    return path


def run_guest(folder, archive, more, timeout_s=BOOT_S):
    """To its end; its console."""
    with tpm_guest.Guest(folder, archive, more) as guest:
        assert guest.wait_exit(timeout_s) == 0, guest.console()
        return guest.console()


def qemu_socket(folder):
    return os.path.join(folder, "qemu.sock")


def test_measured_boot(service, folder, guest_folder):
    """OVMF measures, Linux shows: the event log's replay is what the PCRs hold."""
    archive = tpm_guest.initramfs(MEASURED)
    with bridge.serve(service, folder, "qemu"):
        console = run_guest(guest_folder, archive, [
            *tpm_guest.firmware(guest_folder), *tpm_guest.arguments(qemu_socket(folder))])
    pcrs = {(bank, int(pcr)): value.lower() for bank, pcr, value in
            re.findall(r"pcr (sha\d+) (\d+) ([0-9A-F]+)", console)}
    assert len(pcrs) == 48, console
    log = base64.b64decode(console[console.index("log-begin") + 9:console.index("log-end")])
    banks = tpm_guest.replay(log, folder)
    assert set(banks) == {"sha256", "sha384"}
    for bank, replayed in banks.items():
        assert set(replayed) >= set(range(8)), replayed
        for pcr, value in replayed.items():
            assert pcrs[bank, pcr] == value, (bank, pcr)
            assert int(value, 16) != 0


def test_sealed_across_reboots(service, folder, guest_folder, start, used, used_disk):
    """What a guest sealed opens after a reboot of both VMs, and not once its PCRs differ."""
    # Not with SeaBIOS: a self-test of more than 2 s, as on a busy machine, makes it switch the
    # owner's hierarchy off.
    machine = [*tpm_guest.firmware(guest_folder),
               *tpm_guest.arguments(qemu_socket(folder), "tpm-tis")]
    with bridge.serve(service, folder, "qemu"):
        console = run_guest(guest_folder, tpm_guest.initramfs(SEAL, with_tools=True), machine)
        assert "sealed" in console, console
        service.kill()
        again = start(disks=[used_disk], key=used[0])
        again.serving()
        console = run_guest(guest_folder, tpm_guest.initramfs(UNSEAL, with_tools=True), machine)
    assert "before: a secret" in console, console
    assert "after: ." in console, console


@pytest.mark.parametrize("victim", ["guest", "bridge", "service"])
def test_nobody_hangs(service, folder, guest_folder, victim):
    """One of the three is killed while the guest uses its TPM: the others go on, or end."""
    archive = tpm_guest.initramfs(READING)
    served = bridge.serve(service, folder, "qemu", "raw").wait_ready()
    try:
        with tpm_guest.Guest(guest_folder, archive,
                             tpm_guest.arguments(qemu_socket(folder))) as guest:
            guest.wait_for("turn 5", BOOT_S)
            {"guest": guest, "bridge": served, "service": service}[victim].kill()
            if victim != "guest":
                guest.wait_for("ended", END_S)
                assert guest.wait_exit(END_S) == 0
        if victim == "guest":
            # Its TPM is reset and free for the next.
            with tpm.Tpm(os.path.join(folder, "raw.sock")) as client:
                assert client.get_random(8) and client.pcr_read(7) == bytes(32)
        if victim == "bridge":
            with tpm.Tpm(service.tpm_path) as client:
                assert client.get_random(8)
        if victim != "bridge":
            assert served.stop() == 0
    finally:
        served.kill()


def test_a_guest_whose_tpm_was_reset_behind_it(service, folder, guest_folder):
    """Its PCRs are not what it measured: it gets failures, not a fresh TPM."""
    archive = tpm_guest.initramfs(READING)
    with bridge.serve(service, folder, "qemu", "mssim", "raw"):
        with tpm_guest.Guest(guest_folder, archive,
                             tpm_guest.arguments(qemu_socket(folder))) as guest:
            guest.wait_for("turn 5", BOOT_S)
            with bridge.connect_unix(os.path.join(folder, "mssim.sock.platform")) as platform:
                platform.sendall(bytes((0, 0, 0, 17)))  # RESET
                assert platform.recv(4) == bytes(4)
            guest.wait_for("ended", END_S)
            assert guest.wait_exit(END_S) == 0


def read_until(process, wanted, timeout_s):
    """What a program said up to `wanted`."""
    said, end = b"", time.monotonic() + timeout_s
    while wanted not in said:
        left = end - time.monotonic()
        assert left > 0 and select.select([process.stdout], [], [], left)[0], said.decode()
        piece = os.read(process.stdout.fileno(), 4096)
        assert piece, said.decode()
        said += piece
    return said


def test_run_guest(folder):
    """./run --guest: a person types, and leaves."""
    command = [os.path.join(build.ROOT, "run"), "--no-build", "--accel", "tcg", "--guest",
               "seabios", "--state", os.path.join(folder, "state")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, cwd=build.ROOT) as process:
        try:
            read_until(process, b"guest# ", BOOT_S)
            process.stdin.write(b"tpm2 getrandom --hex 4 > /tmp/r && wc -c < /tmp/r\n")
            process.stdin.flush()
            assert b"\r\n8\r\n" in read_until(process, b"guest# ", END_S)
            process.stdin.write(b"poweroff\n")
            process.stdin.flush()
            read_until(process, b"run: the VM ended: orderly", END_S)
            assert process.wait(END_S) == 0
        finally:
            process.kill()
