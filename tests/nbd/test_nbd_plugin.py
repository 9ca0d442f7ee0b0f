# SPDX-License-Identifier: MIT
"""The plugin through libnbd: what it offers, what it promises, what it refuses."""

import errno
import os

import nbd
import pytest

from server import Server, holdfast, ok, refused

MIB = 1 << 20


def connect(server):
    handle = nbd.NBD()
    handle.connect_uri(server.uri)
    return handle


def test_what_it_offers(tmp_path, image, key):
    with Server(tmp_path, image, key, "object=disk", "size=1M") as server:
        disk = connect(server)
        assert disk.get_size() == MIB
        assert disk.can_flush() and disk.can_fua() and disk.can_trim() and disk.can_zero()
        assert disk.can_multi_conn() and not disk.is_read_only() and not disk.is_rotational()
        assert disk.get_block_size(nbd.SIZE_MINIMUM) == 1
        assert disk.get_block_size(nbd.SIZE_PREFERRED) == 4096
        assert disk.pread(MIB, 0) == bytes(MIB)
        disk.shutdown()


def test_requests_of_any_size_and_place(tmp_path, image, key):
    model = bytearray(3 * MIB - 1000)
    with Server(tmp_path, image, key, "object=disk", f"size={len(model)}") as server:
        disk = connect(server)
        for offset, size in ((0, 1), (4095, 2), (10000, 70000), (len(model) - 5, 5),
                             (MIB, 2 * MIB - 1000), (123456, 300000)):
            content = os.urandom(size)
            disk.pwrite(content, offset)
            model[offset:offset + size] = content
        for offset, size in ((1, 4096), (200000, 700000), (len(model) - 4000, 4000)):
            disk.zero(size, offset)
            model[offset:offset + size] = bytes(size)
        disk.trim(100000, 5000)
        model[5000:105000] = bytes(100000)
        assert disk.pread(len(model), 0) == model
        disk.flush()
        disk.shutdown()
    ok("image", "export", "-k", key, image, "disk", tmp_path / "plain")
    assert (tmp_path / "plain").read_bytes() == model
    ok("image", "verify", "-k", key, image)


def test_trim_gives_space_back(tmp_path, image, key):
    with Server(tmp_path, image, key, "object=disk", "size=4M") as server:
        disk = connect(server)
        disk.pwrite(os.urandom(4 * MIB), 0)
        disk.trim(4 * MIB, 0, nbd.CMD_FLAG_FUA)
        disk.shutdown()
    info = ok("image", "scrub", "--json", "-k", key, image).decode()
    assert '"object_bytes": 4194304' in info
    # Its metadata, the index, the nodes above, the session table.
    used = ok("image", "info", "--json", "-k", key, image).decode()
    assert int(used.split('"used_bytes": ')[1].split(",")[0]) < MIB


def content_after_kill(server, key, image, target):
    server.kill()
    ok("image", "verify", "-k", key, image)
    ok("image", "export", "--force", "-k", key, image, "disk", target)
    return target.read_bytes()


@pytest.mark.parametrize("how", ["flush", "fua", "zero-fua", "trim-fua", "other-connection"])
def test_durable_when_acknowledged(tmp_path, image, key, how):
    first, second = os.urandom(5000), os.urandom(100)
    with Server(tmp_path, image, key, "object=disk", "size=1M") as server:
        disk = connect(server)
        disk.pwrite(b"x" * 8192, 500000)
        disk.flush()
        disk.pwrite(first, 1000)
        if how == "flush":
            disk.flush()
        elif how == "fua":
            disk.pwrite(second, 300000, nbd.CMD_FLAG_FUA)
        elif how == "zero-fua":
            disk.zero(8192, 500000, nbd.CMD_FLAG_FUA)
        elif how == "trim-fua":
            disk.trim(8192, 500000, nbd.CMD_FLAG_FUA)
        else:  # What can_multi_conn promises.
            other = connect(server)
            other.flush()
        disk.pwrite(b"later", 900000)
        plain = content_after_kill(server, key, image, tmp_path / "plain")
    assert plain[1000:6000] == first
    assert plain[500000:508192] == (bytes(8192) if how in ("zero-fua", "trim-fua")
                                    else b"x" * 8192)
    assert plain[300000:300100] == (second if how == "fua" else bytes(100))
    assert plain[900000:900005] == bytes(5), "durable, though nobody asked for it"


def test_a_client_that_leaves_without_a_flush_loses_nothing(tmp_path, image, key):
    with Server(tmp_path, image, key, "object=disk", "size=1M") as server:
        disk = connect(server)
        disk.pwrite(b"first", 0)
        disk.shutdown()
        again = connect(server)
        assert again.pread(5, 0) == b"first"
        again.pwrite(b"second", 4096)
        del again  # Not even a goodbye.
    ok("image", "export", "-k", key, image, "disk", tmp_path / "plain")
    assert (tmp_path / "plain").read_bytes()[:5] == b"first"
    assert (tmp_path / "plain").read_bytes()[4096:4102] == b"second"


def test_object_keeps_its_size_and_grows(tmp_path, image, key):
    with Server(tmp_path, image, key, "object=disk", "size=1M") as server:
        disk = connect(server)
        disk.pwrite(b"end", MIB - 3)
        disk.shutdown()
    with Server(tmp_path, image, key, "object=disk") as server:
        disk = connect(server)
        assert disk.get_size() == MIB
        disk.shutdown()
    with Server(tmp_path, image, key, "object=disk", "size=2M") as server:
        disk = connect(server)
        assert disk.get_size() == 2 * MIB
        assert disk.pread(6, MIB - 3) == b"end\0\0\0"
        disk.shutdown()
    assert "EXISTS" in refused(image, key, "object=disk", "size=1M")


def test_read_only(tmp_path, image, key):
    with Server(tmp_path, image, key, "object=disk", "size=1M") as server:
        disk = connect(server)
        disk.pwrite(b"text", 0)
        disk.shutdown()
        assert b"BUSY" in holdfast("image", "ls", "-k", key, image).stderr
        assert "BUSY" in refused(image, key, "object=disk")
    before = image.read_bytes()
    with Server(tmp_path, image, key, "object=disk", "readonly=true") as server:
        disk = connect(server)
        assert disk.is_read_only() and disk.pread(4, 0) == b"text"
        disk.set_strict_mode(0)  # libnbd checks too; the server has to.
        with pytest.raises(nbd.Error) as caught:
            disk.pwrite(b"no", 0)
        assert caught.value.errnum in (errno.EPERM, errno.EROFS)
        ok("image", "ls", "-k", key, image)  # Readers share it.
        disk.shutdown()
    assert image.read_bytes() == before


def test_outside_the_object(tmp_path, image, key):
    with Server(tmp_path, image, key, "object=disk", "size=1M") as server:
        disk = connect(server)
        disk.set_strict_mode(0)  # libnbd checks too; the server has to.
        for request in (lambda: disk.pread(2, MIB - 1), lambda: disk.pwrite(b"ab", MIB - 1),
                        lambda: disk.zero(2, MIB - 1), lambda: disk.trim(2, MIB - 1)):
            with pytest.raises(nbd.Error) as caught:
                request()
            assert caught.value.errnum in (errno.EINVAL, errno.ENOSPC)
        assert disk.pread(MIB, 0) == bytes(MIB)
        disk.shutdown()


def test_disk_full(tmp_path, make_image, key):
    """ENOSPC meets the write that is too much; everything before it is there, kill -9 or not."""
    image, chunk = make_image("8M"), 65536
    stored = []
    with Server(tmp_path, image, key, "object=disk", "size=16M") as server:
        disk = connect(server)
        with pytest.raises(nbd.Error) as caught:
            for number in range(256):
                content = os.urandom(chunk)
                disk.pwrite(content, number * chunk)
                stored.append(content)
        assert caught.value.errnum == errno.ENOSPC and "NO_SPACE" in server.log()
        assert 60 < len(stored) < 120
        disk.flush()
        assert disk.pread(len(stored) * chunk, 0) == b"".join(stored)
        plain = content_after_kill(server, key, image, tmp_path / "plain")
    assert plain[:len(stored) * chunk] == b"".join(stored)
    with Server(tmp_path, image, key, "object=disk") as server:
        disk = connect(server)
        disk.trim(10 * chunk, 0)
        disk.pwrite(b"room again", len(stored) * chunk, nbd.CMD_FLAG_FUA)
        plain = content_after_kill(server, key, image, tmp_path / "plain")
    assert plain[:10 * chunk] == bytes(10 * chunk)
    assert plain[len(stored) * chunk:][:10] == b"room again"


def test_refusals_are_named(tmp_path, image, key):
    wrong, short = tmp_path / "wrong", tmp_path / "short"
    wrong.write_bytes(os.urandom(32))
    short.write_bytes(b"short")
    before = image.read_bytes()
    for status, arguments in {
            "WRONG_KEY": (image, wrong, "object=disk", "size=1M"),
            "NO_KEY": (image, short, "object=disk", "size=1M"),
            "NOT_FOUND": (image, key, "object=disk"),
            "INVALID": (image, key, "object=.disk", "size=1M"),
            "TOO_LARGE": (image, key, "object=disk", "size=1G"),
            "NO_DEVICE": (tmp_path / "nothing", key, "object=disk"),
            "NOT_A_VOLUME": (wrong, key, "object=disk"),
    }.items():
        assert f"{status}: " in refused(*arguments)
    for arguments in ((image, None, "object=disk"), (image, key),
                      (image, key, "object=d", "size=0"),
                      (image, key, "object=d", f"passphrase-file={wrong}"),
                      (image, key, "object=d", "readonly=true", "size=1M"),
                      (image, key, "object=d", "frob=1")):
        assert "nbdkit: error: " in refused(*arguments)
    assert image.read_bytes() == before


def test_damage_is_an_io_error(tmp_path, image, key):
    with Server(tmp_path, image, key, "object=disk", "size=1M") as server:
        disk = connect(server)
        for number in range(200):  # More than the log holds: most blocks are at home.
            disk.pwrite(bytes([1 + number]) * 4096, number * 4096)
        disk.shutdown()
    data = bytearray(image.read_bytes())
    # Behind the ring: data first, as it was written.
    used = [at for at in range(5 * MIB // 4, 2 * MIB, 4096) if any(data[at:at + 4096])]
    failed = 0
    for place in used[10:13]:
        damaged = bytearray(data)
        damaged[place + 100] ^= 1
        image.write_bytes(damaged)
        with Server(tmp_path, image, key, "object=disk") as server:
            disk = connect(server)
            for number in range(200):
                try:
                    assert disk.pread(4096, number * 4096) == bytes([1 + number]) * 4096
                except nbd.Error as error:
                    assert error.errnum == errno.EIO
                    failed += 1
            assert failed == 0 or "AUTH_DATA" in server.log()
            disk.shutdown()
    assert failed >= 1
