# SPDX-License-Identifier: MIT
"""A Linux guest with its disk on the plugin: mkfs, a mount, files, discards, fsck; what it
leaves is checked from the host."""

import os

from harness import linux_guest
from server import Server, ok, run

BOOT_S = 100
PROGRAMS = (("/sbin/mke2fs", "e2fsprogs"), ("/sbin/e2fsck", "e2fsprogs"))
MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic")
FILES = 24
INIT = """check() { "$@" || { echo "GUEST FAILED: $*"; $b poweroff -f; }; }
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


def test_ext4_of_a_guest(tmp_path, make_image, key):
    content = os.urandom(700000)
    image = make_image("128M", "block")
    with Server(tmp_path, image, key) as server:
        archive = linux_guest.initramfs(INIT % {"files": FILES}, PROGRAMS, MODULES,
                                        {"content": content})
        drive = f"file={server.uri},format=raw,if=virtio,discard=unmap"
        said = linux_guest.boot(tmp_path, archive, ["-drive", drive], BOOT_S)
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
