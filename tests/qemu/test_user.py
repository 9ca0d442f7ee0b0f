# SPDX-License-Identifier: MIT
"""Ring-3 programs test the system calls and the walls from inside; the VM's exit code is the
result. A program that commits an offence must be ended by name, and the kernel must live on."""

import os
import re

import pytest

from harness import build, vm

PASSED = r"user: \S+ exited with 0"
FAULTS_SOURCE = os.path.join(build.ROOT, "user", "tests", "test_faults.c")
# The kernel's deadline for a test program, and some for the emulator.
SPIN_DEADLINE_S = 120


def offences():
    """The table in the program is the only list."""
    with open(FAULTS_SOURCE, encoding="utf-8") as file:
        return re.findall(r'^\t\{"([a-z0-9-]+)", case_\w+\},$', file.read(), re.M)


def test_system_calls_with_a_store(start, disk, key):
    machine = start(disks=[disk], key=key, append="holdfast.run=test-syscalls")
    code = machine.wait_exit(SPIN_DEADLINE_S)
    text = machine.console()
    failed = [line for line in machine.lines if "FAIL " in line]
    assert code == vm.EXIT_ORDERLY and not failed, "\n".join(failed)
    assert text.count("PASS ") > 50
    assert re.search(PASSED, text)
    # The program tried to forge lines, with a name and with a line of its own.
    assert "FORGED-NAME" not in text and "\x1b" not in text
    forged = [line for line in machine.lines if "FORGED-LINE" in line]
    assert len(forged) == 1 and forged[0].endswith("test-syscalls: ?[2J?FORGED-LINE ??"), forged


def test_what_it_stored_is_durable(start, disk, key):
    """The same program again on the same disk: it cleans up or meets what it left."""
    for _ in range(2):
        machine = start(disks=[disk], key=key, append="holdfast.run=test-syscalls")
        assert machine.wait_exit(SPIN_DEADLINE_S) == vm.EXIT_ORDERLY


def test_there_are_offences():
    assert len(offences()) > 30


@pytest.mark.parametrize("case", [case for case in offences() if case != "exit"])
def test_offence_ends_the_program_and_not_the_kernel(start, case):
    machine = start(append=f"holdfast.state=ephemeral holdfast.run=test-faults:{case}")
    code = machine.wait_exit(SPIN_DEADLINE_S)
    text = machine.console()
    assert "FAIL " not in text, "the offence went through"
    assert re.search(r"user: test-faults (killed|ended): \w+", text)
    assert "panic" not in text.lower()
    assert code == vm.EXIT_RING3_TEST, vm.describe_exit(code)


def test_exit_code_of_a_program_is_reported(start):
    machine = start(append="holdfast.state=ephemeral holdfast.run=test-faults:exit")
    assert machine.wait_exit() == vm.EXIT_RING3_TEST
    machine.wait_for(r"user: test-faults exited with 7")


def test_unknown_case_is_reported(start):
    machine = start(append="holdfast.state=ephemeral holdfast.run=test-faults:nothing")
    assert machine.wait_exit() == vm.EXIT_RING3_TEST
    machine.wait_for(r"user: test-faults exited with 2")
