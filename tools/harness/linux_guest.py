# SPDX-License-Identifier: MIT
"""A Linux guest for tests and benchmarks: Debian's cloud kernel, an initramfs made here out of the
packages of packages.txt, one script as its init. QEMU emulates; nothing needs to be mounted."""

import functools
import glob
import os
import re
import shutil
import stat
import statistics
import subprocess

KERNEL = "/boot/vmlinuz-*-cloud-amd64"
APPEND = "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable"
ICOUNT_TSC_KHZ = 1000000  # With -icount the TSC counts nanoseconds.
PROLOGUE = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for module in $($b cat /modules); do $b insmod $module; done
"""


class GuestError(Exception):
    """Something that it needs is missing."""


def need(path, package):
    found = sorted(glob.glob(path))
    if not found:
        raise GuestError(f"{path} is missing: apt-get install {package}")
    return found[-1]


class Initramfs:
    """A cpio archive, format "newc"."""

    def __init__(self):
        self.bytes = bytearray()
        self.count = 0
        self.folders = set()

    def add(self, name, content=b"", mode=stat.S_IFREG | 0o755):
        folder = os.path.dirname(name)
        if folder and folder not in self.folders:
            self.folders.add(folder)
            self.add(folder, mode=stat.S_IFDIR | 0o755)
        self.count += 1
        fields = (self.count, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        self.bytes += b"070701" + b"".join(b"%08x" % field for field in fields)
        for part in (name.encode() + b"\0", content):
            self.bytes += part
            self.bytes += bytes(-len(self.bytes) % 4)

    def add_file(self, name, path):
        with open(path, "rb") as file:
            self.add(name, file.read())

    def finish(self):
        self.add("TRAILER!!!", mode=0)
        return bytes(self.bytes)


def modules_of(folder, wanted):
    """Files of the modules, each behind those that it needs; what is built in has none."""
    needs = {}
    with open(os.path.join(folder, "modules.dep"), encoding="ascii") as dep:
        for line in dep:
            name, _, others = line.partition(":")
            needs[name] = others.split()
    ordered = []
    for module in wanted:
        for name in needs:
            if os.path.basename(name).split(".")[0].replace("-", "_") == module:
                ordered += [*reversed(needs[name]), name]
    return list(dict.fromkeys(ordered))


def libraries_of(program):
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for word in listed.split():
        if word.startswith("/"):
            yield word


def kernel():
    """(path of the kernel, its release)"""
    path = need(KERNEL, "linux-image-cloud-amd64")
    return path, os.path.basename(path).split("-", 1)[1]


def initramfs(script, programs, modules, files=None):
    """An archive whose init is PROLOGUE and `script` ($b is busybox). programs: (path, package),
    with their libraries; modules: names; files: {name: bytes}."""
    archive = Initramfs()
    folder = f"/lib/modules/{kernel()[1]}"
    archive.add_file("bin/busybox", need("/bin/busybox", "busybox-static"))
    added = set()
    for program, package in programs:
        path = need(program, package)
        archive.add_file(f"bin/{os.path.basename(path)}", path)
        for library in libraries_of(path):
            if library not in added:
                added.add(library)
                archive.add_file(library[1:], library)
    found = modules_of(folder, modules)
    for module in found:
        if not module.endswith(".ko"):
            raise GuestError(f"{module} is compressed: busybox cannot load it")
        archive.add_file(f"modules.d/{os.path.basename(module)}", os.path.join(folder, module))
    archive.add("modules", "".join(f"/modules.d/{os.path.basename(module)}\n"
                                   for module in found).encode())
    for name, content in (files or {}).items():
        archive.add(name, content)
    archive.add("init", (PROLOGUE + script).encode())
    for name in ("proc", "sys", "dev", "mnt", "tmp"):
        archive.add(name, mode=stat.S_IFDIR | 0o755)
    return archive.finish()


@functools.cache
def tsc_khz():
    """The rate of the TSC, which is the host's under emulation."""
    need("/usr/bin/fio", "fio")
    said = subprocess.run(["fio", "--debug=time", "--cpuclock-test"], capture_output=True,
                          text=True, check=False).stdout
    rates = [int(rate) for rate in re.findall(r"cycles\[\d+\]=(\d+)", said)]
    if not rates:
        raise GuestError("fio --cpuclock-test does not say how fast the TSC is")
    return int(statistics.median(rates))


def _append(machine, icount):
    """A microvm has nothing but the PIT to measure the TSC with. On a busy machine that fails, and
    the kernel never comes up."""
    if any("microvm" in word for word in machine):
        return f"{APPEND} tsc_early_khz={ICOUNT_TSC_KHZ if icount else tsc_khz()}"
    return APPEND


def command(image, arguments, machine=("-m", "512"), append="", icount=""):
    """QEMU's command line for a guest whose initramfs is in the file `image`. `icount`: what
    -icount takes; the guest's time is then a count of its instructions."""
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None:
        raise GuestError("qemu-system-x86_64 is missing: apt-get install qemu-system-x86")
    threads = "single" if icount else "multi"
    return [
        qemu, "-accel", f"tcg,thread={threads}", "-cpu", "max", *machine, "-nodefaults",
        "-no-reboot", "-display", "none", "-serial", "stdio", "-kernel", kernel()[0],
        "-initrd", image, "-append", f"{_append(machine, icount)} {append}".strip(),
        *(["-icount", icount] if icount else []), *arguments]


def boot(folder, archive, arguments, timeout_s, machine=("-m", "512"), append=""):
    """Run the guest to its end; what it said on its console."""
    image = os.path.join(str(folder), "initramfs")
    with open(image, "wb") as file:
        file.write(archive)
    return run(command(image, arguments, machine, append), timeout_s)


def run(words, timeout_s):
    """The same for a command line of `command`, whose image is in place."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"").decode(errors="replace")
        raise GuestError(f"not ended within {timeout_s} s; it said:\n{said[-3000:]}") from None
    return done.stdout.decode(errors="replace")
