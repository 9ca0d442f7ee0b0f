# SPDX-License-Identifier: MIT
"""The two ways to run a fuzz target for a while.

libFuzzer runs under ASan and UBSan and learns from coverage what leads further: it finds what is
new, and its corpus grows. The lean engine (replay_main.c) runs variants of the repository's inputs
without either, several times as many a second: it finds what is rare.
"""

import os
import random
import re
import subprocess
import sys
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tools"))
from harness import build  # noqa: E402 (the path has to be set first)

LIBFUZZER = "libFuzzer"
LEAN = "lean"
PRESETS = {LIBFUZZER: "fuzz", LEAN: "fuzz-lean"}
PREFIXES = {LIBFUZZER: "fuzz_", LEAN: "replay_"}
# The longest useful inputs are blocks with a mode in front.
INPUT_BYTES_MAX = 6000


class Slice(NamedTuple):
    """What one run of one target did, from its closing words."""
    target: str
    engine: str
    seed: int
    executions: int
    lied: int  # Of them, those in which a hostile device lied.
    cpu_seconds: float
    edges: int
    ok: bool
    output: str
    finding: str  # The file with the input, or None.

    def per_cpu_second(self):
        return int(self.executions / max(self.cpu_seconds, 0.001))

    def line(self):
        edges = f" {self.edges:5d} edges" if self.edges else ""
        lied = f"  {100 * self.lied // max(1, self.executions)} % with a lie" if self.lied else ""
        return (f"{self.target:22} {self.engine:9} {self.executions:13,d} executions "
                f"{self.per_cpu_second():9,d} a CPU second{edges}{lied}"
                f"{'' if self.ok else '  FAILED'}")

    def reason(self):
        lines = [line for line in self.output.split("\n")
                 if re.search(r"oracle violated|CHECK failed|runtime error|ERROR:|does not end",
                              line)]
        return lines[0] if lines else "\n".join(self.output.split("\n")[-5:])


def targets_of(folder, wanted):
    with open(os.path.join(folder, "fuzz_targets.txt"), encoding="utf-8") as file:
        names = file.read().split()
    for name in wanted:
        if name not in names:
            sys.exit(f"no target {name!r}: choose from {', '.join(names)}")
    return [name for name in names if not wanted or name in wanted]


def prepare(engine, wanted=()):
    """Build the targets, all of them if none is named: (folder, names)."""
    preset = PRESETS[engine]
    try:
        build.configure(preset)
        folder = build.build_dir(preset)
        names = targets_of(folder, wanted)
        build.build(preset, [PREFIXES[engine] + name for name in names])
    except build.BuildError as error:
        sys.exit(str(error))
    return folder, names


def program(engine, folder, name):
    return os.path.join(folder, "tests", "fuzz", PREFIXES[engine] + name)


def inputs(name):
    """Folders with the repository's inputs of a target."""
    folders = [os.path.join(HERE, part, name) for part in ("corpus", "regress")]
    return [folder for folder in folders if os.path.isdir(folder)]


def _command(engine, folder, name, seconds, seed, finding):
    if engine == LEAN:
        return [program(engine, folder, name), "--seconds", str(seconds), "--seed", str(seed),
                "--save", finding, *inputs(name)]
    # New inputs stay in the build folder: the next run goes on from there.
    grown = os.path.join(folder, "corpus", name)
    os.makedirs(grown, exist_ok=True)
    return [program(engine, folder, name), f"-max_total_time={max(1, round(seconds))}",
            f"-seed={seed}", "-print_final_stats=1", "-timeout=10", f"-max_len={INPUT_BYTES_MAX}",
            "-verbosity=1", "-entropic=0",  # Its books cost more than most of our runs.
            f"-exact_artifact_path={finding}", grown, *inputs(name)]


def _last_number(pattern, output):
    found = re.findall(pattern, output)
    return int(found[-1]) if found else 0


def run_slice(engine, folder, name, seconds):
    """Run a target for so long. An interrupt ends it early, and what was done counts."""
    seed = random.randrange(1, 1 << 31)
    finding = os.path.join(folder, "findings", f"{name}-{seed}")
    os.makedirs(os.path.dirname(finding), exist_ok=True)
    with subprocess.Popen(_command(engine, folder, name, seconds, seed, finding),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                          text=True) as process:
        output = process.stdout.read()
        # Not process.wait(): only this tells the CPU time of one child.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    interrupted = "libFuzzer: run interrupted" in output
    return Slice(
        target=name, engine=engine, seed=seed,
        executions=_last_number(r"(?:number_of_executed_units:\s*|inputs, )(\d+)", output),
        lied=_last_number(r"(\d+) with a lie", output),
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        edges=_last_number(r"cov: (\d+)", output),
        ok=process.returncode == 0 or interrupted, output=output,
        finding=finding if os.path.exists(finding) else None)


def report_failure(engine, folder, result):
    print(f"  {result.reason()}")
    if result.finding:
        finding = os.path.relpath(result.finding, ROOT)
        runner = os.path.relpath(program(engine, folder, result.target), ROOT)
        print(f"  repeat: {runner} {finding}")
        print(f"  keep:   cp {finding} tests/fuzz/regress/{result.target}/<what-it-was>",
              flush=True)
