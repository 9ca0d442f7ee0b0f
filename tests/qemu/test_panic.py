# SPDX-License-Identifier: MIT
"""The kernel dies on purpose (holdfast.panic=): the protection that stops it, the registers, a back
trace with names, the exit code. Each row fails if the protection is taken away: the drill then goes
through and the kernel ends with another code."""

import re

import pytest

from harness import vm

PRESENT, WRITE, FETCH = 1, 2, 16

# (how, error code of the page fault, a function that the back trace names)
FAULTS = [
    ("page-fault", 0, "panic_drill"),
    ("overflow", WRITE, "overflow"),  # The guard page below the stack is not mapped.
    ("text", PRESENT | WRITE, "write_byte|panic_drill"),
    ("sealed", PRESENT | WRITE, "write_byte|panic_drill"),
    ("execute", PRESENT | FETCH, "boot_devices"),  # What is executed has no name.
]


def run_drill(start, how):
    machine = start(append=f"holdfast.state=ephemeral holdfast.panic={how}")
    return machine.wait_exit(), machine.console()


@pytest.mark.parametrize("how, error, function", FAULTS)
def test_fault_is_caught_and_explained(start, how, error, function):
    code, console = run_drill(start, how)
    assert code == vm.EXIT_PANIC
    assert re.search(rf"panic: ring 0 exception 14, error 0x{error:x}, cr2 [0-9a-f]{{16}}", console)
    for register in ("rax", "rsp", "r15"):
        assert re.search(rf"{register} +[0-9a-f]{{16}}", console)
    assert re.search(rf"(rip|  at) [0-9a-f]{{16}} ({function})\S*\+0x", console), console
    assert re.search(r"  at [0-9a-f]{16} boot_devices\S*\+0x", console) or how == "overflow"
    assert "kernel: exit panic" in console


def test_failed_check_is_explained(start):
    code, console = run_drill(start, "check")
    assert code == vm.EXIT_PANIC
    assert re.search(r"panic: kernel/panic_drill\.c:\d+: CHECK failed: how == NULL", console)
    assert re.search(r"  at [0-9a-f]{16} boot_devices\S*\+0x", console)


def test_unknown_drill_is_a_configuration_error(start):
    code, console = run_drill(start, "bogus")
    assert code == vm.EXIT_CONFIG
    assert "BAD_CONFIG" in console
