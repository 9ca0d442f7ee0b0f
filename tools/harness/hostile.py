# SPDX-License-Identifier: MIT
"""tests/hostile-blk as a process: a block device that lies when it is told to."""

import os
import re
import subprocess
import threading

from harness import build, vm

DEADLINE_S = 20


def program():
    return os.path.join(build.build_dir("dev"), "tests", "hostile-blk", "hostile-blk")


def lies():
    """{name: item} of every lie that it knows."""
    listed = subprocess.run([program(), "--list"], capture_output=True, text=True, check=True)
    return {name: int(item) for name, item in re.findall(r"^(\S+) +(\d+) ", listed.stdout, re.M)}


class HostileDisk:
    """Use as a context manager. `disk` goes into the VM's list of disks."""

    def __init__(self, image, folder, script=None, plain=False):
        self._socket = os.path.join(folder, "blk.sock")
        self._command = [program(), "--socket", self._socket, "--image", image]
        self._command += ["--lie", script] if script else []
        self._command += ["--plain"] if plain else []
        self.disk = vm.Disk(image, vhost=self._socket)
        self._lines = []
        self._changed = threading.Condition()
        self._process = None

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True, bufsize=1)
        threading.Thread(target=self._read, daemon=True).start()
        self._wait(lambda: "listening" in self._lines, "the back end does not listen")
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def _read(self):
        for line in self._process.stdout:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()

    def _wait(self, reached, what):
        with self._changed:
            if not self._changed.wait_for(reached, DEADLINE_S):
                raise vm.VmError(f"{what}; it said {self._lines}")

    def lie(self, script):
        """Tell these lies ("NAME [COUNT [AFTER]]", or "honest") from now on."""
        with self._changed:
            told = self._lines.count(f"told {script}")
        self._process.stdin.write(script + "\n")
        self._wait(lambda: self._lines.count(f"told {script}") > told, f"{script}: not taken")

    def present(self, image):
        """From the guest's next reset on, serve this image, of the same size, instead."""
        self.lie(f"present {image}")

    def said(self):
        with self._changed:
            return list(self._lines)

    def lied(self, name):
        """How often it has told this lie."""
        with self._changed:
            return self._lines.count(f"lied {name}")

    def wait_lied(self, name):
        self._wait(lambda: f"lied {name}" in self._lines, f"{name} was never told")
