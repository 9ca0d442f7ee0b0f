# SPDX-License-Identifier: MIT
"""SIGKILL of QEMU at random moments of a stream of NV writes and counter increments.

After each kill the disk is booted again and asked: every acknowledged write is there (or the one
after it, which was on its way), the counter never went back, the EK is the same, and no
dictionary-attack lockout came of it. `./test kills --count N --seed S` repeats a run.
"""

import os
import random
import threading
import time

import samples
from harness import tools, tpm

COUNT = int(os.environ.get("HOLDFAST_KILLS", "20"))
SEED = int(os.environ.get("HOLDFAST_SEED", str(random.SystemRandom().randrange(1 << 32))))
NV_SIZE = 256
# Long enough for some tens of commits, short enough for most kills to hit the stream.
KILL_WITHIN_S = 0.4


class Stream:
    """Writes until the connection dies; remembers what was issued and what was acknowledged."""

    def __init__(self, client, written, counted, generator):
        self.client = client
        self.issued = self.written = written
        self.counted_issued = self.counted = counted
        self.generator = generator
        self.error = None

    @staticmethod
    def content(number):
        return number.to_bytes(8, "big") * (NV_SIZE // 8)

    def run(self):
        try:
            while True:
                if self.generator.random() < 0.7:
                    self.issued += 1
                    self.client.nv_write(samples.NV_INDEX, self.content(self.issued))
                    self.written = self.issued
                else:
                    self.counted_issued += 1
                    self.client.nv_increment(samples.NV_COUNTER)
                    self.counted = self.counted_issued
        except (ConnectionError, OSError):
            pass  # The kill.
        except Exception as error:  # pylint: disable=broad-except
            self.error = error  # Anything that the TPM said: told by the main thread.


def check(client, stream, endorsement):
    """The disk after a kill against what the stream knows; what it holds."""
    written = int.from_bytes(client.nv_read(samples.NV_INDEX, NV_SIZE)[:8], "big")
    counted = client.nv_counter(samples.NV_COUNTER)
    assert client.nv_read(samples.NV_INDEX, NV_SIZE) == Stream.content(written), "a torn write"
    assert stream.written <= written <= stream.issued, \
        f"acknowledged {stream.written}, issued {stream.issued}, found {written}"
    assert stream.counted <= counted <= stream.counted_issued, \
        f"acknowledged {stream.counted}, issued {stream.counted_issued}, found {counted}"
    assert client.endorsement_name() == endorsement, "another TPM"
    assert client.lockout_counter() == 0
    assert not client.in_lockout()
    return written, counted


def test_kills(start, disk, key):
    generator = random.Random(SEED)
    print(f"{COUNT} kills, seed {SEED}: repeat with ./test kills --count {COUNT} --seed {SEED}")
    stream, endorsement, acknowledged = None, None, 0
    for number in range(COUNT + 1):
        machine = start(disks=[disk], key=key)
        assert machine.serving() == "persistent", f"after kill {number}"
        client = tpm.Tpm(machine.tpm_path)
        if stream is None:
            endorsement = client.endorsement_name()
            client.nv_define(samples.NV_INDEX, NV_SIZE)
            client.nv_write(samples.NV_INDEX, Stream.content(0))
            client.nv_define(samples.NV_COUNTER, 8, tpm.NV_ORDINARY | tpm.NV_COUNTER)
            client.nv_increment(samples.NV_COUNTER)
            written, counted = 0, client.nv_counter(samples.NV_COUNTER)
        else:
            written, counted = check(client, stream, endorsement)
        if number == COUNT:
            break
        stream = Stream(client, written, counted, random.Random(generator.random()))
        thread = threading.Thread(target=stream.run, daemon=True)
        thread.start()
        time.sleep(generator.random() * KILL_WITHIN_S)
        machine.kill()
        thread.join(20)
        assert not thread.is_alive() and stream.error is None, stream.error
        acknowledged += stream.written - written + stream.counted - counted
        client.client.close()
    machine.kill()
    tools.holdfast("image", "verify", "--key-file", key, disk)
    samples.figure(f"{COUNT} kills (seed {SEED}), {acknowledged} acknowledged commits, none lost")
    assert acknowledged > COUNT // 4, "the stream hardly ran: nothing was shown"


def test_kills_during_boot(start, blank, key):
    """Also before and while the TPM is manufactured: a half-made TPM is none, and the next boot
    makes one; once it was served it stays the same."""
    generator = random.Random(SEED)
    endorsement = None
    for _ in range(max(4, COUNT // 5)):
        machine = start(disks=[blank], key=key)
        time.sleep(generator.random() * 4)
        machine.kill()
        machine = start(disks=[blank], key=key)
        assert machine.serving() == "persistent"
        with tpm.Tpm(machine.tpm_path) as client:
            name = client.endorsement_name()
        machine.kill()
        assert endorsement in (None, name)
        endorsement = name


def test_kills_after_protected_authorisations(start, disk, key):
    """An index under dictionary-attack protection, used with its right password before each kill.
    The TPM has to count each such end as a failed try (else a host could guess and kill), but as
    many as a PC's TPM allows, and an orderly end costs none."""
    index, secret = samples.NV_INDEX, b"the right password"
    attributes = tpm.NV_AUTHREAD | tpm.NV_AUTHWRITE
    machine = start(disks=[disk], key=key)
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        client.nv_define(index, 32, attributes, auth=secret)
        assert client.property(tpm.PT_MAX_AUTH_FAIL) >= 32
    kills = min(24, COUNT)
    for number in range(kills):
        with tpm.Tpm(machine.tpm_path) as client:
            client.nv_write(index, bytes([number]) * 32, by=index, auth=secret)
        machine.kill()
        machine = start(disks=[disk], key=key)
        machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        counted = client.lockout_counter()
        assert counted <= kills and not client.in_lockout()
        assert client.nv_read(index, 32, by=index, auth=secret) == bytes([kills - 1]) * 32
    assert samples.shut_down(machine) == 33
    machine = start(disks=[disk], key=key)
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        assert client.lockout_counter() <= counted
