// SPDX-License-Identifier: MIT
/* Comparing a volume with the memory of it. docs/adr/0003-recovery.md says why that is enough. */
#include "block/volume_recall.h"

#include <string.h>

#include "base/log.h"
#include "block/volume_freshness_internal.h"
#include "block/volume_internal.h"
#include "crypto/hash.h"

STATIC_ASSERT(VOLUME_RECALL_DIGEST_BYTES == SHA256_BYTES, "the header's copy of the size");

static enum status superblock_recall(const struct volume_superblock *superblock,
				     struct volume_recall_superblock *recall)
{
	uint8_t body[VOLUME_SUPERBLOCK_BODY_BYTES];
	volume_superblock_body_encode(body, superblock);
	recall->epoch = superblock->epoch;
	const struct hash_input input = {.bytes = body, .size_bytes = sizeof(body)};
	return hash_sha256(&input, 1, recall->digest);
}

enum status volume_recall_get(const struct volume *volume, struct volume_recall *recall)
{
	const struct volume_log *log = &volume->log;
	if (volume->geometry.profile != VOLUME_PROFILE_STATE) {
		return STATUS_UNSUPPORTED;
	}
	memset(recall, 0, sizeof(*recall));
	memcpy(recall->uuid, volume->uuid, VOLUME_UUID_BYTES);
	recall->committed = volume->freshness.committed;
	if (log->sequence != recall->committed.sequence) {
		recall->doubt.sequence = log->sequence;
		memcpy(recall->doubt.anchor, log->anchor, VOLUME_ANCHOR_BYTES);
	}
	enum status status = superblock_recall(&volume->superblock, &recall->superblock);
	if (status == STATUS_OK && volume->superblock_in_doubt) {
		status = superblock_recall(&volume->build.superblock, &recall->superblock_doubt);
	}
	return status;
}

bool volume_recall_has_doubt(const struct volume_recall *recall)
{
	return recall->doubt.sequence != 0 || recall->superblock_doubt.epoch != 0;
}

static bool superblocks_equal(const struct volume_recall_superblock *a,
			      const struct volume_recall_superblock *b)
{
	return a->epoch == b->epoch && memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

enum status volume_recall_judge(const struct volume_recall *recall,
				const struct volume_recall *found)
{
	if (memcmp(recall->uuid, found->uuid, sizeof(recall->uuid)) != 0) {
		return STATUS_FORK;
	}
	if (found->committed.sequence < recall->committed.sequence ||
	    found->superblock.epoch < recall->superblock.epoch) {
		return STATUS_ROLLBACK;
	}
	bool log_is_known = volume_witness_marks_equal(&found->committed, &recall->committed) ||
			    (recall->doubt.sequence != 0 &&
			     volume_witness_marks_equal(&found->committed, &recall->doubt));
	bool rest_is_known = superblocks_equal(&found->superblock, &recall->superblock) ||
			     (recall->superblock_doubt.epoch != 0 &&
			      superblocks_equal(&found->superblock, &recall->superblock_doubt));
	return log_is_known && rest_is_known ? STATUS_OK : STATUS_FORK;
}

enum status volume_recall_check(struct volume *volume, const struct volume_recall *recall)
{
	struct volume_recall found = {.doubt = {.sequence = 0}};
	if (recall == NULL) {
		return STATUS_OK;
	}
	enum status status = volume_recall_get(volume, &found);
	if (status == STATUS_OK) {
		status = volume_recall_judge(recall, &found);
	}
	if (status != STATUS_OK) {
		log_write(LOG_WARNING, "volume",
			  "sequence %llu, epoch %llu; before the device was reset %llu and %llu",
			  (unsigned long long)found.committed.sequence,
			  (unsigned long long)found.superblock.epoch,
			  (unsigned long long)recall->committed.sequence,
			  (unsigned long long)recall->superblock.epoch);
	}
	return volume_note(volume, status, VOLUME_LEVEL_LOG, UINT64_MAX, UINT64_MAX);
}
