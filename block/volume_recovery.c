// SPDX-License-Identifier: MIT
#include "block/volume_recovery.h"

#include "base/bytes.h"

bool volume_record_is_next(const struct volume_recovered *so_far,
			   const struct volume_record_header *header,
			   const struct volume_record *record)
{
	return header->generation == so_far->generation && record->epoch >= so_far->epoch_first &&
	       record->epoch <= so_far->epoch_last && record->sequence - 1 == so_far->sequence &&
	       (so_far->profile == VOLUME_PROFILE_BLOCK ||
		record->durable_sequence == so_far->sequence) &&
	       bytes_equal_constant_time(record->previous_tag, so_far->tag, AEAD_TAG_BYTES) &&
	       bytes_equal_constant_time(record->anchor, so_far->anchor, VOLUME_CHAIN_ANCHOR_BYTES);
}

bool volume_leftover_is_honest(const struct volume_recovered *so_far,
			       const struct volume_record *record)
{
	const bool is_epoch_possible = so_far->profile == VOLUME_PROFILE_BLOCK
					       ? record->epoch <= so_far->epoch_last
					       : record->epoch < so_far->epoch_last;
	return is_epoch_possible && record->durable_sequence <= so_far->sequence;
}

/* ---- Walking the chain ---------------------------------------------------------------------- */

void volume_walk_begin(struct volume_walk *walk, enum volume_profile profile, uint64_t head)
{
	walk->mode = profile == VOLUME_PROFILE_BLOCK ? VOLUME_WALK_SURVEY : VOLUME_WALK_APPLY;
	walk->head = head;
	walk->limit = UINT64_MAX;
	walk->durable = head;
	walk->committed = head;
}

bool volume_walk_goes_on(const struct volume_walk *walk, uint64_t last)
{
	return last < walk->limit;
}

bool volume_walk_wants_proof(const struct volume_walk *walk, const struct volume_record *record)
{
	return walk->mode == VOLUME_WALK_PROVE && record->sequence > walk->durable;
}

void volume_walk_follow(struct volume_walk *walk, const struct volume_record *record)
{
	if (record->durable_sequence > walk->durable) {
		walk->durable = record->durable_sequence;
	}
	if ((record->flags & VOLUME_RECORD_COMMIT) != 0) {
		walk->committed = record->sequence;
	}
}

enum status volume_walk_end(struct volume_walk *walk, uint64_t last)
{
	if (walk->committed < walk->durable) {
		return STATUS_TAMPER;
	}
	if (walk->mode == VOLUME_WALK_APPLY) {
		const bool is_whole = walk->committed == last &&
				      (walk->limit == UINT64_MAX || walk->limit == last);
		walk->mode = is_whole ? VOLUME_WALK_DONE : VOLUME_WALK_APPLY;
		return is_whole ? STATUS_OK : STATUS_TAMPER;
	}
	const bool is_doubtful =
		walk->mode == VOLUME_WALK_SURVEY && walk->committed > walk->durable;
	walk->mode = is_doubtful ? VOLUME_WALK_PROVE : VOLUME_WALK_APPLY;
	walk->limit = walk->committed;
	walk->committed = walk->head;
	return STATUS_OK;
}
