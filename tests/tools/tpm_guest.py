# SPDX-License-Identifier: MIT
"""Debian's swtpm on a state folder, and tpm2-tools and openssl to look at the TPM in it."""

import contextlib
import os
import subprocess
import tempfile
import time

STATE = "tpm2-00.permall"
# Handle of each endorsement key and NV index of its certificate.
ENDORSEMENT = {"rsa": (0x81010001, 0x01C00002), "p384": (0x81010016, 0x01C00016)}
SRK = 0x81000001
DEADLINE_S = 20


def swtpm(state, *arguments, socket):
    return subprocess.Popen(
        ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--server",
         f"type=unixio,path={socket}", "--ctrl", f"type=unixio,path={socket}.ctrl", "--flags",
         "not-need-init,startup-clear", *arguments], stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def running(state, *arguments):
    """tpm2(COMMAND, ARGUMENTS...) on a swtpm with this state folder, while the context lasts."""
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        socket = os.path.join(folder, "s")
        process = swtpm(state, *arguments, socket=socket)
        try:
            end = time.monotonic() + DEADLINE_S
            while not os.path.exists(socket + ".ctrl"):
                assert process.poll() is None, "swtpm refused the state"
                assert time.monotonic() < end
                time.sleep(0.02)

            def tpm2(command, *words):
                environment = dict(os.environ, TPM2TOOLS_TCTI=f"swtpm:path={socket}",
                                   TSS2_LOG="all+none")
                return subprocess.run([f"tpm2_{command}", *map(str, words)], check=True,
                                      capture_output=True, timeout=60, env=environment).stdout
            yield tpm2
        finally:
            process.kill()
            process.wait()


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True,
                          timeout=60, **options).stdout


def certificate_of(tpm2, index, folder):
    """The certificate in an NV index, as PEM in a file."""
    der, pem = folder / f"{index:x}.der", folder / f"{index:x}.pem"
    tpm2("nvread", hex(index), "-o", der)
    openssl("x509", "-inform", "der", "-in", der, "-out", pem)
    return pem


def key_of(tpm2, handle, folder):
    """The public key at a handle, as PEM."""
    path = folder / f"{handle:x}.pem"
    tpm2("readpublic", "-c", hex(handle), "-f", "pem", "-o", path)
    return openssl("pkey", "-pubin", "-in", path)
