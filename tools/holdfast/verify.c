// SPDX-License-Identifier: MIT
#include "tools/holdfast/verify.h"

#include "base/bytes.h"
#include "tools/holdfast/contents.h"
#include "tools/holdfast/pace.h"
#include "tools/holdfast/progress.h"

struct verification {
	struct session *session;
	struct verify_totals *totals;
	struct progress progress;
	struct pace pace;
	uint64_t object_blocks;
	uint64_t done; /* Blocks, both parts. */
	uint64_t total;
};

static void step(struct verification *verification)
{
	verification->done++;
	progress_update(&verification->progress, verification->done, verification->total);
	pace_add(&verification->pace, BLOCK_BYTES);
}

/* A volume_progress: one block of the walk. */
static void walked(void *context, uint64_t done, uint64_t total)
{
	struct verification *verification = context;
	(void)done;
	verification->total = total + verification->object_blocks;
	step(verification);
}

static enum status count_object(void *context, const struct store_object_info *info)
{
	struct verification *verification = context;
	if (session_profile(verification->session) == VOLUME_PROFILE_STATE) {
		verification->object_blocks += (info->size_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
	}
	verification->totals->objects++;
	verification->totals->object_bytes += info->size_bytes;
	return STATUS_OK;
}

/* Read the whole object: the volume's walk knows blocks, not what the store keeps in them. */
static enum status read_object(void *context, const struct store_object_info *info)
{
	struct verification *verification = context;
	uint8_t bytes[BLOCK_BYTES];
	enum status status = STATUS_OK;
	for (uint64_t at = 0; at < info->size_bytes && status == STATUS_OK; at += BLOCK_BYTES) {
		uint64_t left = info->size_bytes - at;
		status = store_read(&verification->session->store, info->name, at, bytes,
				    left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES);
		step(verification);
	}
	secure_zero(bytes, sizeof(bytes));
	return status;
}

enum status verify_session(struct session *session, const char *what, uint64_t rate_bytes,
			   struct verify_totals *totals, struct report *report)
{
	struct verification verification = {.session = session, .totals = totals};
	*totals = (struct verify_totals){.objects = 0};
	progress_init(&verification.progress, what);
	pace_begin(&verification.pace, rate_bytes);
	enum status status = contents_list(session, count_object, &verification);
	if (status == STATUS_OK) {
		status = volume_verify(session->volume, walked, &verification);
	}
	/* A device has nothing inside that the walk has not opened. */
	if (status == STATUS_OK && session_profile(session) == VOLUME_PROFILE_STATE) {
		status = store_list(&session->store, read_object, &verification);
	}
	progress_end(&verification.progress);
	totals->read_bytes = verification.pace.bytes;
	totals->elapsed_us = pace_elapsed_us(&verification.pace);
	return session_explain(session, status, report);
}
