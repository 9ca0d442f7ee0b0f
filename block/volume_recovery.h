// SPDX-License-Identifier: MIT
/* What a mount decides about the records that it finds: which one continues the log, and which one
 * outside the log an honest history can have left. volume_chain.c reads and applies them. */
#pragma once

#include <stdbool.h>

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
