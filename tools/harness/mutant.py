# SPDX-License-Identifier: MIT
"""A program with one source of it changed: for lists of guards, each of which a test has to miss
when it is gone. What is built is taken from a build folder, which is left as it is."""

import json
import os
import re
import shlex
import subprocess

from harness import build as tree


def mutate(text, mutation, source):
    """The source with its mutation (name, text, replacement). White space is what clang-format
    made of it: it counts as one."""
    words = r"\s+".join(re.escape(word) for word in mutation.text.split())
    found = list(re.finditer(words, text))
    if len(found) != 1:
        raise SystemExit(f"{mutation.name}: its text is {len(found)} times in {source}; "
                         "bring the list in step with the code")
    return text[:found[0].start()] + mutation.replacement + text[found[0].end():]


def compile_command(build, source, copy, output):
    """The real source's command, for a copy, without warnings."""
    real = os.path.join(tree.ROOT, source)
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        for entry in json.load(file):
            command = shlex.split(entry.get("command", ""))
            if entry["file"] == real and "HOLDFAST_HOST=1" in entry["command"]:
                command[command.index("-o") + 1] = output
                command[command.index(real)] = copy
                return command + ["-w"], entry["directory"]
    raise SystemExit(f"{build} does not compile {real}")


def compile_mutant(build, mutation, source, folder):
    """Path of the mutated source's object, in `folder`."""
    with open(os.path.join(tree.ROOT, source), encoding="utf-8") as file:
        text = mutate(file.read(), mutation, source)
    copy = os.path.join(folder, os.path.basename(source))
    with open(copy, "w", encoding="utf-8") as file:
        file.write(text)
    command, directory = compile_command(build, source, copy, copy + ".o")
    subprocess.run(command, cwd=directory, check=True)
    return copy + ".o"


def link_mutant(build, target, source, mutant, output):
    """The target's link command, with the mutant for the source's own object, or before the
    archive that has it."""
    lines = subprocess.run(["ninja", "-C", build, "-t", "commands", target], check=True,
                           capture_output=True, text=True).stdout.strip().split("\n")
    command = [word for word in shlex.split(lines[-1]) if word not in (":", "&&")]
    at = command.index("-o")
    command[at + 1] = output
    own = [i for i, word in enumerate(command) if word.endswith(f"/{source}.o")]
    if own:
        command[own[0]] = mutant
    else:
        command.insert(at, mutant)
    subprocess.run(command, cwd=build, check=True)
    return output
