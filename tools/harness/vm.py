# SPDX-License-Identifier: MIT
"""A service VM: QEMU with Holdfast in it, its console, its sockets, its end.

QEMU is a child in a session of its own (Ctrl-C at our terminal must not kill it: it would lose the
orderly shutdown) that dies with us (PR_SET_PDEATHSIG), so that no test leaves one behind.
"""

import ctypes
import dataclasses
import os
import re
import signal
import socket
import subprocess
import threading
import time

from harness import build

# isa-debug-exit: a value v ends QEMU with 2 * v + 1. docs/testing.md lists them.
EXIT_ORDERLY = 33
EXIT_PANIC = 35
EXIT_CONFIG = 37
EXIT_RING3_TEST = 39
EXIT_STATE_BASE = 0x40

KILLED = -signal.SIGKILL
BOOT_DEADLINE_S = 60

# Takes VIRTIO_BLK_F_FLUSH away: QEMU offers it if the cache is a write-back one or may become one.
WITHOUT_FLUSH = "config-wce=off,write-cache=off"


class VmError(Exception):
    """Something did not happen in time, or QEMU said no."""


@dataclasses.dataclass
class Disk:
    path: str
    readonly: bool = False
    device: str = ""  # More properties of the device.
    drive: str = ""  # More properties of the drive: aio=native.
    node: str = ""  # What -blockdev takes (node-name=n<number>), instead of a plain file.
    vhost: str = ""  # The socket of a vhost-user-blk back end that serves the image instead.


@dataclasses.dataclass
class VmOptions:
    folder: str  # For sockets and the console's log; short, for sun_path has 108 bytes.
    disks: list = dataclasses.field(default_factory=list)
    key: str = None
    append: str = ""
    memory_mib: int = 64
    accel: str = "tcg"
    machine: str = "microvm"  # Of MACHINES; on q35 the same devices are on PCI.
    serial: str = ""  # More properties of the serial device.
    ring: str = ""  # "split" or "packed", for every device; as QEMU likes it if empty.
    kernel: str = None
    bundle: str = None
    qmp: bool = False
    tpms: int = 1  # TPMs 0 to tpms - 1 get ports.
    extra: list = dataclasses.field(default_factory=list)
    extra_first: list = dataclasses.field(default_factory=list)  # Before the devices.


def default_kernel(preset="dev"):
    return os.path.join(build.build_dir(preset), "boot", "stage2.elf")


def default_bundle(preset="dev"):
    return os.path.join(build.build_dir(preset), "holdfast.bundle")


_MICROVM = "microvm,pit=on,pic=on,isa-serial=on,rtc=on"
_MODERN = ["-global", "virtio-mmio.force-legacy=false"]
MACHINES = {
    "microvm": ["-M", f"{_MICROVM},acpi=off", *_MODERN],
    # Debian's Linux boots on a microvm only if it has ACPI tables: what a benchmark needs to run
    # both kernels on one machine. QEMU then does not name the windows on the command line.
    "microvm-acpi": ["-M", f"{_MICROVM},acpi=on", *_MODERN],
    "q35": ["-M", "q35"],
}


def window_words(count):
    """Where `count` devices are on microvm-acpi: 24 windows, of which QEMU uses the last first."""
    return " ".join(f"virtio_mmio.device=512@{0xfeb00000 + 512 * at:#x}:{24 + at}"
                    for at in range(24 - count, 24))


def device(options, kind, properties=""):
    """-device with the name that `kind` ("blk") has on this machine's bus."""
    bus = "pci,disable-legacy=on" if options.machine == "q35" else "device"
    return ["-device", f"virtio-{kind}-{bus}" + ("," + properties if properties else "")]


def _machine(options):
    accel = "tcg,thread=multi" if options.accel == "tcg" else options.accel
    append = options.append
    if options.machine == "microvm-acpi":
        append += " " + window_words(len(options.disks) + 1)  # And the serial device.
    return [
        "qemu-system-x86_64", *MACHINES[options.machine], "-accel", accel, "-cpu", "max",
        "-smp", "1,maxcpus=2", "-m", str(options.memory_mib),
        "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
        "-kernel", options.kernel or default_kernel(),
        "-initrd", options.bundle or default_bundle(), "-append", append,
    ]


def _port(number, identity, path):
    return ["-chardev", f"socket,id=c{number},path={path},server=on,wait=off",
            "-device", f"virtserialport,chardev=c{number},nr={number},name={identity},"
                       f"id=port{number}"]


def cache_mode(path):
    """"none" measures the disk and not the host's memory, but tmpfs does not offer O_DIRECT."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECT))
        return "none"
    except OSError:
        return "writeback"


def _rings(options):
    """-global takes the name that a device has on virtio's own bus, whatever that one is on."""
    packed = {"split": "off", "packed": "on"}
    return [word for kind in ("blk", "serial") if options.ring
            for word in ("-global", f"virtio-{kind}-device.packed={packed[options.ring]}")]


def _more(properties, others):
    return properties + ("," + others if others else "")


def _vhost_disk(options, number, disk):
    """QEMU's name for it is not regular."""
    kind = "vhost-user-blk-pci,disable-legacy=on" if options.machine == "q35" else "vhost-user-blk"
    properties = _more(f"{kind},chardev=v{number},num-queues=1", disk.device)
    return ["-chardev", f"socket,id=v{number},path={disk.vhost}", "-device", properties]


def _shared_memory(options):
    """A vhost-user back end is another process: it has to be able to map the guest's memory."""
    return ["-object", f"memory-backend-memfd,id=ram,size={options.memory_mib}M,share=on",
            "-machine", "memory-backend=ram"]


def _disk(options, number, disk):
    if disk.node:
        return ["-blockdev", disk.node, *device(options, "blk", f"drive=n{number}")]
    readonly = "on" if disk.readonly else "off"
    return ["-drive", f"if=none,id=d{number},format=raw,file={disk.path},"
                      f"cache={cache_mode(disk.path)},"
                      + _more(f"readonly={readonly}", disk.drive),
            *device(options, "blk", _more(f"drive=d{number}", disk.device))]


def qemu_command(options):
    command = _machine(options) + _rings(options) + options.extra_first
    if any(disk.vhost for disk in options.disks):
        command += _shared_memory(options)
    for number, disk in enumerate(options.disks):
        if disk.vhost:
            command += _vhost_disk(options, number, disk)
            continue
        command += _disk(options, number, disk)
    ports = f"max_ports={2 + 2 * options.tpms}"
    command += device(options, "serial", _more(ports, options.serial))
    command += _port(1, "org.holdfast.tpm", os.path.join(options.folder, "tpm.sock"))
    command += _port(2, "org.holdfast.control", os.path.join(options.folder, "control.sock"))
    command += _port(3, "org.holdfast.tpm.0.ctrl", os.path.join(options.folder, "tpm-ctrl.sock"))
    for number in range(1, options.tpms):
        name, path = f"org.holdfast.tpm.{number}", os.path.join(options.folder, f"tpm{number}")
        command += _port(2 + 2 * number, name, path + ".sock")
        command += _port(3 + 2 * number, name + ".ctrl", path + "-ctrl.sock")
    if options.key:
        command += ["-fw_cfg", f"name=opt/org.holdfast/key,file={options.key}"]
    if options.qmp:
        path = os.path.join(options.folder, "qmp.sock")
        command += ["-qmp", f"unix:{path},server=on,wait=off"]
    return command + options.extra


_LIBC = ctypes.CDLL(None)


def _die_with_parent():
    pr_set_pdeathsig = 1
    _LIBC.prctl(pr_set_pdeathsig, signal.SIGKILL)


def status_names():
    """{number: name} of enum status, for exit codes: base/status.h is the only list."""
    path = os.path.join(build.ROOT, "base", "status.h")
    with open(path, encoding="utf-8") as file:
        pairs = re.findall(r"STATUS_(\w+)\s*=\s*-(\d+)", file.read())
    return {int(number): name for name, number in pairs}


def state_failure_exit(name):
    """QEMU's exit code when the state failed with this status and on_failure=exit."""
    number = {v: k for k, v in status_names().items()}[name]
    return (2 * (EXIT_STATE_BASE + number) + 1) & 0xff


def describe_exit(code):
    named = {EXIT_ORDERLY: "orderly", EXIT_PANIC: "panic", KILLED: "killed",
             EXIT_CONFIG: "bad configuration or bundle", EXIT_RING3_TEST: "ring-3 test failed"}
    if code in named:
        return named[code]
    for number, name in status_names().items():
        if code == (2 * (EXIT_STATE_BASE + number) + 1) & 0xff:
            return f"the state failed: {name}"
    return f"QEMU ended with {code}"


class Vm:
    """Use as a context manager: whatever happens, QEMU is gone afterwards."""

    def __init__(self, options, on_line=None):
        self.options = options
        self.lines = []
        self.process = None
        self.started_at = None
        self.line_times = []
        self._on_line = on_line
        self._changed = threading.Condition()
        self._ended = False

    @property
    def tpm_path(self):
        return os.path.join(self.options.folder, "tpm.sock")

    def tpm_path_of(self, number):
        """The socket of TPM `number`."""
        return os.path.join(self.options.folder, f"tpm{number}.sock") if number else self.tpm_path

    @property
    def control_path(self):
        return os.path.join(self.options.folder, "control.sock")

    @property
    def tpm_control_path(self):
        return os.path.join(self.options.folder, "tpm-ctrl.sock")

    def tpm_control_path_of(self, number):
        """The socket of its platform."""
        name = f"tpm{number}-ctrl.sock" if number else "tpm-ctrl.sock"
        return os.path.join(self.options.folder, name)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def start(self):
        others = [f"tpm{number}{end}.sock" for number in range(1, self.options.tpms)
                  for end in ("", "-ctrl")]
        for name in ("tpm.sock", "control.sock", "tpm-ctrl.sock", "qmp.sock", *others):
            path = os.path.join(self.options.folder, name)
            if os.path.exists(path):
                os.unlink(path)
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_die_with_parent)
        threading.Thread(target=self._read_console, daemon=True).start()
        return self

    def command(self):
        return qemu_command(self.options)

    def _read_console(self):
        for raw in self.process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            with self._changed:
                self.lines.append(line)
                self.line_times.append(time.monotonic() - self.started_at)
                self._changed.notify_all()
            if self._on_line:
                self._on_line(line)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def ended(self):
        """QEMU closed its end of the console: it is gone, or about to be reaped."""
        with self._changed:
            return self._ended

    def console(self):
        with self._changed:
            return "\n".join(self.lines)

    def wait_for(self, pattern, timeout_s=BOOT_DEADLINE_S, since=0):
        """The match in the first line, but for the first `since`, that has `pattern`. VmError if
        the VM ends or time is up."""
        compiled, seen = re.compile(pattern), since
        end = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for line in self.lines[seen:]:
                    found = compiled.search(line)
                    if found:
                        return found
                seen = len(self.lines)
                left = end - time.monotonic()
                if self._ended or left <= 0:
                    why = "the VM ended" if self._ended else f"not within {timeout_s} s"
                    tail = "\n".join(self.lines[-30:])
                    raise VmError(f"waiting for {pattern!r}: {why}; console:\n{tail}")
                self._changed.wait(left)

    def wait_count(self, pattern, count, timeout_s=BOOT_DEADLINE_S):
        """Until so many lines have `pattern`: a machine that boots again says things again."""
        compiled = re.compile(pattern)
        with self._changed:
            if not self._changed.wait_for(lambda: self._ended or sum(
                    1 for line in self.lines if compiled.search(line)) >= count, timeout_s):
                raise VmError(f"{pattern!r} did not come {count} times\n" + "\n".join(self.lines))

    def time_of(self, pattern):
        """Seconds from start to the first line with `pattern`."""
        compiled = re.compile(pattern)
        with self._changed:
            for line, at in zip(self.lines, self.line_times):
                if compiled.search(line):
                    return at
        raise VmError(f"no line has {pattern!r}")

    def wait_exit(self, timeout_s=BOOT_DEADLINE_S):
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            tail = "\n".join(self.lines[-30:])
            raise VmError(f"the VM did not end within {timeout_s} s; console:\n{tail}") from None
        with self._changed:
            self._changed.wait_for(lambda: self._ended, 5)
        return code

    def cpu_seconds(self):
        """What QEMU has used so far."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self):
        """SIGKILL, as a host that crashes. Returns once QEMU and its lock on the disk are gone."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()
            with self._changed:
                self._changed.wait_for(lambda: self._ended, 5)

    def serving(self, timeout_s=BOOT_DEADLINE_S):
        """Wait until the TPM is served; 'persistent' or 'ephemeral'."""
        found = self.wait_for(r"vtpm: serving \S+ \((\w+)\)|vtpm: unavailable: (\w+)", timeout_s)
        if found.group(2):
            raise VmError(f"vtpm: unavailable: {found.group(2)}\n{self.console()}")
        return found.group(1)


def listens(path):
    """True if somebody does. A socket has a name before that: the name alone is not enough."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def connect(path, timeout_s):
    """A stream socket connected to `path`, which QEMU may not have made yet."""
    end = time.monotonic() + timeout_s
    while True:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            client.connect(path)
            client.settimeout(timeout_s)
            return client
        except (FileNotFoundError, ConnectionRefusedError):
            client.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def kvm_works():
    """(True, "") or (False, why). A /dev/kvm that opens proves little: under nested or filtered
    virtualisation QEMU aborts while it sets up the CPU. So let QEMU try, without running a guest.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False, "/dev/kvm cannot be opened"
    try:
        done = subprocess.run(
            ["qemu-system-x86_64", "-M", "microvm", "-accel", "kvm", "-cpu", "max", "-m", "16",
             "-S", "-nodefaults", "-display", "none", "-monitor", "stdio"],
            input=b"quit\n", capture_output=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return False, "QEMU hangs with it"
    if done.returncode == 0:
        return True, ""
    errors = [line for line in done.stderr.decode("utf-8", "replace").split("\n") if "rror" in line]
    return False, errors[-1].strip() if errors else f"QEMU ends with {done.returncode}"
