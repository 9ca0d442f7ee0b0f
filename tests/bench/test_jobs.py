# SPDX-License-Identifier: MIT
"""The job files of benchmarks/jobs, unchanged on the host's fio, on fio in a Linux guest and in our
kernel: what all three say has one schema."""

import json
import os
import subprocess

import pytest

from benchmarks import counted, guests, jobs, storage
from benchmarks.place import Place

SIZE_MIB = 8


@pytest.fixture
def place(tmp_path):
    return Place(str(tmp_path), 0.1, SIZE_MIB)


@pytest.fixture(scope="module", params=jobs.names())
def name(request):
    return request.param


def text_of(name):
    with open(os.path.join(jobs.FOLDER, name), encoding="utf-8") as file:
        return file.read()


def test_parse_and_subset():
    parsed = jobs.parse("; c\n[global]\nbs=4k\n[a]\nrw=read\n[b]\nbs = 8k\n")
    assert list(parsed.sections) == ["a", "b"]
    assert parsed.subset(["b"]) == "; c\n[global]\nbs=4k\n[b]\nbs = 8k\n"
    with pytest.raises(jobs.JobFileError, match="no job c"):
        parsed.subset(["a", "c"])
    with pytest.raises(jobs.JobFileError, match="two jobs a"):
        jobs.parse("[a]\n[a]\n")


@pytest.mark.parametrize("job,why", [
    ({"error": 5, "holdfast": {"error_name": "IO"}}, "j failed: IO"),
    ({"error": 5}, "j failed: error 5"),
    ({"error": 0}, "completed nothing"),
])
def test_a_job_that_failed_has_no_figures(job, why):
    idle = {"total_ios": 0}
    with pytest.raises(jobs.JobFileError, match=why):
        jobs.figures({"jobname": "j", "read": idle, "write": idle, **job})


def test_the_figures_are_those_of_the_larger_side():
    def part(ios):
        return {"total_ios": ios, "iops": ios, "bw_bytes": 1 << 21,
                "clat_ns": {"mean": 5000.0, "percentile": {"50.000000": 4000, "99.900000": 9000}}}
    found = jobs.figures({"jobname": "j", "error": 0, "read": part(3), "write": part(7)})
    assert found == {"iops": 7, "mib_s": 2, "mean_us": 5, "p50_us": 4, "p90_us": None,
                     "p99_us": None, "p999_us": 9}


def test_fio_itself_takes_the_file(name, place):
    path = os.path.join(jobs.FOLDER, name)
    done = subprocess.run(["fio", "--parse-only", path], capture_output=True, text=True,
                          env={**os.environ, **place.variables("/dev/null")}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def schema(value, path=""):
    """{path: type} of all that has a value."""
    if isinstance(value, dict):
        return {at: kind for key, item in value.items()
                for at, kind in schema(item, f"{path}/{key}").items()}
    return {path: type(value).__name__}


def is_shared(path):
    """Not what only the kernel says, nor what a job file does: fio repeats it word by word."""
    return not path.startswith(("/holdfast/", "/job options/"))


def run_on_host(place, text):
    """What fio writes, not only our figures of it."""
    side = storage.HostFio(place, "psync")
    storage.run_fio(side, text, 20, place.variables(place.raw_image(), "io_uring"))
    with open(place.path("host.json"), encoding="utf-8") as file:
        said = file.read()
    return json.loads(said[said.index("{"):])["jobs"]


class RecordingLinux(guests.Linux):
    """Keeps what fio in the guest said."""

    def boot(self, *arguments):
        said = super().boot(*arguments)
        self.jobs = guests.guest_json(said)
        return said


def test_one_file_on_three_systems(name, place):
    text = text_of(name)
    sections = list(jobs.load(name).sections)
    host = run_on_host(place, text)
    guest = RecordingLinux(place, "linux", "")
    guest.run(text, len(sections))
    ours = list(storage.Holdfast(place, "raw", "raw", "").results(text, len(sections)).values())
    for found in (host, guest.jobs, ours):
        assert [job["jobname"] for job in found] == sections
        for job in found:
            assert job["error"] == 0
            if name != "verify.fio":  # Both directions: no single figure.
                assert jobs.figures(job)["iops"] > 0
    for of_host, of_guest, of_kernel in zip(host, guest.jobs, ours):
        shared = {at: kind for at, kind in schema(of_kernel).items() if is_shared(at)}
        assert shared.items() <= schema(of_host).items()
        assert shared.items() <= schema(of_guest).items()


def test_what_a_request_costs_is_counted(place):
    found = counted.measure(place, "raw", ["rr4k-qd32", "rw4k-flush"])
    read, write = found["rr4k-qd32"], found["rw4k-flush"]
    assert read["requests"] == write["requests"] == SIZE_MIB * 256
    assert (read["device_reads"], read["device_writes"], read["device_flushes"]) == (1, 0, 0)
    assert read["device_bytes_a_byte"] == write["device_bytes_a_byte"] == 1
    assert 1 / 32 <= read["notifications"] <= 0.25
    assert (write["device_writes"], write["device_flushes"]) == (1, 1)
    assert read["visibility_changes"] == write["visibility_changes"] == 0
    # At least a copy of 4 KiB in words of 8 bytes; not what a busy host makes of it.
    assert 512 < read["instructions"] < 100000
    assert "instructions" not in write
