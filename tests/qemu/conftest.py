# SPDX-License-Identifier: MIT
"""Fixtures: a disk made once and copied for each test, and VMs that never outlive their test."""

import os
import shutil
import subprocess
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "tools")]
from harness import hostile, tools, vm  # noqa: E402 (the path has to be set first)


@pytest.fixture(scope="session")
def made():
    """A key and a 64 MiB volume with a TPM that nobody has used, made once by the host tool."""
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        key, disk = os.path.join(folder, "dev.key"), os.path.join(folder, "disk.img")
        tools.key_generate(key)
        tools.image_create(disk, key)
        tools.tpm_manufacture(disk, key)
        yield key, disk


@pytest.fixture
def folder():
    """A folder with a short name: the path of a socket may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="hf-") as path:
        yield path


def copy_sparse(source, target):
    subprocess.run(["cp", "--sparse=always", source, target], check=True)
    return target


@pytest.fixture
def key(made, folder):
    return shutil.copy(made[0], os.path.join(folder, "dev.key"))


@pytest.fixture
def disk(made, folder):
    return copy_sparse(made[1], os.path.join(folder, "disk.img"))


@pytest.fixture
def blank(key, folder):
    """An empty volume: the first boot makes its TPM."""
    path = os.path.join(folder, "blank.img")
    tools.image_create(path, key)
    return path


@pytest.fixture(scope="session")
def used(made):
    """(key, disk, facts) after a first boot: a TPM with something in it, killed, not shut down."""
    import samples
    with tempfile.TemporaryDirectory(prefix="hf-") as path:
        image = copy_sparse(made[1], os.path.join(path, "disk.img"))
        options = vm.VmOptions(folder=path, disks=[vm.Disk(image)], key=made[0])
        with vm.Vm(options) as machine:
            machine.serving()
            facts = samples.fill(machine)
        yield made[0], image, facts


@pytest.fixture
def used_disk(used, folder):
    """A private copy of the used disk."""
    return copy_sparse(used[1], os.path.join(folder, "disk.img"))


@pytest.fixture
def start(folder, request):
    """start(disks=[...], ...): a running VM. Its console is shown when the test fails."""
    machines = []

    def boot(**options):
        disks = [d if isinstance(d, vm.Disk) else vm.Disk(d) for d in options.pop("disks", [])]
        options.setdefault("folder", folder)
        machine = vm.Vm(vm.VmOptions(disks=disks, **options))
        machines.append(machine)
        return machine.start()

    yield boot
    for number, machine in enumerate(machines):
        code = machine.process.poll()
        machine.kill()
        ended = "killed by the test" if code is None else vm.describe_exit(code)
        print(f"--- VM {number} of {request.node.name}: {ended}\n{machine.console()}")


@pytest.fixture
def liar(folder, used_disk):
    """liar(script=...): the back end over a private copy of a used disk."""
    with_back_ends = []

    def make(script=None, plain=False):
        back_end = hostile.HostileDisk(used_disk, folder, script, plain)
        with_back_ends.append(back_end)
        return back_end.__enter__()

    yield make
    for back_end in with_back_ends:
        back_end.__exit__()
