#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shows that each guard of the volume is needed: switches it off, and demands that the crash
checker finds out.

A mutation is a text in one source of block/ and what stands there instead. The source is changed in
a copy, compiled with the flags of the real one and linked in its place. A mutation whose text is no
longer there fails (so that the list is kept in step with the code), and so does one that survives.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from typing import NamedTuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
from harness import mutant  # noqa: E402 (the path has to be set first)

EXIT_DIED = 3


class Mutation(NamedTuple):
    name: str
    quick: bool
    guard: str  # What is switched off.
    campaigns: str  # Where it has to show.
    source: str  # In block/.
    text: str
    replacement: str


MUTATIONS = [
    Mutation("chain", True, "a record names the record before it", "mixes", "volume_recovery.c",
             "bytes_equal_constant_time(record->previous_tag, so_far->tag, AEAD_TAG_BYTES) && "
             "bytes_equal_constant_time(record->anchor, so_far->anchor, "
             "VOLUME_CHAIN_ANCHOR_BYTES);",
             "true;"),
    Mutation("scan", True, "authentic records behind the log's end are tampering", "bits",
             "volume_chain.c",
             "if (volume_leftover_is_honest(&so_far, &record)) {", "if (true) {"),
    Mutation("deferred-free", True, "blocks of the durable state are not reused", "checkpoints",
             "volume_cursor.c", "status = volume_build_allocate_one(volume, &physical);",
             "struct volume_deltas *given_up = &volume->build.deltas; "
             "uint64_t *last = &given_up->all[given_up->count - 1]; "
             "struct volume_delta run = given_up->count == 0 ? (struct volume_delta){.count = 0} "
             ": volume_delta_decode(*last); "
             "if (run.frees) { physical = volume->geometry.group_first + "
             "(uint64_t)run.group * VOLUME_GROUP_BLOCKS + run.first + run.count - 1; "
             "*last -= 1; given_up->count -= run.count == 1 ? 1u : 0u; } "
             "else { status = volume_build_allocate_one(volume, &physical); }"),
    Mutation("flush-record", True, "a record is flushed before it is acknowledged", "commits",
             "volume_txn.c",
             "volume_txn_settle(volume, block_flush(volume->device))",
             "volume_txn_settle(volume, STATUS_OK)"),
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
             "volume_identify.c",
             "if (!area->intact || !bytes_equal_constant_time(area->digest, "
             "volume->superblock.keyslot_digest, SHA256_BYTES)) {", "if (!area->intact) {"),
    Mutation("second-copy", False, "superblocks and keyslots are kept twice", "bits",
             "volume_checkpoint.c",
             "case VOLUME_PHASE_COPY_1: return superblock_copy_write(volume, 1);",
             "case VOLUME_PHASE_COPY_1: volume_build_phase_end(volume); return STATUS_OK;"),
    Mutation("heal", False, "a damaged copy is repaired before the other is overwritten",
             "checkpoints walk", "volume_pair.c",
             "for (uint32_t which = 0; which < 2; which++) { "
             "if (volume->superblock_pairs[which].needs_heal) {",
             "for (uint32_t which = 2; which < 2; which++) { if (false) {"),
    Mutation("bitmap-slots", False, "bitmaps alternate between two places", "checkpoints",
             "volume_groups.c", "entry->physical == first ? first + 1 : first;", "first;"),
    Mutation("free", False, "blocks that are given up become free", "checkpoints",
             "volume_cursor.c",
             "enum status status = volume_build_free(volume, old->physical, 1);",
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
             "+ block_count <= blocks_offered(volume);",
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
    Mutation("tail-rule", True, "data of what may have been in flight is proven", "block-commits",
             "volume_recovery.c",
             "return walk->mode == VOLUME_WALK_PROVE && record->sequence > walk->durable;",
             "return record == NULL;"),
    Mutation("tail-rule-only", False, "damage to durable data costs the block, not the log",
             "block-bits", "volume_recovery.c",
             "return walk->mode == VOLUME_WALK_PROVE && record->sequence > walk->durable;",
             "return walk->mode == VOLUME_WALK_PROVE && record != NULL;"),
    Mutation("proof-walk", False, "the proof is walked although the survey was", "block-commits",
             "volume_recovery.c",
             "walk->mode = is_doubtful ? VOLUME_WALK_PROVE : VOLUME_WALK_APPLY;",
             "(void)is_doubtful; walk->mode = VOLUME_WALK_APPLY;"),
    Mutation("survey-walk", False, "the survey ends at the last transaction that is whole",
             "block-commits", "volume_recovery.c", "walk->limit = walk->committed;",
             "walk->limit = last;"),
    Mutation("commit-last", True, "only the last record of a transaction commits",
             "block-commits", "volume_spill.c",
             "status = filling_append(volume, &filling, false);",
             "status = filling_append(volume, &filling, true);"),
    Mutation("commit-flag", False, "records without a later COMMIT do not count", "block-commits",
             "volume_recovery.c", "if ((record->flags & VOLUME_RECORD_COMMIT) != 0) {",
             "if (true) {"),
    Mutation("session-room", False, "the log speaks of no more sessions than the table takes",
             "block-limits", "volume_room.c",
             "return volume_table_find(&volume->table, volume->session.id) != NULL || "
             "volume->table.count + 1 < VOLUME_SESSIONS_MAX;", "(void)volume; return true;"),
    Mutation("session-spare", True, "a checkpoint has a row for its own session",
             "block-limits", "volume_room.c", "volume->table.count + 1 < VOLUME_SESSIONS_MAX;",
             "volume->table.count < VOLUME_SESSIONS_MAX;"),
    Mutation("session-number", True, "a session's number is never used twice", "block-sequences",
             "volume_chain.c", "if (record.session >= volume->session.id) {", "if (false) {"),
    Mutation("session-learn", False, "a mount learns the sessions that the log speaks of",
             "block-commits", "volume_session.c",
             "struct volume_session_table *table = &volume->table; "
             "const struct volume_session_row *known = volume_table_find(table, id);",
             "struct volume_session_table *table = &volume->table; "
             "if (id != 0) { return STATUS_OK; } "
             "const struct volume_session_row *known = volume_table_find(table, id);"),
    Mutation("session-renew", False, "a salt drawn in place leaves the one before it readable",
             "block-checkpoints block-walk", "volume_session.c",
             "if (session->ready && volume->geometry.profile == VOLUME_PROFILE_BLOCK && "
             "session->data_seals != 0) {", "if (false) {"),
    Mutation("next-fit-replay", True, "a mount passes what the log's records took",
             "block-sequences", "volume_alloc.c",
             "while (is_ahead(volume, at)) { /* Each turn leaves less ahead. */",
             "while (false) {"),
    Mutation("block-space", False, "one round between two checkpoints is enough",
             "block-limits", "volume_room.c", "return left > need ? left - need : 0;",
             "(void)left; (void)need; return UINT32_MAX;"),
    Mutation("next-fit-twice", True, "what was given up in this epoch is not taken again in it",
             "block-commits block-sequences", "volume_spill.c",
             "if (status == STATUS_OK) { txn->cursor = volume->bitmaps.cursor;",
             "if (status == STATUS_OK) { "
             "volume->bitmaps.cursor = volume->superblock.cursor; "
             "txn->cursor = volume->bitmaps.cursor;"),
    Mutation("block-deferred-free", True, "blocks of the durable state are not reused",
             "block-checkpoints", "volume_cursor.c",
             "status = volume_build_allocate_one(volume, &physical);",
             "struct volume_deltas *given_up = &volume->build.deltas; "
             "uint64_t *last = &given_up->all[given_up->count - 1]; "
             "struct volume_delta run = given_up->count == 0 ? (struct volume_delta){.count = 0} "
             ": volume_delta_decode(*last); "
             "if (run.frees) { physical = volume->geometry.group_first + "
             "(uint64_t)run.group * VOLUME_GROUP_BLOCKS + run.first + run.count - 1; "
             "*last -= 1; given_up->count -= run.count == 1 ? 1u : 0u; } "
             "else { status = volume_build_allocate_one(volume, &physical); }"),
    Mutation("block-free", False, "blocks that are given up become free", "block-checkpoints",
             "volume_cursor.c",
             "enum status status = volume_build_free(volume, old->physical, 1);",
             "enum status status = STATUS_OK;"),
    Mutation("block-place", False, "what lies out of line is counted as taken",
             "block-checkpoints", "volume_build.c",
             "is_carried ? STATUS_OK : volume_build_take_all(volume, entries, run->count);",
             "STATUS_OK;"),
    Mutation("carried-tail", True, "blocks that a record carries are proven like others",
             "block-commits", "volume_replay.c",
             "return is_sealed_apart(change) ?",
             "return change->kind == VOLUME_CHANGE_EXTENT ?"),
    Mutation("carried-move", True, "a checkpoint moves what the log carries",
             "block-checkpoints", "volume_carried.c",
             "memcpy(room + (size_t)i * BLOCK_BYTES, ring + (at - first) * BLOCK_BYTES, "
             "BLOCK_BYTES);",
             "memset(room + (size_t)i * BLOCK_BYTES, (int)(at & 0), BLOCK_BYTES);"),
    Mutation("durable-seq", True, "a record says how far the log was flushed", "block-bits",
             "volume_log.c", "volume->log.durable_sequence = volume->log.sequence;", ""),
    Mutation("durable-scan", True, "recovery does not end below what was flushed", "block-bits",
             "volume_recovery.c",
             "return is_epoch_possible && record->durable_sequence <= so_far->sequence;",
             "return is_epoch_possible;"),
    Mutation("later-epoch", False, "a record of a later epoch is tampering",
             "block-splice", "volume_recovery.c",
             "return is_epoch_possible && record->durable_sequence <= so_far->sequence;",
             "(void)is_epoch_possible; return record->durable_sequence <= so_far->sequence;"),
    Mutation("block-chain", True, "a record names the record before it", "block-mixes",
             "volume_recovery.c",
             "bytes_equal_constant_time(record->previous_tag, so_far->tag, AEAD_TAG_BYTES) && "
             "bytes_equal_constant_time(record->anchor, so_far->anchor, "
             "VOLUME_CHAIN_ANCHOR_BYTES);",
             "true;"),
    Mutation("block-flush-record", True, "data and record are flushed before they are "
             "acknowledged", "block-commits", "volume_txn.c",
             "volume_txn_settle(volume, block_flush(volume->device))",
             "volume_txn_settle(volume, STATUS_OK)"),
    Mutation("block-flush-root", True, "a superblock is flushed before more is written",
             "block-checkpoints", "volume_pair.c", "status = block_flush(volume->device);",
             "status = STATUS_OK;"),
    Mutation("block-flush-before-root", False, "what a superblock names is flushed before it",
             "block-checkpoints", "volume_checkpoint.c",
             "volume_note_write(volume, block_flush(volume->device), UINT64_MAX)", "STATUS_OK"),
    Mutation("block-flush-replay", False, "what was replayed is flushed before more is written",
             "block-commits block-sequences", "volume_mount.c",
             "enum status status = block_flush(volume->device);",
             "enum status status = STATUS_OK;"),
    Mutation("block-second-copy", False, "superblocks and keyslots are kept twice", "block-bits",
             "volume_checkpoint.c",
             "case VOLUME_PHASE_COPY_1: return superblock_copy_write(volume, 1);",
             "case VOLUME_PHASE_COPY_1: volume_build_phase_end(volume); return STATUS_OK;"),
    Mutation("block-heal", False, "a damaged copy is repaired before the other is overwritten",
             "block-checkpoints block-walk", "volume_pair.c",
             "for (uint32_t which = 0; which < 2; which++) { "
             "if (volume->superblock_pairs[which].needs_heal) {",
             "for (uint32_t which = 2; which < 2; which++) { if (false) {"),
    Mutation("group-places", True, "bitmaps and the nodes above them alternate",
             "block-checkpoints", "volume_groups.c",
             "entry->physical == first ? first + 1 : first;", "first;"),
    Mutation("group-entry", True, "a changed bitmap's entry reaches the root",
             "block-checkpoints", "volume_groups.c",
             "volume->build.groups.dirty[height] = true;", ""),
    Mutation("group-bitmap", False, "a bitmap is written when it changed", "block-checkpoints",
             "volume_groups.c",
             "if (status == STATUS_OK && "
             "(memcmp(volume->build.bitmap, bitmap, BLOCK_BYTES) != 0 ||",
             "if (status == STATUS_OK && (false ||"),
    Mutation("bitmap-step", False, "each entry of a checkpoint's list changes its bit",
             "block-checkpoints block-walk block-sequences", "volume_alloc.c",
             "return delta_note(volume, physical, count, false);",
             "(void)volume; (void)physical; (void)count; return STATUS_OK;"),
    Mutation("spill-write", True, "what is gathered is written before the record commits",
             "block-commits", "volume_spill.c",
             "return status == STATUS_OK ? volume_txn_batch_write(volume) : status;",
             "return status;"),
    Mutation("patch-base", False, "a patch follows only what the log itself holds",
             "block-sequences", "volume_spill.c",
             "bool has_base = pending != NULL && pending->kind == VOLUME_MAP_CONTENT;",
             "bool has_base = pending != NULL;"),
    Mutation("block-ring-limit", False, "the log does not overwrite itself", "block-limits",
             "volume_log.c", "+ block_count <= blocks_offered(volume);",
             "+ block_count <= 4 * volume->geometry.ring_blocks;"),
    Mutation("overlay-room", False, "a mount finds room for what the log holds", "block-limits",
             "volume_room.c", "pool->room - pool->taken >= volume->geometry.txn_blocks &&",
             "true &&"),
    Mutation("contents-room", False, "and for its content", "block-limits", "volume_room.c",
             "pool->contents_free >= VOLUME_INLINE_BLOCKS &&", "true &&"),
    Mutation("steps-epoch", True, "the log goes on while a checkpoint runs", "block-steps",
             "volume_chain.c",
             "log->epoch = volume->superblock.epoch - (may_be_late ? 1 : 0);",
             "(void)may_be_late; log->epoch = volume->superblock.epoch;"),
    Mutation("steps-head", True, "the log begins behind what the checkpoint moved",
             "block-steps", "volume_checkpoint.c",
             "const struct volume_log *head = &volume->build.head;",
             "const struct volume_log *head = &volume->log;"),
    Mutation("steps-freeze", True, "what is committed while a checkpoint runs stays pending",
             "block-steps", "volume_checkpoint.c", "volume_map_clear(&volume->frozen);",
             "volume_map_clear(&volume->frozen); volume_map_clear(&volume->overlay);"),
    Mutation("steps-round", True, "a mount begins where the log's first block was taken",
             "block-steps", "volume_alloc.c",
             "volume->build.round_cursor = is_begun ? bitmaps->late_cursor : bitmaps->cursor;",
             "(void)is_begun; volume->build.round_cursor = bitmaps->cursor;"),
    Mutation("steps-undo", False, "an aborted transaction leaves a checkpoint its blocks",
             "block-steps block-walk", "volume_alloc.c",
             "if (count != 0 && bitmaps->build_taken == build_taken) {",
             "(void)build_taken; if (count != 0) {"),
    Mutation("steps-worn", False, "a session is not renewed while it builds", "block-steps",
             "volume_room.c",
             "if (volume_checkpoint_is_running(volume) && volume_session_is_worn(volume)) {",
             "if (false) {"),
    Mutation("grow-copies", True, "both pairs move before the groups grow", "grow block-grow",
             "volume_grow.c",
             "for (uint32_t i = 0; i < 2 && status == STATUS_OK; i++) { "
             "status = pair_move(volume);",
             "for (uint32_t i = 0; i < 1 && status == STATUS_OK; i++) { "
             "status = pair_move(volume);"),
    Mutation("grow-bitmap", False, "what the volume takes up becomes free", "grow block-grow",
             "volume_grow.c",
             "for (uint64_t at = volume->build.grows_from; at < volume->build.grows_to; at++) {",
             "for (uint64_t at = UINT64_MAX; at < volume->build.grows_to; at++) {"),
    Mutation("grow-count", False, "and is counted", "block-grow", "volume_grow.c",
             "volume->build.free_count += volume->build.grows_to - volume->build.grows_from;", ""),
    Mutation("witness-rollback", True, "what is older than the witness's memory is a rollback",
             "witness block-witness", "volume_freshness.c",
             "if (mark->sequence > state->committed.sequence) {", "if (false) {"),
    Mutation("witness-fork", True, "another history is a fork", "witness block-witness",
             "volume_freshness.c",
             "return state->is_on_chain || is_sealed ? STATUS_OK : STATUS_FORK;",
             "(void)is_sealed; return STATUS_OK;"),
    Mutation("witness-strict", True, "no commit is acknowledged before the witness has it",
             "witness block-witness", "volume_txn.c",
             "status = volume_freshness_confirm(volume);", "status = STATUS_OK;"),
    Mutation("witness-order", False, "disk first, then witness", "witness block-witness",
             "volume_txn.c", "volume_txn_settle(volume, block_flush(volume->device))",
             "volume_txn_settle(volume, STATUS_OK)"),
    Mutation("half-records", False, "after records without an end nothing more is written",
             "block-faults", "volume_spill.c",
             "return volume_note_write(volume, status, UINT64_MAX);", "return status;"),
    Mutation("block-write-error", False, "after a failed write nothing more is written",
             "block-faults", "volume.c",
             "remember(volume, status, VOLUME_LEVEL_LOG, UINT64_MAX, physical); "
             "volume->writable = false;",
             "remember(volume, status, VOLUME_LEVEL_LOG, UINT64_MAX, physical);"),
    Mutation("block-authentication", False, "what does not authenticate is not returned",
             "block-bits", "volume_session.c",
             "return is_data ? STATUS_AUTH_DATA : STATUS_AUTH_META;", "return STATUS_OK;"),
    Mutation("block-salt", True, "each mount draws a fresh salt", "block-commits",
             "volume_session.c",
             "enum status status = random_fill(volume->random, session->salt, VOLUME_SALT_BYTES);",
             "memset(session->salt, 7, VOLUME_SALT_BYTES); enum status status = STATUS_OK;"),
    Mutation("block-entropy", False, "no session without entropy", "block-faults",
             "volume_session.c",
             "enum status status = random_fill(volume->random, session->salt, VOLUME_SALT_BYTES);",
             "enum status status = random_fill(volume->random, session->salt, VOLUME_SALT_BYTES);"
             " status = STATUS_OK;"),
    Mutation("block-keyslot-digest", False, "the superblock names the keyslot area",
             "block-splice", "volume_identify.c",
             "if (!area->intact || !bytes_equal_constant_time(area->digest, "
             "volume->superblock.keyslot_digest, SHA256_BYTES)) {", "if (!area->intact) {"),
]


def build_mutant(build, mutation, folder):
    """Path of the checker with the mutation in it."""
    source = "block/" + mutation.source
    changed = mutant.compile_mutant(build, mutation, source, folder)
    return mutant.link_mutant(build, "crash_checker", source, changed,
                              os.path.join(folder, "crash_checker"))


def last_line(text):
    """What a CHECK or a signal left, above the checker's own last words."""
    lines = [line for line in text.strip().split("\n") if "a job died" not in line]
    return lines[-1] if lines else "a signal"


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
        if done.returncode == EXIT_DIED:
            return f"{campaign}: the checker died ({last_line(done.stderr)})"
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
