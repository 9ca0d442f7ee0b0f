# SPDX-License-Identifier: MIT
"""QEMU's machine protocol: what a host that looks into its guest can do."""

import json
import os

from harness import vm


def execute(machine, command, **arguments):
    path = os.path.join(machine.options.folder, "qmp.sock")
    with vm.connect(path, 20) as client, client.makefile("rwb") as stream:
        json.loads(stream.readline())  # The greeting.
        for request in ({"execute": "qmp_capabilities"},
                        {"execute": command, "arguments": arguments}):
            stream.write(json.dumps(request).encode() + b"\n")
            stream.flush()
            answer = json.loads(stream.readline())
            while "event" in answer:
                answer = json.loads(stream.readline())
            if "error" in answer:
                raise vm.VmError(f"QMP {command}: {answer['error']}")
    return answer["return"]


def guest_memory(machine, first, size, folder):
    """Bytes of guest-physical memory, as the host sees them."""
    path = os.path.join(folder, "memory.bin")
    execute(machine, "pmemsave", val=first, size=size, filename=path)
    with open(path, "rb") as file:
        content = file.read()
    os.unlink(path)
    return content
