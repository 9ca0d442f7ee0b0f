# SPDX-License-Identifier: MIT
"""Where a run works: the files that its sides measure, and what all sides agree on."""

import dataclasses
import os
import subprocess

from harness import tools, vm
from benchmarks import jobs

# A guest's boot and the end of a job, on a machine that does other things too.
SLACK_S = 120
MEMORY_MIB = 512


class SideError(Exception):
    """A side could not be prepared or measured; the text says why. The others go on."""


@dataclasses.dataclass
class Place:
    folder: str  # Of images and sockets; on tmpfs, or the host's disk is what is measured.
    seconds: float  # Of each job.
    size_mib: int  # That the jobs work in.
    machine: str = "microvm-acpi"
    completion: str = "adaptive"
    commands: dict = dataclasses.field(default_factory=dict)  # {side: its command line}

    def path(self, name):
        return os.path.join(self.folder, name)

    def variables(self, device, engine="io_uring"):
        return jobs.variables(device, self.size_mib, self.seconds, engine)

    def timeout_s(self, job_count):
        return SLACK_S + 10 * job_count * (self.seconds + jobs.RAMP_S)

    def drive(self, path):
        """What follows file= on both sides: the host's cache out of the way, if it can be."""
        return "aio=native" if vm.cache_mode(path) == "none" else "aio=threads"

    def raw_image(self):
        """The file that our raw driver, Linux's and the host's fio take turns on."""
        path = self.path("raw.img")
        if not os.path.exists(path):
            with open(path, "wb") as file:
                for _ in range(self.size_mib):
                    file.write(os.urandom(jobs.MIB))
        return path

    def sparse_image(self, name, more_mib):
        path = self.path(name)
        with open(path, "wb") as file:
            file.truncate((self.size_mib + more_mib) * jobs.MIB)
        return path

    def key(self):
        path = self.path("key")
        if not os.path.exists(path):
            tools.key_generate(path)
        return path

    def volume_image(self, name):
        """An empty volume of the block profile, with room for what a log leaves behind it. All its
        blocks are there: the host's file system must not have to find them while we measure."""
        path = self.path(name)
        if not os.path.exists(path):
            sparse = path + ".sparse"
            tools.holdfast("image", "create", "--profile", "block", "--size",
                           str(2 * self.size_mib * jobs.MIB), "--key-file", self.key(), sparse)
            subprocess.run(["cp", "--sparse=never", sparse, path], check=True)
            os.unlink(sparse)
        return path
