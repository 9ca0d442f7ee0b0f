# SPDX-License-Identifier: MIT
"""Configure and build a preset, quietly: a line of progress now and then, everything on failure."""

import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRESS_EVERY_S = 10


class BuildError(Exception):
    """The text is what a person needs to see."""


def build_root():
    """HOLDFAST_BUILD_ROOT lets two trees of builds live side by side."""
    return os.path.join(ROOT, os.environ.get("HOLDFAST_BUILD_ROOT", "build"))


def build_dir(preset):
    return os.path.join(build_root(), preset)


def configure(preset):
    """BuildError if CMake finds a fault."""
    done = subprocess.run(["cmake", "--preset", preset, "-B", build_dir(preset)], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"configuring {preset} failed\n{done.stdout}{done.stderr}")


def _follow(process, preset):
    """Collect ninja's output; show its last `[n/m]` every few seconds."""
    output, shown_at = [], time.monotonic()
    for line in process.stdout:
        output.append(line)
        progress = re.match(r"\[(\d+/\d+)\]", line)
        if progress and time.monotonic() - shown_at > PROGRESS_EVERY_S:
            shown_at = time.monotonic()
            print(f"  building {preset}: {progress.group(1)}", flush=True)
    return "".join(output)


def build(preset, targets=()):
    """Returns the build directory; raises BuildError. An up-to-date build costs a second."""
    started = time.monotonic()
    configure(preset)
    command = ["cmake", "--build", build_dir(preset)]
    if targets:
        command += ["--target", *targets]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as process:
        output = _follow(process, preset)
    if process.returncode != 0:
        failed = [line for line in output.split("\n") if not re.match(r"\[\d+/\d+\] ", line)]
        raise BuildError(f"building {preset} failed\n" + "\n".join(failed))
    print(f"built {preset} in {time.monotonic() - started:.1f} s", flush=True)
    return build_dir(preset)


def main():
    try:
        build(sys.argv[1], sys.argv[2:])
    except BuildError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
