# SPDX-License-Identifier: MIT
"""A raw TPM 2.0 client: the few commands that the tests send, one connection for many of them.

Written against the TCG TPM 2.0 Library specification, parts 2 (structures) and 3 (commands). Only
password sessions. tpm2-tools would start a process and a connection for each command; the kill
tests send hundreds.
"""

import struct

from harness import vm

NO_SESSIONS = 0x8001
SESSIONS = 0x8002
RS_PW = 0x40000009
RH_OWNER = 0x40000001
RH_LOCKOUT = 0x4000000A
RH_ENDORSEMENT = 0x4000000B
ALG_NULL = 0x0010
ALG_SHA256 = 0x000B

RC_FAILURE = 0x101
RC_LOCKOUT = 0x921
RC_NV_DEFINED = 0x14C
RC_NV_SPACE = 0x14B
RC_COMMAND_SIZE = 0x142
RC_RETRY = 0x922
RETRIES = 5

CC_EVICT_CONTROL = 0x120
CC_CLEAR = 0x126
CC_NV_UNDEFINE = 0x122
CC_NV_DEFINE = 0x12A
CC_CREATE_PRIMARY = 0x131
CC_NV_INCREMENT = 0x134
CC_NV_WRITE = 0x137
CC_DA_LOCK_RESET = 0x139
CC_SHUTDOWN = 0x145
CC_NV_READ = 0x14E
CC_FLUSH_CONTEXT = 0x165
CC_READ_PUBLIC = 0x173
CC_GET_CAPABILITY = 0x17A
CC_GET_RANDOM = 0x17B
CC_PCR_READ = 0x17E
CC_PCR_EXTEND = 0x182

NV_OWNERWRITE = 0x2
NV_AUTHWRITE = 0x4
NV_COUNTER = 0x10
NV_OWNERREAD = 0x20000
NV_AUTHREAD = 0x40000
NV_NO_DA = 0x2000000
NV_ORDINARY = NV_OWNERWRITE | NV_AUTHWRITE | NV_OWNERREAD | NV_AUTHREAD | NV_NO_DA

CAP_HANDLES = 1
CAP_PROPERTIES = 6
PT_PERMANENT = 0x200
PT_STARTUP_CLEAR = 0x201
PT_LOCKOUT_COUNTER = 0x20E
PT_MAX_AUTH_FAIL = 0x20F
PERMANENT_IN_LOCKOUT = 1 << 9
NV_FIRST = 0x01000000  # The handles of indices begin here.

MAX_NV_BUFFER = 1024

# A storage key on P-256: fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted,
# decrypt; AES-128-CFB. Made anew it is the same key, for primary keys derive from the seed.
ECC_STORAGE_KEY = struct.pack(">HHIHHHHHHHHH", 0x0023, ALG_SHA256, 0x30072, 0, 0x0006, 128, 0x0043,
                              ALG_NULL, 0x0003, ALG_NULL, 0, 0)


def rsa_storage_key(unique):
    """The same as a 2048-bit RSA key. Its primes follow from `unique`: another one is a new search,
    a command that takes long."""
    return struct.pack(">HHIHHHHHHI", 0x0001, ALG_SHA256, 0x30072, 0, 0x0006, 128, 0x0043,
                       ALG_NULL, 2048, 0) + sized(unique)


# The TCG EK Credential Profile's template L-2: P-256, with PolicySecret(endorsement).
EK_POLICY = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
ECC_ENDORSEMENT_KEY = struct.pack(">HHIH", 0x0023, ALG_SHA256, 0x300B2, 32) + EK_POLICY + \
    struct.pack(">HHHHHH", 0x0006, 128, 0x0043, ALG_NULL, 0x0003, ALG_NULL) + \
    (struct.pack(">H", 32) + bytes(32)) * 2


class TpmError(Exception):
    """A response code other than success."""

    def __init__(self, code, command):
        super().__init__(f"TPM command {command:#x} failed with {code:#x}")
        self.code = code


def sized(data):
    return struct.pack(">H", len(data)) + data


def password(*secrets):
    """An authorisation area: a password session for each secret."""
    area = b"".join(struct.pack(">IHB", RS_PW, 0, 0) + sized(secret) for secret in secrets)
    return struct.pack(">I", len(area)) + area


def frame(command, body, tag=NO_SESSIONS):
    return struct.pack(">HII", tag, 10 + len(body), command) + body


def capability(kind, first, count):
    """GetCapability, whole."""
    return frame(CC_GET_CAPABILITY, struct.pack(">III", kind, first, count))


def read_exactly(client, size):
    data = b""
    while len(data) < size:
        piece = client.recv(size - len(data))
        if not piece:
            raise ConnectionError(f"the TPM's connection closed after {len(data)} of {size} bytes")
        data += piece
    return data


def read_response(client):
    header = read_exactly(client, 10)
    _, size, _ = struct.unpack(">HII", header)
    if not 10 <= size <= 4096:
        raise ConnectionError(f"a response of {size} bytes")
    return header + read_exactly(client, size - 10)


class Tpm:
    """A connection. Use as a context manager."""

    def __init__(self, path, timeout_s=60):
        self.client = vm.connect(path, timeout_s)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def exchange(self, command):
        """Raw bytes there and back."""
        self.client.sendall(command)
        return read_response(self.client)

    def call(self, command, body=b""):
        """Without sessions; the response's parameters."""
        return self._run(command, frame(command, body))

    def call_authorised(self, command, handles, parameters, *secrets):
        """With a password session a secret; the parameters behind parameterSize."""
        body = b"".join(struct.pack(">I", h) for h in handles)
        body += password(*(secrets or (b"",))) + parameters
        return self._run(command, frame(command, body, SESSIONS))

    def _run(self, command, request):
        """A TPM asks for the command again (part 3, TPM_RC_RETRY) when it had to store something
        first, such as that a protected object is about to be used."""
        for _ in range(RETRIES):
            response = self.exchange(request)
            code = struct.unpack(">I", response[6:10])[0]
            if code == 0:
                return response[10:]
            if code != RC_RETRY:
                break
        raise TpmError(code, command)

    # Randomness, properties and PCRs

    def get_random(self, count):
        response = self.call(CC_GET_RANDOM, struct.pack(">H", count))
        return response[2:2 + struct.unpack(">H", response[:2])[0]]

    def property(self, tag):
        response = self.call(CC_GET_CAPABILITY, struct.pack(">III", CAP_PROPERTIES, tag, 1))
        _, _, count, found, value = struct.unpack(">BIIII", response[:17])
        assert count == 1 and found == tag, f"no property {tag:#x}"
        return value

    def handles(self, first):
        response = self.call(CC_GET_CAPABILITY, struct.pack(">III", CAP_HANDLES, first, 64))
        count = struct.unpack(">I", response[5:9])[0]
        return list(struct.unpack(f">{count}I", response[9:9 + 4 * count]))

    def pcr_read(self, index):
        select = bytearray(3)
        select[index // 8] |= 1 << index % 8
        body = struct.pack(">IHB", 1, ALG_SHA256, 3) + bytes(select)
        response = self.call(CC_PCR_READ, body)
        return response[-32:]

    def pcr_extend(self, index, digest):
        self.call_authorised(CC_PCR_EXTEND, [index],
                             struct.pack(">IH", 1, ALG_SHA256) + digest)

    # NV indices, by default under the owner's empty password

    def nv_define(self, index, size, attributes=NV_ORDINARY, auth=b""):
        public = struct.pack(">IHIHH", index, ALG_SHA256, attributes, 0, size)
        self.call_authorised(CC_NV_DEFINE, [RH_OWNER], sized(auth) + sized(public))

    def nv_undefine(self, index):
        self.call_authorised(CC_NV_UNDEFINE, [RH_OWNER, index], b"")

    def nv_write(self, index, data, offset=0, by=RH_OWNER, auth=b""):
        self.call_authorised(CC_NV_WRITE, [by, index], sized(data) + struct.pack(">H", offset),
                             auth)

    def nv_read(self, index, size, offset=0, by=RH_OWNER, auth=b""):
        parameters = struct.pack(">HH", size, offset)
        response = self.call_authorised(CC_NV_READ, [by, index], parameters, auth)
        return response[6:6 + struct.unpack(">H", response[4:6])[0]]

    def nv_increment(self, index, by=RH_OWNER, auth=b""):
        self.call_authorised(CC_NV_INCREMENT, [by, index], b"", auth)

    def nv_counter(self, index):
        return struct.unpack(">Q", self.nv_read(index, 8))[0]

    # Keys

    def create_primary(self, hierarchy=RH_OWNER, public=ECC_STORAGE_KEY):
        """(handle, name)"""
        parameters = sized(struct.pack(">HH", 0, 0)) + sized(public) + struct.pack(">HI", 0, 0)
        response = self.call_authorised(CC_CREATE_PRIMARY, [hierarchy], parameters)
        handle = struct.unpack(">I", response[:4])[0]
        return handle, self.read_public_name(handle)

    def read_public_name(self, handle):
        response = self.call(CC_READ_PUBLIC, struct.pack(">I", handle))
        public_size = struct.unpack(">H", response[:2])[0]
        at = 2 + public_size
        name_size = struct.unpack(">H", response[at:at + 2])[0]
        return response[at + 2:at + 2 + name_size]

    def evict_control(self, handle, persistent):
        self.call_authorised(CC_EVICT_CONTROL, [RH_OWNER, handle], struct.pack(">I", persistent))

    def flush_context(self, handle):
        self.call(CC_FLUSH_CONTEXT, struct.pack(">I", handle))

    def endorsement_name(self):
        """Who this TPM is: the name of its EK, made anew from the endorsement seed."""
        handle, name = self.create_primary(RH_ENDORSEMENT, ECC_ENDORSEMENT_KEY)
        self.flush_context(handle)
        return name

    # Dictionary attacks and the end

    def lockout_counter(self):
        return self.property(PT_LOCKOUT_COUNTER)

    def in_lockout(self):
        return self.property(PT_PERMANENT) & PERMANENT_IN_LOCKOUT != 0

    def shutdown_clear(self):
        self.call(CC_SHUTDOWN, struct.pack(">H", 0))
