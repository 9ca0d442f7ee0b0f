# SPDX-License-Identifier: MIT
"""Who is compared with whom, and what the ratio has to be.

A volume has to do more than its peers: dm-crypt with XTS neither authenticates nor notices that an
older disk came back, dm-integrity with GCM authenticates only.
"""

import dataclasses
import os
import tomllib

from benchmarks import HERE, stats

JOBS = ("rr4k-qd1", "rr4k-qd32", "rw4k-qd32", "rw4k-flush", "sr128k-qd8", "sw128k-qd8")
TITLES = {
    "rr4k-qd1": "4K random read, depth 1", "rr4k-qd32": "4K random read, depth 32",
    "rw4k-qd32": "4K random write, depth 32", "rw4k-flush": "4K random write + flush, depth 1",
    "sr128k-qd8": "128K sequential read", "sw128k-qd8": "128K sequential write",
}
# AES-GCM of QEMU before version 10 does 45 MB/s, so that an authenticating volume cannot keep up
# with XTS there where nothing but the cipher counts.
SLOW_GCM_BELOW = 10
LATENCY = "us"


@dataclasses.dataclass(frozen=True)
class Pair:
    ours: str
    theirs: str
    # {job: ratio}: of rates what it has to be at least, of latencies at most.
    least: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Row:
    """One comparison. `met` is None where there is no target."""

    ours: str
    theirs: str
    job: str
    metric: str
    our_figure: stats.Summary
    their_figure: stats.Summary
    ratio: stats.Summary
    least: float = None  # Of a latency: the most.
    met: bool = None
    cause: str = ""

    def bound(self):
        """The target in words; empty if there is none."""
        if self.least is None:
            return ""
        return f"{'<=' if self.metric == LATENCY else '>='} {self.least:g}"


def pairs(qemu_major):
    slow = qemu_major < SLOW_GCM_BELOW
    return [
        Pair("raw", "linux-raw", dict(zip(JOBS, (9, 5, 5, 6, 5, 4)))),
        Pair("volume", "xts4096-nowq",
             dict(zip(JOBS, (2.5, 1.5, 1.8, 2.5, 0.6 if slow else 1.2, 0.7 if slow else 1.3)))),
        Pair("volume", "gcm-journal", dict(zip(JOBS, (4, 4.5, 4, 5, 2, 2)))),
        Pair("raw", "host-libaio", {"rr4k-qd32": 0.45, "rw4k-qd32": 0.45, "sr128k-qd8": 0.9,
                                    "sw128k-qd8": 0.9}),
        Pair("raw", "host-psync"), Pair("raw-copied", "linux-raw"),
        Pair("volume", "xts4096-wq"), Pair("volume", "xts512-nowq"), Pair("volume", "xts512-wq"),
        Pair("volume", "gcm-nojournal"), Pair("volume", "raw"),
        Pair("nbd-holdfast", "nbd-file"), Pair("nbd-holdfast", "nbd-luks"),
        Pair("vtpm-native", "swtpm-fsync", {"NV_Write 1024": 1, "NV_Increment": 1}),
        Pair("vtpm", "swtpm-fsync"), Pair("vtpm-bridge", "swtpm-fsync"), Pair("vtpm", "swtpm"),
        Pair("vtpm", "swtpm-msync"), Pair("vtpm-bridge", "vtpm"),
    ]


def load_causes(path=os.path.join(HERE, "causes.toml")):
    """{(ours, theirs, job): why the target is missed, as measured}"""
    with open(path, "rb") as file:
        rows = tomllib.load(file).get("missed", [])
    return {(row["ours"], row["theirs"], job): row["cause"]
            for row in rows for job in row["jobs"]}


def values(samples, side, job, metric):
    """One figure a repetition; None where it failed."""
    return [figures.get(metric) if figures else None
            for figures in samples.get(side, {}).get(job, [])]


def metric_of(job):
    """Rates for disks; commands of a TPM are latencies, and less is better."""
    return "iops" if job in JOBS else LATENCY


def compare(samples, listed, causes):
    """Rows for all that was measured on both sides."""
    rows = []
    for pair in listed:
        for job in samples.get(pair.ours, {}):
            metric = metric_of(job)
            ours = values(samples, pair.ours, job, metric)
            theirs = values(samples, pair.theirs, job, metric)
            ratio = stats.summarise(stats.ratios(ours, theirs))
            if ratio is None:
                continue
            least = pair.least.get(job)
            met = None if least is None else \
                (ratio.median <= least if metric == LATENCY else ratio.median >= least)
            cause = causes.get((pair.ours, pair.theirs, job), "") if met is False else ""
            rows.append(Row(pair.ours, pair.theirs, job, metric, stats.summarise(ours),
                            stats.summarise(theirs), ratio, least, met, cause))
    return rows
