#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Latency of TPM commands: Holdfast in an emulated VM against swtpm on the bare host.

Both answer the same client in the same run, in turns (A B A B ...). Reported is the median of the
turns' medians and their spread, as a ratio ours / theirs: absolute figures drift with the machine.
Ours pays for an emulated CPU, a virtual machine's exits and a durable commit; swtpm writes a file
and does not flush it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tools"))
from harness import build, control, tools, tpm, vm  # noqa: E402 (the path has to be set first)

NV_INDEX = 0x01500020
NV_BYTES = 1024
READY_S = 20
BUSY_LOAD = 0.5


def operations(client):
    """Name and action; each changes something where the command can."""
    count = iter(range(1 << 30))
    return [
        ("GetRandom 16", lambda: client.get_random(16)),
        ("PCR_Extend", lambda: client.pcr_extend(16, next(count).to_bytes(32, "big"))),
        ("PCR_Read", lambda: client.pcr_read(16)),
        ("NV_Write 1024", lambda: client.nv_write(NV_INDEX, next(count).to_bytes(NV_BYTES, "big"))),
        ("NV_Read 1024", lambda: client.nv_read(NV_INDEX, NV_BYTES)),
    ]


def measure(path, repeats):
    """Median seconds for each operation on the TPM behind a UNIX socket."""
    with tpm.Tpm(path) as client:
        client.nv_define(NV_INDEX, NV_BYTES)
        result = {}
        for name, action in operations(client):
            times = []
            for _ in range(repeats):
                started = time.perf_counter()
                action()
                times.append(time.perf_counter() - started)
            result[name] = statistics.median(times)
        return result


def run_holdfast(repeats):
    with tempfile.TemporaryDirectory(prefix="hf-bench-") as folder:
        key, disk = os.path.join(folder, "key"), os.path.join(folder, "disk.img")
        tools.key_generate(key)
        tools.image_create(disk, key)
        with vm.Vm(vm.VmOptions(folder=folder, disks=[vm.Disk(disk)], key=key)) as machine:
            machine.serving()
            result = measure(machine.tpm_path, repeats)
            counted = control.counters(machine.control_path)
        commits = counted["volume_commits"]
        costs = {"commits": commits, "device writes": counted["block_writes"],
                 "device flushes": counted["block_flushes"],
                 "page-state changes since boot": counted["shared_transitions"]}
        return result, costs


def run_swtpm(repeats):
    with tempfile.TemporaryDirectory(prefix="hf-bench-") as folder:
        data = os.path.join(folder, "data.sock")
        command = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}",
                   "--server", f"type=unixio,path={data}",
                   "--ctrl", f"type=unixio,path={folder}/ctrl.sock",
                   "--flags", "not-need-init,startup-clear"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                end = time.monotonic() + READY_S
                while not os.path.exists(data):
                    if time.monotonic() > end or process.poll() is not None:
                        raise SystemExit("bench: swtpm does not start")
                    time.sleep(0.01)
                return measure(data, repeats)
            finally:
                process.terminate()


def summarise(ours, theirs):
    rows = []
    for name in ours[0]:
        a = [turn[name] * 1e6 for turn in ours]
        b = [turn[name] * 1e6 for turn in theirs]
        ratios = [x / y for x, y in zip(a, b)]
        rows.append({"operation": name, "ours_us": statistics.median(a),
                     "swtpm_us": statistics.median(b), "ratio": statistics.median(ratios),
                     "ratio_min": min(ratios), "ratio_max": max(ratios)})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--turns", type=int, default=5, help="of each side (default 5)")
    parser.add_argument("--repeats", type=int, default=100, help="commands a turn (default 100)")
    parser.add_argument("--json", metavar="FILE", help="write the rows there as well")
    options = parser.parse_args()
    try:
        subprocess.run(["swtpm", "--version"], check=True, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        raise SystemExit("bench: the peer is missing: apt-get install swtpm") from None
    build.configure("dev")
    build.build("dev")
    load = os.getloadavg()[0]
    if load > BUSY_LOAD:
        print(f"bench: warning: the machine is busy (load {load:.1f}); expect a wide spread")
    ours, theirs, costs = [], [], {}
    for turn in range(options.turns):
        print(f"bench: turn {turn + 1} of {options.turns}", flush=True)
        result, costs = run_holdfast(options.repeats)
        ours.append(result)
        theirs.append(run_swtpm(options.repeats))
    rows = summarise(ours, theirs)
    print(f"{'operation':16} {'ours us':>9} {'swtpm us':>9} {'ratio':>7}  spread")
    for row in rows:
        print(f"{row['operation']:16} {row['ours_us']:9.0f} {row['swtpm_us']:9.0f} "
              f"{row['ratio']:7.2f}  {row['ratio_min']:.2f}-{row['ratio_max']:.2f}")
    print("counted in the last turn: " + ", ".join(f"{n} {v}" for n, v in costs.items()))
    if options.json:
        with open(options.json, "w", encoding="ascii") as file:
            json.dump({"rows": rows, "costs": costs}, file, indent=1)


if __name__ == "__main__":
    main()
