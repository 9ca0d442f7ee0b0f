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
