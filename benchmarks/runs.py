# SPDX-License-Identifier: MIT
"""Takes turns: every side once, then every side again the other way round (A B B A), so that a
machine that slows down slows down all of them, and none has its turns always before another. A
side that fails is named and left out; the others go on."""

import subprocess
import time

from harness import build, linux_guest, vm
from harness.tpm import TpmError
from benchmarks import jobs, load
from benchmarks.place import SideError

# Whatever can go wrong with a side: its programs, its guest, its results.
FAILURES = (SideError, jobs.JobFileError, linux_guest.GuestError, vm.VmError, TpmError,
            build.BuildError, subprocess.SubprocessError, OSError, KeyError, ValueError)
# Then it is left out: each turn may cost a deadline.
FAILURES_MAX = 2
SECONDS_A_JOB = {"vtpm": 0.5}


def clock(seconds):
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"


class Turns:
    """`chosen`: [(side, names of its jobs)]. run() fills in samples, loads and failures.

    `limit_s` is for all of it. When it gets short, only sides in `essential` have further turns;
    beyond it there is no further repetition."""

    def __init__(self, chosen, repetitions, job_seconds, say, limit_s=None, essential=()):
        self.chosen = chosen
        self.repetitions = repetitions
        self.job_seconds = job_seconds
        self.say = say
        self.limit_s = float("inf") if limit_s is None else limit_s
        self.essential = essential
        self.skipped = 0
        self.samples = {side.name: {name: [] for name in names} for side, names in chosen}
        self.loads = []  # {"side", "repetition", "seconds", "others_cores"}
        self.failures = []  # {"side", "repetition", "why"}
        self._done_s = self._guessed_s = 0.0
        self._began = time.monotonic()

    def guess_s(self, side, names):
        """Seconds of one turn, on an idle machine."""
        each = SECONDS_A_JOB.get(side.suite, self.job_seconds + jobs.RAMP_S)
        return side.boot_s() + each * len(names)

    def expected_s(self):
        return sum(self.guess_s(side, names) for side, names in self.chosen) * self.repetitions

    def pace(self):
        """How wrong the guesses were so far."""
        return self._done_s / self._guessed_s if self._guessed_s else 1

    def left_s(self):
        """By the guesses, corrected; no more than the limit."""
        left = (self.expected_s() - self._guessed_s) * self.pace()
        return min(left, max(0, self.limit_s - self._elapsed()))

    def _elapsed(self):
        return time.monotonic() - self._began

    def prepare(self):
        """The sides that can be measured stay."""
        ready = []
        for number, (side, names) in enumerate(self.chosen):
            self.say(f"preparing {number + 1} of {len(self.chosen)}: {side.name}")
            if self._try(side, 0, side.prepare):
                ready.append((side, names))
        self.chosen = ready

    def run(self):
        for repetition in range(1, self.repetitions + 1):
            if repetition > 1 and self._elapsed() > self.limit_s:
                self.say(f"out of time: {repetition - 1} repetitions instead of "
                         f"{self.repetitions}")
                return
            order = self.chosen if repetition % 2 == 1 else self.chosen[::-1]
            for side, names in order:
                if repetition == 1 or self._has_time(side, names, repetition):
                    self._turn(side, names, repetition)
                else:
                    self._skip(side, names)

    def _has_time(self, side, names, repetition):
        """True if those that matter most can still have all their turns behind this one."""
        if side.name in self.essential:
            return True
        turns = self.repetitions - repetition + 1
        needed = sum(self.guess_s(other, theirs) for other, theirs in self.chosen
                     if other.name in self.essential) * turns
        return self._elapsed() + self.pace() * (needed + self.guess_s(side, names)) <= self.limit_s

    def _skip(self, side, names):
        self.skipped += 1
        for name in names:
            self.samples[side.name][name].append(None)

    def _turn(self, side, names, repetition):
        failed = sum(1 for failure in self.failures if failure["side"] == side.name)
        found = {}
        if failed < FAILURES_MAX:
            self.say(f"{clock(self._elapsed())}, about {clock(self.left_s())} left: repetition "
                     f"{repetition} of {self.repetitions}: {side.name}")
            with load.Meter() as meter:
                self._try(side, repetition, lambda: found.update(side.measure(names)))
            self.loads.append({"side": side.name, "repetition": repetition,
                               "seconds": round(meter.seconds, 2),
                               "others_cores": round(meter.others_cores, 3)})
            self._done_s += meter.seconds
        self._guessed_s += self.guess_s(side, names)
        for name in names:
            self.samples[side.name][name].append(found.get(name))

    def _try(self, side, repetition, action):
        try:
            action()
            return True
        except FAILURES as error:
            why = str(error) or type(error).__name__
            self.failures.append({"side": side.name, "repetition": repetition, "why": why})
            self.say(f"{side.name} failed: {why.strip().splitlines()[0]}")
            return False
