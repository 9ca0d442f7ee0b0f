# SPDX-License-Identifier: MIT
"""stage2 under QEMU's microvm: good boots, and a named failure for each bad one.

The kernel in the bundle is kernel/test_kernel.c, which checks every promise that stage2 makes to
the real one and says "all checks passed". CMake passes the three programs in the environment.
"""

import hashlib
import os
import re
import struct
import subprocess

import pytest

STAGE2 = os.environ["STAGE2"]
KERNEL = os.environ["TEST_KERNEL"]
MKBUNDLE = os.environ["MKBUNDLE"]

ORDERLY = 33  # isa-debug-exit: 2 * 0x10 + 1
BAD_BOOT = 37  # 2 * 0x12 + 1
MODULE_BYTES = 300001
PAGE = 4096


def boot(bundle, memory="64", cpu="max", append=""):
    """Run one VM to its end: (exit status, console text)."""
    command = [
        "qemu-system-x86_64", "-M",
        "microvm,pit=on,pic=on,isa-serial=on,rtc=on,acpi=on", "-accel", "tcg,thread=multi",
        "-cpu", cpu, "-smp", "1,maxcpus=2", "-m", memory, "-nodefaults", "-display", "none",
        "-no-reboot", "-kernel", STAGE2, "-append", append, "-serial", "stdio",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
    ]
    if bundle is not None:
        command += ["-initrd", str(bundle)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False)
    return done.returncode, done.stdout.decode("latin-1").replace("\r", "")


def make(folder, kernel=KERNEL, module_bytes=MODULE_BYTES):
    module = folder / "module"
    module.write_bytes(bytes(i * 7 % 256 for i in range(module_bytes)))
    path = folder / "t.bundle"
    subprocess.run([MKBUNDLE, "-o", path, f"kernel={kernel}", f"vtpmd={module}"], check=True)
    return path


@pytest.fixture(scope="module", name="bundle")
def fixture_bundle(tmp_path_factory):
    return make(tmp_path_factory.mktemp("bundle"))


def expect_failure(result, status, words):
    code, text = result
    assert re.search(rf"^boot: failed: {status}: .*{words}", text, re.M), text
    assert code == BAD_BOOT, text


def test_boots_and_passes_every_check(bundle):
    code, text = boot(bundle, append="holdfast.log=debug")
    digest = hashlib.sha256(bundle.read_bytes()[:PAGE]).hexdigest()
    assert f"boot: bundle OK sha256={digest}\n" in text
    assert "test kernel: all checks passed" in text, text
    assert "cmdline holdfast.log=debug" in text
    assert code == ORDERLY


@pytest.mark.parametrize("memory", ["9", "3G", "3500", "6G"])
def test_boots_with_memory_of(bundle, memory):
    code, text = boot(bundle, memory=memory)
    assert code == ORDERLY, text


def test_the_slide_differs_from_boot_to_boot(bundle):
    slides = {re.search(r"slide (0x[0-9a-f]+)", boot(bundle)[1]).group(1) for _ in range(4)}
    assert len(slides) >= 3
    fixed = boot(bundle, append="holdfast.slide=fixed")
    assert "slide 0x0\n" in fixed[1] and fixed[0] == ORDERLY


def test_no_rdrand_is_a_named_failure(bundle):
    expect_failure(boot(bundle, cpu="max,-rdrand"), "NO_ENTROPY", "no random place")
    assert boot(bundle, cpu="max,-rdrand", append="holdfast.slide=fixed")[0] == ORDERLY


def test_a_processor_without_long_mode_is_a_named_failure(bundle):
    expect_failure(boot(bundle, cpu="qemu32"), "UNSUPPORTED", "no long mode")


def test_no_bundle():
    expect_failure(boot(None), "BAD_CONFIG", "-initrd")


def test_too_little_memory(bundle, tmp_path):
    assert boot(bundle, memory="2")[0] == ORDERLY
    # A bundle that ends with RAM and leaves room after stage2, but not enough for the kernel, its
    # tables and its stack.
    size = 0x200000 - 0x138000 - os.path.getsize(KERNEL) - 3 * PAGE
    expect_failure(boot(make(tmp_path, module_bytes=size), memory="2"), "NO_MEMORY", "no room")


@pytest.mark.parametrize("where", ["kernel", "module", "last byte"])
def test_one_flipped_bit(bundle, tmp_path, where):
    content = bytearray(bundle.read_bytes())
    module_at = struct.unpack_from("<Q", content, 32 + 96 + 32)[0]
    at = {"kernel": PAGE + 100, "module": module_at, "last byte": module_at + MODULE_BYTES - 1}
    content[at[where]] ^= 1
    bad = tmp_path / "bad"
    bad.write_bytes(content)
    expect_failure(boot(bad), "BAD_CONFIG", "does not match its SHA-256")


def test_padding_is_not_covered_but_cleared(bundle, tmp_path):
    content = bytearray(bundle.read_bytes())
    content[-1] ^= 1
    bad = tmp_path / "bad"
    bad.write_bytes(content)
    assert boot(bad)[0] == ORDERLY


@pytest.mark.parametrize("size, words", [
    (PAGE - 1, "truncated"), (PAGE, "truncated"), (3 * PAGE + 5, "truncated"), (-1, "truncated"),
])
def test_truncated_bundle(bundle, tmp_path, size, words):
    bad = tmp_path / "bad"
    bad.write_bytes(bundle.read_bytes()[:size])
    expect_failure(boot(bad), "BAD_CONFIG", words)


def test_not_a_bundle(tmp_path):
    bad = tmp_path / "bad"
    bad.write_bytes(b"\x5a" * 3 * PAGE)
    expect_failure(boot(bad), "BAD_CONFIG", "not a bundle")


def test_not_a_kernel(tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    expect_failure(boot(make(tmp_path, script)), "BAD_CONFIG", "64-bit ELF")
    expect_failure(boot(make(tmp_path, STAGE2)), "UNSUPPORTED", "PIE")


def test_command_line_has_to_be_ascii(bundle):
    expect_failure(boot(bundle, append="caf\u00e9"), "BAD_CONFIG", "ASCII")


def test_command_line_has_to_be_short(bundle):
    expect_failure(boot(bundle, append="a" * 2048), "TOO_LARGE", "command line")
    assert boot(bundle, append="a" * 2047)[0] == ORDERLY


def test_mkbundle_is_deterministic_and_strict(bundle, tmp_path):
    assert make(tmp_path).read_bytes() == bundle.read_bytes()
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    for inputs in (["vtpmd=/dev/null"], [f"kernel={empty}"], [f"kernel={KERNEL}"] * 2,
                   [f"KERNEL={KERNEL}"], [f"kernel={tmp_path}/absent"], ["kernel"], []):
        output = tmp_path / "out"
        done = subprocess.run([MKBUNDLE, "-o", output, *inputs], stderr=subprocess.DEVNULL,
                              check=False)
        assert done.returncode != 0, inputs
        assert not output.exists(), inputs
