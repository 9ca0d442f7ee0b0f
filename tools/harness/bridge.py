# SPDX-License-Identifier: MIT
"""The host program `holdfast tpm serve` as a child."""

import os
import signal
import socket
import subprocess
import threading

from harness import tools, vm

READY_S = 60
STOP_S = 10


class BridgeError(Exception):
    """It did not start, or not end, as it should."""


def free_ports():
    """Two ports, one behind the other, that nobody uses just now."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
                return port
            except (OSError, OverflowError):
                continue


class Bridge:
    """Use as a context manager. `addresses`: {"qemu": "unix:...", "swtpm": "tcp:..."}."""

    def __init__(self, service, control, addresses, *more):
        command = [tools.program(), "tpm", "serve"]
        for protocol, address in addresses.items():
            command.append(f"--{protocol}={address}")
        self.process = subprocess.Popen(
            [*command, *more, service, control], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.log = []
        threading.Thread(target=self._read_log, daemon=True).start()
        self.ready = False

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))

    def wait_ready(self):
        """Its first line, or its end, comes in time: --wait is its own deadline."""
        line = self.process.stdout.readline()
        if not line.startswith("ready"):
            raise BridgeError(f"ended with {self.process.wait(STOP_S)}: {self.log}")
        return self

    def __enter__(self):
        try:
            return self.wait_ready()
        except BridgeError:
            self.kill()
            raise

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()

    def stop(self):
        """In order; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BridgeError(f"did not end: {self.log}") from None

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def connect_unix(path):
    return vm.connect(path, READY_S)


def serve(machine, folder, *protocols, number=0, more=()):
    """A bridge to TPM `number` of a VM, with UNIX sockets FOLDER/PROTOCOL.sock; `more` options."""
    addresses = {name: "unix:" + os.path.join(folder, f"{name}.sock") for name in protocols}
    return Bridge(machine.tpm_path_of(number), machine.tpm_control_path_of(number), addresses,
                  "--instance", str(number), *more)
