#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Fuzz, grow the corpora, measure what they cover. tests/fuzz/README.md has the words.

    run_fuzz.py [--seconds N] [TARGET...]         N seconds in all, split among targets and engines
    run_fuzz.py --grow [--seconds N] [TARGET...]  and put what is new into corpus/, minimised
    run_fuzz.py --coverage [TARGET...]            lines of each source that the corpora reach

It ends with 1 if a target failed: the input, minimised, is in build/fuzz/findings/.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import engines
from engines import HERE, LEAN, LIBFUZZER, ROOT, build, inputs, program

SECONDS_DEFAULT = 60
# The deep ones get more of the time.
WEIGHTS = {"virtio_blk": 4, "virtio_serial": 4, "virtio_queue": 3, "volume_image": 4}
MINIMISE_S = 20
# The lean engine's part of the time, for the targets that run without sanitizers to good purpose.
LEAN_SHARE = 0.2
LEAN_TARGETS = ("virtio_queue", "virtio_blk", "virtio_serial", "virtio_rng", "virtio_pci")
# What --coverage reports: the sources that decode or judge foreign bytes.
DECODERS = (
    "block/volume_entry.c", "block/volume_format.c", "block/volume_format_keyslots.c",
    "block/volume_format_superblock.c", "block/volume_format_table.c",
    "block/volume_record.c",
    "block/volume_geometry.c", "block/volume_mount.c", "block/volume_replay.c",
    "block/volume_sight.c", "block/volume_tree.c", "block/volume_verify.c",
    "block/volume_session.c", "block/store_format.c", "block/virtio_blk.c",
    "block/virtio_blk_config.c", "block/virtio_blk_pages.c", "block/virtio_blk_piece.c",
    "block/virtio_blk_queue.c",
    "boot/boot_params.c", "boot/bundle.c", "boot/cmdline.c", "boot/kernel_image.c",
    "boot/memory_map.c", "boot/start_info.c",
    "kernel/options.c", "kernel/symbols.c", "kernel/user_elf.c", "kernel/user_stack.c",
    "virtio/mmio_cmdline.c", "virtio/pci_scan.c", "virtio/pci_windows.c", "virtio/virtio_rng.c",
    "virtio/virtio_device.c", "virtio/virtio_mmio.c", "virtio/virtio_pci.c",
    "virtio/virtio_pci_layout.c", "virtio/virtio_serial.c",
    "virtio/virtio_serial_control.c", "virtio/virtio_serial_read.c",
    "virtio/virtio_serial_write.c", "virtio/virtio_transport.c", "virtio/virtio_wait.c",
    "virtio/virtq.c", "virtio/virtq_ids.c", "virtio/virtq_packed.c", "virtio/virtq_report.c",
    "virtio/virtq_split.c",
    "vtpm/frame.c", "vtpm/response.c", "vtpm/tpm_control.c", "vtpm/tpm_control_stream.c")


def minimise(folder, result):
    """The result with a smaller input, if there is one."""
    smaller = f"{result.finding}.min"
    subprocess.run(
        [program(LIBFUZZER, folder, result.target), "-minimize_crash=1",
         f"-max_total_time={MINIMISE_S}", f"-exact_artifact_path={smaller}", result.finding],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return result._replace(finding=smaller) if os.path.exists(smaller) else result


def run_engine(engine, folder, names, seconds):
    """The results of so many seconds, split among the targets."""
    weight = sum(WEIGHTS.get(name, 1) for name in names)
    results = []
    for name in names:
        result = engines.run_slice(engine, folder, name,
                                   seconds * WEIGHTS.get(name, 1) / weight)
        print(result.line(), flush=True)
        if not result.ok:
            if result.finding and engine == LIBFUZZER:
                result = minimise(folder, result)
            engines.report_failure(engine, folder, result)
        results.append(result)
    return results


def run(options):
    folder, names = engines.prepare(LIBFUZZER, options.targets)
    lean = [name for name in LEAN_TARGETS if name in names]
    share = LEAN_SHARE if lean else 0
    results = run_engine(LIBFUZZER, folder, names, options.seconds * (1 - share))
    if lean:
        lean_folder, _ = engines.prepare(LEAN, lean)
        results += run_engine(LEAN, lean_folder, lean, options.seconds * share)
    failed = sum(not result.ok for result in results)
    print(f"{len(names)} targets, {sum(result.executions for result in results):,d} executions, "
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
        subprocess.run([program(LIBFUZZER, folder, name), "-merge=1", "-use_value_profile=0",
                        f"-max_len={engines.INPUT_BYTES_MAX}", merged,
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
        build.configure("host-asan")
        folder = build.build_dir("host-asan")
        names = engines.targets_of(folder, options.targets)
        build.build("host-asan", [f"replay_{name}" for name in names])
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
