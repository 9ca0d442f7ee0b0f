# SPDX-License-Identifier: MIT
"""The host program `holdfast`, and stock tpm2-tools against a VM's socket."""

import os
import re
import subprocess

from harness import build

DISK_SIZE = "64M"


def program(preset="dev"):
    """tools/holdfast of a build."""
    return os.path.join(build.build_dir(preset), "tools", "holdfast", "holdfast")


def holdfast(*arguments, preset="dev", check=True):
    """Run it."""
    return subprocess.run([program(preset), *arguments], check=check, capture_output=True,
                          text=True)


def key_generate(path):
    holdfast("key", "generate", path)


def image_create(path, key, size=DISK_SIZE):
    holdfast("image", "create", "--size", size, "--key-file", key, path)


def ca_init(folder):
    holdfast("ca", "init", folder)


def tpm_manufacture(path, key, authority=None, number=0):
    """A TPM of a volume, made on the host; `authority` is the folder that signs for it."""
    how = ["--ca", authority] if authority else ["--without-certificates"]
    holdfast("tpm", "manufacture", *how, "--instance", str(number), "--key-file", key, path)


def volume_uuid(path):
    """As `image info` prints it; no key is needed."""
    return re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
                     holdfast("image", "info", path).stdout).group(0)


def tcti(tpm_path):
    """What `-T` of tpm2-tools wants: a raw byte stream needs nothing but socat."""
    return f"cmd:socat - UNIX-CONNECT:{tpm_path}"


def tpm2(tpm_path, command, *arguments, stdin=None, timeout_s=60):
    """tpm2_COMMAND ARGUMENTS; its standard output. CalledProcessError holds its complaint."""
    done = subprocess.run(
        [f"tpm2_{command}", "-T", tcti(tpm_path), *arguments], input=stdin, check=True,
        capture_output=True, timeout=timeout_s, env=dict(os.environ, TSS2_LOG="all+none"))
    return done.stdout
