#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shows that each guard of the volume is needed: switches it off, and demands that the crash
checker finds out.

A mutation is a text in one source of block/ and what stands there instead. The source is changed in
a copy, compiled with the flags of the real one and linked in its place. A mutation whose text is no
longer there fails (so that the list is kept in step with the code), and so does one that survives.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import time
from typing import NamedTuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Mutation(NamedTuple):
    name: str
    quick: bool
    guard: str  # What is switched off.
    campaigns: str  # Where it has to show.
    source: str  # In block/.
    text: str
    replacement: str


MUTATIONS = [
    Mutation("chain", True, "a record names the record before it", "mixes", "volume_chain.c",
             "bytes_equal_constant_time(record->previous_tag, log->tag, AEAD_TAG_BYTES) && "
             "bytes_equal_constant_time(record->anchor, log->anchor, VOLUME_CHAIN_ANCHOR_BYTES);",
             "true;"),
    Mutation("scan", True, "authentic records behind the log's end are tampering", "bits",
             "volume_chain.c",
             "if (record.epoch < epochs && "
             "record.durable_sequence <= volume->log.sequence) {", "if (true) {"),
    Mutation("deferred-free", True, "blocks of the durable state are not reused", "checkpoints",
             "volume_cursor.c", "status = volume_build_allocate(volume, &physical);",
             "struct volume_deltas *given_up = &volume->build.deltas; "
             "if (given_up->count != 0 && given_up->all[given_up->count - 1] % 2 == 1) { "
             "physical = given_up->all[--given_up->count] / 2; } "
             "else { status = volume_build_allocate(volume, &physical); }"),
    Mutation("flush-record", True, "a record is flushed before it is acknowledged", "commits",
             "volume_log.c",
             "enum status status = volume_note_write(volume, block_flush(volume->device), "
             "UINT64_MAX);", "enum status status = STATUS_OK;"),
    Mutation("flush-root", True, "a superblock is flushed before more is written", "checkpoints",
             "volume_pair.c", "status = block_flush(volume->device);", "status = STATUS_OK;"),
    Mutation("flush-before-root", False, "what a superblock names is flushed before it",
             "checkpoints", "volume_checkpoint.c",
             "volume_note_write(volume, block_flush(volume->device), UINT64_MAX)", "STATUS_OK"),
    Mutation("flush-replay", True, "what was replayed is flushed before more is written",
             "commits sequences", "volume_mount.c",
             "enum status status = block_flush(volume->device);",
             "enum status status = STATUS_OK;"),
    Mutation("salt", True, "each mount draws a fresh salt", "commits", "volume_session.c",
             "enum status status = random_fill(volume->random, session->salt, VOLUME_SALT_BYTES);",
             "memset(session->salt, 7, VOLUME_SALT_BYTES); enum status status = STATUS_OK;"),
    Mutation("keyslot-digest", True, "the superblock names the keyslot area", "splice",
             "volume_mount.c",
             "if (!area->intact || !bytes_equal_constant_time(area->digest, "
             "volume->superblock.keyslot_digest, SHA256_BYTES)) {", "if (!area->intact) {"),
    Mutation("second-copy", False, "superblocks and keyslots are kept twice", "bits",
             "volume_pair.c", "status = copy_write(volume, pair->places[1], block);",
             "status = STATUS_OK;"),
    Mutation("heal", False, "a damaged copy is repaired before the other is overwritten",
             "checkpoints walk", "volume_pair.c", "if (!pair->needs_heal) {", "if (true) {"),
    Mutation("bitmap-slots", False, "bitmaps alternate between two places", "checkpoints",
             "volume_groups.c", "entry->physical == first ? first + 1 : first;", "first;"),
    Mutation("free", False, "blocks that are given up become free", "checkpoints",
             "volume_cursor.c",
             "enum status status = volume_build_free(volume, old->physical);",
             "enum status status = STATUS_OK;"),
    Mutation("spoil", False, "a block whose patch was lost stays lost", "bits",
             "volume_cursor.c", "entry.tag[i] = (uint8_t)~entry.tag[i];", ""),
    Mutation("reserve", False, "a checkpoint always finds space", "walk", "volume_commit.c",
             "return need + reserve <= volume_space_left(volume);",
             "(void)need; (void)reserve; (void)volume; return true;"),
    Mutation("durable", False, "what was flushed is durable", "commits", "volume_log.c",
             "volume->log.durable_sequence = volume->log.sequence;", ""),
    Mutation("entropy", False, "no session without entropy", "faults", "volume_session.c",
             "enum status status = random_fill(volume->random, session->salt, VOLUME_SALT_BYTES);",
             "enum status status = random_fill(volume->random, session->salt, VOLUME_SALT_BYTES);"
             " status = STATUS_OK;"),
    Mutation("ring-limit", False, "the log does not overwrite itself", "walk", "volume_log.c",
             "+ block_count <= volume->geometry.ring_blocks / 2;",
             "+ block_count <= 4 * volume->geometry.ring_blocks;"),
    Mutation("authentication", False, "what does not authenticate is not returned", "bits",
             "volume_session.c", "return is_data ? STATUS_AUTH_DATA : STATUS_AUTH_META;",
             "return STATUS_OK;"),
    Mutation("fresh", False, "a fresh block starts from zeroes", "sequences walk",
             "volume_record.c", "if (change->kind == VOLUME_CHANGE_FRESH) {", "if (false) {"),
    Mutation("write-error", False, "after a failed write nothing more is written", "faults",
             "volume.c",
             "remember(volume, status, VOLUME_LEVEL_LOG, UINT64_MAX, physical); "
             "volume->writable = false;",
             "remember(volume, status, VOLUME_LEVEL_LOG, UINT64_MAX, physical);"),
]


def mutate(text, mutation):
    """The source with its mutation. White space is what clang-format made of it: it counts as
    one."""
    words = r"\s+".join(re.escape(word) for word in mutation.text.split())
    found = list(re.finditer(words, text))
    if len(found) != 1:
        raise SystemExit(f"{mutation.name}: its text is {len(found)} times in "
                         f"block/{mutation.source}; bring the list in step with the code")
    return text[:found[0].start()] + mutation.replacement + text[found[0].end():]


def compile_command(build, source, output):
    """The real source's command, for a copy, without warnings."""
    real = os.path.join(ROOT, "block", os.path.basename(source))
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        for entry in json.load(file):
            command = shlex.split(entry.get("command", ""))
            if entry["file"] == real and "HOLDFAST_HOST=1" in entry["command"]:
                command[command.index("-o") + 1] = output
                command[command.index(real)] = source
                return command + ["-w"], entry["directory"]
    raise SystemExit(f"{build} does not compile {real}")


def link_command(build, extra, output):
    """The checker's command, with one object more: it comes before the archive that has the real
    one."""
    lines = subprocess.run(["ninja", "-C", build, "-t", "commands", "crash_checker"], check=True,
                           capture_output=True, text=True).stdout.strip().split("\n")
    command = [word for word in shlex.split(lines[-1]) if word not in (":", "&&")]
    at = command.index("-o")
    command[at + 1] = output
    return command[:at] + [extra] + command[at:]


def build_mutant(build, mutation, folder):
    """Path of the checker with the mutation in it."""
    with open(os.path.join(ROOT, "block", mutation.source), encoding="utf-8") as file:
        text = mutate(file.read(), mutation)
    source = os.path.join(folder, mutation.source)
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    command, directory = compile_command(build, source, source + ".o")
    subprocess.run(command, cwd=directory, check=True)
    checker = os.path.join(folder, "crash_checker")
    subprocess.run(link_command(build, source + ".o", checker), cwd=build, check=True)
    return checker


def find_out(checker, mutation, seconds, seed):
    """What the checker says to it; None if it finds nothing."""
    for campaign in mutation.campaigns.split():
        done = subprocess.run([checker, "--campaign", campaign, "--seconds", str(seconds),
                               "--seed", str(seed), "--first"], capture_output=True, text=True,
                              check=False)
        found = re.search(r"VIOLATION in (.*)", done.stderr)
        if done.returncode == 1 and found:
            states = re.search(r"^(\d+) states,", done.stdout, re.M)
            return f"{found.group(1)} (state {states.group(1)})"
        if done.returncode not in (0, 1):
            print(done.stdout + done.stderr)
            raise SystemExit(f"{mutation.name}: the checker ended with {done.returncode}")
    return None


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True, help="build directory that has crash_checker")
    parser.add_argument("--quick", action="store_true", help="the most important ones only")
    parser.add_argument("--only", metavar="NAME", help="one mutation")
    parser.add_argument("--seconds", type=int, default=30, help="for each campaign of one (30)")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main():
    options = parse_arguments()
    build = os.path.abspath(options.build)
    wanted = [mutation for mutation in MUTATIONS
              if options.only in (None, mutation.name) and (mutation.quick or not options.quick)]
    survivors = []
    for mutation in wanted:
        folder = os.path.join(build, "tests", "crash", "mutants", mutation.name)
        os.makedirs(folder, exist_ok=True)
        started = time.monotonic()
        checker = build_mutant(build, mutation, folder)
        found = find_out(checker, mutation, options.seconds, options.seed)
        print(f"{'caught  ' if found else 'SURVIVED'} {mutation.name}: without "
              f"\"{mutation.guard}\": {found or mutation.campaigns + ': nothing'} "
              f"({time.monotonic() - started:.1f} s)", flush=True)
        if found is None:
            survivors.append(mutation.name)
    print(f"{len(wanted)} mutations, {len(survivors)} survived")
    return 1 if survivors or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
