# SPDX-License-Identifier: MIT
"""Running nbdkit with the plugin that HOLDFAST_NBDKIT names, and `holdfast` beside it."""

import os
import shutil
import signal
import subprocess
import time

from harness import vm

PROGRAM = os.environ["HOLDFAST"]
PLUGIN = os.environ["HOLDFAST_NBDKIT"]
PRELOAD = os.environ.get("HOLDFAST_PRELOAD", "")
START_S = 20
STOP_S = 20
TIMEOUT_S = 60


def holdfast(*arguments, **options):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, check=False,
                          timeout=TIMEOUT_S, **options)


def ok(*arguments, **options):
    done = holdfast(*arguments, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def run(*command):
    """A client program that has to succeed."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=False,
                          stderr=subprocess.STDOUT, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stdout.decode(errors="replace")
    return done.stdout.decode(errors="replace")


def environment():
    if not PRELOAD:
        return None
    # nbdkit's own leaks at exit are not ours to find.
    return dict(os.environ, LD_PRELOAD=PRELOAD, ASAN_OPTIONS="detect_leaks=0:exitcode=99",
                UBSAN_OPTIONS="exitcode=99")


def command(image, key, *parameters):
    """nbdkit's command line without the socket; a parameter overrides what is here."""
    given = {word.split("=")[0] for word in parameters}
    own = [f"image={image}"] if "image" not in given else []
    if key is not None:
        own.append(f"key-file={key}")
    return [shutil.which("nbdkit"), "-f", PLUGIN, *own, *parameters]


def refused(image, key, *parameters):
    """What nbdkit says when it does not start."""
    process = subprocess.Popen([*command(image, key, *parameters), "--run", "true"],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               env=environment())
    try:
        said = process.communicate(timeout=3 if PRELOAD else TIMEOUT_S)[1].decode()
    except subprocess.TimeoutExpired:
        # With the sanitizer's runtime, a destructor of nbdkit's TLS library can wait for ever for
        # a lock of glibc's. What counts is that it does not serve.
        process.kill()
        said = process.communicate()[1].decode()
        assert PRELOAD and "nbdkit: error: " in said
        return said
    assert process.returncode == 1, (process.returncode, said)
    return said


class Volume:
    """A volume to serve: an object of the state profile, or the device of the block profile."""

    def __init__(self, image, key, profile):
        self.image, self.key, self.profile = image, key, profile
        self.name = "disk" if profile == "state" else "device"

    def serve(self, folder, size=None):
        """`size`: make the object so large; a device has its size."""
        parameters = []
        if self.profile == "state":
            parameters = ["object=disk", *([f"size={size}"] if size else [])]
        return Server(folder, self.image, self.key, *parameters)

    def verify(self):
        ok("image", "verify", "-k", self.key, self.image)

    def plain(self, folder, size=None):
        """What it holds, by `holdfast`; only the first `size` bytes, and the rest is zero."""
        target = os.path.join(str(folder), "exported")
        ok("image", "export", "--force", "-k", self.key, self.image, self.name, target)
        with open(target, "rb") as file:
            content = file.read(size)
            assert not any(file.read())
        return content


class Server:
    """A context: nbdkit that listens on a socket in `folder`."""

    def __init__(self, folder, image, key, *parameters):
        self.socket = os.path.join(str(folder), "nbd.sock")
        self.log_path = os.path.join(str(folder), "nbdkit.log")
        self.command = command(image, key, *parameters)
        self.command[1:1] = ["-U", self.socket]
        self.process = None

    @property
    def uri(self):
        return f"nbd+unix:///?socket={self.socket}"

    def __enter__(self):
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=environment())
        deadline = time.monotonic() + START_S
        while not vm.listens(self.socket):
            assert self.process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.02)
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_S)

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        if kind is None:
            assert self.process.returncode in (0, -signal.SIGKILL), self.log()
            assert "Sanitizer" not in self.log() and "runtime error" not in self.log()
