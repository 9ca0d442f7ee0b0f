#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Fuzz, grow the corpora, measure what they cover. tests/fuzz/README.md has the words.

    run_fuzz.py [--seconds N] [TARGET...]         N seconds in all, split among the targets
    run_fuzz.py --grow [--seconds N] [TARGET...]  and put what is new into corpus/, minimised
    run_fuzz.py --coverage [TARGET...]            lines of each source that the corpora reach

`run` ends with 1 if a target failed: the input, minimised, is in build/fuzz/findings/.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tools"))
from harness import build  # noqa: E402 (the path has to be set first)

SECONDS_DEFAULT = 60
# The deep ones get more of the time.
WEIGHTS = {"virtio_blk": 4, "virtio_serial": 4, "virtio_queue": 3, "volume_image": 4}
MINIMISE_S = 20
# The longest useful inputs are blocks with a mode in front.
INPUT_BYTES_MAX = 6000
# What --coverage reports: the sources that decode or judge foreign bytes.
DECODERS = (
    "block/volume_format.c", "block/volume_format_keyslots.c", "block/volume_record.c",
    "block/volume_geometry.c", "block/volume_mount.c", "block/volume_replay.c",
    "block/volume_sight.c", "block/volume_tree.c", "block/volume_verify.c",
    "block/volume_session.c", "block/store_format.c", "block/virtio_blk.c",
    "block/virtio_blk_config.c", "block/virtio_blk_pages.c", "block/virtio_blk_piece.c",
    "block/virtio_blk_queue.c",
    "boot/boot_params.c", "boot/bundle.c", "boot/cmdline.c", "boot/kernel_image.c",
    "boot/memory_map.c", "boot/start_info.c",
    "kernel/options.c", "kernel/symbols.c", "kernel/user_elf.c", "kernel/user_stack.c",
    "virtio/mmio_cmdline.c", "virtio/virtio_device.c", "virtio/virtio_mmio.c",
    "virtio/virtio_serial.c", "virtio/virtio_serial_control.c", "virtio/virtio_serial_read.c",
    "virtio/virtio_serial_write.c", "virtio/virtio_transport.c", "virtio/virtq.c",
    "virtio/virtq_packed.c", "virtio/virtq_split.c",
    "vtpm/frame.c", "vtpm/response.c", "vtpm/tpm_control.c", "vtpm/tpm_control_stream.c")


def targets_of(folder, wanted):
    with open(os.path.join(folder, "fuzz_targets.txt"), encoding="utf-8") as file:
        names = file.read().split()
    for name in wanted:
        if name not in names:
            sys.exit(f"no target {name!r}: choose from {', '.join(names)}")
    return [name for name in names if not wanted or name in wanted]


def build_fuzzers(wanted):
    try:
        build.configure("fuzz")
        folder = build.build_dir("fuzz")
        names = targets_of(folder, wanted)
        build.build("fuzz", [f"fuzz_{name}" for name in names])
    except build.BuildError as error:
        sys.exit(str(error))
    return folder, names


def program(folder, name):
    return os.path.join(folder, "tests", "fuzz", f"fuzz_{name}")


def inputs(name):
    """Folders with the repository's inputs of a target."""
    folders = [os.path.join(HERE, part, name) for part in ("corpus", "regress")]
    return [folder for folder in folders if os.path.isdir(folder)]


class Outcome:
    """One target's run, from libFuzzer's closing words."""

    def __init__(self, name, done, seconds):
        self.name = name
        self.ok = done.returncode == 0
        self.output = done.stdout
        self.executions = self._number(r"stat::number_of_executed_units:\s*(\d+)")
        self.per_second = int(self.executions / max(seconds, 0.001))
        found = re.findall(r"cov: (\d+)", done.stdout)
        self.edges = int(found[-1]) if found else 0
        found = re.search(r"Test unit written to (\S+)", done.stdout)
        self.finding = found.group(1) if found else None

    def _number(self, pattern):
        found = re.search(pattern, self.output)
        return int(found.group(1)) if found else 0

    def reason(self):
        lines = [line for line in self.output.split("\n")
                 if re.search(r"oracle violated|CHECK failed|runtime error|ERROR:", line)]
        return lines[0] if lines else "\n".join(self.output.split("\n")[-5:])


def fuzz_once(folder, name, seconds):
    """New inputs stay in the build folder: the next run goes on from there."""
    grown = os.path.join(folder, "corpus", name)
    findings = os.path.join(folder, "findings")
    os.makedirs(grown, exist_ok=True)
    os.makedirs(findings, exist_ok=True)
    started = time.monotonic()
    done = subprocess.run(
        [program(folder, name), f"-max_total_time={max(1, round(seconds))}",
         "-print_final_stats=1", "-timeout=10", f"-max_len={INPUT_BYTES_MAX}", "-verbosity=1",
         "-entropic=0",  # Its books cost more than most of our runs.
         f"-artifact_prefix={findings}/{name}-", grown, *inputs(name)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, errors="replace", text=True)
    return Outcome(name, done, time.monotonic() - started)


def minimise(folder, name, finding):
    smaller = f"{finding}.min"
    subprocess.run(
        [program(folder, name), "-minimize_crash=1", f"-max_total_time={MINIMISE_S}",
         f"-exact_artifact_path={smaller}", finding],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return smaller if os.path.exists(smaller) else finding


def report(folder, outcome):
    print(f"{outcome.name:22} {outcome.executions:11,d} executions {outcome.per_second:9,d}/s "
          f"{outcome.edges:5d} edges{'' if outcome.ok else '  FAILED'}", flush=True)
    if outcome.ok:
        return
    print(f"  {outcome.reason()}")
    if outcome.finding:
        finding = os.path.relpath(minimise(folder, outcome.name, outcome.finding), ROOT)
        runner = os.path.relpath(program(folder, outcome.name), ROOT)
        print(f"  repeat: {runner} {finding}")
        print(f"  keep:   cp {finding} tests/fuzz/regress/{outcome.name}/<what-it-was>")


def run(options):
    folder, names = build_fuzzers(options.targets)
    weight = sum(WEIGHTS.get(name, 1) for name in names)
    outcomes = []
    for name in names:
        outcomes.append(fuzz_once(folder, name,
                                  options.seconds * WEIGHTS.get(name, 1) / weight))
        report(folder, outcomes[-1])
    failed = sum(not outcome.ok for outcome in outcomes)
    print(f"{len(names)} targets, {sum(outcome.executions for outcome in outcomes):,d} executions, "
          f"{failed} failed", flush=True)
    return folder, names, 1 if failed else 0


def grow(options):
    with tempfile.TemporaryDirectory() as seeds:
        subprocess.run([sys.executable, os.path.join(HERE, "seeds.py"), seeds], check=True)
        folder = build.build_dir("fuzz")
        for name in os.listdir(seeds):
            grown = os.path.join(folder, "corpus", name)
            os.makedirs(grown, exist_ok=True)
            for seed in os.listdir(os.path.join(seeds, name)):
                shutil.copy(os.path.join(seeds, name, seed), grown)
        folder, names, result = run(options)
    for name in names:
        merged = os.path.join(folder, "merged", name)
        shutil.rmtree(merged, ignore_errors=True)
        os.makedirs(merged)
        subprocess.run([program(folder, name), "-merge=1", "-use_value_profile=0",
                        f"-max_len={INPUT_BYTES_MAX}", merged,
                        os.path.join(folder, "corpus", name), *inputs(name)],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        corpus = os.path.join(HERE, "corpus", name)
        shutil.rmtree(corpus, ignore_errors=True)
        shutil.copytree(merged, corpus)
        size = sum(entry.stat().st_size for entry in os.scandir(corpus))
        print(f"{name:22} {len(os.listdir(corpus)):4d} inputs {size:8,d} bytes", flush=True)
    return result


def coverage(options):
    try:
        build.configure("coverage")
        folder = build.build_dir("coverage")
        names = targets_of(folder, options.targets)
        build.build("coverage", [f"replay_{name}" for name in names])
    except build.BuildError as error:
        sys.exit(str(error))
    subprocess.run(["find", folder, "-name", "*.gcda", "-delete"], check=True)
    for name in names:
        subprocess.run([os.path.join(folder, "tests", "fuzz", f"replay_{name}"), *inputs(name)],
                       stdout=subprocess.DEVNULL, check=True)
    done = subprocess.run(
        ["gcovr", "--root", ROOT, "--json", "-", "--exclude", "(.*/)?tests/.*", folder],
        cwd=folder, capture_output=True, text=True, check=True)
    print_coverage({file["file"]: file["lines"] for file in json.loads(done.stdout)["files"]})
    return 0


def print_coverage(files):
    total_ran = total = 0
    for path in DECODERS:
        lines = [line for line in files.get(path, []) if not line["gcovr/noncode"]]
        missed = [line["line_number"] for line in lines if line["count"] == 0]
        ran = len(lines) - len(missed)
        total_ran, total = total_ran + ran, total + len(lines)
        shown = ",".join(str(number) for number in missed[:12]) + (",..." if missed[12:] else "")
        print(f"{100 * ran / max(1, len(lines)):5.1f} % of {len(lines):4d} lines  {path}"
              f"{'  not: ' + shown if missed else ''}")
    print(f"{100 * total_ran / max(1, total):5.1f} % of {total:4d} lines  in all")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=float, default=SECONDS_DEFAULT)
    parser.add_argument("--grow", action="store_true", help="put what is new into corpus/")
    parser.add_argument("--coverage", action="store_true", help="lines that the corpora reach")
    options = parser.parse_args()
    if options.coverage:
        return coverage(options)
    return grow(options) if options.grow else run(options)[2]


if __name__ == "__main__":
    sys.exit(main())
