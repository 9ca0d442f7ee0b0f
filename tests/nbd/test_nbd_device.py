# SPDX-License-Identifier: MIT
"""The device of a block-profile volume through libnbd: what it offers and promises beyond what an
object does, with many requests and connections at once."""

import errno
import os
import random
import threading

import nbd
import pytest

from server import Server, ok, refused

MIB = 1 << 20
BLOCK = 4096


@pytest.fixture
def image(make_image):
    return make_image("32M", "block")


def connect(server, context=False):
    handle = nbd.NBD()
    if context:
        handle.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
    handle.connect_uri(server.uri)
    return handle


def extents(disk, offset, size):
    """[(length, is hole)], neighbours of a kind joined, as far as the server told."""
    found = []

    def add(_context, _offset, entries, _error):
        for length, flags in zip(entries[::2], entries[1::2]):
            assert flags in (0, nbd.STATE_HOLE | nbd.STATE_ZERO)
            found.append((length, flags != 0))

    disk.block_status(size, offset, add)
    return found


def test_what_it_offers(tmp_path, image, key):
    with Server(tmp_path, image, key) as server:
        disk = connect(server, context=True)
        info = ok("image", "info", "--json", image).decode()
        assert '"profile": "block"' in info
        assert 24 * MIB < disk.get_size() < 32 * MIB and disk.get_size() % BLOCK == 0
        assert disk.can_flush() and disk.can_fua() and disk.can_trim() and disk.can_zero()
        assert disk.can_fast_zero() and disk.can_multi_conn() and not disk.is_read_only()
        assert disk.can_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
        assert disk.get_block_size(nbd.SIZE_MINIMUM) == 1
        assert disk.get_block_size(nbd.SIZE_PREFERRED) == BLOCK
        assert extents(disk, 0, disk.get_size()) == [(disk.get_size(), True)]
        disk.shutdown()


def test_parameters(tmp_path, image, key):
    with Server(tmp_path, image, key, "object=device", "cache=0") as server:
        connect(server).shutdown()
    for status, arguments in {"NOT_FOUND": ["object=disk"], "INVALID": ["size=16M"]}.items():
        assert f"{status}: " in refused(image, key, *arguments)
    assert "nbdkit: error: " in refused(image, key, "cache=100G")


def test_requests_of_any_size_and_place(tmp_path, image, key):
    """Against a model; extents say no more than what is true, and zero whatever is a hole."""
    generator = random.Random(3)
    model = bytearray(8 * MIB)
    with Server(tmp_path, image, key) as server:
        disk = connect(server, context=True)
        for step in range(200):
            size = generator.choice((1, 700, BLOCK, 9000, 70000, 1 << 19))
            offset = generator.randrange(len(model) - size)
            if generator.random() < 0.5:
                offset -= offset % BLOCK
            if generator.random() < 0.4:
                content = bytes(size)
                generator.choice((disk.zero, disk.trim))(size, offset)
            else:
                content = generator.randbytes(size)
                disk.pwrite(content, offset)
            model[offset:offset + size] = content
            if step % 20 == 0:
                disk.flush()
            size, offset = generator.randrange(1, 300000), generator.randrange(7 * MIB)
            assert disk.pread(size, offset) == model[offset:offset + size]
        at = 0
        while at < len(model):
            for length, is_hole in extents(disk, at, len(model) - at):
                assert not (is_hole and any(model[at:at + length]))
                at += length
        assert disk.pread(len(model), 0) == model
        disk.shutdown()
    ok("image", "export", "-k", key, image, "device", tmp_path / "plain")
    assert (tmp_path / "plain").read_bytes()[:len(model)] == model
    ok("image", "verify", "-k", key, image)


def test_fast_zero_is_fast_or_refused(tmp_path, image, key):
    with Server(tmp_path, image, key) as server:
        disk = connect(server)
        disk.pwrite(b"x" * (4 * BLOCK), 0)
        disk.zero(3 * BLOCK - 10, 5, nbd.CMD_FLAG_FAST_ZERO)
        assert disk.pread(4 * BLOCK, 0) == b"x" * 5 + bytes(3 * BLOCK - 10) + b"x" * (BLOCK + 5)
        with pytest.raises(nbd.Error) as caught:
            disk.zero(BLOCK, 3 * BLOCK + 1 - BLOCK, nbd.CMD_FLAG_FAST_ZERO)
        assert caught.value.errnum == errno.EOPNOTSUPP
        disk.shutdown()


def test_durable_only_after_flush(tmp_path, image, key):
    first, second = os.urandom(300000), os.urandom(5000)
    with Server(tmp_path, image, key) as server:
        disk, other = connect(server), connect(server)
        disk.pwrite(first, 1000)
        other.flush()  # On one connection for what was written on the other.
        disk.pwrite(second, 2 * MIB)
        server.kill()
    with Server(tmp_path, image, key) as server:
        disk = connect(server)
        assert disk.pread(300000, 1000) == first
        assert disk.pread(5000, 2 * MIB) == bytes(5000), "durable, though nobody asked for it"
        disk.pwrite(second, 2 * MIB, nbd.CMD_FLAG_FUA)
        disk.trim(100000, 50000, nbd.CMD_FLAG_FUA)
        server.kill()
    ok("image", "verify", "-k", key, image)
    ok("image", "export", "-k", key, image, "device", tmp_path / "plain")
    plain = (tmp_path / "plain").read_bytes()
    assert plain[1000:50000] == first[:49000] and not any(plain[50000:150000])
    assert plain[150000:301000] == first[149000:] and plain[2 * MIB:][:5000] == second


def worker(server, seed, part, failures):
    """Write, read back and trim within a part of one's own; read what others write besides."""
    generator = random.Random(seed)
    model = bytearray(part)
    base = seed * part
    disk = connect(server)
    try:
        for _ in range(150):
            size = generator.choice((512, BLOCK, 5000, 40000))
            offset = generator.randrange(part - size)
            if generator.random() < 0.2:
                model[offset:offset + size] = bytes(size)
                disk.trim(size, base + offset)
            else:
                model[offset:offset + size] = generator.randbytes(size)
                disk.pwrite(bytes(model[offset:offset + size]), base + offset)
            if generator.random() < 0.1:
                disk.flush()
            disk.pread(BLOCK, generator.randrange(4 * part - BLOCK))
            if disk.pread(part, base) != model:
                failures.append((seed, "another content"))
    except nbd.Error as error:
        failures.append((seed, str(error)))
    disk.shutdown()


def test_connections_at_once(tmp_path, image, key):
    failures = []
    with Server(tmp_path, image, key) as server:
        threads = [threading.Thread(target=worker, args=(server, seed, MIB, failures))
                   for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
    ok("image", "verify", "-k", key, image)


def test_what_is_offered_is_there(tmp_path, make_image, key):
    """Written from end to end, twice, in a random order the second time: no ENOSPC."""
    image = make_image("16M", "block")
    with Server(tmp_path, image, key) as server:
        disk = connect(server)
        places = list(range(0, disk.get_size(), 128 << 10))
        for order in (places, random.Random(1).sample(places, len(places))):
            for at in order:
                disk.pwrite(os.urandom(min(128 << 10, disk.get_size() - at)), at)
        disk.flush()
        disk.trim(disk.get_size(), 0, nbd.CMD_FLAG_FUA)
        disk.shutdown()
    ok("image", "verify", "-k", key, image)


def test_damage_names_its_block(tmp_path, image, key):
    """One block fails: EIO for who asks for it, its number in the log, all else goes on, and a
    write of the whole block heals it."""
    content = os.urandom(6 * MIB)
    ok("image", "put", "-k", key, image, "device", "-", input=content)
    ok("key", "add", "-k", key, "--new-recovery-key", image)  # Checkpoints.
    data = bytearray(image.read_bytes())
    used = [at for at in range(2 * MIB + 64 * BLOCK, 9 * MIB, BLOCK) if any(data[at:at + BLOCK])]
    data[used[500] + 1] ^= 1
    image.write_bytes(data)
    with Server(tmp_path, image, key) as server:
        disk = connect(server)
        bad = []
        for at in range(0, len(content), BLOCK):
            try:
                assert disk.pread(BLOCK, at) == content[at:at + BLOCK]
            except nbd.Error as error:
                assert error.errnum == errno.EIO
                bad.append(at)
        assert len(bad) == 1
        assert f"AUTH_DATA: block {bad[0] // BLOCK}, " in server.log()
        for request in (lambda: disk.pread(128 << 10, bad[0] - (64 << 10)),
                        lambda: disk.pwrite(b"x", bad[0] + 7), lambda: disk.zero(9, bad[0])):
            with pytest.raises(nbd.Error) as caught:
                request()
            assert caught.value.errnum == errno.EIO
        disk.pwrite(content[bad[0]:bad[0] + BLOCK], bad[0], nbd.CMD_FLAG_FUA)
        assert disk.pread(len(content), 0) == content
        disk.shutdown()
    ok("image", "verify", "-k", key, image)


def test_damaged_metadata_ends_writing(tmp_path, make_image, key):
    """A node of the tree: reads beside it go on, every change is refused, and the log says why."""
    image = make_image("32M", "block")
    content = os.urandom(12 * MIB)
    ok("image", "put", "-k", key, image, "device", "-", input=content)
    ok("key", "add", "-k", key, "--new-recovery-key", image)
    data = bytearray(image.read_bytes())
    used = [at for at in range(2 * MIB, 20 * MIB, BLOCK) if any(data[at:at + BLOCK])]
    refusals = 0
    # Nodes were written by the checkpoint, behind the data: the last blocks in use.
    for place in used[-30:-2]:
        data[place + 5] ^= 1
        image.write_bytes(data)
        data[place + 5] ^= 1
        with Server(tmp_path, image, key, "readonly=false") as server:
            disk = connect(server)
            failed = [at for at in range(0, len(content), 512 << 10)
                      if not readable(disk, at, content)]
            if failed and "AUTH_META" in server.log():
                refusals += 1
                assert len(failed) < len(content) // (512 << 10)
                with pytest.raises(nbd.Error) as caught:
                    disk.pwrite(b"x", (failed[0] + (512 << 10)) % len(content))
                assert caught.value.errnum in (errno.EPERM, errno.EROFS)
                assert "READ_ONLY" in server.log()
            disk.shutdown()
        os.unlink(server.log_path)
        if refusals == 2:
            break
    assert refusals == 2


def readable(disk, at, content):
    try:
        assert disk.pread(BLOCK, at) == content[at:at + BLOCK]
        return True
    except nbd.Error as error:
        assert error.errnum == errno.EIO
        return False
