# SPDX-License-Identifier: MIT
"""All sides, in the order of their turns, and which of their jobs a run takes."""

import re

from benchmarks import counted, guests, jobs, nbd, storage, vtpm

# Enough for the targets, and for a TPM that keeps its promises.
QUICK = {"raw", "linux-raw", "host-libaio", "volume", "xts4096-nowq", "gcm-journal", "vtpm",
         "vtpm-native", "swtpm-fsync", "swtpm", "swtpm-msync"}
TPM_REPEATS = 50
TWIN = "-again"


def everything(place):
    """Those that are compared follow each other."""
    plain, *encrypted = guests.variants(place)
    yield storage.Holdfast(place, "raw", "raw", "our kernel, virtio-blk")
    yield plain
    yield storage.Holdfast(place, "raw-copied", "raw-copied",
                           "our kernel, virtio-blk, data copied into and out of shared pages")
    yield storage.HostFio(place, "libaio")
    # Synchronous: depth is always 1.
    yield storage.HostFio(place, "psync", ["rr4k-qd1", "rw4k-flush"])
    yield storage.Holdfast(place, "volume", "volume", "our kernel, volume")
    yield from encrypted
    yield from nbd.servers(place)
    yield from vtpm.sides(place, TPM_REPEATS)


def twins(place, build_dir):
    """Our kernel against itself, or against another build's."""
    for target in ("raw", "volume"):
        yield storage.Holdfast(place, target, target, f"this build, {target}")
        yield storage.Holdfast(place, target, target + TWIN,
                               f"{build_dir or 'this build again'}, {target}", build_dir)


def case_name(suite, side, job):
    return f"{suite}/{side}/{job}"


def wanted(patterns, name):
    """Case names are matched like paths of tests: any part, as a regular expression."""
    return not patterns or any(re.search(pattern, name) for pattern in patterns)


def choose(sides, patterns, quick):
    """[(side, names of its jobs)] of what the patterns leave."""
    chosen = []
    for side in sides:
        if quick and side.name not in QUICK:
            continue
        names = [job for job in side.job_names()
                 if wanted(patterns, case_name(side.suite, side.name, job))]
        if names:
            chosen.append((side, names))
    return chosen


def choose_counted(patterns, quick):
    """{target: jobs} of what is counted instead of timed."""
    names = list(jobs.load(counted.JOB_FILE).sections)
    chosen = {target: [job for job in names
                       if wanted(patterns, case_name("counted", target, job))]
              for target in counted.TARGETS if not quick or target not in counted.LINUX}
    return {target: some for target, some in chosen.items() if some}
