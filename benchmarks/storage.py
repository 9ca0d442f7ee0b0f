# SPDX-License-Identifier: MIT
"""The sides that run in our kernel or on the host: the same job file, one figure a job.

A side has a name, a title, prepare() and run(job file text) -> {job: figures}.
"""

import json
import os
import shlex
import subprocess

from harness import fio, vm
from benchmarks import jobs
from benchmarks.place import MEMORY_MIB, SideError

JOB_FILE = "block.fio"


class Side:
    suite = "storage"

    def __init__(self, place, name, title):
        self.place, self.name, self.title = place, name, title

    def job_names(self):
        return list(jobs.load(JOB_FILE).sections)

    def boot_s(self):
        """What a run costs besides its jobs; only a guess, for the expected time."""
        return 1

    def prepare(self):
        pass

    def measure(self, names):
        """{job: figures}"""
        return self.run(jobs.load(JOB_FILE).subset(names), len(names))

    def say_command(self, command):
        self.place.commands[self.name] = shlex.join(command)


class Holdfast(Side):
    """Our kernel, on the file as it is (raw; raw-copied: not in the driver's pages) or on a volume
    in it. `build_dir`: of another build than this tree's."""

    def __init__(self, place, target, name, title, build_dir=None):
        super().__init__(place, name, title)
        self.target = target
        self.images = {}
        if build_dir is not None:
            self.images = {"kernel": os.path.join(build_dir, "boot", "stage2.elf"),
                           "bundle": os.path.join(build_dir, "holdfast.bundle")}

    def path(self):
        if self.target == "volume":
            return self.place.volume_image(f"{self.name}.img")
        return self.place.raw_image()

    def options(self, text, more=(), **others):
        """`more`: further words of QEMU's command line."""
        path = self.path()
        options = fio.options(
            self.place.folder, vm.Disk(path, drive=self.place.drive(path)), self.target, text,
            self.place.variables("disk"), key=self.place.key(), memory_mib=MEMORY_MIB,
            append=f"holdfast.completion={self.place.completion}", machine=self.place.machine,
            **{**self.images, **others})
        options.extra += more
        return options

    def prepare(self):
        self.path()
        if self.target == "volume":
            with open(os.path.join(jobs.FOLDER, "fill.fio"), encoding="utf-8") as file:
                self.results(file.read(), 20)

    def results(self, text, count, **others):
        """{job: what fio's JSON says of it}"""
        options = self.options(text, **others)
        self.say_command(vm.qemu_command(options))
        if os.path.exists(fio.output_path(self.place.folder)):
            os.unlink(fio.output_path(self.place.folder))
        with vm.Vm(options) as machine:
            code = machine.wait_exit(self.place.timeout_s(count))
            if code != vm.EXIT_ORDERLY:
                raise SideError(f"{vm.describe_exit(code)}; its console ended with\n" +
                                "\n".join(machine.lines[-5:]))
        return fio.results(self.place.folder)

    def run(self, text, count):
        return {name: jobs.figures(job) for name, job in self.results(text, count).items()}


class HostFio(Side):
    """The host's fio on the same file: what QEMU itself could reach at best."""

    def __init__(self, place, engine, only=None):
        super().__init__(place, f"host-{engine}", f"the host's fio, {engine}, on the file")
        self.engine, self.only = engine, only

    def job_names(self):
        return self.only or super().job_names()

    def prepare(self):
        self.place.raw_image()

    def run(self, text, count):
        variables = self.place.variables(self.place.raw_image(), self.engine)
        return run_fio(self, text, count, variables)


def run_fio(side, text, count, variables):
    """The host's fio on a job file; the figures."""
    job_path, out = side.place.path("host.fio"), side.place.path("host.json")
    with open(job_path, "w", encoding="utf-8") as file:
        file.write(text)
    command = ["fio", "--eta=never", "--output-format=json", f"--output={out}", job_path]
    side.say_command(["env", *(f"{name}={value}" for name, value in variables.items()), *command])
    done = subprocess.run(command, env={**os.environ, **variables}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, cwd=side.place.folder,
                          timeout=side.place.timeout_s(count))
    if done.returncode != 0:
        raise SideError(done.stdout.decode(errors="replace")[-500:])
    with open(out, encoding="utf-8") as file:
        text = file.read()
    return {job["jobname"]: jobs.figures(job)
            for job in json.loads(text[text.index("{"):])["jobs"]}
