# SPDX-License-Identifier: MIT
"""test-faults on Linux: each offence is one, so that its survival under our kernel would mean
something. tests/qemu runs the same cases there."""

import os
import subprocess

import pytest

PROGRAM = os.environ.get("TEST_FAULTS", "build/dev/user/tests/test_faults")
ENDLESS = {"spin", "spin-syscalls"}


def run(case, timeout=20):
    return subprocess.run([PROGRAM, case], stderr=subprocess.PIPE, timeout=timeout, check=False)


def cases():
    if not os.path.exists(PROGRAM):
        return []
    return run("list").stderr.decode().split()


@pytest.mark.parametrize("case", cases())
def test_offence_is_fatal(case):
    if case in ENDLESS:
        with pytest.raises(subprocess.TimeoutExpired):
            run(case, timeout=0.2)
        return
    result = run(case)
    assert b"FAIL" not in result.stderr
    if case == "exit":
        assert result.returncode == 7
    else:
        assert result.returncode < 0, "killed by a signal"


def test_unknown_case():
    assert run("nothing").returncode == 2
    assert len(cases()) > 30
