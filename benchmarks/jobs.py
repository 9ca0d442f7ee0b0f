# SPDX-License-Identifier: MIT
"""fio's job files as text: which jobs there are, and a file with some of them. What a key means is
for fio, and for fio/job.c, to say."""

import dataclasses
import os
import re

from benchmarks import HERE

FOLDER = os.path.join(HERE, "jobs")
RAMP_S = 0.2
# Bytes that all the jobs of a file work in; the rest of an image is what its format needs.
MIB = 1 << 20


class JobFileError(Exception):
    """The text says which job or key."""


@dataclasses.dataclass(frozen=True)
class JobFile:
    head: str  # The [global] section and what is above it.
    sections: dict  # {name: its text}

    def subset(self, names):
        """A job file with these jobs, in the order of the file."""
        unknown = set(names) - set(self.sections)
        if unknown:
            raise JobFileError("no job " + ", ".join(sorted(unknown)))
        return self.head + "".join(text for name, text in self.sections.items() if name in names)

    def value(self, name, key):
        """What a job, or else [global], says; None if neither does."""
        found = re.search(rf"^\s*{key}\s*=\s*(.*?)\s*$", self.sections[name], re.M) or \
            re.search(rf"^\s*{key}\s*=\s*(.*?)\s*$", self.head, re.M)
        return found.group(1) if found else None


def parse(text):
    head, sections, current = [], {}, None
    for line in text.splitlines(keepends=True):
        found = re.match(r"\s*\[(.+)\]\s*$", line)
        if found:
            current = None if found.group(1) == "global" else found.group(1)
            if current is not None and current in sections:
                raise JobFileError(f"two jobs {current}")
            if current is not None:
                sections[current] = []
        (head if current is None else sections[current]).append(line)
    return JobFile("".join(head), {name: "".join(lines) for name, lines in sections.items()})


def load(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return parse(file.read())


def names():
    """The job files of this folder."""
    return sorted(name for name in os.listdir(FOLDER) if name.endswith(".fio"))


def variables(device, size_mib, seconds, engine="io_uring"):
    """What stands for ${...} in the job files."""
    return {"DEV": device, "SIZE": f"{size_mib}m", "RUNTIME": f"{round(seconds * 1000)}ms",
            "RAMP": f"{round(RAMP_S * 1000)}ms", "ENGINE": engine}


def figures(job):
    """Of one job of fio's JSON: rates, latencies, flushes. JobFileError if the job failed."""
    if job["error"] != 0:
        why = job.get("holdfast", {}).get("error_name", f"error {job['error']}")
        raise JobFileError(f"{job['jobname']} failed: {why}")
    part = max(job["read"], job["write"], key=lambda one: one["total_ios"])
    if part["total_ios"] == 0:
        raise JobFileError(f"{job['jobname']} completed nothing in its time")
    times = {float(name): value / 1000
             for name, value in part["clat_ns"].get("percentile", {}).items()}
    return {"iops": part["iops"], "mib_s": part["bw_bytes"] / MIB,
            "mean_us": part["clat_ns"]["mean"] / 1000, "p50_us": times.get(50.0),
            "p90_us": times.get(90.0), "p99_us": times.get(99.0), "p999_us": times.get(99.9)}
