// SPDX-License-Identifier: MIT
/* Mount: key, superblock, tables, log, in that order; each step authenticates what the next one
 * reads. Nothing is written. */
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "block/volume_freshness_internal.h"
#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"
#include "block/volume_recall.h"

/* ---- Tables -------------------------------------------------------------------------------- */

static enum status tables_load(struct volume *volume)
{
	enum status status = volume_block_open(volume, VOLUME_LEVEL_TABLE, 0,
					       &volume->superblock.table, volume->base);
	if (status == STATUS_OK) {
		status = volume_note(volume, volume_table_decode(volume->base, &volume->table),
				     VOLUME_LEVEL_TABLE, 0, volume->superblock.table.physical);
	}
	if (status == STATUS_OK) {
		status = volume_bitmaps_load(volume);
	}
	if (status == STATUS_OK && volume->superblock.tree.physical != 0) {
		const uint8_t *root = NULL;
		status = volume_node_get(volume, volume->geometry.tree_levels, 0,
					 &volume->superblock.tree, &root);
	}
	return status;
}

/* What replay saw has to be durable before a record may build upon it: otherwise a later power cut
 * could keep the new record and lose the old one, which would look like tampering. */
static enum status writing_begin(struct volume *volume)
{
	enum status status = block_flush(volume->device);
	if (status == STATUS_OK) {
		status = volume_session_begin(volume, volume->session.id);
	}
	if (status != STATUS_OK) {
		return volume_note(volume, status, VOLUME_LEVEL_LOG, UINT64_MAX, UINT64_MAX);
	}
	volume->writable = true;
	return STATUS_OK;
}

/* ---- Mount --------------------------------------------------------------------------------- */

static enum status mount(struct volume *volume, const struct volume_key *key,
			 const struct volume_recall *recall)
{
	struct volume_sighting sighting;
	enum status status = volume_sight(volume->device, volume->scratch, &sighting);
	if (status != STATUS_OK) {
		return status;
	}
	status = volume_identify(volume, &sighting, key);
	if (status == STATUS_OK) {
		status = volume_anchor_key_derive(volume);
	}
	if (status == STATUS_OK) {
		status = volume_arena_lay_out(volume);
	}
	if (status == STATUS_OK) {
		status = tables_load(volume);
	}
	if (status == STATUS_OK) {
		volume->session.id = volume->superblock.next_session;
		/* Before the log is read: who writes to it meanwhile is fenced, and cannot make us
		 * look old. */
		volume_freshness_ask(volume);
		status = volume_log_replay(volume);
	}
	if (status == STATUS_OK) {
		status = volume_freshness_check(volume);
	}
	if (status == STATUS_OK) {
		status = volume_recall_check(volume, recall);
	}
	if (status == STATUS_OK && !volume->read_only) {
		status = writing_begin(volume);
		if (status == STATUS_OK) {
			status = volume_freshness_settle(volume);
		}
	}
	return status;
}

static enum status device_check(const struct block_device *device, bool read_only)
{
	if (read_only) {
		return STATUS_OK;
	}
	if (device->read_only) {
		return STATUS_READ_ONLY;
	}
	return device->has_flush ? STATUS_OK : STATUS_NO_FLUSH;
}

static void failure_report(const struct volume *made, enum status status,
			   struct volume_failure *failure)
{
	if (failure == NULL) {
		return;
	}
	*failure = (struct volume_failure){
		.status = status, .logical = UINT64_MAX, .physical = UINT64_MAX};
	if (made != NULL && made->failure.status == status) {
		*failure = made->failure;
	}
}

enum status volume_mount(const struct volume_environment *environment, const struct volume_key *key,
			 bool read_only, struct volume **volume, struct volume_failure *failure)
{
	struct volume *made = NULL;
	enum status status = volume_key_check(key);
	if (status == STATUS_OK) {
		status = device_check(environment->device, read_only);
	}
	if (status == STATUS_OK) {
		status = volume_arena_begin(environment, &made);
	}
	if (status == STATUS_OK) {
		made->read_only = read_only;
		status = mount(made, key, environment->recall);
	}
	if (status != STATUS_OK) {
		failure_report(made, status, failure);
		if (made != NULL) {
			volume_unmount(made);
		}
		return status;
	}
	*volume = made;
	return STATUS_OK;
}
