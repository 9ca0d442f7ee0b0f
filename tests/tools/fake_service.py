# SPDX-License-Identifier: MIT
"""A service VM's two sockets without a VM: as docs/tpm-control.md says, or as `lie` says."""

import os
import socket
import struct
import threading

HEADER = struct.Struct(">HBBHHIHH")
HELLO, STATUS, COUNTERS, POWER_ON, POWER_OFF, SET_LOCALITY, GET_ESTABLISHED = range(1, 8)
HASH_DATA, CANCEL, BUFFER_SIZE = 10, 12, 13
SLOW = 0x999  # A command with this code is answered when it is cancelled.
RC_CANCELED = 0x909


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


class Service:
    """Use as a context manager. `seen`: ("command", code, locality) and ("control", command,
    body), in order. `lie`: {control command, or "command": what to send instead; None: nothing}.
    `stale`: each reply follows one to another tag."""

    def __init__(self, folder, lie=None, stale=False):
        self.folder, self.lie, self.stale = str(folder), lie or {}, stale
        self.seen, self.locality, self.power_id = [], 0, 1
        self.cancelled = threading.Event()
        self.lock = threading.Lock()
        self.listeners, self.connections = [], []

    service = property(lambda self: os.path.join(self.folder, "tpm.sock"))
    control = property(lambda self: os.path.join(self.folder, "ctrl.sock"))

    def __enter__(self):
        for path, serve in ((self.service, self._commands), (self.control, self._requests)):
            if os.path.exists(path):
                os.unlink(path)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            listener.listen(1)
            self.listeners.append(listener)
            threading.Thread(target=self._accept, args=(listener, serve), daemon=True).start()
        return self

    def __exit__(self, *_):
        for thing in self.listeners + self.connections:
            try:
                thing.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            thing.close()

    def _accept(self, listener, serve):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            try:
                while True:
                    serve(connection)
            except (EOFError, OSError):
                pass

    def _commands(self, connection):
        head = read_exactly(connection, 10)
        _, size, code = struct.unpack(">HII", head)
        body = read_exactly(connection, size - 10)
        with self.lock:
            self.seen.append(("command", code, self.locality))
        if "command" in self.lie:
            connection.sendall(self.lie["command"] or b"")
            return
        if code == SLOW:
            self.cancelled.wait(30)
            connection.sendall(struct.pack(">HII", 0x8001, 10, RC_CANCELED))
            return
        connection.sendall(struct.pack(">HII", 0x8001, 10 + len(body), 0) + body)

    def _requests(self, connection):
        _, version, command, instance, _, tag, size, _ = HEADER.unpack(
            read_exactly(connection, HEADER.size))
        body = read_exactly(connection, size)
        with self.lock:
            self.seen.append(("control", command, body))
        if command in self.lie:
            connection.sendall(self.lie[command] or b"")
            return
        reply = self._carry_out(command, body)
        if self.stale:  # Somebody else's, of the same kind, and a failure.
            connection.sendall(HEADER.pack(0x4852, version, command, instance, 12, tag ^ 1, 0, 0))
        connection.sendall(HEADER.pack(0x4852, version, command, instance, 0, tag, len(reply), 0)
                           + reply)

    def _carry_out(self, command, body):
        if command == SET_LOCALITY:
            self.locality = body[0]
        if command == POWER_ON:
            self.power_id += 1
        if command == CANCEL:
            self.cancelled.set()
        return {HELLO: struct.pack(">BBHH", 1, 1, 0, 1024),
                STATUS: struct.pack(">BBBBBBHQ", 1, self.locality, 0, 0, 0, 0, 0, self.power_id),
                POWER_ON: struct.pack(">BBBBBBHQ", 1, 0, 0, 0, 0, 0, 0, self.power_id),
                COUNTERS: struct.pack(">5Q", 1, 2, 3, 4, 5), GET_ESTABLISHED: b"\1",
                BUFFER_SIZE: struct.pack(">III", 3968, 2808, 4096)}.get(command, b"")
