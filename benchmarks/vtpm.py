# SPDX-License-Identifier: MIT
"""Latency of TPM commands through the whole stack, emulated, against swtpm on the host.

Both answer the same client. Ours pays for an emulated CPU, a virtual machine's exits and a durable
commit; `vtpm-native` is the same program on the same volume without the first two
(vtpm_native.c). swtpm as it is never promises that an answer is durable: its back end "dir" writes
a new file and renames it, flushing neither, and "file" calls msync for what it changed. With
durable_rename.c preloaded "dir" flushes the file and the folder, as our promise would make it.
"""

import contextlib
import os
import shlex
import socket
import statistics
import struct
import subprocess
import tempfile
import time

from harness import bridge, build, control, tools, tpm, vm
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
        return tpm.rsa_storage_key(unique)
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

    def write_and_read_back():
        written = next(numbers).to_bytes(NV_BYTES, "big")
        client.nv_write(NV_INDEX, written)
        if client.nv_read(NV_INDEX, NV_BYTES) != written:
            raise SideError("the index does not hold what was written")

    return [
        ("GetRandom 16", lambda: client.get_random(16), keep),
        ("PCR_Extend", lambda: client.pcr_extend(16, next(numbers).to_bytes(32, "big")), keep),
        ("NV_Read 1024", lambda: client.nv_read(NV_INDEX, NV_BYTES), keep),
        ("NV_Write 1024",
         lambda: client.nv_write(NV_INDEX, next(numbers).to_bytes(NV_BYTES, "big")), keep),
        ("NV_Write, NV_Read", write_and_read_back, keep),
        ("NV_Increment", lambda: client.nv_increment(COUNTER_INDEX), keep),
        ("create ECC P-256", lambda: create(client, "ECC", next(numbers)), client.flush_context),
        ("create RSA-2048", lambda: create(client, "RSA", next(numbers)), client.flush_context),
    ]


NAMES = ["GetRandom 16", "PCR_Extend", "NV_Read 1024", "NV_Write 1024",
         "NV_Write, NV_Read", "NV_Increment", "create ECC P-256", "create RSA-2048", BOOT]


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


def measure(client, names, repeats, count=lambda: {}):
    """({name: figures}, {name: what `count` gained for each}) of a client's TPM."""
    found, costs = {}, {}
    for name, action, clean in operations(client):
        if name not in names:
            continue
        done = min(repeats, KEY_REPEATS.get(name, repeats))
        before = count()
        found[name] = time_of(action, clean, done)
        after = count()
        costs[name] = {key: (after[key] - before[key]) / done for key in before}
    return found, costs


def measure_at(path, names, repeats, count=lambda: {}):
    """The same for the TPM behind a socket."""
    with tpm.Tpm(path) as client:
        return measure(client, names, repeats, count)


def host_counters(path):
    """What vtpm_native.c and durable_rename.c count."""
    with open(path, "rb") as file:
        return dict(zip(("device writes", "flushes"), struct.unpack("=QQ", file.read(16))))


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
            return self.answers(client, began)

    def answers(self, client, began):
        client.get_random(8)
        return {"us": (time.monotonic() - began) * 1e6}

    def measure(self, names):
        # On the host's disk: durable means nothing in memory.
        with tempfile.TemporaryDirectory(prefix="hf-bench-") as folder:
            found = self.serve(folder, names)
        return {name: figures for name, figures in found.items() if name in names}


def make_volume(folder):
    """(key, image), all of whose blocks are there: the host's file system must not have to find
    them while we measure."""
    key, disk = os.path.join(folder, "key"), os.path.join(folder, "disk.img")
    tools.key_generate(key)
    tools.image_create(disk + ".sparse", key)
    subprocess.run(["cp", "--sparse=never", disk + ".sparse", disk], check=True)
    return key, disk


class HoldfastTpm(Tpm):
    COSTS = {"block_writes": "device writes", "block_flushes": "flushes",
             "blocks_written": "blocks written", "block_notifications": "notifications",
             "shared_transitions": "visibility changes"}

    def way(self, machine, _folder):
        """A context that gives the socket to measure at."""
        return contextlib.nullcontext(machine.tpm_path)

    def serve(self, folder, names):
        key, disk = make_volume(folder)
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


class NativeClient(tpm.Tpm):
    """Speaks to vtpmd's descriptors: a message's header, then the command."""

    def __init__(self, client):  # pylint: disable=super-init-not-called
        self.client = client
        self.client.settimeout(READY_S)

    def exchange(self, command):
        self.client.sendall(bytes(4) + command)
        return tpm.read_response(self.client)


class NativeTpm(Tpm):
    """vtpmd and a volume on the host: what an emulator makes slow is left out."""

    def boot_s(self):
        return 3

    def serve(self, folder, names):
        key, disk = make_volume(folder)
        counters = os.path.join(folder, "counters")
        command = [os.path.join(build.build_dir("dev"), "benchmarks", "vtpm_native"), disk, key,
                   counters]
        self.place.commands[self.name] = shlex.join(command)
        ours, theirs = socket.socketpair()
        began = time.monotonic()
        with subprocess.Popen(command, stdin=theirs, stdout=theirs,
                              stderr=subprocess.DEVNULL) as process:
            theirs.close()
            try:
                with NativeClient(ours) as client:
                    first = self.answers(client, began)
                    found, self.costs = measure(client, names, self.repeats,
                                                lambda: host_counters(counters))
                    return {**found, BOOT: first}
            except OSError as error:
                raise SideError(f"vtpm_native: {error}") from None
            finally:
                process.terminate()


class Swtpm(Tpm):
    def __init__(self, place, name, title, repeats, state, durable=False):
        super().__init__(place, name, title, repeats)
        self.state, self.durable = state, durable

    def environment(self, folder):
        """(variables, what counts)"""
        if not self.durable:
            return os.environ, lambda: {}
        counters = os.path.join(folder, "counters")
        library = os.path.join(build.build_dir("dev"), "benchmarks", "libdurable_rename.so")
        return (dict(os.environ, LD_PRELOAD=library, HOLDFAST_COUNTERS=counters),
                lambda: host_counters(counters))

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
        environment, count = self.environment(folder)
        began = time.monotonic()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              env=environment) as process:
            try:
                first = self.started(data, began)
                found, self.costs = measure_at(data, names, self.repeats, count)
                return {**found, BOOT: first}
            except OSError as error:
                raise SideError(f"swtpm: {error}") from None
            finally:
                process.terminate()


def sides(place, repeats):
    yield HoldfastTpm(place, "vtpm", "Holdfast in an emulated VM", repeats)
    yield BridgedTpm(place, "vtpm-bridge", "the same through holdfast tpm serve", repeats)
    yield NativeTpm(place, "vtpm-native", "vtpmd on a volume in a file, on the host", repeats)
    yield Swtpm(place, "swtpm-fsync", "swtpm on the host, each rename made durable (fsync)",
                repeats, "dir={folder}", durable=True)
    yield Swtpm(place, "swtpm", "swtpm on the host, as installed (no flush)", repeats,
                "dir={folder}")
    yield Swtpm(place, "swtpm-msync", "swtpm on the host, back end file (msync each change)",
                repeats, "backend-uri=file://{folder}/nvram")
