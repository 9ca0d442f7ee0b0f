# SPDX-License-Identifier: MIT
"""fio's job files, run by the kernel on the real driver and on a volume: all content comes back."""

import os

import pytest

from harness import fio, tools, vm

VERIFY = """
[global]
size=${SIZE}
bs=4k
verify=crc32c
[random]
rw=randwrite
iodepth=32
iodepth_batch_submit=16
iodepth_batch_complete_max=32
[mixed-with-flushes]
rw=randrw
iodepth=16
fdatasync=20
[sequential]
rw=write
bs=128k
iodepth=8
[zipf]
rw=randwrite
iodepth=8
random_distribution=zipf:1.2
"""
SIZE = 4 << 20


@pytest.fixture
def raw(folder):
    path = os.path.join(folder, "raw.img")
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    return path


@pytest.fixture
def volume(folder, key):
    path = os.path.join(folder, "volume.img")
    tools.holdfast("image", "create", "--profile", "block", "--size", "128M", "--key-file", key,
                   path)
    return path


def run(folder, *arguments, **options):
    with vm.Vm(fio.options(folder, *arguments, **options)) as machine:
        code = machine.wait_exit()
        print(machine.console())
        return code, machine.console()


@pytest.mark.parametrize("target", ["raw", "volume"])
def test_what_is_written_is_read(folder, raw, volume, key, target):
    disk = vm.Disk(raw if target == "raw" else volume)
    code, _ = run(folder, disk, target, VERIFY, {"SIZE": "4m"}, key=key)
    assert code == vm.EXIT_ORDERLY
    found = fio.results(folder)
    assert list(found) == ["random", "mixed-with-flushes", "sequential", "zipf"]
    for name, job in found.items():
        assert job["error"] == 0, name
        assert job["holdfast"]["verified_bytes"] == job["write"]["io_bytes"] > 0
        assert job["write"]["clat_ns"]["N"] == job["write"]["total_ios"]
    assert found["random"]["write"]["io_bytes"] == SIZE
    assert found["mixed-with-flushes"]["sync"]["total_ios"] > 10
    if target == "volume":
        verified = tools.holdfast("image", "verify", "--key-file", key, volume)
        assert verified.returncode == 0


def test_a_volume_is_not_overwritten(folder, volume, key):
    code, console = run(folder, vm.Disk(volume), "raw", "[a]\nrw=write\n", key=key)
    assert code == vm.EXIT_RING3_TEST
    assert "carries a volume" in console and "EXISTS" in console
    tools.holdfast("image", "verify", "--key-file", key, volume)
    # Reading it is harmless.
    code, _ = run(folder, vm.Disk(volume), "raw", "[a]\nrw=read\nsize=1m\n", key=key)
    assert code == vm.EXIT_ORDERLY


@pytest.mark.parametrize("jobs,complaint", [
    ("[a]\nrw=randread\nfrobnicate=1\n", "line 3: unknown key 'frobnicate': UNSUPPORTED"),
    ("[a]\nbs=${WHAT}\n", "line 2: no value for"),
    ("", "NOT_FOUND|no job"),
], ids=["unknown-key", "unknown-variable", "empty"])
def test_bad_job_files_are_refused_by_name(folder, raw, jobs, complaint):
    code, console = run(folder, vm.Disk(raw), "raw", jobs)
    assert code == vm.EXIT_RING3_TEST
    assert any(part in console for part in complaint.split("|")), console


def test_jobs_that_do_not_fit_fail_by_name(folder, raw):
    code, _ = run(folder, vm.Disk(raw), "raw", "[big]\nsize=1g\n[small]\nsize=1m\n")
    assert code == vm.EXIT_RING3_TEST
    found = fio.results(folder)
    assert found["big"]["holdfast"]["error_name"] == "INVALID"
    assert found["small"]["error"] == 0


def test_without_a_key_or_a_disk(folder, raw, volume):
    code, console = run(folder, vm.Disk(volume), "volume", "[a]\nsize=1m\n")
    assert code == vm.EXIT_RING3_TEST and "NO_KEY" in console
    code, console = run(folder, vm.Disk(raw), "volume", "[a]\nsize=1m\n")
    assert code == vm.EXIT_RING3_TEST and "NOT_A_VOLUME" in console
