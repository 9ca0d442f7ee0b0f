// SPDX-License-Identifier: MIT
/* Mount: key, superblock, tables, log, in that order; each step authenticates what the next one
 * reads. Nothing is written. */
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "block/volume_internal.h"

/* One keyslot area as found on the disk: the newest of its intact copies. */
struct area {
	bool intact;
	struct volume_keyslots keyslots;
	uint8_t digest[SHA256_BYTES];
};

struct areas {
	struct area each[2];
	const struct area *unlocked; /* The one whose slot gave the master key. */
	bool io;
};

/* ---- Keyslots ------------------------------------------------------------------------------ */

/* STATUS_AUTH_META: this copy is not usable. */
static enum status area_copy_read(struct volume *volume, uint64_t place, struct area *copy)
{
	enum status status = block_read(volume->device, (struct physical_block){place},
					(struct block_count){1}, volume->scratch);
	if (status == STATUS_OK) {
		status = volume_keyslots_decode(volume->scratch, &copy->keyslots, copy->digest);
	}
	bool is_ours = status == STATUS_OK && copy->keyslots.size == volume->geometry.size &&
		       copy->keyslots.profile == volume->geometry.profile;
	if (status == STATUS_NOT_A_VOLUME || status == STATUS_NEWER_FORMAT ||
	    (status == STATUS_OK && !is_ours)) {
		status = STATUS_AUTH_META;
	}
	copy->intact = status == STATUS_OK;
	return status;
}

static enum status area_read(struct volume *volume, uint32_t which, struct areas *areas)
{
	struct volume_pair *pair = &volume->keyslots_pairs[which];
	struct area *best = &areas->each[which];
	bool equal = true;
	for (uint32_t i = 0; i < VOLUME_COPIES; i++) {
		struct area copy;
		enum status status = area_copy_read(volume, pair->places[i], &copy);
		areas->io = areas->io || status == STATUS_IO;
		if (status != STATUS_OK && status != STATUS_AUTH_META && status != STATUS_IO) {
			return status;
		}
		if (i > 0) {
			equal = copy.intact && best->intact &&
				memcmp(copy.digest, best->digest, SHA256_BYTES) == 0;
		}
		if (copy.intact && (!best->intact || copy.keyslots.epoch > best->keyslots.epoch)) {
			*best = copy;
			pair->good = i;
		}
	}
	pair->needs_heal = !equal && best->intact;
	return STATUS_OK;
}

static enum status area_unlock(struct volume *volume, struct areas *areas, const struct area *area,
			       const struct volume_key *key)
{
	uint32_t slot = 0;
	if (!area->intact) {
		return STATUS_WRONG_KEY;
	}
	memcpy(volume->uuid, area->keyslots.uuid, VOLUME_UUID_BYTES);
	enum status status = volume_keyslots_unlock(volume, &area->keyslots, key, &slot);
	if (status == STATUS_OK) {
		areas->unlocked = area;
	}
	return status;
}

/* Find the master key. Both areas are tried, newest first: which of them counts is known only once
 * the superblock is open. */
static enum status master_key_find(struct volume *volume, struct areas *areas,
				   const struct volume_key *key)
{
	const struct area *first = &areas->each[0];
	const struct area *second = &areas->each[1];
	if (second->intact && (!first->intact || second->keyslots.epoch > first->keyslots.epoch)) {
		first = &areas->each[1];
		second = &areas->each[0];
	}
	enum status status = area_unlock(volume, areas, first, key);
	if (status == STATUS_WRONG_KEY || status == STATUS_AUTH_META) {
		enum status other = area_unlock(volume, areas, second, key);
		status = other == STATUS_WRONG_KEY ? status : other;
	}
	if (status == STATUS_WRONG_KEY && (!first->intact || !second->intact)) {
		/* The slot may have been in the area that is gone. */
		status = areas->io ? STATUS_IO : STATUS_AUTH_META;
	}
	return volume_note(volume, status, VOLUME_LEVEL_KEYSLOTS, UINT64_MAX, UINT64_MAX);
}

/* Another area gave the master key than the one that counts: the key has to open that one too, and
 * find the same master key there. */
static enum status same_key_opens(struct volume *volume, const struct area *area,
				  const struct volume_key *key)
{
	uint32_t slot = 0;
	uint32_t generation = volume->generation;
	uint8_t master_key[VOLUME_KEY_BYTES];
	memcpy(master_key, volume->master_key, VOLUME_KEY_BYTES);
	enum status status = volume_keyslots_unlock(volume, &area->keyslots, key, &slot);
	if (status == STATUS_OK &&
	    (generation != volume->generation ||
	     !bytes_equal_constant_time(master_key, volume->master_key, VOLUME_KEY_BYTES))) {
		status = STATUS_AUTH_META;
	}
	secure_zero(master_key, sizeof(master_key));
	return status;
}

/* The area that the superblock names, and nothing else, says which keys open this volume. */
static enum status keyslots_check(struct volume *volume, const struct areas *areas,
				  const struct volume_key *key)
{
	for (uint32_t i = 0; i < 2; i++) {
		const struct area *area = &areas->each[i];
		if (!area->intact ||
		    !bytes_equal_constant_time(area->digest, volume->superblock.keyslot_digest,
					       SHA256_BYTES)) {
			continue;
		}
		volume->keyslots = area->keyslots;
		volume->keyslots_area = i;
		memcpy(volume->keyslots_digest, area->digest, SHA256_BYTES);
		/* Once is enough: a passphrase takes its time. */
		return area == areas->unlocked ? STATUS_OK : same_key_opens(volume, area, key);
	}
	return volume_note(volume, areas->io ? STATUS_IO : STATUS_AUTH_META, VOLUME_LEVEL_KEYSLOTS,
			   UINT64_MAX, UINT64_MAX);
}

/* ---- Superblocks --------------------------------------------------------------------------- */

/* The newest valid copy of a slot. At least one is valid after any crash, so none is an error, and
 * never a reason to take the other slot's older state. */
static enum status slot_open(struct volume *volume, uint32_t slot,
			     struct volume_superblock *superblock)
{
	struct volume_pair *pair = &volume->superblock_pairs[slot];
	struct volume_superblock copy;
	uint64_t epochs[VOLUME_COPIES] = {0};
	bool io = false;
	for (uint32_t i = 0; i < VOLUME_COPIES; i++) {
		enum status status =
			block_read(volume->device, (struct physical_block){pair->places[i]},
				   (struct block_count){1}, volume->scratch);
		io = io || status == STATUS_IO;
		if (status == STATUS_BAD_HOST || status == STATUS_TIMEOUT) {
			return volume_note(volume, status, VOLUME_LEVEL_SUPERBLOCK, UINT64_MAX,
					   pair->places[i]);
		}
		if (status == STATUS_OK) {
			status = volume_superblock_open(volume, volume->scratch, &copy);
		}
		if (status != STATUS_OK || copy.epoch % 2 != slot) {
			log_write(LOG_WARNING, "volume", "superblock copy at block %llu is bad",
				  (unsigned long long)pair->places[i]);
			continue;
		}
		epochs[i] = copy.epoch;
		if (epochs[i] > epochs[1 - i]) {
			*superblock = copy;
			pair->good = i;
		}
	}
	pair->needs_heal = epochs[0] != epochs[1];
	if (epochs[0] == 0 && epochs[1] == 0) {
		return volume_note(volume, io ? STATUS_IO : STATUS_AUTH_META,
				   VOLUME_LEVEL_SUPERBLOCK, UINT64_MAX, pair->places[0]);
	}
	return STATUS_OK;
}

static enum status superblock_find(struct volume *volume)
{
	/* Not the tree's next state yet, so its room may hold the second candidate. */
	struct volume_superblock *even = &volume->build.superblock;
	struct volume_superblock *odd = &volume->superblock;
	enum status status = slot_open(volume, 0, even);
	if (status == STATUS_OK) {
		status = slot_open(volume, 1, odd);
	}
	if (status != STATUS_OK) {
		return status;
	}
	/* Epochs are written one after the other, so the slots hold neighbours. */
	if (even->epoch + 1 != odd->epoch && odd->epoch + 1 != even->epoch) {
		return volume_note(volume, STATUS_TAMPER, VOLUME_LEVEL_SUPERBLOCK, UINT64_MAX,
				   UINT64_MAX);
	}
	if (even->epoch > odd->epoch) {
		*odd = *even;
	}
	return STATUS_OK;
}

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

static enum status unlock(struct volume *volume, const struct volume_key *key)
{
	struct areas areas = {.io = false};
	enum status status = area_read(volume, 0, &areas);
	if (status == STATUS_OK) {
		status = area_read(volume, 1, &areas);
	}
	if (status == STATUS_OK) {
		status = master_key_find(volume, &areas, key);
	}
	if (status == STATUS_OK) {
		status = superblock_find(volume);
	}
	if (status == STATUS_OK) {
		status = keyslots_check(volume, &areas, key);
	}
	if (status == STATUS_OK) {
		status = volume_anchor_key_derive(volume);
	}
	return status;
}

static enum status mount(struct volume *volume, const struct volume_key *key)
{
	struct volume_sighting sighting;
	enum status status = volume_sight(volume->device, volume->scratch, &sighting);
	if (status != STATUS_OK) {
		return status;
	}
	if (volume_geometry_make(sighting.profile, sighting.size, &volume->geometry) != STATUS_OK) {
		return STATUS_AUTH_META;
	}
	status = volume_arena_lay_out(volume);
	if (status != STATUS_OK) {
		return status;
	}
	volume_pairs_init(volume);
	status = unlock(volume, key);
	if (status == STATUS_OK) {
		status = tables_load(volume);
	}
	if (status == STATUS_OK) {
		volume->session.id = volume->superblock.next_session;
		status = volume_log_replay(volume);
	}
	if (status == STATUS_OK && !volume->read_only) {
		status = writing_begin(volume);
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
		status = mount(made, key);
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
