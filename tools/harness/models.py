# SPDX-License-Identifier: MIT
"""Search the protocol models of tests/models with spin, whole; show that each notices its faults.

A search counts if it visited every state that it could reach: not if it was cut short by its depth
or its memory. A model whose steps are no longer the code's is refused.
"""

import os
import re
import subprocess
import tempfile
import time
import tomllib

from harness import build

MODELS = os.path.join(build.ROOT, "tests", "models")
DEPTH = 1_000_000
MEMORY_MB = 4096
SPIN_SECONDS = 60
SEARCH_SECONDS = 1800


class ModelError(Exception):
    """A model does not show what it has to show, or cannot be tried."""


def load_models():
    """Models by name."""
    with open(os.path.join(MODELS, "models.toml"), "rb") as file:
        return {model["name"]: model for model in tomllib.load(file)["model"]}


def tool(command, folder, seconds):
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True,
                              timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{command[0]} took more than {seconds} s") from error
    return done.returncode, done.stdout + done.stderr


def search(source, settings):
    """(errors, states, what spin says of the first error) of one search."""
    defines = ["-D" + setting for setting in settings]
    with tempfile.TemporaryDirectory(prefix="holdfast-model-") as folder:
        # Spin's preprocessor looks for includes where it is run, and leaves its files there.
        for name in os.listdir(MODELS):
            os.symlink(os.path.join(MODELS, name), os.path.join(folder, name))
        code, output = tool(["spin", "-a", *defines, source], folder, SPIN_SECONDS)
        if code != 0 or not os.path.exists(os.path.join(folder, "pan.c")):
            raise ModelError("spin: " + output.strip())
        code, output = tool(["gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE",
                             f"-DMEMLIM={MEMORY_MB}", "-o", "pan", "pan.c"], folder, SPIN_SECONDS)
        if code != 0:
            raise ModelError("gcc: " + output.strip())
        _, output = tool(["./pan", "-n", f"-m{DEPTH}"], folder, SEARCH_SECONDS)
    return read_search(output)


def read_search(output):
    errors = re.search(r"errors: (\d+)", output)
    states = re.search(r"(\d+) states, stored", output)
    if not errors or not states:
        raise ModelError("no result\n" + output[-2000:])
    if int(errors.group(1)) == 0:
        cut = re.search(r"max search depth too small|out of memory|Search not completed", output)
        if cut:
            raise ModelError(f"the search was cut short: {cut.group(0)}")
    said = re.search(r"^pan:1: (.*?) \(at depth", output, re.M)
    return int(errors.group(1)), int(states.group(1)), said.group(1) if said else ""


def check_steps(model):
    """What the model names is in the code, under that name."""
    text = ""
    for path in model["code"]:
        with open(os.path.join(build.ROOT, path), encoding="utf-8") as file:
            text += file.read()
    with open(os.path.join(MODELS, model["source"]), encoding="utf-8") as file:
        source = file.read()
    for step in model["steps"]:
        if not re.search(rf"\b{step}\b", source):
            raise ModelError(f"{step} is not a step of {model['source']}")
        if not re.search(rf"\b{model.get('step_prefix', '')}{step}\b", text):
            raise ModelError(f"{step} is not a step of the code: {', '.join(model['code'])}")


def check_model(model, nightly):
    """Search one model with all its settings and faults; the number of states visited."""
    check_steps(model)
    visited = 0
    for settings in model["settings"] + (model["nightly"] if nightly else []):
        started = time.monotonic()
        errors, states, said = search(model["source"], settings)
        if errors:
            raise ModelError(f"{' '.join(settings)}: {said}")
        visited += states
        print(f"{model['name']:14} {' '.join(settings) or 'as it is':32} {states:>10} states, "
              f"0 errors, {time.monotonic() - started:.1f} s", flush=True)
    for settings in model["faults"]:
        errors, _, _ = search(model["source"], settings)
        if not errors:
            raise ModelError(f"{' '.join(settings)}: the fault was not noticed")
    print(f"{model['name']:14} {len(model['faults'])} of {len(model['faults'])} faults noticed",
          flush=True)
    return visited
