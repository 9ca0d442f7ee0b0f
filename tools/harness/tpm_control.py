# SPDX-License-Identifier: MIT
"""A client of the TPM control port: docs/tpm-control.md."""

import dataclasses
import struct

from harness import tpm, vm

MAGIC_REQUEST, MAGIC_REPLY, VERSION = 0x4843, 0x4852, 1
HEADER = struct.Struct(">HBBHHIHH")
BODY_MAX = 1024

(HELLO, STATUS, COUNTERS, POWER_ON, POWER_OFF, SET_LOCALITY, GET_ESTABLISHED, RESET_ESTABLISHED,
 HASH_START, HASH_DATA, HASH_END, CANCEL, BUFFER_SIZE) = range(1, 14)
RESULTS = ("OK", "BAD_FRAME", "BAD_VERSION", "BAD_COMMAND", "BAD_INSTANCE", "BAD_LENGTH",
           "BAD_VALUE", "IS_OFF", "IS_ON", "BAD_SEQUENCE", "BAD_LOCALITY", "UNAVAILABLE", "FAILED")
DELETE_VOLATILE, STARTUP, IF_OFF = 1, 2, 4
POWER_NAMES = ("off", "on", "unavailable")


class ControlError(Exception):
    """A result other than OK."""

    def __init__(self, name):
        super().__init__(name)
        self.name = name


@dataclasses.dataclass
class Status:
    power: str
    locality: int
    established: bool
    running: bool
    cause: int
    power_id: int


def request(command, body=b"", tag=0, instance=0, version=VERSION):
    return HEADER.pack(MAGIC_REQUEST, version, command, instance, 0, tag, len(body), 0) + body


class TpmControl:
    """A connection. Use as a context manager."""

    def __init__(self, path, timeout_s=60):
        self.client = vm.connect(path, timeout_s)
        self.tag = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def send(self, command, body=b"", **fields):
        """Returns the tag."""
        self.tag += 1
        self.client.sendall(request(command, body, self.tag, **fields))
        return self.tag

    def receive(self):
        """(tag, name of the result, body)"""
        header = tpm.read_exactly(self.client, HEADER.size)
        magic, version, _, _, result, tag, size, reserved = HEADER.unpack(header)
        assert (magic, version, reserved) == (MAGIC_REPLY, VERSION, 0), header
        assert size <= BODY_MAX
        return tag, RESULTS[result], tpm.read_exactly(self.client, size)

    def call(self, command, body=b"", **fields):
        tag = self.send(command, body, **fields)
        got, result, reply = self.receive()
        assert got == tag, f"a reply to {got}, not to {tag}"
        if result != "OK":
            raise ControlError(result)
        return reply

    def status(self):
        power, locality, established, running, cause, _, _, power_id = struct.unpack(
            ">BBBBBBHQ", self.call(STATUS))
        return Status(POWER_NAMES[power], locality, bool(established), bool(running), cause,
                      power_id)

    def counters(self):
        names = ("commands", "restarts", "power_ons", "cancels", "hashes")
        return dict(zip(names, struct.unpack(">5Q", self.call(COUNTERS))))

    def power_on(self, flags=DELETE_VOLATILE):
        self.call(POWER_ON, bytes([flags]))

    def power_off(self):
        self.call(POWER_OFF)

    def set_locality(self, locality):
        self.call(SET_LOCALITY, bytes([locality]))

    def established(self):
        return self.call(GET_ESTABLISHED) == b"\1"

    def reset_established(self, locality):
        self.call(RESET_ESTABLISHED, bytes([locality]))

    def hash(self, data):
        """A dynamic launch's measurement, whole."""
        self.call(HASH_START)
        for at in range(0, len(data), BODY_MAX):
            self.call(HASH_DATA, data[at:at + BODY_MAX])
        self.call(HASH_END)

    def buffer_size(self, size=0):
        """(size, min, max)"""
        return struct.unpack(">III", self.call(BUFFER_SIZE, struct.pack(">I", size)))
