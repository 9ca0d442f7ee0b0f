#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A block-profile volume over NBD, against plain files and against LUKS.

fio drives three nbdkit servers on files in one directory: our plugin; nbdkit's own `file`, which
does nothing but move bytes; and the filter `luks` over `file`, which encrypts (AES-256-XTS) but
neither authenticates nor keeps anything whole after a crash. They take turns within one run
(A B C A B C), because absolute figures drift with the machine; reported are medians of the turns,
the ratios ours / theirs of the same turn, and their spread.

Without a flush, `file` and `luks` leave everything in the page cache, while we commit now and then;
the workload with flushes asks the same of all.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tools"))
from harness import build, vm  # noqa: E402 (the path has to be set first)

START_S = 20
MIB = 1 << 20
WORKLOADS = {
    "4K random read, depth 32": ["--rw=randread", "--bs=4k", "--iodepth=32"],
    "4K random write, depth 32": ["--rw=randwrite", "--bs=4k", "--iodepth=32"],
    "4K random write, flush each 64": ["--rw=randwrite", "--bs=4k", "--iodepth=32", "--fsync=64"],
    "128K read": ["--rw=read", "--bs=128k", "--iodepth=8"],
    "128K write": ["--rw=write", "--bs=128k", "--iodepth=8"],
}
SIDES = ("holdfast", "file", "luks")


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE,
                          **options).stdout


class Server:
    """A context: nbdkit on a socket of its own."""

    def __init__(self, folder, name, *arguments):
        self.socket = os.path.join(folder, f"{name}.sock")
        self.command = ["nbdkit", "-f", "-U", self.socket, *map(str, arguments)]
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL)
        end = time.monotonic() + START_S
        while not vm.listens(self.socket):
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit("bench: does not start: " + " ".join(self.command))
            time.sleep(0.02)
        return f"nbd+unix:///?socket={self.socket}"

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait()
        if os.path.exists(self.socket):
            os.unlink(self.socket)


def make_servers(folder, build_dir, size):
    """An image for each side, of `size` bytes as the client sees it."""
    holdfast = os.path.join(build_dir, "tools/holdfast/holdfast")
    plugin = os.path.join(build_dir, "tools/nbdkit/holdfast.so")
    path = {side: os.path.join(folder, side + ".img") for side in SIDES}
    key, secret = os.path.join(folder, "key"), os.path.join(folder, "secret")
    run(holdfast, "key", "generate", key)
    # A log writes to fresh places, and the host's file system must not have to find room for them:
    # the other files are overwritten in place, so this one has all its blocks too.
    run(holdfast, "image", "create", "--profile", "block", "--size", 2 * size, "-k", key,
        path["holdfast"] + ".sparse")
    run("cp", "--sparse=never", path["holdfast"] + ".sparse", path["holdfast"])
    run("sync", path["holdfast"])
    with open(path["file"], "wb") as image:
        image.truncate(size)
    with open(secret, "w", encoding="ascii") as file:
        file.write("benchmark")
    run("qemu-img", "create", "-q", "-f", "luks", "--object", f"secret,id=s,file={secret}",
        "-o", "key-secret=s,iter-time=500", path["luks"], size)
    return {
        "holdfast": Server(folder, "holdfast", plugin, f"image={path['holdfast']}",
                           f"key-file={key}"),
        "file": Server(folder, "file", "file", path["file"]),
        "luks": Server(folder, "luks", "--filter=luks", "file", path["luks"],
                       f"passphrase=+{secret}"),
    }


def fio(uri, size, arguments):
    said = run("fio", "--name=bench", "--ioengine=nbd", f"--uri={uri}", f"--size={size}",
               "--norandommap=1", "--randrepeat=0", "--output-format=json", *arguments)
    job = json.loads(said[said.index(b"{"):])["jobs"][0]
    part = job["write"] if job["write"]["io_bytes"] else job["read"]
    return {"iops": part["iops"], "mib_s": part["bw_bytes"] / MIB,
            "p99_us": part["clat_ns"]["percentile"]["99.000000"] / 1000}


def measure(servers, options):
    """turns[workload][side]: a list of results, one a turn."""
    results = {name: {side: [] for side in SIDES} for name in options.workloads}
    for side in SIDES:
        with servers[side] as uri:  # All of it is there before anything is read.
            fio(uri, options.size, ["--rw=write", "--bs=1m", "--iodepth=4", "--end_fsync=1"])
    for turn in range(options.turns):
        print(f"bench: turn {turn + 1} of {options.turns}", flush=True)
        for name in options.workloads:
            for side in SIDES:
                with servers[side] as uri:
                    results[name][side].append(
                        fio(uri, options.size,
                            [*WORKLOADS[name], "--time_based=1", "--ramp_time=0.5",
                             f"--runtime={options.seconds}"]))
    return results


def summarise(results):
    rows = []
    for name, sides in results.items():
        row = {"workload": name}
        for side in SIDES:
            row[f"{side}_iops"] = statistics.median(turn["iops"] for turn in sides[side])
            row[f"{side}_mib_s"] = statistics.median(turn["mib_s"] for turn in sides[side])
            row[f"{side}_p99_us"] = statistics.median(turn["p99_us"] for turn in sides[side])
        for peer in SIDES[1:]:
            ratios = [ours["iops"] / theirs["iops"]
                      for ours, theirs in zip(sides["holdfast"], sides[peer])]
            row[f"to_{peer}"] = statistics.median(ratios)
            row[f"to_{peer}_min"], row[f"to_{peer}_max"] = min(ratios), max(ratios)
        rows.append(row)
    return rows


def show(rows):
    print(f"{'MiB/s':32} {'holdfast':>9} {'file':>9} {'luks':>9}   {'/ file':>6}  spread     "
          f"{'/ luks':>6}  spread")
    for row in rows:
        print(f"{row['workload']:32} {row['holdfast_mib_s']:9.0f} {row['file_mib_s']:9.0f} "
              f"{row['luks_mib_s']:9.0f}   {row['to_file']:6.2f}  "
              f"{row['to_file_min']:.2f}-{row['to_file_max']:.2f}  {row['to_luks']:6.2f}  "
              f"{row['to_luks_min']:.2f}-{row['to_luks_max']:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--turns", type=int, default=5, help="of each side (default 5)")
    parser.add_argument("--seconds", type=float, default=3, help="a measurement (default 3)")
    parser.add_argument("--size", type=int, default=512, help="MiB (default 512)")
    parser.add_argument("--only", metavar="TEXT", default="", help="workloads that contain TEXT")
    parser.add_argument("--build", metavar="DIR", help="measure this build instead of preset dev")
    parser.add_argument("--dir", metavar="DIR", help="where the images go (default: temporary)")
    parser.add_argument("--json", metavar="FILE", help="write the rows there as well")
    options = parser.parse_args()
    options.size *= MIB
    options.workloads = [name for name in WORKLOADS if options.only in name]
    for program in ("nbdkit", "fio", "qemu-img"):
        if shutil.which(program) is None:
            raise SystemExit(f"bench: {program} is missing; packages.txt names its package")
    if options.build is None:
        build.configure("dev")
        build.build("dev")
        options.build = os.path.join(os.path.dirname(HERE), "build", "dev")
    print(f"bench: load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    with tempfile.TemporaryDirectory(prefix="hf-bench-", dir=options.dir) as folder:
        rows = summarise(measure(make_servers(folder, options.build, options.size), options))
    show(rows)
    if options.json:
        with open(options.json, "w", encoding="ascii") as file:
            json.dump({"rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
