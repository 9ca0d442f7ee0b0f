# SPDX-License-Identifier: MIT
"""What reboots.py says when it fails has to be right: it is seldom asked."""

import os
import subprocess

import reboots
import reboots_evidence as evidence

LINE = "2026-11-23T13:40:12.123456Z machine command={} locality=0 result=0x00000000 " \
       "waited_us={} took_us={}\n"


def test_the_plan_is_the_seeds():
    steps = reboots.plan(100, 7)
    assert steps == reboots.plan(100, 7) != reboots.plan(100, 8)
    assert {step.action for step in steps} == set(reboots.ACTIONS)
    assert not [step for step in steps if step.in_boot and step.action == reboots.BY_GUEST]


def test_slowest_counts_waiting_too(tmp_path):
    path = tmp_path / "trace"
    path.write_text("".join(LINE.format(code, *times) for code, times in
                            enumerate([(1, 5), (900, 1), (2, 700), (1, 1), (1, 2), (1, 3)])) +
                    "half a line")
    found = evidence.slowest(path)
    assert len(found) == evidence.SLOWEST
    assert "command=1 " in found[-1] and "command=2 " in found[-2]
    assert not [line for line in found if "command=3 " in line]


def test_starved_is_who_could_not_run():
    """Two that want one processor: what one gets the other waits for."""
    cpu = {min(os.sched_getaffinity(0))}
    busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"],
                             preexec_fn=lambda: os.sched_setaffinity(0, cpu)) for _ in range(2)]
    try:
        end = 0.2 + evidence.starved_s(busy)
        for _ in range(600):
            if evidence.starved_s(busy) >= end:
                break
            try:
                busy[0].wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        assert evidence.starved_s(busy) >= end
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert evidence.starved_s([]) <= evidence.starved_s(busy)


class Guest:
    """A console on which a kernel log comes when it is asked for, or does not."""

    def __init__(self, says):
        self.lines, self.says = ["before", "dmesg-end"], says

    def tell(self, words):
        assert words == "dmesg"
        self.lines += self.says

    def wait_for(self, pattern, _timeout_s, since):
        if not [line for line in self.lines[since:] if line == "dmesg-end"]:
            raise evidence.vm.VmError(pattern)


def test_a_kernel_log_is_of_this_boot():
    guest = Guest(["Operation Timed out", "dmesg-end"])
    assert evidence.kernel_log(guest, guest.tell) == ["Operation Timed out"]
    guest = Guest(["half"])
    assert evidence.kernel_log(guest, guest.tell) == []


def test_what_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence.build, "build_root", lambda: str(tmp_path / "build"))
    trace = tmp_path / "trace"
    trace.write_text("a line\n")
    for _ in range(2):
        folder = evidence.keep([str(trace), str(tmp_path / "none")], {"guest": ["one", "two"]},
                               "ovmf-7")
    assert sorted(os.listdir(folder)) == ["guest", "trace"]
    with open(os.path.join(folder, "guest"), encoding="utf-8") as file:
        assert file.read() == "one\ntwo\n"
