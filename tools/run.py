# SPDX-License-Identifier: MIT
"""./run: build, make the state folder once, boot, say how to talk to the TPM, stream the log."""

import argparse
import os
import re
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import build, control, state, vm  # noqa: E402 (the path has to be set first)
import demo  # noqa: E402
import guest_console  # noqa: E402

# Not the tests: whoever wants a TPM does not wait for those.
BUILD_TARGETS = ("stage2", "bundle", "holdfast")
READY_DEADLINE_S = 60
SHUTDOWN_DEADLINE_S = 15

OK, FAILED, USAGE, NOT_READY, IN_USE, CONFIG, STATE, ENDED, STUCK = 0, 1, 2, 3, 4, 5, 6, 7, 8
EXIT_CODES = """exit codes:
  0  orderly shutdown, or the demonstration passed
  1  installing, building or the demonstration failed
  2  usage
  3  the TPM was not ready in time
  4  the state folder or its disk is in use
  5  bad configuration or bundle
  6  the state on the disk cannot be used; the log names the error and what to do
  7  the VM ended by itself: a panic, or somebody killed it
  8  the VM did not shut down in time and was killed
"""


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="./run", formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EXIT_CODES,
        description="Serve a TPM 2.0 from a service VM. Ctrl-C shuts it down in order.")
    parser.add_argument("--demo", action="store_true",
                        help="store, kill -9, boot again, read back; in a folder of its own")
    parser.add_argument("--guest", nargs="?", const="ovmf", choices=("ovmf", "seabios"),
                        metavar="FIRMWARE",
                        help="boot a Linux guest that uses the TPM, with its console here; "
                             "FIRMWARE is ovmf (default: a measured boot) or seabios (quicker)")
    parser.add_argument("--ephemeral", action="store_true",
                        help="a TPM without a disk: nothing survives this boot")
    parser.add_argument("--state", default="state", metavar="DIR",
                        help="key, disk and sockets (default: state)")
    parser.add_argument("--memory", type=int, default=64, metavar="MIB", help="default: 64")
    parser.add_argument("--machine", choices=tuple(vm.MACHINES), default="microvm",
                        help="QEMU's machine: microvm has virtio-mmio, q35 virtio-pci")
    parser.add_argument("--ring", choices=("split", "packed"), default="split",
                        help="the layout of the virtqueues")
    parser.add_argument("--completion", choices=("adaptive", "poll", "interrupt"),
                        default="adaptive", help="how the kernel waits for a device")
    parser.add_argument("--accel", choices=("auto", "tcg", "kvm"), default="auto",
                        help="auto takes KVM if it works here, and says if not")
    parser.add_argument("--log", choices=("error", "warning", "notice", "debug"),
                        default="notice", help="how much the kernel says")
    parser.add_argument("--no-build", action="store_true", help="take what was built before")
    return parser.parse_args()


def choose_accelerator(wanted):
    if wanted == "tcg":
        return "tcg"
    works, why = vm.kvm_works()
    if works:
        return "kvm"
    if wanted == "kvm":
        print(f"run: KVM does not work here: {why}", file=sys.stderr)
        sys.exit(FAILED)
    print(f"run: no KVM ({why}); emulating")
    return "tcg"


def exit_code_of(qemu_code, console):
    """Our exit code for the way in which QEMU ended by itself."""
    if "Failed to get \"write\" lock" in console or "Address already in use" in console:
        print("run: another QEMU holds the disk or a socket; end it first", file=sys.stderr)
        return IN_USE
    print(f"run: the VM ended: {vm.describe_exit(qemu_code)}", file=sys.stderr)
    if qemu_code == vm.EXIT_ORDERLY:
        return OK
    if qemu_code == vm.EXIT_CONFIG:
        return CONFIG
    if vm.describe_exit(qemu_code).startswith("the state failed"):
        return STATE
    return ENDED


def shut_down(machine):
    say("run: shutting down")
    try:
        control.ask(machine.control_path, "shutdown", SHUTDOWN_DEADLINE_S)
    except (OSError, ConnectionError):
        pass  # The kernel may end before it answers; its exit code tells.
    try:
        code = machine.wait_exit(SHUTDOWN_DEADLINE_S)
    except vm.VmError:
        print("run: the VM did not shut down in time; killed", file=sys.stderr)
        return STUCK
    return exit_code_of(code, machine.console())


def wait_until_ready(machine, stop, deadline_s=READY_DEADLINE_S):
    """True once the TPM answers; False if the VM ended, or time or patience is up."""
    ready = threading.Event()

    def watch():
        try:
            machine.serving(deadline_s)
            ready.set()
        except vm.VmError:
            pass

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    while watcher.is_alive() and not stop.is_set():
        watcher.join(0.05)
    return ready.is_set()


def say(text):
    """One write, for the console is printed by another thread."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def shown(path):
    """As one would type it from here."""
    return min(path, os.path.relpath(path), key=len)


def tell(machine, ephemeral):
    kind = "ephemeral TPM: nothing survives this boot" if ephemeral else "persistent TPM"
    say(f"""run: ready, a {kind}. In another terminal:
  tpm2_getrandom -T "cmd:socat - UNIX-CONNECT:{shown(machine.tpm_path)}" 8 --hex
  (echo counters; sleep 1) | socat - UNIX-CONNECT:{shown(machine.control_path)}
Ctrl-C shuts down in order.""")


def give_up(machine):
    """The VM runs, but does not serve."""
    found = re.search(r"vtpm: unavailable: (\w+)", machine.console())
    if not found:
        print(f"run: not ready within {READY_DEADLINE_S} s", file=sys.stderr)
        return NOT_READY
    shut_down(machine)
    print(f"run: the TPM is unavailable: {found.group(1)}", file=sys.stderr)
    return STATE


def serve_guest(options, machine_options):
    """The guest has the terminal; the service VM's console goes to a file."""
    path = os.path.join(machine_options.folder, "service.log")
    with open(path, "w", encoding="utf-8", buffering=1) as log, \
            vm.Vm(machine_options, on_line=lambda line: print(line, file=log)) as machine:
        try:
            machine.serving(READY_DEADLINE_S)
        except vm.VmError as error:
            print(f"run: {error}", file=sys.stderr)
            return exit_code_of(machine.wait_exit(), machine.console()) if machine.ended \
                else give_up(machine)
        print(f"run: the service VM's log is {shown(path)}")
        wrong = guest_console.boot(options, machine)
        if wrong:
            print(f"run: {wrong}", file=sys.stderr)
        return shut_down(machine) or (FAILED if wrong else OK)


def serve(options, folder):
    append = f"holdfast.log={options.log} holdfast.on_failure=exit"
    append += f" holdfast.completion={options.completion}"
    append += " holdfast.state=ephemeral" if options.ephemeral else ""
    disks = [] if options.ephemeral else [vm.Disk(folder.disk)]
    key = None if options.ephemeral else folder.key
    machine_options = vm.VmOptions(folder=folder.path, disks=disks, key=key, append=append,
                                   memory_mib=options.memory, accel=options.accel,
                                   machine=options.machine, ring=options.ring)
    if options.guest:
        return serve_guest(options, machine_options)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with vm.Vm(machine_options, on_line=say) as machine:
        if not wait_until_ready(machine, stop):
            if machine.ended:
                return exit_code_of(machine.wait_exit(), machine.console())
            if stop.is_set():
                return shut_down(machine)
            return give_up(machine)
        tell(machine, options.ephemeral)
        while not machine.ended and not stop.wait(0.2):
            pass
        if machine.ended:
            return exit_code_of(machine.wait_exit(), machine.console())
        return shut_down(machine)


def main():
    options = parse_arguments()
    try:
        if not options.no_build:
            build.build("dev", BUILD_TARGETS)
        options.accel = choose_accelerator(options.accel)
        if options.demo:
            return demo.demonstrate(options)
        folder = state.StateFolder(os.path.abspath(options.state))
        folder.prepare(with_disk=not options.ephemeral)
        return serve(options, folder)
    except state.StateError as error:
        print(f"run: {error}", file=sys.stderr)
        return IN_USE if "in use" in str(error) else STATE
    except build.BuildError as error:
        print(f"run: {error}", file=sys.stderr)
        return FAILED
    except subprocess.CalledProcessError as error:
        print(f"run: {' '.join(error.cmd)} failed with {error.returncode}\n{error.stderr}",
              file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
