# SPDX-License-Identifier: MIT
"""Unmodified guests on the service VM's TPM: measured boot, sealing, and what a kill does."""

import contextlib
import os
import select
import signal
import subprocess
import threading
import time

import pytest
from harness import bridge, build, qmp, tools, tpm, tpm_guest, vm

# OVMF under emulation, on a machine with other work.
BOOT_S = 240
END_S = 60
NV_INDEX = 0x1500040
# What a service VM gets of a processor that others use: so many seconds of so many.
SLOW_RUNS_S, SLOW_OF_S = 0.005, 0.05
STARTUP_ENABLES = 0x6  # TPMA_STARTUP_CLEAR: storage and endorsement hierarchy.

# Reports; then, when it is told to, what its TPM says about indices and failed authorisations.
MEASURED = tpm_guest.REPORT + f"""
ask() {{
printf "$1" >&3; echo "$2 $($b dd bs=4096 count=1 <&3 2>/dev/null | $b hexdump -ve '1/1 "%02x"')"
}}
exec 3<>/dev/tpmrm0 4<>/dev/ttyS1
report
echo report-end
read word <&4
ask "{tpm_guest.octal(tpm.capability(tpm.CAP_HANDLES, tpm.NV_FIRST, 64))}" indices
ask "{tpm_guest.octal(tpm.capability(tpm.CAP_PROPERTIES, tpm.PT_LOCKOUT_COUNTER, 1))}" failures
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


def measured_guest(folder, number):
    """A guest with a folder of its own, on TPM `number`'s bridge."""
    own = os.path.join(folder, f"guest{number}")
    return tpm_guest.Guest(own, tpm_guest.initramfs(MEASURED), [
        *tpm_guest.firmware(own), *tpm_guest.arguments(qemu_socket(own)), "-serial",
        f"unix:{own}/talk.sock,server=on,wait=off"])


def answer_of(guest, what):
    """The last four bytes of what its TPM answered to `what`."""
    return int(guest.wait_for(rf"^{what} ([0-9a-f]+)$", BOOT_S).group(1)[-8:], 16)


def lock_out(path):
    """An index with a password, and more wrong ones than the TPM takes."""
    with tpm.Tpm(path) as client:
        client.nv_define(NV_INDEX, 8, tpm.NV_AUTHREAD | tpm.NV_AUTHWRITE, auth=b"right")
        client.nv_write(NV_INDEX, b"protects", by=NV_INDEX, auth=b"right")
        while not client.in_lockout():
            with pytest.raises(tpm.TpmError):
                client.nv_read(NV_INDEX, 8, by=NV_INDEX, auth=b"wrong")


def test_measured_boot_of_two_guests(start, folder, disk, key):
    """OVMF measures, Linux shows: the event log's replay is what the PCRs hold, of two guests that
    boot at once on two TPMs. What one does to its TPM the other does not see in its."""
    tools.tpm_manufacture(disk, key, number=1)
    service = start(disks=[disk], key=key, tpms=2)
    service.wait_for(r"vtpm: serving org.holdfast.tpm.1 \(persistent\)")
    with contextlib.ExitStack() as stack:
        for number in (0, 1):
            own = os.path.join(folder, f"guest{number}")
            os.mkdir(own)
            stack.enter_context(bridge.serve(service, own, "qemu", "raw", number=number))
        guests = [stack.enter_context(measured_guest(folder, number)) for number in (0, 1)]
        for guest in guests:
            guest.wait_for("^report-end", BOOT_S)
            tpm_guest.check_report(guest.console(), folder)
        lock_out(os.path.join(folder, "guest0", "raw.sock"))
        for guest in guests:
            with vm.connect(os.path.join(guest.options.folder, "talk.sock"), END_S) as client:
                client.sendall(b"go\n")
        indices, failures = zip(*[(answer_of(guest, "indices"), answer_of(guest, "failures"))
                                  for guest in guests])
        assert [guest.wait_exit(END_S) for guest in guests] == [0, 0]
    assert indices == (NV_INDEX, 0)
    assert failures[0] > 0 and failures[1] == 0


def test_sealed_across_reboots(service, folder, guest_folder, start, used, used_disk):
    """What a guest sealed opens after a reboot of both VMs, and not once its PCRs differ."""
    machine = tpm_guest.arguments(qemu_socket(folder), "tpm-tis")  # With SeaBIOS.
    with bridge.serve(service, folder, "qemu"):
        console = run_guest(guest_folder, tpm_guest.initramfs(SEAL, with_tools=True), machine)
        assert "sealed" in console, console
        service.kill()
        again = start(disks=[used_disk], key=used[0])
        again.serving()
        console = run_guest(guest_folder, tpm_guest.initramfs(UNSEAL, with_tools=True), machine)
    assert "before: a secret" in console, console
    assert "after: ." in console, console


def kill_a_program(folder, guest):
    """One of the host's that uses the TPM beside the guest, while it waits for an RSA key. The
    guest goes on."""
    command = ["tpm2_createprimary", "-Q", "-G", "rsa", "-c", os.path.join(folder, "key.ctx"), "-T",
               tools.tcti(os.path.join(folder, "raw.sock"))]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as program:
        time.sleep(0.3)
        program.kill()
    turns = sum(1 for line in guest.console().split("\n") if line.startswith("turn"))
    guest.wait_for(f"^turn {turns + 5}$", END_S)


@pytest.mark.parametrize("victim", ["guest", "bridge", "service"])
def test_nobody_hangs(service, folder, guest_folder, victim):
    """One of the three is killed while the guest uses its TPM, and a program of the host's before
    it: the others go on, or end."""
    archive = tpm_guest.initramfs(READING)
    served = bridge.serve(service, folder, "qemu", "raw").wait_ready()
    try:
        with tpm_guest.Guest(guest_folder, archive,
                             tpm_guest.arguments(qemu_socket(folder))) as guest:
            guest.wait_for("turn 5", BOOT_S)
            if victim == "guest":
                kill_a_program(folder, guest)
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


def halted(folder, socket, *more):
    """A guest that executes nothing, with a monitor."""
    monitor = ["-qmp", f"unix:{folder}/qmp.sock,server=on,wait=off"]
    return tpm_guest.Guest(folder, b"", [*tpm_guest.arguments(socket), "-S", *monitor, *more],
                           kernel=False)


def save_guest_of_swtpm(folder, guest_folder):
    """A guest and the state of its TPM, which is another one, in a file."""
    state, socket, saved = (os.path.join(folder, name) for name in ("swtpm", "swtpm.sock", "saved"))
    os.mkdir(state)
    with subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl",
                           f"type=unixio,path={socket}"]) as swtpm:
        try:
            vm.connect(socket, END_S).close()
            with halted(guest_folder, socket) as guest:
                qmp.execute(guest, "migrate", uri=f"exec:cat > {saved}")
                end = time.monotonic() + END_S
                while qmp.execute(guest, "query-migrate")["status"] != "completed":
                    assert time.monotonic() < end
                    time.sleep(0.05)
        finally:
            swtpm.kill()
    return saved


def test_a_guest_cannot_be_moved(service, folder, guest_folder):
    """Its TPM's state stays where it is: QEMU refuses to save such a guest, and does not go on with
    one that brings a state of its own."""
    saved = save_guest_of_swtpm(folder, guest_folder)
    with bridge.serve(service, folder, "qemu", "raw") as served:
        with halted(guest_folder, qemu_socket(folder)) as guest:
            with pytest.raises(vm.VmError, match="TPM"):
                qmp.execute(guest, "migrate", uri="exec:cat > /dev/null")
        with halted(guest_folder, qemu_socket(folder), "-incoming", f"exec:cat {saved}") as guest:
            assert guest.wait_exit(END_S) != 0
        with tpm.Tpm(os.path.join(folder, "raw.sock")) as client:
            assert client.get_random(8) and client.pcr_read(0) == bytes(32)
    assert any("refused SET_STATEBLOB" in line for line in served.log), served.log


@contextlib.contextmanager
def starved(machine):
    """It gets little of its processor."""
    done = threading.Event()

    def turns():
        while not done.is_set():
            machine.process.send_signal(signal.SIGSTOP)
            time.sleep(SLOW_OF_S - SLOW_RUNS_S)
            machine.process.send_signal(signal.SIGCONT)
            time.sleep(SLOW_RUNS_S)

    thread = threading.Thread(target=turns)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_seabios_on_a_busy_host(service, folder, guest_folder):
    """SeaBIOS waits two seconds for a self-test. It has run when the TPM was powered on, so that
    SeaBIOS measures; else it would switch the hierarchies off, or leave the TPM alone."""
    machine = tpm_guest.arguments(qemu_socket(folder), "tpm-tis")
    with bridge.serve(service, folder, "qemu", "raw"):
        with tpm_guest.Guest(guest_folder, b"", machine, kernel=False):
            service.wait_for("tpm-control: power on: OK")
            end = time.monotonic() + END_S
            with starved(service), tpm.Tpm(os.path.join(folder, "raw.sock")) as client:
                measured = False
                while not measured:
                    assert time.monotonic() < end
                    time.sleep(0.2)
                    with contextlib.suppress(tpm.TpmError):  # Not started yet.
                        measured = any(client.pcr_read(4))
                enabled = client.property(tpm.PT_STARTUP_CLEAR) & STARTUP_ENABLES
                assert enabled == STARTUP_ENABLES


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
