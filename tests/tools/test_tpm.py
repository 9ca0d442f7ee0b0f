# SPDX-License-Identifier: MIT
"""ca init, ca issue, tpm manufacture, import, export: judged by openssl, tpm2-tools and swtpm."""

import json
import os
import re
import stat
import struct

import pytest

import tpm_guest
from program import SIZE, copy, fails, ok, run, status_of, usage
from tpm_guest import ENDORSEMENT, SRK, STATE, openssl


@pytest.fixture(scope="module", name="authority")
def fixture_authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ca") / "ca"
    ok("ca", "init", folder)
    return folder


def empty_volume(folder):
    key, image = folder / "key", folder / "image"
    ok("key", "generate", key)
    ok("image", "create", "--size", SIZE, "-k", key, image)
    return key, image


@pytest.fixture(scope="module", name="fresh")
def fixture_fresh(tmp_path_factory):
    """A volume without a TPM; for tests that leave it so."""
    return empty_volume(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="module", name="made_tpm")
def fixture_made_tpm(tmp_path_factory, authority):
    """(key, image, exported state folder) of a manufactured TPM."""
    folder = tmp_path_factory.mktemp("made")
    key, image = empty_volume(folder)
    ok("tpm", "manufacture", "--ca", authority, "-k", key, image)
    ok("tpm", "export", "-k", key, image, folder / "swtpm")
    return key, image, folder / "swtpm"


@pytest.fixture(name="volume")
def fixture_volume(fresh, tmp_path):
    return fresh[0], copy(fresh[1], tmp_path / "image")


def objects(key, image):
    return ok("image", "ls", "-k", key, image).decode().split()


def state_of(key, image, folder):
    ok("tpm", "export", "-k", key, image, folder)
    return (folder / STATE).read_bytes()


# --- The authority ---

def test_authority_is_a_root(authority):
    assert stat.S_IMODE(os.stat(authority / "ca.key").st_mode) == 0o600
    assert stat.S_IMODE(os.stat(authority / "ca.pem").st_mode) == 0o644
    openssl("verify", "-x509_strict", "-CAfile", authority / "ca.pem", authority / "ca.pem")
    text = openssl("x509", "-in", authority / "ca.pem", "-noout", "-text").decode()
    assert re.search(r"Basic Constraints: critical\s+CA:TRUE, pathlen:0", text)
    assert re.search(r"Key Usage: critical\s+Certificate Sign, CRL Sign", text)
    assert "NIST CURVE: P-384" in text and "ecdsa-with-SHA384" in text


def test_authority_is_never_replaced(authority, tmp_path):
    before = (authority / "ca.key").read_bytes()
    fails("EXISTS", "ca", "init", authority)
    assert (authority / "ca.key").read_bytes() == before
    for name in ("ca.key", "ca.pem"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text("something")
        fails("EXISTS", "ca", "init", folder)
        assert [path.name for path in folder.iterdir()] == [name]


def test_authority_has_the_given_name_and_days(tmp_path):
    ok("ca", "init", "--subject", "CN=Lab,O=Example\\, Ltd", "--days", "10", tmp_path / "ca")
    text = openssl("x509", "-in", tmp_path / "ca" / "ca.pem", "-noout", "-subject", "-enddate",
                   "-checkend", 9 * 86400).decode()
    assert 'CN = Lab, O = "Example, Ltd"' in text and "will not expire" in text
    for name in ("nonsense", "", "CN", "CN=", "=x", "XX=x", "CN=a,OU=b,OU=c"):
        fails("INVALID", "ca", "init", "--subject", name, tmp_path / "no")
    for days in ("0", "-1", "x", "36501", "1x", ""):
        usage("ca", "init", f"--days={days}", tmp_path / "no")
    assert not (tmp_path / "no").exists()


# --- Manufacture ---

def test_certificates_are_of_the_keys(made_tpm, authority, tmp_path):
    """What a verifier does: chain, and the key in the certificate is the one at the handle."""
    with tpm_guest.running(made_tpm[2]) as tpm2:
        for handle, index in ENDORSEMENT.values():
            pem = tpm_guest.certificate_of(tpm2, index, tmp_path)
            openssl("verify", "-x509_strict", "-CAfile", authority / "ca.pem", pem)
            assert openssl("x509", "-in", pem, "-noout", "-pubkey") == \
                tpm_guest.key_of(tpm2, handle, tmp_path)


def test_certificates_follow_the_profile(made_tpm, tmp_path):
    with tpm_guest.running(made_tpm[2]) as tpm2:
        texts = {name: openssl("x509", "-noout", "-text", "-in",
                               tpm_guest.certificate_of(tpm2, index, tmp_path)).decode()
                 for name, (_, index) in ENDORSEMENT.items()}
        properties = tpm2("getcap", "properties-fixed").decode()
    version = re.search(r"TPM2_PT_FIRMWARE_VERSION_1:\s+raw: 0x(\w+)", properties).group(1)
    assert re.search(r"Key Usage: critical\s+Key Encipherment\n", texts["rsa"])
    assert re.search(r"Key Usage: critical\s+Key Agreement\n", texts["p384"])
    for text in texts.values():
        assert re.search(r"Subject: *\n", text)
        assert re.search(r"Subject Alternative Name: critical\s+DirName:/2\.23\.133\.2\.1="
                         r"id:49424D00/2\.23\.133\.2\.2=SW   TPM/2\.23\.133\.2\.3="
                         f"id:{version}", text)
        assert re.search(r"Extended Key Usage: *\n\s+2\.23\.133\.8\.1\n", text)
        assert re.search(r"Basic Constraints: critical\s+CA:FALSE", text)
        assert "Subject Directory Attributes" in text and "Authority Key Identifier" in text
    serials = [re.search(r"Serial Number:\s+(\S+)", text).group(1) for text in texts.values()]
    assert serials[0] != serials[1]


def test_specification_is_of_libtpms(made_tpm, tmp_path):
    """SubjectDirectoryAttributes as openssl's parser sees it: family 2.0, level 0, a revision."""
    with tpm_guest.running(made_tpm[2]) as tpm2:
        pem = tpm_guest.certificate_of(tpm2, ENDORSEMENT["rsa"][1], tmp_path)
        properties = tpm2("getcap", "properties-fixed").decode()
    dump = openssl("asn1parse", "-in", pem).decode()
    at = int(re.search(r"Directory Attributes\n\s*(\d+):", dump).group(1))
    inner = openssl("asn1parse", "-in", pem, "-strparse", at).decode()
    revision = re.search(r"TPM2_PT_REVISION:\s+raw: 0x(\w+)", properties).group(1)
    assert re.search(r"OBJECT\s+:2\.23\.133\.2\.16\n", inner)
    assert re.search(rf"UTF8STRING\s+:2\.0\n.*INTEGER\s+:00\n.*INTEGER\s+:{revision}\n", inner,
                     re.I)


def test_stock_tools_find_the_keys(made_tpm, tmp_path):
    """tpm2_createek makes the same keys from the same templates; the SRK is there too."""
    with tpm_guest.running(made_tpm[2]) as tpm2:
        for name, algorithm in (("rsa", "rsa"), ("p384", "ecc384")):
            tpm2("createek", "-G", algorithm, "-c", tmp_path / "ek.ctx", "-f", "pem", "-u",
                 tmp_path / "ek.pem")
            assert openssl("pkey", "-pubin", "-in", tmp_path / "ek.pem") == \
                tpm_guest.key_of(tpm2, ENDORSEMENT[name][0], tmp_path)
        tpm2("getekcertificate", "-o", tmp_path / "ek.der")
        tpm2("nvread", hex(ENDORSEMENT["rsa"][1]), "-o", tmp_path / "nv.der")
        assert (tmp_path / "ek.der").read_bytes() == (tmp_path / "nv.der").read_bytes()
        srk = tpm2("readpublic", "-c", hex(SRK)).decode()
        assert "NIST p256" in srk and "restricted|decrypt" in srk and "noda" in srk
        banks = tpm2("getcap", "pcrs").decode()
        assert re.findall(r"(sha\d+): \[ 0,", banks) == ["sha256", "sha384"]


def test_certificates_cannot_be_changed_by_the_owner(made_tpm, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / STATE).write_bytes((made_tpm[2] / STATE).read_bytes())
    (tmp_path / "x").write_bytes(b"x")
    with tpm_guest.running(state) as tpm2:
        index = hex(ENDORSEMENT["rsa"][1])
        for command in (("nvwrite", index, "-C", "o", "-i", tmp_path / "x"),
                        ("nvwrite", index, "-C", "p", "-i", tmp_path / "x"),
                        ("nvundefine", index, "-C", "o")):
            with pytest.raises(Exception):
                tpm2(*command)
        tpm2("clear")
        assert index[2:].lstrip("0") in tpm2("getcap", "handles-nv-index").decode().lower()


def test_every_tpm_is_another(volume, authority, tmp_path):
    key, image = volume
    keys = []
    for number in range(2):
        ok("tpm", "manufacture", "--force", "--ca", authority, "-k", key, image)
        folder = tmp_path / str(number)
        state_of(key, image, folder)
        with tpm_guest.running(folder) as tpm2:
            keys += [tpm_guest.key_of(tpm2, handle, tmp_path)
                     for handle in (SRK, *(handle for handle, _ in ENDORSEMENT.values()))]
    assert len(set(keys)) == 6


def test_without_certificates(volume, tmp_path):
    key, image = volume
    ok("tpm", "manufacture", "--without-certificates", "-k", key, image)
    state_of(key, image, tmp_path / "s")
    with tpm_guest.running(tmp_path / "s") as tpm2:
        handles = tpm2("getcap", "handles-persistent").decode()
        assert all(f"{handle:#x}" in handles.lower() for handle in (SRK, 0x81010001, 0x81010016))
        assert tpm2("getcap", "handles-nv-index") == b""


def test_manufacture_needs_a_decision(volume, authority):
    key, image = volume
    usage("tpm", "manufacture", "-k", key, image)
    usage("tpm", "manufacture", "-k", key, "--ca", authority, "--without-certificates", image)
    usage("tpm", "manufacture", "--ca", authority, image)
    assert objects(key, image) == []


def test_a_tpm_is_never_replaced_unasked(made_tpm, authority, tmp_path):
    key, image, exported = made_tpm
    before = state_of(key, image, tmp_path / "before")
    fails("EXISTS", "tpm", "manufacture", "--ca", authority, "-k", key, image)
    fails("EXISTS", "tpm", "import", "-k", key, image, exported)
    assert state_of(key, image, tmp_path / "after") == before


def bad_authorities(authority, folder):
    """(what, folder, status) of authorities that must not sign."""
    def copied(name):
        target = folder / name
        target.mkdir()
        for file in ("ca.key", "ca.pem"):
            (target / file).write_bytes((authority / file).read_bytes())
        return target

    def self_signed(name, *arguments):
        target = folder / name
        target.mkdir()
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes",
                "-subj", "/CN=x", "-keyout", target / "ca.key", "-out", target / "ca.pem",
                *arguments)
        return target

    yield "absent", folder / "absent", "NO_KEY"
    (copied("no key") / "ca.key").unlink()
    yield "no key", folder / "no key", "NO_KEY"
    (copied("no certificate") / "ca.pem").unlink()
    yield "no certificate", folder / "no certificate", "NO_KEY"
    for name in ("ca.key", "ca.pem"):
        (copied(f"damaged {name}") / name).write_bytes(b"-----BEGIN NOTHING-----\n")
        yield f"damaged {name}", folder / f"damaged {name}", "NO_KEY"
        (copied(f"empty {name}") / name).write_bytes(b"")
        yield f"empty {name}", folder / f"empty {name}", "NO_KEY"
    ok("ca", "init", folder / "other")
    (copied("mixed") / "ca.key").write_bytes((folder / "other" / "ca.key").read_bytes())
    yield "another's key", folder / "mixed", "NO_KEY"
    yield "no authority", self_signed("leaf", "-addext", "basicConstraints=critical,CA:FALSE"), \
        "INVALID"
    yield "may not sign", self_signed("usage", "-addext", "keyUsage=digitalSignature"), "INVALID"
    expired = self_signed("expired")
    past = openssl("x509", "-in", expired / "ca.pem", "-signkey", expired / "ca.key", "-days", "-1")
    (expired / "ca.pem").write_bytes(past)
    yield "expired", expired, "INVALID"


def test_bad_authorities_sign_nothing(volume, authority, tmp_path):
    key, image = volume
    for what, folder, status in bad_authorities(authority, tmp_path):
        done = run("tpm", "manufacture", "--ca", folder, "-k", key, image)
        assert status_of(done) == status, what
    assert objects(key, image) == []


def test_certificate_too_large_for_an_index(volume, tmp_path):
    """The issuer's name is in each certificate."""
    key, image = volume
    kinds = ("CN", "O", "OU", "L", "ST", "SN", "title", "initials")
    name = ",".join(f"{kind}={'y' * 250}" for kind in kinds)
    ok("ca", "init", "--subject", name, tmp_path / "ca")
    done = fails("TOO_LARGE", "tpm", "manufacture", "--ca", tmp_path / "ca", "-k", key, image)
    assert b"shorter name" in done.stderr
    assert objects(key, image) == []


def test_somebody_elses_authority_signs_too(volume, tmp_path):
    """An RSA authority as openssl makes it."""
    key, image = volume
    folder = tmp_path / "ca"
    folder.mkdir()
    openssl("req", "-x509", "-newkey", "rsa:3072", "-nodes", "-subj", "/O=Example/CN=Root", "-days",
            "30", "-addext", "keyUsage=critical,keyCertSign", "-keyout", folder / "ca.key",
            "-out", folder / "ca.pem")
    ok("tpm", "manufacture", "--ca", folder, "-k", key, image)
    state_of(key, image, tmp_path / "s")
    with tpm_guest.running(tmp_path / "s") as tpm2:
        pem = tpm_guest.certificate_of(tpm2, ENDORSEMENT["p384"][1], tmp_path)
    openssl("verify", "-x509_strict", "-CAfile", folder / "ca.pem", pem)
    # Never longer than the authority, though ten years are the default.
    text = openssl("x509", "-in", pem, "-noout", "-checkend", 29 * 86400, "-enddate").decode()
    assert "will not expire" in text
    ends = [openssl("x509", "-in", path, "-noout", "-enddate") for path in (pem, folder / "ca.pem")]
    assert ends[0] == ends[1]


# --- Issue ---

def test_issues_for_a_key_made_elsewhere(made_tpm, authority, tmp_path):
    with tpm_guest.running(made_tpm[2]) as tpm2:
        for number, (handle, _) in enumerate(ENDORSEMENT.values()):
            public, der = tmp_path / f"{number}.pub", tmp_path / f"{number}.der"
            tpm2("readpublic", "-c", hex(handle), "-o", public)
            ok("ca", "issue", "--days", "7", authority, public, der)
            pem = tmp_path / f"{number}.pem"
            openssl("x509", "-inform", "der", "-in", der, "-out", pem)
            openssl("verify", "-x509_strict", "-CAfile", authority / "ca.pem", pem)
            assert openssl("x509", "-in", pem, "-noout", "-pubkey") == \
                tpm_guest.key_of(tpm2, handle, tmp_path)
            fails("EXISTS", "ca", "issue", authority, public, der)
            ok("ca", "issue", "--force", authority, public, der)
        tpm2("readpublic", "-c", hex(SRK), "-o", tmp_path / "srk.pub")
    fails("UNSUPPORTED", "ca", "issue", authority, tmp_path / "srk.pub", tmp_path / "srk.der")
    good = (tmp_path / "0.pub").read_bytes()
    for name, content in (("short", good[:-1]), ("long", good + b"x"), ("empty", b""),
                          ("even", good[:-1] + bytes([good[-1] & 0xFE])),
                          ("endless", good * 100)):
        (tmp_path / name).write_bytes(content)
        fails("INVALID", "ca", "issue", authority, tmp_path / name, tmp_path / "no.der")
    curve = (tmp_path / "1.pub").read_bytes()
    (tmp_path / "off").write_bytes(curve[:-1] + bytes([curve[-1] ^ 1]))
    fails("INVALID", "ca", "issue", authority, tmp_path / "off", tmp_path / "no.der")
    fails("NOT_FOUND", "ca", "issue", authority, tmp_path / "absent", tmp_path / "no.der")
    assert not (tmp_path / "no.der").exists() and not (tmp_path / "srk.der").exists()


# --- Import and export ---

def test_import_and_export_change_nothing(made_tpm, volume, tmp_path):
    key, image = volume
    ok("tpm", "import", "-k", key, image, made_tpm[2])
    assert state_of(key, image, tmp_path / "s") == (made_tpm[2] / STATE).read_bytes()
    assert stat.S_IMODE(os.stat(tmp_path / "s" / STATE).st_mode) == 0o600
    fails("EXISTS", "tpm", "export", "-k", key, image, tmp_path / "s")
    ok("tpm", "export", "--force", "-k", key, image, tmp_path / "s")


def test_swtpms_own_state_comes_over(volume, tmp_path):
    """Made by swtpm, used, imported, exported, and used by swtpm again."""
    key, image = volume
    (tmp_path / "a").mkdir()
    (tmp_path / "data").write_bytes(b"kept by swtpm")
    with tpm_guest.running(tmp_path / "a") as tpm2:
        tpm2("nvdefine", "0x1500020", "-C", "o", "-s", "13")
        tpm2("nvwrite", "0x1500020", "-C", "o", "-i", tmp_path / "data")
        fails("BUSY", "tpm", "import", "-k", key, image, tmp_path / "a")
        tpm2("shutdown", "-c")
    ok("tpm", "import", "-k", key, image, tmp_path / "a")
    state_of(key, image, tmp_path / "b")
    with tpm_guest.running(tmp_path / "b") as tpm2:
        assert tpm2("nvread", "0x1500020", "-C", "o") == b"kept by swtpm"
        fails("BUSY", "tpm", "export", "--force", "-k", key, image, tmp_path / "b")


def test_encrypted_states_are_refused_by_name(volume, tmp_path):
    key, image = volume
    for bits in (128, 256):
        state = tmp_path / str(bits)
        state.mkdir()
        (tmp_path / "pass").write_text("00112233445566778899aabbccddeeff" * (bits // 128))
        with tpm_guest.running(state, "--key",
                               f"file={tmp_path / 'pass'},format=hex,mode=aes-{bits}-cbc") as tpm2:
            tpm2("getrandom", "4")
        done = fails("UNSUPPORTED", "tpm", "import", "-k", key, image, state)
        assert b"encrypted" in done.stderr
    assert objects(key, image) == []


def damaged_files(good):
    """(what, content, statuses)."""
    yield "empty", b"", {"INVALID"}
    yield "header only", good[:10], {"INVALID"}
    yield "cut", good[:-1], {"INVALID"}
    yield "longer", good + b"x", {"INVALID"}
    yield "another file", os.urandom(3000), {"INVALID"}
    yield "zeroes", bytes(len(good)), {"INVALID"}
    yield "later format", bytes([3, 3]) + good[2:], {"NEWER_FORMAT"}
    yield "endless", good + bytes(300 * 1024), {"TOO_LARGE"}

    def with_state(state):
        head = struct.pack(">BBHHIHI", 2, 1, 10, 0, 16 + len(state), 1, len(state))
        return head + state
    yield "no state", with_state(b""), {"INVALID"}
    yield "not libtpms'", with_state(b"hello"), {"INVALID"}
    yield "cut state", with_state(good[16:-40]), {"INVALID"}
    yield "later libtpms", with_state(good[16:22] + b"\xff\xff" + good[24:]), {"INVALID"}
    yield "wrong magic", with_state(good[16:18] + bytes(4) + good[22:]), {"INVALID"}
    # libtpms 0.9 is killed by these two, in its own process. A later one may notice.
    for at, bit in ((1378, 0x20), (1636, 0x40)):
        yield f"byte {at}", good[:at] + bytes([good[at] ^ bit]) + good[at + 1:], \
            {"FAULTED", "INVALID"}


def test_damaged_states_are_refused_by_name(volume, tmp_path):
    key, image = volume
    ok("tpm", "manufacture", "--without-certificates", "-k", key, image)
    good = state_of(key, image, tmp_path / "good")
    ok("image", "rm", "-k", key, image, "vtpm0.permall")
    state = tmp_path / "state"
    state.mkdir()
    fails("NOT_FOUND", "tpm", "import", "-k", key, image, state)
    for what, content, statuses in damaged_files(good):
        (state / STATE).write_bytes(content)
        done = run("tpm", "import", "-k", key, image, state)
        assert status_of(done) in statuses, (what, done.stderr)
    assert objects(key, image) == []
    (state / STATE).write_bytes(good)
    ok("tpm", "import", "-k", key, image, state)


def test_volumes_without_a_tpm(fresh, tmp_path):
    key, image = fresh
    fails("NOT_FOUND", "tpm", "export", "-k", key, image, tmp_path / "s")
    assert not (tmp_path / "s").exists()
    disk = tmp_path / "disk"
    ok("image", "create", "--profile", "block", "--size", "16M", "-k", key, disk)
    for command in ("manufacture", "--without-certificates"), ("export",):
        words = [*command, "-k", key, disk] + ([tmp_path / "s"] if command[0] == "export" else [])
        fails("UNSUPPORTED", "tpm", *words)


def test_an_object_that_is_no_state_is_not_exported(volume, tmp_path):
    key, image = volume
    ok("image", "put", "-k", key, image, "vtpm0.permall", "-", input=b"")
    fails("INVALID", "tpm", "export", "-k", key, image, tmp_path / "s")


def test_wrong_key_changes_nothing(volume, authority, tmp_path):
    key, image = volume
    ok("key", "generate", tmp_path / "other")
    fails("WRONG_KEY", "tpm", "manufacture", "--ca", authority, "-k", tmp_path / "other", image)
    assert objects(key, image) == []


# --- Several ---

def test_a_volume_holds_eight(made_tpm, tmp_path):
    """In the smallest volume, each with as much state as it may have."""
    key, image = made_tpm[0], copy(made_tpm[1], tmp_path / "image")
    for number in range(1, 8):
        ok("tpm", "manufacture", "--without-certificates", "--instance", number, "-k", key, image)
    ports = ["org.holdfast.tpm"] + [f"org.holdfast.tpm.{number}" for number in range(1, 8)]
    rows = "".join(f"{number} {port}\n" for number, port in enumerate(ports))
    assert ok("tpm", "list", "-k", key, image).decode() == rows
    listed = json.loads(ok("tpm", "list", "--json", "-k", key, image))
    assert [(entry["number"], entry["port"]) for entry in listed["tpms"]] == \
        list(enumerate(ports))
    states = {state_of_number(key, image, number, tmp_path) for number in range(8)}
    assert len(states) == 8
    for number in range(8):
        ok("image", "put", "-k", key, image, f"vtpm{number}.permall", "-",
           input=os.urandom(256 * 1024))


def state_of_number(key, image, number, folder):
    ok("tpm", "export", "--instance", number, "-k", key, image, folder / f"s{number}")
    return (folder / f"s{number}" / STATE).read_bytes()


def test_one_of_several_is_deleted(made_tpm, tmp_path):
    key, image = made_tpm[0], copy(made_tpm[1], tmp_path / "image")
    ok("tpm", "import", "--instance", "3", "-k", key, image, made_tpm[2])
    fails("EXISTS", "tpm", "import", "--instance", "3", "-k", key, image, made_tpm[2])
    before = state_of_number(key, image, 0, tmp_path)
    usage("tpm", "delete", "-k", key, image)
    fails("NOT_FOUND", "tpm", "delete", "--instance", "2", "-k", key, image)
    ok("tpm", "delete", "--instance", "3", "-k", key, image)
    fails("NOT_FOUND", "tpm", "export", "--instance", "3", "-k", key, image, tmp_path / "no")
    assert objects(key, image) == ["vtpm0.permall"]
    ok("tpm", "export", "--force", "--instance", "0", "-k", key, image, tmp_path / "s0")
    assert (tmp_path / "s0" / STATE).read_bytes() == before
    for number in ("8", "-1", "x", "00", ""):
        usage("tpm", "export", f"--instance={number}", "-k", key, image, tmp_path / "no")
