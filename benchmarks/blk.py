#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Our virtio-blk driver against Linux's: the same job file, the same file, the same QEMU machine.

The jobs of benchmarks/jobs/ run unchanged on fio in a Linux guest (Debian's cloud kernel, nothing
but fio in user space) and in our kernel (holdfast.fio=raw). Guests take turns (A B A B); reported
are medians of the turns, the ratio ours / Linux of the same turn, and its spread. It says how busy
the machine was otherwise: figures of a loaded one are worth little.
"""

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tools"))
from harness import fio, linux_guest, vm  # noqa: E402 (the path has to be set first)

JOBS = os.path.join(HERE, "jobs", "block.fio")
MIB = 1 << 20
BOOT_S = 60
SCRIPT = """
export DEV=/dev/vda SIZE=%(size)s RUNTIME=%(seconds)s
echo none > /sys/block/vda/queue/scheduler 2>/dev/null
/bin/fio --output-format=json --output=/tmp/out /jobs.fio || echo GUEST FAILED
echo JSON BEGIN; $b cat /tmp/out; echo JSON END
$b poweroff -f
"""
MEMORY_MIB = 512
# For both: without it each request wakes a thread of QEMU's.
NATIVE = "aio=native"


def drive(path, machine):
    kind = "virtio-blk-" + ("pci,disable-legacy=on" if machine == "q35" else "device")
    return ["-drive", f"if=none,id=d0,format=raw,file={path},cache=none,{NATIVE}",
            "-device", f"{kind},drive=d0"]


def figures(jobs):
    """{job: {iops, mib_s, p50_us, p99_us}} of fio's JSON."""
    found = {}
    for job in jobs:
        if job["error"] != 0:
            raise SystemExit(f"bench: {job['jobname']} failed: {job.get('error_name', '')}")
        part = job["write"] if job["write"]["total_ios"] else job["read"]
        times = part["clat_ns"]["percentile"]
        found[job["jobname"]] = {"iops": part["iops"], "mib_s": part["bw_bytes"] / MIB,
                                 "p50_us": times["50.000000"] / 1000,
                                 "p99_us": times["99.000000"] / 1000}
    return found


def run_linux(folder, disk, options):
    with open(JOBS, "rb") as file:
        jobs = file.read()
    script = SCRIPT % {"size": options.size, "seconds": options.seconds}
    archive = linux_guest.initramfs(script, [("/usr/bin/fio", "fio")],
                                    ["virtio_pci", "virtio_mmio", "virtio_blk"],
                                    {"jobs.fio": jobs})
    machine = [*vm.MACHINES[options.machine], "-smp", "1,maxcpus=2", "-m", str(MEMORY_MIB)]
    said = linux_guest.boot(folder, archive, drive(disk, options.machine),
                            BOOT_S + options.expected_s, machine)
    found = re.search(r"JSON BEGIN\r?\n.*?(\{.*\})\s*JSON END", said, re.S)
    if not found or "GUEST FAILED" in said:
        raise SystemExit("bench: the Linux guest failed:\n" + said[-3000:])
    return figures(json.loads(found.group(1))["jobs"])


def run_ours(folder, disk, options):
    with open(JOBS, encoding="utf-8") as file:
        jobs = file.read()
    settings = fio.options(folder, vm.Disk(disk, drive=NATIVE), "raw", jobs,
                           {"DEV": "disk", "SIZE": options.size, "RUNTIME": options.seconds},
                           append=f"holdfast.completion={options.completion}",
                           memory_mib=MEMORY_MIB, machine=options.machine)
    with vm.Vm(settings) as machine:
        code = machine.wait_exit(BOOT_S + options.expected_s)
        if code != vm.EXIT_ORDERLY:
            raise SystemExit("bench: our guest failed:\n" + machine.console())
    return figures(fio.results(folder).values())


def busy_cores(seconds=0.5):
    """Cores that the machine uses while we do nothing."""
    def used():
        with open("/proc/stat", encoding="ascii") as file:
            fields = [int(word) for word in file.readline().split()[1:]]
        return sum(fields) - fields[3] - fields[4]
    before = used()
    time.sleep(seconds)
    return (used() - before) / os.sysconf("SC_CLK_TCK") / seconds


def measure(options):
    turns = {"holdfast": [], "linux": []}
    load = []
    with tempfile.TemporaryDirectory(prefix="hf-", dir=options.folder) as folder:
        disk = os.path.join(folder, "disk.img")
        with open(disk, "wb") as file:
            for _ in range(options.file_mib):
                file.write(os.urandom(MIB))
        for turn in range(options.turns):
            for side, run in (("holdfast", run_ours), ("linux", run_linux)):
                load.append(busy_cores())
                print(f"bench: turn {turn + 1} of {options.turns}: {side}", flush=True)
                turns[side].append(run(folder, disk, options))
    return turns, load


def summarise(turns):
    rows = []
    for name in turns["linux"][0]:
        row = {"job": name}
        for side, runs in turns.items():
            for key in ("iops", "mib_s", "p50_us", "p99_us"):
                row[f"{side}_{key}"] = statistics.median(run[name][key] for run in runs)
        ratios = [ours[name]["iops"] / theirs[name]["iops"]
                  for ours, theirs in zip(turns["holdfast"], turns["linux"])]
        row["ratio"] = statistics.median(ratios)
        row["ratio_min"], row["ratio_max"] = min(ratios), max(ratios)
        rows.append(row)
    return rows


def show(rows, load):
    print(f"{'job':16} {'ours IOPS':>10} {'Linux':>10} {'ratio':>6}  spread       "
          f"{'p50 us':>8} {'Linux':>8}")
    for row in rows:
        print(f"{row['job']:16} {row['holdfast_iops']:10.0f} {row['linux_iops']:10.0f} "
              f"{row['ratio']:6.2f}  {row['ratio_min']:.2f}-{row['ratio_max']:.2f}  "
              f"{row['holdfast_p50_us']:8.1f} {row['linux_p50_us']:8.1f}")
    print(f"cores busy with other work: median {statistics.median(load):.2f}, most {max(load):.2f}")
    if max(load) > 0.3:
        print("bench: the machine was busy: repeat these figures on an idle one")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each job")
    parser.add_argument("--size", default="512m", help="of the range that jobs work in")
    parser.add_argument("--file-mib", type=int, default=512)
    parser.add_argument("--completion", default="poll", choices=("poll", "interrupt", "adaptive"))
    parser.add_argument("--machine", default="microvm-acpi", choices=("microvm-acpi", "q35"))
    parser.add_argument("--folder", default=None, help="where the disk's file goes (tmpfs)")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    with open(JOBS, encoding="utf-8") as file:
        count = sum(line.startswith("[") for line in file) - 1
    options.expected_s = count * (options.seconds + 1)
    if options.folder is None and os.path.isdir("/dev/shm"):
        options.folder = "/dev/shm"
    with tempfile.NamedTemporaryFile(dir=options.folder) as file:
        if vm.cache_mode(file.name) != "none":
            parser.error(f"{file.name} takes no O_DIRECT: choose another --folder")
    expected = 2 * options.turns * (options.expected_s + 10)
    print(f"bench: about {expected // 60 + 1} minutes", flush=True)
    turns, load = measure(options)
    rows = summarise(turns)
    show(rows, load)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"rows": rows, "busy_cores": load, "turns": turns}, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
