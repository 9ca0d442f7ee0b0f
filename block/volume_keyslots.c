// SPDX-License-Identifier: MIT
/* Adding and removing keys. The new area goes to the other place, then a superblock names it. A
 * second superblock follows, so that both slots name it: otherwise damage to one slot could bring a
 * removed key back. */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_freshness_internal.h"
#include "block/volume_internal.h"

static enum status area_write(struct volume *volume, struct volume_keyslots *keyslots)
{
	uint32_t area = 1 - volume->keyslots_area;
	uint8_t digest[SHA256_BYTES];
	keyslots->epoch = volume->keyslots.epoch + 1;
	enum status status = volume_pairs_heal(volume);
	if (status == STATUS_OK) {
		status = volume_keyslots_encode(volume->scratch, keyslots, digest);
	}
	/* The end of the volume first: where it has grown, and nothing in clear says any more how
	 * large it was, the first place has the area's only copy that a wrong key can find. */
	for (uint32_t copy = VOLUME_COPIES; copy > 0 && status == STATUS_OK; copy--) {
		status = volume_pair_copy_write(volume, &volume->keyslots_pairs[area], copy - 1,
						volume->scratch);
	}
	if (status == STATUS_OK) {
		volume->keyslots = *keyslots;
		volume->keyslots_area = area;
		memcpy(volume->keyslots_digest, digest, SHA256_BYTES);
	}
	return status;
}

enum status volume_keyslots_write(struct volume *volume, struct volume_keyslots *keyslots)
{
	const struct volume_keyslots old = volume->keyslots;
	const uint32_t old_area = volume->keyslots_area;
	/* A superblock that names the new area has no records of an earlier epoch behind its head:
	 * their anchors are over the old one. */
	enum status status = volume_checkpoint_finish(volume);
	uint64_t epoch = volume->superblock.epoch;
	if (status == STATUS_OK) {
		status = area_write(volume, keyslots);
	}
	if (status == STATUS_OK) {
		status = volume_checkpoint_run(volume, true);
	}
	if (status != STATUS_OK && volume->superblock.epoch == epoch) {
		/* No superblock names the new area. */
		volume->keyslots = old;
		volume->keyslots_area = old_area;
		memcpy(volume->keyslots_digest, volume->superblock.keyslot_digest, SHA256_BYTES);
	}
	return status;
}

static enum status keyslots_replace(struct volume *volume, struct volume_keyslots *keyslots)
{
	enum status status = volume_keyslots_write(volume, keyslots);
	if (status == STATUS_OK) {
		status = volume_checkpoint_run(volume, true);
	}
	/* Or an image from before would pass for this one. */
	return status == STATUS_OK ? volume_freshness_mark(volume) : status;
}

enum status volume_keyslot_of(struct volume *volume, const struct volume_key *key, uint32_t *slot)
{
	struct volume_master master;
	enum status status = volume_keyslots_unlock(volume, &volume->keyslots, key, slot, &master);
	secure_zero(&master, sizeof(master));
	return status;
}

static enum status change_allowed(const struct volume *volume)
{
	if (volume->txn.open) {
		return STATUS_BUSY;
	}
	return volume->writable ? STATUS_OK : STATUS_READ_ONLY;
}

static enum status change_by_key_allowed(const struct volume *volume, const struct volume_key *key)
{
	enum status status = change_allowed(volume);
	return status == STATUS_OK ? volume_key_check(key) : status;
}

uint32_t volume_keyslots_list(const struct volume *volume,
			      struct volume_keyslot_info out[VOLUME_KEYSLOTS_MAX])
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < VOLUME_KEYSLOTS_MAX; i++) {
		const struct volume_keyslot *slot = &volume->keyslots.slots[i];
		if (slot->type != 0) {
			out[count++] = (struct volume_keyslot_info){
				.slot = i,
				.type = (enum volume_key_type)slot->type,
				.key_generation = slot->generation,
				.iterations = slot->iterations,
			};
		}
	}
	return count;
}

/* STATUS_OK: the key opens no slot, so it may get one. */
static enum status key_is_new(struct volume *volume, const struct volume_key *key)
{
	uint32_t slot = 0;
	enum status status = volume_keyslot_of(volume, key, &slot);
	if (status == STATUS_WRONG_KEY) {
		return STATUS_OK;
	}
	return status == STATUS_OK ? STATUS_EXISTS : status;
}

/* Wrap the master key for `key` into a slot and make that durable. */
static enum status slot_fill(struct volume *volume, uint32_t slot, const struct volume_key *key)
{
	struct volume_keyslots changed = volume->keyslots;
	enum status status = volume_keyslot_wrap(volume, key, &changed.slots[slot]);
	return status == STATUS_OK ? keyslots_replace(volume, &changed) : status;
}

enum status volume_key_add(struct volume *volume, const struct volume_key *key)
{
	enum status status = change_by_key_allowed(volume, key);
	if (status == STATUS_OK) {
		status = key_is_new(volume, key);
	}
	if (status != STATUS_OK) {
		return status;
	}
	for (uint32_t slot = 0; slot < VOLUME_KEYSLOTS_MAX; slot++) {
		if (volume->keyslots.slots[slot].type == 0) {
			return slot_fill(volume, slot, key);
		}
	}
	return STATUS_LIMIT;
}

enum status volume_key_change(struct volume *volume, const struct volume_key *old,
			      const struct volume_key *key)
{
	uint32_t slot = 0;
	enum status status = change_by_key_allowed(volume, old);
	if (status == STATUS_OK) {
		status = volume_key_check(key);
	}
	if (status == STATUS_OK) {
		status = volume_keyslot_of(volume, old, &slot);
	}
	if (status == STATUS_OK) {
		status = key_is_new(volume, key);
	}
	return status == STATUS_OK ? slot_fill(volume, slot, key) : status;
}

static enum status slot_clear(struct volume *volume, uint32_t slot)
{
	struct volume_keyslot_info in_use[VOLUME_KEYSLOTS_MAX];
	if (volume_keyslots_list(volume, in_use) <= 1) {
		return STATUS_INVALID;
	}
	struct volume_keyslots changed = volume->keyslots;
	changed.slots[slot] = (struct volume_keyslot){.type = 0};
	return keyslots_replace(volume, &changed);
}

enum status volume_key_remove(struct volume *volume, const struct volume_key *key)
{
	uint32_t slot = 0;
	enum status status = change_by_key_allowed(volume, key);
	if (status == STATUS_OK) {
		status = volume_keyslot_of(volume, key, &slot);
	}
	return status == STATUS_OK ? slot_clear(volume, slot) : status;
}

enum status volume_keyslot_remove(struct volume *volume, uint32_t slot)
{
	enum status status = change_allowed(volume);
	if (status != STATUS_OK) {
		return status;
	}
	if (slot >= VOLUME_KEYSLOTS_MAX || volume->keyslots.slots[slot].type == 0) {
		return STATUS_NOT_FOUND;
	}
	return slot_clear(volume, slot);
}
