#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Each header compiles alone, and twice in a row: it includes what it uses, and guards itself."""

import concurrent.futures
import os
import subprocess

import check_common as common

FLAGS = ["-std=gnu17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-DHOLDFAST_PRODUCTION=0"]
KERNEL = ["-DHOLDFAST_HOST=0", "-ffreestanding", "-mgeneral-regs-only", "-mno-red-zone"]
HOST = ["-DHOLDFAST_HOST=1", "-D_GNU_SOURCE"]


def compile_alone(root, name, compiler, flags):
    done = subprocess.run(
        [compiler, *FLAGS, *flags, f"-I{root}", "-x", "c", "-"], text=True, capture_output=True,
        input=f'#include "{name}"\n#include "{name}"\nint alone;\n', cwd=root)
    if done.returncode != 0:
        return f"{name}: does not compile alone with {compiler} {flags[0]}\n{done.stderr.rstrip()}"
    return None


def main():
    arguments = common.parse_root(__doc__)
    headers = [n for n in common.tree_files(arguments.root) if n.endswith(".h")]
    jobs = []
    for name in headers:
        # Host programs are never built for the kernel; tests may include cmocka and libc.
        hosted_only = name.split("/")[0] not in common.MODULES
        jobs.append((name, "gcc", HOST))
        if not hosted_only:
            jobs.append((name, "clang", KERNEL))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda job: compile_alone(arguments.root, *job), jobs)
        problems = [result for result in results if result]
    common.finish("headers", problems, len(headers))


if __name__ == "__main__":
    main()
