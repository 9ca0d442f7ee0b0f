// SPDX-License-Identifier: MIT
/* Blocks that a record carries: sealed once, read from the log, moved by the checkpoint as they
 * are; what damage to them costs; and volumes of programs that did not know them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"
#include "volume_fixture.h"

#define SMALL VOLUME_BLOCK_BLOCKS_MIN

static void noise_commit(struct fixture *fixture, uint32_t logical, uint64_t seed)
{
	uint8_t content[BLOCK_BYTES];
	fixture_noise(content, BLOCK_BYTES, seed);
	assert_int_equal(volume_txn_begin(fixture->volume), STATUS_OK);
	assert_int_equal(volume_txn_put(fixture->volume, (struct logical_block){logical}, content),
			 STATUS_OK);
	assert_int_equal(volume_txn_commit(fixture->volume), STATUS_OK);
}

static void noise_check(struct fixture *fixture, uint32_t logical, uint64_t seed)
{
	uint8_t expected[BLOCK_BYTES];
	uint8_t content[BLOCK_BYTES];
	fixture_noise(expected, BLOCK_BYTES, seed);
	assert_int_equal(volume_read(fixture->volume, (struct logical_block){logical}, content),
			 STATUS_OK);
	assert_memory_equal(content, expected, BLOCK_BYTES);
}

/* Where the log carries a block; 0: it does not. */
static uint64_t carried_place(const struct fixture *fixture, uint32_t logical)
{
	const struct volume_map_entry *entry = volume_map_find(&fixture->volume->overlay, logical);
	return entry != NULL && entry->kind == VOLUME_MAP_CARRIED ? entry->entry.physical : 0;
}

static uint64_t home_place(struct fixture *fixture, uint32_t logical)
{
	struct volume_entry entry;
	assert_int_equal(volume_tree_find(fixture->volume, logical, &entry), STATUS_OK);
	return entry.physical;
}

static bool is_in_ring(const struct fixture *fixture, uint64_t block)
{
	const struct volume_geometry *geometry = &fixture->volume->geometry;
	return block >= geometry->ring_first &&
	       block < geometry->ring_first + geometry->ring_blocks;
}

/* A record and its block: two seals, of which the second is the last one of that data. */
static void test_sealed_once(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	const uint64_t data_before = fixture.volume->session.data_seals;
	for (uint32_t i = 0; i < 50; i++) {
		const uint64_t seals = ledger_seals();
		noise_commit(&fixture, 3 * i, i + 1);
		assert_int_equal(ledger_seals() - seals, 2);
		assert_true(is_in_ring(&fixture, carried_place(&fixture, 3 * i)));
	}
	const uint64_t data_seals = fixture.volume->session.data_seals;
	assert_int_equal(data_seals - data_before, 50);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	assert_int_equal(fixture.volume->session.data_seals, data_seals);
	for (uint32_t i = 0; i < 50; i++) {
		assert_int_equal(carried_place(&fixture, 3 * i), 0);
		assert_false(is_in_ring(&fixture, home_place(&fixture, 3 * i)));
		noise_check(&fixture, 3 * i, i + 1);
	}
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	fixture_fini(&fixture);
}

/* From the log, after a replay, from home; overwritten ones are not moved. */
static void test_life(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	for (uint32_t i = 0; i < 10; i++) {
		noise_commit(&fixture, 7, i);
		noise_commit(&fixture, 1000 + i, 100 + i);
	}
	assert_int_equal(fixture.volume->pool.carried, 11);
	for (uint32_t round = 0; round < 3; round++) {
		noise_check(&fixture, 7, 9);
		for (uint32_t i = 0; i < 10; i++) {
			noise_check(&fixture, 1000 + i, 100 + i);
		}
		if (round == 0) {
			fixture_remount(&fixture);
			assert_int_equal(fixture.volume->pool.carried, 11);
		} else {
			assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
			assert_int_equal(fixture.volume->pool.carried, 0);
		}
	}
	fixture_fini(&fixture);
}

/* The host recognises ciphertext: homes are in the order of the commits, which it has seen, and not
 * of logical blocks. */
static void test_homes_are_in_the_order_of_the_log(void **state)
{
	static const uint32_t logicals[] = {900, 5, 700, 6, 300, 901, 2, 500};
	struct fixture fixture;
	uint64_t last = 0;
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	noise_commit(&fixture, 500, 99); /* Overwritten by the last one, whose place counts. */
	for (size_t i = 0; i < sizeof(logicals) / sizeof(logicals[0]); i++) {
		noise_commit(&fixture, logicals[i], i);
	}
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	for (size_t i = 0; i < sizeof(logicals) / sizeof(logicals[0]); i++) {
		const uint64_t home = home_place(&fixture, logicals[i]);
		assert_true(home > last);
		last = home;
	}
	fixture_fini(&fixture);
}

/* Damage to a durable one costs that block; to the last one, the transaction that it ended. */
static void test_damage(void **state)
{
	struct fixture fixture;
	uint8_t content[BLOCK_BYTES];
	(void)state;
	for (uint32_t victim = 0; victim < 3; victim++) {
		fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
		for (uint32_t i = 0; i < 3; i++) {
			noise_commit(&fixture, i, i + 1);
		}
		const uint64_t place = carried_place(&fixture, victim);
		fixture_unmount(&fixture);
		sim_disk_flip(&fixture.disk, place, 12345);
		assert_int_equal(fixture_mount(&fixture), STATUS_OK);
		struct volume_info info;
		volume_info_get(fixture.volume, &info);
		enum status status =
			volume_read(fixture.volume, (struct logical_block){victim}, content);
		if (victim == 2) {
			assert_int_equal(info.sequence, 2);
			assert_int_equal(status, STATUS_OK); /* A hole, as before it. */
			fixture_fini(&fixture);
			continue;
		}
		assert_int_equal(info.sequence, 3);
		assert_int_equal(status, STATUS_AUTH_DATA);
		/* The others are whole, also once all have moved; overwriting heals. */
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
		assert_int_equal(
			volume_read(fixture.volume, (struct logical_block){victim}, content),
			STATUS_AUTH_DATA);
		noise_check(&fixture, 1 - victim, 2 - victim);
		noise_check(&fixture, 2, 3);
		noise_commit(&fixture, victim, 77);
		noise_check(&fixture, victim, 77);
		fixture_fini(&fixture);
	}
}

/* Under a superblock that does not announce them nothing is carried, and records are sealed whole;
 * the first checkpoint writes one that does. */
static void test_older_volumes(void **state)
{
	struct fixture fixture;
	struct volume_record_header header;
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	const uint64_t ring = fixture.volume->geometry.ring_first;
	fixture.volume->superblock.flags &= ~VOLUME_SUPERBLOCK_CARRIES;
	const uint32_t first = fixture.volume->log.offset;
	noise_commit(&fixture, 1, 1);
	assert_int_equal(carried_place(&fixture, 1), 0);
	assert_int_equal(
		volume_record_header_decode(sim_disk_look(&fixture.disk, ring + first), &header),
		STATUS_OK);
	assert_int_equal(header.block_count, 2);
	assert_int_equal(header.sealed_bytes, 2 * BLOCK_BYTES);
	noise_check(&fixture, 1, 1);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	const uint32_t second = fixture.volume->log.offset;
	noise_commit(&fixture, 2, 2);
	assert_true(carried_place(&fixture, 2) != 0);
	assert_int_equal(
		volume_record_header_decode(sim_disk_look(&fixture.disk, ring + second), &header),
		STATUS_OK);
	assert_int_equal(header.block_count, 2);
	assert_int_equal(header.sealed_bytes, VOLUME_RECORD_GRAIN_BYTES);
	fixture_remount(&fixture);
	noise_check(&fixture, 1, 1);
	noise_check(&fixture, 2, 2);
	fixture_fini(&fixture);
}

/* Short content, and content like that in the log, goes into the sealed part, and costs one block.
 */
static void test_short_content_is_not_carried(void **state)
{
	struct fixture fixture;
	uint8_t content[BLOCK_BYTES] = {0};
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	fixture_noise(content, 512, 1);
	for (uint32_t i = 0; i < 3; i++) {
		content[3] = (uint8_t)(content[3] + 1);
		sim_disk_counters_reset(&fixture.disk);
		assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
		assert_int_equal(volume_txn_put(fixture.volume, (struct logical_block){9}, content),
				 STATUS_OK);
		assert_int_equal(volume_txn_commit(fixture.volume), STATUS_OK);
		assert_int_equal(fixture.disk.counters.blocks_written, 1);
		assert_int_equal(carried_place(&fixture, 9), 0);
	}
	noise_commit(&fixture, 9, 5); /* Then it differs in all of it. */
	assert_true(carried_place(&fixture, 9) != 0);
	fixture_remount(&fixture);
	noise_check(&fixture, 9, 5);
	fixture_fini(&fixture);
}

/* Records that end with the ring, and the ring many times over. */
static void test_round_the_ring(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	for (uint32_t i = 0; i < 1000; i++) {
		noise_commit(&fixture, i % 300, i);
		if (i % 7 == 0) { /* An odd number of blocks, sometimes. */
			uint8_t content[BLOCK_BYTES] = {1};
			content[1] = (uint8_t)i;
			assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
			assert_int_equal(volume_txn_put(fixture.volume, (struct logical_block){400},
							content),
					 STATUS_OK);
			assert_int_equal(volume_txn_commit(fixture.volume), STATUS_OK);
		}
		if (i % 97 == 0) {
			fixture_remount(&fixture);
		}
	}
	for (uint32_t i = 700; i < 1000; i++) {
		noise_check(&fixture, i % 300, i);
	}
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	assert_int_equal(ledger_repeats(), 0);
	fixture_fini(&fixture);
}
/* Every second block of the ring is a record; a read takes in as much as a write. */
static void test_moved_together(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	for (uint32_t i = 0; i < 64; i++) {
		noise_commit(&fixture, 3 * i, i + 1);
	}
	assert_int_equal(fixture.volume->pool.carried, 64);
	sim_disk_counters_reset(&fixture.disk);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	assert_true(fixture.disk.counters.reads <= 16);
	for (uint32_t i = 0; i < 64; i++) {
		assert_true(i == 0 ||
			    home_place(&fixture, 3 * i) > home_place(&fixture, 3 * i - 3));
		noise_check(&fixture, 3 * i, i + 1);
	}
	fixture_fini(&fixture);
}

/* A sector of the ring that nobody needs any more holds up no checkpoint. */
static void test_what_lies_between_may_be_unreadable(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	for (uint32_t i = 0; i < 10; i++) {
		noise_commit(&fixture, 5 * i, i + 1);
	}
	const uint64_t record = carried_place(&fixture, 20) + 1;
	assert_true(record < carried_place(&fixture, 25));
	fixture.disk.bad_block = record;
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	for (uint32_t i = 0; i < 10; i++) {
		noise_check(&fixture, 5 * i, i + 1);
	}
	noise_commit(&fixture, 7, 100);
	fixture.disk.bad_block = carried_place(&fixture, 7);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_IO);
	fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sealed_once),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_homes_are_in_the_order_of_the_log),
		cmocka_unit_test(test_moved_together),
		cmocka_unit_test(test_what_lies_between_may_be_unreadable),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_older_volumes),
		cmocka_unit_test(test_short_content_is_not_carried),
		cmocka_unit_test(test_round_the_ring),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
