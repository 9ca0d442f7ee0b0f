# SPDX-License-Identifier: MIT
"""What a bad command line or a bad bundle gets: an exit code and a named error."""

import os

import pytest

import samples
from harness import tpm, vm

PAGE = 4096


@pytest.mark.parametrize("words", [
    "holdfast.nonsense", "holdfast.state=maybe", "holdfast.state", "holdfast.on_failure=",
    "holdfast.log=loud", "holdfast.slide=1", "holdfast.vtpmd.crash_on=xyz",
    "holdfast.state=" + "x" * 300])
def test_unknown_option_is_bad_configuration(start, used_disk, used, words):
    before = samples.sha256(used_disk)
    machine = start(disks=[used_disk], key=used[0], append=words)
    assert machine.wait_exit() == vm.EXIT_CONFIG
    assert "BAD_CONFIG" in machine.console()
    assert samples.sha256(used_disk) == before


def test_words_of_others_are_ignored(start):
    machine = start(append="console=ttyS0 quiet holdfast.state=ephemeral root=/dev/vda")
    assert machine.serving() == "ephemeral"


def truncated(size):
    return lambda content: content[:size]


def flipped(at):
    def damage(content):
        changed = bytearray(content)
        changed[at % len(content)] ^= 0x10
        return bytes(changed)
    return damage


def longer(content):
    return content + bytes(PAGE)


def swapped_pages(content):
    """Two pages of the first entry exchanged: every byte is there, but not in its place."""
    pages = [content[at:at + PAGE] for at in range(0, len(content), PAGE)]
    pages[2], pages[3] = pages[3], pages[2]
    return b"".join(pages)


BUNDLES = {
    "one-byte": truncated(1),
    "manifest-only": truncated(PAGE),
    "short-manifest": truncated(900),
    "truncated-by-a-page": truncated(-PAGE),
    "truncated-by-half": lambda content: content[:len(content) // 2],
    "longer-by-a-page": longer,
    "garbage": lambda content: os.urandom(64 * 1024),
    "zeroes": lambda content: bytes(len(content)),
    "magic": flipped(0),
    "version": flipped(8),
    "entry-count": flipped(12),
    "file-size": flipped(16),
    "name": flipped(32),
    "offset": flipped(32 + 32),
    "size": flipped(32 + 40),
    "digest": flipped(32 + 48),
    "reserved": flipped(24),
    "manifest-tail": flipped(PAGE - 1),
    "kernel-header": flipped(PAGE + 24),
    "kernel-code": flipped(20 * PAGE + 5),
    "swapped-pages": swapped_pages,
}


@pytest.mark.parametrize("row", BUNDLES)
def test_malformed_bundle_is_refused(start, folder, row):
    with open(vm.default_bundle(), "rb") as file:
        content = file.read()
    path = os.path.join(folder, "bad.bundle")
    with open(path, "wb") as file:
        file.write(BUNDLES[row](content))
    machine = start(bundle=path, append="holdfast.state=ephemeral")
    assert machine.wait_exit() == vm.EXIT_CONFIG
    found = machine.wait_for(r"boot: failed: (\w+): (.+)")
    assert found.group(1) == "BAD_CONFIG"
    assert "kernel: holdfast" not in machine.console(), "a refused bundle ran"


def test_flipped_module_is_refused(start, folder):
    """Not the kernel but a ring-3 program: the last entry's first page."""
    with open(vm.default_bundle(), "rb") as file:
        content = bytearray(file.read())
    count = int.from_bytes(content[12:16], "little")
    entry = 32 + 96 * (count - 1)
    offset = int.from_bytes(content[entry + 32:entry + 40], "little")
    content[offset + 100] ^= 1
    path = os.path.join(folder, "bad.bundle")
    with open(path, "wb") as file:
        file.write(content)
    machine = start(bundle=path, append="holdfast.state=ephemeral")
    assert machine.wait_exit() == vm.EXIT_CONFIG
    machine.wait_for(r"boot: failed: BAD_CONFIG")


def test_unknown_module_is_bad_configuration(start):
    machine = start(append="holdfast.state=ephemeral holdfast.run=no-such-module")
    assert machine.wait_exit() == vm.EXIT_CONFIG
    assert "no-such-module: NOT_FOUND" in machine.console()


@pytest.mark.parametrize("memory_mib", [8, 9, 10])
def test_too_little_memory_is_named(start, used_disk, used, memory_mib):
    """By stage2 or by the kernel, depending on where it ends; and nothing is written."""
    before = samples.sha256(used_disk)
    machine = start(disks=[used_disk], key=used[0], memory_mib=memory_mib)
    machine.wait_for(r"(boot: failed|state: failed|vtpm: unavailable): NO_MEMORY")
    if "boot: failed" in machine.console():
        assert machine.wait_exit() == vm.EXIT_CONFIG
    else:
        assert samples.response_to(machine) == tpm.RC_FAILURE
        assert samples.shut_down(machine) == vm.EXIT_ORDERLY
    assert samples.sha256(used_disk) == before
