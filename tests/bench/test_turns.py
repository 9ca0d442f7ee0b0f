# SPDX-License-Identifier: MIT
"""Who has a turn when: in order, again after a failure but not for ever, less when time is short.
The clock is the test's."""

import pytest

from benchmarks import runs
from benchmarks.place import SideError

TURN_S = 10


class FakeSide:
    suite = "storage"

    def __init__(self, name, log, clock, fails=False):
        self.name, self.log, self.clock, self.fails = name, log, clock, fails

    def boot_s(self):
        return 1

    def prepare(self):
        if self.fails == "prepare":
            raise SideError("no disk\nreally")

    def measure(self, names):
        self.log.append(self.name)
        self.clock.now += TURN_S
        if self.fails:
            raise SideError("broken\nreally")
        return {name: {"iops": 1} for name in names}


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def turns(monkeypatch):
    """turns({name: how it fails}, repetitions, ...): those that ran, and the object."""
    clock, log = Clock(), []
    monkeypatch.setattr(runs.time, "monotonic", clock.monotonic)

    def make(sides, repetitions, **options):
        said = []
        made = runs.Turns([(FakeSide(name, log, clock, fails), ["a", "b"])
                           for name, fails in sides.items()], repetitions, 1, said.append,
                          **options)
        made.prepare()
        made.run()
        return log, made, said
    return make


def test_turns_alternate(turns):
    log, made, said = turns({"x": False, "y": False}, 3)
    assert log == ["x", "y", "y", "x", "x", "y"]
    assert made.samples["y"] == {"a": [{"iops": 1}] * 3, "b": [{"iops": 1}] * 3}
    assert [load["side"] for load in made.loads] == log
    assert said[2].startswith("0:00, about") and said[-1].startswith("0:50, about 0:10 left")


def test_a_side_that_fails_is_left_out_after_two(turns):
    log, made, said = turns({"x": "always", "y": False}, 4)
    assert log == ["x", "y", "y", "x", "y", "y"]
    assert made.samples["x"]["a"] == [None] * 4
    assert [(failure["side"], failure["repetition"]) for failure in made.failures] == \
        [("x", 1), ("x", 2)]
    assert "x failed: broken" in said


def test_a_side_that_cannot_be_prepared_has_no_turn(turns):
    log, made, _ = turns({"x": "prepare", "y": False}, 2)
    assert log == ["y", "y"]
    assert made.failures == [{"side": "x", "repetition": 0, "why": "no disk\nreally"}]


def test_short_of_time_the_essential_go_on(turns):
    """Two sides, 5 repetitions, 10 s each: 70 s are enough for one of them and a little."""
    log, made, said = turns({"x": False, "y": False}, 5, limit_s=70, essential={"x"})
    assert log.count("x") == 5
    assert 1 <= log.count("y") < 5
    assert made.samples["y"]["a"].count(None) == 5 - log.count("y") == made.skipped
    assert not any("out of time" in line for line in said)


def test_beyond_the_limit_there_is_no_repetition(turns):
    log, made, said = turns({"x": False}, 5, limit_s=25, essential={"x"})
    assert log == ["x"] * 3
    assert len(made.samples["x"]["a"]) == 3
    assert said[-1] == "out of time: 3 repetitions instead of 5"
