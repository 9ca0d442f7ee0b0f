// SPDX-License-Identifier: MIT
/* A whole volume, edited: mounted, read, listed, verified, written to.
 *
 * Input: a mode, the state to start from, then edits until the input ends. See image_scene.h for
 * the two volumes, README.md for what has to hold. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "block/volume_format.h"
#include "crypto/hash.h"
#include "tests/fuzz/image_scene.h"

#define MODE_TRANSPARENT 1u
#define MODE_WRITE       2u  /* Mount read-write, commit, checkpoint, mount again. */
#define MODE_REPAIR      4u  /* Make checksums and digests right after the edits. */
#define MODE_MIRROR      8u  /* Second copies follow the first. */
#define MODE_BLOCK       16u /* A block device. */

#define EDITS_MAX        24u
#define READ_BYTES_MAX   32768u
#define MAGIC_BYTES      8u
#define CHECKSUM_AT      80u
#define CHECKSUM_BYTES   16u
/* Of the keyslot digest, within a superblock whose ciphertext is its plaintext. */
#define KEYSLOT_DIGEST_AT (VOLUME_SUPERBLOCK_BODY_OFFSET + 208u)

enum edit {
	EDIT_FLIP,
	EDIT_SET,
	EDIT_OLDER, /* The same block of another state. */
	EDIT_SWAP,  /* Another block's content. */
	EDIT_TEAR,  /* The first sectors of another state's block. */
	EDIT_ZERO,
	EDIT_READ_FAILS,
	EDIT_CAPACITY,
	EDIT_COUNT,
};

static bool edited; /* The disk is not as some state left it. */

/* ---- Edits ------------------------------------------------------------------------------------
 */

/* Mostly a block that is in use; the system's few are wanted most. */
static uint64_t block_pick(const struct scene *scene, struct fuzz_input *input)
{
	const uint16_t which = fuzz_u16(input);
	if (which >= 0xff00) {
		return which % scene->blocks;
	}
	return scene->used[which % scene->used_count];
}

static void edit_apply(const struct scene *scene, struct fuzz_input *input)
{
	const unsigned int kind = fuzz_u8(input) % EDIT_COUNT;
	const uint64_t block = block_pick(scene, input);
	const uint16_t operand = fuzz_u16(input);
	const struct scene_state *other = &scene->states[operand % scene->state_count];
	uint8_t *bytes = scene_disk_edit(block);
	if (bytes == NULL) {
		return;
	}
	edited = true;
	switch (kind) {
	case EDIT_FLIP: bytes[operand % BLOCK_BYTES] ^= fuzz_u8(input); break;
	case EDIT_SET:
		for (unsigned int i = 0; i < 8; i++) {
			bytes[(operand + i) % BLOCK_BYTES] = fuzz_u8(input);
		}
		break;
	case EDIT_OLDER: memcpy(bytes, other->disk[block], BLOCK_BYTES); break;
	case EDIT_SWAP: memcpy(bytes, other->disk[block_pick(scene, input)], BLOCK_BYTES); break;
	case EDIT_TEAR:
		memcpy(bytes, other->disk[block], (size_t)SECTOR_BYTES * (fuzz_u8(input) % 8u));
		break;
	case EDIT_ZERO: memset(bytes, 0, BLOCK_BYTES); break;
	case EDIT_READ_FAILS: scene_disk.fail_read_at = 1 + operand % 64u; break;
	default: scene_disk.device.capacity.n = scene->blocks - operand % 64u; break;
	}
}

static void copies_mirror(const struct scene *scene)
{
	for (uint32_t which = 0; which < 2; which++) {
		const uint64_t pairs[2][2] = {
			{volume_superblock_place(scene->blocks, which, 0),
			 volume_superblock_place(scene->blocks, which, 1)},
			{volume_keyslots_place(scene->blocks, which, 0),
			 volume_keyslots_place(scene->blocks, which, 1)},
		};
		for (size_t i = 0; i < 2; i++) {
			uint8_t *second = scene_disk_edit(pairs[i][1]);
			if (second != NULL) {
				memcpy(second, scene_disk.blocks[pairs[i][0]], BLOCK_BYTES);
			}
		}
	}
}

static void digest_put(const uint8_t *bytes, size_t size, uint8_t *to, size_t to_size)
{
	const struct hash_input input = {bytes, size};
	uint8_t digest[SHA256_BYTES];
	FUZZ_REQUIRE(hash_sha256(&input, 1, digest) == STATUS_OK);
	memcpy(to, digest, to_size);
}

/* As somebody with the key would leave them. */
static void checksums_repair(const struct scene *scene)
{
	for (uint32_t copy = 0; copy < VOLUME_COPIES; copy++) {
		for (uint32_t which = 0; which < 2; which++) {
			uint8_t *keyslots =
				scene_disk_edit(volume_keyslots_place(scene->blocks, which, copy));
			uint8_t *superblock = scene_disk_edit(
				volume_superblock_place(scene->blocks, which, copy));
			if (keyslots == NULL || superblock == NULL) {
				return;
			}
			digest_put(keyslots + MAGIC_BYTES,
				   VOLUME_KEYSLOTS_DIGEST_OFFSET - MAGIC_BYTES,
				   keyslots + VOLUME_KEYSLOTS_DIGEST_OFFSET, SHA256_BYTES);
			if (scene->transparent) {
				/* The second area is the one in use. */
				const uint64_t area = volume_keyslots_place(scene->blocks, 1, copy);
				memcpy(superblock + KEYSLOT_DIGEST_AT,
				       scene_disk.blocks[area] + VOLUME_KEYSLOTS_DIGEST_OFFSET,
				       SHA256_BYTES);
			}
			digest_put(superblock + MAGIC_BYTES, CHECKSUM_AT - MAGIC_BYTES,
				   superblock + CHECKSUM_AT, CHECKSUM_BYTES);
		}
	}
}

/* ---- Reading ----------------------------------------------------------------------------------
 */

static const struct scene_state *state_of(const struct scene *scene, uint64_t sequence)
{
	for (size_t i = 0; i < scene->state_count; i++) {
		if (scene->states[i].sequence == sequence) {
			return &scene->states[i];
		}
	}
	return NULL;
}

/* `state` NULL: the key's owner may have written anything, so only errors have a rule. */
static void blocks_check(struct volume *volume, const struct scene_state *state, size_t changed)
{
	uint8_t content[BLOCK_BYTES];
	for (size_t i = 0; i < SCENE_TRACKED; i++) {
		fuzz_stain(content, sizeof(content));
		const enum status status = volume_read(volume, scene_tracked(i), content);
		if (status != STATUS_OK) {
			FUZZ_REQUIRE(status == STATUS_AUTH_DATA || status == STATUS_AUTH_META ||
				     status == STATUS_IO);
			FUZZ_REQUIRE(edited && bytes_are_zero(content, sizeof(content)));
		} else if (state != NULL && i != changed) {
			/* What is returned was written there, and is of this state. */
			FUZZ_REQUIRE(memcmp(content, state->content[i], BLOCK_BYTES) == 0);
		}
	}
}

struct listing {
	size_t count;
	struct store_object_info objects[STORE_OBJECTS_MAX];
};

static enum status listing_add(void *context, const struct store_object_info *info)
{
	struct listing *listing = context;
	FUZZ_REQUIRE(listing->count < STORE_OBJECTS_MAX);
	listing->objects[listing->count++] = *info;
	return STATUS_OK;
}

static void store_walk(struct volume *volume)
{
	static struct store store;
	static struct listing listing;
	static uint8_t bytes[READ_BYTES_MAX];
	listing.count = 0;
	if (store_open(&store, volume) != STATUS_OK) {
		FUZZ_REQUIRE(edited);
		return;
	}
	const enum status status = store_list(&store, listing_add, &listing);
	FUZZ_REQUIRE(status == STATUS_OK || edited);
	for (size_t i = 0; i < listing.count; i++) {
		const struct store_object_info *object = &listing.objects[i];
		const size_t size = object->size_bytes < sizeof(bytes) ? (size_t)object->size_bytes
								       : sizeof(bytes);
		FUZZ_REQUIRE(object->size_bytes <= store_object_bytes_max(&store));
		FUZZ_REQUIRE(i == 0 || strcmp(listing.objects[i - 1].name, object->name) < 0);
		fuzz_stain(bytes, size);
		if (store_read(&store, object->name, 0, bytes, size) != STATUS_OK) {
			FUZZ_REQUIRE(edited && bytes_are_zero(bytes, size));
		}
	}
	store_close(&store);
}

static void verify(struct volume *volume)
{
	const enum status status = volume_verify(volume, NULL, NULL);
	FUZZ_REQUIRE(status == STATUS_OK || edited);
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_AUTH_DATA ||
		     status == STATUS_AUTH_META || status == STATUS_IO || status == STATUS_TAMPER);
}

/* ---- Mounts -----------------------------------------------------------------------------------
 */

static bool mount(bool read_only, struct volume **volume)
{
	const struct volume_environment environment = scene_environment();
	const enum status status = volume_mount(&environment, &scene_key, read_only, volume, NULL);
	if (status == STATUS_OK) {
		return true;
	}
	FUZZ_REQUIRE(edited);
	/* An adversary with the key can also plant what the log then cannot hold. */
	FUZZ_REQUIRE(
		status == STATUS_TRUNCATED || status == STATUS_NOT_A_VOLUME ||
		status == STATUS_NEWER_FORMAT || status == STATUS_WRONG_KEY ||
		status == STATUS_AUTH_META || status == STATUS_TAMPER ||
		(status == STATUS_IO && scene_disk.fail_read_at != 0) ||
		(scene_is_transparent() && (status == STATUS_NO_MEMORY || status == STATUS_LIMIT)));
	return false;
}

/* One more commit, and it has to be there afterwards. */
static void write_run(const struct scene *scene, const struct scene_state *state,
		      struct volume *volume)
{
	const size_t target = SCENE_SLICE_BLOCKS * (SCENE_SLICES - 1);
	uint8_t content[BLOCK_BYTES];
	uint8_t found[BLOCK_BYTES];
	struct volume_info before;
	struct volume_info after;
	memset(content, 0x77, sizeof(content));
	volume_info_get(volume, &before);
	enum status status = volume_txn_begin(volume);
	if (status == STATUS_OK) {
		status = volume_txn_put(volume, scene_tracked(target), content);
	}
	if (status == STATUS_OK) {
		status = volume_txn_commit(volume);
	}
	FUZZ_REQUIRE(status == STATUS_OK || edited);
	const enum status checkpoint = volume_checkpoint(volume);
	FUZZ_REQUIRE(checkpoint == STATUS_OK || edited);
	volume_unmount(volume);
	scene_disk.fail_read_at = 0;
	if (!mount(true, &volume)) {
		FUZZ_REQUIRE(status != STATUS_OK || scene->transparent);
		return;
	}
	volume_info_get(volume, &after);
	if (status == STATUS_OK && !scene->transparent) {
		FUZZ_REQUIRE(after.sequence == before.sequence + 1);
		FUZZ_REQUIRE(volume_read(volume, scene_tracked(target), found) == STATUS_OK);
		FUZZ_REQUIRE(memcmp(found, content, BLOCK_BYTES) == 0);
	}
	blocks_check(volume, scene->transparent ? NULL : state, target);
	volume_unmount(volume);
}

static void image_run(const struct scene *scene, bool read_only)
{
	struct volume *volume = NULL;
	struct volume_info info;
	if (!mount(read_only, &volume)) {
		return;
	}
	volume_info_get(volume, &info);
	const struct scene_state *state = state_of(scene, info.sequence);
	/* ONE earlier committed state. */
	FUZZ_REQUIRE(state != NULL || scene->transparent);
	if (scene->transparent) {
		state = NULL;
	}
	blocks_check(volume, state, SCENE_TRACKED);
	if (!scene_is_block()) { /* Which holds no objects. */
		store_walk(volume);
	}
	verify(volume);
	if (read_only) {
		volume_unmount(volume);
	} else {
		write_run(scene, state, volume);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	const uint8_t mode = fuzz_u8(&input);
	const struct scene *scene =
		scene_get((mode & MODE_BLOCK) != 0 ? VOLUME_PROFILE_BLOCK : VOLUME_PROFILE_STATE,
			  (mode & MODE_TRANSPARENT) != 0);
	scene_disk_reset(scene, fuzz_u8(&input) % scene->state_count);
	edited = false;
	for (unsigned int i = 0; i < EDITS_MAX && fuzz_left(&input) > 0; i++) {
		edit_apply(scene, &input);
	}
	if ((mode & MODE_MIRROR) != 0 && edited) {
		copies_mirror(scene);
	}
	if ((mode & MODE_REPAIR) != 0 && edited) {
		checksums_repair(scene);
	}
	image_run(scene, (mode & MODE_WRITE) == 0);
	return 0;
}
