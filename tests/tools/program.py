# SPDX-License-Identifier: MIT
"""Running the host program `holdfast`, which the environment variable HOLDFAST names.

Whatever an image holds, a command ends with exit status 0 and correct data, or with exit status 1
(3 to 6 for what the witness says) and one of the known status names; never by a signal, never by a
sanitizer (which would exit with 99), and never later than the timeout."""

import os
import re
import subprocess

PROGRAM = os.environ["HOLDFAST"]
HERE = os.path.dirname(os.path.abspath(__file__))
STATUS_HEADER = os.path.join(HERE, "..", "..", "base", "status.h")
BLOCK = 4096
SIZE = 8 << 20  # The smallest volume, so that copies are cheap.
TIMEOUT_S = 60
# What scripts have to tell apart by the exit status; everything else is 1.
EXITS = {"ROLLBACK": 3, "FORK": 4, "UNANCHORED": 5, "NOT_ENROLLED": 6}


def status_names():
    with open(STATUS_HEADER, encoding="ascii") as header:
        return set(re.findall(r"STATUS_([A-Z_]+) = -?\d+", header.read()))


STATUS_NAMES = status_names()


def run(*arguments, **options):
    environment = dict(os.environ, ASAN_OPTIONS="exitcode=99", UBSAN_OPTIONS="exitcode=99")
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, timeout=TIMEOUT_S,
                          check=False, env=environment, **options)


def ok(*arguments, **options):
    done = run(*arguments, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def status_of(done):
    """The status that a command ended with; fails on anything but a well-formed end."""
    error = done.stderr.decode(errors="replace")
    if done.returncode == 0:
        return "OK"
    named = re.search(r"^holdfast: (?:.*: )?([A-Z_]+): \S", error, re.MULTILINE)
    assert named and named.group(1) in STATUS_NAMES, f"exit {done.returncode}: {error}"
    assert done.returncode == EXITS.get(named.group(1), 1), f"exit {done.returncode}: {error}"
    return named.group(1)


def fails(status, *arguments, **options):
    done = run(*arguments, **options)
    assert status_of(done) == status
    return done


def usage(*arguments):
    done = run(*arguments)
    assert done.returncode == 2, done.stderr.decode()
    assert done.stderr.startswith(b"holdfast")
    assert done.stdout == b""


def put(image, key, name, content):
    ok("image", "put", "-k", key, image, name, "-", input=content)


def copy(source, target):
    subprocess.run(["cp", "--sparse=always", source, target], check=True)
    return target
