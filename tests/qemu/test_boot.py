# SPDX-License-Identifier: MIT
"""Boot: in how long, with how much memory, and how it ends."""

import os
import re
import time

import pytest

import samples
from harness import control, tools, tpm, vm

BUNDLE_BYTES_MAX = 8 << 20
# The claim is 0.6 s on an idle machine; it is printed. This bound only catches a broken boot: the
# machines that run this test are shared.
FIRST_ANSWER_S_MAX = 20


def test_boot_says_what_it_is(start, disk, key):
    machine = start(disks=[disk], key=key)
    assert machine.serving() == "persistent"
    assert re.search(r"boot: bundle OK sha256=[0-9a-f]{64}", machine.console())
    machine.wait_for(r"kernel: holdfast \S+ dev on native, \d+ MiB")
    machine.wait_for(r"state: mounted volume \S+ epoch=\d+ sequence=\d+")
    assert machine.wait_for(r"\d+ MiB")
    assert " ERROR " not in machine.console()


def test_boot_to_first_answer(start, blank, key):
    machine = start(disks=[blank], key=key)
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        assert len(client.get_random(8)) == 8
    took = time.monotonic() - machine.started_at
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY
    # The first boot manufactures a TPM; the second shows what every later boot costs.
    machine = start(disks=[blank], key=key)
    machine.serving()
    with tpm.Tpm(machine.tpm_path) as client:
        client.get_random(8)
    again = time.monotonic() - machine.started_at
    samples.figure(f"first TPM answer {again:.2f} s after QEMU's start ({took:.2f} s if new)")
    assert again < FIRST_ANSWER_S_MAX


def test_boot_in_64_mib(start, disk, key):
    machine = start(disks=[disk], key=key, memory_mib=64)
    machine.serving()
    samples.fill(machine)
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY


def test_boot_in_1_gib(start, disk, key):
    machine = start(disks=[disk], key=key, memory_mib=1024)
    assert machine.serving() == "persistent"


def test_boot_needs_no_disk_when_ephemeral(start):
    machine = start(append="holdfast.state=ephemeral")
    assert machine.serving() == "ephemeral"
    machine.wait_for(r"state: ephemeral: nothing survives this boot, as asked")
    samples.fill(machine)


def test_boot_ephemeral_touches_no_disk(start, disk, key):
    before = samples.sha256(disk)
    machine = start(disks=[disk], key=key, append="holdfast.state=ephemeral")
    assert machine.serving() == "ephemeral"
    samples.fill(machine)
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY
    assert samples.sha256(disk) == before


def test_boot_entropy_differs(start, folder):
    seen = set()
    for _ in range(2):
        machine = start(append="holdfast.state=ephemeral")
        machine.serving()
        with tpm.Tpm(machine.tpm_path) as client:
            seen.add(client.get_random(32))
            seen.add(client.endorsement_name())
        machine.kill()
    assert len(seen) == 4


def test_bundle_is_small():
    size = os.path.getsize(vm.default_bundle())
    samples.figure(f"bundle of {size} bytes")
    assert size <= BUNDLE_BYTES_MAX


def test_shutdown_is_orderly(start, disk, key):
    machine = start(disks=[disk], key=key)
    machine.serving()
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY
    assert "kernel: exit orderly" in machine.console()


def test_stock_tools_work(start, disk, key):
    machine = start(disks=[disk], key=key)
    machine.serving()
    text = tools.tpm2(machine.tpm_path, "getrandom", "8", "--hex")
    assert re.fullmatch(rb"[0-9a-f]{16}", text.strip())
    assert b"TPM2_PT_FAMILY_INDICATOR" in tools.tpm2(machine.tpm_path, "getcap",
                                                     "properties-fixed")


def test_control_status_and_counters(start, disk, key):
    machine = start(disks=[disk], key=key)
    machine.serving()
    status = control.ask_values(machine.control_path, "status")
    assert status["state_freshness"] == "unanchored"
    assert "state" in status and "vtpm" in status
    values = control.counters(machine.control_path)
    for name in ("block_reads", "block_writes", "block_flushes", "blocks_read", "blocks_written",
                 "volume_commits", "volume_checkpoints", "shared_pages", "shared_transitions",
                 "shared_bytes_copied", "tpm_commands", "uptime_us"):
        assert isinstance(values[name], int), name


REQUESTS = ["nonsense", "", "x" * 129, "x" * 5000, "status\0", "\x7f"]


@pytest.mark.parametrize("request_line", REQUESTS)
def test_control_rejects_what_it_does_not_know(start, request_line):
    machine = start(append="holdfast.state=ephemeral")
    machine.serving()
    assert any(line.startswith("error=")
               for line in control.ask(machine.control_path, request_line))
    assert "vtpm" in control.ask_values(machine.control_path, "status")
