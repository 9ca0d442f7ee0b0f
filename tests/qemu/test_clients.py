# SPDX-License-Identifier: MIT
"""Clients that nobody here wrote, on the raw byte stream: OpenSSL, clevis, tpm2-pytss, the IBM TSS.

Each does its work in steps. The first run is undisturbed; in the others the service VM is killed
after one of the steps and booted again from the same disk, and nobody may notice: what a client
keeps between its steps is what it wrote itself.
"""

import os
import socket
import subprocess

import pytest
from tpm2_pytss import ESAPI
from tpm2_pytss.constants import TPM2_ALG, TPMA_OBJECT
from tpm2_pytss.types import (TPM2B_PUBLIC, TPM2B_SENSITIVE_CREATE, TPMS_KEYEDHASH_PARMS,
                              TPMS_SENSITIVE_CREATE, TPMT_KEYEDHASH_SCHEME, TPMT_PUBLIC,
                              TPMU_PUBLIC_PARMS)

from harness import tpm

CLIENT_DEADLINE_S = 120
BOUND_TO_PCR_7 = '{"pcr_bank":"sha256","pcr_ids":"7"}'
OPENSSL = ["-provider", "tpm2", "-provider", "default", "-propquery", "?provider=tpm2"]
PASSPHRASE = b"first passphrase"
NV_INDEX = "01500020"


class Service:
    """The service VM on its disk, the folder that a client works in, and what it may run there."""

    def __init__(self, start, disk, key, folder):
        self.start = start
        self.options = {"disks": [disk], "key": key}
        self.folder = folder
        self.machine = None
        self.boot()

    def boot(self):
        self.machine = self.start(**self.options)
        assert self.machine.serving() == "persistent"

    def kill(self):
        self.machine.kill()
        self.boot()

    @property
    def tcti(self):
        return f"cmd:socat - UNIX-CONNECT:{self.machine.tpm_path}"

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def run(self, *command, data=b"", **environment):
        """What a command printed; it has to succeed."""
        done = self.attempt(*command, data=data, **environment)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stderr.decode()}"
        return done.stdout

    def attempt(self, *command, data=b"", **environment):
        environment = dict(os.environ, TPM2OPENSSL_TCTI=self.tcti, TPM2TOOLS_TCTI=self.tcti,
                           **environment)
        return subprocess.run(command, input=data, cwd=self.folder, env=environment, check=False,
                              capture_output=True, timeout=CLIENT_DEADLINE_S)


# ---- OpenSSL with the tpm2 provider ------------------------------------------------------------

def openssl_makes_a_key(service):
    service.run("openssl", "genpkey", *OPENSSL, "-algorithm", "EC", "-pkeyopt", "group:P-256",
                "-out", "key.pem")
    assert service.read("key.pem").startswith(b"-----BEGIN TSS2 PRIVATE KEY-----")


def openssl_signs(service):
    service.write("message", b"to be signed")
    service.run("openssl", "pkey", *OPENSSL, "-in", "key.pem", "-pubout", "-out", "public.pem")
    service.run("openssl", "dgst", *OPENSSL, "-sha256", "-sign", "key.pem", "-out", "signature",
                "message")


def openssl_verifies_without_the_tpm(service):
    said = service.run("openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature",
                       "signature", "message")
    assert said == b"Verified OK\n"


def openssl_issues_a_certificate(service):
    service.run("openssl", "req", *OPENSSL, "-x509", "-key", "key.pem", "-subj", "/CN=holdfast",
                "-days", "2", "-out", "certificate.pem")
    service.run("openssl", "verify", "-CAfile", "certificate.pem", "certificate.pem")


# ---- clevis: a LUKS volume that opens while PCR 7 is what it was --------------------------------

def clevis_binds_a_volume(service):
    service.write("pass", PASSPHRASE)
    service.write("volume", b"")
    os.truncate(service.path("volume"), 20 << 20)
    service.run("cryptsetup", "luksFormat", "-q", "--type", "luks2", "--pbkdf", "pbkdf2",
                "--pbkdf-force-iterations", "1000", "volume", "pass")
    service.run("clevis", "luks", "bind", "-y", "-f", "-k", "pass", "-d", "volume", "tpm2",
                BOUND_TO_PCR_7)


def clevis_unlocks(service):
    passphrase = service.run("clevis", "luks", "pass", "-d", "volume", "-s", "1")
    assert passphrase and passphrase != PASSPHRASE
    service.run("cryptsetup", "open", "--test-passphrase", "volume", data=passphrase)


def clevis_is_refused_after_an_extend(service):
    with tpm.Tpm(service.machine.tpm_path) as client:
        client.pcr_extend(7, b"\x11" * 32)
    refused = service.attempt("clevis", "luks", "pass", "-d", "volume", "-s", "1")
    assert refused.returncode != 0
    assert b"a policy check failed" in refused.stderr


# ---- tpm2-pytss: the TCG's ESAPI ----------------------------------------------------------------

SEALED = TPM2B_PUBLIC(TPMT_PUBLIC(
    type=TPM2_ALG.KEYEDHASH, nameAlg=TPM2_ALG.SHA256,
    objectAttributes=TPMA_OBJECT.USERWITHAUTH | TPMA_OBJECT.FIXEDTPM | TPMA_OBJECT.FIXEDPARENT,
    parameters=TPMU_PUBLIC_PARMS(keyedHashDetail=TPMS_KEYEDHASH_PARMS(
        scheme=TPMT_KEYEDHASH_SCHEME(scheme=TPM2_ALG.NULL)))))


def esapi_seals(service):
    with ESAPI(service.tcti) as esapi:
        parent, *_ = esapi.create_primary(TPM2B_SENSITIVE_CREATE(), "ecc256")
        secret = TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(data=b"sealed by esapi"))
        private, public, *_ = esapi.create(parent, secret, SEALED)
        esapi.flush_context(parent)
    service.sealed = private, public


def esapi_unseals(service):
    with ESAPI(service.tcti) as esapi:
        parent, *_ = esapi.create_primary(TPM2B_SENSITIVE_CREATE(), "ecc256")
        handle = esapi.load(parent, *service.sealed)
        assert bytes(esapi.unseal(handle)) == b"sealed by esapi"
        esapi.flush_context(handle)
        esapi.flush_context(parent)


# ---- IBM TSS: raw packets over TCP --------------------------------------------------------------

def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ibm(service, *command):
    """One command of the IBM TSS, through a relay of its own that serves it and ends."""
    port = free_port()
    listen = f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr"
    with subprocess.Popen(["socat", "-dd", listen, f"UNIX-CONNECT:{service.machine.tpm_path}"],
                          stderr=subprocess.PIPE) as relay:
        try:
            for line in relay.stderr:
                if b"listening on" in line:
                    break
            return service.run(*command, TPM_INTERFACE_TYPE="socsim", TPM_SERVER_TYPE="raw",
                               TPM_SERVER_NAME="127.0.0.1", TPM_COMMAND_PORT=str(port),
                               TPM_DATA_DIR=service.folder)
        finally:
            relay.kill()


def ibm_defines_an_index(service):
    ibm(service, "tssnvdefinespace", "-hi", "o", "-ha", NV_INDEX, "-sz", "16", "-pwdn", "index")


def ibm_writes(service):
    ibm(service, "tssnvwrite", "-ha", NV_INDEX, "-pwdn", "index", "-ic", "kept by ibm")


def ibm_reads(service):
    said = ibm(service, "tssnvread", "-ha", NV_INDEX, "-pwdn", "index", "-sz", "11", "-of", "read")
    assert service.read("read") == b"kept by ibm", said


CLIENTS = {
    "openssl": [openssl_makes_a_key, openssl_signs, openssl_verifies_without_the_tpm,
                openssl_issues_a_certificate],
    "clevis": [clevis_binds_a_volume, clevis_unlocks, clevis_is_refused_after_an_extend],
    "esapi": [esapi_seals, esapi_unseals],
    "ibm": [ibm_defines_an_index, ibm_writes, ibm_reads],
}
RUNS = [(client, kill_after) for client, steps in CLIENTS.items()
        for kill_after in range(len(steps))]


@pytest.fixture
def service(start, disk, key, folder):
    return Service(start, disk, key, folder)


@pytest.mark.parametrize("client, kill_after", RUNS,
                         ids=[f"{client}-{'undisturbed' if kill == 0 else f'killed-after-{kill}'}"
                              for client, kill in RUNS])
def test_client(service, client, kill_after):
    for number, step in enumerate(CLIENTS[client], 1):
        step(service)
        if number == kill_after:
            service.kill()


def test_clevis_opens_again_after_the_reboot_that_resets_the_pcr(service):
    clevis_binds_a_volume(service)
    clevis_is_refused_after_an_extend(service)
    service.kill()
    clevis_unlocks(service)
