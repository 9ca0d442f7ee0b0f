# SPDX-License-Identifier: MIT
"""What ./run keeps: a key, a disk, an authority, sockets, a lock. Made once, never remade."""

import fcntl
import os

from harness import tools

# sun_path holds 108 bytes, its terminator included.
SOCKET_PATH_BYTES = 107


class StateError(Exception):
    """The text tells a person what to do."""


class StateFolder:
    def __init__(self, path):
        self.path = path
        self.key = os.path.join(path, "dev.key")
        self.disk = os.path.join(path, "disk.img")
        self.authority = os.path.join(path, "ca")
        self._lock = None

    def prepare(self, with_disk=True):
        """Make what is missing. A key is never replaced: it would orphan the disk."""
        longest = os.path.join(self.path, "control.sock")
        if len(os.fsencode(longest)) > SOCKET_PATH_BYTES:
            raise StateError(f"{self.path}: the path is too long for a socket; use --state DIR")
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        self._take_lock()
        if not with_disk:
            return
        if os.path.exists(self.disk) and not os.path.exists(self.key):
            raise StateError(f"{self.disk} is there, but its key {self.key} is not: put the key "
                             "back, or remove the disk and lose what is on it")
        if not os.path.exists(self.key):
            tools.key_generate(self.key)
            os.chmod(self.key, 0o600)
        if not os.path.exists(self.disk):
            # A half-made disk must not be taken for a disk later.
            unfinished = self.disk + ".unfinished"
            tools.image_create(unfinished, self.key)
            if not os.path.exists(self.authority):
                tools.ca_init(self.authority)
            tools.tpm_manufacture(unfinished, self.key, self.authority)
            os.rename(unfinished, self.disk)

    def _take_lock(self):
        self._lock = open(os.path.join(self.path, "lock"), "w", encoding="ascii")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"{self.path} is in use by another ./run") from None
