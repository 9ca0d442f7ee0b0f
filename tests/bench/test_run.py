# SPDX-License-Identifier: MIT
"""./bench from outside: a run of seconds, one whose peer is broken, questions without a run."""

import json
import os
import subprocess

from benchmarks import ROOT

SHORT = ["--repetitions", "2", "--seconds", "0.1", "--size", "8"]
RUN_S = 300


def bench(*words, **environment):
    return subprocess.run([os.path.join(ROOT, "bench"), *map(str, words)], capture_output=True,
                          text=True, check=False, timeout=RUN_S,
                          env={**os.environ, **environment})


def test_a_short_run(tmp_path):
    out = tmp_path / "out.json"
    done = bench("--only", "storage/(raw|volume|host-libaio)/rr4k-qd32",
                 "--only", "vtpm/swtpm/GetRandom", *SHORT, "--json", out, "--report", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(out.read_text())
    assert set(data["samples"]) == {"raw", "volume", "host-libaio", "swtpm"}
    for of_side in data["samples"].values():
        for repetitions in of_side.values():
            assert len(repetitions) == 2 and all(repetitions)
    assert [turn["side"] for turn in data["loads"]][:4] == \
        [turn["side"] for turn in data["loads"]][:3:-1]  # A B B A.
    pairs = {(row["ours"], row["theirs"]) for row in data["comparisons"]}
    assert pairs == {("raw", "host-libaio"), ("volume", "raw")}
    assert "holdfast.fio=volume" in data["commands"]["volume"]
    assert not data["is_everything"]
    page = (tmp_path / "index.html").read_text()
    assert "<svg" in page and "host-libaio" in page
    assert "repetition 2 of 2: raw" in done.stdout and "left" in done.stdout


def test_a_broken_peer_is_named_and_the_rest_measured(tmp_path):
    fake = tmp_path / "bin" / "fio"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho no luck today\nexit 3\n")
    fake.chmod(0o755)
    out = tmp_path / "out.json"
    done = bench("--only", "storage/(raw|host-libaio)/rr4k-qd1$", *SHORT, "--json", out,
                 "--report", tmp_path, PATH=f"{fake.parent}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert "failed: host-libaio, repetition 1: no luck today" in done.stdout
    data = json.loads(out.read_text())
    assert all(data["samples"]["raw"]["rr4k-qd1"])
    assert data["samples"]["host-libaio"]["rr4k-qd1"] == [None, None]
    assert "no luck today" in (tmp_path / "index.html").read_text()


def test_a_build_against_itself_runs_it_twice(tmp_path):
    """How alike they come out is a matter of who else runs; 2 says that it was asked."""
    done = bench("--self", "--only", "raw.*/rr4k-qd1$", *SHORT, "--json", tmp_path / "out.json",
                 "--report", tmp_path)
    assert done.returncode in (0, 2), done.stdout + done.stderr
    data = json.loads((tmp_path / "out.json").read_text())
    assert {(row["ours"], row["theirs"]) for row in data["comparisons"]} == {("raw", "raw-again")}
    in_range = all(0.9 <= row["ratio"]["median"] <= 1.1 for row in data["comparisons"])
    assert (done.returncode == 0) == in_range


def test_cases_are_listed():
    done = bench("--list")
    assert done.returncode == 0
    listed = {line.split("  ")[0] for line in done.stdout.splitlines()}
    assert {"storage/raw/rr4k-qd1", "storage/gcm-nojournal/sw128k-qd8", "nbd/nbd-luks/rw4k-flush",
            "vtpm/swtpm-msync/NV_Write 1024", "counted/volume/rr4k-qd1"} <= listed
    only = bench("--list", "--only", "counted/raw/.*flush")
    assert only.stdout.split()[0] == "counted/raw/rw4k-flush" and only.stdout.count("\n") == 1


def test_a_name_without_a_case_is_an_error():
    done = bench("--only", "no such case")
    assert done.returncode == 1 and "./bench --list" in done.stderr
