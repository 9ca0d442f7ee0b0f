# SPDX-License-Identifier: MIT
"""./bench: what is asked for, in which order, and where the results go."""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time

from harness import build
from benchmarks import (HERE, counted, environment, jobs, load, report, results, runs, sides,
                        summary)
from benchmarks.place import Place

TARGETS = ("stage2", "bundle", "holdfast", "holdfast_nbdkit", "vtpm_native", "durable_rename")
# kind: (repetitions, seconds of a job, MiB that the jobs work in, minutes at most)
KINDS = {"quick": (2, 0.5, 128, 4.5), "default": (5, 0.7, 256, 11), "full": (7, 3, 512, None),
         # A turn is 10 % off as often as not, and it is turns that differ, not what is within one:
         # the median of 24 short ones is within 4 % where that of 6 long ones was 11 % off once.
         # An even number: each twin has as many turns before the other as behind it.
         "twin": (24, 0.2, 256, 11)}
REPORT = os.path.join(HERE, "report")  # Not kept in the repository; RESULTS is.
RESULTS = os.path.join(HERE, "RESULTS.md")
FAILED, DIFFERS = 1, 2
# What the images of all sides take, in sizes of a job's range: a volume has twice that.
IMAGES = 18
# Formatting, filling, counting, for everything; a guess.
PREPARATION_S = 60
EPILOG = """cases are named SUITE/SIDE/JOB: ./bench --list. For example:
  ./bench --only 'storage/(raw|linux-raw)/' --only 'rr4k-qd1$'
Images go to /dev/shm, so that the disk of this machine is not what is measured. The report is
benchmarks/report/index.html; a run of everything writes benchmarks/RESULTS.md too.

exit codes: 0 measured; 1 nothing could be measured, or a side failed (it is named, the others are
reported); 2 with --self: the build differs from itself.
"""


def say(text):
    print(f"bench: {text}", flush=True)


def parse_arguments(words):
    parser = argparse.ArgumentParser(
        prog="./bench", formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EPILOG,
        description="Measure the driver, the volume and the TPM beside what a user would run "
                    "otherwise: the same QEMU, the same file, in turns.")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true",
                      help="the headline sides, briefly: under 5 minutes")
    kind.add_argument("--full", action="store_true", help="longer jobs, more repetitions")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN",
                        help="cases whose name has this regular expression; may be repeated")
    parser.add_argument("--list", action="store_true", help="name the cases and run none")
    parser.add_argument("--json", metavar="FILE", help="write all that was measured there as well")
    parser.add_argument("--self", action="store_true", dest="itself",
                        help="this build against itself: the ratio has to be 0.9 to 1.1")
    parser.add_argument("--against", metavar="DIR",
                        help="this build against another's build directory")
    parser.add_argument("--repetitions", type=int, metavar="N")
    parser.add_argument("--seconds", type=float, metavar="S", help="of each job")
    parser.add_argument("--size", type=int, metavar="MIB", help="that the jobs work in")
    parser.add_argument("--limit", type=float, metavar="MINUTES",
                        help="the sides without a target, and then the last repetitions, are left "
                        "out when time runs short (default: 11, quick 4.5, full none)")
    parser.add_argument("--machine", choices=("microvm-acpi", "q35"), default="microvm-acpi",
                        help="QEMU's machine, for both sides")
    parser.add_argument("--completion", choices=("adaptive", "poll", "interrupt"),
                        default="adaptive", help="how our kernel waits for the device")
    parser.add_argument("--folder", metavar="DIR", help="where images go (default: /dev/shm)")
    parser.add_argument("--report", metavar="DIR", default=REPORT,
                        help="where the report goes (default: benchmarks/report)")
    parser.add_argument("--report-from", metavar="FILE",
                        help="measure nothing: make the report from what --json wrote")
    return parser.parse_args(words)


def settle(options):
    """Fill in what was left open by the kind of run."""
    options.kind = "quick" if options.quick else "full" if options.full else "default"
    options.is_twin = options.itself or options.against is not None
    if options.is_twin and options.kind == "default":
        options.kind = "twin"
    repetitions, seconds, size, minutes = KINDS[options.kind]
    options.limit = options.limit or minutes
    options.repetitions = options.repetitions or repetitions
    options.seconds = options.seconds or seconds
    options.size = options.size or size
    if options.folder is None and os.path.isdir("/dev/shm"):
        options.folder = "/dev/shm"


def choose(options, place):
    """([(side, jobs)], {target: jobs that are counted})"""
    if options.is_twin:
        return sides.choose(sides.twins(place, options.against), options.only, False), {}
    return (sides.choose(sides.everything(place), options.only, options.quick),
            sides.choose_counted(options.only, options.quick))


def list_cases(chosen, to_count):
    for side, names in chosen:
        for name in names:
            print(f"{sides.case_name(side.suite, side.name, name):44} {side.title}")
    for target, names in to_count.items():
        for name in names:
            print(f"{sides.case_name('counted', target, name):44} costs of a request, counted")


def count_costs(place, to_count, turns, found):
    """Fill in {target: {job: costs}}."""
    for target, names in to_count.items():
        say(f"counting: {target}")
        try:
            found[target] = counted.measure(place, target, names)
        except runs.FAILURES as error:
            turns.failures.append({"side": f"counted-{target}", "repetition": 0,
                                   "why": str(error)})


def measure(options, folder):
    """All that there is to know of a run, as JSON takes it."""
    place = Place(folder, options.seconds, options.size, options.machine, options.completion)
    chosen, to_count = choose(options, place)
    turns = runs.Turns(chosen, options.repetitions, options.seconds, say,
                       options.limit and options.limit * 60, sides.QUICK)
    started = time.time()
    say(f"{len(chosen)} sides, {options.repetitions} repetitions: expect "
        f"{runs.clock(turns.left_s() + PREPARATION_S)} on an idle machine")
    stopped = False
    costs = {}
    try:
        turns.prepare()
        count_costs(place, to_count, turns, costs)
        turns.run()
    except KeyboardInterrupt:
        say("stopped: reporting what there is")
        stopped = True
    return {
        "format": results.FORMAT, "started": time.strftime("%F %T", time.localtime(started)),
        "seconds": round(time.time() - started), "kind": options.kind,
        "twin": options.is_twin,
        "is_everything": not (stopped or options.only or options.quick or options.is_twin or
                              options.repetitions < KINDS["default"][0]),
        "settings": {"repetitions": options.repetitions, "seconds": options.seconds,
                     "size_mib": options.size, "machine": options.machine,
                     "completion": options.completion},
        "environment": environment.describe(),
        "sides": {side.name: {"suite": side.suite, "title": side.title} for side, _ in chosen},
        "samples": turns.samples, "loads": turns.loads, "failures": turns.failures,
        "counted": costs, "commands": place.commands,
        "tpm_costs": {side.name: side.costs for side, _ in chosen if side.suite == "vtpm"},
    }


def publish(data, folder, json_path):
    """Everything that a run leaves; 0, or the exit code that says what is wrong."""
    done = results.Results(data)
    print(summary.terminal(done))
    os.makedirs(folder, exist_ok=True)
    page = os.path.join(folder, "index.html")
    for path in filter(None, (os.path.join(folder, "results.json"), json_path)):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**data, "comparisons": done.as_json()}, file, indent=1)
    with open(page, "w", encoding="utf-8") as file:
        file.write(report.page(done))
    say(f"report: {os.path.relpath(page)}")
    if data["is_everything"]:
        with open(RESULTS, "w", encoding="utf-8") as file:
            file.write(summary.markdown(done))
        say(f"summary: {os.path.relpath(RESULTS)}")
    measured = done.has_figures() or data["counted"]
    return FAILED if data["failures"] or not measured else 0


def main(words=None):
    options = parse_arguments(words)
    settle(options)
    if options.report_from:
        with open(options.report_from, encoding="utf-8") as file:
            return publish(json.load(file), options.report, options.json)
    if options.list:
        # Into `head`, say, which closes the pipe when it has enough.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        list_cases(*choose(options, Place("", 0, 0)))
        return 0
    chosen, to_count = choose(options, Place("", 0, 0))
    if not chosen and not to_count:
        sys.exit("bench: no case has such a name: ./bench --list")
    build.build("dev", TARGETS)
    with load.Meter() as meter:
        time.sleep(0.5)
    room_mib = shutil.disk_usage(options.folder or tempfile.gettempdir()).free // jobs.MIB
    if room_mib < IMAGES * options.size:
        say(f"warning: all images take {IMAGES * options.size} MiB, and there is room for "
            f"{room_mib}: choose another --folder or a smaller --size if a side fails")
    if meter.others_cores > load.BUSY_CORES:
        say(f"warning: others use {meter.others_cores:.1f} cores: expect a wide spread")
    # Whoever ends us gets what there is, and no images are left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="hf-", dir=options.folder) as folder:
        data = measure(options, folder)
    code = publish(data, options.report, options.json)
    if options.itself and code == 0 and not results.Results(data).agrees_with_itself():
        say("the build differs from itself: something else used the machine")
        code = DIFFERS
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (build.BuildError, jobs.JobFileError, results.FormatError) as problem:
        sys.exit(f"bench: {problem}")
