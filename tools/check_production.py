#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""check_production.py DEV PRODUCTION: a production build holds no development feature.

Each string below stands for one. It must be in the development build, or looking for it in the
production build would prove nothing, and must not be in anything that production boots.
"""

import os
import sys

FEATURES = {
    b"opt/org.holdfast/key": "the key provider that reads a key from fw_cfg",
    b"holdfast.run": "running one ring-3 test program",
    b"holdfast.slide": "the fixed load address",
    b"holdfast.vtpmd.crash_on": "the crash hook of the vTPM",
    b"holdfast.pci=place": "the placing of PCI windows against the firmware",
    b"holdfast.fio=": "the storage benchmark",
    b"--crash-on": "the crash hook of the vTPM, its argument",
}
TEST_PROGRAMS = (b"test-syscalls", b"test-faults")


def booted(build):
    """All bytes that this build's VM would run: stage2, and the bundle with kernel and modules."""
    content = b""
    for name in ("boot/stage2.elf", "holdfast.bundle"):
        with open(os.path.join(build, name), "rb") as file:
            content += file.read()
    return content


def main():
    development, production = booted(sys.argv[1]), booted(sys.argv[2])
    problems = []
    for text, what in FEATURES.items():
        if text not in development:
            problems.append(f"{text.decode()} is not in the development build: mend this check")
        if text in production:
            problems.append(f"the production build holds {text.decode()}: {what}")
    for name in TEST_PROGRAMS:
        if name in production:
            problems.append(f"the production bundle carries {name.decode()}")
    for problem in problems:
        print(problem)
    print(f"production: {len(production)} bytes looked at, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
