# SPDX-License-Identifier: MIT
"""What the parties of reboots.py said and did, for whoever has to find out why a run failed; and
whether a guest that gave its TPM up had a host without time for it.

Linux's driver waits 750 ms for a command that is short, and two seconds for a self-test
(docs/tpm-bridge.md). On a host whose processors are all taken a thread of the three programs may
wait as long as that for one: the guest's own is enough. The guest then says so, and the host's
scheduler tells how long threads that could have run did not.
"""

import glob
import os
import re
import shutil

from harness import build, vm

DRIVER_WAITS_S = 0.75
ASK_S = 20
SLOWEST = 5
TRACE_LINE = re.compile(r"(\S+) (\S+) (.*) waited_us=(\d+) took_us=(\d+)$")


def starved_s(processes):
    """How long all threads of the processes were ready to run, and did not; and the time that the
    host, if it is a guest itself, did not get."""
    with open("/proc/stat", encoding="ascii") as file:
        total = int(file.readline().split()[8]) * 1000000000 // os.sysconf("SC_CLK_TCK")
    for process in processes:
        for path in glob.glob(f"/proc/{process.pid}/task/*/schedstat"):
            try:
                with open(path, encoding="ascii") as file:
                    total += int(file.read().split()[1])
            except (OSError, IndexError):
                continue  # It has just ended.
    return total / 1e9


def slowest(path):
    """The requests of the bridge's trace that took longest, as text."""
    found = []
    with open(path, encoding="ascii") as file:
        for line in file:
            fields = TRACE_LINE.match(line)
            if fields:
                found.append((int(fields.group(4)) + int(fields.group(5)), line.strip()))
    return [line for _, line in sorted(found)[-SLOWEST:]]


def kernel_log(guest, tell):
    """What the guest's kernel logged in this boot, quiet or not; nothing if it cannot say."""
    since = len(guest.lines)
    try:
        tell("dmesg")
        guest.wait_for("^dmesg-end$", ASK_S, since)
    except (OSError, vm.VmError):
        return []
    return guest.lines[since:guest.lines.index("dmesg-end", since)]


def keep(files, texts, name):
    """Copies files and writes {name: lines} where the next run does not find them; the folder."""
    folder = os.path.join(build.build_root(), "reboots", name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for path in files:
        if os.path.exists(path):
            shutil.copy(path, folder)
    for text, lines in texts.items():
        with open(os.path.join(folder, text), "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
    return folder
