# SPDX-License-Identifier: MIT
"""What does not depend on the machine: what the driver and the shared pages count for a request,
and how many instructions the kernel runs for it.

Instructions come from QEMU's -icount: its clock advances by 2^ICOUNT_SHIFT ns with each one, and
the kernel reads that clock. They contain what it runs while it polls for the device, which the
host's pace decides: with aio=native on tmpfs a request is complete when the notification returns,
and nothing is left to wait for.
"""

from benchmarks import jobs, storage

JOB_FILE = "counted.fio"
ICOUNT_SHIFT = 2
ICOUNT = ["-icount", f"shift={ICOUNT_SHIFT},sleep=off"]
TARGETS = {"raw": "our driver, raw", "volume": "our volume"}


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


def instructions(job):
    return job["holdfast"]["elapsed_ns"] / (1 << ICOUNT_SHIFT) / requests(job)


def measure(place, target, names):
    """{job: {cost: value}}"""
    side = storage.Holdfast(place, target, f"counted-{target}", TARGETS[target])
    text = jobs.load(JOB_FILE).subset(names)
    side.prepare()
    found = {name: per_request(job)
             for name, job in side.results(text, 4 * len(names)).items()}
    slow = side.results(text, 20 * len(names), accel="tcg,thread=single", more=ICOUNT)
    for name, job in slow.items():
        found[name]["instructions"] = instructions(job)
    return found
