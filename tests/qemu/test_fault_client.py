# SPDX-License-Identifier: MIT
"""What a bad client of the TPM's port gets, and what the next good client notices: nothing."""

import os
import random
import socket
import struct
import time

import pytest

import samples
from harness import control, tpm, vm

# Seconds of work under emulation.
RSA_STORAGE_KEY = struct.pack(">HHIHHHHHHIH", 0x0001, tpm.ALG_SHA256, 0x30072, 0, 0x0006, 128,
                              0x0043, tpm.ALG_NULL, 2048, 0, 0)
GET_RANDOM = tpm.frame(tpm.CC_GET_RANDOM, b"\x00\x08")


@pytest.fixture
def machine(start):
    running = start(append="holdfast.state=ephemeral")
    running.serving()
    return running


def header(size):
    return struct.pack(">HII", tpm.NO_SESSIONS, size, tpm.CC_GET_RANDOM)


def expect_good_service(machine):
    assert samples.response_to(machine) == 0
    assert machine.process.poll() is None


@pytest.mark.parametrize("size", [0, 1, 9, 4097, 65536, 2**31, 2**32 - 1])
def test_size_out_of_range_is_answered(machine, size):
    with tpm.Tpm(machine.tpm_path) as client:
        response = client.exchange(header(size) + b"\xaa" * 50)
        assert response == struct.pack(">HII", tpm.NO_SESSIONS, 10, tpm.RC_COMMAND_SIZE)
        # In step again on the same connection.
        assert len(client.get_random(8)) == 8
    expect_good_service(machine)


def test_smallest_and_largest_command_reach_the_tpm(machine):
    with tpm.Tpm(machine.tpm_path) as client:
        response = client.exchange(header(10))
        assert response[6:10] != struct.pack(">I", tpm.RC_COMMAND_SIZE) or len(response) == 10
        response = client.exchange(header(4096) + bytes(4086))
        assert int.from_bytes(response[6:10], "big") != 0
        assert len(client.get_random(8)) == 8


def test_garbage_stream(machine):
    generator = random.Random(7)
    for _ in range(5):
        with tpm.Tpm(machine.tpm_path, timeout_s=5) as client:
            client.client.sendall(generator.randbytes(20000))
            try:
                client.client.settimeout(0.3)
                client.client.recv(4096)
            except socket.timeout:
                pass
    expect_good_service(machine)


@pytest.mark.parametrize("sent", [1, 9, 10, 11])
def test_client_that_disconnects_mid_command(machine, sent):
    with tpm.Tpm(machine.tpm_path) as client:
        client.client.sendall(GET_RANDOM[:sent])
    expect_good_service(machine)


def test_client_that_does_not_read_its_answer(machine):
    for _ in range(3):
        with tpm.Tpm(machine.tpm_path) as client:
            client.client.sendall(GET_RANDOM)
    with tpm.Tpm(machine.tpm_path) as client:
        # An answer to one of those would have another length.
        assert len(client.get_random(20)) == 20


def test_clients_that_die_in_mid_answer(machine):
    """The next one, which is there already, is served, restart of the channel or not."""
    samples.hand_over_until_restart(machine, 300)
    expect_good_service(machine)


def test_client_that_leaves_during_a_slow_command(machine):
    with tpm.Tpm(machine.tpm_path) as client:
        parameters = tpm.sized(struct.pack(">HH", 0, 0)) + tpm.sized(tpm.ECC_STORAGE_KEY)
        parameters += struct.pack(">HI", 0, 0)
        body = struct.pack(">I", tpm.RH_OWNER) + tpm.password(b"") + parameters
        client.client.sendall(tpm.frame(tpm.CC_CREATE_PRIMARY, body, tpm.SESSIONS))
    with tpm.Tpm(machine.tpm_path) as client:
        assert len(client.get_random(20)) == 20


def test_commands_in_pieces_and_in_one_go(machine):
    with tpm.Tpm(machine.tpm_path) as client:
        for byte in GET_RANDOM:
            client.client.sendall(bytes([byte]))
            time.sleep(0.01)
        assert len(tpm.read_response(client.client)) == 20
        client.client.sendall(GET_RANDOM * 20)
        for _ in range(20):
            assert len(tpm.read_response(client.client)) == 20


def test_two_clients_take_turns(machine):
    """QEMU serves one connection of a socket at a time; the second waits for its own answer."""
    first = tpm.Tpm(machine.tpm_path)
    second = tpm.Tpm(machine.tpm_path)
    second.client.sendall(tpm.frame(tpm.CC_GET_RANDOM, b"\x00\x10"))
    assert len(first.get_random(8)) == 8
    assert len(first.get_random(9)) == 9
    first.client.close()
    assert len(tpm.read_response(second.client)) == 12 + 16
    second.client.close()


def test_client_that_never_reads_stops_nobody_else(machine):
    """Back-pressure: answers pile up only to a limit, and the port recovers when it leaves."""
    greedy = tpm.Tpm(machine.tpm_path, timeout_s=5)
    greedy.client.setblocking(False)
    sent = 0
    end = time.monotonic() + 3
    while time.monotonic() < end and sent < 4 << 20:
        try:
            sent += greedy.client.send(GET_RANDOM * 64)
        except BlockingIOError:
            time.sleep(0.05)
    greedy.client.close()
    expect_good_service(machine)


def send_without_reading(path, request, for_s):
    """Send as much as the socket takes, read nothing, hang up."""
    client = vm.connect(path, samples.RUDE_ANSWER_S)
    client.setblocking(False)
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        try:
            client.send(request * 64)
        except BlockingIOError:
            time.sleep(0.02)
    client.close()


RUDE_TURNS = 4
# Longer than the kernel waits for a client to take its answer (2 s): it gives up on this one.
RUDE_S = 2.6


def test_rude_tpm_clients_stop_nobody_else(machine):
    """The answer that the next client gets is its own: each asks for another length."""
    waits = []
    for turn in range(RUDE_TURNS):
        send_without_reading(machine.tpm_path, GET_RANDOM, RUDE_S)
        began = time.monotonic()
        with tpm.Tpm(machine.tpm_path, samples.RUDE_ANSWER_S) as client:
            assert len(client.get_random(20 + turn)) == 20 + turn
        waits.append(time.monotonic() - began)
    samples.figure(f"after a rude TPM client: {max(waits) * 1000:.0f} ms to the next one's answer")
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY


def test_rude_control_clients_stop_nobody_else(machine):
    waits = []
    for _ in range(RUDE_TURNS):
        send_without_reading(machine.control_path, b"counters\n", RUDE_S)
        began = time.monotonic()
        answer = control.ask_values(machine.control_path, "status", samples.RUDE_ANSWER_S)
        assert answer.get("vtpm") == "OK" and "uptime_us" not in answer
        assert samples.response_to(machine) == 0
        waits.append(time.monotonic() - began)
    samples.figure(f"after a rude control client: {max(waits) * 1000:.0f} ms to the next answers")
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY


@pytest.mark.parametrize("left", ["s", "shutdow", "counters\nstat", "x" * 300])
def test_half_a_control_line_is_not_the_next_clients(machine, left):
    """Whether the kernel sees it before its client leaves or not."""
    for pause_s in (0, 0, 0, 0.1):
        with vm.connect(machine.control_path, 10) as client:
            client.sendall(left.encode())
            time.sleep(pause_s)
        answer = control.ask(machine.control_path, "status", 10)
        if left.startswith("counters") and "uptime_us" in "".join(answer):
            continue  # A whole request, whose client left at once: answered to the next.
        assert [line.partition("=")[0] for line in answer] == ["state", "vtpm", "mode",
                                                                   "state_freshness"]
    assert control.ask(machine.control_path, "nonsense", 10) == ["error=unknown request"]
    assert machine.process.poll() is None


# No row for a half-sent line followed by nonsense: if the key is ready early, all of it is
# doubtful, and a doubtful line that is no request is dropped unanswered (kernel/control.c).
@pytest.mark.parametrize("left, said, answer", [
    ("s", "status", "state=OK"), ("x", "status", "state=OK"), ("", "status", "state=OK"),
    ("", "nonsense", "error=unknown request")])
def test_clients_that_change_unseen(machine, left, said, answer):
    """While the TPM makes an RSA key, one control client leaves and the next one comes: the kernel
    then finds bytes and both events at once, and cannot know whose the first byte is."""
    slow = tpm.sized(struct.pack(">HH", 0, 0)) + tpm.sized(RSA_STORAGE_KEY)
    body = struct.pack(">I", tpm.RH_OWNER) + tpm.password(b"") + slow + struct.pack(">HI", 0, 0)
    with tpm.Tpm(machine.tpm_path) as client:
        with vm.connect(machine.control_path, 60) as first:
            first.sendall(b"status\n")
            assert first.recv(4096)
            client.client.sendall(tpm.frame(tpm.CC_CREATE_PRIMARY, body, tpm.SESSIONS))
            time.sleep(0.1)  # The kernel waits for the TPM, no more for the control port.
            first.sendall(left.encode())
            time.sleep(0.1)  # QEMU takes it, as far as the kernel lent it room.
        with vm.connect(machine.control_path, 60) as second:
            second.sendall(said.encode() + b"\n")
            assert second.recv(4096).decode().split("\n")[0] == answer


def test_unknown_command_is_the_tpms_to_answer(machine):
    with tpm.Tpm(machine.tpm_path) as client:
        response = client.exchange(tpm.frame(0x2fff, b""))
        assert int.from_bytes(response[6:10], "big") == 0x143  # TPM_RC_COMMAND_CODE


def test_random_well_framed_commands_do_no_harm(machine):
    seed = int(os.environ.get("HOLDFAST_SEED", "3"))
    generator = random.Random(seed)
    count = 3000 if os.environ.get("HOLDFAST_NIGHTLY") == "1" else 150
    with tpm.Tpm(machine.tpm_path) as client:
        for _ in range(count):
            code = generator.choice((generator.randrange(0x11F, 0x19C), generator.getrandbits(32)))
            if code == tpm.CC_SHUTDOWN:
                continue
            body = generator.randbytes(generator.randrange(0, 60))
            tag = generator.choice((tpm.NO_SESSIONS, tpm.SESSIONS))
            response = client.exchange(tpm.frame(code, body, tag))
            assert len(response) >= 10
    assert machine.process.poll() is None
    assert not any("restarted" in line for line in machine.lines)


def test_control_and_tpm_ports_do_not_wait_for_each_other(machine):
    with tpm.Tpm(machine.tpm_path) as client:
        client.client.sendall(GET_RANDOM[:5])
        assert "vtpm" in control.ask_values(machine.control_path, "status")
        client.client.sendall(GET_RANDOM[5:])
        assert len(tpm.read_response(client.client)) == 20
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY
