# SPDX-License-Identifier: MIT
"""The proved units of tests/proofs, by WP and by EVA: run Frama-C on one, and say what came of it.

`frama-c -wp` ends with 0 whether goals are open or not, and a warning can weaken a proof without
opening a goal: so this reads what it prints. A result is good if there is at least one goal, all
are proved, and nothing that weakens was said. Results are kept by content, and those of single
goals as well, so that a change costs only what it changes.
"""

import datetime
import functools
import hashlib
import json
import os
import re
import shlex
import subprocess
import time
import tomllib
from typing import NamedTuple

from harness import build

FOLDER = os.path.join(build.ROOT, "tests", "proofs")
UNITS = os.path.join(FOLDER, "units.toml")
DECODERS = os.path.join(FOLDER, "decoders.toml")
SUSPENDED = os.path.join(FOLDER, "suspended.toml")
DRIVER = os.path.join(FOLDER, "cvc5.drv")
TOOLS = ("frama-c", "why3", "cvc5", "z3")
PRELUDE = os.path.join(FOLDER, "prelude.h")
# WP hands a goal to all provers that it is told of at once, and each runs until the first has an
# answer. So the one that proves nearly all goals is asked alone, which halves the time; what it
# leaves open is tried again by all, and for longer: a loaded machine is not a defect.
PROVERS = "cvc5,z3"
ATTEMPTS = (("cvc5", 10), (PROVERS, 10), (PROVERS, 60))
# Half of what Frama-C itself takes is OCaml's collector: larger young and more old generations.
COLLECTOR = "s=1M,o=400"
UNIT_SECONDS = 1800
COMMON = ("-machdep", "gcc_x86_64")
# C allows both, but hardly anybody means it.
STRICT = ("-warn-unsigned-overflow", "-warn-unsigned-downcast")
# EVA: its entry programs, and what hides the contracts of the sources from it. States are kept
# apart by what a function returns (a status says what was written), large arrays byte by byte.
ENTRIES = os.path.join(FOLDER, "eva")
PREPROCESS = os.path.join(ENTRIES, "preprocess.py")
EVA = ("-eva", "-eva-precision", "2", "-eva-split-return", "auto", "-eva-plevel", "4000",
       "-eva-auto-loop-unroll", "64", "-eva-domains", "cvalue,equality,symbolic-locations")
EVA_OVERFLOW = ("-warn-unsigned-overflow",)  # Casts that cut are written out: they are meant.
# Contracts that nothing can satisfy prove everything; asking costs a prover's patience for each. So
# a run of everything does not ask, one of the proofs does, and at night each branch is asked about.
SMOKE_NONE = ()
SMOKE = ("-wp-smoke-tests", "-wp-smoke-timeout", "1", "-wp-no-smoke-dead-code",
         "-wp-no-smoke-dead-call")
SMOKE_NIGHTLY = ("-wp-smoke-tests", "-wp-smoke-timeout", "5")
WEAKENING = ("incompatible pointers", "Missing assigns", "User Error", "Missing RTE",
             "no code nor specification", "Neither code nor specification",
             "Missing decreases", "Cast with incompatible", "Unsupported")
EVA_WEAKENING = ("no code nor specification", "Neither code nor specification", "User Error",
                 "kernel function with neither", "Assuming", "NON TERMINATING")


class ProofError(Exception):
    """A unit is not proved, or cannot be tried."""


class Result(NamedTuple):
    goals: int  # EVA: statements that were analysed.
    smoke: int  # Contracts shown not to be empty. EVA: percent of the statements reached.
    seconds: float
    cached: bool = False


class Unit:
    """One row of units.toml ("wp") or decoders.toml ("eva", which is then its `kind`)."""

    def __init__(self, kind, row):
        self.kind = kind
        self.name = row["name"]
        self.proves = row["proves"]
        self.sources = row.get("sources") or [row["source"]]
        self.headers = row.get("headers", [])
        self.assumed = row.get("assumed", [])
        self.only = row.get("only", [])
        self.row = row

    def wp_command(self, attempt=ATTEMPTS[0], source=None, smoke=SMOKE, only=None):
        """`source`: read instead of the unit's. `only`: functions, instead of the unit's."""
        provers, seconds = attempt
        strict = () if self.row.get("modular") else STRICT
        command = ["frama-c", *COMMON, *strict, "-cpp-extra-args=" + shlex.join(preprocessor("wp")),
                   source or os.path.join(build.ROOT, self.sources[0]), "-wp", "-wp-rte",
                   "-wp-prover", provers, "-wp-timeout", str(seconds), "-wp-par",
                   str(os.cpu_count() or 1), "-wp-model", self.row.get("model", "typed"), *smoke]
        skipped = self.assumed + inline_elsewhere(self.sources[0], self.headers)
        if skipped:
            command += ["-wp-skip-fct", ",".join(skipped)]
        only = only or self.only
        if only:
            command += ["-wp-fct", ",".join(only)]
        return command

    def eva_command(self, copies=None):
        """`copies`: {source: file that is read instead}."""
        overflow = () if self.row.get("modular") else EVA_OVERFLOW
        cpp = f"{PREPROCESS} %o gcc -E -CC %args {shlex.join(preprocessor('eva'))} %i"
        return ["frama-c", *COMMON, *overflow, "-cpp-command", cpp,
                *((copies or {}).get(name, os.path.join(build.ROOT, name))
                  for name in self.sources), *EVA, *self.row.get("options", [])]


def load_units():
    units = []
    for kind, path in (("wp", UNITS), ("eva", DECODERS)):
        with open(path, "rb") as file:
            units += [Unit(kind, row) for row in tomllib.load(file)[kind]]
    return units


def suspended(today=None):
    """{unit: line that says so} of what is switched off; ProofError if one is out of date."""
    today = today or datetime.date.today()
    with open(SUSPENDED, "rb") as file:
        entries = tomllib.load(file).get("suspended", [])
    names = {unit.name for unit in load_units()}
    lines = {}
    for entry in entries:
        if entry["unit"] not in names:
            raise ProofError(f"{entry['unit']}: suspended, but no such unit")
        if today > entry["until"]:
            raise ProofError(f"{entry['unit']}: suspended until {entry['until']}, which is over "
                             f"(issue {entry['issue']}: {entry['reason']})")
        lines[entry["unit"]] = (f"until {entry['until']}, issue {entry['issue']}: "
                                f"{entry['reason']}")
    return lines


def inline_elsewhere(source, headers):
    """Inline functions of other headers: the unit that has them proves them, once."""
    listed = subprocess.run(
        ["gcc", "-MM", "-I" + build.ROOT, "-D__FRAMAC__", os.path.join(build.ROOT, source)],
        capture_output=True, text=True, check=True).stdout
    names = []
    for path in sorted(set(re.findall(r"(\S+\.h)", listed))):
        if os.path.relpath(path, build.ROOT) not in headers:
            with open(path, encoding="utf-8") as file:
                names += re.findall(r"^static inline [^;{(]*?(\w+)\(", file.read(), re.M)
    return names


def preprocessor(kind):
    """WP gets memcpy and its like with contracts that its memory model can use, instead of
    Frama-C's own header. EVA finds what stands in for hardware before the real thing."""
    if kind == "eva":
        return [f"-I{ENTRIES}", f"-I{build.ROOT}", "-D__FRAMAC__", "-D_Alignas(bytes)=",
                "-DHOLDFAST_PRODUCTION=1"]
    return [f"-I{build.ROOT}", "-D__FRAMAC__", "-D__FC_STRING_H_", "-include", PRELUDE]


def cache_folder():
    return os.path.join(build.build_root(), "proofs")


@functools.cache
def environment(folder):
    """Why3 does not find cvc5 by itself: a configuration of our own, beside the cache."""
    os.makedirs(os.path.join(folder, "goals"), exist_ok=True)
    config = os.path.join(folder, "why3.conf")
    variables = dict(os.environ, WHY3CONFIG=config, HOME=folder, FRAMAC_WP_CACHE="update",
                     OCAMLRUNPARAM=COLLECTOR,
                     FRAMAC_WP_CACHEDIR=os.path.join(folder, "goals"))
    if not os.path.exists(config):
        subprocess.run(["why3", "config", "detect"], env=variables, capture_output=True,
                       check=False)
        with open(config, "a", encoding="utf-8") as file:
            file.write("[prover]\n"
                       'command = "cvc5 %f"\n'
                       f'driver = "{DRIVER}"\n'
                       'name = "CVC5"\nshortcut = "cvc5"\nversion = "1.0.3"\n')
    return variables


@functools.cache
def versions():
    """The first line that each tool says of itself."""
    return "\n".join(subprocess.run([name, "--version" if name != "frama-c" else "-version"],
                                    capture_output=True, text=True, check=True)
                     .stdout.split("\n")[0] for name in TOOLS)


def content_key(unit, command):
    """What a result depends on: the tools, the command and the preprocessed text, contracts and
    all."""
    digest = hashlib.sha256()
    for source in unit.sources:
        digest.update(subprocess.run(
            ["gcc", "-E", "-CC", "-P", *preprocessor(unit.kind),
             os.path.join(build.ROOT, source)], capture_output=True, check=True).stdout)
    with open(DRIVER if unit.kind == "wp" else PREPROCESS, "rb") as file:
        digest.update(file.read())
    digest.update((versions() + "\0".join(command).replace(build.ROOT, "")).encode())
    return digest.hexdigest()


def open_goals(output):
    """Of several provers WP tells each answer on a line of its own, of one on the goal's."""
    ends = "Timeout|Unknown|Failed|Stepout"
    return sorted({*re.findall(rf"\[(?:{ends})\] (?:Goal )?(typed\S*)", output),
                   *re.findall(rf"Goal (typed\S*) : (?:{ends})", output)})


def read_wp(output):
    """(goals, smoke tests) of a run, or ProofError."""
    for text in WEAKENING:
        found = re.search(r"^.*" + re.escape(text) + r".*$", output, re.M)
        if found:
            raise ProofError(f"weakened: {found.group(0).strip()}")
    doomed = re.findall(r"\[Failed\] (?:\(Doomed\) )?Smoke-test (\S+)", output)
    if doomed:
        raise ProofError(f"contracts that nothing satisfies: {', '.join(doomed)}")
    smoke = len(re.findall(r"\[Passed\] Smoke-test", output))
    found = re.search(r"Proved goals:\s+(\d+) / (\d+)", output)
    if not found or int(found.group(2)) <= smoke:
        raise ProofError("nothing was proved\n" + output[-2000:])
    proved, total = int(found.group(1)), int(found.group(2))
    if proved != total:
        raise ProofError(f"{total - proved} of {total} goals open: "
                         f"{', '.join(open_goals(output))}")
    return total - smoke, smoke


def alarms_of(output):
    """What EVA cannot exclude: a line for each alarm and for each property that it cannot show."""
    found = re.findall(r"^\[eva:alarm\] (.+?): Warning: *\n?((?:  .*\n)+)", output, re.M)
    return [f"{place}: {' '.join(text.split())}" for place, text in found]


def read_eva(output, unit):
    """(statements that were analysed, percent of them that were reached), or ProofError."""
    if "ANALYSIS SUMMARY" not in output:
        raise ProofError("no analysis\n" + output[-2000:])
    alarms = alarms_of(output)
    open_properties = re.findall(r"^    (?:Assertions|Preconditions) .*? (?:0*[1-9]\d*) "
                                 r"(?:unknown|invalid)", output, re.M)
    if alarms or open_properties or "0 alarms generated by the analysis" not in output:
        raise ProofError(f"{len(alarms)} alarms:\n  " + "\n  ".join(alarms[:20]))
    for text in EVA_WEAKENING:
        if text in output:
            raise ProofError(f"weakened: {text}")
    missed = [name for name in unit.row["reaches"]
              if f"Values at end of function {name}:" not in output]
    if missed:
        raise ProofError(f"not entered, or with no way out: {', '.join(missed)}")
    found = re.search(r"(\d+) statements reached \(out of (\d+)\): (\d+)% coverage", output)
    statements, percent = (int(found.group(2)), int(found.group(3))) if found else (0, 0)
    if percent < unit.row["reached_percent"]:
        raise ProofError(f"only {percent} % of the statements were reached")
    return statements, percent


def frama_c(command, cache):
    done = subprocess.run(command, capture_output=True, text=True, timeout=UNIT_SECONDS,
                          env=environment(cache), cwd=cache, check=False)
    output = done.stdout + done.stderr
    if done.returncode != 0:
        raise ProofError(f"frama-c ends with {done.returncode}\n{output[-3000:]}")
    return output


def prove_wp(unit, cache, smoke):
    """Goals that are open are tried again; those that are proved are in the cache by then."""
    for attempt in ATTEMPTS[1:] if unit.row.get("all_provers") else ATTEMPTS:
        output = frama_c(unit.wp_command(attempt, smoke=smoke) + ["-wp-cache-env"], cache)
        if not open_goals(output):
            break
    return read_wp(output)


def run_unit(unit, smoke=SMOKE, cache=None):
    """A Result, from the cache if nothing has changed; ProofError."""
    cache = cache or cache_folder()
    os.makedirs(cache, exist_ok=True)
    command = unit.wp_command(smoke=smoke) if unit.kind == "wp" else unit.eva_command()
    path = os.path.join(cache, f"{unit.name}-{content_key(unit, command)[:24]}.json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return Result(*json.load(file))._replace(cached=True)
    started = time.monotonic()
    try:
        if unit.kind == "wp":
            goals, checked = prove_wp(unit, cache, smoke)
        else:
            goals, checked = read_eva(frama_c(unit.eva_command(), cache), unit)
    except subprocess.TimeoutExpired as error:
        raise ProofError(f"no end within {UNIT_SECONDS} s") from error
    result = Result(goals, checked, round(time.monotonic() - started, 1))
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result[:3], file)
    return result
