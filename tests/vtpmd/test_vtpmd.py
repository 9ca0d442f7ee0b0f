# SPDX-License-Identifier: MIT
"""vtpmd on Linux: what it stores, when it refuses, how it ends.

The store is a directory here. Failures come from limits (RLIMIT_FSIZE) and from strace's fault
injection, so that vtpmd contains no hook for them."""

import hashlib
import os
import resource
import shutil
import signal
import struct

import pytest

from tpm_driver import (
    CC_GET_CAPABILITY, CC_GET_RANDOM, CC_GET_TEST_RESULT, CC_NV_READ, CC_RSA_DECRYPT,
    CC_RSA_ENCRYPT, CC_SELF_TEST, CC_SHUTDOWN, CC_SIGN, CC_STARTUP, CC_VERIFY, EXIT_NO_ENTROPY,
    EXIT_ORDERLY, EXIT_PORT, EXIT_STATE_AUTH, EXIT_STATE_IO, EXIT_STATE_REJECTED, EXIT_STORE,
    EXIT_USAGE, Failed, RC_COMMAND_SIZE, RC_FAILURE, RC_INITIALIZE, SHA1, SHA256, SHA384, SHA512,
    Vtpm, command, sized)

NV_INDEX = 0x01500016
CAP_EVENT = b"HOLDFAST vTPM RESTARTED"
HAS_STRACE = shutil.which("strace") is not None
needs_strace = pytest.mark.skipif(not HAS_STRACE, reason="strace injects the failures")


# Of a start after an end without a shutdown TPM2_Startup stores, and so does the clock.
FIRST_WRITE = 3


@pytest.fixture(name="store")
def fixture_store(tmp_path):
    return tmp_path


def permall(store):
    return store / "vtpm0.permall"


def injecting(rule):
    return ("strace", "-qq", "-f", "-o", "/dev/null", "-e", f"inject={rule}")


def ends_with(store, *arguments, wrapper=()):
    """Start, expect it to end before it is ready; (exit code, log)."""
    vtpm = Vtpm(store, *arguments, wrapper=wrapper, wait_ready=False)
    code = vtpm.stop()
    assert "ready" not in vtpm.log
    return code, vtpm.log


def make_tpm(store):
    """A TPM with a counted NV value; returns the bytes that are stored."""
    with Vtpm(store) as vtpm:
        vtpm.nv_define(NV_INDEX, 32)
        vtpm.nv_write(NV_INDEX, b"first value".ljust(32, b"."))
    return permall(store).read_bytes()


# --- Starting, serving, ending ---

def test_tolerates_as_many_failures_as_pcs_do(store):
    """libtpms' default of three tries is used up by three kills of the VM."""
    with Vtpm(store) as vtpm:
        answer = vtpm.run(CC_GET_CAPABILITY, struct.pack(">III", 6, 0x20E, 4))
    # moreData, the capability, a count, then pairs of property and value.
    pairs = struct.iter_unpack(">II", answer[9:])
    assert dict(pairs) == {0x20E: 0, 0x20F: 32, 0x210: 600, 0x211: 86400}


def test_manufactures_once_and_serves(store):
    with Vtpm(store) as vtpm:
        assert vtpm.log == ["making EK RSA-2048", "making EK P-384", "making SRK P-256",
                            "manufactured", "ready"]
        first, second = vtpm.random(32), vtpm.random(32)
        assert len(first) == 32 and first != second
        assert vtpm.stop() == EXIT_ORDERLY
    with Vtpm(store) as vtpm:
        assert vtpm.log == ["ready"]


def test_makes_the_keys_of_the_profile(store):
    """At their handles, with the templates' attributes; the host tool's tests compare the keys."""
    with Vtpm(store) as vtpm:
        rsa, p384, srk = (vtpm.read_public(handle)
                          for handle in (0x81010001, 0x81010016, 0x81000001))
    assert rsa[:8] == struct.pack(">HHI", 0x01, SHA256, 0x000300B2) and len(rsa) == 58 + 256
    assert p384[:8] == struct.pack(">HHI", 0x23, SHA384, 0x000300F2) and len(p384) == 72 + 98
    assert srk[:8] == struct.pack(">HHI", 0x23, SHA256, 0x00030472) and len(srk) == 24 + 66
    with Vtpm(store) as vtpm:
        assert vtpm.read_public(0x81010001) == rsa


def test_an_ephemeral_tpm_has_no_keys(store):
    with Vtpm(store, "--ephemeral") as vtpm:
        for handle in (0x81010001, 0x81010016, 0x81000001):
            with pytest.raises(Failed):
                vtpm.read_public(handle)


def test_startup_has_been_done(store):
    with Vtpm(store) as vtpm:
        response = vtpm.exchange(command(CC_STARTUP, b"\0\0"))
        assert struct.unpack(">I", response[6:])[0] == RC_INITIALIZE


def test_malformed_commands_get_an_answer(store):
    with Vtpm(store) as vtpm:
        for data in (b"\x80", b"\x80\x01\0\0\0\x0a\0\0\x01",
                     struct.pack(">HII", 0x8001, 12, CC_GET_RANDOM),
                     struct.pack(">HII", 0x8001, 9, CC_GET_RANDOM),
                     struct.pack(">HII", 0x8001, 0xFFFFFFFF, CC_GET_RANDOM)):
            assert struct.unpack(">I", vtpm.exchange(data)[6:10])[0] == RC_COMMAND_SIZE
        for tag in (0, 0x00C1, 0x8003):
            response = vtpm.exchange(struct.pack(">HII", tag, 10, CC_GET_RANDOM))
            assert struct.unpack(">I", response[6:10])[0] != 0
        for code in (0, 0x11E, 0x1FF, 0xFFFFFFFF):
            response = vtpm.exchange(command(code))
            assert struct.unpack(">I", response[6:10])[0] != 0
        assert len(vtpm.random(8)) == 8


def test_sha256_and_sha384_banks_only(store):
    for _ in range(2):
        with Vtpm(store) as vtpm:
            assert vtpm.pcr(0, SHA1) is None
            assert vtpm.pcr(0, SHA512) is None
            assert vtpm.pcr(0, SHA256) == bytes(32)
            assert vtpm.pcr(0, SHA384) == bytes(48)


def test_every_algorithm_is_there(store):
    """The full self-test uses each algorithm that libtpms offers. provider.c lists by hand what
    libtpms finds through OpenSSL, so one that is missing shows here."""
    with Vtpm(store) as vtpm:
        body = vtpm.run(CC_GET_CAPABILITY, struct.pack(">III", 0, 0, 0x100))
        count, = struct.unpack(">I", body[5:9])
        offered = {struct.unpack(">HI", body[9 + 6 * i:15 + 6 * i])[0] for i in range(count)}
        # RSA, TDES, SHA-1, AES, SHA-2, RSASSA, RSAES, RSAPSS, OAEP, ECDSA, ECDH, ECC, CAMELLIA,
        # CTR, OFB, CBC, CFB, ECB
        assert offered >= {0x01, 0x03, 0x04, 0x06, 0x0B, 0x0C, 0x0D, 0x14, 0x15, 0x16, 0x17, 0x18,
                           0x19, 0x23, 0x26, 0x40, 0x41, 0x42, 0x43, 0x44}
        vtpm.run(CC_SELF_TEST, b"\1")
        body = vtpm.run(CC_GET_TEST_RESULT)
        assert struct.unpack(">I", body[-4:])[0] == 0


def test_rsa_with_every_hash(store):
    """OAEP and RSASSA look their hash up through OpenSSL; the self-test tries one only."""
    with Vtpm(store) as vtpm:
        key = vtpm.create_primary_rsa()
        for bank, size in ((SHA1, 20), (SHA256, 32), (SHA384, 48), (SHA512, 64)):
            oaep, rsassa = struct.pack(">HH", 0x17, bank), struct.pack(">HH", 0x14, bank)
            cipher = vtpm.run(CC_RSA_ENCRYPT, sized(b"hello") + oaep + sized(b""), handles=(key,))
            plain = vtpm.run(CC_RSA_DECRYPT, cipher + oaep + sized(b""), handles=(key,), auth=True)
            assert plain[4:].startswith(sized(b"hello"))
            digest = sized(bytes(range(size)))
            ticket = struct.pack(">HIH", 0x8024, 0x40000007, 0)
            signed = vtpm.run(CC_SIGN, digest + rsassa + ticket, handles=(key,), auth=True)
            (length,) = struct.unpack(">I", signed[:4])
            vtpm.run(CC_VERIFY, digest + signed[4:4 + length], handles=(key,))
            broken = bytearray(signed[4:4 + length])
            broken[-1] ^= 1
            with pytest.raises(Failed):
                vtpm.run(CC_VERIFY, digest + bytes(broken), handles=(key,))


def test_arguments(store):
    assert ends_with(store, "--restart")[0] == EXIT_USAGE
    assert ends_with(store, "--crash-on=")[0] == EXIT_USAGE
    assert ends_with(store, "--crash-on=17bz")[0] == EXIT_USAGE
    assert ends_with(store, "--store-dir=nowhere")[0] == EXIT_USAGE
    assert ends_with(store, "extra")[0] == EXIT_USAGE
    assert not permall(store).exists()


def test_output_that_is_gone_ends_it(store):
    vtpm = Vtpm(store)
    vtpm.process.stdout.close()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    vtpm.process.stdin.write(command(CC_GET_RANDOM, b"\0\x08"))
    assert vtpm.process.wait(10) in (EXIT_PORT, -signal.SIGPIPE)


# --- What survives ---

def test_state_survives_restart_and_kill(store):
    make_tpm(store)
    with Vtpm(store) as vtpm:
        _, key = vtpm.create_primary_ecc()
        assert vtpm.nv_read(NV_INDEX, 32) == b"first value".ljust(32, b".")
        vtpm.nv_write(NV_INDEX, b"second")
        vtpm.kill()
    with Vtpm(store) as vtpm:
        assert vtpm.log == ["ready"]
        assert vtpm.nv_read(NV_INDEX, 6) == b"second"
        assert vtpm.create_primary_ecc()[1] == key


def test_each_acknowledged_write_survives_a_kill(store):
    make_tpm(store)
    for turn in range(5):
        value = bytes([turn]) * 32
        with Vtpm(store) as vtpm:
            vtpm.nv_write(NV_INDEX, value)
            vtpm.kill()
        with Vtpm(store) as vtpm:
            assert vtpm.nv_read(NV_INDEX, 32) == value


def test_full_nv_can_be_loaded_again(store):
    """More than 128 KiB, which is where libtpms' own allocator ends."""
    with Vtpm(store) as vtpm:
        with pytest.raises(Failed):
            for count in range(1000):
                vtpm.nv_define(NV_INDEX + count, 2048)
                vtpm.nv_write(NV_INDEX + count, bytes([count]) * 1024, 1024)
        assert len(vtpm.random()) == 16
    assert permall(store).stat().st_size > 128 * 1024
    with Vtpm(store) as vtpm:
        assert vtpm.log == ["ready"]
        for index in range(count):
            assert vtpm.nv_read(NV_INDEX + index, 4, 2044) == bytes([index]) * 4


def test_two_tpms_differ(store):
    keys = set()
    for name in ("a", "b"):
        (store / name).mkdir()
        with Vtpm(store / name) as vtpm:
            keys.add(vtpm.create_primary_ecc()[1])
    assert len(keys) == 2


def test_volatile_state_is_not_kept(store):
    with Vtpm(store) as vtpm:
        vtpm.pcr_event(3, b"measured")
        handle, _ = vtpm.create_primary_ecc()
        vtpm.run(CC_SHUTDOWN, b"\0\0")
    with Vtpm(store) as vtpm:
        assert vtpm.pcr(3, SHA256) == bytes(32)
        with pytest.raises(Failed):
            vtpm.read_public(handle)
    assert [path.name for path in store.iterdir()] == ["vtpm0.permall"]


def test_ephemeral_touches_no_file(store):
    keys = set()
    for _ in range(2):
        with Vtpm(store, "--ephemeral") as vtpm:
            assert vtpm.log == ["manufactured", "ready"]
            vtpm.nv_define(NV_INDEX, 32)
            vtpm.nv_write(NV_INDEX, b"x" * 32)
            assert vtpm.nv_read(NV_INDEX, 32) == b"x" * 32
            keys.add(vtpm.create_primary_ecc()[1])
    assert not list(store.iterdir())
    assert len(keys) == 2


# --- Failing stores ---

def test_a_store_that_fails_is_not_acknowledged(store):
    before = make_tpm(store)
    with Vtpm(store) as vtpm:
        before = permall(store).read_bytes()
        resource.prlimit(vtpm.process.pid, resource.RLIMIT_FSIZE, (0, 0))
        with pytest.raises(Failed) as failed:
            vtpm.nv_write(NV_INDEX, b"never acknowledged")
        assert failed.value.code == RC_FAILURE
        # Failure mode is for good; the process lives on and says so.
        with pytest.raises(Failed) as failed:
            vtpm.random()
        assert failed.value.code == RC_FAILURE
        assert vtpm.stop() == EXIT_ORDERLY
        assert "store failed: write failed: errno 27" in vtpm.log
    assert permall(store).read_bytes() == before
    with Vtpm(store) as vtpm:
        assert vtpm.nv_read(NV_INDEX, 11) == b"first value"


@needs_strace
@pytest.mark.parametrize("call", ["pwrite64", "ftruncate", "fsync"])
@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
def test_each_step_of_a_store_can_fail(store, call, error):
    make_tpm(store)
    # The first is TPM2_Startup's, the second the write's.
    with Vtpm(store, wrapper=injecting(f"{call}:error={error}:when={FIRST_WRITE}")) as vtpm:
        with pytest.raises(Failed) as failed:
            vtpm.nv_write(NV_INDEX, b"other value")
        assert failed.value.code == RC_FAILURE
        assert vtpm.stop() == EXIT_ORDERLY
        assert [line for line in vtpm.log if line.startswith("store failed:")]


@needs_strace
def test_nothing_is_stored_after_a_failure(store):
    """A failed store must not be repaired behind the client's back by a later one."""
    make_tpm(store)
    with Vtpm(store, wrapper=injecting(f"fsync:error=EIO:when={FIRST_WRITE}")) as vtpm:
        with pytest.raises(Failed):
            vtpm.nv_write(NV_INDEX, b"other value")
        stamp = os.stat(permall(store)).st_mtime_ns
        with pytest.raises(Failed):
            vtpm.nv_write(NV_INDEX, b"again")
        vtpm.exchange(command(CC_SHUTDOWN, b"\0\0"))
    assert os.stat(permall(store)).st_mtime_ns == stamp


@needs_strace
def test_failure_at_start(store):
    before = make_tpm(store)
    for when in range(1, FIRST_WRITE):
        code, log = ends_with(store, wrapper=injecting(f"fsync:error=EIO:when={when}"))
        assert code == EXIT_STORE and f"ending with code {EXIT_STORE}" in log, when
    for rule, expected in (("openat:error=EBADMSG", EXIT_STATE_AUTH),
                           ("openat:error=EIO", EXIT_STATE_IO),
                           ("openat:error=EACCES", EXIT_STATE_IO),
                           ("openat:error=EINVAL", EXIT_STATE_IO),
                           ("pread64:error=EBADMSG", EXIT_STATE_AUTH),
                           ("pread64:error=EIO", EXIT_STATE_IO),
                           ("pread64:retval=0", EXIT_STATE_IO),
                           ("newfstatat:error=EIO", EXIT_STATE_IO),
                           # Absent at the second look only: that is no absence.
                           ("openat:error=ENOENT:when=2", EXIT_STATE_IO)):
        assert ends_with(store, wrapper=injecting(rule))[0] == expected, rule
    with Vtpm(store) as vtpm:
        assert vtpm.log == ["ready"]
        assert vtpm.nv_read(NV_INDEX, 11) == b"first value"
    assert len(before) == len(permall(store).read_bytes())


@needs_strace
@pytest.mark.parametrize("rule", ["openat:error=EROFS:when=3", "pwrite64:error=ENOSPC",
                                  "fsync:error=EIO"])
def test_a_tpm_that_cannot_be_stored_is_not_made(store, rule):
    code, log = ends_with(store, wrapper=injecting(rule))
    assert code == EXIT_STORE
    assert "manufactured" not in log


@needs_strace
def test_manufacture_is_one_transaction(store):
    """Exactly one fsync before the TPM is complete: a crash before it leaves nothing."""
    trace = store / "trace"
    wrapper = ("strace", "-qq", "-o", str(trace), "-e", "trace=fsync,write,openat")
    with Vtpm(store, wrapper=wrapper):
        pass
    lines = trace.read_text().splitlines()
    made = next(i for i, line in enumerate(lines) if "manufactured" in line)
    assert sum("fsync(" in line for line in lines[:made]) == 1


# --- Refusals ---

@pytest.mark.parametrize("damage", ["empty", "magic", "version", "short", "hash", "zeroes"])
def test_damaged_state_is_refused_and_left_alone(store, damage):
    data = bytearray(make_tpm(store))
    if damage == "empty":
        data = bytearray()
    elif damage == "magic":
        data[2] ^= 1
    elif damage == "version":
        data[0] = 0x7F
        data[7] = 0x7F
    elif damage == "short":
        del data[len(data) // 2:]
    elif damage == "hash":
        data[-1] ^= 0xFF
        data[-2] ^= 0xFF
    else:
        data = bytearray(len(data))
    permall(store).write_bytes(data)
    code, log = ends_with(store)
    # An empty object does not even get as far as libtpms.
    assert code == (EXIT_STATE_AUTH if damage == "empty" else EXIT_STATE_REJECTED), log
    assert "manufactured" not in log
    assert permall(store).read_bytes() == data


def test_oversized_state_is_refused(store):
    permall(store).write_bytes(bytes(256 * 1024 + 1))
    assert ends_with(store)[0] == EXIT_STATE_IO


def test_damage_never_leads_to_a_new_identity(store):
    """permall has no integrity of its own: damage may go unnoticed here (under the kernel the
    store authenticates it first), but it never makes vtpmd start afresh."""
    good = make_tpm(store)
    for at in range(0, len(good), max(1, len(good) // 48)):
        data = bytearray(good)
        data[at] ^= 1 << at % 8
        permall(store).write_bytes(data)
        vtpm = Vtpm(store, wait_ready=False)
        code = vtpm.stop()
        assert "manufactured" not in vtpm.log
        if code == EXIT_STATE_REJECTED:
            assert permall(store).read_bytes() == data


# --- Restarts and crashes ---

def test_restarted_caps_the_pcrs(store):
    make_tpm(store)
    with Vtpm(store, "--restarted") as vtpm:
        assert vtpm.log == ["PCRs capped", "ready"]
        for bank, digest in ((SHA256, hashlib.sha256), (SHA384, hashlib.sha384)):
            event = digest(CAP_EVENT).digest()
            capped = digest(bytes(len(event)) + event).digest()
            for pcr in range(16):
                assert vtpm.pcr(pcr, bank) == capped
            assert vtpm.pcr(16, bank) == bytes(len(event))
            assert vtpm.pcr(23, bank) == bytes(len(event))


def test_crash_on_crashes(store):
    make_tpm(store)
    with Vtpm(store, f"--crash-on={CC_NV_READ:#x}") as vtpm:
        assert len(vtpm.random()) == 16
        with pytest.raises(EOFError):
            vtpm.nv_read(NV_INDEX, 1)
        assert vtpm.stop() == -signal.SIGSEGV
    with Vtpm(store, "--restarted") as vtpm:
        assert vtpm.nv_read(NV_INDEX, 11) == b"first value"


# --- Entropy ---

@needs_strace
def test_no_entropy_at_start(store):
    for rule in ("getrandom:error=EIO:when=2+", "getrandom:error=ENOSYS",
                 "getrandom:retval=0:when=2+"):
        code, log = ends_with(store, wrapper=injecting(rule))
        assert code == EXIT_NO_ENTROPY, rule
        assert "no entropy" in log
    assert not permall(store).exists()


@needs_strace
def test_getrandom_that_writes_nothing(store):
    """Reports success without a byte: caught by comparing two results."""
    code, _ = ends_with(store, wrapper=injecting("getrandom:retval=32:when=2+"))
    assert code == EXIT_NO_ENTROPY
    assert not permall(store).exists()


@needs_strace
def test_entropy_that_fails_during_manufacture(store):
    # 1: malloc; 2 and 3: the checks at start; 4: the seeds.
    code, log = ends_with(store, wrapper=injecting("getrandom:error=EIO:when=4+"))
    assert code == EXIT_NO_ENTROPY, log
    assert not permall(store).exists()


@needs_strace
def test_entropy_that_fails_later_never_becomes_rand(store):
    """libtpms would go on with rand(): the process has to end without an answer instead."""
    make_tpm(store)
    with Vtpm(store, wrapper=injecting("getrandom:error=EIO:when=7+")) as vtpm:
        with pytest.raises(EOFError):
            for _ in range(2000):
                vtpm.flush(vtpm.create_primary_ecc()[0])
        assert vtpm.stop() == EXIT_NO_ENTROPY


# --- The log is the host's to read ---

@needs_strace
def test_no_command_byte_reaches_the_log(store):
    """libtpms dumps the command that led to failure mode; it may hold an authorisation value."""
    make_tpm(store)
    with Vtpm(store, wrapper=injecting(f"fsync:error=EIO:when={FIRST_WRITE}")) as vtpm:
        with pytest.raises(Failed):
            vtpm.nv_write(NV_INDEX, b"\xDE\xAD\xBE\xEFsecret")
        vtpm.stop()
        text = "\n".join(vtpm.log).lower()
        assert "failure mode" in text
        assert "" not in vtpm.log
        assert "de ad" not in text and "dead" not in text and "80 02" not in text


def test_get_capability_names_the_library(store):
    with Vtpm(store) as vtpm:
        body = vtpm.run(CC_GET_CAPABILITY, struct.pack(">III", 6, 0x100, 1))
        assert body[-4:] == b"2.0\0"
