// SPDX-License-Identifier: MIT
/* Checkpoints in the background: how long a call may take, what happens when one cannot end, and
 * who may call what. Crashes are in test_volume_block_crash.c, which records may follow in
 * test_volume_late_records.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "block/volume_internal.h"
#include "volume_fixture.h"

#define SMALL   VOLUME_BLOCK_BLOCKS_MIN
#define MIB_128 32768u

static void scene_init(struct fixture *fixture, uint64_t blocks)
{
	fixture_init_profile(fixture, VOLUME_PROFILE_BLOCK, blocks, true);
}

static struct volume_counters counters_of(const struct fixture *fixture)
{
	struct volume_counters counters;
	volume_counters_get(fixture->volume, &counters);
	return counters;
}

/* ---- How long a call takes ----------------------------------------------------------------- */

static uint64_t operations(const struct fixture *fixture)
{
	const struct block_device_counters *counters = &fixture->disk.counters;
	return counters->reads + counters->writes + counters->flushes;
}

struct calls {
	uint64_t before;
	uint64_t most;
	uint64_t all;
};

static void call_begin(struct calls *calls, const struct fixture *fixture)
{
	calls->before = operations(fixture);
}

static void call_end(struct calls *calls, const struct fixture *fixture)
{
	uint64_t took = operations(fixture) - calls->before;
	calls->most = took > calls->most ? took : calls->most;
	calls->all += took;
}

/* A block below each leaf, so that a checkpoint has to read what it changes. */
static void leaves_make(struct fixture *fixture)
{
	const uint64_t end = volume_logical_size(fixture->volume).n;
	uint8_t content[BLOCK_BYTES];
	fixture_noise(content, BLOCK_BYTES, 77);
	assert_int_equal(volume_txn_begin(fixture->volume), STATUS_OK);
	for (uint64_t at = 0; at < end; at += VOLUME_NODE_ENTRIES) {
		assert_int_equal(
			volume_txn_put(fixture->volume, (struct logical_block){at}, content),
			STATUS_OK);
	}
	assert_int_equal(volume_txn_commit(fixture->volume), STATUS_OK);
	assert_int_equal(volume_checkpoint(fixture->volume), STATUS_OK);
}

/* 4 KiB at a random place and a flush, with reads between: the checkpoints go along, and no call
 * waits for one. */
static void test_no_call_waits_for_a_checkpoint(void **state)
{
	struct fixture fixture;
	struct calls begins = {0};
	struct calls puts = {0};
	struct calls commits = {0};
	struct calls reads = {0};
	uint8_t content[BLOCK_BYTES];
	(void)state;
	fixture_random_seed(5);
	scene_init(&fixture, MIB_128);
	const uint32_t end = (uint32_t)volume_logical_size(fixture.volume).n;
	leaves_make(&fixture);
	const struct volume_counters start = counters_of(&fixture);
	for (uint64_t i = 0; i < 4000; i++) {
		struct logical_block at = {fixture_random() % end};
		fixture_noise(content, BLOCK_BYTES, i);
		call_begin(&begins, &fixture);
		assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
		call_end(&begins, &fixture);
		call_begin(&puts, &fixture);
		assert_int_equal(volume_txn_put(fixture.volume, at, content), STATUS_OK);
		call_end(&puts, &fixture);
		call_begin(&commits, &fixture);
		assert_int_equal(volume_txn_commit(fixture.volume), STATUS_OK);
		call_end(&commits, &fixture);
		at.n = fixture_random() % end;
		call_begin(&reads, &fixture);
		assert_int_equal(volume_read(fixture.volume, at, content), STATUS_OK);
		call_end(&reads, &fixture);
	}
	const struct volume_counters counters = counters_of(&fixture);
	const uint64_t checkpoints = counters.checkpoints - start.checkpoints;
	const uint64_t steps = (counters.checkpoint_steps - start.checkpoint_steps) / checkpoints;
	print_message("device calls at most: begin %llu, put %llu, commit %llu, read %llu; "
		      "%llu checkpoints of %llu steps, %llu stalls\n",
		      (unsigned long long)begins.most, (unsigned long long)puts.most,
		      (unsigned long long)commits.most, (unsigned long long)reads.most,
		      (unsigned long long)checkpoints, (unsigned long long)steps,
		      (unsigned long long)counters.checkpoint_stalls);
	assert_true(checkpoints >= 6);
	assert_int_equal(counters.checkpoint_stalls, 0);
	assert_true(steps > 60); /* So there is something to interleave. */
	assert_true(begins.most <= 2);
	assert_true(puts.most <= 2);
	assert_true(commits.most <= 2 + 2); /* Its own two. */
	assert_true(reads.most <= 1 + 2);   /* The tree's levels. */
	fixture_fini(&fixture);
}

/* The same with 32 blocks in each transaction, out of line. */
static void test_no_put_waits_for_a_checkpoint(void **state)
{
	struct fixture fixture;
	struct calls calls = {0};
	uint8_t content[BLOCK_BYTES];
	uint64_t seed = 0;
	(void)state;
	fixture_random_seed(6);
	scene_init(&fixture, MIB_128);
	const uint32_t end = (uint32_t)volume_logical_size(fixture.volume).n;
	while (counters_of(&fixture).checkpoints < 4) {
		call_begin(&calls, &fixture);
		assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
		call_end(&calls, &fixture);
		for (uint32_t i = 0; i < 32; i++) {
			struct logical_block at = {fixture_random() % end};
			fixture_noise(content, BLOCK_BYTES, ++seed);
			call_begin(&calls, &fixture);
			assert_int_equal(volume_txn_put(fixture.volume, at, content), STATUS_OK);
			call_end(&calls, &fixture);
		}
		call_begin(&calls, &fixture);
		assert_int_equal(volume_txn_commit(fixture.volume), STATUS_OK);
		call_end(&calls, &fixture);
	}
	const struct volume_counters counters = counters_of(&fixture);
	print_message("32 blocks in each: %llu operations at most; checkpoints of %llu steps\n",
		      (unsigned long long)calls.most,
		      (unsigned long long)(counters.checkpoint_steps / counters.checkpoints));
	assert_int_equal(counters.checkpoint_stalls, 0);
	assert_true(calls.most <= 6);
	/* Leaves are in the node cache, so a step is mostly a write of a batch. */
	assert_true(counters.checkpoint_steps / counters.checkpoints > 30);
	fixture_fini(&fixture);
}

/* Where there is little space, transactions have to wait, and that is counted. */
static void test_stalls_are_counted(void **state)
{
	struct fixture fixture;
	uint8_t content[BLOCK_BYTES];
	uint8_t out[BLOCK_BYTES];
	(void)state;
	scene_init(&fixture, SMALL);
	const uint64_t blocks = volume_logical_size(fixture.volume).n;
	for (uint64_t i = 0; i < 2 * blocks; i++) {
		if (i % 64 == 0) {
			assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
		}
		fixture_noise(content, BLOCK_BYTES, i);
		assert_int_equal(
			volume_txn_put(fixture.volume, (struct logical_block){i % blocks}, content),
			STATUS_OK);
		if (i % 64 == 63) {
			assert_int_equal(volume_txn_commit(fixture.volume), STATUS_OK);
		}
	}
	assert_true(counters_of(&fixture).checkpoint_stalls > 0);
	fixture_remount(&fixture);
	for (uint64_t i = 0; i < blocks; i += 7) {
		fixture_noise(content, BLOCK_BYTES, blocks + i);
		assert_int_equal(volume_read(fixture.volume, (struct logical_block){i}, out),
				 STATUS_OK);
		assert_memory_equal(out, content, BLOCK_BYTES);
	}
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	fixture_fini(&fixture);
}

/* ---- One that cannot end ------------------------------------------------------------------- */

/* Transactions of `count` blocks, round and round over `span` of them, until there is no room. */
static void fill_until_refused(struct fixture *fixture, struct model *model, uint32_t first,
			       uint32_t span, uint32_t count)
{
	enum status status = STATUS_OK;
	for (uint32_t i = 0; status == STATUS_OK; i++) {
		assert_true(i < 10000);
		status = fixture_put_many(fixture, model, first + i * count % span, count, 1,
					  100000 + (uint64_t)i * count);
	}
	assert_int_equal(status, STATUS_IO);
	assert_true(volume_is_writable(fixture->volume));
}

/* The checkpoint cannot read a node, so it never ends. Commits go on while there is room, and what
 * they leave is never more than a mount has room for: in the ring, of blocks, of content. */
static void test_a_checkpoint_that_cannot_end(void **state)
{
	static const struct {
		uint32_t span;
		uint32_t count;
	} ways[] = {{1, 1}, {200, 1}, {600, 100}};
	(void)state;
	for (size_t way = 0; way < ARRAY_COUNT(ways); way++) {
		struct fixture fixture;
		static struct model model;
		memset(&model, 0, sizeof(model));
		scene_init(&fixture, SMALL);
		assert_int_equal(fixture_put_many(&fixture, &model, 0, 1, 1, 1), STATUS_OK);
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
		fixture_remount(&fixture); /* Nothing but the root is cached. */
		uint64_t root = fixture.volume->superblock.tree.physical;
		memset(fixture.volume->node_cache, 0,
		       (size_t)fixture.volume->node_cache_sets * VOLUME_NODE_CACHE_WAYS *
			       sizeof(*fixture.volume->node_cache));
		fixture.disk.bad_block = root;
		fill_until_refused(&fixture, &model, 10, ways[way].span, ways[way].count);
		fixture.disk.bad_block = UINT64_MAX;
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
		assert_true(model_equals(&model, fixture.volume));
		assert_int_equal(fixture_put_many(&fixture, &model, 3, 5, 1, 70), STATUS_OK);
		fixture_remount(&fixture);
		assert_true(model_equals(&model, fixture.volume));
		fixture_fini(&fixture);

		/* The same, and then the power fails instead. */
		memset(&model, 0, sizeof(model));
		scene_init(&fixture, SMALL);
		assert_int_equal(fixture_put_many(&fixture, &model, 0, 1, 1, 1), STATUS_OK);
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
		root = fixture.volume->superblock.tree.physical;
		fixture_remount(&fixture);
		memset(fixture.volume->node_cache, 0,
		       (size_t)fixture.volume->node_cache_sets * VOLUME_NODE_CACHE_WAYS *
			       sizeof(*fixture.volume->node_cache));
		fixture.disk.bad_block = root;
		fill_until_refused(&fixture, &model, 10, ways[way].span, ways[way].count);
		fixture.disk.bad_block = UINT64_MAX;
		fixture_remount(&fixture);
		assert_true(model_equals(&model, fixture.volume));
		assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
		fixture_fini(&fixture);
	}
}

/* ---- Who may call what --------------------------------------------------------------------- */

static void test_calls_while_one_runs(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	bool done = false;
	const uint8_t bytes[] = "another passphrase";
	const struct volume_key key = {
		.type = VOLUME_KEY_PASSPHRASE, .bytes = bytes, .size_bytes = sizeof(bytes)};
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	assert_int_equal(volume_checkpoint_begin(fixture.volume), STATUS_UNSUPPORTED);
	fixture_fini(&fixture);

	scene_init(&fixture, SMALL);
	assert_int_equal(volume_checkpoint_begin(fixture.volume), STATUS_OK);
	assert_false(volume_checkpoint_is_running(fixture.volume)); /* Nothing to move. */
	assert_int_equal(volume_checkpoint_step(fixture.volume, &done), STATUS_OK);
	assert_true(done);
	assert_int_equal(fixture_put_many(&fixture, &model, 0, 30, 1, 1), STATUS_OK);
	assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
	assert_int_equal(volume_checkpoint_begin(fixture.volume), STATUS_BUSY);
	volume_txn_abort(fixture.volume);

	uint64_t epoch = fixture.volume->superblock.epoch;
	fixture_checkpoint_begin(&fixture);
	assert_int_equal(fixture_put_many(&fixture, &model, 20, 30, 1, 100), STATUS_OK);
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	assert_false(volume_checkpoint_is_running(fixture.volume));
	assert_int_equal(fixture.volume->superblock.epoch, epoch + 1);

	fixture_checkpoint_begin(&fixture);
	assert_int_equal(fixture_put_many(&fixture, &model, 25, 3, 1, 200), STATUS_OK);
	assert_int_equal(volume_epoch_begin(fixture.volume), STATUS_OK);
	assert_int_equal(fixture.volume->superblock.epoch, epoch + 3);
	assert_int_equal(fixture.volume->log.used, 0);

	assert_int_equal(fixture_put_many(&fixture, &model, 26, 3, 1, 300), STATUS_OK);
	fixture_checkpoint_begin(&fixture);
	assert_int_equal(fixture_put_many(&fixture, &model, 27, 3, 1, 400), STATUS_OK);
	assert_int_equal(volume_key_add(fixture.volume, &key), STATUS_OK);
	assert_int_equal(fixture.volume->superblock.epoch, epoch + 6);
	fixture_remount(&fixture);
	assert_true(model_equals(&model, fixture.volume));
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	assert_int_equal(ledger_repeats(), 0);
	fixture_fini(&fixture);
}

/* Between two steps others use the volume's buffers, and a request queue may exchange the batch's:
 * nothing of the checkpoint is in them. */
static void test_steps_share_buffers(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	scene_init(&fixture, SMALL);
	assert_int_equal(fixture_put_many(&fixture, &model, 0, 30, 1, 1), STATUS_OK);
	assert_int_equal(fixture_put_many(&fixture, &model, 0, 4, 1, 100), STATUS_OK);
	fixture_checkpoint_begin(&fixture);
	for (bool done = false; !done;) {
		struct volume *volume = fixture.volume;
		memset(volume->scratch, 0xa5, BLOCK_BYTES);
		memset(volume->base, 0xa5, BLOCK_BYTES);
		memset(volume->log.record, 0xa5, VOLUME_RECORD_BLOCKS_MAX * BLOCK_BYTES);
		if (volume->build.batch.count == 0) {
			memset(volume->build.batch.blocks, 0xa5, VOLUME_BATCH_BLOCKS * BLOCK_BYTES);
		}
		assert_int_equal(volume_checkpoint_step(volume, &done), STATUS_OK);
	}
	fixture_remount(&fixture);
	assert_true(model_equals(&model, fixture.volume));
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	fixture_fini(&fixture);
}

/* Aborted and committed transactions while a checkpoint takes blocks too: nothing is taken twice,
 * and in the end the bitmaps are what is reached. */
static void test_space_is_accounted_for(void **state)
{
	struct fixture fixture;
	static struct model model;
	uint8_t content[BLOCK_BYTES];
	bool done = false;
	(void)state;
	memset(&model, 0, sizeof(model));
	fixture_random_seed(8);
	scene_init(&fixture, SMALL);
	for (uint32_t i = 0; i < 200; i++) {
		uint32_t first = fixture_random() % 500;
		uint32_t count = 1 + fixture_random() % 60;
		if (fixture_random() % 3 == 0) {
			assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
			for (uint32_t j = 0; j < count; j++) {
				fixture_noise(content, BLOCK_BYTES, i + j);
				assert_int_equal(volume_txn_put(fixture.volume,
								(struct logical_block){first + j},
								content),
						 STATUS_OK);
			}
			assert_int_equal(volume_checkpoint_step(fixture.volume, &done), STATUS_OK);
			volume_txn_abort(fixture.volume);
		} else {
			assert_int_equal(
				fixture_put_many(&fixture, &model, first, count, 1,
						 fixture_random() % 5 == 0 ? 0 : 1 + i * 100),
				STATUS_OK);
		}
		if (i % 16 == 0) {
			assert_int_equal(volume_checkpoint_begin(fixture.volume), STATUS_OK);
		}
		assert_true(volume_space_left(fixture.volume) <=
			    volume_allocatable_count(&fixture.volume->geometry));
		if (i % 40 == 39) {
			assert_true(model_equals(&model, fixture.volume));
			fixture_remount(&fixture);
		}
	}
	assert_true(model_equals(&model, fixture.volume));
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	/* Nothing was lost on the way: what is not reached is free. */
	assert_int_equal(fixture.volume->bitmaps.free_count, volume_space_left(fixture.volume));
	assert_int_equal(ledger_repeats(), 0);
	fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_call_waits_for_a_checkpoint),
		cmocka_unit_test(test_no_put_waits_for_a_checkpoint),
		cmocka_unit_test(test_stalls_are_counted),
		cmocka_unit_test(test_a_checkpoint_that_cannot_end),
		cmocka_unit_test(test_calls_while_one_runs),
		cmocka_unit_test(test_steps_share_buffers),
		cmocka_unit_test(test_space_is_accounted_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
