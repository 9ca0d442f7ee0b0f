# SPDX-License-Identifier: MIT
"""What the tests store in a TPM, and how they look for it again."""

import dataclasses
import hashlib
import os
import random
import time

from harness import control, tpm, vm

NV_INDEX = 0x1500010
NV_COUNTER = 0x1500011
KEY_HANDLE = 0x81000020
# What a client waits behind a bad one: the channel may have to be started again.
RUDE_ANSWER_S = 10
CANARY = b"holdfast-test-canary-" + bytes(range(0x30, 0x5a))


@dataclasses.dataclass
class Facts:
    """What a TPM that kept its state must still say."""
    endorsement: bytes
    key_name: bytes
    counter: int
    text: bytes


def figure(text):
    """A measured value: ./test prints it with its summary. Figures are reported, not asserted."""
    print(text)
    path = os.environ.get("HOLDFAST_FIGURES")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(text + "\n")


def fill(machine, text=CANARY):
    """Store an NV index, a counter and a key."""
    with tpm.Tpm(machine.tpm_path) as client:
        client.nv_define(NV_INDEX, len(text))
        client.nv_write(NV_INDEX, text)
        client.nv_define(NV_COUNTER, 8, tpm.NV_ORDINARY | tpm.NV_COUNTER)
        client.nv_increment(NV_COUNTER)
        client.nv_increment(NV_COUNTER)
        handle, _ = client.create_primary()
        client.evict_control(handle, KEY_HANDLE)
        client.flush_context(handle)
        return read(client)


def read(client):
    return Facts(endorsement=client.endorsement_name(),
                 key_name=client.read_public_name(KEY_HANDLE),
                 counter=client.nv_counter(NV_COUNTER),
                 text=client.nv_read(NV_INDEX, len(CANARY)))


def facts_of(machine):
    with tpm.Tpm(machine.tpm_path) as client:
        return read(client)


def hand_over_until_restart(machine, rounds, timeout_s=60):
    """Clients of the TPM's port that close it while their answer is on its way, each with the next
    one waiting in the socket's queue: at least so many, and until the kernel had to start the
    channel again, because QEMU has lost its buffers in this. Every one is answered; what comes
    first may be the answer to the one before (docs/threat-model.md, "Two clients within one
    look")."""
    def ask(client, size):
        client.client.sendall(tpm.frame(tpm.CC_GET_RANDOM, size.to_bytes(2, "big")))
    generator = random.Random(1)
    end = time.monotonic() + timeout_s
    first = tpm.Tpm(machine.tpm_path, RUDE_ANSWER_S)
    count = 0
    while count < rounds or "started again" not in machine.console():
        assert time.monotonic() < end, f"{count} clients, and no restart"
        ask(first, 16)
        second = tpm.Tpm(machine.tpm_path, RUDE_ANSWER_S)
        ask(second, 20)
        time.sleep(generator.choice((0, 0.0001, 0.0002, 0.0005, 0.001, 0.002)))
        first.client.close()
        answer = tpm.read_response(second.client)
        if len(answer) == 12 + 16:
            answer = tpm.read_response(second.client)
        assert len(answer) == 12 + 20
        first = second
        count += 1
    first.client.close()


def status_of(machine):
    return control.ask_values(machine.control_path, "status")


def increment(machine):
    """The response code of one NV_Increment: a durable commit."""
    with tpm.Tpm(machine.tpm_path) as client:
        try:
            client.nv_increment(NV_COUNTER)
        except tpm.TpmError as error:
            return error.code
        return 0


def counter_of(machine):
    with tpm.Tpm(machine.tpm_path) as client:
        return client.nv_counter(NV_COUNTER)


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


def response_to(machine, command=None):
    """The response code that any client gets now."""
    with tpm.Tpm(machine.tpm_path) as client:
        response = client.exchange(command or tpm.frame(tpm.CC_GET_RANDOM, b"\x00\x08"))
        return int.from_bytes(response[6:10], "big")


def shut_down(machine):
    """Ask for an orderly end; QEMU's exit code."""
    try:
        control.ask(machine.control_path, "shutdown")
    except ConnectionError:
        pass
    return machine.wait_exit(30)


def expect_failed_state(machine, *names):
    """The state failed with one of these: console, both sockets and the exit say so. The one."""
    found = machine.wait_for(r"state: failed: (\w+): (.+)")
    assert found.group(1) in names, found.group(0)
    assert len(found.group(2)) > 10, "no advice"
    machine.wait_for(rf"vtpm: unavailable: {found.group(1)}")
    assert response_to(machine) == tpm.RC_FAILURE
    assert response_to(machine, tpm.frame(tpm.CC_SHUTDOWN, b"\x00\x00")) == tpm.RC_FAILURE
    assert found.group(1) in "\n".join(control.ask(machine.control_path, "status"))
    assert not any("vtpm: serving" in line for line in machine.lines)
    assert shut_down(machine) == vm.EXIT_ORDERLY
    return found.group(1)


def flip_bit(path, offset, bit=0):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))
