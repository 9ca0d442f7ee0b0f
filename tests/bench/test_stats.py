# SPDX-License-Identifier: MIT
"""Medians, ranges, ratios; targets that are met and missed; who else used the CPU."""

import subprocess
import sys

import pytest

from benchmarks import environment, load, results, sides, stats, targets
from benchmarks.place import Place


def test_summary_of_an_odd_and_an_even_number():
    assert stats.summarise([5, 1, 3]) == stats.Summary(3, 1, 5, 3)
    assert stats.summarise([4, 1, 3, 2]).median == 2.5


def test_repetitions_that_failed_are_left_out():
    assert stats.summarise([None, 7, None]) == stats.Summary(7, 7, 7, 1)
    assert stats.summarise([None, None]) is None
    assert stats.summarise([]) is None


def test_deviation_is_that_of_the_furthest():
    assert stats.summarise([90, 100, 130]).deviation == pytest.approx(0.3)
    assert stats.summarise([60, 100, 130]).deviation == pytest.approx(0.4)
    assert stats.summarise([0, 0]).deviation == 0


def test_ratios_are_of_the_same_repetition():
    """The machine became three times slower in the second half: the ratio did not."""
    ours, theirs = [300, 300, 100, 100, 100], [150, 150, 50, 50, 50]
    assert stats.ratios(ours, theirs) == [2] * 5
    assert stats.ratios([1, None, 3], [2, 2, None]) == [0.5, None, None]
    assert stats.ratios([1], [0]) == [None]


@pytest.mark.parametrize("median,same", [(0.89, False), (0.9, True), (1.0, True), (1.1, True),
                                         (1.11, False)])
def test_a_build_is_like_itself(median, same):
    assert stats.same_build(stats.Summary(median, 0, 2, 5)) == same
    assert not stats.same_build(None)


def test_targets_are_met_and_missed(measured):
    data = measured({"raw": [100, 90, 95], "linux-raw": [20, 10, 19]})
    done = results.Results(data, {("raw", "linux-raw", "rr4k-qd1"): "because"})
    by_job = {row.job: row for row in done.rows}
    assert set(by_job) == set(targets.JOBS)
    assert by_job["rr4k-qd1"].ratio == stats.Summary(5, 5, 9, 3)
    assert (by_job["rr4k-qd1"].least, by_job["rr4k-qd1"].met) == (9, False)
    assert by_job["rr4k-qd1"].cause == "because"
    assert by_job["rr4k-qd32"].met and not by_job["rr4k-qd32"].cause  # 5 of at least 5.
    assert by_job["rw4k-flush"].met is False
    assert done.missed == [by_job["rr4k-qd1"], by_job["rw4k-flush"]]


def test_a_side_that_failed_gives_no_row(measured):
    data = measured({"raw": [100, 100], "linux-raw": [None, None]})
    assert results.Results(data, {}).rows == []
    assert results.Results(data, {}).has_figures()


def test_the_cipher_of_a_newer_qemu_is_asked_for_more():
    def least(major):
        return next(pair.least["sr128k-qd8"] for pair in targets.pairs(major)
                    if pair.theirs == "xts4096-nowq")
    assert least(7) < 1 < least(10)


def test_pairs_and_quick_runs_name_sides_that_exist():
    names = {side.name for side in sides.everything(Place("", 1, 1))}
    for pair in targets.pairs(7):
        assert {pair.ours, pair.theirs} <= names
    assert sides.QUICK < names


def test_causes_name_pairs_and_jobs_that_exist():
    known = {(pair.ours, pair.theirs, job) for pair in targets.pairs(7) for job in pair.least}
    assert set(targets.load_causes()) <= known


def test_patterns_choose_cases():
    def cases(patterns, quick=False):
        chosen = sides.choose(sides.everything(Place("", 1, 1)), patterns, quick)
        return {(side.name, job) for side, names in chosen for job in names}
    assert cases(["/raw/rr4k-qd1$"]) == {("raw", "rr4k-qd1")}
    assert cases(["/raw/rr4k-qd1$", "^vtpm/swtpm/Get"]) == {("raw", "rr4k-qd1"),
                                                            ("swtpm", "GetRandom 16")}
    assert cases(["no such case"]) == set()
    assert {name for name, _ in cases([], quick=True)} == sides.QUICK
    assert ("host-psync", "rr4k-qd32") not in cases([])
    assert sides.choose_counted(["counted/volume/sw"], False) == {"volume": ["sw128k-qd8"]}
    assert set(sides.choose_counted([], True)) == {"raw", "volume"}


def test_the_qemu_is_recognised():
    assert environment.qemu_major({"QEMU": "QEMU emulator version 10.0.2 (Debian)"}) == 10
    assert environment.qemu_major({"QEMU": "missing"}) == 0


def test_what_others_used(monkeypatch):
    """4 s of the machine's CPU went by in 2 s, 1 s of it ours."""
    machine, own, clock = iter([100, 104]), iter([10, 11]), iter([50, 52])
    monkeypatch.setattr(load, "_machine_seconds", lambda: next(machine))
    monkeypatch.setattr(load, "_own_seconds", lambda: next(own))
    monkeypatch.setattr(load.time, "monotonic", lambda: next(clock))
    with load.Meter() as meter:
        pass
    assert (meter.seconds, meter.others_cores) == (2, 1.5)


def test_children_that_ended_are_ours():
    before = load._own_seconds()
    subprocess.run([sys.executable, "-c",
                    "import time\nwhile time.process_time() < 0.5: pass"], check=True)
    assert load._own_seconds() - before > 0.4
    assert load._machine_seconds() > 0
