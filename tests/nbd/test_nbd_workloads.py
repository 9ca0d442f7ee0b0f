# SPDX-License-Identifier: MIT
"""Programs that know nothing of Holdfast: nbdcopy, qemu-img, fio."""

import os

import pytest

from server import Server, ok, run

MIB = 1 << 20


@pytest.fixture
def plain(tmp_path):
    """A disk's content: data, holes, and a size that is no multiple of anything."""
    path = tmp_path / "plain.img"
    content = os.urandom(3 * MIB) + bytes(5 * MIB) + os.urandom(2 * MIB) + bytes(MIB) + b"end"
    path.write_bytes(content)
    return path


def exported(image, key, target):
    ok("image", "export", "-k", key, image, "disk", target)
    return target.read_bytes()


def test_nbdcopy_in_and_out(tmp_path, image, key, plain):
    size = plain.stat().st_size
    with Server(tmp_path, image, key, "object=disk", f"size={size}") as server:
        run("nbdcopy", "--flush", plain, server.uri)
        run("nbdcopy", server.uri, tmp_path / "back.img")
        server.kill()
    assert (tmp_path / "back.img").read_bytes() == plain.read_bytes()
    assert exported(image, key, tmp_path / "exported.img") == plain.read_bytes()
    ok("image", "verify", "-k", key, image)


def test_qemu_img_converts_and_compares(tmp_path, image, key, plain):
    size = (plain.stat().st_size + 511) // 512 * 512
    os.truncate(plain, size)  # QEMU thinks in sectors.
    with Server(tmp_path, image, key, "object=disk", f"size={size}") as server:
        run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", plain, server.uri)
        said = run("qemu-img", "compare", "-f", "raw", "-F", "raw", plain, server.uri)
        assert "Images are identical" in said
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", server.uri, tmp_path / "b.qcow2")
        run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", plain, tmp_path / "b.qcow2")
    assert exported(image, key, tmp_path / "exported.img") == plain.read_bytes()
    ok("image", "verify", "-k", key, image)


# Bound by size and not by time, so that every machine does the same.
FIO = {
    "random": ["--rw=randwrite", "--bs=4k", "--size=24m", "--fsync=64"],
    "sequential": ["--rw=write", "--bs=128k", "--size=48m"],
    "mixed": ["--rw=randrw", "--bsrange=512-64k", "--blockalign=512", "--size=24m",
              "--fsync=32"],
    "trim": ["--rw=randtrimwrite", "--bs=4k", "--size=8m", "--fsync=64"],
}


@pytest.mark.parametrize("name", list(FIO))
def test_fio_verifies_what_it_wrote(tmp_path, image, key, name):
    with Server(tmp_path, image, key, "object=disk", "size=48M") as server:
        said = run("fio", f"--name={name}", "--ioengine=nbd", f"--uri={server.uri}",
                   "--iodepth=16", "--randseed=1", "--verify=crc32c", "--verify_fatal=1",
                   "--do_verify=1", f"--aux-path={tmp_path}", "--group_reporting", *FIO[name])
        assert "err= 0" in said, said
    ok("image", "verify", "-k", key, image)
