# SPDX-License-Identifier: MIT
"""holdfast tpm against a service VM that is none, and that may lie: fake_service.py."""

import array
import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest

import fake_service
from fake_service import Service
from program import PROGRAM, fails, ok, usage

DEADLINE_S = 30
FAILURE = struct.pack(">HII", 0x8001, 10, 0x101)


@pytest.fixture
def folder():
    """A short name: the path of a socket may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="hf-") as path:
        yield path


def command(code=0x17b, body=b"", size=None):
    return struct.pack(">HII", 0x8001, 10 + len(body) if size is None else size, code) + body


@contextlib.contextmanager
def serving(folder, service, *protocols, trace=None):
    """A running bridge with FOLDER/PROTOCOL; it has to end in order."""
    environment = dict(os.environ, ASAN_OPTIONS="exitcode=99", UBSAN_OPTIONS="exitcode=99")
    process = subprocess.Popen(
        [PROGRAM, "tpm", "serve", *(f"--{p}=unix:{folder}/{p}" for p in protocols),
         *([f"--trace={trace}"] if trace else []), service.service, service.control],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    try:
        assert process.stdout.readline() == b"ready: TPM 0\n", process.stderr.read()
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0, process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
    assert not [name for name in os.listdir(folder) if name in protocols], "sockets stay behind"


def connect(folder, name):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(DEADLINE_S)
    client.connect(os.path.join(folder, name))
    return client


def exchange(client, data, size):
    client.sendall(data)
    return fake_service.read_exactly(client, size)


def echoed(body):
    return command(0, body)


class Machine:
    """What QEMU does: a control connection, and the other end of a socket pair for commands."""

    def __init__(self, folder):
        self.control = connect(folder, "qemu")
        self.data, theirs = socket.socketpair()
        self.data.settimeout(DEADLINE_S)
        self.control.sendmsg([struct.pack(">I", 0x10)], [
            (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))])
        theirs.close()
        assert fake_service.read_exactly(self.control, 4) == bytes(4)

    def ask(self, number, fields=b"", size=4):
        return exchange(self.control, struct.pack(">I", number) + fields, size)

    def switch_on(self):
        assert self.ask(2, bytes(4)) == bytes(4)

    def close(self):
        self.control.close()
        self.data.close()


def wait_for(condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_usage():
    for arguments in (["a", "b"], ["--raw=x", "a", "b"], ["--raw=tcp:0", "a", "b"],
                      ["--raw=unix:x"], ["--raw=unix:x", "--wait=x", "a", "b"],
                      ["--raw=unix:x", "--instance=65536", "a", "b"],
                      [*["--raw=unix:x"] * 9, "a", "b"]):
        usage("tpm", "serve", *arguments)
    usage("tpm", "status")


def test_nobody_there(folder):
    fails("NO_DEVICE", "tpm", "serve", "--wait=0", f"--raw=unix:{folder}/raw", f"{folder}/a",
          f"{folder}/b")
    fails("NO_DEVICE", "tpm", "status", "--wait=0", f"{folder}/b")
    with Service(folder, {fake_service.HELLO: None}) as service:
        fails("BUSY", "tpm", "status", "--wait=1", service.control)
    with Service(folder, {fake_service.HELLO: b"login: "}) as service:
        fails("BAD_HOST", "tpm", "status", "--wait=1", service.control)


def test_address_in_use(folder):
    with Service(folder) as service:
        with serving(folder, service, "raw"):
            fails("BUSY", "tpm", "serve", f"--raw=unix:{folder}/raw", "a", "b")
        fails("IO", "tpm", "serve", f"--raw=unix:{folder}/none/raw", "a", "b")


def test_status(folder):
    with Service(folder) as service:
        assert b"power        on" in ok("tpm", "status", service.control)
        text = ok("tpm", "status", "--json", service.control)
        assert b'"power_ons": 3' in text and b'"locality": 0' in text


def test_trace(folder):
    """A line for each request that went to the TPM, when it has ended; nothing of its content."""
    path = os.path.join(folder, "trace")
    with Service(folder) as service, serving(folder, service, "raw", "qemu", trace=path):
        exchange(connect(folder, "raw"), command(0x144, b"very secret"), 21)
        machine = Machine(folder)
        assert exchange(machine.data, command(), 10) == FAILURE  # From the bridge: not switched on.
        machine.switch_on()
        leaving = connect(folder, "raw")
        leaving.sendall(command(fake_service.SLOW))
        wait_for(lambda: ("command", fake_service.SLOW, 0) in service.seen)
        leaving.close()
        assert exchange(machine.data, command(), 10) == echoed(b"")
        machine.close()
        wait_for(lambda: len(open(path, encoding="ascii").readlines()) == 5)
    assert os.stat(path).st_mode & 0o777 == 0o600
    with open(path, encoding="ascii") as file:
        pattern = r"[-\d]{10}T[:\d]{8}\.\d{6}Z (.*) waited_us=\d+ took_us=\d+\n"
        lines = [re.fullmatch(pattern, line) for line in file]
    assert [line.group(1) for line in lines] == [
        "raw command=0x00000144 locality=0 result=0x00000000",
        "machine control=4 result=OK",
        "gone command=0x00000999 locality=0 result=0x00000909",
        "machine command=0x0000017b locality=0 result=0x00000000",
        "bridge control=4 result=OK"]
    with Service(folder) as service:
        with serving(folder, service, "raw", trace=path):
            exchange(connect(folder, "raw"), command(), 10)
    with open(path, encoding="ascii") as file:
        assert len(file.readlines()) == 6, "a trace is appended to"


def test_trace_without_room(folder):
    """What cannot be traced is served."""
    with Service(folder) as service:
        with serving(folder, service, "raw", trace="/dev/full") as process:
            client = connect(folder, "raw")
            for _ in range(3):
                assert exchange(client, command(), 10) == echoed(b"")
            assert process.stderr.readline() == \
                b"holdfast: tpm: the trace ends: it cannot be written\n"
        fails("IO", "tpm", "serve", f"--raw=unix:{folder}/raw", f"--trace={folder}/none/trace",
              service.service, service.control)


def test_raw_clients_take_turns(folder):
    with Service(folder) as service, serving(folder, service, "raw"):
        clients = [connect(folder, "raw") for _ in range(10)]
        for number, client in enumerate(clients):
            # Two at once, in pieces.
            both = command(body=bytes([number]) * 20) + command(body=bytes([number]) * 30)
            client.sendall(both[:7])
            client.sendall(both[7:])
        for number, client in enumerate(clients):
            assert fake_service.read_exactly(client, 30) == echoed(bytes([number]) * 20)
            assert fake_service.read_exactly(client, 40) == echoed(bytes([number]) * 30)


@pytest.mark.parametrize("size", [0, 9, 4097, 0xffffffff])
def test_bad_sizes(folder, size):
    with Service(folder) as service, serving(folder, service, "raw"):
        client = connect(folder, "raw")
        assert exchange(client, command(size=size), 10)[6:] == b"\0\0\1\x42"
        assert client.recv(1) == b""
        assert exchange(connect(folder, "raw"), command(), 10) == echoed(b"")
        assert not [s for s in service.seen if s[0] == "command"][1:]


def test_too_many_clients(folder):
    with Service(folder) as service, serving(folder, service, "raw"):
        clients = [connect(folder, "raw") for _ in range(32)]
        for client in clients:
            assert exchange(client, command(), 10) == echoed(b"")
        assert connect(folder, "raw").recv(1) == b""
        clients.pop().close()
        time.sleep(0.1)
        assert exchange(connect(folder, "raw"), command(), 10) == echoed(b"")


def test_swtpm_tcti(folder):
    """A connection for each command; the locality is the last one's that was set."""
    with Service(folder) as service, serving(folder, service, "swtpm"):
        for locality in (0, 3, 3, 1):
            control = connect(folder, "swtpm.ctrl")
            assert exchange(control, b"\0\0\0\5" + bytes([locality]), 4) == bytes(4)
            assert exchange(connect(folder, "swtpm"), command(), 10) == echoed(b"")
        assert exchange(control, b"\0\0\0\5\5", 4) == b"\0\0\0\x3d"
        assert [s[2] for s in service.seen if s[0] == "command"] == [0, 3, 3, 1]
        # It is asked for only when it changes.
        assert [s[2] for s in service.seen if s[:2] == ("control", 6)] == [b"\3", b"\1"]


def test_mssim(folder):
    with Service(folder) as service, serving(folder, service, "mssim"):
        platform = connect(folder, "mssim.platform")
        for number in (1, 11, 9, 10):
            assert exchange(platform, struct.pack(">I", number), 4) == bytes(4)
        assert ("control", fake_service.POWER_ON, b"\4") in service.seen
        client = connect(folder, "mssim")
        assert exchange(client, struct.pack(">II", 15, 1), 12) == struct.pack(">III", 1, 0, 0)
        sent = command(body=b"abc")
        request = struct.pack(">IBI", 8, 2, len(sent)) + sent
        assert exchange(client, request, 21) == struct.pack(">I", 13) + echoed(b"abc") + bytes(4)
        assert service.seen[-1] == ("command", 0x17b, 2)
        client.sendall(struct.pack(">I", 20))
        assert client.recv(1) == b""
        platform.sendall(struct.pack(">I", 99))
        assert platform.recv(1) == b""


def test_machine(folder):
    """What QEMU says from its start to its end."""
    with Service(folder) as service, serving(folder, service, "qemu", "raw"):
        machine = Machine(folder)
        assert machine.ask(1, size=8) == struct.pack(">II", 0, 0x17cbf)
        assert machine.ask(0x0e) == bytes(4)
        assert machine.ask(0x11, struct.pack(">I", 3968), 16) == struct.pack(
            ">IIII", 0, 3968, 2808, 4096)
        machine.switch_on()
        assert machine.ask(5, b"\2\0\0\0") == bytes(4)
        assert exchange(machine.data, command(body=b"x"), 11) == echoed(b"x")
        assert ("command", 0x17b, 2) in service.seen
        assert machine.ask(4, size=8) == b"\0\0\0\0\1\0\0\0"
        assert machine.ask(0x0b, b"\3\0\0\0") == bytes(4)
        assert machine.ask(7, struct.pack(">I", 3000) + bytes(3000)) == bytes(4)
        assert [len(s[2]) for s in service.seen if s[:2] == ("control", 10)] == [1024, 1024, 952]
        # By name: the state stays where it is.
        assert machine.ask(0x0c, bytes(12), 16) == struct.pack(">IIII", 10, 0, 0, 0)
        assert machine.ask(0x0d, bytes(12)) == struct.pack(">I", 10)
        assert machine.ask(0x0a) == struct.pack(">I", 10)
        assert machine.ask(0x77) == struct.pack(">I", 10)
        # A guest that gives its interface a size that is none hears so, and goes on.
        assert exchange(machine.data, command(size=5), 10)[6:] == b"\0\0\1\x42"
        assert exchange(machine.data, command(), 10) == echoed(b"")
        machine.close()
        wait_for(lambda: service.seen[-1] == ("control", fake_service.POWER_ON, b"\2"))
        # And so does the next.
        again = Machine(folder)
        again.switch_on()
        assert exchange(again.data, command(), 10) == echoed(b"")


def test_machine_that_comes_with_a_state(folder):
    """QEMU's INIT after a migration or from a snapshot: go on with what was set, then delete it.
    Nothing was set, so that the machine would find PCRs that are not its own."""
    with Service(folder) as service, serving(folder, service, "qemu", "swtpm") as process:
        machine = Machine(folder)
        assert machine.ask(0x0e) == bytes(4)
        assert machine.ask(0x0d, bytes(12)) == struct.pack(">I", 10)
        assert machine.ask(2, struct.pack(">I", 1)) == struct.pack(">I", 10)
        assert ("control", fake_service.POWER_ON, b"\1") not in service.seen
        # swtpm_ioctl means "and whatever you keep, forget it", which is always so.
        other = connect(folder, "swtpm.ctrl")
        assert exchange(other, struct.pack(">II", 2, 1), 4) == bytes(4)
        assert ("control", fake_service.POWER_ON, b"\1") in service.seen
        for name in (b"SET_STATEBLOB", b"INIT"):
            while name not in (line := process.stderr.readline()):
                assert line
            assert b"refused" in line


def test_machine_asks_what_it_has_while_the_tpm_is_busy(folder):
    """QEMU waits a second for this answer, before the machine's power."""
    with Service(folder) as service, serving(folder, service, "qemu", "raw"):
        other = connect(folder, "raw")
        other.sendall(command(fake_service.SLOW))
        wait_for(lambda: service.seen[-1:] == [("command", fake_service.SLOW, 0)])
        machine = Machine(folder)
        assert exchange(machine.data, command(0x181), 10) == FAILURE
        assert not service.cancelled.is_set()
        other.close()
        machine.switch_on()
        assert exchange(machine.data, command(), 10) == echoed(b"")


def test_machine_whose_tpm_was_reset(folder):
    with Service(folder) as service, serving(folder, service, "qemu", "mssim"):
        machine = Machine(folder)
        machine.switch_on()
        assert exchange(machine.data, command(), 10) == echoed(b"")
        platform = connect(folder, "mssim.platform")
        assert exchange(platform, struct.pack(">I", 17), 4) == bytes(4)
        assert exchange(machine.data, command(), 10) == FAILURE
        machine.switch_on()
        assert exchange(machine.data, command(), 10) == echoed(b"")


def test_cancel(folder):
    with Service(folder) as service, serving(folder, service, "qemu", "raw"):
        machine, other = Machine(folder), connect(folder, "raw")
        machine.switch_on()
        machine.data.sendall(command(fake_service.SLOW))
        wait_for(lambda: service.seen[-1][:2] == ("command", fake_service.SLOW))
        other.sendall(command(body=b"after"))
        assert machine.ask(9) == bytes(4)
        assert fake_service.read_exactly(machine.data, 10)[8:] == b"\x09\x09"
        assert fake_service.read_exactly(other, 15) == echoed(b"after")


def test_only_its_own_command_is_cancelled(folder):
    with Service(folder) as service, serving(folder, service, "qemu", "raw"):
        machine, other = Machine(folder), connect(folder, "raw")
        machine.switch_on()
        other.sendall(command(fake_service.SLOW))
        wait_for(lambda: service.seen[-1][:2] == ("command", fake_service.SLOW))
        machine.data.sendall(command())
        time.sleep(0.1)
        assert machine.ask(9) == bytes(4)
        assert fake_service.read_exactly(machine.data, 10)[8:] == b"\x09\x09"
        assert not service.cancelled.wait(0.5)


def test_a_client_that_leaves_holds_nobody_up(folder):
    with Service(folder) as service, serving(folder, service, "raw"):
        client, other = connect(folder, "raw"), connect(folder, "raw")
        client.sendall(command(fake_service.SLOW))
        wait_for(lambda: service.seen[-1][:2] == ("command", fake_service.SLOW))
        client.close()
        assert exchange(other, command(body=b"next"), 14) == echoed(b"next")
        assert service.cancelled.is_set()


def test_a_client_that_does_not_read_holds_nobody_up(folder):
    with Service(folder) as service, serving(folder, service, "raw"):
        client, other = connect(folder, "raw"), connect(folder, "raw")
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(2000):
                client.send(command(body=bytes(4086)))
        for _ in range(20):
            assert exchange(other, command(), 10) == echoed(b"")


@pytest.mark.parametrize("lie", [
    b"\x80\1\0\0\0\x09", b"\x80\1\0\0\x10\1\0\0\0\0", b"\x80\1\0\0\0\x0a\0\0\0\0\0"])
def test_a_service_that_lies(folder, lie):
    """A response that is none, or more than one: a failure, and a new connection."""
    with Service(folder, {"command": lie.ljust(10, b"\0")}) as service:
        with serving(folder, service, "raw"):
            client = connect(folder, "raw")
            assert exchange(client, command(), 10) == FAILURE
            wait_for(lambda: len([s for s in service.seen if s[:2] == ("control", 1)]) == 2)
            service.lie.clear()
            assert exchange(client, command(), 10) == echoed(b"")


def test_a_control_port_that_lies(folder):
    with Service(folder, {fake_service.POWER_OFF: bytes(40)}) as service:
        with serving(folder, service, "swtpm"):
            control = connect(folder, "swtpm.ctrl")
            assert exchange(control, b"\0\0\0\x0e", 4) == b"\0\0\0\x09"
            service.lie.clear()
            wait_for(lambda: exchange(control, b"\0\0\0\x0e", 4) == bytes(4))


def test_replies_to_somebody_before_us(folder):
    """The service VM cannot always tell clients apart; the tags can."""
    with Service(folder, stale=True) as service, serving(folder, service, "swtpm"):
        control = connect(folder, "swtpm.ctrl")
        assert exchange(control, b"\0\0\0\x0e", 4) == bytes(4)
        assert exchange(control, struct.pack(">II", 0x11, 0), 16) == struct.pack(
            ">IIII", 0, 3968, 2808, 4096)


def test_the_service_dies(folder):
    """Whoever waits gets a failure, and the next service is found."""
    with Service(folder) as service:
        with serving(folder, service, "raw", "qemu") as process:
            client, machine = connect(folder, "raw"), Machine(folder)
            machine.switch_on()
            client.sendall(command(fake_service.SLOW))
            wait_for(lambda: service.seen[-1][:2] == ("command", fake_service.SLOW))
            service.__exit__()
            assert fake_service.read_exactly(client, 10) == FAILURE
            # Nobody is there: not for ever.
            assert exchange(client, command(), 10) == FAILURE
            with Service(folder) as second:
                wait_for(lambda: ("control", fake_service.STATUS, b"") in second.seen)
                assert exchange(client, command(), 10) == echoed(b"")
                # The machine's TPM is not the one that it measured into.
                assert exchange(machine.data, command(), 10) == FAILURE
                assert machine.ask(2, bytes(4)) == bytes(4)
                assert exchange(machine.data, command(), 10) == echoed(b"")
            assert process.poll() is None
