# SPDX-License-Identifier: MIT
"""./run: what a person types, what it says, how it ends."""

import contextlib
import os
import re
import signal
import stat
import subprocess
import threading

import pytest

import samples
from harness import build, tools, tpm, vm

RUN = os.path.join(build.ROOT, "run")
DEADLINE_S = 40


class Running:
    """A ./run whose output is collected line by line."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [RUN, "--no-build", "--accel", "tcg", *arguments], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=build.ROOT)
        self.text = ""
        self.ready = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.text += line
            if line.startswith("run: ready"):
                self.ready.set()
        self.ready.set()

    def wait_ready(self):
        assert self.ready.wait(DEADLINE_S) and "run: ready" in self.text, self.text

    def wait_exit(self):
        return self.process.wait(DEADLINE_S)


@contextlib.contextmanager
def running(*arguments):
    run = Running(*arguments)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.process.kill()  # QEMU dies with it.
            run.process.wait()
        print(f"--- ./run {' '.join(arguments)}: {run.process.returncode}\n{run.text}")


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def state_folder(folder):
    return os.path.join(folder, "state")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_serves_and_shuts_down_in_order(state_folder, number):
    socket = os.path.join(state_folder, "tpm.sock")
    facts = []
    for boot in range(2):
        with running("--state", state_folder) as run:
            run.wait_ready()
            assert "persistent TPM" in run.text and "tpm2_getrandom -T" in run.text
            assert re.fullmatch(rb"[0-9a-f]{16}", tools.tpm2(socket, "getrandom", "8",
                                                             "--hex").strip())
            with tpm.Tpm(socket) as client:
                if boot == 0:
                    client.nv_define(samples.NV_INDEX, 16)
                    client.nv_write(samples.NV_INDEX, b"sixteen bytes...")
                facts.append((client.endorsement_name(), client.nv_read(samples.NV_INDEX, 16)))
            run.process.send_signal(number)
            assert run.wait_exit() == 0
            assert "kernel: exit orderly" in run.text
    assert facts[0] == facts[1]
    assert mode(state_folder) == 0o700
    assert mode(os.path.join(state_folder, "dev.key")) == 0o600
    assert os.path.getsize(os.path.join(state_folder, "disk.img")) == 64 << 20


def test_run_prints_commands_that_work(state_folder):
    with running("--state", state_folder) as run:
        run.wait_ready()
        random, counters = re.findall(r"^  (\S.+ UNIX-CONNECT:.+)$", run.text, re.M)
        for command, wanted in ((random, r"^[0-9a-f]{16}"), (counters, r"^tpm_commands=\d+$")):
            done = subprocess.run(command, shell=True, cwd=build.ROOT, capture_output=True,
                                  check=True, text=True, timeout=DEADLINE_S)
            assert re.search(wanted, done.stdout, re.M), done.stdout


def test_run_ephemeral_says_so_and_makes_no_disk(state_folder):
    with running("--state", state_folder, "--ephemeral") as run:
        run.wait_ready()
        assert "ephemeral: nothing survives this boot, as asked" in run.text
        run.process.send_signal(signal.SIGINT)
        assert run.wait_exit() == 0
    assert not os.path.exists(os.path.join(state_folder, "disk.img"))


def test_second_run_on_one_folder_is_refused(state_folder):
    with running("--state", state_folder) as first:
        first.wait_ready()
        with running("--state", state_folder) as second:
            assert second.wait_exit() == 4
            assert "in use" in second.text
        assert first.process.poll() is None


def test_stale_qemu_on_the_disk_is_named(state_folder, folder):
    with running("--state", state_folder) as run:
        run.wait_ready()
        run.process.send_signal(signal.SIGINT)
        assert run.wait_exit() == 0
    elsewhere = os.path.join(folder, "elsewhere")
    os.mkdir(elsewhere)
    disk = os.path.join(state_folder, "disk.img")
    with vm.Vm(vm.VmOptions(folder=elsewhere, disks=[vm.Disk(disk)])) as stale:
        stale.wait_for("vtpm: ")
        with running("--state", state_folder) as run:
            assert run.wait_exit() == 4
            assert "another QEMU holds the disk" in run.text


def test_missing_key_of_a_disk_is_never_replaced(state_folder):
    with running("--state", state_folder) as run:
        run.wait_ready()
    os.unlink(os.path.join(state_folder, "dev.key"))
    before = samples.sha256(os.path.join(state_folder, "disk.img"))
    with running("--state", state_folder) as run:
        assert run.wait_exit() == 6
        assert "put the key back" in run.text
    assert not os.path.exists(os.path.join(state_folder, "dev.key"))
    assert samples.sha256(os.path.join(state_folder, "disk.img")) == before


def test_wrong_key_is_the_states_failure(state_folder):
    with running("--state", state_folder) as run:
        run.wait_ready()
    with open(os.path.join(state_folder, "dev.key"), "wb") as file:
        file.write(b"\x01" * 32)
    with running("--state", state_folder) as run:
        assert run.wait_exit() == 6
        assert "WRONG_KEY" in run.text


def test_service_that_cannot_start_is_named(state_folder):
    """10 MiB: the kernel runs, the TPM does not."""
    with running("--state", state_folder, "--ephemeral", "--memory", "10") as run:
        assert run.wait_exit() == 6
        assert "run: the TPM is unavailable: NO_MEMORY" in run.text


def test_killed_vm_is_noticed(state_folder):
    with running("--state", state_folder) as run:
        run.wait_ready()
        children = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(run.process.pid)],
                                  capture_output=True, text=True, check=True).stdout
        qemu = re.search(r"(\d+) qemu", children).group(1)
        os.kill(int(qemu), signal.SIGKILL)
        assert run.wait_exit() == 7
        assert "the VM ended: killed" in run.text


def test_killed_run_leaves_no_vm(state_folder):
    with running("--state", state_folder) as run:
        run.wait_ready()
        run.process.kill()
        run.wait_exit()
    # The disk's lock is free again: nothing stale holds it.
    with running("--state", state_folder) as run:
        run.wait_ready()


def test_path_too_long_for_a_socket_is_named(folder):
    with running("--state", os.path.join(folder, "x" * 100)) as run:
        assert run.wait_exit() == 6
        assert "too long" in run.text


@pytest.mark.parametrize("completion,waits", [("poll", "polling"), ("interrupt", "asleep")])
@pytest.mark.parametrize("ring", ["split", "packed"])
@pytest.mark.parametrize("machine", ["microvm", "q35"])
def test_demo(machine, ring, completion, waits):
    with running("--demo", "--machine", machine, "--ring", ring,
                 "--completion", completion) as run:
        assert run.wait_exit() == 0
        for claim in (f"is a {ring} ring on {machine}", f"the kernel waits {waits}",
                      "NV index 0x1500001 holds what was written", "the counter stands at 3",
                      "PCR 7 was reset", "the EK is the same",
                      "is nowhere in the image's 67108864"):
            assert "demo:   ok: " in run.text and claim in run.text, claim


def test_usage_error_has_its_own_code():
    with running("--nonsense") as run:
        assert run.wait_exit() == 2
