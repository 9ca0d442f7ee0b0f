// SPDX-License-Identifier: MIT
/* What a mount decides about the records that it finds: which one continues the log, how much of
 * the log counts, and which record outside it an honest history can have left. Nothing here reads
 * or applies anything; volume_chain.c does. */
#pragma once

#include <stdbool.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/volume_record.h"

/* As far as the log has been followed. */
struct volume_recovered {
	enum volume_profile profile;
	uint32_t generation;  /* Of the master key. */
	uint64_t epoch_first; /* The next record's is at least this one, */
	uint64_t epoch_last;  /* and at most the superblock's. */
	uint64_t sequence;    /* Of the last record. */
	const uint8_t *tag;
	const uint8_t *anchor;
};

/*@ predicate bytes_are_equal{L}(uint8_t *a, uint8_t *b, integer size) =
      \forall integer i; 0 <= i < size ==> a[i] == b[i]; */

/* Is this record the successor of what was recovered? Each one is authentic, so an accepted one is
 * the next of this very history: nothing is left out, nothing comes from a branch. */
/*@ requires \valid_read(so_far) && \valid_read(header) && \valid_read(record);
    requires \valid_read(so_far->tag + (0 .. AEAD_TAG_BYTES - 1));
    requires \valid_read(so_far->anchor + (0 .. VOLUME_CHAIN_ANCHOR_BYTES - 1));
    requires record->sequence > 0;
    assigns \nothing;
    ensures \result <==> header->generation == so_far->generation &&
      so_far->epoch_first <= record->epoch <= so_far->epoch_last &&
      record->sequence == so_far->sequence + 1 &&
      (so_far->profile == VOLUME_PROFILE_BLOCK || record->durable_sequence == so_far->sequence) &&
      bytes_are_equal(&record->previous_tag[0], so_far->tag, AEAD_TAG_BYTES) &&
      bytes_are_equal(&record->anchor[0], so_far->anchor, VOLUME_CHAIN_ANCHOR_BYTES); */
bool volume_record_is_next(const struct volume_recovered *so_far,
			   const struct volume_record_header *header,
			   const struct volume_record *record);

/* The log has ended. May an honest history have left this record outside it? An earlier lap's may
 * be there; in the block profile also one that was in flight. Nothing that says that more was
 * flushed than was recovered: that would be a silent truncation. */
/*@ requires \valid_read(so_far) && \valid_read(record);
    assigns \nothing;
    ensures \result ==> record->durable_sequence <= so_far->sequence;
    ensures \result ==> record->epoch <= so_far->epoch_last;
    ensures \result && so_far->profile != VOLUME_PROFILE_BLOCK ==>
      record->epoch < so_far->epoch_last;
    ensures record->epoch < so_far->epoch_last &&
      record->durable_sequence <= so_far->sequence ==> \result; */
bool volume_leftover_is_honest(const struct volume_recovered *so_far,
			       const struct volume_record *record);

/* ---- Walking the chain ---------------------------------------------------------------------- */

/* In this order, and each at most once. The state profile has but the last one: each of its records
 * is flushed before the next one is written, and is a transaction. */
enum volume_walk_mode {
	VOLUME_WALK_SURVEY, /* How far does the chain go? */
	VOLUME_WALK_PROVE,  /* Has the data arrived of what may have been in flight? */
	VOLUME_WALK_APPLY,
	VOLUME_WALK_DONE,
};

struct volume_walk {
	enum volume_walk_mode mode;
	uint64_t head;      /* Each walk begins behind this record, */
	uint64_t limit;     /* and goes no further than this one. UINT64_MAX: as far as it gets. */
	uint64_t durable;   /* Highest sequence that a record of the chain says was flushed. */
	uint64_t committed; /* The last record of this walk that ends a transaction. */
};

/*@ predicate walk_is_sound{L}(struct volume_walk *w, integer last) =
      w->head <= w->durable && w->head <= w->committed <= last <= w->limit;
    // It ends with a whole transaction, and where the walks before it said.
    predicate walk_is_whole{L}(struct volume_walk *w, integer last) =
      w->committed == last && (w->limit == UINT64_MAX || w->limit == last); */

/* `head`: the last record that the superblock's tree contains. */
/*@ requires \valid(walk);
    assigns *walk;
    ensures walk_is_sound(walk, head) && walk->limit == UINT64_MAX && walk->head == head;
    ensures walk->mode ==
      (profile == VOLUME_PROFILE_BLOCK ? VOLUME_WALK_SURVEY : VOLUME_WALK_APPLY); */
void volume_walk_begin(struct volume_walk *walk, enum volume_profile profile, uint64_t head);

/* May the record behind `last` be visited? */
/*@ requires \valid_read(walk) && walk_is_sound(walk, last);
    assigns \nothing;
    ensures \result <==> last + 1 <= walk->limit; */
bool volume_walk_goes_on(const struct volume_walk *walk, uint64_t last);

/* The tail rule: does it take the data of this record to believe it? Not if it was flushed, since
 * then damage to its data costs the block and not the log. */
/*@ requires \valid_read(walk) && \valid_read(record);
    assigns \nothing;
    ensures \result <==>
      walk->mode == VOLUME_WALK_PROVE && record->sequence > walk->durable; */
bool volume_walk_wants_proof(const struct volume_walk *walk, const struct volume_record *record);

/* The next record (volume_record_is_next) was visited, and is good. */
/*@ requires \valid(walk) && \valid_read(record) && \separated(walk, record);
    requires walk_is_sound(walk, record->sequence - 1) && record->sequence <= walk->limit;
    assigns walk->durable, walk->committed;
    ensures walk_is_sound(walk, record->sequence);
    ensures walk->durable >= record->durable_sequence && walk->durable >= \old(walk->durable);
    ensures walk->committed == ((record->flags & VOLUME_RECORD_COMMIT) != 0
      ? record->sequence : \old(walk->committed)); */
void volume_walk_follow(struct volume_walk *walk, const struct volume_record *record);

/* The walk ended behind record `last`: on to the next one. Transactions that have ended count, and
 * nothing behind them: the walks that follow go no further. STATUS_TAMPER: that is less than a
 * record of the chain says was flushed, or what was applied is not what was looked at before. The
 * ring then changed in between, which no crash does. */
/*@ requires \valid(walk) && walk_is_sound(walk, last) && walk->mode < VOLUME_WALK_DONE;
    assigns walk->mode, walk->limit, walk->committed;
    // Never a silent truncation, never half a transaction; and nothing else is refused.
    ensures \result == STATUS_OK <==> walk->durable <= \old(walk->committed) &&
      (\old(walk->mode) == VOLUME_WALK_APPLY ==> \old(walk_is_whole(walk, last)));
    ensures \result != STATUS_OK ==> \result == STATUS_TAMPER;
    ensures \result == STATUS_OK && walk->mode == VOLUME_WALK_DONE ==>
      \old(walk->mode) == VOLUME_WALK_APPLY && walk->committed == last && walk->durable <= last;
    // What comes next may be applied unproved only if the survey saw that all of it was flushed.
    ensures \result == STATUS_OK && walk->mode != VOLUME_WALK_DONE ==>
      \old(walk->mode) < walk->mode && walk_is_sound(walk, walk->head) &&
      walk->limit == \old(walk->committed) &&
      (walk->mode == VOLUME_WALK_APPLY ==>
	\old(walk->mode) == VOLUME_WALK_PROVE || walk->limit <= walk->durable); */
MUST_CHECK
enum status volume_walk_end(struct volume_walk *walk, uint64_t last);
