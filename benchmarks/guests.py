# SPDX-License-Identifier: MIT
"""The sides that run in a Linux guest, in the same QEMU: Debian's cloud kernel, busybox and fio, on
virtio-blk as it is or with dm-crypt, and dm-integrity below it, on top."""

import json
import os
import re
import shutil

from harness import linux_guest, vm
from benchmarks import jobs
from benchmarks.place import MEMORY_MIB, SideError
from benchmarks.storage import Side

MODULES = ["virtio_mmio", "virtio_pci", "virtio_blk", "dm_crypt", "dm_integrity", "xts", "gcm",
           "ctr", "aesni_intel", "ghash_clmulni_intel", "algif_skcipher", "algif_aead",
           "crc32c_intel"]
PROGRAMS = [("/usr/bin/fio", "fio"), ("/sbin/cryptsetup", "cryptsetup-bin")]
KEY_BYTES = 64
# dm-integrity's tags of 28 bytes and its journal, and LUKS2's header.
FORMAT_MIB = 48
# No scheduler: dm-crypt and virtio-blk are what is measured.
PROLOGUE = """
export PATH=/bin
$b mkdir -p /run/cryptsetup
echo none > /sys/block/vda/queue/scheduler
fail() { echo GUEST FAILED: "$@"; $b poweroff -f; }
"""
RUN = """
export DEV=$dev %(variables)s
fio --eta=never --output-format=json --output=/tmp/out /jobs.fio || fail fio
echo JSON BEGIN; $b cat /tmp/out; echo JSON END
$b poweroff -f
"""
NO_QUEUES = "--perf-no_read_workqueue --perf-no_write_workqueue"
XTS = ("cryptsetup open --type plain --cipher aes-xts-plain64 --key-size 512 --key-file /key "
       "--sector-size %d %s /dev/vda c")
GCM_FORMAT = ("cryptsetup luksFormat --batch-mode --type luks2 --cipher aes-gcm-random --integrity "
              "aead --key-size 256 --sector-size 4096 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "
              "--key-file /key /dev/vda")
GCM_OPEN = "cryptsetup open --key-file /key %s /dev/vda c"


class Linux(Side):
    """`opening`: the command that makes /dev/mapper/c; empty: /dev/vda as it is."""

    def __init__(self, place, name, title, opening=""):
        super().__init__(place, name, title)
        self.opening = opening

    def boot_s(self):
        return 5

    def path(self):
        if not self.opening:
            return self.place.raw_image()
        path = self.place.path(f"{self.name}.img")
        if not os.path.exists(path):
            shutil.copyfile(self.place.raw_image(), path)
        return path

    def prepare(self):
        self.path()

    def boot(self, script, text, timeout_s, icount=""):
        """What the guest said."""
        archive = linux_guest.initramfs(
            PROLOGUE + script, PROGRAMS, MODULES,
            {"jobs.fio": text.encode(), "key": bytes(range(KEY_BYTES))})
        image, path = self.place.path("initramfs"), self.path()
        with open(image, "wb") as file:
            file.write(archive)
        options = vm.VmOptions(folder=self.place.folder, machine=self.place.machine)
        command = linux_guest.command(
            image,
            ["-drive", f"if=none,id=d0,format=raw,file={path},cache={vm.cache_mode(path)},"
                       f"{self.place.drive(path)}", *vm.device(options, "blk", "drive=d0")],
            [*vm.MACHINES[self.place.machine], "-smp", "1,maxcpus=2", "-m", str(MEMORY_MIB)],
            icount=icount)
        self.say_command(command)
        if self.opening:
            self.place.commands[self.name] += f"\n  and in the guest: {self.opening}"
        said = linux_guest.run(command, timeout_s)
        if "GUEST FAILED" in said:
            raise SideError(said[-1500:])
        return said

    def run(self, text, count, icount=""):
        variables = self.place.variables("", "io_uring")
        variables.pop("DEV")
        device = "/dev/mapper/c" if self.opening else "/dev/vda"
        script = (self.opening + " || fail cryptsetup\n" if self.opening else "") + \
            f"dev={device}\n" + RUN % {
                "variables": " ".join(f"{name}={value}" for name, value in variables.items())}
        said = self.boot(script, text, self.place.timeout_s(count), icount)
        return {job["jobname"]: jobs.figures(job) for job in guest_json(said)}


class Gcm(Linux):
    """Authenticated encryption below a file system that does not know of it: LUKS2 with
    aes-gcm-random, its tags kept by dm-integrity."""

    def path(self):
        return self.place.path(f"{self.name}.img")

    def prepare(self):
        """Formatting writes every tag, which takes long: once, and then copies."""
        made = self.place.path("gcm-formatted.img")
        if not os.path.exists(made):
            path = self.place.sparse_image(f"{self.name}.img", FORMAT_MIB)
            said = self.boot(GCM_FORMAT + " || fail luksFormat\necho FORMATTED\n$b poweroff -f\n",
                             "", 20 * self.place.timeout_s(1))
            if "FORMATTED" not in said:
                raise SideError(said[-1500:])
            os.rename(path, made)
        shutil.copyfile(made, self.path())


def guest_json(said):
    found = re.search(r"JSON BEGIN\r?\n.*?(\{.*\})\s*JSON END", said, re.S)
    if not found:
        raise SideError("no results; it said\n" + said[-1500:])
    return json.loads(found.group(1))["jobs"]


def variants(place):
    """Every Linux side, first the one without encryption, then those that have targets."""
    yield Linux(place, "linux-raw", "Linux guest, virtio-blk")
    xts = [Linux(place, f"xts{sector}-{queues}",
                 f"Linux guest, dm-crypt AES-XTS, sectors of {sector}, "
                 f"{'no ' if how else ''}workqueues", XTS % (sector, how))
           for sector in (4096, 512) for queues, how in (("nowq", NO_QUEUES), ("wq", ""))]
    yield xts[0]
    yield from gcm_variants(place)
    yield from xts[1:]


def gcm_variants(place):
    for journal, how in (("journal", ""), ("nojournal", "--integrity-no-journal")):
        yield Gcm(place, f"gcm-{journal}",
                  f"Linux guest, dm-crypt AES-GCM over dm-integrity, "
                  f"{'without' if how else 'with'} journal", GCM_OPEN % how)
