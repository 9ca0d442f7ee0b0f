# SPDX-License-Identifier: MIT
"""What docs/verification.md says of the proved units: a table that the tool writes and checks."""

import itertools
import os

from harness import build
from harness.proofs import ProofError, load_units

PAGE = os.path.join(build.ROOT, "docs", "verification.md")
BEGIN = "<!-- written by tools/prove.py --write -->\n"
END = "<!-- end -->\n"
HEADS = ("unit", "what is proved", "not proved", "goals", "time",
         "code", "annotation", "ratio")
GOALS, TIME = HEADS.index("goals"), HEADS.index("time")


def lines_of(paths):
    """(code, annotation) lines of files: neither counts blank lines and comments."""
    code = annotation = 0
    for path in paths:
        inside = None
        with open(os.path.join(build.ROOT, path), encoding="utf-8") as file:
            for line in file:
                text = line.strip()
                if inside is None and text.startswith(("/*", "//")):
                    inside = "annotation" if text.startswith(("/*@", "//@")) else "comment"
                    annotation += inside == "annotation"
                    inside = None if text.startswith("//") or text.endswith("*/") else inside
                elif inside is not None:
                    annotation += inside == "annotation" and bool(text)
                    inside = None if text.endswith("*/") else inside
                elif text:
                    code += 1
    return code, annotation


def describe(unit, result):
    found = (f"{result.goals} goals, {result.smoke} smoke tests" if unit.kind == "wp"
             else f"0 alarms, {result.smoke} % of {result.goals} statements reached")
    took = "cached" if result.cached else f"{result.seconds:.0f} s"
    return f"{unit.name}: {found} ({took})"


def row(unit, result):
    """A line of the table, as strings. EVA needs no annotation: its goals are the alarms that are
    not there."""
    assumed = ", ".join(f"`{name}`" for name in unit.assumed) or "-"
    if unit.only:
        assumed = f"all but {', '.join(f'`{name}`' for name in unit.only)}"
    if unit.kind == "eva":
        return (f"`{unit.name}`", unit.proves, assumed,
                f"0 alarms, {result.smoke} % of {result.goals} statements",
                f"{result.seconds:.0f} s", "-", "-", "-")
    code, annotation = lines_of(unit.sources + unit.headers)
    return (f"`{unit.name}`", unit.proves, assumed, str(result.goals), f"{result.seconds:.0f} s",
            str(code), str(annotation), f"{annotation / code:.2f}")


def total(units, rows):
    """The last line. A header that several units share is counted once."""
    deductive = [unit for unit in units if unit.kind == "wp"]
    files = sorted({path for unit in deductive for path in unit.sources + unit.headers})
    code, annotation = lines_of(files)
    goals = sum(int(cells[GOALS]) for cells in rows if cells[GOALS].isdigit())
    seconds = sum(int(cells[TIME].split()[0]) for cells in rows)
    return (f"{len(rows)} units", "", "", str(goals), f"{seconds} s", str(code), str(annotation),
            f"{annotation / max(1, code):.2f}")


def table_lines(rows):
    return ["| " + " | ".join(cells) + " |\n"
            for cells in [HEADS, ("---",) * len(HEADS), *rows]]


def split_page():
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    before, found, rest = text.partition(BEGIN)
    if not found or END not in rest:
        raise ProofError(f"{PAGE} has no table between its two marks")
    inside, _, after = rest.partition(END)
    return before, inside, after


def cells_of(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def rows_of(results, kept):
    """The table's lines: of a unit that was not proved in this run, the one that was `kept`."""
    fresh = {unit.name: row(unit, result) for unit, result in results}
    units = load_units()
    rows = [fresh.get(unit.name) or kept.get(f"`{unit.name}`") for unit in units]
    lacking = [unit.name for unit, cells in zip(units, rows) if cells is None]
    if lacking:
        raise ProofError(f"the table has no line of {', '.join(lacking)}: prove these as well")
    return rows + [total(units, rows)]


def write_page(results):
    """Units that `results` lacks keep their lines."""
    before, inside, after = split_page()
    kept = {cells[0]: cells for cells in map(cells_of, inside.splitlines())}
    lines = table_lines(rows_of(results, kept))  # Before the page is opened, and so emptied.
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(before + BEGIN + "".join(lines) + END + after)


def check_page(results):
    """ProofError unless the page says what is so. Times differ from one machine to another."""
    def timeless(lines):
        return [[cell for at, cell in enumerate(cells_of(line)) if at != TIME] for line in lines]
    _, inside, _ = split_page()
    page = inside.splitlines()
    run = table_lines(rows_of(results, {}))
    for said, found in itertools.zip_longest(page, run, fillvalue=""):
        if timeless([said]) != timeless([found]):
            raise ProofError("docs/verification.md does not have this run's table:\n"
                             f"- {said}\n+ {found}\nwritten by tools/prove.py --write UNIT")
