# SPDX-License-Identifier: MIT
"""Programs that know nothing of Holdfast: nbdcopy, qemu-img, nbdinfo, fio; on an object of the
state profile and on the device of the block profile."""

import json
import os

import nbd
import pytest

from server import run

MIB = 1 << 20


@pytest.fixture
def plain(tmp_path):
    """A disk's content: data, holes, and a size that is no multiple of anything."""
    path = tmp_path / "plain.img"
    content = os.urandom(3 * MIB) + bytes(5 * MIB) + os.urandom(2 * MIB) + bytes(MIB) + b"end"
    path.write_bytes(content)
    return path


def allocated(path):
    return os.stat(path).st_blocks * 512


def test_nbdcopy_in_and_out(tmp_path, volume, plain):
    size = plain.stat().st_size
    with volume.serve(tmp_path, size) as server:
        run("nbdcopy", "--flush", plain, server.uri)
        run("nbdcopy", server.uri, tmp_path / "back.img")
        server.kill()
    with open(tmp_path / "back.img", "rb") as back:
        assert back.read(size) == plain.read_bytes()
        assert not any(back.read())
    assert allocated(tmp_path / "back.img") < size  # Holes are told, and stay holes.
    assert volume.plain(tmp_path, size) == plain.read_bytes()
    volume.verify()


def test_qemu_img_converts_compares_and_maps(tmp_path, volume, plain):
    size = (plain.stat().st_size + 511) // 512 * 512
    os.truncate(plain, size)  # QEMU thinks in sectors.
    with volume.serve(tmp_path, size) as server:
        run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", plain, server.uri)
        said = run("qemu-img", "compare", "-f", "raw", "-F", "raw", plain, server.uri)
        assert "Images are identical" in said
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", server.uri, tmp_path / "b.qcow2")
        run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", plain, tmp_path / "b.qcow2")
        parts = json.loads(run("qemu-img", "map", "--output=json", "-f", "raw", server.uri))
    last = size - 11 * MIB if volume.profile == "state" else 4096  # A device has whole blocks.
    assert [(part["start"], part["length"]) for part in parts if part["data"]] == [
        (0, 3 * MIB), (8 * MIB, 2 * MIB), (11 * MIB, last)]
    assert all(part["zero"] for part in parts if not part["data"])
    assert volume.plain(tmp_path, size) == plain.read_bytes()
    volume.verify()


def test_nbdinfo_map(tmp_path, volume):
    with volume.serve(tmp_path, "16M") as server:
        disk = nbd.NBD()
        disk.connect_uri(server.uri)
        size = disk.get_size()
        disk.pwrite(b"x" * 5000, MIB)
        disk.pwrite(b"x" * MIB, 4 * MIB)
        disk.flush()
        disk.zero(MIB // 2, 4 * MIB, nbd.CMD_FLAG_FUA)
        disk.shutdown()
        rows = json.loads(run("nbdinfo", "--map", "--json", server.uri))
    found = [(row["offset"], row["length"], row["type"]) for row in rows]
    assert found == [(0, MIB, 3), (MIB, 8192, 0), (MIB + 8192, 3 * MIB + MIB // 2 - 8192, 3),
                     (4 * MIB + MIB // 2, MIB // 2, 0), (5 * MIB, size - 5 * MIB, 3)]


# Bound by size and not by time, so that every machine does the same.
FIO = {
    "random": ["--rw=randwrite", "--bs=4k", "--size=24m", "--fsync=64"],
    "sequential": ["--rw=write", "--bs=128k", "--size=48m"],
    "mixed": ["--rw=randrw", "--bsrange=512-64k", "--blockalign=512", "--size=24m",
              "--fsync=32"],
    # One at a time: each write goes where the trim before it went.
    "trim": ["--rw=randtrimwrite", "--bs=4k", "--size=8m", "--fsync=64", "--iodepth=1"],
}


@pytest.mark.parametrize("name", list(FIO))
def test_fio_verifies_what_it_wrote(tmp_path, volume, name):
    with volume.serve(tmp_path, "48M") as server:
        said = run("fio", f"--name={name}", "--ioengine=nbd", f"--uri={server.uri}",
                   "--iodepth=16", "--randseed=1", "--verify=crc32c", "--verify_fatal=1",
                   "--do_verify=1", f"--aux-path={tmp_path}", *FIO[name])
        assert "err= 0" in said, said
    volume.verify()


def test_fio_on_many_connections(tmp_path, volume):
    """Four jobs, each with a part of its own, all at once."""
    with volume.serve(tmp_path, "48M") as server:
        said = run("fio", "--name=many", "--ioengine=nbd", f"--uri={server.uri}", "--numjobs=4",
                   "--rw=randwrite", "--bs=4k", "--size=4m", "--offset_increment=8m",
                   "--iodepth=16", "--fsync=50", "--verify=crc32c", "--verify_fatal=1",
                   "--do_verify=1", f"--aux-path={tmp_path}", "--group_reporting")
        assert "err= 0" in said, said
    volume.verify()
