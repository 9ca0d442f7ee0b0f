# SPDX-License-Identifier: MIT
"""Latency of TPM commands through the whole stack, emulated, against swtpm on the host.

Both answer the same client. Ours pays for an emulated CPU, a virtual machine's exits and a durable
commit; swtpm's default back end writes a file and does not flush it, its back end "file" calls
msync for each change and is the peer that promises the same.
"""

import contextlib
import os
import shlex
import statistics
import struct
import subprocess
import tempfile
import time

from harness import bridge, control, tools, tpm, vm
from benchmarks.place import SideError

NV_INDEX, COUNTER_INDEX = 0x01500020, 0x01500021
NV_BYTES = 1024
COUNTER_BYTES = 8
READY_S = 60
# An RSA key is a search for primes: the time of one says nothing.
KEY_REPEATS = {"create RSA-2048": 3, "create ECC P-256": 10}
BOOT = "start to first answer"


def storage_key(kind, number):
    """A template for a primary key that no other number gives."""
    unique = struct.pack(">I", number)
    if kind == "RSA":
        return struct.pack(">HHIHHHHHHI", 0x0001, tpm.ALG_SHA256, 0x30072, 0, 0x0006, 128, 0x0043,
                           tpm.ALG_NULL, 2048, 0) + tpm.sized(unique)
    return tpm.ECC_STORAGE_KEY[:-4] + tpm.sized(unique) + tpm.sized(b"")


def create(client, kind, number):
    handle, _ = client.create_primary(public=storage_key(kind, number))
    return handle


def operations(client):
    """(name, action, what cleans up its result); each action differs from the one before."""
    numbers = iter(range(1, 1 << 30))
    client.nv_define(NV_INDEX, NV_BYTES)
    client.nv_define(COUNTER_INDEX, COUNTER_BYTES, tpm.NV_ORDINARY | tpm.NV_COUNTER)
    client.nv_write(NV_INDEX, bytes(NV_BYTES))  # Nothing can be read before.
    client.nv_increment(COUNTER_INDEX)

    def keep(_):
        pass

    return [
        ("GetRandom 16", lambda: client.get_random(16), keep),
        ("PCR_Extend", lambda: client.pcr_extend(16, next(numbers).to_bytes(32, "big")), keep),
        ("NV_Read 1024", lambda: client.nv_read(NV_INDEX, NV_BYTES), keep),
        ("NV_Write 1024",
         lambda: client.nv_write(NV_INDEX, next(numbers).to_bytes(NV_BYTES, "big")), keep),
        ("NV_Increment", lambda: client.nv_increment(COUNTER_INDEX), keep),
        ("create ECC P-256", lambda: create(client, "ECC", next(numbers)), client.flush_context),
        ("create RSA-2048", lambda: create(client, "RSA", next(numbers)), client.flush_context),
    ]


NAMES = ["GetRandom 16", "PCR_Extend", "NV_Read 1024", "NV_Write 1024", "NV_Increment",
         "create ECC P-256", "create RSA-2048", BOOT]


def time_of(action, clean, repeats):
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        result = action()
        times.append((time.perf_counter() - started) * 1e6)
        clean(result)
    times.sort()
    return {"us": statistics.median(times), "p99_us": times[min(len(times) - 1,
                                                                len(times) * 99 // 100)]}


def measure_at(path, names, repeats, count=lambda: {}):
    """({name: figures}, {name: what `count` gained for each}) of the TPM behind a socket."""
    found, costs = {}, {}
    with tpm.Tpm(path) as client:
        for name, action, clean in operations(client):
            if name not in names:
                continue
            done = min(repeats, KEY_REPEATS.get(name, repeats))
            before = count()
            found[name] = time_of(action, clean, done)
            after = count()
            costs[name] = {key: (after[key] - before[key]) / done for key in before}
    return found, costs


class Tpm:
    """A side: run(...) starts the TPM, has it answer, and ends it."""

    suite = "vtpm"

    def __init__(self, place, name, title, repeats):
        self.place, self.name, self.title, self.repeats = place, name, title, repeats
        self.costs = {}

    def job_names(self):
        return list(NAMES)

    def boot_s(self):
        return 4

    def prepare(self):
        pass

    def started(self, path, began):
        """Seconds x 1e6 until the TPM answers for the first time."""
        with tpm.Tpm(path, READY_S) as client:
            client.get_random(8)
        return {"us": (time.monotonic() - began) * 1e6}

    def measure(self, names):
        # On the host's disk: durable means nothing in memory.
        with tempfile.TemporaryDirectory(prefix="hf-bench-") as folder:
            found = self.serve(folder, names)
        return {name: figures for name, figures in found.items() if name in names}


class HoldfastTpm(Tpm):
    COSTS = {"block_writes": "device writes", "block_flushes": "flushes",
             "blocks_written": "blocks written", "block_notifications": "notifications",
             "shared_transitions": "visibility changes"}

    def way(self, machine, _folder):
        """A context that gives the socket to measure at."""
        return contextlib.nullcontext(machine.tpm_path)

    def serve(self, folder, names):
        key, disk = os.path.join(folder, "key"), os.path.join(folder, "disk.img")
        tools.key_generate(key)
        tools.image_create(disk, key)
        options = vm.VmOptions(folder=folder, disks=[vm.Disk(disk)], key=key,
                               machine="microvm")
        self.place.commands[self.name] = shlex.join(vm.qemu_command(options))
        with vm.Vm(options) as machine:
            machine.serving(READY_S)
            with self.way(machine, folder) as path:
                first = self.started(path, machine.started_at)
                found, costs = measure_at(path, names, self.repeats,
                                          lambda: self.counters(machine.control_path))
        self.costs = costs
        return {**found, BOOT: first}

    def counters(self, path):
        values = control.counters(path)
        return {title: values[name] for name, title in self.COSTS.items()}


class BridgedTpm(HoldfastTpm):
    """The way of a QEMU guest and of every client of the bridge."""

    @contextlib.contextmanager
    def way(self, machine, folder):
        with bridge.serve(machine, folder, "raw"):
            yield os.path.join(folder, "raw.sock")


class Swtpm(Tpm):
    def __init__(self, place, name, title, repeats, state):
        super().__init__(place, name, title, repeats)
        self.state = state

    def boot_s(self):
        return 2

    def serve(self, folder, names):
        data, state = os.path.join(folder, "data.sock"), self.state.format(folder=folder)
        if "file://" in state:
            with open(os.path.join(folder, "nvram"), "wb"):
                pass
        command = ["swtpm", "socket", "--tpm2", "--tpmstate", state,
                   "--server", f"type=unixio,path={data}",
                   "--ctrl", f"type=unixio,path={folder}/ctrl.sock",
                   "--flags", "not-need-init,startup-clear"]
        self.place.commands[self.name] = shlex.join(command)
        began = time.monotonic()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            try:
                first = self.started(data, began)
                return {**measure_at(data, names, self.repeats)[0], BOOT: first}
            except OSError as error:
                raise SideError(f"swtpm: {error}") from None
            finally:
                process.terminate()


def sides(place, repeats):
    yield HoldfastTpm(place, "vtpm", "Holdfast in an emulated VM", repeats)
    yield BridgedTpm(place, "vtpm-bridge", "the same through holdfast tpm serve", repeats)
    yield Swtpm(place, "swtpm", "swtpm on the host, as installed (no flush)", repeats,
                "dir={folder}")
    yield Swtpm(place, "swtpm-msync", "swtpm on the host, back end file (msync each change)",
                repeats, "backend-uri=file://{folder}/nvram")
