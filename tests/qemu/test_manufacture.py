# SPDX-License-Identifier: MIT
"""A TPM as it is delivered: endorsement keys, certificates, the storage root key. Where it can come
from: the host tool, a first boot, swtpm."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

import samples
from harness import tools, tpm, vm

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import tpm_guest  # noqa: E402 (the path has to be set first)
from tpm_guest import ENDORSEMENT, SRK  # noqa: E402

CAP_PERSISTENT, CAP_NV = 0x81000000, 0x01000000


@pytest.fixture(name="client")
def fixture_client():
    """client(MACHINE): a function like tpm_guest's, on a service VM."""
    def of(machine):
        return lambda command, *words: tools.tpm2(machine.tpm_path, command, *map(str, words))
    return of


@pytest.fixture(name="certified")
def fixture_certified(blank, key, folder):
    """(disk, authority): manufactured on the host, with certificates."""
    authority = os.path.join(folder, "ca")
    tools.ca_init(authority)
    tools.tpm_manufacture(blank, key, authority)
    return blank, authority


def assert_certified(tpm2, authority, folder):
    for handle, index in ENDORSEMENT.values():
        pem = tpm_guest.certificate_of(tpm2, index, folder)
        tpm_guest.openssl("verify", "-x509_strict", "-CAfile", f"{authority}/ca.pem", pem)
        assert tpm_guest.openssl("x509", "-in", pem, "-noout", "-pubkey") == \
            tpm_guest.key_of(tpm2, handle, folder)


def test_service_vm_boots_a_manufactured_tpm(start, certified, key, client, tmp_path):
    """Also after a kill, and with the tools that people use."""
    disk, authority = certified
    for _ in range(2):
        machine = start(disks=[disk], key=key)
        assert machine.serving() == "persistent"
        assert_certified(client(machine), authority, tmp_path)
        machine.kill()
        assert "making EK" not in machine.console() and "manufactured" not in machine.console()
    machine = start(disks=[disk], key=key)
    machine.serving()
    tpm2 = client(machine)
    for name, algorithm in (("rsa", "rsa"), ("p384", "ecc384")):
        tpm2("createek", "-G", algorithm, "-c", tmp_path / "ek.ctx", "-f", "pem", "-u",
             tmp_path / "ek.pem")
        assert tpm_guest.openssl("pkey", "-pubin", "-in", tmp_path / "ek.pem") == \
            tpm_guest.key_of(tpm2, ENDORSEMENT[name][0], tmp_path)
    tpm2("getekcertificate", "-o", tmp_path / "ek.der")
    tpm_guest.openssl("x509", "-inform", "der", "-in", tmp_path / "ek.der", "-noout")
    assert "NIST p256" in tpm2("readpublic", "-c", hex(SRK)).decode()


def test_credential_is_activated(start, certified, key, client, tmp_path):
    """What the certificate is for: a secret for whoever has the certified EK, and a given AK."""
    machine = start(disks=[certified[0]], key=key)
    machine.serving()
    tpm2, (handle, index) = client(machine), ENDORSEMENT["rsa"]
    ak, name, secret = tmp_path / "ak.ctx", tmp_path / "ak.name", tmp_path / "secret"
    pem = tpm_guest.certificate_of(tpm2, index, tmp_path)
    secret.write_bytes(b"for the certified TPM")
    tpm2("createak", "-C", hex(handle), "-c", ak, "-G", "ecc", "-g", "sha256", "-s", "ecdsa", "-n",
         name)
    public = tmp_path / "ek.pem"
    public.write_bytes(tpm_guest.openssl("x509", "-in", pem, "-noout", "-pubkey"))
    # The verifier has no TPM: it works with the key of the certificate.
    subprocess.run(["tpm2_makecredential", "-Q", "-T", "none", "-G", "rsa", "-u", public, "-s",
                    secret, "-n", name.read_bytes().hex(), "-o", tmp_path / "credential"],
                   check=True)
    session = tmp_path / "session.ctx"
    tpm2("startauthsession", "--policy-session", "-S", session)
    tpm2("policysecret", "-S", session, "-c", "e")
    tpm2("activatecredential", "-c", ak, "-C", hex(handle), "-i", tmp_path / "credential", "-o",
         tmp_path / "got", "-P", f"session:{session}")
    assert (tmp_path / "got").read_bytes() == secret.read_bytes()


def test_first_boot_makes_the_keys(start, blank, key, client, tmp_path):
    """Without the host tool: the same keys, a line for each, and no certificates. An authority can
    sign for them later."""
    machine = start(disks=[blank], key=key)
    assert machine.serving() == "persistent"
    lines = re.findall(r"vtpmd: (making .*|manufactured)", machine.console())
    assert lines == ["making EK RSA-2048", "making EK P-384", "making SRK P-256", "manufactured"]
    took = machine.time_of("vtpmd: manufactured") - machine.time_of("making EK RSA")
    samples.figure(f"a first boot makes its keys in {took:.1f} s")
    with tpm.Tpm(machine.tpm_path) as raw:
        assert {SRK, 0x81010001, 0x81010016} == set(raw.handles(CAP_PERSISTENT))
        assert raw.handles(CAP_NV) == []
    tpm2 = client(machine)
    tpm2("readpublic", "-c", hex(0x81010016), "-o", tmp_path / "ek.pub")
    before = tpm_guest.key_of(tpm2, 0x81010016, tmp_path)
    machine.kill()
    tools.ca_init(tmp_path / "ca")
    tools.holdfast("ca", "issue", tmp_path / "ca", tmp_path / "ek.pub", tmp_path / "ek.der")
    assert tpm_guest.openssl("x509", "-inform", "der", "-in", tmp_path / "ek.der", "-noout",
                             "-pubkey") == before
    machine = start(disks=[blank], key=key)
    machine.serving()
    assert "making" not in machine.console()
    assert tpm_guest.key_of(client(machine), 0x81010016, tmp_path) == before


def test_a_tpm_moves_from_swtpm_and_back(start, blank, key, client, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "data").write_bytes(b"from swtpm")
    with tpm_guest.running(tmp_path / "a") as tpm2:
        tpm2("nvdefine", "0x1500020", "-C", "o", "-s", "20")
        tpm2("nvwrite", "0x1500020", "-C", "o", "-i", tmp_path / "data")
        tpm2("createek", "-G", "rsa", "-c", "0x81010001")
        before = tpm_guest.key_of(tpm2, 0x81010001, tmp_path)
        tpm2("shutdown", "-c")
    tools.holdfast("tpm", "import", "--key-file", key, blank, tmp_path / "a")
    machine = start(disks=[blank], key=key)
    assert machine.serving() == "persistent"
    tpm2 = client(machine)
    assert tpm_guest.key_of(tpm2, 0x81010001, tmp_path) == before
    assert tpm2("nvread", "0x1500020", "-C", "o", "-s", "10") == b"from swtpm"
    (tmp_path / "data").write_bytes(b"and from us")
    tpm2("nvwrite", "0x1500020", "-C", "o", "-i", tmp_path / "data")
    assert samples.shut_down(machine) == vm.EXIT_ORDERLY
    tools.holdfast("tpm", "export", "--key-file", key, blank, tmp_path / "b")
    with tpm_guest.running(pathlib.Path(tmp_path / "b")) as tpm2:
        assert tpm2("nvread", "0x1500020", "-C", "o", "-s", "11") == b"and from us"
        assert tpm_guest.key_of(tpm2, 0x81010001, tmp_path) == before
