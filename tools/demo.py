# SPDX-License-Identifier: MIT
"""./run --demo: what a person stores with stock tpm2-tools survives kill -9, and the disk shows
none of it. Every step prints what it does and checks what it claims."""

import mmap
import os
import re
import secrets
import subprocess
import tempfile

from harness import control, state, tools, tpm, vm

NV_INDEX = "0x1500001"
NV_COUNTER = "0x1500002"
KEY_HANDLE = "0x81000010"
PCR = "sha256:7"
PCR_NUMBER = 7
INCREMENTS = 3


class DemoError(Exception):
    """A claim did not hold."""


def say(text):
    print(f"demo: {text}", flush=True)


def expect(condition, claim):
    if not condition:
        raise DemoError(claim)
    say(f"  ok: {claim}")


def boot(options, folder):
    machine = vm.Vm(vm.VmOptions(folder=folder.path, disks=[vm.Disk(folder.disk)], key=folder.key,
                                 append="holdfast.on_failure=exit "
                                        f"holdfast.completion={options.completion}",
                                 accel=options.accel, memory_mib=options.memory,
                                 machine=options.machine, ring=options.ring))
    machine.start()
    try:
        expect(machine.serving() == "persistent", "the VM serves a persistent TPM")
    except BaseException:
        machine.kill()
        raise
    return machine


def check_machine(options, machine):
    """The kernel's own word on how it talks to its disk, after some work."""
    ring = control.ask_values(machine.control_path, "status")["disk_ring"]
    expect(ring == options.ring, f"the disk's queue is a {ring} ring on {options.machine}")
    slept = control.counters(machine.control_path)["sleeps"] > 0
    how = "asleep until an interrupt" if slept else "polling"
    may_sleep = {"poll": (False,), "interrupt": (True,), "adaptive": (False, True)}
    expect(slept in may_sleep[options.completion], f"the kernel waits {how}")


def key_x(public_text):
    """The x coordinate in the output of tpm2_readpublic."""
    return re.search(r"^x: ([0-9a-f]+)", public_text.decode(), re.M).group(1)


def endorsement_name(path):
    with tpm.Tpm(path) as client:
        return client.endorsement_name().hex()


def store(path, folder, canary):
    """Store everything; what was stored."""
    def run(command, *arguments, stdin=None):
        say(f"  tpm2_{command} {' '.join(arguments)}")
        return tools.tpm2(path, command, *arguments, stdin=stdin)

    context = os.path.join(folder.path, "primary.ctx")
    run("nvdefine", NV_INDEX, "-C", "o", "-s", str(len(canary)), "-a",
        "ownerread|ownerwrite|no_da")
    run("nvwrite", NV_INDEX, "-C", "o", "-i", "-", stdin=canary)
    run("nvdefine", NV_COUNTER, "-C", "o", "-a", "nt=counter|ownerread|ownerwrite|no_da")
    for _ in range(INCREMENTS):
        run("nvincrement", NV_COUNTER, "-C", "o")
    counter = run("nvread", NV_COUNTER, "-C", "o", "-s", "8")
    run("createprimary", "-C", "o", "-G", "ecc", "-c", context)
    run("flushcontext", "-t")
    run("evictcontrol", "-C", "o", "-c", context, KEY_HANDLE)
    run("flushcontext", "-t")
    digest = secrets.token_hex(32)
    run("pcrextend", f"{PCR_NUMBER}:sha256={digest}")
    public = run("readpublic", "-c", KEY_HANDLE)
    return {"counter": int.from_bytes(counter, "big"), "x": key_x(public),
            "pcr": run("pcrread", PCR), "ek": endorsement_name(path)}


def read_back(path, stored, canary):
    found = tools.tpm2(path, "nvread", NV_INDEX, "-C", "o", "-s", str(len(canary)))
    expect(found == canary, f"NV index {NV_INDEX} holds what was written")
    counter = tools.tpm2(path, "nvread", NV_COUNTER, "-C", "o", "-s", "8")
    expect(int.from_bytes(counter, "big") == stored["counter"],
           f"the counter stands at {stored['counter']}")
    tools.tpm2(path, "nvincrement", NV_COUNTER, "-C", "o")
    counter = tools.tpm2(path, "nvread", NV_COUNTER, "-C", "o", "-s", "8")
    expect(int.from_bytes(counter, "big") == stored["counter"] + 1, "and goes on from there")
    public = tools.tpm2(path, "readpublic", "-c", KEY_HANDLE)
    expect(key_x(public) == stored["x"], f"key {KEY_HANDLE} is the one that was persisted")
    with tpm.Tpm(path) as client:
        expect(client.pcr_read(PCR_NUMBER) == bytes(32), f"PCR {PCR_NUMBER} was reset by the boot")
    expect(endorsement_name(path) == stored["ek"], f"the EK is the same: {stored['ek'][:24]}...")


def search_image(path, needles):
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
        size = len(image)
        for what, needle in needles.items():
            expect(image.find(needle) < 0, f"{what} is nowhere in the image's {size} bytes")


def steps(options, folder):
    canary = b"holdfast-demo-canary-" + secrets.token_hex(16).encode()
    say("1. boot on a new disk")
    machine = boot(options, folder)
    try:
        say("2. store")
        stored = store(machine.tpm_path, folder, canary)
        zero_pcr = b"0x" + b"0" * 64
        expect(zero_pcr not in stored["pcr"], f"PCR {PCR_NUMBER} is extended")
        check_machine(options, machine)
        say(f"3. kill -9 {machine.process.pid}, which is QEMU")
    finally:
        machine.kill()
    say("4. boot again")
    machine = boot(options, folder)
    try:
        say("5. read back")
        read_back(machine.tpm_path, stored, canary)
    finally:
        machine.kill()
    say("6. look for what was written in the raw image")
    search_image(folder.disk, {"the NV data": canary, "its text in hex": canary.hex().encode(),
                               "the key's public part": bytes.fromhex(stored["x"]),
                               "the EK's name": bytes.fromhex(stored["ek"][4:])})


def demonstrate(options):
    """./run's exit code."""
    with tempfile.TemporaryDirectory(prefix="holdfast-demo-") as path:
        folder = state.StateFolder(path)
        folder.prepare()
        try:
            steps(options, folder)
        except (DemoError, vm.VmError, tpm.TpmError, OSError) as error:
            say(f"FAILED: {error}")
            return 1
        except subprocess.CalledProcessError as error:
            say(f"FAILED: {' '.join(error.cmd)}: {error.stderr.decode('utf-8', 'replace')}")
            return 1
    say("done: stored, killed, read back, and the disk shows none of it")
    return 0
