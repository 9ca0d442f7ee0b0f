// SPDX-License-Identifier: MIT
#include "tests/fuzz/image_scene.h"

#include <stdlib.h>
#include <string.h>

#include "block/volume_internal.h"
#include "crypto/aead.h"
#include "crypto/random.h"

#define ARENA_BYTES_MAX ((size_t)4 << 20)

static const uint8_t key_bytes[VOLUME_KEY_BYTES] = "a fixed key of thirty-two bytes";
const struct volume_key scene_key = {
	.type = VOLUME_KEY_RAW,
	.bytes = key_bytes,
	.size_bytes = VOLUME_KEY_BYTES,
};

struct scene_disk scene_disk;

static const uint8_t zeroes[BLOCK_BYTES];
static uint8_t copies[SCENE_COPIES_MAX][BLOCK_BYTES];
static _Alignas(64) uint8_t arena[ARENA_BYTES_MAX];
static struct aead aead;
static struct random random_state; /* Never looked at: random_fill is wrapped. */
static uint64_t random_counter;
static bool transparent;
static enum volume_profile profile;
static uint64_t scene_blocks;

/* ---- What is wrapped --------------------------------------------------------------------------
 */

enum status __wrap_random_fill(struct random *random, uint8_t *out, size_t size_bytes);
enum status __real_aead_seal(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
			     const uint8_t *aad, size_t aad_size_bytes, const uint8_t *plain,
			     uint8_t *cipher, size_t size_bytes, uint8_t tag[AEAD_TAG_BYTES]);
enum status __wrap_aead_seal(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
			     const uint8_t *aad, size_t aad_size_bytes, const uint8_t *plain,
			     uint8_t *cipher, size_t size_bytes, uint8_t tag[AEAD_TAG_BYTES]);
enum status __real_aead_open(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
			     const uint8_t *aad, size_t aad_size_bytes, const uint8_t *cipher,
			     uint8_t *plain, size_t size_bytes, const uint8_t tag[AEAD_TAG_BYTES]);
enum status __wrap_aead_open(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
			     const uint8_t *aad, size_t aad_size_bytes, const uint8_t *cipher,
			     uint8_t *plain, size_t size_bytes, const uint8_t tag[AEAD_TAG_BYTES]);

/* splitmix64: an input has to mean the same every time. */
enum status __wrap_random_fill(struct random *random, uint8_t *out, size_t size_bytes)
{
	(void)random;
	for (size_t i = 0; i < size_bytes; i++) {
		uint64_t z = random_counter += 0x9e3779b97f4a7c15u;
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
		out[i] = (uint8_t)(z ^ (z >> 27));
	}
	return STATUS_OK;
}

enum status __wrap_aead_seal(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
			     const uint8_t *aad, size_t aad_size_bytes, const uint8_t *plain,
			     uint8_t *cipher, size_t size_bytes, uint8_t tag[AEAD_TAG_BYTES])
{
	if (!transparent) {
		return __real_aead_seal(key, nonce, aad, aad_size_bytes, plain, cipher, size_bytes,
					tag);
	}
	FUZZ_REQUIRE(key->implementation != NULL);
	memmove(cipher, plain, size_bytes);
	memset(tag, 0x7a, AEAD_TAG_BYTES);
	memcpy(tag, nonce, AEAD_NONCE_BYTES);
	return STATUS_OK;
}

enum status __wrap_aead_open(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
			     const uint8_t *aad, size_t aad_size_bytes, const uint8_t *cipher,
			     uint8_t *plain, size_t size_bytes, const uint8_t tag[AEAD_TAG_BYTES])
{
	if (!transparent) {
		return __real_aead_open(key, nonce, aad, aad_size_bytes, cipher, plain, size_bytes,
					tag);
	}
	FUZZ_REQUIRE(key->implementation != NULL);
	memmove(plain, cipher, size_bytes);
	return STATUS_OK;
}

/* ---- The disk ---------------------------------------------------------------------------------
 */

uint8_t *scene_disk_edit(uint64_t block)
{
	struct scene_disk *disk = &scene_disk;
	if (disk->copies[block] == NULL) {
		if (disk->copy_count == SCENE_COPIES_MAX) {
			return NULL;
		}
		disk->copies[block] = copies[disk->copy_count++];
		memcpy(disk->copies[block], disk->blocks[block], BLOCK_BYTES);
		disk->blocks[block] = disk->copies[block];
	}
	return disk->copies[block];
}

static enum status disk_read(void *context, struct physical_block first, struct block_count count,
			     uint8_t *out)
{
	struct scene_disk *disk = context;
	FUZZ_REQUIRE(addr_within(first.n, count.n, disk->device.capacity.n) && count.n > 0);
	disk->reads += count.n;
	FUZZ_REQUIRE(disk->reads < SCENE_DEVICE_READS_MAX); /* It ends. */
	if (++disk->operations == disk->fail_read_at) {
		return STATUS_IO;
	}
	for (uint64_t i = 0; i < count.n; i++) {
		memcpy(out + i * BLOCK_BYTES, disk->blocks[first.n + i], BLOCK_BYTES);
	}
	return STATUS_OK;
}

static enum status disk_write(void *context, struct physical_block first, struct block_count count,
			      const uint8_t *bytes)
{
	struct scene_disk *disk = context;
	FUZZ_REQUIRE(addr_within(first.n, count.n, disk->device.capacity.n) && count.n > 0);
	for (uint64_t i = 0; i < count.n; i++) {
		uint8_t *to = scene_disk_edit(first.n + i);
		if (to == NULL) {
			return STATUS_IO;
		}
		memcpy(to, bytes + i * BLOCK_BYTES, BLOCK_BYTES);
	}
	return STATUS_OK;
}

static enum status disk_flush(void *context)
{
	(void)context;
	return STATUS_OK;
}

static const struct block_device_ops disk_ops = {
	.read = disk_read,
	.write = disk_write,
	.flush = disk_flush,
};

static void disk_open(void)
{
	scene_disk.device = (struct block_device){
		.ops = &disk_ops,
		.context = &scene_disk,
		.capacity = {scene_blocks},
		.has_flush = true,
	};
	scene_disk.reads = 0;
	scene_disk.operations = 0;
	scene_disk.fail_read_at = 0;
}

void scene_disk_reset(const struct scene *scene, size_t state)
{
	transparent = scene->transparent;
	profile = scene->profile;
	scene_blocks = scene->blocks;
	random_counter = 1;
	disk_open();
	memset(scene_disk.copies, 0, sizeof(scene_disk.copies));
	scene_disk.copy_count = 0;
	memcpy(scene_disk.blocks, scene->states[state].disk, sizeof(scene_disk.blocks));
}

bool scene_is_block(void)
{
	return profile == VOLUME_PROFILE_BLOCK;
}

bool scene_is_transparent(void)
{
	return transparent;
}

struct volume_environment scene_environment(void)
{
	return (struct volume_environment){
		.device = &scene_disk.device,
		.aead = &aead,
		.random = &random_state,
		.arena = arena,
		.arena_size_bytes = sizeof(arena),
	};
}

struct logical_block scene_tracked(size_t index)
{
	const uint64_t slice = index / SCENE_SLICE_BLOCKS;
	const uint64_t distance = scene_is_block() ? 5u * VOLUME_NODE_ENTRIES : 1u << 14;
	return (struct logical_block){slice * distance + index % SCENE_SLICE_BLOCKS};
}

/* ---- History ----------------------------------------------------------------------------------
 */

static const uint8_t *block_keep(const uint8_t *content)
{
	uint8_t *kept = malloc(BLOCK_BYTES);
	FUZZ_REQUIRE(kept != NULL);
	memcpy(kept, content, BLOCK_BYTES);
	return kept;
}

static void state_note(struct scene *scene, struct volume *volume)
{
	struct scene_state *state = &scene->states[scene->state_count];
	const struct scene_state *before =
		scene->state_count == 0 ? NULL : &scene->states[scene->state_count - 1];
	struct volume_info info;
	uint8_t content[BLOCK_BYTES];
	FUZZ_REQUIRE(scene->state_count++ < SCENE_STATES_MAX);
	volume_info_get(volume, &info);
	state->sequence = info.sequence;
	for (size_t i = 0; i < scene->blocks; i++) {
		const uint8_t *now = scene_disk.blocks[i];
		const uint8_t *was = before == NULL ? zeroes : before->disk[i];
		state->disk[i] = memcmp(now, was, BLOCK_BYTES) == 0 ? was : block_keep(now);
	}
	for (size_t i = 0; i < SCENE_TRACKED; i++) {
		FUZZ_REQUIRE(volume_read(volume, scene_tracked(i), content) == STATUS_OK);
		state->content[i] = block_keep(content);
	}
	/* The copies may go back to the pool: the state has its own. */
	scene_disk_reset(scene, scene->state_count - 1);
	random_counter = 1000u * scene->state_count + (scene->transparent ? 500u : 0u);
}

static void object_put(struct store *store, const char *name, uint64_t offset, uint8_t fill,
		       size_t size)
{
	static uint8_t bytes[24 * 1024];
	memset(bytes, fill, size);
	FUZZ_REQUIRE(store_txn_begin(store) == STATUS_OK);
	FUZZ_REQUIRE(store_txn_write(store, name, offset, bytes, size) == STATUS_OK);
	FUZZ_REQUIRE(store_txn_commit(store) == STATUS_OK);
}

static void object_remove(struct store *store, const char *name)
{
	FUZZ_REQUIRE(store_txn_begin(store) == STATUS_OK);
	FUZZ_REQUIRE(store_txn_remove(store, name) == STATUS_OK);
	FUZZ_REQUIRE(store_txn_commit(store) == STATUS_OK);
}

static struct volume *volume_open(struct store *store)
{
	const struct volume_environment environment = scene_environment();
	struct volume *volume = NULL;
	FUZZ_REQUIRE(volume_mount(&environment, &scene_key, false, &volume, NULL) == STATUS_OK);
	FUZZ_REQUIRE(store_open(store, volume) == STATUS_OK);
	return volume;
}

/* One transaction over the blocks of a slice: more than eight go out of line. */
static void blocks_put(struct volume *volume, uint64_t slice, uint32_t count, uint8_t fill)
{
	static uint8_t content[BLOCK_BYTES];
	FUZZ_REQUIRE(volume_txn_begin(volume) == STATUS_OK);
	for (uint32_t i = 0; i < count; i++) {
		struct logical_block block = scene_tracked(slice * SCENE_SLICE_BLOCKS);
		block.n += i;
		memset(content, fill + (int)i, fill == 0 ? 0 : 64u << (i % 7));
		FUZZ_REQUIRE(volume_txn_put(volume, block, content) == STATUS_OK);
		memset(content, 0, sizeof(content));
	}
	FUZZ_REQUIRE(volume_txn_commit(volume) == STATUS_OK);
}

static struct volume *block_open(void)
{
	const struct volume_environment environment = scene_environment();
	struct volume *volume = NULL;
	FUZZ_REQUIRE(volume_mount(&environment, &scene_key, false, &volume, NULL) == STATUS_OK);
	return volume;
}

/* The same of a block device: in the record, out of line, holes, two sessions in the log. */
static void block_history_make(struct scene *scene)
{
	struct volume *volume = block_open();
	state_note(scene, volume);
	blocks_put(volume, 0, 2, 0x11);
	state_note(scene, volume);
	blocks_put(volume, 1, 20, 0x22);
	state_note(scene, volume);
	FUZZ_REQUIRE(volume_checkpoint(volume) == STATUS_OK);
	blocks_put(volume, 1, 12, 0x33);
	state_note(scene, volume);
	volume_unmount(volume);
	volume = block_open();
	blocks_put(volume, 2, 40, 0x44);
	state_note(scene, volume);
	FUZZ_REQUIRE(volume_checkpoint(volume) == STATUS_OK);
	blocks_put(volume, 0, 1, 0x55);
	state_note(scene, volume);
	blocks_put(volume, 3, 10, 0x66);
	state_note(scene, volume);
	volume_unmount(volume);
	volume = block_open();
	blocks_put(volume, 3, 12, 0x77);
	state_note(scene, volume);
	blocks_put(volume, 1, 3, 0);
	state_note(scene, volume);
	volume_unmount(volume);
}

/* Commits of one and of many blocks, checkpoints, a second session, a removal; and a log that is
 * not empty at the end. */
static void history_make(struct scene *scene)
{
	static struct store store;
	struct volume *volume = volume_open(&store);
	state_note(scene, volume);
	object_put(&store, "first", 0, 0x11, 100);
	state_note(scene, volume);
	object_put(&store, "second", 4000, 0x22, 9000);
	state_note(scene, volume);
	FUZZ_REQUIRE(volume_checkpoint(volume) == STATUS_OK);
	object_put(&store, "first", 50, 0x33, 5000);
	state_note(scene, volume);
	store_close(&store);
	volume_unmount(volume);
	volume = volume_open(&store);
	object_put(&store, "third", 0, 0x44, 20000);
	state_note(scene, volume);
	FUZZ_REQUIRE(volume_checkpoint(volume) == STATUS_OK);
	object_remove(&store, "second");
	state_note(scene, volume);
	object_put(&store, "third", 4096, 0x55, 10);
	state_note(scene, volume);
	object_put(&store, "fourth", 0, 0x66, 3);
	state_note(scene, volume);
	/* Of the volume that an adversary writes, the log's end comes near the ring's. */
	for (uint8_t i = 1; scene->transparent && volume->log.offset < VOLUME_RING_BLOCKS - 8;
	     i++) {
		object_put(&store, "third", 0, i, volume->log.offset < 240 ? 20000 : 10);
	}
	state_note(scene, volume);
	store_close(&store);
	volume_unmount(volume);
}

static void used_find(struct scene *scene)
{
	for (size_t i = 0; i < scene->blocks; i++) {
		bool is_used = false;
		for (size_t state = 0; state < scene->state_count; state++) {
			is_used = is_used || scene->states[state].disk[i] != zeroes;
		}
		if (is_used) {
			scene->used[scene->used_count++] = (uint16_t)i;
		}
	}
}

static void scene_make(struct scene *scene)
{
	disk_open();
	memset(scene_disk.copies, 0, sizeof(scene_disk.copies));
	scene_disk.copy_count = 0;
	random_counter = scene->transparent ? 77 : 7;
	for (size_t i = 0; i < SCENE_BLOCKS_MAX; i++) {
		scene_disk.blocks[i] = zeroes;
	}
	const struct volume_environment environment = scene_environment();
	FUZZ_REQUIRE(volume_create_profile(&environment, profile,
					   (struct block_count){scene_blocks}, &scene_key, NULL,
					   NULL) == STATUS_OK);
	if (scene_is_block()) {
		block_history_make(scene);
	} else {
		history_make(scene);
	}
	used_find(scene);
}

const struct scene *scene_get(enum volume_profile wanted, bool is_transparent)
{
	static struct scene scenes[2][2];
	static bool aead_is_ready;
	const struct aead_platform platform = {.has_aes_pclmul_sse41 = true};
	bool is_block = wanted == VOLUME_PROFILE_BLOCK;
	struct scene *scene = &scenes[is_block ? 1 : 0][is_transparent ? 1 : 0];
	if (!aead_is_ready) {
		transparent = false; /* The known answers are those of the real one. */
		FUZZ_REQUIRE(aead_select(&aead, &platform, NULL, 0) == STATUS_OK);
		aead_is_ready = true;
	}
	if (scene->state_count > 0) {
		return scene;
	}
	scene->transparent = is_transparent;
	scene->profile = wanted;
	scene->blocks = is_block ? VOLUME_BLOCK_BLOCKS_MIN : VOLUME_STATE_BLOCKS_MIN;
	transparent = is_transparent;
	profile = wanted;
	scene_blocks = scene->blocks;
	FUZZ_REQUIRE(volume_arena_bytes_for(wanted, (struct block_count){scene_blocks}) <=
		     sizeof(arena));
	scene_make(scene);
	return scene;
}
