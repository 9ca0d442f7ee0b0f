# SPDX-License-Identifier: MIT
"""On what a run was made: enough to repeat it, and to see why another machine differs."""

import os
import platform
import re
import subprocess

from benchmarks import ROOT

PROGRAMS = {
    "QEMU": ["qemu-system-x86_64", "--version"], "fio": ["fio", "--version"],
    "cryptsetup": ["/sbin/cryptsetup", "--version"], "nbdkit": ["nbdkit", "--version"],
    "swtpm": ["swtpm", "--version"], "gnuplot": ["gnuplot", "--version"],
    "gcc": ["gcc", "--version"],
}


def first_line(command):
    """What a program says of itself; "missing" if there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    except OSError:
        return "missing"
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0].strip() if lines else "says nothing"


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.M)
    return found.group(1) if found else platform.processor()


def guest_kernel():
    kernels = sorted(name for name in os.listdir("/boot") if name.endswith("-cloud-amd64")
                     and name.startswith("vmlinuz-"))
    return kernels[-1].removeprefix("vmlinuz-") if kernels else "missing"


def describe():
    commit = first_line(["git", "rev-parse", "--short=12", "HEAD"])
    changed = first_line(["git", "status", "--porcelain", "--untracked-files=no"])
    return {
        "commit": commit + ("" if changed == "says nothing" else " with changes"),
        "CPU": f"{os.cpu_count()} x {cpu_name()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') >> 20} MiB",
        "host kernel": platform.release(), "guest kernel": guest_kernel(),
        **{name: first_line(command) for name, command in PROGRAMS.items()},
    }


def qemu_major(described):
    found = re.search(r"version (\d+)", described["QEMU"])
    return int(found.group(1)) if found else 0
