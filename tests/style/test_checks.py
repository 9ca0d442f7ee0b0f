# SPDX-License-Identifier: MIT
"""The source checks find the faults that they are there for: each row plants one in a small tree
that is otherwise clean, and names words of the message."""

import os
import subprocess
import sys

import pytest

TOOLS = os.path.join(os.path.dirname(__file__), "..", "..", "tools")
SPDX = "// SPDX-License-Identifier: MIT\n"
with open(os.path.join(TOOLS, "..", ".clang-format"), encoding="utf-8") as file:
    CLANG_FORMAT = file.read()
CLEAN = {
    ".clang-format": CLANG_FORMAT,
    "base/CMakeLists.txt": "holdfast_module(base PURE good.c)\n",
    "base/good.h": SPDX + "#pragma once\n\nint good(int x);\n",
    "base/good.c": SPDX + '#include "base/good.h"\n\nint good(int x)\n{\n\treturn x;\n}\n',
    "mm/private_internal.h": SPDX + "#pragma once\n",
    "tests/unit/base/CMakeLists.txt": "holdfast_unit_test(test_good SOURCES test_good.c)\n",
    "tests/unit/base/test_good.c": SPDX + '#include "base/good.h"\n',
    "build/holdfast_sources.txt": "base PURE base/good.c\n",
}


def run_check(folder, check, changes):
    for name, text in {**CLEAN, **changes}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    command = [sys.executable, os.path.join(TOOLS, f"check_{check}.py"), "--root", str(folder)]
    if check in ("layers", "tidy"):
        command += ["--build", str(folder / "build")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def good_c(body, before=""):
    return {"base/good.c": SPDX + '#include "base/good.h"\n' + before +
            "\nint good(int x)\n{\n" + body + "}\n"}


@pytest.mark.parametrize("check", ["layers", "tidy", "headers", "format", "tree"])
def test_clean_tree_passes(tmp_path, check):
    done = run_check(tmp_path, check, {})
    assert done.returncode == 0, done.stdout + done.stderr


LONG_BODY = "\tx++;\n" * 70
FAULTS = [
    ("layers", {"base/good.h": SPDX + '#pragma once\n#include "mm/private_internal.h"\n'},
     "base may not include mm"),
    ("layers", {"arch/a.h": SPDX + '#pragma once\n#include "mm/private_internal.h"\n'},
     "private to mm"),
    ("layers", {"base/good.h": SPDX + '#pragma once\n#include "good.h"\n'}, "not rooted"),
    ("layers", {"base/good.h": SPDX + "#pragma once\n#include <stdio.h>\n"}, "freestanding"),
    ("layers", {"base/good.h": SPDX + "int good(int x);\n"}, "no #pragma once"),
    ("layers", {"base/good.c": SPDX + '#include <stdint.h>\n#include "base/good.h"\n'},
     "first include"),
    ("layers", good_c('\t__asm__("nop");\n\treturn x;\n'), "PURE source uses __asm__"),
    ("layers", good_c("\treturn *(volatile int *)&x;\n"), "PURE source uses volatile"),
    ("tidy", good_c(LONG_BODY), "a function of 72 lines"),
    ("tidy", {"base/good.c": CLEAN["base/good.c"] + "\n" * 500}, "more than 500 lines"),
    ("tidy", good_c("\treturn x; /* " + "a" * 90 + " */\n"), "more than 100 columns"),
    ("tidy", good_c("\tif (x)\n\t\treturn 1;\n\treturn x;\n"), "if without braces"),
    ("tidy", good_c("\tif (x) {\n\t} else\n\t\tx = 1;\n\treturn x;\n"), "else without braces"),
    ("tidy", good_c("\twhile (x);\n\treturn x;\n"), "while without braces"),
    ("tidy", good_c("\treturn strcpy(0, 0) != 0;\n"), "strcpy() is banned"),
    ("tidy", good_c("\treturn x; \n"), "white space at the end"),
    ("tidy", {"base/good.c": CLEAN["base/good.c"][len(SPDX):]}, "no SPDX line"),
    ("tidy", {"base/stray.c": SPDX + "int stray;\n"}, "no CMakeLists.txt builds it"),
    ("tidy", good_c("\treturn x; /* TO" + "DO: more */\n"), "finish it"),
    ("headers", {"base/good.h": SPDX + "#pragma once\nuint32_t good(void);\n"}, "alone"),
    ("headers", {"base/good.h": SPDX + "struct twice { int x; };\n"}, "alone"),
    ("format", {"base/good.c": SPDX + "int  good ( int x ) { return x; }\n"}, "violations"),
    ("format", {"run": "#!/bin/bash\nrm $1\n"}, "SC2086"),
    ("tree", {"notes.md": "see /wo" + "rk/main\n"}, "absolute path"),
    ("tree", {"notes.md": "from deb.debian" + ".org\n"}, "registry"),
    ("tree", {"base/good.o": "x"}, "product"),
    ("tree", {"run": "#!/bin/bash\n"}, "not executable"),
]


@pytest.mark.parametrize("check,changes,message", FAULTS, ids=[f[2] for f in FAULTS])
def test_fault_is_found(tmp_path, check, changes, message):
    done = run_check(tmp_path, check, changes)
    assert done.returncode == 1, done.stdout + done.stderr
    assert message in done.stdout


def test_mutable_global_of_a_pure_source_is_found(tmp_path):
    run_check(tmp_path, "layers", good_c("\treturn counter += x;\n", "\nstatic int counter;\n"))
    module = tmp_path / "build" / "base"
    module.mkdir()
    subprocess.run(["gcc", "-c", "-I.", "base/good.c", "-o", "build/base/good.o"], cwd=tmp_path,
                   check=True)
    subprocess.run(["ar", "rcs", "libbase_host.a", "good.o"], cwd=module, check=True)
    done = run_check(tmp_path, "layers", good_c("\treturn counter += x;\n",
                                                "\nstatic int counter;\n"))
    assert done.returncode == 1
    assert "mutable global counter" in done.stdout


def test_braces_of_do_while_and_else_if_are_fine(tmp_path):
    body = "\tdo {\n\t\tx--;\n\t} while (x > 0);\n\tif (x) {\n\t} else if (x == 1) {\n\t}\n"
    done = run_check(tmp_path, "tidy", good_c(body + "\treturn x;\n"))
    assert done.returncode == 0, done.stdout
