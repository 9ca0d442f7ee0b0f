// SPDX-License-Identifier: MIT
/* What the volume's other files ask of volume_freshness.c, and that of volume_witness.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/volume_state_internal.h"

/* Each does nothing where there is no witness and the policy is open. */
void volume_freshness_begin(struct volume *volume, const struct volume_environment *environment);
/* The superblock is known: ask the witness, and fence others unless this mount only reads. */
void volume_freshness_ask(struct volume *volume);
/* A walk over the log begins at its head. */
void volume_freshness_rewind(struct volume *volume);
/* It has found the next record, whose anchor is not in the chain yet. */
void volume_freshness_follow(struct volume *volume, const struct volume_record *record);
/* The log is replayed: is this the history that the witness remembers? ROLLBACK, FORK,
 * NOT_ENROLLED, UNANCHORED. */
MUST_CHECK
enum status volume_freshness_check(struct volume *volume);
/* What was recovered is flushed, and the volume is ready to write: let the witness have it. */
MUST_CHECK
enum status volume_freshness_settle(struct volume *volume);
/* May another commit be written? STATUS_UNANCHORED: not now, and nothing has happened. */
MUST_CHECK
enum status volume_freshness_admit(struct volume *volume);
/* A commit is flushed: may it be acknowledged? */
MUST_CHECK
enum status volume_freshness_confirm(struct volume *volume);
/* Before a superblock that releases the ring is written: the witness is not to be older than what
 * is left of the log, or what it has is in the superblock. */
MUST_CHECK
enum status volume_freshness_seal(struct volume *volume, struct volume_superblock *next);
/* Move the anchor by a record without changes, after a change of state that is in no record. */
MUST_CHECK
enum status volume_freshness_mark(struct volume *volume);
/* Flags of the next record. */
uint32_t volume_freshness_flags(const struct volume *volume);
/* Let the witness have what is committed. STATUS_UNANCHORED: not now; nothing has happened.
 * STATUS_FORK, STATUS_ROLLBACK: writing has ended. */
MUST_CHECK
enum status volume_witness_catch_up(struct volume *volume);
/* Ask for `remembered`; `answer` says whether it came. */
void volume_witness_open(struct volume *volume);
/* Enrol the volume, or put what is committed in the place of what is remembered. */
MUST_CHECK
enum status volume_witness_set(struct volume *volume);
bool volume_witness_marks_equal(const struct witness_mark *a, const struct witness_mark *b);
