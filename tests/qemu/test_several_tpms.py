# SPDX-License-Identifier: MIT
"""Several TPMs in one service VM: each has its own state, and what happens to one is not felt by
another: a crash, a lockout, a full NV, a long command."""

import shutil
import threading

import pytest

import samples
from harness import control, tools, tpm, vm

COUNT = 3
CAP_NV = 0x01000000
PASSWORD_INDEX = 0x1500021
# RSA 2048 for signing. Its primes depend on `unique` too, so each number is a new search.
RSA_KEY = (0x0001, 0x000B, 0x00040072)
CC_CREATE_PRIMARY, CC_HASH = 0x131, 0x17D


@pytest.fixture(scope="session", name="made_three")
def fixture_made_three(made, tmp_path_factory):
    disk = tmp_path_factory.mktemp("several") / "disk.img"
    shutil.copy(made[1], disk)
    for number in range(1, COUNT):
        tools.tpm_manufacture(disk, made[0], number=number)
    return disk


@pytest.fixture(name="three")
def fixture_three(made_three, folder):
    """A volume with TPMs 0 to 2 that nobody has used."""
    return shutil.copy(made_three, f"{folder}/three.img")


def wait_all(machine, count):
    """Each serves."""
    machine.serving()
    for number in range(1, count):
        machine.wait_for(rf"vtpm: serving org.holdfast.tpm.{number} \(persistent\)")


def client_of(machine, number):
    return tpm.Tpm(machine.tpm_path_of(number))


def rsa_primary(number):
    """CreatePrimary of an RSA key that nobody has made before: a command that takes seconds."""
    kind, name_hash, attributes = RSA_KEY
    public = kind.to_bytes(2, "big") + name_hash.to_bytes(2, "big") + attributes.to_bytes(4, "big")
    public += bytes.fromhex("0000 0010 0010 0800 00000000".replace(" ", ""))
    public += tpm.sized(number.to_bytes(4, "big"))
    session = bytes.fromhex("40000009 0000 00 0000".replace(" ", ""))
    body = tpm.RH_OWNER.to_bytes(4, "big") + len(session).to_bytes(4, "big") + session
    body += tpm.sized(bytes(4)) + tpm.sized(public) + tpm.sized(b"") + bytes(4)
    return tpm.frame(CC_CREATE_PRIMARY, body, tag=tpm.SESSIONS)


@pytest.mark.parametrize("model", ["microvm", "q35"])
def test_eight_tpms_in_256_mib(start, disk, key, model):
    """Each has an identity and an index of its own, after a kill too."""
    for number in range(1, 8):
        tools.tpm_manufacture(disk, key, number=number)
    facts = []
    for boot in range(2):
        machine = start(disks=[disk], key=key, tpms=8, memory_mib=256, machine=model)
        wait_all(machine, 8)
        found = []
        for number in range(8):
            with client_of(machine, number) as client:
                if boot == 0:
                    text = b"TPM number %d" % number
                    client.nv_define(samples.NV_INDEX, len(text))
                    client.nv_write(samples.NV_INDEX, text)
                assert client.handles(CAP_NV) == [samples.NV_INDEX]
                found.append((client.endorsement_name(), client.nv_read(samples.NV_INDEX, 12)))
        facts.append(found)
        status = control.ask_values(machine.control_path, "status")
        assert [status["vtpm"]] + [status[f"vtpm{n}"] for n in range(1, 8)] == ["OK"] * 8
        free = control.counters(machine.control_path)["free_pages"] * 4 // 1024
        samples.figure(f"eight TPMs in 256 MiB leave {free} MiB")
        machine.kill()
    assert facts[0] == facts[1]
    assert len({name for name, _ in facts[0]}) == 8
    assert [text for _, text in facts[0]] == [b"TPM number %d" % n for n in range(8)]


def test_a_crash_is_one_tpms_own(start, three, key):
    """TPM 1 dies of each such command, until it is given up. The others keep what only their memory
    holds."""
    crash = f"holdfast.vtpmd.crash_on={CC_HASH:#x}"
    machine = start(disks=[three], key=key, tpms=COUNT, append=crash)
    wait_all(machine, COUNT)
    others = [client_of(machine, number) for number in (0, 2)]
    for client in others:
        client.pcr_extend(7, b"\x11" * 32)
    before = [client.pcr_read(7) for client in others]
    with client_of(machine, 1) as victim:
        for _ in range(5):
            response = victim.exchange(tpm.frame(CC_HASH, b"\0\0\0\x0b\x40\0\0\x07"))
            assert response[6:10] == b"\0\0\x01\x01"
    machine.wait_for(r"vtpm: TPM 1 unavailable: FAULTED")
    assert [client.pcr_read(7) for client in others] == before
    status = control.ask_values(machine.control_path, "status")
    assert (status["vtpm"], status["vtpm1"], status["vtpm2"]) == ("OK", "FAULTED", "OK")
    for client in others:
        client.client.close()
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY


def test_a_long_command_holds_up_nobody(start, three, key):
    """While TPM 1 looks for the primes of RSA keys, the others answer."""
    machine = start(disks=[three], key=key, tpms=COUNT)
    wait_all(machine, COUNT)
    done = threading.Event()
    answers = []

    def search():
        with client_of(machine, 1) as client:
            for number in range(3):
                answer = client.exchange(rsa_primary(number))
                answers.append(answer[6:10])
                client.flush_context(int.from_bytes(answer[10:14], "big"))
        done.set()

    thread = threading.Thread(target=search)
    thread.start()
    meanwhile = 0
    with client_of(machine, 0) as first, client_of(machine, 2) as third:
        while not done.is_set() and thread.is_alive():
            assert len(first.get_random(8)) == 8 and len(third.get_random(8)) == 8
            meanwhile += 0 if done.is_set() else 1
    thread.join()
    assert answers == [bytes(4)] * 3
    samples.figure(f"{meanwhile} answers of two TPMs while a third made three RSA keys")
    assert meanwhile >= 10


def test_a_lockout_is_one_tpms_own(start, three, key):
    machine = start(disks=[three], key=key, tpms=COUNT)
    wait_all(machine, COUNT)
    attributes = tpm.NV_AUTHREAD | tpm.NV_AUTHWRITE
    for number in (0, 1):
        with client_of(machine, number) as client:
            client.nv_define(PASSWORD_INDEX, 8, attributes, auth=b"right")
            client.nv_write(PASSWORD_INDEX, b"protects", by=PASSWORD_INDEX, auth=b"right")
    with client_of(machine, 1) as client:
        for _ in range(40):
            with pytest.raises(tpm.TpmError):
                client.nv_read(PASSWORD_INDEX, 8, by=PASSWORD_INDEX, auth=b"wrong")
        assert client.in_lockout()
    with client_of(machine, 0) as client:
        assert not client.in_lockout() and client.lockout_counter() == 0
        assert client.nv_read(PASSWORD_INDEX, 8, by=PASSWORD_INDEX, auth=b"right") == b"protects"


def test_a_full_tpm_leaves_the_others_room(start, three, key):
    machine = start(disks=[three], key=key, tpms=COUNT)
    wait_all(machine, COUNT)
    with client_of(machine, 1) as client:
        with pytest.raises(tpm.TpmError) as full:
            for index in range(0x1500100, 0x1500200):
                client.nv_define(index, 2048)
                for offset in (0, 1024):
                    client.nv_write(index, b"\xa5" * 1024, offset)
        assert full.value.code == tpm.RC_NV_SPACE
    for number in (0, 2):
        with client_of(machine, number) as client:
            client.nv_define(samples.NV_INDEX, 2048)
            client.nv_write(samples.NV_INDEX, b"\x5a" * 1024)
    machine.kill()
    machine = start(disks=[three], key=key, tpms=COUNT)
    wait_all(machine, COUNT)
    for number in (0, 2):
        with client_of(machine, number) as client:
            assert client.nv_read(samples.NV_INDEX, 1024) == b"\x5a" * 1024


def test_created_and_deleted_by_who_has_the_key(start, three, key, folder):
    """The volume is the list: nobody without its key adds to it or takes away."""
    tools.key_generate(f"{folder}/other.key")
    for command in (["manufacture", "--without-certificates", "--instance", "3"],
                    ["delete", "--instance", "1"]):
        done = tools.holdfast("tpm", *command, "--key-file", f"{folder}/other.key", three,
                              check=False)
        assert done.returncode == 1 and "WRONG_KEY" in done.stderr
    tools.holdfast("tpm", "delete", "--instance", "1", "--key-file", key, three)
    assert tools.holdfast("tpm", "list", "--key-file", key, three).stdout == \
        "0 org.holdfast.tpm\n2 org.holdfast.tpm.2\n"
    machine = start(disks=[three], key=key, tpms=COUNT)
    machine.wait_for(r"vtpm: serving org.holdfast.tpm.2")
    machine.serving()
    status = control.ask_values(machine.control_path, "status")
    assert "vtpm1" not in status and status["vtpm2"] == "OK"
    assert "making" not in machine.console()


def test_a_tpm_without_a_port_is_left_alone(start, three, key):
    machine = start(disks=[three], key=key, tpms=2)
    wait_all(machine, 2)
    machine.wait_for(r"vtpm: TPM 2 is not started, no port org.holdfast.tpm.2: NOT_FOUND")
    with client_of(machine, 1) as client:
        assert len(client.get_random(8)) == 8
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY
    machine = start(disks=[three], key=key, tpms=COUNT)
    wait_all(machine, COUNT)
