// SPDX-License-Identifier: MIT
#include "volume_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"

static const uint8_t key_bytes[VOLUME_KEY_BYTES] = "a fixed key of thirty-two bytes";
const struct volume_key fixture_key = {
	.type = VOLUME_KEY_RAW,
	.bytes = key_bytes,
	.size_bytes = VOLUME_KEY_BYTES,
};

static bool ledger_watches;

/* splitmix64: passes the health tests, and a run can be repeated. */
static bool entropy_read(void *context, uint64_t *word)
{
	struct fixture *fixture = context;
	if (fixture->entropy_is_empty) {
		return false;
	}
	uint64_t z = fixture->entropy += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	*word = z ^ (z >> 31);
	return true;
}

void fixture_init_profile(struct fixture *fixture, enum volume_profile profile, uint64_t blocks,
			  bool mounted)
{
	const struct aead_platform platform = {.has_aes_pclmul_sse41 = true};
	static uint64_t fixtures; /* Each draws other numbers, or the ledger would see repeats. */
	*fixture = (struct fixture){.entropy = ++fixtures << 32, .profile = profile};
	sim_disk_init(&fixture->disk, blocks);
	const struct entropy_port port = {.read_word = entropy_read, .context = fixture};
	ledger_watches = false; /* Known-answer tests repeat their nonces, of course. */
	CHECK(aead_select(&fixture->aead, &platform, NULL, 0) == STATUS_OK);
	ledger_watches = true;
	CHECK(random_init(&fixture->random, &port, NULL, 0) == STATUS_OK);
	size_t bytes = profile == VOLUME_PROFILE_STATE
			       ? volume_arena_bytes(fixture->disk.device.capacity)
			       : volume_arena_bytes_for(profile, fixture->disk.device.capacity);
	fixture->arena = aligned_alloc(64, (bytes + 63) / 64 * 64);
	CHECK(fixture->arena != NULL);
	fixture->environment = (struct volume_environment){
		.device = &fixture->disk.device,
		.aead = &fixture->aead,
		.random = &fixture->random,
		.arena = fixture->arena,
		.arena_size_bytes = bytes,
	};
	if (mounted) {
		CHECK(fixture_create(fixture) == STATUS_OK);
		CHECK(fixture_mount(fixture) == STATUS_OK);
	}
}

void fixture_init(struct fixture *fixture, uint64_t blocks)
{
	fixture_init_profile(fixture, VOLUME_PROFILE_STATE, blocks, false);
}

void fixture_init_mounted(struct fixture *fixture, uint64_t blocks)
{
	fixture_init_profile(fixture, VOLUME_PROFILE_STATE, blocks, true);
}

void fixture_fini(struct fixture *fixture)
{
	fixture_unmount(fixture);
	random_erase(&fixture->random);
	sim_disk_fini(&fixture->disk);
	free(fixture->arena);
}

enum status fixture_create(struct fixture *fixture)
{
	return volume_create_profile(&fixture->environment, fixture->profile,
				     fixture->disk.device.capacity, &fixture_key, NULL, NULL);
}

enum status fixture_mount(struct fixture *fixture)
{
	return volume_mount(&fixture->environment, &fixture_key, false, &fixture->volume, NULL);
}

enum status fixture_mount_read_only(struct fixture *fixture)
{
	return volume_mount(&fixture->environment, &fixture_key, true, &fixture->volume, NULL);
}

void fixture_unmount(struct fixture *fixture)
{
	if (fixture->volume != NULL) {
		volume_unmount(fixture->volume);
		fixture->volume = NULL;
	}
}

void fixture_remount(struct fixture *fixture)
{
	fixture_unmount(fixture);
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
}

void fixture_checkpoint_begin(struct fixture *fixture)
{
	assert_int_equal(volume_checkpoint_begin(fixture->volume), STATUS_OK);
	assert_true(volume_checkpoint_is_running(fixture->volume));
}

/* ---- Model --------------------------------------------------------------------------------- */

void model_content(uint64_t seed, uint8_t out[BLOCK_BYTES])
{
	memset(out, 0, BLOCK_BYTES);
	if (seed == 0) {
		return;
	}
	uint64_t z = seed * 0x9e3779b97f4a7c15u + 1;
	/* Some blocks are full, some are short: both shapes of record occur. */
	size_t size = seed % 3 == 0 ? 200 : BLOCK_BYTES;
	for (size_t i = 0; i + 8 <= size; i += 8) {
		z ^= z << 13;
		z ^= z >> 7;
		z ^= z << 17;
		memcpy(out + i, &z, sizeof(z));
	}
	memcpy(out + 32, FIXTURE_CANARY, strlen(FIXTURE_CANARY));
	memcpy(out, &seed, sizeof(seed));
}

void model_set(struct model *model, uint32_t logical, uint64_t seed)
{
	for (size_t i = 0; i < model->count; i++) {
		if (model->logical[i] == logical) {
			model->seed[i] = seed;
			return;
		}
	}
	CHECK(model->count < MODEL_BLOCKS_MAX);
	model->logical[model->count] = logical;
	model->seed[model->count++] = seed;
}

uint64_t model_get(const struct model *model, uint32_t logical)
{
	for (size_t i = 0; i < model->count; i++) {
		if (model->logical[i] == logical) {
			return model->seed[i];
		}
	}
	return 0;
}

enum status model_put(struct model *model, struct volume *volume, uint32_t logical, uint64_t seed)
{
	uint8_t content[BLOCK_BYTES];
	struct logical_block block = {logical};
	model_content(seed, content);
	model_set(model, logical, seed);
	return seed == 0 ? volume_txn_discard(volume, block)
			 : volume_txn_put(volume, block, content);
}

bool model_equals(const struct model *model, struct volume *volume)
{
	uint8_t expected[BLOCK_BYTES];
	uint8_t content[BLOCK_BYTES];
	for (size_t i = 0; i < model->count; i++) {
		model_content(model->seed[i], expected);
		if (volume_read(volume, (struct logical_block){model->logical[i]}, content) !=
			    STATUS_OK ||
		    memcmp(content, expected, BLOCK_BYTES) != 0) {
			return false;
		}
	}
	return true;
}

enum status model_commit(struct model *model, struct volume *volume, uint32_t logical,
			 uint64_t seed)
{
	enum status status = volume_txn_begin(volume);
	if (status != STATUS_OK) {
		return status;
	}
	status = model_put(model, volume, logical, seed);
	if (status != STATUS_OK) {
		volume_txn_abort(volume);
		return status;
	}
	return volume_txn_commit(volume);
}

enum status fixture_put_many(struct fixture *fixture, struct model *model, uint32_t first,
			     uint32_t count, uint32_t stride, uint64_t seed)
{
	struct model next = *model;
	enum status status = volume_txn_begin(fixture->volume);
	for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
		status = model_put(&next, fixture->volume, first + i * stride,
				   seed == 0 ? 0 : seed + i);
	}
	if (status != STATUS_OK) {
		volume_txn_abort(fixture->volume);
		return status;
	}
	status = volume_txn_commit(fixture->volume);
	if (status == STATUS_OK) {
		*model = next;
	}
	return status;
}

bool fixture_disk_contains(const struct fixture *fixture, const char *text)
{
	size_t bytes = fixture->disk.device.capacity.n * BLOCK_BYTES;
	return memmem(fixture->disk.media, bytes, text, strlen(text)) != NULL;
}

static uint64_t random_state;

void fixture_random_seed(uint64_t seed)
{
	random_state = seed * 0x9e3779b97f4a7c15u | 1;
}

uint32_t fixture_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 33);
}

void fixture_random_bytes(uint8_t *out, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		out[i] = (uint8_t)fixture_random();
	}
}

void fixture_noise(uint8_t *out, size_t size, uint64_t seed)
{
	uint64_t z = seed * 0x9e3779b97f4a7c15u + 1;
	for (size_t i = 0; i < size; i += sizeof(z)) {
		z ^= z << 13;
		z ^= z >> 7;
		z ^= z << 17;
		memcpy(out + i, &z, sizeof(z));
	}
}

/* ---- Nonce ledger -------------------------------------------------------------------------- */

#define LEDGER_SLOTS (1u << 20)

struct ledger_row {
	uint64_t key; /* A fingerprint; 0: free. */
	uint64_t nonce_low;
	uint32_t nonce_high;
};

static struct ledger_row *ledger;
static uint64_t seals;
static uint64_t repeats;

enum status __real_aead_seal(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
			     const uint8_t *aad, size_t aad_size_bytes, const uint8_t *plain,
			     uint8_t *cipher, size_t size_bytes, uint8_t tag[AEAD_TAG_BYTES]);
enum status __wrap_aead_seal(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
			     const uint8_t *aad, size_t aad_size_bytes, const uint8_t *plain,
			     uint8_t *cipher, size_t size_bytes, uint8_t tag[AEAD_TAG_BYTES]);

static uint64_t fingerprint(const uint8_t *bytes, size_t size)
{
	uint64_t hash = 14695981039346656037u;
	for (size_t i = 0; i < size; i++) {
		hash = (hash ^ bytes[i]) * 1099511628211u;
	}
	return hash | 1;
}

static void ledger_note(const struct aead_key *key, const uint8_t *nonce)
{
	struct ledger_row row = {.key = fingerprint(key->storage, 240)}; /* The round keys. */
	memcpy(&row.nonce_low, nonce, sizeof(row.nonce_low));
	memcpy(&row.nonce_high, nonce + 8, sizeof(row.nonce_high));
	if (ledger == NULL) {
		ledger = calloc(LEDGER_SLOTS, sizeof(*ledger));
		CHECK(ledger != NULL);
	}
	CHECK(seals < LEDGER_SLOTS / 2);
	size_t at = (row.key ^ row.nonce_low * 0x9e3779b97f4a7c15u ^ row.nonce_high) % LEDGER_SLOTS;
	for (; ledger[at].key != 0; at = (at + 1) % LEDGER_SLOTS) {
		if (memcmp(&ledger[at], &row, sizeof(row)) == 0) {
			repeats++;
			return;
		}
	}
	ledger[at] = row;
	seals++;
}

enum status __wrap_aead_seal(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
			     const uint8_t *aad, size_t aad_size_bytes, const uint8_t *plain,
			     uint8_t *cipher, size_t size_bytes, uint8_t tag[AEAD_TAG_BYTES])
{
	if (ledger_watches) {
		ledger_note(key, nonce);
	}
	return __real_aead_seal(key, nonce, aad, aad_size_bytes, plain, cipher, size_bytes, tag);
}

uint64_t ledger_seals(void)
{
	return seals;
}

uint64_t ledger_repeats(void)
{
	return repeats;
}
