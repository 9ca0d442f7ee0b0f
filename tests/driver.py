# SPDX-License-Identifier: MIT
"""./test: builds what the families need, runs them with CTest, adds up what ran.

One line ends every run: `N passed, N failed[, N skipped]`. CTest is underneath; a pytest or cmocka
program counts with each of its cases, anything else as one.
"""

import argparse
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tools"))
from harness import build, coverage, models, proof_report, proofs  # noqa: E402 (after the path)

FAMILIES = {
    "style": "layers, limits, headers, format; builds with gcc, with clang and for production",
    "unit": "every PURE source on the host, under ASan and UBSan",
    "user": "ring-3 programs that test the system calls from inside a VM",
    "qemu": "boot, persistence, counted device operations, confidentiality",
    "fault": "what bad input gets: disks, keys, bundles, clients, a crashing vTPM",
    "hostile": "a block device that lies while the vTPM is in use: each lie, named outcomes",
    "guests": "guests' measured boot, sealing, resets, kills (--reboots, --seed); stock clients",
    "kills": "SIGKILL at random moments of a stream of NV writes (--count, --seed)",
    "crash": "the volume under crashes, tampering and broken disks (--states, --seed); mutations",
    "fuzz": "decoders and drivers on hostile bytes: replay, then fuzz for a while (--seconds)",
    "nbd": "the nbdkit plugin: nbdcopy, qemu-img, fio --verify, kill -9 in mid-load",
    "bench": "./bench: arithmetic, reports, job files on all three fios, a run of seconds",
    "proofs": "goals of the proved units, run-time errors, protocol models; NAME... for some",
    "coverage": "line coverage of block/, virtio/, sharedmem/ and mm/: report and threshold",
}
NEEDS_DEV = {"style", "unit", "user", "qemu", "fault", "hostile", "guests", "kills", "crash",
             "nbd", "bench"}
REBOOTS_NIGHTLY = 100
CRASH_SECONDS = 60
FUZZ_SECONDS = 60
FUZZ_SECONDS_NIGHTLY = 3600
CRASH_STATES_NIGHTLY = 10_000_000
OUTPUT_MAX = str(1 << 26)


class Tally:
    """What passed, failed and was skipped so far."""

    def __init__(self):
        self.passed = 0
        self.failures = []  # (name, command that repeats it)
        self.skips = []  # (name, reason)

    def step(self, name, repeat, action):
        """Run one thing that counts as one test; True if it passed."""
        started = time.monotonic()
        try:
            action()
        except (build.BuildError, models.ModelError, proofs.ProofError,
                subprocess.CalledProcessError) as error:
            print(error)
            print(f"FAILED {name} ({time.monotonic() - started:.1f} s)", flush=True)
            self.failures.append((name, repeat))
            return False
        print(f"ok {name} ({time.monotonic() - started:.1f} s)", flush=True)
        self.passed += 1
        return True

    def finish(self):
        for name, reason in self.skips:
            print(f"skipped: {name}: {reason}")
        for name, repeat in self.failures:
            print(f"failed: {name}\n  repeat: {repeat}")
        line = f"{self.passed} passed, {len(self.failures)} failed"
        if self.skips:
            line += f", {len(self.skips)} skipped"
        print(line, flush=True)
        return 1 if self.failures or self.passed == 0 else 0


def add_pytest(tally, family, output):
    """Add a pytest run's cases; False if the output is not one's."""
    summary = re.findall(r"^=*\s*((?:\d+ \w+(?:, )?)+) in [\d.]+s", output, re.M)
    if not summary:
        return False
    counts = dict(reversed(pair.split()) for pair in summary[-1].split(", "))
    tally.passed += int(counts.get("passed", 0))
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+?::\S+)", output, re.M)
    for node in failed:
        tally.failures.append((node, f"./test {family} --only {shlex.quote(node)}"))
    for _ in range(int(counts.get("failed", 0)) + int(counts.get("errors", 0)) - len(failed)):
        tally.failures.append(("an unnamed case", f"./test {family}"))
    for count, reason in re.findall(r"^SKIPPED \[(\d+)\] (.+)$", output, re.M):
        tally.skips.extend([tuple(reason.split(": ", 1))] * int(count))
    return True


def add_cmocka(tally, family, name, output):
    """Add a cmocka program's cases; False if the output is not one's."""
    ran = re.findall(r"^\[==========\] (\d+) test\(s\) run\.", output, re.M)
    if not ran:
        ran = re.findall(r"^\[==========\] \S+: (\d+) test\(s\) run\.", output, re.M)
    if not ran:
        return False
    tally.passed += sum(int(n) for n in re.findall(r"^\[  PASSED  \] (\d+) test", output, re.M))
    for case in re.findall(r"^\[  SKIPPED \] (?!\d+ test)(\S+)", output, re.M):
        tally.skips.append((f"{name}: {case}", "its program says so"))
    return True


def add_case(tally, family, case):
    name = case.get("name")
    repeat = f"./test {family} --only {shlex.quote(name)}"
    output = case.findtext("system-out") or ""
    status = case.get("status")
    if status in ("notrun", "disabled") or case.find("skipped") is not None:
        skipped = case.find("skipped")
        reason = skipped.get("message") if skipped is not None else status
        if skipped is not None and "SKIP" in (reason or "").upper():
            found = re.findall(r"(?im)^skip(?:ped)?: (.+)$", output)
            tally.skips.append((name, found[-1] if found else reason))
        else:
            tally.failures.append((f"{name} (did not run: {reason})", repeat))
        return
    before = len(tally.failures)
    counted = add_pytest(tally, family, output) or add_cmocka(tally, family, name, output)
    if status == "run":
        if not counted:
            tally.passed += 1
    elif len(tally.failures) == before:
        tally.failures.append((name, repeat))


def ctest(tally, family, preset, options, pattern=None):
    """Run what carries the family's label in a build; add it up."""
    if pattern is False:
        tally.failures.append((f"{options.only}: no such test", f"./test --list {family}"))
        return
    folder = build.build_dir(preset)
    results = os.path.join(folder, f"results-{family}.xml")
    if os.path.exists(results):
        os.unlink(results)
    command = ["ctest", "--test-dir", folder, "-L", f"^{family}$", "--output-junit", results,
               "--output-on-failure", "--test-output-size-passed", OUTPUT_MAX,
               "--test-output-size-failed", OUTPUT_MAX, "-j", str(os.cpu_count() or 1),
               "--timeout", str(options.timeout_s)]
    if not options.nightly:
        command += ["-LE", "^nightly$"]
    if pattern:
        command += ["-R", pattern]
    environment = dict(os.environ, HOLDFAST_FIGURES=figures_path(),
                       HOLDFAST_KILLS=str(options.count),
                       HOLDFAST_NIGHTLY="1" if options.nightly else "0")
    if options.seed is not None:
        environment["HOLDFAST_SEED"] = str(options.seed)
    if options.only and "::" in options.only:
        environment["PYTEST_ADDOPTS"] = "--only " + shlex.quote(options.only)
    print(f"== {family} ({preset})", flush=True)
    subprocess.run(command, cwd=build.ROOT, env=environment, check=False)
    try:
        cases = ElementTree.parse(results).getroot().findall("testcase")
    except (OSError, ElementTree.ParseError):
        cases = []
    if not cases:
        tally.failures.append((f"{family}: no test ran", f"./test {family}"))
    for case in cases:
        add_case(tally, family, case)


def figures_path():
    """Where tests leave what they measured."""
    return os.path.join(build.build_root(), "figures.txt")


def print_figures():
    if os.path.exists(figures_path()):
        with open(figures_path(), encoding="utf-8") as file:
            for line in file:
                print(f"figure: {line}", end="")


def ctest_tests(preset, family):
    done = subprocess.run(
        ["ctest", "--test-dir", build.build_dir(preset), "--show-only=json-v1", "-L",
         f"^{family}$"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["tests"]


def only_pattern(preset, family, options):
    """--only NAME is a CTest name, or a pytest node: then what CTest starts with its file. None if
    all are meant, False if this build has no such test."""
    if not options.only:
        return None
    names = {options.only}
    if "::" in options.only:
        path = os.path.join(build.ROOT, options.only.split("::")[0])
        names = {test["name"] for test in ctest_tests(preset, family)
                 if any(path == word or path.startswith(word + "/")
                        for word in test.get("command", [])[1:])}
    names &= {test["name"] for test in ctest_tests(preset, family)}
    return exact(names) if names else False


def exact(names):
    return "^(" + "|".join(re.escape(name) for name in sorted(names)) + ")$"


def run_style(tally, options):
    if not options.only:
        for preset, what in (("clang", "everything builds with clang, warnings are errors"),
                             ("production", "the production preset builds")):
            tally.step(what, "./test style", lambda preset=preset: build.build(preset))
        tally.step("a production build has no development feature", "./test style",
                   lambda: subprocess.run(
                       [sys.executable, "tools/check_production.py", build.build_dir("dev"),
                        build.build_dir("production")], cwd=build.ROOT, check=True))
    ctest(tally, "style", "dev", options, only_pattern("dev", "style", options))


def run_unit(tally, options):
    if not options.only:
        coverage.forget()
    if not tally.step("host code builds under ASan and UBSan", "./test unit",
                      lambda: build.build("host-asan")):
        return
    sanitized = {test["name"] for test in ctest_tests("host-asan", "unit")}
    dev_only = {test["name"] for test in ctest_tests("dev", "unit")} - sanitized
    pattern = only_pattern("host-asan", "unit", options)
    if pattern is not False:
        ctest(tally, "unit", "host-asan", options, pattern)
    if not options.only:
        tally.step("the lines that ran are counted", "./test unit", coverage.keep)
    # Some tests need what only the dev build has: kernel archives, ring-3 programs.
    if not options.only and dev_only:
        ctest(tally, "unit", "dev", options, exact(dev_only))
    elif pattern is False:
        ctest(tally, "unit", "dev", options, only_pattern("dev", "unit", options))


def run_crash(tally, options):
    """The checker in the foreground, because it says how far it is; CTest runs the mutations."""
    if options.only:
        ctest(tally, "crash", "dev", options, only_pattern("dev", "crash", options))
        return
    checker = os.path.join(build.build_dir("dev"), "tests", "crash", "crash_checker")
    command = [checker, "--jobs", str(os.cpu_count() or 1)]
    states = options.states or (CRASH_STATES_NIGHTLY if options.nightly else None)
    command += ["--states", str(states)] if states else ["--seconds", str(CRASH_SECONDS)]
    if options.seed is not None:
        command += ["--seed", str(options.seed)]
    environment = dict(os.environ, HOLDFAST_FIGURES=figures_path())
    tally.step("no crash, tampering or broken disk violates an invariant", shlex.join(command),
               lambda: subprocess.run(command, env=environment, check=True))
    if options.states is None:
        ctest(tally, "crash", "dev", options, "^crash_mutations")


def run_guests(tally, options):
    """A campaign of reboots in the foreground, because it says how far it is."""
    ctest(tally, "guests", "dev", options, only_pattern("dev", "guests", options))
    reboots = options.reboots or (REBOOTS_NIGHTLY if options.nightly else None)
    if options.only or reboots is None:
        return
    command = [sys.executable, "tests/qemu/reboots.py", "--count", str(reboots)]
    if options.seed is not None:
        command += ["--seed", str(options.seed)]
    environment = dict(os.environ, HOLDFAST_FIGURES=figures_path())
    tally.step("nothing is lost over reboots of guest, bridge and service VM",
               shlex.join(command), lambda: subprocess.run(command, cwd=build.ROOT, check=True,
                                                           env=environment))


def run_fuzz(tally, options):
    """Replay under the sanitizers what was ever found; then look for more, for a while."""
    if not tally.step("host code builds under ASan and UBSan", "./test fuzz",
                      lambda: build.build("host-asan")):
        return
    ctest(tally, "fuzz", "host-asan", options, only_pattern("host-asan", "fuzz", options))
    if options.only:
        return
    seconds = options.seconds or (FUZZ_SECONDS_NIGHTLY if options.nightly else FUZZ_SECONDS)
    command = [sys.executable, "tests/fuzz/run_fuzz.py", "--seconds", str(seconds)]
    tally.step("no fuzz target fails", shlex.join(command),
               lambda: subprocess.run(command, cwd=build.ROOT, check=True))


def run_coverage(tally, options):
    """What lines the unit family ran: just now, if it was asked for too."""
    if not options.only and ("unit" in options.families or not options.families):
        print("the lines are those that the unit family ran above")
    elif not run_for_lines(tally, options):
        return
    measured = coverage.measured()
    if not measured:
        tally.failures.append(("line coverage: no unit test ran", "./test unit coverage"))
        return
    coverage.report(measured)
    for module in coverage.COVERED:
        tally.step(f"line coverage of {module}/ is at least {coverage.min_percent(module)} %",
                   "./test coverage",
                   lambda module=module: coverage.check_module(measured, module))
    tally.step("every PURE source has a unit test", "./test coverage",
               lambda: coverage.check_pure_sources(measured))


def run_for_lines(tally, options):
    """The unit tests for their lines alone: the unit family counts the cases."""
    if not tally.step("host code builds with line counts", "./test coverage",
                      lambda: build.build("host-asan")):
        return False
    coverage.forget()
    done = subprocess.run(
        ["ctest", "--test-dir", build.build_dir("host-asan"), "-L", "^unit$", "-LE", "^nightly$",
         "-Q", "-j", str(os.cpu_count() or 1), "--timeout", str(options.timeout_s)], check=False)
    tally.step("unit tests pass", "./test unit", done.check_returncode)
    return tally.step("the lines that ran are counted", "./test coverage", coverage.keep)


def run_proofs(tally, options):
    """Each unit that is not suspended, each model, the documentation's table of units."""
    off = {}
    if not tally.step("no suspended proof is out of date", "./test proofs",
                      lambda: off.update(proofs.suspended())):
        return
    tally.skips.extend((f"proof {name}", why) for name, why in off.items())
    results = []
    smoke = proofs.SMOKE if "proofs" in options.families else proofs.SMOKE_NONE
    smoke = proofs.SMOKE_NIGHTLY if options.nightly else smoke
    units = [unit for unit in proofs.load_units()
             if unit.name not in off and unit.name in (options.units or [unit.name])]
    proofs.environment(proofs.cache_folder())  # Once, before there are threads.
    # Half of a proof is one thread's work, so units are proved side by side.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        proved = [pool.submit(proofs.run_unit, unit, smoke) for unit in units]
        for unit, proof in zip(units, proved):
            tally.step(f"proof {unit.name}", f"./test proofs {unit.name}",
                       lambda unit=unit, proof=proof: results.append(
                           (unit, show_proof(unit, proof.result()))))
    for name, model in models.load_models().items():
        if name in (options.units or [name]):
            tally.step(f"model {name}", f"./test proofs {name}",
                       lambda model=model: models.check_model(model, options.nightly))
    if not options.units and not off and len(results) == len(proofs.load_units()):
        tally.step("docs/verification.md has this table", "./test proofs",
                   lambda: proof_report.check_page(results))
    if not options.units and (options.nightly or "proofs" in options.families):
        command = [sys.executable, "tests/proofs/mutations.py"]
        command += [] if options.nightly else ["--quick"]
        tally.step("seeded faults leave goals open", shlex.join(command),
                   lambda: subprocess.run(command, cwd=build.ROOT, check=True))


def show_proof(unit, result):
    print(proof_report.describe(unit, result), flush=True)
    return result


def run_family(tally, family, options):
    if family == "style":
        run_style(tally, options)
    elif family == "unit":
        run_unit(tally, options)
    elif family == "crash":
        run_crash(tally, options)
    elif family == "guests":
        run_guests(tally, options)
    elif family == "fuzz":
        run_fuzz(tally, options)
    elif family == "proofs":
        run_proofs(tally, options)
    elif family == "coverage":
        run_coverage(tally, options)
    else:
        ctest(tally, family, "dev", options, only_pattern("dev", family, options))


def parse_arguments():
    epilog = "families:\n" + "\n".join(f"  {name:9} {what}" for name, what in FAMILIES.items())
    parser = argparse.ArgumentParser(
        prog="./test", formatter_class=argparse.RawDescriptionHelpFormatter, epilog=epilog,
        description="Test Holdfast. Without a family: everything that CI runs.")
    parser.add_argument("families", nargs="*", metavar="family")
    parser.add_argument("--list", action="store_true", help="list the tests, run none")
    parser.add_argument("--nightly", action="store_true", help="the long campaigns too")
    parser.add_argument("--only", metavar="NAME", help="one test, as a failure report names it")
    parser.add_argument("--count", type=int, help="kills: how many (20; 200 with --nightly)")
    parser.add_argument("--reboots", type=int, metavar="N",
                        help="guests: reboot, reset and kill N times (1; 100 with --nightly)")
    parser.add_argument("--states", type=int, help="crash: visit so many states, then stop")
    parser.add_argument("--seconds", type=int,
                        help="fuzz: so long in all (60; 3600 with --nightly)")
    parser.add_argument("--seed", type=int,
                        help="kills, crash, guests: repeat a run with the seed it printed")
    options = parser.parse_args()
    options.units = []
    if "proofs" in options.families:
        known = {unit.name for unit in proofs.load_units()} | set(models.load_models())
        options.units = [name for name in options.families if name in known]
        options.families = [name for name in options.families if name not in known]
    if options.only and options.families == ["proofs"]:
        options.units = [options.only]
    for family in options.families:
        if family not in FAMILIES:
            parser.error(f"no family {family!r}: choose from {', '.join(FAMILIES)}")
    if options.count is None:
        options.count = 200 if options.nightly else 20
    options.timeout_s = 600 + 15 * options.count + (7200 if options.nightly else 0)
    return options


def list_tests(families):
    for family in families:
        print(f"{family}: {FAMILIES[family]}")
        for test in ctest_tests("dev", family) if family in NEEDS_DEV else []:
            print(f"  {test['name']}")


def main():
    options = parse_arguments()
    families = [name for name in FAMILIES if not options.families or name in options.families]
    if options.list:
        build.configure("dev")
        list_tests(families)
        sys.exit(0)
    tally = Tally()
    started = time.monotonic()
    print(f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    if NEEDS_DEV.intersection(families) and not tally.step(
            "everything builds with gcc, warnings are errors", "./test style",
            lambda: build.build("dev")):
        sys.exit(tally.finish())
    if os.path.exists(figures_path()):
        os.unlink(figures_path())
    for family in families:
        run_family(tally, family, options)
        print(f"-- {family}: {time.monotonic() - started:.0f} s since the start", flush=True)
    print_figures()
    sys.exit(tally.finish())


if __name__ == "__main__":
    main()
