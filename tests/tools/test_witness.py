# SPDX-License-Identifier: MIT
"""The freshness witness, from the command line: rollbacks, clones, forks, backups."""

import json

import pytest

from program import EXITS, copy, fails, ok, put, run, status_of, usage


class Volume:
    def __init__(self, folder, *create):
        self.key, self.image, self.witness = folder / "key", folder / "image", folder / "witness"
        self.folder = folder
        ok("key", "generate", self.key)
        ok("image", "create", "--size", "8M", "-k", self.key, "--witness", self.witness, *create,
           self.image)

    def ok(self, *command, image=None, witness=True):
        return ok(*command, "-k", self.key, *self.port(witness), image or self.image)

    def port(self, witness=True):
        return ("--witness", self.witness) if witness else ()

    def put(self, text, image=None):
        source = self.folder / "source"
        source.write_bytes(text)
        return run("image", "put", "-k", self.key, *self.port(), image or self.image, "a", source)

    def info(self, image=None, witness=True):
        return json.loads(self.ok("image", "info", "--json", image=image, witness=witness))

    def snapshot(self, name):
        return copy(self.image, self.folder / name)


def named(done, status):
    assert done.returncode == EXITS[status] and status_of(done) == status
    return done


@pytest.fixture
def strict(tmp_path):
    return Volume(tmp_path, "--policy", "strict")


def test_create_enrols(strict):
    info = strict.info()
    assert info["witness_policy"] == "strict" and info["freshness"] == "anchored"
    shown = json.loads(ok("witness", "show", "--json", strict.witness))["volumes"]
    assert [row["uuid"] for row in shown] == [info["uuid"]]
    assert shown[0]["sequence"] == info["sequence"]
    assert strict.put(b"one").returncode == 0
    shown = json.loads(ok("witness", "show", "--json", strict.witness))["volumes"]
    assert shown[0]["sequence"] == strict.info()["sequence"] > info["sequence"]
    assert (strict.witness.stat().st_mode & 0o777) == 0o600


def test_every_earlier_image_is_a_rollback(strict):
    older = []
    for i in range(4):
        older.append(strict.snapshot(f"old{i}"))
        assert strict.put(b"x%d" % i).returncode == 0
    for image in older:
        named(strict.put(b"y", image), "ROLLBACK")
        named(run("image", "ls", "-k", strict.key, *strict.port(), image), "ROLLBACK")
        # Without the witness it can be looked at, and says what it is.
        assert strict.info(image=image, witness=False)["freshness"] == "unanchored"
    assert strict.info()["freshness"] == "anchored"


def test_no_commit_without_the_witness(strict):
    source = strict.folder / "source"
    source.write_bytes(b"z")
    named(run("image", "put", "-k", strict.key, strict.image, "a", source), "UNANCHORED")
    strict.ok("image", "verify", witness=False)


def test_a_copy_that_went_its_own_way_is_a_fork(tmp_path):
    volume = Volume(tmp_path, "--policy", "open")
    branch = volume.snapshot("branch")
    for text in (b"one", b"two"):
        put(branch, volume.key, "a", text)
    assert volume.put(b"three").returncode == 0
    assert volume.info()["freshness"] == "behind"
    volume.ok("image", "policy", "--policy", "bounded:3,60")
    assert volume.info()["witness_policy"] == "bounded:3,60"
    for text in (b"four", b"five", b"six", b"seven"):
        put(branch, volume.key, "a", text)
    named(volume.put(b"x", branch), "FORK")


def test_enrolment_is_a_decision(strict):
    other = strict.folder / "other"
    fails("NOT_FOUND", "image", "ls", "-k", strict.key, "--witness", other, strict.image)
    assert not other.exists()
    # The volume had a witness: another one cannot tell whether it is the newest.
    named(run("witness", "init", "-k", strict.key, "--witness", other, strict.image),
          "NOT_ENROLLED")
    ok("witness", "init", "-k", strict.key, "--witness", other, "--accept-rollback", strict.image)
    assert run("image", "ls", "-k", strict.key, "--witness", other, strict.image).returncode == 0


def test_restoring_is_a_decision(strict):
    assert strict.put(b"one").returncode == 0
    backup = strict.folder / "backup"
    ok("image", "backup", "-k", strict.key, *strict.port(), strict.image, backup)
    assert strict.put(b"two").returncode == 0
    abandoned = strict.snapshot("abandoned")
    restore = ("image", "restore", "--force", "-k", strict.key, *strict.port())
    named(run(*restore, backup, strict.image), "ROLLBACK")
    ok(*restore, "--accept-rollback", backup, strict.image)
    assert strict.ok("image", "ls") == b"a\n"
    assert strict.put(b"three").returncode == 0
    assert run("image", "ls", "-k", strict.key, *strict.port(), abandoned).returncode in (3, 4)


def test_a_lost_witness_can_be_given_up(strict):
    strict.witness.unlink()
    named(run("image", "policy", "-k", strict.key, "--policy", "open", strict.image),
          "UNANCHORED")
    ok("image", "policy", "-k", strict.key, "--policy", "open", "--accept-rollback", strict.image)
    put(strict.image, strict.key, "a", b"free")


@pytest.mark.parametrize("content", [b"", b"garbage", b"holdfast-witness 1\n", b"\0" * 60000,
                                     b"holdfast-witness 1\nend 1\n",
                                     b"holdfast-witness 1\nend 0\nmore"], ids=range(6))
def test_foreign_content_is_named(strict, content):
    strict.witness.write_bytes(content)
    done = fails("BAD_CONFIG", "image", "ls", "-k", strict.key, *strict.port(), strict.image)
    assert "witness" in str(done.stderr)
    fails("BAD_CONFIG", "witness", "show", strict.witness)
    fails("BAD_CONFIG", "witness", "init", "-k", strict.key, *strict.port(), strict.image)
    assert strict.witness.read_bytes() == content


def test_a_later_version_is_named(strict):
    strict.witness.write_bytes(b"holdfast-witness 2\nwhatever")
    fails("NEWER_FORMAT", "witness", "show", strict.witness)


def test_wrong_command_lines(strict):
    for policy in ("", "none", "bounded", "bounded:", "bounded:0", "bounded:1,", "bounded:1,0",
                   "bounded:4294967296", "bounded:1,2,3", "bounded:-1"):
        usage("image", "policy", "-k", strict.key, *strict.port(), "--policy", policy, strict.image)
    usage("image", "policy", "-k", strict.key, *strict.port(), strict.image)
    usage("image", "create", "-k", strict.key, "--policy", "strict", strict.folder / "new")
    usage("witness", "init", "-k", strict.key, strict.image)
