// SPDX-License-Identifier: MIT
/* The store over the real volume on a disk in memory: persistence, device costs, damage, and every
 * device call failing in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/check.h"
#include "block/store.h"
#include "crypto/aead.h"
#include "crypto/random.h"

#define DISK_BLOCKS VOLUME_STATE_BLOCKS_MIN
#define DISK_BYTES  ((size_t)DISK_BLOCKS * BLOCK_BYTES)

/* A disk that counts, and fails its k-th call. */
struct disk {
	struct block_device device;
	struct block_device_counters counters;
	uint8_t *bytes;
	uint64_t fail_in; /* Calls until the failure; 0: none. */
};

struct fixture {
	struct disk disk;
	struct aead aead;
	struct random random;
	struct volume_environment environment;
	struct volume *volume;
	struct store store;
	uint8_t bytes[65536];
	uint8_t out[65536];
};

static struct fixture fixture;
static const uint8_t raw_key[VOLUME_KEY_BYTES] = {1, 2, 3};
static const struct volume_key key = {VOLUME_KEY_RAW, raw_key, sizeof(raw_key)};

static bool disk_fails(struct disk *disk)
{
	return disk->fail_in > 0 && --disk->fail_in == 0;
}

static enum status disk_read(void *context, struct physical_block first, struct block_count count,
			     uint8_t *out)
{
	struct disk *disk = context;
	disk->counters.reads++;
	if (disk_fails(disk)) {
		return STATUS_IO;
	}
	memcpy(out, disk->bytes + first.n * BLOCK_BYTES, count.n * BLOCK_BYTES);
	return STATUS_OK;
}

static enum status disk_write(void *context, struct physical_block first, struct block_count count,
			      const uint8_t *bytes)
{
	struct disk *disk = context;
	disk->counters.writes++;
	disk->counters.blocks_written += count.n;
	if (disk_fails(disk)) {
		return STATUS_IO;
	}
	memcpy(disk->bytes + first.n * BLOCK_BYTES, bytes, count.n * BLOCK_BYTES);
	return STATUS_OK;
}

static enum status disk_flush(void *context)
{
	struct disk *disk = context;
	disk->counters.flushes++;
	return disk_fails(disk) ? STATUS_IO : STATUS_OK;
}

static const struct block_device_ops disk_ops = {
	.read = disk_read, .write = disk_write, .flush = disk_flush, .discard = NULL};

/* Words that pass the health tests; the keys they make protect nothing. */
static bool test_word(void *context, uint64_t *word)
{
	static uint64_t state = 0x9e3779b97f4a7c15u;
	(void)context;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	*word = state;
	return true;
}

static void open_all(struct fixture *f)
{
	assert_int_equal(volume_mount(&f->environment, &key, false, &f->volume, NULL), STATUS_OK);
	assert_int_equal(store_open(&f->store, f->volume), STATUS_OK);
}

/* Also after an assertion that failed between two mounts. */
static void close_all(struct fixture *f)
{
	if (f->volume != NULL) {
		store_close(&f->store);
		volume_unmount(f->volume);
		f->volume = NULL;
	}
}

static int setup(void **state)
{
	struct fixture *f = &fixture;
	static const struct aead_platform platform = {.has_aes_pclmul_sse41 = true};
	static const struct entropy_port entropy = {.read_word = test_word};
	struct block_count size = {DISK_BLOCKS};
	size_t arena = (volume_arena_bytes(size) + 63) / 64 * 64;
	memset(f, 0, sizeof(*f));
	for (size_t i = 0; i < sizeof(f->bytes); i++) {
		f->bytes[i] = (uint8_t)(i / 3 + i / BLOCK_BYTES + 1);
	}
	f->disk.bytes = calloc(1, DISK_BYTES);
	f->disk.device = (struct block_device){
		.ops = &disk_ops, .context = &f->disk, .capacity = size, .has_flush = true};
	f->environment = (struct volume_environment){.device = &f->disk.device,
						     .aead = &f->aead,
						     .random = &f->random,
						     .arena = aligned_alloc(64, arena),
						     .arena_size_bytes = arena};
	CHECK(f->disk.bytes != NULL && f->environment.arena != NULL);
	assert_int_equal(aead_select(&f->aead, &platform, NULL, 0), STATUS_OK);
	assert_int_equal(random_init(&f->random, &entropy, NULL, 0), STATUS_OK);
	assert_int_equal(volume_create(&f->environment, size, &key, NULL, NULL), STATUS_OK);
	open_all(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	close_all(f);
	random_erase(&f->random);
	free(f->environment.arena);
	free(f->disk.bytes);
	return 0;
}

/* Replace an object's content from `offset` on, in one transaction. */
static enum status put(struct fixture *f, const char *name, uint64_t offset, const uint8_t *bytes,
		       size_t size)
{
	enum status status = store_txn_begin(&f->store);
	if (status == STATUS_OK) {
		status = store_txn_write(&f->store, name, offset, bytes, size);
	}
	if (status == STATUS_OK) {
		status = store_txn_commit(&f->store);
	}
	store_txn_abort(&f->store);
	return status;
}

static void test_store_survives_a_remount(void **state)
{
	struct fixture *f = *state;
	struct store_object_info info;
	assert_int_equal(put(f, "a", 0, f->bytes, 65536), STATUS_OK);
	assert_int_equal(put(f, "b", 100, f->bytes, 10), STATUS_OK);
	close_all(f);
	open_all(f);
	assert_int_equal(store_read(&f->store, "a", 0, f->out, 65536), STATUS_OK);
	assert_memory_equal(f->out, f->bytes, 65536);
	assert_int_equal(store_stat(&f->store, "b", &info), STATUS_OK);
	assert_int_equal(info.size_bytes, 110);
	assert_int_equal(volume_checkpoint(f->volume), STATUS_OK);
	assert_int_equal(volume_verify(f->volume, NULL, NULL), STATUS_OK);
	close_all(f);
	open_all(f);
	assert_int_equal(store_read(&f->store, "a", 0, f->out, 65536), STATUS_OK);
	assert_memory_equal(f->out, f->bytes, 65536);
	assert_int_equal(store_stat(&f->store, "c", &info), STATUS_NOT_FOUND);
}

/* docs/volume-format.md, cost goals: up to 3.9 KB in one write of 4 KiB and one flush. */
static void test_store_cost_of_a_small_commit(void **state)
{
	struct fixture *f = *state;
	static const size_t sizes[] = {1, 100, 2000, 3900};
	assert_int_equal(put(f, "nv", 0, f->bytes, 16384), STATUS_OK);
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		struct block_device_counters before = f->disk.counters;
		assert_int_equal(put(f, "nv", 4096 + 50, f->bytes + 7 + i * 1000, sizes[i]),
				 STATUS_OK);
		assert_int_equal(f->disk.counters.writes - before.writes, 1);
		assert_int_equal(f->disk.counters.flushes - before.flushes, 1);
		assert_int_equal(f->disk.counters.blocks_written - before.blocks_written, 1);
	}
	/* Nothing changed: nothing is written. */
	struct block_device_counters before = f->disk.counters;
	assert_int_equal(put(f, "nv", 0, f->bytes, 4096), STATUS_OK);
	assert_int_equal(f->disk.counters.writes - before.writes, 0);
	assert_int_equal(f->disk.counters.flushes - before.flushes, 0);
}

static void test_store_cost_of_a_16_kib_commit(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(put(f, "nv", 0, f->bytes, 16384), STATUS_OK);
	struct block_device_counters before = f->disk.counters;
	assert_int_equal(put(f, "nv", 0, f->bytes + 5000, 16384), STATUS_OK);
	assert_int_equal(f->disk.counters.writes - before.writes, 1);
	assert_int_equal(f->disk.counters.flushes - before.flushes, 1);
	assert_true(f->disk.counters.blocks_written - before.blocks_written <= 5);
}

static void test_store_removal_gives_the_space_back(void **state)
{
	struct fixture *f = *state;
	struct volume_info before;
	struct volume_info after;
	assert_int_equal(put(f, "keep", 0, f->bytes, 5000), STATUS_OK);
	assert_int_equal(volume_checkpoint(f->volume), STATUS_OK);
	volume_info_get(f->volume, &before);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(put(f, "a", (uint64_t)i * 65536, f->bytes, 65536), STATUS_OK);
	}
	assert_int_equal(volume_checkpoint(f->volume), STATUS_OK);
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_remove(&f->store, "a"), STATUS_OK);
	assert_int_equal(store_txn_commit(&f->store), STATUS_OK);
	/* What is freed may be used again after the next checkpoint. */
	assert_int_equal(volume_checkpoint(f->volume), STATUS_OK);
	assert_int_equal(volume_checkpoint(f->volume), STATUS_OK);
	volume_info_get(f->volume, &after);
	assert_int_equal(after.blocks_used.n, before.blocks_used.n);
	assert_int_equal(volume_verify(f->volume, NULL, NULL), STATUS_OK);
}

/* Every block of the disk spoilt in turn: an object reads as one of its two committed states, or
 * not at all, and is never taken for absent. The earlier state is what a lost tail of the log
 * leaves: without a witness nobody can tell that from a disk that is a commit older. */
static void test_store_damage_is_named(void **state)
{
	struct fixture *f = *state;
	struct volume *volume = NULL;
	uint32_t refused = 0;
	assert_int_equal(put(f, "a", 0, f->bytes, 20000), STATUS_OK);
	assert_int_equal(volume_checkpoint(f->volume), STATUS_OK);
	assert_int_equal(put(f, "a", 10, f->bytes + 77, 100), STATUS_OK);
	memcpy(f->out, f->bytes, 20000);
	memcpy(f->out + 10, f->bytes + 77, 100);
	static uint8_t read_back[20000];
	close_all(f);
	for (size_t block = 0; block < DISK_BLOCKS; block++) {
		uint8_t *bytes = f->disk.bytes + block * BLOCK_BYTES;
		if (bytes_are_zero(bytes, BLOCK_BYTES)) {
			continue;
		}
		bytes[1000] ^= 4;
		enum status status = volume_mount(&f->environment, &key, true, &volume, NULL);
		if (status == STATUS_OK) {
			status = store_open(&f->store, volume);
			if (status == STATUS_OK) {
				status = store_read(&f->store, "a", 0, read_back, 20000);
				store_close(&f->store);
			}
			volume_unmount(volume);
		}
		assert_int_not_equal(status, STATUS_NOT_FOUND);
		assert_int_not_equal(status, STATUS_INVALID);
		if (status == STATUS_OK) {
			assert_true(memcmp(read_back, f->out, 20000) == 0 ||
				    memcmp(read_back, f->bytes, 20000) == 0);
		} else {
			refused++;
		}
		bytes[1000] ^= 4;
	}
	assert_true(refused >= 5); /* Five data blocks at least. */
	open_all(f);
}

/* The k-th device call of a change fails: it is there whole or not at all behind a remount. */
static void test_store_is_atomic_when_the_device_fails(void **state)
{
	struct fixture *f = *state;
	uint8_t flavour = 1;
	enum status status = STATUS_IO;
	assert_int_equal(put(f, "a", 0, f->bytes, 20000), STATUS_OK);
	for (uint64_t k = 1; status != STATUS_OK; k++) {
		assert_true(k < 60);
		uint8_t *next = f->bytes + 20000;
		memset(next, ++flavour, 20000);
		f->disk.fail_in = k;
		status = put(f, "a", 0, next, 20000);
		f->disk.fail_in = 0;
		assert_true(status == STATUS_OK || status == STATUS_IO);
		close_all(f);
		open_all(f);
		assert_int_equal(store_read(&f->store, "a", 0, f->out, 20000), STATUS_OK);
		if (status == STATUS_OK || memcmp(f->out, f->bytes, 20000) != 0) {
			assert_memory_equal(f->out, next, 20000);
			memcpy(f->bytes, next, 20000);
		}
	}
}

#define VOLUME_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VOLUME_TEST(test_store_survives_a_remount),
		VOLUME_TEST(test_store_cost_of_a_small_commit),
		VOLUME_TEST(test_store_cost_of_a_16_kib_commit),
		VOLUME_TEST(test_store_removal_gives_the_space_back),
		VOLUME_TEST(test_store_damage_is_named),
		VOLUME_TEST(test_store_is_atomic_when_the_device_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
