# SPDX-License-Identifier: MIT
"""Drives vtpmd natively: one command a write, one response read; a few TPM 2.0 commands."""

import os
import signal
import struct
import subprocess

VTPMD = os.environ.get("VTPMD", "build/dev/user/vtpmd/vtpmd")

NO_SESSIONS, SESSIONS = 0x8001, 0x8002
RH_OWNER, RS_PW, RH_ENDORSEMENT, RH_PLATFORM = 0x40000001, 0x40000009, 0x4000000B, 0x4000000C
CC_EVICT_CONTROL, CC_NV_DEFINE, CC_CREATE_PRIMARY = 0x120, 0x12A, 0x131
CC_RSA_DECRYPT, CC_SIGN, CC_RSA_ENCRYPT, CC_VERIFY = 0x159, 0x15D, 0x174, 0x177
CC_INCREMENTAL_SELF_TEST, CC_SELF_TEST, CC_GET_TEST_RESULT = 0x142, 0x143, 0x17C
CC_NV_WRITE, CC_PCR_EVENT, CC_STARTUP, CC_SHUTDOWN = 0x137, 0x13C, 0x144, 0x145
CC_READ_CLOCK = 0x181
CC_NV_READ, CC_FLUSH_CONTEXT, CC_READ_PUBLIC = 0x14E, 0x165, 0x173
CC_GET_CAPABILITY, CC_GET_RANDOM, CC_PCR_READ, CC_PCR_EXTEND = 0x17A, 0x17B, 0x17E, 0x182
SHA1, SHA256, SHA384, SHA512 = 0x04, 0x0B, 0x0C, 0x0D
RC_SUCCESS, RC_INITIALIZE, RC_FAILURE, RC_COMMAND_SIZE = 0, 0x100, 0x101, 0x142

# vtpm/service_message.h
KIND_COMMAND, KIND_HASH_START, KIND_HASH_DATA, KIND_HASH_END = 0, 1, 2, 3
KIND_GET_ESTABLISHED, KIND_RESET_ESTABLISHED = 4, 5
RC_SEQUENCE, RC_LOCALITY = 0x103, 0x907

# vtpm/service_exit.h
EXIT_ORDERLY, EXIT_USAGE, EXIT_NO_ENTROPY, EXIT_STATE_IO = 0, 2, 3, 4
EXIT_STATE_AUTH, EXIT_STATE_REJECTED, EXIT_MANUFACTURE, EXIT_STORE = 5, 6, 7, 8
EXIT_START, EXIT_PORT, EXIT_LIBRARY = 9, 10, 11


def command(code, body=b"", handles=(), auth=False):
    """One command; `auth` adds an empty password session for the first handle."""
    head = b"".join(struct.pack(">I", handle) for handle in handles)
    if auth:
        session = struct.pack(">IHBH", RS_PW, 0, 0, 0)
        head += struct.pack(">I", len(session)) + session
    body = head + body
    return struct.pack(">HII", SESSIONS if auth else NO_SESSIONS, 10 + len(body), code) + body


def sized(data):
    return struct.pack(">H", len(data)) + data


class Failed(Exception):
    """The TPM answered with a code other than success."""

    def __init__(self, code):
        super().__init__(f"TPM_RC {code:#x}")
        self.code = code


class Vtpm:
    """One vtpmd process. Use it as a context: leaving it closes the input and waits."""

    def __init__(self, store, *arguments, wrapper=(), wait_ready=True, program=VTPMD):
        self.log = []
        self.process = subprocess.Popen(
            [*wrapper, program, f"--store-dir={store}/", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            # Python ignores SIGXFSZ; inherited, a write above RLIMIT_FSIZE becomes EFBIG.
            restore_signals=False, bufsize=0)
        if wait_ready:
            self.wait_ready()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def wait_ready(self):
        while not self.log or self.log[-1] != "ready":
            line = self.process.stderr.readline().decode()
            assert line, f"no 'ready', exit code {self.process.wait(10)}, log {self.log}"
            self.log.append(line.rstrip("\n"))

    def stop(self):
        """Close the input; returns the exit code."""
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
        code = self.process.wait(20)
        if not self.process.stderr.closed:
            self.log += self.process.stderr.read().decode().splitlines()
            self.process.stderr.close()
            self.process.stdout.close()
        return code

    def kill(self):
        """As a power cut would: no shutdown, nothing flushed."""
        self.process.send_signal(signal.SIGKILL)
        self.stop()

    def _read(self, size):
        data = b""
        while len(data) < size:
            part = self.process.stdout.read(size - len(data))
            if not part:
                raise EOFError(f"vtpmd is gone: {self.process.wait(10)}")
            data += part
        return data

    def exchange(self, data, locality=0):
        """Raw: a command in, a whole response out."""
        return self.message(KIND_COMMAND, data, locality)

    def message(self, kind, data=b"", locality=0):
        """As the kernel hands it over (vtpm/service_message.h); the response."""
        self.process.stdin.write(struct.pack(">BBH", kind, locality, 0) + data)
        head = self._read(10)
        tag, size, _ = struct.unpack(">HII", head)
        assert tag in (0x8001, 0x8002, 0x00C4) and 10 <= size <= 4096
        return head + self._read(size - 10)

    def run(self, *arguments, **keywords):
        """A command that has to succeed; returns what follows the header."""
        response = self.exchange(command(*arguments, **keywords))
        code = struct.unpack(">I", response[6:10])[0]
        if code != RC_SUCCESS:
            raise Failed(code)
        return response[10:]

    def random(self, size=16):
        return self.run(CC_GET_RANDOM, struct.pack(">H", size))[2:]

    def pcr(self, index, bank):
        """The digest, or None if the bank is off."""
        select = bytearray(3)
        select[index // 8] = 1 << index % 8
        body = self.run(CC_PCR_READ, struct.pack(">IHB", 1, bank, 3) + bytes(select))
        (count,) = struct.unpack(">I", body[-4:] if len(body) == 4 + 4 + 6 + 4 else body[14:18])
        if count == 0:
            return None
        (size,) = struct.unpack(">H", body[18:20])
        return body[20:20 + size]

    def pcr_event(self, index, data):
        self.run(CC_PCR_EVENT, sized(data), handles=(index,), auth=True)

    def nv_define(self, index, size):
        public = struct.pack(">IHIHH", index, SHA256, 0x00020002, 0, size)  # owner read, write
        self.run(CC_NV_DEFINE, sized(b"") + sized(public), handles=(RH_OWNER,), auth=True)

    def nv_write(self, index, data, offset=0):
        self.run(CC_NV_WRITE, sized(data) + struct.pack(">H", offset),
                 handles=(RH_OWNER, index), auth=True)

    def nv_read(self, index, size, offset=0):
        body = self.run(CC_NV_READ, struct.pack(">HH", size, offset),
                        handles=(RH_OWNER, index), auth=True)
        return body[6:6 + size]

    def create_primary_ecc(self, hierarchy=RH_ENDORSEMENT):
        """A restricted P-256 storage key from the hierarchy's seed: (handle, public area)."""
        public = struct.pack(">HHIH", 0x23, SHA256, 0x00030072, 0)
        public += struct.pack(">HHH", 6, 128, 0x43)  # AES-128-CFB
        public += struct.pack(">HHHHH", 0x10, 3, 0x10, 0, 0)  # no scheme, P-256, no KDF, x, y
        body = self.run(CC_CREATE_PRIMARY,
                        sized(struct.pack(">HH", 0, 0)) + sized(public) + sized(b"")
                        + struct.pack(">I", 0), handles=(hierarchy,), auth=True)
        handle = struct.unpack(">I", body[:4])[0]
        (size,) = struct.unpack(">H", body[8:10])
        return handle, body[10:10 + size]

    def create_primary_rsa(self, hierarchy=RH_OWNER):
        """RSA 2048 that may decrypt and sign, without a scheme of its own: its handle. Without
        dictionary-attack protection, whose first use after a start gets TPM_RC_RETRY."""
        public = struct.pack(">HHIH", 0x01, SHA256, 0x00060472, 0)
        public += struct.pack(">HHHIH", 0x10, 0x10, 2048, 0, 0)
        body = self.run(CC_CREATE_PRIMARY,
                        sized(struct.pack(">HH", 0, 0)) + sized(public) + sized(b"")
                        + struct.pack(">I", 0), handles=(hierarchy,), auth=True)
        return struct.unpack(">I", body[:4])[0]

    def evict_control(self, handle, persistent):
        self.run(CC_EVICT_CONTROL, struct.pack(">I", persistent),
                 handles=(RH_OWNER, handle), auth=True)

    def flush(self, handle):
        self.run(CC_FLUSH_CONTEXT, struct.pack(">I", handle))

    def read_public(self, handle):
        body = self.run(CC_READ_PUBLIC, handles=(handle,))
        (size,) = struct.unpack(">H", body[:2])
        return body[2:2 + size]
