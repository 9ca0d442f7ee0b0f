# SPDX-License-Identifier: MIT
"""The control port: a line asks, lines answer, an empty line ends the answer."""

from harness import vm


def ask(path, request, timeout_s=20):
    """The answer's lines. A new connection for each request."""
    with vm.connect(path, timeout_s) as client:
        client.sendall(request.encode() + b"\n")
        received = b""
        while not (received.endswith(b"\n\n") or received == b"\n"):
            piece = client.recv(4096)
            if not piece:
                raise ConnectionError(f"control port closed after {received!r}")
            received += piece
    return received.decode().rstrip("\n").split("\n")


def ask_values(path, request, timeout_s=20):
    """The answer's name=value lines as a dict; numbers as int."""
    values = {}
    for line in ask(path, request, timeout_s):
        name, _, value = line.partition("=")
        values[name] = int(value) if value.isdigit() else value
    return values


def counters(path):
    return ask_values(path, "counters")
