# SPDX-License-Identifier: MIT
"""How much of the machine others used while we measured. A figure that shared the CPU with a
compiler says little, and nobody remembers afterwards that one ran."""

import os
import resource
import time

# Cores. What the kernel does for us (interrupts, writeback) is nobody's, and stays below this.
BUSY_CORES = 0.3


def _machine_seconds():
    """CPU time of all, what the hypervisor withheld included."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = \
            (int(word) for word in file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds():
    """Of this process and of the children that have ended."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


class Meter:
    """A context: others_cores is known behind it. Children have to end inside."""

    def __init__(self):
        self.seconds = self.others_cores = 0.0
        self._before = None

    def __enter__(self):
        self._before = (time.monotonic(), _machine_seconds(), _own_seconds())
        return self

    def __exit__(self, *_):
        started, machine, own = self._before
        self.seconds = time.monotonic() - started
        others = (_machine_seconds() - machine) - (_own_seconds() - own)
        self.others_cores = max(0.0, others) / max(self.seconds, 0.01)
