# SPDX-License-Identifier: MIT
"""The kernel as a storage benchmark: job files in, fio's JSON out (kernel/fio_service.h)."""

import json
import os

from harness import vm

PORT = "org.holdfast.fio"
PORT_NUMBER = 4  # vm.qemu_command has those below.


def options(folder, disk, target, jobs, variables=None, key=None, append="", **more):
    """VmOptions of a VM that runs the jobs (text) on `disk` and ends. target: raw, volume."""
    job_path = os.path.join(folder, "jobs.fio")
    with open(job_path, "w", encoding="utf-8") as file:
        file.write(jobs)
    extra = ["-fw_cfg", f"name=opt/org.holdfast/fio,file={job_path}"]
    if variables:
        path = os.path.join(folder, "variables")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in variables.items())
        extra += ["-fw_cfg", f"name=opt/org.holdfast/fio-variables,file={path}"]
    extra += ["-chardev", f"file,id=fio,path={output_path(folder)}",
              "-device", f"virtserialport,chardev=fio,nr={PORT_NUMBER},name={PORT}"]
    return vm.VmOptions(folder=folder, disks=[disk], key=key, extra=extra,
                        serial=f"max_ports={PORT_NUMBER + 1}",
                        memory_mib=more.pop("memory_mib", 256),
                        append=f"holdfast.fio={target} {append}", **more)


def output_path(folder):
    return os.path.join(folder, "fio.json")


def results(folder):
    """{job name: what fio's JSON says of it}."""
    with open(output_path(folder), encoding="utf-8") as file:
        return {job["jobname"]: job for job in json.load(file)["jobs"]}
