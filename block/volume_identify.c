// SPDX-License-Identifier: MIT
/* Which volume is this, and which of its superblocks counts? Nothing is written.
 *
 * Keyslots and superblocks are kept twice, at the start and at the end. Each copy says in clear for
 * which size and under which generation of the master key it was written, and a volume that is
 * growing, or whose master key is being rotated, has both kinds for a moment: the first copy then
 * says where its own second copy is, and a superblock that opens says what its predecessor needs to
 * open too. All of that is a claim until a body has opened; it only decides where to look. */
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "block/volume_internal.h"

/* One keyslot area as found on the disk: the newest of its intact copies. */
struct area {
	bool intact;
	bool unlocked; /* The key opened it, and found: */
	struct volume_master master;
	struct volume_keyslots keyslots;
	uint8_t digest[SHA256_BYTES];
};

/* What is known of one superblock slot. */
struct slot {
	bool found;
	bool io;
	bool too_large; /* A valid copy is of a volume larger than the device. */
	bool locked;    /* A copy is intact, of a generation whose master key is not known. */
};

struct finder {
	struct volume *volume;
	const struct volume_key *key;
	struct volume_sizes sizes;
	struct area areas[2];
	struct slot slots[2];
	bool io; /* A keyslot area could not be read. */
};

/* Copy 0 is at the start, copy i at the end of the i-th size. */
static uint32_t copy_count(const struct finder *finder)
{
	return 1 + finder->sizes.count;
}

static bool is_fatal(enum status status)
{
	return status == STATUS_BAD_HOST || status == STATUS_TIMEOUT;
}

/* ---- Keyslots ------------------------------------------------------------------------------ */

/* STATUS_AUTH_META: this copy is not usable. */
static enum status area_copy_read(struct finder *finder, uint32_t which, uint32_t i,
				  struct area *copy)
{
	struct volume *volume = finder->volume;
	uint64_t size = i == 0 ? 0 : finder->sizes.all[i - 1];
	uint64_t place = volume_keyslots_place(size, which, i == 0 ? 0 : 1);
	*copy = (struct area){.intact = false};
	enum status status = block_read(volume->device, (struct physical_block){place},
					(struct block_count){1}, volume->scratch);
	if (status == STATUS_OK) {
		status = volume_keyslots_decode(volume->scratch, &copy->keyslots, copy->digest);
	}
	bool is_ours = status == STATUS_OK && (i == 0 || copy->keyslots.size == size) &&
		       copy->keyslots.size <= volume->device->capacity.n;
	if (status == STATUS_NOT_A_VOLUME || status == STATUS_NEWER_FORMAT ||
	    (status == STATUS_OK && !is_ours)) {
		status = STATUS_AUTH_META;
	}
	copy->intact = status == STATUS_OK;
	return status;
}

/* Of the copies where the best one says that they are, is one bad or older? */
static void area_pair_set(struct finder *finder, uint32_t which, uint32_t good,
			  const uint32_t found_at[2])
{
	struct volume_pair *pair = &finder->volume->keyslots_pairs[which];
	uint64_t size = finder->areas[which].keyslots.size;
	pair->places[0] = volume_keyslots_place(size, which, 0);
	pair->places[1] = volume_keyslots_place(size, which, 1);
	pair->good = good;
	pair->needs_heal = found_at[0] == 0 || found_at[1] == 0;
}

static enum status area_read(struct finder *finder, uint32_t which)
{
	struct area *best = &finder->areas[which];
	uint32_t same_at[2] = {0, 0}; /* Copies equal to the best: first place, its second place. */
	uint32_t good = 0;
	for (uint32_t i = 0; i < copy_count(finder); i++) {
		struct area copy;
		enum status status = area_copy_read(finder, which, i, &copy);
		finder->io = finder->io || status == STATUS_IO;
		if (is_fatal(status) ||
		    (status != STATUS_OK && status != STATUS_AUTH_META && status != STATUS_IO)) {
			return status;
		}
		if (!copy.intact) {
			continue;
		}
		if (!best->intact || copy.keyslots.epoch > best->keyslots.epoch) {
			*best = copy;
			good = i == 0 ? 0 : 1;
			same_at[0] = 0;
			same_at[1] = 0;
		}
		if (memcmp(copy.digest, best->digest, SHA256_BYTES) == 0) {
			same_at[i == 0 ? 0 : 1]++;
		}
	}
	if (best->intact) {
		area_pair_set(finder, which, good, same_at);
	}
	return STATUS_OK;
}

static enum status area_unlock(struct finder *finder, struct area *area)
{
	uint32_t slot = 0;
	if (!area->intact) {
		return STATUS_WRONG_KEY;
	}
	if (area->unlocked) {
		return STATUS_OK; /* Once is enough: a passphrase takes its time. */
	}
	memcpy(finder->volume->uuid, area->keyslots.uuid, VOLUME_UUID_BYTES);
	enum status status = volume_keyslots_unlock(finder->volume, &area->keyslots, finder->key,
						    &slot, &area->master);
	area->unlocked = status == STATUS_OK;
	return status;
}

/* Of the keys in an area; 0: it has none. */
static uint32_t area_generation(const struct area *area)
{
	for (uint32_t i = 0; i < VOLUME_KEYSLOTS_MAX && area->intact; i++) {
		if (area->keyslots.slots[i].type != 0) {
			return area->keyslots.slots[i].generation;
		}
	}
	return 0;
}

/* Find the master key. Both areas are tried, newest first: which of them counts is known only once
 * the superblock is open. Where they are of two generations, both keys are kept until then. */
static enum status master_key_find(struct finder *finder)
{
	struct volume *volume = finder->volume;
	struct area *first = &finder->areas[0];
	struct area *second = &finder->areas[1];
	if (second->intact && (!first->intact || second->keyslots.epoch > first->keyslots.epoch)) {
		first = &finder->areas[1];
		second = &finder->areas[0];
	}
	enum status status = area_unlock(finder, first);
	if (status == STATUS_WRONG_KEY || status == STATUS_AUTH_META) {
		enum status other = area_unlock(finder, second);
		status = other == STATUS_WRONG_KEY ? status : other;
		first = second;
	} else if (status == STATUS_OK && second->intact &&
		   area_generation(second) != first->master.generation) {
		(void)!area_unlock(finder, second); /* May well have been dropped there. */
		if (second->unlocked) {
			volume->previous = second->master;
		}
		memcpy(volume->uuid, first->keyslots.uuid, VOLUME_UUID_BYTES);
	}
	if (status == STATUS_WRONG_KEY && (!finder->areas[0].intact || !finder->areas[1].intact)) {
		/* The slot may have been in the area that is gone. */
		status = finder->io ? STATUS_IO : STATUS_AUTH_META;
	}
	if (status == STATUS_OK) {
		volume->master = first->master;
	}
	return volume_note(volume, status, VOLUME_LEVEL_KEYSLOTS, UINT64_MAX, UINT64_MAX);
}

/* The area that the superblock names, and nothing else, says which keys open this volume: the key
 * has to open that one, and to find there the master key that opened the superblock. */
static enum status keyslots_check(struct finder *finder)
{
	struct volume *volume = finder->volume;
	for (uint32_t i = 0; i < 2; i++) {
		struct area *area = &finder->areas[i];
		if (!area->intact ||
		    !bytes_equal_constant_time(area->digest, volume->superblock.keyslot_digest,
					       SHA256_BYTES)) {
			continue;
		}
		volume->keyslots = area->keyslots;
		volume->keyslots_area = i;
		memcpy(volume->keyslots_digest, area->digest, SHA256_BYTES);
		enum status status = area_unlock(finder, area);
		if (status == STATUS_OK &&
		    (area->master.generation != volume->master.generation ||
		     !bytes_equal_constant_time(area->master.key, volume->master.key,
						VOLUME_KEY_BYTES))) {
			status = STATUS_AUTH_META;
		}
		return status;
	}
	return volume_note(volume, finder->io ? STATUS_IO : STATUS_AUTH_META, VOLUME_LEVEL_KEYSLOTS,
			   UINT64_MAX, UINT64_MAX);
}

/* ---- Superblocks --------------------------------------------------------------------------- */

static bool generation_is_known(const struct volume *volume, uint32_t generation)
{
	return generation == volume->master.generation ||
	       (generation != 0 && generation == volume->previous.generation);
}

/* Why a copy did not open, as far as its clear header can tell. */
static void copy_note(const struct volume *volume, const uint8_t *block, struct slot *slot)
{
	struct volume_superblock_header header;
	if (volume_superblock_header_decode(block, &header) == STATUS_OK &&
	    header.generation > volume->master.generation &&
	    !generation_is_known(volume, header.generation)) {
		slot->locked = true;
	}
}

/* STATUS_AUTH_META: not a valid copy. */
static enum status copy_open(struct finder *finder, uint32_t which, uint32_t i,
			     struct volume_superblock *copy)
{
	struct volume *volume = finder->volume;
	struct slot *slot = &finder->slots[which];
	uint64_t size = i == 0 ? 0 : finder->sizes.all[i - 1];
	uint64_t place = volume_superblock_place(size, which, i == 0 ? 0 : 1);
	enum status status = block_read(volume->device, (struct physical_block){place},
					(struct block_count){1}, volume->scratch);
	slot->io = slot->io || status == STATUS_IO;
	if (is_fatal(status)) {
		return volume_note(volume, status, VOLUME_LEVEL_SUPERBLOCK, UINT64_MAX, place);
	}
	if (status == STATUS_OK) {
		status = volume_superblock_open(volume, volume->scratch, copy);
		if (status != STATUS_OK) {
			copy_note(volume, volume->scratch, slot);
		}
	}
	bool is_here = status == STATUS_OK && copy->epoch % 2 == which &&
		       (i == 0 || copy->geometry.size == size);
	if (is_here && copy->geometry.size > volume->device->capacity.n) {
		slot->too_large = true;
		is_here = false;
	}
	if (!is_here && (i == 0 || finder->sizes.count == 1)) {
		log_write(LOG_WARNING, "volume", "superblock copy at block %llu is bad",
			  (unsigned long long)place);
	}
	return is_here ? STATUS_OK : STATUS_AUTH_META;
}

/* The newest valid copy of a slot. At least one is valid after any crash, so none is an error, and
 * never a reason to take the other slot's older state. */
static enum status slot_open(struct finder *finder, uint32_t which,
			     struct volume_superblock *superblock)
{
	struct volume_pair *pair = &finder->volume->superblock_pairs[which];
	struct volume_superblock copy;
	uint32_t same_at[2] = {0, 0}; /* As in area_read. */
	uint64_t best = 0;
	for (uint32_t i = 0; i < copy_count(finder); i++) {
		enum status status = copy_open(finder, which, i, &copy);
		if (is_fatal(status)) {
			return status;
		}
		if (status != STATUS_OK) {
			continue;
		}
		if (copy.epoch > best) {
			best = copy.epoch;
			*superblock = copy;
			pair->good = i == 0 ? 0 : 1;
			same_at[0] = 0;
			same_at[1] = 0;
		}
		same_at[i == 0 ? 0 : 1] += copy.epoch == best ? 1u : 0u;
	}
	secure_zero(&copy, sizeof(copy));
	/* A copy that the device is too small for counts like any other: to pass over it would be
	 * to fall back to an older one. */
	finder->slots[which].found = best != 0 && !finder->slots[which].too_large;
	if (best != 0) {
		pair->places[0] = volume_superblock_place(superblock->geometry.size, which, 0);
		pair->places[1] = volume_superblock_place(superblock->geometry.size, which, 1);
		pair->needs_heal = same_at[0] == 0 || same_at[1] == 0;
	}
	return STATUS_OK;
}

/* What a superblock that opened knows of the one before it: the size that it may still have, and
 * the master key that it may be sealed under. True if that is news. */
static bool hint_take(struct finder *finder, const struct volume_superblock *from)
{
	struct volume *volume = finder->volume;
	const uint64_t usable = from->geometry.usable;
	bool is_news = false;
	if (from->rotation != VOLUME_ROTATION_NONE && from->generation > 1 &&
	    !generation_is_known(volume, from->generation - 1)) {
		volume->previous.generation = from->generation - 1;
		memcpy(volume->previous.key, from->previous_key, VOLUME_KEY_BYTES);
		is_news = true;
	}
	bool is_known = usable == from->geometry.size || usable > volume->device->capacity.n;
	for (uint32_t i = 0; i < finder->sizes.count; i++) {
		is_known = is_known || finder->sizes.all[i] == usable;
	}
	if (!is_known) {
		/* The one place that is needed: what else was claimed did not help. */
		finder->sizes = (struct volume_sizes){.all = {usable}, .count = 1};
		is_news = true;
	}
	return is_news;
}

static enum status slot_missing(const struct finder *finder, uint32_t which)
{
	const struct slot *slot = &finder->slots[which];
	enum status status = STATUS_AUTH_META;
	if (slot->io) {
		status = STATUS_IO;
	} else if (slot->too_large) {
		status = STATUS_TRUNCATED;
	} else if (slot->locked) {
		status = STATUS_WRONG_KEY; /* It has been dropped since. */
	}
	return volume_note(finder->volume, status, VOLUME_LEVEL_SUPERBLOCK, UINT64_MAX, which);
}

static enum status slots_open(struct finder *finder, struct volume_superblock *const each[2])
{
	enum status status = slot_open(finder, 0, each[0]);
	if (status == STATUS_OK) {
		status = slot_open(finder, 1, each[1]);
	}
	for (uint32_t i = 0; i < 2 && status == STATUS_OK; i++) {
		if (finder->slots[i].found && !finder->slots[1 - i].found &&
		    hint_take(finder, each[i])) {
			status = slot_open(finder, 1 - i, each[1 - i]);
		}
	}
	for (uint32_t i = 0; i < 2 && status == STATUS_OK; i++) {
		if (!finder->slots[i].found) {
			status = slot_missing(finder, i);
		}
	}
	return status;
}

static enum status superblock_find(struct finder *finder)
{
	struct volume *volume = finder->volume;
	/* Not the tree's next state yet, so its room may hold the second candidate. */
	struct volume_superblock *even = &volume->build.superblock;
	struct volume_superblock *odd = &volume->superblock;
	struct volume_superblock *const each[2] = {even, odd};
	enum status status = slots_open(finder, each);
	if (status != STATUS_OK) {
		return status;
	}
	/* Epochs are written one after the other, so the slots hold neighbours. */
	if (even->epoch + 1 != odd->epoch && odd->epoch + 1 != even->epoch) {
		return volume_note(volume, STATUS_TAMPER, VOLUME_LEVEL_SUPERBLOCK, UINT64_MAX,
				   UINT64_MAX);
	}
	bool was_rotating =
		even->rotation != VOLUME_ROTATION_NONE || odd->rotation != VOLUME_ROTATION_NONE;
	if (even->epoch > odd->epoch) {
		*odd = *even;
	}
	/* Which areas and slots a rotation came to before a crash is not known, or does not matter:
	 * its next step writes the other one again. */
	volume->area_is_stale = odd->rotation != VOLUME_ROTATION_NONE;
	volume->slot_is_stale = was_rotating && !volume->area_is_stale;
	return STATUS_OK;
}

/* Keep the master keys that the superblock says are in use, and no other. */
static void masters_settle(struct volume *volume)
{
	const struct volume_superblock *superblock = &volume->superblock;
	if (superblock->generation == volume->previous.generation) {
		volume->master = volume->previous;
	}
	secure_zero(&volume->previous, sizeof(volume->previous));
	if (superblock->rotation != VOLUME_ROTATION_NONE) {
		volume->previous.generation = superblock->generation - 1;
		memcpy(volume->previous.key, superblock->previous_key, VOLUME_KEY_BYTES);
	}
}

/* ---- All of it ----------------------------------------------------------------------------- */

static enum status find(struct finder *finder)
{
	enum status status = area_read(finder, 0);
	if (status == STATUS_OK) {
		status = area_read(finder, 1);
	}
	if (status == STATUS_OK) {
		status = master_key_find(finder);
	}
	if (status == STATUS_OK) {
		status = superblock_find(finder);
	}
	if (status == STATUS_OK) {
		masters_settle(finder->volume);
		finder->volume->geometry = finder->volume->superblock.geometry;
		status = keyslots_check(finder);
	}
	return status;
}

enum status volume_identify(struct volume *volume, const struct volume_sighting *sighting,
			    const struct volume_key *key)
{
	struct finder finder = {.volume = volume, .key = key, .sizes = sighting->sizes};
	enum status status = find(&finder);
	for (uint32_t i = 0; i < 2; i++) {
		secure_zero(&finder.areas[i].master, sizeof(finder.areas[i].master));
	}
	return status;
}
