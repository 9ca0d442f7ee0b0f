# SPDX-License-Identifier: MIT
"""The TPM control port against the booted kernel: power, locality, dynamic launch, cancel."""

import hashlib
import struct
import time

import pytest

import samples
from harness import tpm, tpm_control
from harness.tpm_control import ControlError, TpmControl

PCR_DRTM = 17
PT_MAX_COMMAND_SIZE = 0x11E
RC_INITIALIZE, RC_CANCELED, RC_LOCALITY = 0x100, 0x909, 0x907
CC_STARTUP, CC_CREATE_PRIMARY, CC_READ_CLOCK = 0x144, 0x131, 0x181
SU_STATE = 1
RC_VALUE = 0xC4  # Of a parameter, whose number is above it.
EVENT = b"a dynamic launch"
# fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, decrypt; RSA 3072.
RSA_STORAGE_KEY = struct.pack(">HHIHHHHHHIH", 0x0001, tpm.ALG_SHA256, 0x30072, 0, 0x0006, 128,
                              0x0043, tpm.ALG_NULL, 3072, 0, 0)


@pytest.fixture
def machine(start, used, used_disk):
    machine = start(disks=[used_disk], key=used[0])
    machine.serving()
    return machine


def refused(control, *arguments, **fields):
    with pytest.raises(ControlError) as caught:
        control.call(*arguments, **fields)
    return caught.value.name


def startup(client):
    client.call(CC_STARTUP, struct.pack(">H", 0))


def read_clock(client):
    """(clock in ms, resets)"""
    response = client.call(CC_READ_CLOCK)
    _, clock, resets = struct.unpack(">QQI", response[:20])
    return clock, resets


def test_power_cycle(machine):
    """Resets the PCRs, keeps what is durable, and leaves TPM2_Startup to the TPM's user."""
    with TpmControl(machine.tpm_control_path) as control, tpm.Tpm(machine.tpm_path) as client:
        before = control.status()
        assert before.power == "on"
        name = client.endorsement_name()
        client.pcr_extend(7, b"\7" * 32)
        control.power_on()
        after = control.status()
        assert after.power == "on" and after.power_id != before.power_id
        with pytest.raises(tpm.TpmError) as caught:
            client.get_random(8)
        assert caught.value.code == RC_INITIALIZE
        startup(client)
        assert client.pcr_read(7) == bytes(32)
        assert client.endorsement_name() == name
        control.power_off()
        assert control.status().power == "off"
        with pytest.raises(tpm.TpmError) as caught:
            client.get_random(8)
        assert caught.value.code == tpm.RC_FAILURE
        assert refused(control, tpm_control.HASH_START) == "IS_OFF"
        control.power_on(tpm_control.STARTUP)
        assert client.get_random(8)
        id_of = control.status().power_id
        control.power_on(tpm_control.IF_OFF)
        assert control.status().power_id == id_of and client.get_random(8)
        assert control.counters()["power_ons"] == 3


@pytest.mark.parametrize("flags", [0, tpm_control.DELETE_VOLATILE])
def test_suspend_to_memory(machine, flags):
    """What a machine that sleeps wants kept it has put into the TPM's durable state itself, with
    TPM2_Shutdown(STATE); there is no other volatile state, so the flag is of no consequence."""
    with TpmControl(machine.tpm_control_path) as control, tpm.Tpm(machine.tpm_path) as client:
        client.pcr_extend(7, b"\7" * 32)
        measured = client.pcr_read(7)
        client.call(tpm.CC_SHUTDOWN, struct.pack(">H", SU_STATE))
        control.power_on(flags)
        client.call(CC_STARTUP, struct.pack(">H", SU_STATE))
        assert client.pcr_read(7) == measured
        control.power_on(flags)
        with pytest.raises(tpm.TpmError) as caught:  # It did not say so this time.
            client.call(CC_STARTUP, struct.pack(">H", SU_STATE))
        assert caught.value.code & 0xff == RC_VALUE
        startup(client)
        assert client.pcr_read(7) == bytes(32)


def test_power_cycles_cost_no_tries(machine):
    """A guest that is reset without TPM2_Shutdown does not lock its TPM."""
    with TpmControl(machine.tpm_control_path) as control, tpm.Tpm(machine.tpm_path) as client:
        index = 0x1500016
        client.nv_define(index, 8, tpm.NV_ORDINARY & ~tpm.NV_NO_DA, b"secret")
        client.nv_write(index, b"01234567", by=index, auth=b"secret")
        before = client.lockout_counter()
        for _ in range(3):
            client.nv_read(index, 8, by=index, auth=b"secret")
            control.power_on(tpm_control.STARTUP)
        assert client.lockout_counter() == before
        assert client.nv_read(index, 8, by=index, auth=b"secret") == b"01234567"


def test_locality(machine):
    """PCR 20 may be extended from localities 1 to 3 only; a client that leaves ends its own."""
    with tpm.Tpm(machine.tpm_path) as client:
        with TpmControl(machine.tpm_control_path) as control:
            with pytest.raises(tpm.TpmError) as caught:
                client.pcr_extend(20, b"\1" * 32)
            assert caught.value.code & 0xfff == RC_LOCALITY
            control.set_locality(2)
            client.pcr_extend(20, b"\1" * 32)
            assert control.status().locality == 2
            assert refused(control, tpm_control.SET_LOCALITY, b"\5") == "BAD_VALUE"
        with TpmControl(machine.tpm_control_path) as control:
            assert control.status().locality == 0
        with pytest.raises(tpm.TpmError):
            client.pcr_extend(20, b"\1" * 32)


def test_locality_outlives_a_restart_of_the_channel(machine):
    """Its client is still there and knows nothing of the restart. One that is new says so."""
    with TpmControl(machine.tpm_control_path) as control:
        control.set_locality(2)
        samples.hand_over_until_restart(machine, 1)
        with tpm.Tpm(machine.tpm_path) as client:
            client.pcr_extend(20, b"\1" * 32)
        control.call(tpm_control.HELLO)
        assert control.status().locality == 0


def test_dynamic_launch(machine):
    """_TPM_Hash_Start sets PCR 17 to zero, _TPM_Hash_End extends it with the data's hash."""
    with TpmControl(machine.tpm_control_path) as control, tpm.Tpm(machine.tpm_path) as client:
        assert client.pcr_read(PCR_DRTM) == b"\xff" * 32
        assert not control.established()
        assert refused(control, tpm_control.HASH_DATA, b"x") == "BAD_SEQUENCE"
        assert refused(control, tpm_control.HASH_END) == "BAD_SEQUENCE"
        control.hash(EVENT * 200)
        measured = hashlib.sha256(bytes(32) + hashlib.sha256(EVENT * 200).digest()).digest()
        assert client.pcr_read(PCR_DRTM) == measured
        assert control.established()
        control.power_on(tpm_control.STARTUP)
        assert control.established(), "the flag outlives the TPM's power"
        assert refused(control, tpm_control.RESET_ESTABLISHED, b"\0") == "BAD_LOCALITY"
        control.reset_established(3)
        assert not control.established()
        assert control.counters()["hashes"] == 1


def test_cancel(machine):
    """A running RSA key generation ends with TPM_RC_CANCELED, and the TPM goes on."""
    with TpmControl(machine.tpm_control_path) as control, tpm.Tpm(machine.tpm_path) as client:
        parameters = tpm.sized(struct.pack(">HH", 0, 0)) + tpm.sized(RSA_STORAGE_KEY) + \
            struct.pack(">HI", 0, 0)
        command = tpm.frame(CC_CREATE_PRIMARY, struct.pack(">I", tpm.RH_OWNER) +
                            tpm.password(b"") + parameters, tpm.SESSIONS)
        client.client.sendall(command)
        while not control.status().running:
            time.sleep(0.01)
        control.call(tpm_control.CANCEL)
        assert struct.unpack(">I", tpm.read_response(client.client)[6:10])[0] == RC_CANCELED
        assert control.counters()["cancels"] == 1
        assert client.get_random(8)
        # One that takes the power away does not wait for the key either.
        client.client.sendall(command)
        while not control.status().running:
            time.sleep(0.01)
        control.power_on(tpm_control.STARTUP)
        assert struct.unpack(">I", tpm.read_response(client.client)[6:10])[0] == RC_CANCELED
        # Nor does the key keep those waiting who come after its client left.
        client.client.sendall(command)
        while not control.status().running:
            time.sleep(0.01)
    with tpm.Tpm(machine.tpm_path) as client, TpmControl(machine.tpm_control_path) as control:
        assert client.get_random(8)
        assert control.counters()["cancels"] == 3


def test_buffer_size(machine):
    """What a machine's interface can hold becomes what the TPM says of itself."""
    with TpmControl(machine.tpm_control_path) as control, tpm.Tpm(machine.tpm_path) as client:
        assert control.buffer_size() == (4096, 2808, 4096)
        assert refused(control, tpm_control.BUFFER_SIZE, struct.pack(">I", 3968)) == "IS_ON"
        control.power_off()
        assert control.buffer_size(3968) == (3968, 2808, 4096)
        control.power_on(tpm_control.STARTUP)
        assert client.property(PT_MAX_COMMAND_SIZE) == 3968
        control.power_off()
        assert control.buffer_size(1)[0] == 2808 and control.buffer_size(1 << 20)[0] == 4096


def test_refusals(machine):
    with TpmControl(machine.tpm_control_path) as control:
        assert struct.unpack(">BBHH", control.call(tpm_control.HELLO)) == (1, 1, 0, 1024)
        assert control.call(tpm_control.HELLO, b"later", version=9)
        assert refused(control, tpm_control.STATUS, version=9) == "BAD_VERSION"
        assert refused(control, 77) == "BAD_COMMAND"
        assert refused(control, tpm_control.STATUS, instance=1) == "BAD_INSTANCE"
        assert refused(control, tpm_control.STATUS, b"x") == "BAD_LENGTH"
        assert refused(control, tpm_control.POWER_ON, b"\x80") == "BAD_VALUE"
        control.client.sendall(b"status\n")
        assert control.receive() == (0, "BAD_FRAME", b"")
    with TpmControl(machine.tpm_control_path) as control:
        assert control.status().power == "on"


def test_clients_that_leave(machine):
    """Half a request of somebody who left does not reach the next one."""
    for cut in (1, 2, 15, 16, 17, 40):
        with TpmControl(machine.tpm_control_path) as control:
            control.client.sendall(tpm_control.request(tpm_control.HASH_DATA, b"\0" * 64)[:cut])
        with TpmControl(machine.tpm_control_path) as control:
            assert control.status().power == "on"


def test_clock(machine, start, used, used_disk):
    """The TPM's clock goes with real time, and never back over a kill."""
    with tpm.Tpm(machine.tpm_path) as client:
        started_at, (first, resets) = time.monotonic(), read_clock(client)
        time.sleep(1.0)
        elapsed_ms, (second, _) = 1000 * (time.monotonic() - started_at), read_clock(client)
        assert 900 <= second - first <= 2 * elapsed_ms + 1000
    machine.kill()
    again = start(disks=[used_disk], key=used[0])
    again.serving()
    with tpm.Tpm(again.tpm_path) as client:
        third, later_resets = read_clock(client)
        assert third >= second and later_resets == resets + 1
