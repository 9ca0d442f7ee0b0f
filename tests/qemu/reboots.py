#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A guest, its bridge and its service VM are rebooted, reset and killed in random order, at random
points of the guest's boot and of its use of the TPM.

After each completed boot the event log has to replay to the PCRs, and the TPM has to be the same:
its endorsement key, an index and a counter that the guest writes (what was acknowledged is there,
and nothing that was never issued), a secret sealed to PCR 0 and 7. Nobody may hang: every wait has
a deadline. The plan is a function of the seed; `--count N --seed S` repeats it.
"""

import argparse
import collections
import dataclasses
import os
import random
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "tools")]
from harness import bridge, control, qmp, tools, tpm, tpm_guest, vm  # noqa: E402
import reboots_evidence as evidence  # noqa: E402
import samples  # noqa: E402
from reboots_guest import GUEST, NV_COPIES, NV_COUNTER, NV_INDEX  # noqa: E402

# Emulated firmware on a machine with other work: these deadlines only tell slow from never.
BOOT_S = 900
END_S = 120
SEALED = 0x81000101
SECRET = b"sealed to what was measured"
# As many TPM commands as OVMF and Linux send until they are up.
BOOT_COMMANDS = 125
POLL_S = 0.05
# Of so many boots the guest may give its TPM up in one, if the host had no time for it.
BOOTS_A_GIVEN_UP = 20
# A kill of the service VM may cost a try (test_kills.py); an owner resets the tries now and then.
KILLS_FORGIVEN = 16

ACTIONS = ["reboot", "reset", "kill guest", "stop service", "kill service", "kill bridge"]
HAPPENED = {"reboot": "guest rebooted itself", "stop service": "service VM stopped in order",
            "kill service": "service VM killed", "kill bridge": "bridge killed"}
# The guest itself does it: only once it is up.
BY_GUEST = "reboot"


@dataclasses.dataclass
class Step:
    """One action and when; everything about it is drawn before the first boot."""
    action: str
    in_boot: bool
    commands: int  # TPM commands into the boot, if that is where it happens.
    line: str  # What the guest says before, if it is up.
    lines: int  # How often.
    jitter_s: float
    guest_first: bool  # The guest is reset before the service VM is back.
    by_kill: bool  # Its QEMU is killed for that.

    def when(self):
        if self.in_boot:
            return f"{self.commands} commands into the boot"
        return f"{self.jitter_s * 1000:.0f} ms after {self.line!r} {self.lines}"


def plan(count, seed):
    generator = random.Random(seed)
    steps = []
    for _ in range(count):
        step = Step(action=generator.choice(ACTIONS), in_boot=generator.random() < 0.4,
                    commands=generator.randrange(1, BOOT_COMMANDS),
                    line=generator.choice(["issue", "issue-count", "long", "counted"]),
                    lines=generator.randrange(1, 4), jitter_s=generator.random() * 0.08,
                    guest_first=generator.random() < 0.3, by_kill=generator.random() < 0.5)
        step.in_boot = step.in_boot and step.action != BY_GUEST
        if step.line == "long":
            step.lines = 1  # An RSA key takes seconds under emulation: one is as good as three.
        steps.append(step)
    return steps


@dataclasses.dataclass
class Written:
    """What the guest issued and saw acknowledged: of the index the value, of the counter how often
    since `counted` was read."""
    number: int = 0
    counter: int = 0


class Campaign:
    """The three parties, and what must be true of the TPM."""

    def __init__(self, folder, firmware):
        self.folder, self.firmware = folder, firmware
        self.key, self.disk = self.path("key"), self.path("disk.img")
        self.guest_folder = self.path("guest")
        self.service = self.bridge = self.guest = None
        self.seen = 0  # Lines of the guest's console that belong to boots before this one.
        self.commands = 0  # The TPM had so many when the guest's boot began.
        self.known = self.least = self.most = Written()
        self.endorsement = None
        self.service_kills = 0
        self.boots = self.commits = self.in_flight = self.given_up = 0
        self.happened = collections.Counter()
        self.trace, self.firmware_log = self.path("trace"), self.path("firmware")
        self.starved_s = 0.0  # Of the three parties when the guest's boot began.

    def path(self, name):
        return os.path.join(self.folder, name)

    # The parties, up

    def prepare(self):
        os.mkdir(self.guest_folder)
        tools.key_generate(self.key)
        tools.image_create(self.disk, self.key)
        tools.tpm_manufacture(self.disk, self.key)
        self.machine = tpm_guest.arguments(self.path("qemu.sock"))
        if self.firmware == "ovmf":
            self.machine += tpm_guest.firmware(self.guest_folder)
        self.archive = tpm_guest.initramfs(GUEST)

    def start_service(self):
        self.service = vm.Vm(vm.VmOptions(folder=self.folder, disks=[vm.Disk(self.disk)],
                                          key=self.key)).start()
        assert self.service.serving(END_S) == "persistent"

    def start_bridge(self):
        self.bridge = bridge.serve(self.service, self.folder, "qemu", "raw",
                                   more=[f"--trace={self.trace}"]).wait_ready()

    def start_guest(self):
        talk = f"unix:{self.guest_folder}/talk.sock,server=on,wait=off"
        self.guest = tpm_guest.Guest(self.guest_folder, self.archive, [
            *self.machine, "-serial", talk,
            "-qmp", f"unix:{self.guest_folder}/qmp.sock,server=on,wait=off",
            "-chardev", f"file,id=firmware,path={self.firmware_log},append=on",
            "-device", "isa-debugcon,iobase=0x402,chardev=firmware"], reboots=True)
        self.guest.start()
        self.seen = 0

    def boot(self):
        """All three run; the guest is at the beginning of a boot, or on its way."""
        if self.service is None or self.service.ended:
            self.start_service()
        if self.bridge is None or self.bridge.process.poll() is not None:
            self.start_bridge()
        if self.guest is None or self.guest.ended:
            if self.guest:
                self.guest.kill()
            self.start_guest()
        self.begin_boot()

    def parties(self):
        return [party.process for party in (self.guest, self.bridge, self.service)]

    def begin_boot(self):
        self.starved_s = evidence.starved_s(self.parties())
        self.commands = control.counters(self.service.control_path)["tpm_commands"]

    def close(self):
        for party in (self.guest, self.bridge, self.service):
            if party:
                party.kill()

    def tell_guest(self, words):
        with vm.connect(os.path.join(self.guest_folder, "talk.sock"), END_S) as client:
            client.sendall(words.encode() + b"\n")

    # What must be true

    def tpm_through_bridge(self):
        """Right after the service VM came back the bridge may have to look for it."""
        end = time.monotonic() + END_S
        while True:
            client = tpm.Tpm(self.path("raw.sock"), END_S)
            try:
                client.get_random(8)
                return client
            except tpm.TpmError:
                client.client.close()
                assert time.monotonic() < end, f"not found again: {self.bridge.log}"

    def tpm2(self, command, *arguments):
        return tools.tpm2(self.path("raw.sock"), command, *arguments)

    def seal(self):
        """As whoever sets the guest up does, once."""
        policy, pcrs = self.path("policy"), self.path("pcrs")
        parent, sealed = self.path("parent.ctx"), self.path("sealed.ctx")
        self.tpm2("createprimary", "-Q", "-C", "o", "-G", "ecc", "-c", parent)
        self.tpm2("flushcontext", "-t")
        self.tpm2("pcrread", "-Q", "-o", pcrs, "sha256:0,7")
        self.tpm2("createpolicy", "-Q", "--policy-pcr", "-l", "sha256:0,7", "-f", pcrs, "-L",
                  policy)
        with open(self.path("secret"), "wb") as file:
            file.write(SECRET)
        public, private = self.path("public"), self.path("private")
        self.tpm2("create", "-Q", "-C", parent, "-L", policy, "-i", self.path("secret"), "-u",
                  public, "-r", private)
        self.tpm2("flushcontext", "-t")
        self.tpm2("load", "-Q", "-C", parent, "-u", public, "-r", private, "-c", sealed)
        self.tpm2("evictcontrol", "-Q", "-c", sealed, hex(SEALED))
        self.tpm2("flushcontext", "-t")
        with self.tpm_through_bridge() as client:
            client.nv_define(NV_INDEX, 4 * NV_COPIES)
            client.nv_write(NV_INDEX, bytes(4 * NV_COPIES))
            client.nv_define(NV_COUNTER, 8, tpm.NV_ORDINARY | tpm.NV_COUNTER)
            client.nv_increment(NV_COUNTER)
            self.known = Written(0, client.nv_counter(NV_COUNTER))
            self.least = self.most = self.known
            self.endorsement = client.endorsement_name()

    def said(self, pattern):
        """What the guest said since its boot was complete: the numbers."""
        lines = self.guest.lines[self.seen:]
        lines = lines[lines.index("report-end"):] if "report-end" in lines else []
        return [int(found.group(1) or 0) for line in lines
                for found in [re.fullmatch(pattern, line)] if found]

    def acknowledged(self):
        return Written(max([self.known.number, *self.said(r"done (\d+)")]),
                       self.known.counter + len(self.said(r"counted()")))

    def issued(self):
        """One more than it said: a line may still be in its serial line when it is killed."""
        return Written(max([self.known.number, *self.said(r"issue (\d+)")]) + 1,
                       self.known.counter + len(self.said(r"issue-count()")) + 1)

    def check_tpm(self, least, most):
        """Nobody else uses it just now."""
        with self.tpm_through_bridge() as client:
            data = client.nv_read(NV_INDEX, 4 * NV_COPIES)
            found = Written(int.from_bytes(data[:4], "big"), client.nv_counter(NV_COUNTER))
            assert data == data[:4] * NV_COPIES, "a torn write"
            assert least.number <= found.number <= most.number, (least, found, most)
            assert least.counter <= found.counter <= most.counter, (least, found, most)
            assert client.endorsement_name() == self.endorsement, "another TPM"
            assert not client.in_lockout()
            assert client.lockout_counter() <= self.service_kills
            if self.service_kills > KILLS_FORGIVEN:
                client.call_authorised(tpm.CC_DA_LOCK_RESET, [tpm.RH_LOCKOUT], b"")
                self.service_kills = 0
        assert self.tpm2("unseal", "-c", hex(SEALED), "-p", "pcr:sha256:0,7") == SECRET
        self.commits += found.number - self.known.number + found.counter - self.known.counter
        return found

    def complete_boot(self):
        """To its end: everything is checked, and the guest waits for a word."""
        self.guest.wait_for("^report-end", BOOT_S, self.seen)
        while "no-tpm" in self.guest.lines[self.seen:]:
            self.boot_once_more()
            self.guest.wait_for("^report-end", BOOT_S, self.seen)
        tpm_guest.check_report("\n".join(self.guest.lines[self.seen:]), self.folder)
        if self.endorsement is None:
            self.seal()
        self.known = self.check_tpm(self.least, self.most)
        self.boots += 1

    def boot_once_more(self):
        """Linux waited for an answer as long as its driver does, and gave the TPM up. That is a
        fault but on a host that had no time for the three."""
        starved_s = evidence.starved_s(self.parties()) - self.starved_s
        log = "\n".join(evidence.kernel_log(self.guest, self.tell_guest))
        assert "Operation Timed out" in log, "the guest found no TPM, and did not time out"
        assert starved_s >= evidence.DRIVER_WAITS_S, \
            f"the guest gave its TPM up, on a host with time: {starved_s:.2f} s not run"
        self.given_up += 1
        assert self.given_up <= 1 + self.boots // BOOTS_A_GIVEN_UP, \
            "the guest gives its TPM up again and again"
        print(f"  the guest gave its TPM up: the host let the three wait {starved_s:.1f} s in "
              f"this boot. It is reset.", flush=True)
        self.reset_guest(False)
        self.see_nothing_before()
        self.begin_boot()

    def see_nothing_before(self):
        """A boot begins. Its QEMU answers when the reset is done, and all that was said before is
        said."""
        if not self.guest.ended:
            self.ask_guest_machine("query-status")
        time.sleep(POLL_S)
        self.seen = 0 if self.guest.ended else len(self.guest.lines)

    # Points and actions

    def reach(self, step):
        """The point of the boot, or of what comes after it."""
        if step.in_boot:
            end = time.monotonic() + BOOT_S
            while not any(line.startswith("report-end") for line in self.guest.lines[self.seen:]):
                done = control.counters(self.service.control_path)["tpm_commands"]
                if done - self.commands >= step.commands:
                    return
                assert not self.guest.ended and time.monotonic() < end, self.guest.console()
                time.sleep(POLL_S)
            return
        self.complete_boot()
        self.tell_guest(f"use {self.known.number}")
        pattern = {"issue": r"issue \d+$"}.get(step.line, step.line + "$")
        at = self.seen
        for _ in range(step.lines):
            self.guest.wait_for(f"^{pattern}", END_S, at)
            at = 1 + next(number for number in range(at, len(self.guest.lines))
                          if re.match(pattern, self.guest.lines[number]))
        time.sleep(step.jitter_s)

    def reset_guest(self, by_kill):
        """The next boot begins. A machine that cannot reach its TPM may end by itself: so be it."""
        self.happened["guest killed" if by_kill else "guest reset"] += 1
        if by_kill:
            self.guest.kill()
            return
        self.ask_guest_machine("system_reset")

    def ask_guest_machine(self, command):
        try:
            qmp.execute(self.guest, command)
        except (OSError, ValueError, vm.VmError):
            self.guest.wait_exit(END_S)

    def guest_notices(self, step):
        """A guest that uses its TPM hears that it is lost; it does not wait for ever."""
        if not step.in_boot and not self.guest.ended:
            self.guest.wait_for("^refused", END_S, self.seen)

    def act(self, step):
        if not step.in_boot and len(self.said(r"issue(?:-count)?()(?: \d+)?")) > \
                len(self.said(r"done ()\d+")) + len(self.said(r"counted()")):
            self.in_flight += 1
        if step.action in ("reset", "kill guest"):
            self.reset_guest(step.action == "kill guest")
        else:
            self.happened[HAPPENED[step.action]] += 1
        if step.action == "reboot":
            self.tell_guest("reboot")
            self.guest.wait_for("reboot: Restarting system", END_S, self.seen)
        elif step.action == "stop service":
            assert samples.shut_down(self.service) == vm.EXIT_ORDERLY
        elif step.action == "kill service":
            self.service.kill()
            self.service_kills += 1
        elif step.action == "kill bridge":
            self.bridge.kill()
        if step.action.endswith(("service", "bridge")):
            self.recover(step)
        if not step.in_boot:
            self.least, self.most = self.acknowledged(), self.issued()
        self.see_nothing_before()

    def recover(self, step):
        """The guest's TPM is gone: it is told, by then without any or with one that is not its own,
        and it is reset before or after there is one again. Without its bridge QEMU has no way
        back."""
        by_kill = step.by_kill or step.action == "kill bridge"
        if step.guest_first:
            self.guest_notices(step)
            self.reset_guest(by_kill)
        if self.service.ended:
            self.start_service()
        if not step.guest_first:
            self.guest_notices(step)
            self.reset_guest(by_kill)

    # All of it

    def step(self, step):
        self.boot()
        self.reach(step)
        self.act(step)

    def finish(self):
        """A last boot; then the volume is whole."""
        self.boot()
        self.complete_boot()
        self.guest.kill()
        assert self.bridge.stop() == 0
        assert samples.shut_down(self.service) == vm.EXIT_ORDERLY
        tools.holdfast("image", "verify", "--key-file", self.key, self.disk)


def repeat(options):
    return (f"tests/qemu/reboots.py --count {options.count} --seed {options.seed} "
            f"--firmware {options.firmware}")


def keep(campaign, options):
    """Everything that the parties said, before they are gone; the folder."""
    texts = {}
    if campaign.guest and not campaign.guest.ended:
        texts["guest-kernel"] = evidence.kernel_log(campaign.guest, campaign.tell_guest)
    for name, party in (("guest", campaign.guest), ("service", campaign.service)):
        if party:
            texts[name] = [f"{at:9.3f} {line}"
                           for at, line in zip(party.line_times, party.lines)]
    if campaign.bridge:
        texts["bridge"] = campaign.bridge.log
    return evidence.keep([campaign.trace, campaign.firmware_log], texts,
                         f"{options.firmware}-{options.seed}")


def failed(campaign, error, options):
    """What a person needs to see: why, what everybody said last, how to repeat it."""
    print(f"reboots: FAILED: {str(error)[:2000]!r} ({type(error).__name__})")
    if isinstance(error, subprocess.CalledProcessError):
        print((error.stderr or b"").decode(errors="replace"))
    for name, party in (("service VM", campaign.service), ("guest", campaign.guest)):
        lines = party.console().split("\n") if party else []
        # Not the PCRs and the log of each boot.
        lines = [line for line in lines if not re.match(r"pcr |[0-9A-Za-z+/=]{40,}$", line)]
        print(f"--- {name}\n" + "\n".join(lines[-30:]))
    if campaign.bridge:
        print("--- bridge\n" + "\n".join(campaign.bridge.log[-20:]))
    if os.path.exists(campaign.trace):
        print("--- slowest requests\n" + "\n".join(evidence.slowest(campaign.trace)))
    print(f"kept in {keep(campaign, options)}: all that the guest, its firmware and its kernel, "
          "the bridge and the service VM said, and when which command was answered")
    print(f"repeat: {repeat(options)}", flush=True)


def summary(campaign, options, seconds):
    happened = ", ".join(f"{what} {count}" for what, count in sorted(campaign.happened.items()))
    return (f"{options.count} reboots ({options.firmware}, seed {options.seed}), "
            f"{seconds / max(options.count, 1):.1f} s each: {happened}; {campaign.boots} boots "
            f"whose event log is what the PCRs hold, each with key, index, counter and sealed "
            f"secret as they were, {campaign.commits} commits, {campaign.in_flight} commands cut "
            f"off, {campaign.given_up} boots given up on a host without time, nothing lost")


def run(options, folder):
    started = time.monotonic()
    campaign = Campaign(folder, options.firmware)
    print(f"reboots: {options.count} with {options.firmware}, seed {options.seed}", flush=True)
    try:
        campaign.prepare()
        # The first boot is undisturbed: it sets up what the others have to keep.
        campaign.boot()
        campaign.complete_boot()
        steps = plan(options.count, options.seed)
        if steps and steps[0].in_boot:
            campaign.reset_guest(True)
        for number, step in enumerate(steps, 1):
            campaign.step(step)
            print(f"  [{number:3}/{options.count}] {time.monotonic() - started:5.0f} s: "
                  f"{step.action}, {step.when()}; {campaign.boots} boots complete, "
                  f"{campaign.commits} commits kept", flush=True)
        campaign.finish()
    except (AssertionError, OSError, ValueError, tpm.TpmError, vm.VmError, bridge.BridgeError,
            subprocess.SubprocessError) as error:
        failed(campaign, error, options)
        return 1
    finally:
        campaign.close()
    samples.figure(summary(campaign, options, time.monotonic() - started))
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--count", type=int, default=1, help="actions (%(default)s)")
    parser.add_argument("--seed", type=int, default=int(os.environ.get(
        "HOLDFAST_SEED", str(random.SystemRandom().randrange(1 << 32)))),
                        help="repeat the run that printed it")
    parser.add_argument("--firmware", choices=("ovmf", "seabios"), default="ovmf",
                        help="the guest's (%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        sys.exit(run(options, folder))


if __name__ == "__main__":
    main()
