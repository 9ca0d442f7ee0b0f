# SPDX-License-Identifier: MIT
"""What does not depend on the machine: what the driver and the shared pages count for a request,
and how many instructions a guest runs for it.

Instructions come from QEMU's -icount: its clock advances by 2^ICOUNT_SHIFT ns with each one, and
the guest's fio reads that clock. A guest that waits for its device polls, or its clock jumps: with
aio=native on tmpfs a request is complete when the notification returns, and nothing is left to wait
for. A flush is not, so that instructions of jobs with flushes are left out.
"""

from benchmarks import guests, jobs, storage

JOB_FILE = "counted.fio"
ICOUNT_SHIFT = 2
ICOUNT = f"shift={ICOUNT_SHIFT},sleep=off"
TITLES = {"raw": "our driver, raw", "volume": "our volume"}
# The peers of which instructions are counted; how often their devices are asked, nobody says.
LINUX = ("linux-raw", "xts4096-nowq")
TARGETS = (*TITLES, *LINUX)
# An emulated CPU that counts is slower; these are factors for a deadline.
PLAIN, COUNTING = 4, 30


def requests(job):
    return job["read"]["total_ios"] + job["write"]["total_ios"]


def per_request(job):
    """Each count of the kernel's, a request. The bytes it was asked for are the measure of what
    the device had to move."""
    count = requests(job)
    asked = job["read"]["io_bytes"] + job["write"]["io_bytes"]
    costs = {name: value / count for name, value in job["holdfast"]["costs"].items()}
    moved = job["holdfast"]["costs"]["device_bytes_read"] + \
        job["holdfast"]["costs"]["device_bytes_written"]
    return {"requests": count, **costs, "device_bytes_a_byte": moved / asked}


def without_waits(names):
    """The jobs whose instructions can be counted."""
    parsed = jobs.load(JOB_FILE)
    return [name for name in names
            if parsed.value(name, "fsync") is None and parsed.value(name, "fdatasync") is None]


def instructions(iops):
    return 1e9 / (1 << ICOUNT_SHIFT) / iops


def measure_ours(place, target, names):
    side = storage.Holdfast(place, target, f"counted-{target}", TITLES[target])
    parsed = jobs.load(JOB_FILE)
    side.prepare()
    found = {name: per_request(job) for name, job in side.results(
        parsed.subset(names), PLAIN * len(names)).items()}
    quick = without_waits(names)
    if quick:
        counting = side.results(parsed.subset(quick), COUNTING * len(quick),
                                accel="tcg,thread=single", more=["-icount", ICOUNT])
        for name, job in counting.items():
            found[name]["instructions"] = instructions(jobs.figures(job)["iops"])
    return found


def measure_linux(place, target, names):
    side = next(side for side in guests.variants(place) if side.name == target)
    side.prepare()
    names = without_waits(names)
    if not names:
        return {}
    found = side.run(jobs.load(JOB_FILE).subset(names), COUNTING * len(names), icount=ICOUNT)
    return {name: {"instructions": instructions(figures["iops"])}
            for name, figures in found.items()}


def measure(place, target, names):
    """{job: {cost: value}}"""
    return (measure_linux if target in LINUX else measure_ours)(place, target, names)
