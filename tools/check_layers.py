#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Who may include whom. The table is the architecture: docs/adr/0001-layers.md says why.

Also: includes are rooted, a source includes its own header first, private headers (_internal.h)
stay in their module, kernel code uses only freestanding system headers, and PURE sources hold
neither assembly nor volatile nor mutable globals.
"""

import os
import re
import subprocess

import check_common as common

# Left may include right, and itself. kernel/ composes everything; tests and benchmarks see all.
ALLOWED = {
    "base": "",
    "crypto": "base",
    "arch": "base",
    "boot": "base arch mm crypto",
    "mm": "base arch",
    "sharedmem": "base mm",
    "virtio": "base sharedmem",
    "block": "base crypto sharedmem virtio",
    "vtpm": "base block",
    "fio": "base block",
    "kernel": "base crypto arch boot mm sharedmem virtio block vtpm fio",
    "user": "base vtpm",
    "tools": "base crypto block boot vtpm",
    "tests": "base crypto arch boot mm sharedmem virtio block vtpm fio kernel user tools",
    "benchmarks": "base crypto arch boot mm sharedmem virtio block vtpm fio kernel user tools",
}
FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h", "string.h"}
# Libraries that are linked into the kernel, and the one module that may name each.
# The kernel takes the numbers of the Linux ABI from the one place that defines them.
LIBRARY_HEADERS = {
    "crypto": re.compile(r"^(intel-ipsec-mb\.h|ipsec-mb\.h|mbedtls/.*|limits\.h)$"),
    "boot": re.compile(r"^openssl/sha\.h$"),
    "kernel": re.compile(r"^(asm|asm-generic|linux)/[\w-]+\.h$"),
}
# Mutable globals of PURE sources: the listed exceptions of docs/architecture.md.
GLOBALS_ALLOWED = {"the_log"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(?:"([^"]+)"|<([^>]+)>)', re.M)


def module_of(name):
    return name.split("/")[0]


def check_quoted(root, name, line, target):
    module, other = module_of(name), module_of(target)
    beside = os.path.join(root, os.path.dirname(name), target)
    if module == "tests" and "/" not in target and os.path.exists(beside):
        return  # A test's own helper.
    if "/" not in target or not os.path.exists(os.path.join(root, target)):
        yield f'{name}:{line}: "{target}" is not rooted at the repository'
        return
    if other != module and other not in ALLOWED[module].split():
        yield f"{name}:{line}: {module} may not include {other} ({target})"
    # Tests of one module, and the checkers that replace a part of one, see its inside.
    private_ok = other == module or name.startswith(
        (f"tests/unit/{other}/", "tests/crash/", "tests/fuzz/", "tests/proofs/eva/"))
    if target.endswith("_internal.h") and not private_ok:
        yield f"{name}:{line}: {target} is private to {other}"


def check_system(name, line, target):
    module = module_of(name)
    if module not in common.MODULES or target in FREESTANDING:
        return
    if module in LIBRARY_HEADERS and LIBRARY_HEADERS[module].match(target):
        return
    yield f"{name}:{line}: <{target}> is not a freestanding header"


def check_own_header_first(root, name, includes):
    own = name[:-2] + ".h"
    if name.endswith(".c") and os.path.exists(os.path.join(root, own)):
        beside = os.path.basename(own) if module_of(name) == "tests" else own
        if not includes or includes[0] not in (own, beside):
            yield f'{name}:1: the first include has to be "{own}"'


def check_file(root, name):
    text = common.read(root, name)
    # Literals are blanked by strip_c, and an include's target is one: keep line structure only.
    stripped = common.strip_c(text)
    includes = []
    for match in INCLUDE.finditer(text):
        if "#" not in stripped[match.start():match.end()]:
            continue
        line = text.count("\n", 0, match.start()) + 1
        quoted, system = match.groups()
        includes.append(quoted or f"<{system}>")
        if quoted:
            yield from check_quoted(root, name, line, quoted)
        else:
            yield from check_system(name, line, system)
    yield from check_own_header_first(root, name, includes)
    if name.endswith(".h") and "#pragma once" not in text:
        yield f"{name}:1: no #pragma once"


IMPURE = re.compile(r"\b(asm|__asm__|__asm|volatile|__rdtsc|__builtin_ia32_\w+)\b")


def check_pure_text(root, name):
    for number, line in enumerate(common.strip_c(common.read(root, name)).split("\n"), 1):
        found = IMPURE.search(line)
        # secure_zero() is the one place where the compiler has to be told to keep its hands off.
        if found and name != "base/bytes.c":
            yield f"{name}:{number}: a PURE source uses {found.group(1)}"


def check_pure_globals(build, modules):
    """Writable data in a PURE object is a mutable global, whatever the source calls it."""
    for module in modules:
        archive = os.path.join(build, module, f"lib{module}_host.a")
        if not os.path.exists(archive):
            continue
        table = subprocess.run(["objdump", "-t", archive], check=True, capture_output=True,
                               text=True).stdout
        for line in table.split("\n"):
            left, _, right = line.partition("\t")
            if not right or not left.split():
                continue
            section, (size, *symbol) = left.split()[-1], right.split()
            writable = section.startswith((".data", ".bss")) and ".rel.ro" not in section
            # A section's own symbol is not a variable; ".0" marks a static local.
            if writable and int(size, 16) > 0 and symbol and \
                    symbol[-1].split(".")[0] not in GLOBALS_ALLOWED:
                yield f"{module}: a PURE source has the mutable global {symbol[-1]}"


def main():
    arguments = common.parse_root(__doc__)
    problems, names = [], []
    for name in common.tree_files(arguments.root):
        if module_of(name) in ALLOWED and name.endswith((".c", ".h", ".S")):
            names.append(name)
            problems.extend(check_file(arguments.root, name))
    if arguments.build:
        listed = common.sources_of_build(arguments.build)
        for _, kind, path in listed:
            if kind == "PURE":
                problems.extend(check_pure_text(arguments.root, path))
        problems.extend(check_pure_globals(arguments.build, sorted({m for m, _, _ in listed})))
    common.finish("layers", problems, len(names))


if __name__ == "__main__":
    main()
