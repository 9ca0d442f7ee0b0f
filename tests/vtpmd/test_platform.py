# SPDX-License-Identifier: MIT
"""vtpmd on Linux: what the platform around a TPM does to it. Locality, dynamic launch, clock."""

import hashlib
import pathlib
import struct

import pytest

from tpm_driver import (
    CC_GET_RANDOM, CC_INCREMENTAL_SELF_TEST, CC_PCR_EVENT, CC_READ_CLOCK, CC_SELF_TEST,
    CC_SHUTDOWN, CC_STARTUP, EXIT_LIBRARY, EXIT_PORT, EXIT_USAGE,
    KIND_GET_ESTABLISHED, KIND_HASH_DATA, KIND_HASH_END, KIND_HASH_START, KIND_RESET_ESTABLISHED,
    RC_INITIALIZE, RC_LOCALITY, RC_SEQUENCE, RC_SUCCESS, SHA256, VTPMD, Vtpm, command, sized)


@pytest.fixture(name="store")
def fixture_store(tmp_path):
    return tmp_path


def code_of(response):
    return struct.unpack(">I", response[6:10])[0]


def read_clock(vtpm):
    """(clock in ms, is it safe)"""
    body = vtpm.run(CC_READ_CLOCK)
    return struct.unpack(">Q", body[8:16])[0], body[24] == 1


def test_the_clock_never_goes_back(store):
    latest = 0
    for orderly in (False, False, True, False):
        with Vtpm(store) as vtpm:
            clock, _ = read_clock(vtpm)
            assert clock >= latest, orderly
            latest, _ = read_clock(vtpm)
            if orderly:
                vtpm.run(CC_SHUTDOWN, b"\0\0")
            vtpm.kill()


def test_startup_is_the_users_own_if_asked(store):
    with Vtpm(store) as vtpm:
        before, _ = read_clock(vtpm)
        vtpm.kill()
    with Vtpm(store, "--no-startup") as vtpm:
        assert code_of(vtpm.exchange(command(CC_GET_RANDOM, b"\0\10"))) == RC_INITIALIZE
        assert vtpm.exchange(command(CC_STARTUP, b"\0\0"))[6:] == bytes(4)
        assert read_clock(vtpm)[0] > before
        assert code_of(vtpm.exchange(command(CC_STARTUP, b"\0\0"))) == RC_INITIALIZE


def untested(vtpm):
    """How many algorithms libtpms has not tested yet."""
    body = vtpm.run(CC_INCREMENTAL_SELF_TEST, struct.pack(">I", 0))
    return struct.unpack(">I", body[:4])[0]


def questions(path):
    """How often vtpmd asked whether it is cancelled: libtpms does before each test that it runs."""
    return path.read_text().count("poll(")


def test_firmware_finds_the_self_test_done(store):
    """It ran at power-on, so the first answer costs nothing; whoever asks again gets it run."""
    with Vtpm(store) as vtpm:  # Its first start makes the TPM.
        assert untested(vtpm) > 0  # Nobody counts the time of a TPM that is started already.
    trace = store / "trace"
    with Vtpm(store, "--no-startup", wrapper=("strace", "-qq", "-e", "trace=poll", "-o",
                                              trace)) as vtpm:
        at_power_on = questions(trace)
        assert at_power_on > 0
        vtpm.run(CC_STARTUP, b"\0\0")
        assert untested(vtpm) == 0
        vtpm.run(CC_SELF_TEST, b"\1")
        assert questions(trace) == at_power_on
        vtpm.run(CC_SELF_TEST, b"\1")
        assert questions(trace) > at_power_on


def test_a_self_test_that_fails_is_the_end(store):
    """The answer that AES-128 has to give (NIST SP 800-38A, F.1.1) is another one in this copy."""
    with Vtpm(store):
        pass
    known = bytes.fromhex("3ad77bb40d7a3660a89ecaf32466ef97")
    program = pathlib.Path(VTPMD).read_bytes()
    assert known in program
    broken = store / "vtpmd"
    broken.write_bytes(program.replace(known, bytes(16)))
    broken.chmod(0o755)
    vtpm = Vtpm(store, "--no-startup", wait_ready=False, program=broken)
    assert vtpm.stop() == EXIT_LIBRARY
    assert "the self-test failed" in vtpm.log


def test_locality_is_the_messages(store):
    with Vtpm(store) as vtpm:
        extend = command(CC_PCR_EVENT, sized(b"x"), handles=(20,), auth=True)
        assert code_of(vtpm.exchange(extend)) & 0xfff == RC_LOCALITY
        assert code_of(vtpm.exchange(extend, locality=2)) == RC_SUCCESS
        assert code_of(vtpm.exchange(extend)) & 0xfff == RC_LOCALITY


def test_hash_sequence_and_the_established_flag(store):
    with Vtpm(store) as vtpm:
        established = lambda: vtpm.message(KIND_GET_ESTABLISHED)[10:]
        assert established() == b"\0"
        for kind in (KIND_HASH_DATA, KIND_HASH_END):
            assert code_of(vtpm.message(kind, b"x")) == RC_SEQUENCE
        assert code_of(vtpm.message(KIND_HASH_START)) == RC_SUCCESS
        for piece in (b"a dynamic", b" launch"):
            assert code_of(vtpm.message(KIND_HASH_DATA, piece)) == RC_SUCCESS
        assert code_of(vtpm.message(KIND_HASH_END)) == RC_SUCCESS
        digest = hashlib.sha256(b"a dynamic launch").digest()
        assert vtpm.pcr(17, SHA256) == hashlib.sha256(bytes(32) + digest).digest()
        assert established() == b"\1"
        assert code_of(vtpm.message(KIND_RESET_ESTABLISHED, locality=2)) == RC_LOCALITY
        assert established() == b"\1"
        assert code_of(vtpm.message(KIND_RESET_ESTABLISHED, locality=3)) == RC_SUCCESS
        assert established() == b"\0"


@pytest.mark.parametrize("argument", ["--buffer-size=2807", "--buffer-size=4097",
                                      "--buffer-size=", "--buffer-size=x"])
def test_buffer_sizes_that_are_none(store, argument):
    vtpm = Vtpm(store, argument, wait_ready=False)
    assert vtpm.stop() == EXIT_USAGE


@pytest.mark.parametrize("message", [b"\0", b"\0\0\0", b"\0\5\0\0", b"\6\0\0\0", b"\0\0\0\1"])
def test_messages_that_are_none(store, message):
    with Vtpm(store) as vtpm:
        vtpm.process.stdin.write(message)
        assert vtpm.process.wait(10) == EXIT_PORT
