# SPDX-License-Identifier: MIT
"""A Linux guest with its disk on the plugin: mkfs, a mount, files, discards, fsck; what it
leaves is checked from the host. QEMU emulates, so nothing but the packages of packages.txt is
needed; the kernel is Debian's, the initramfs is made here."""

import glob
import os
import shutil
import stat
import subprocess

from server import Server, ok, run

BOOT_S = 100
PROGRAMS = ("mke2fs", "e2fsck")
MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic")
FILES = 24
INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
for module in $($b cat /modules); do $b insmod $module; done
check() { "$@" || { echo "GUEST FAILED: $*"; $b poweroff -f; }; }
check /bin/mke2fs -q -F -t ext4 /dev/vda
check $b mount -t ext4 /dev/vda /mnt
for i in $($b seq %(files)d); do check $b cp /content /mnt/file$i; done
check $b sync
for i in $($b seq 2 2 %(files)d); do check $b rm /mnt/file$i; done
check $b sync
check $b fstrim /mnt
check $b umount /mnt
check /bin/e2fsck -f -n /dev/vda
check $b mount -t ext4 -o ro /dev/vda /mnt
for i in $($b seq 1 2 %(files)d); do check $b cmp /content /mnt/file$i; done
check $b umount /mnt
echo GUEST OK
$b poweroff -f
"""


def need(path, package):
    found = sorted(glob.glob(path))
    assert found, f"{path} is missing: apt-get install {package}"
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


def modules_of(folder):
    """Files of the modules, each behind those that it needs; what is built in has none."""
    needs = {}
    with open(os.path.join(folder, "modules.dep"), encoding="ascii") as dep:
        for line in dep:
            name, _, others = line.partition(":")
            needs[name] = others.split()
    ordered = []
    for module in MODULES:
        for name in needs:
            if os.path.basename(name).split(".")[0].replace("-", "_") == module:
                ordered += [*reversed(needs[name]), name]
    return list(dict.fromkeys(ordered))


def libraries_of(program):
    for word in run("ldd", program).split():
        if word.startswith("/"):
            yield word


def initramfs(release, content):
    archive = Initramfs()
    folder = f"/lib/modules/{release}"
    archive.add_file("bin/busybox", need("/bin/busybox", "busybox-static"))
    for program in PROGRAMS:
        path = need(f"/sbin/{program}", "e2fsprogs")
        archive.add_file(f"bin/{program}", path)
        for library in libraries_of(path):
            archive.add_file(library[1:], library)
    modules = modules_of(folder)
    for module in modules:
        assert module.endswith(".ko"), f"{module} is compressed: busybox cannot load it"
        archive.add_file(f"modules.d/{os.path.basename(module)}", os.path.join(folder, module))
    archive.add("modules", "".join(f"/modules.d/{os.path.basename(module)}\n"
                                   for module in modules).encode())
    archive.add("content", content)
    archive.add("init", (INIT % {"files": FILES}).encode())
    for name in ("proc", "dev", "mnt"):
        archive.add(name, mode=stat.S_IFDIR | 0o755)
    return archive.finish()


def boot(folder, kernel, archive, server):
    image = os.path.join(str(folder), "initramfs")
    with open(image, "wb") as file:
        file.write(archive)
    qemu = shutil.which("qemu-system-x86_64")
    assert qemu, "qemu-system-x86_64 is missing: apt-get install qemu-system-x86"
    done = subprocess.run(
        [qemu, "-accel", "tcg", "-cpu", "max", "-m", "512", "-nodefaults", "-no-reboot",
         "-display", "none", "-serial", "stdio", "-kernel", kernel, "-initrd", image,
         "-append", "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable",
         "-drive", f"file={server.uri},format=raw,if=virtio,discard=unmap"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        timeout=BOOT_S)
    return done.stdout.decode(errors="replace")


def test_ext4_of_a_guest(tmp_path, make_image, key):
    kernel = need("/boot/vmlinuz-*-cloud-amd64", "linux-image-cloud-amd64")
    release = os.path.basename(kernel).split("-", 1)[1]
    content = os.urandom(700000)
    image = make_image("128M", "block")
    with Server(tmp_path, image, key) as server:
        said = boot(tmp_path, kernel, initramfs(release, content), server)
        assert "GUEST OK" in said, said
        server.kill()  # The guest's own flushes have to be enough.
    ok("image", "verify", "-k", key, image)
    plain = tmp_path / "plain"
    ok("image", "export", "-k", key, image, "device", plain)
    run("/sbin/e2fsck", "-f", "-n", plain)
    names = run("/sbin/debugfs", "-R", "ls -p /", plain)
    for number in range(1, FILES + 1):
        assert (f"/file{number}/" in names) == (number % 2 == 1)
    run("/sbin/debugfs", "-R", f"dump /file1 {tmp_path}/file1", plain)
    assert (tmp_path / "file1").read_bytes() == content
    # What the guest deleted and trimmed is a hole: less is left than the files alone would take.
    assert plain.stat().st_blocks * 512 < FILES * len(content)
