# SPDX-License-Identifier: MIT
"""A block-profile volume over NBD, against plain files and against LUKS.

fio drives three nbdkit servers on files in one folder: our plugin; nbdkit's own `file`, which does
nothing but move bytes; and the filter `luks` over `file`, which encrypts (AES-256-XTS) but neither
authenticates nor keeps anything whole after a crash. Without a flush `file` and `luks` leave
everything in the page cache, while we commit now and then; the job with flushes asks the same of
all.
"""

import os
import subprocess
import time

from harness import build, vm
from benchmarks import jobs
from benchmarks.place import SideError
from benchmarks.storage import Side, run_fio

START_S = 20
PASSPHRASE = "benchmark"


class Nbd(Side):
    suite = "nbd"

    def __init__(self, place, server, title):
        super().__init__(place, f"nbd-{server}", title)
        self.server = server

    def path(self):
        if self.server == "holdfast":
            return self.place.volume_image("nbd-holdfast.img")
        return self.place.path(f"{self.name}.img")

    def secret(self):
        path = self.place.path("passphrase")
        with open(path, "w", encoding="ascii") as file:
            file.write(PASSPHRASE)
        return path

    def arguments(self):
        if self.server == "holdfast":
            plugin = os.path.join(build.build_dir("dev"), "tools", "nbdkit", "holdfast.so")
            return [plugin, f"image={self.path()}", f"key-file={self.place.key()}"]
        if self.server == "luks":
            return ["--filter=luks", "file", self.path(), f"passphrase=+{self.secret()}"]
        return ["file", self.path()]

    def prepare(self):
        size = self.place.size_mib * jobs.MIB
        if self.server == "file":
            with open(self.path(), "wb") as file:
                file.truncate(size)
        elif self.server == "luks":
            subprocess.run(["qemu-img", "create", "-q", "-f", "luks", "--object",
                            f"secret,id=s,file={self.secret()}", "-o",
                            "key-secret=s,iter-time=100", self.path(), str(size)], check=True)
        with open(os.path.join(jobs.FOLDER, "fill.fio"), encoding="utf-8") as file:
            self.run(file.read(), 20)

    def run(self, text, count):
        """The job file as it is, but for where the device is: fio's engine asks for `uri`."""
        socket = self.place.path(f"{self.name}.sock")
        if os.path.exists(socket):
            os.unlink(socket)
        command = ["nbdkit", "-f", "-U", socket, *self.arguments()]
        with open(self.place.path("nbdkit.log"), "ab") as log, \
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log) as server:
            try:
                wait_until_it_listens(server, socket)
                uri = f"nbd+unix:///?socket={socket}"
                return run_fio(self, text.replace("filename=${DEV}", "uri=${DEV}"), count,
                               self.place.variables(uri, "nbd"))
            finally:
                server.terminate()
                self.place.commands[self.name] = " ".join(command) + "\n  " + \
                    self.place.commands.get(self.name, "")


def wait_until_it_listens(server, socket):
    end = time.monotonic() + START_S
    while not vm.listens(socket):
        if time.monotonic() > end or server.poll() is not None:
            raise SideError("nbdkit does not start")
        time.sleep(0.02)


def servers(place):
    yield Nbd(place, "holdfast", "nbdkit, our plugin on a volume")
    yield Nbd(place, "file", "nbdkit file: plain")
    yield Nbd(place, "luks", "nbdkit, filter luks over file: AES-XTS")
