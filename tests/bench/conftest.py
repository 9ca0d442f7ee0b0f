# SPDX-License-Identifier: MIT
"""The package is beside tests/; measured() makes results without measuring."""

import os
import sys

import pytest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.abspath(ROOT))
from benchmarks import results, targets  # noqa: E402 (the path has to be set first)


def figures(iops):
    return {"iops": iops, "mib_s": iops / 256, "mean_us": 1e6 / iops, "p50_us": 1e6 / iops,
            "p90_us": 2e6 / iops, "p99_us": 3e6 / iops, "p999_us": 4e6 / iops}


@pytest.fixture
def measured():
    """measured({side: iops of each repetition}): what a run over all jobs of these sides leaves."""
    def make(sides, **changes):
        return {
            "format": results.FORMAT, "started": "2026-01-02 03:04:05", "seconds": 77,
            "kind": "default", "twin": False, "is_everything": True,
            "settings": {"repetitions": 3, "seconds": 1, "size_mib": 64, "machine": "q35",
                         "completion": "poll"},
            "environment": {"CPU": "2 x <CPU & more>", "QEMU": "QEMU emulator version 7.2.1"},
            "sides": {side: {"suite": "storage", "title": f"title of {side}"} for side in sides},
            "samples": {side: {job: [figures(value) if value else None for value in rates]
                               for job in targets.JOBS} for side, rates in sides.items()},
            "loads": [{"side": side, "repetition": 1, "seconds": 1.5, "others_cores": 0.02}
                      for side in sides],
            "failures": [], "counted": {}, "commands": {side: f"run <{side}>" for side in sides},
            "tpm_costs": {}, **changes}
    return make
