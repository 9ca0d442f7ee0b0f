// SPDX-License-Identifier: MIT
/* Which records may stand behind a superblock's head when transactions went on while its checkpoint
 * ran: docs/volume-format.md, "Checkpoints in the background". */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"
#include "volume_fixture.h"

#define SMALL VOLUME_BLOCK_BLOCKS_MIN

static void scene_init(struct fixture *fixture, uint64_t blocks)
{
	fixture_init_profile(fixture, VOLUME_PROFILE_BLOCK, blocks, true);
}

static void finish(struct fixture *fixture)
{
	for (bool done = false; !done;) {
		assert_int_equal(volume_checkpoint_step(fixture->volume, &done), STATUS_OK);
	}
}

#define RECORDS_MAX 8u

/* A volume whose superblock has records of the epoch before it behind its head, and then some of
 * its own; and the state after each of them. */
struct history {
	struct fixture fixture;
	struct model states[RECORDS_MAX + 1];
	uint64_t places[RECORDS_MAX]; /* Of the records: one block each. */
	uint64_t epochs[RECORDS_MAX];
	uint32_t count;
};

static void history_add(struct history *history, uint64_t seed)
{
	struct volume *volume = history->fixture.volume;
	uint32_t at = history->count;
	history->states[at + 1] = history->states[at];
	history->places[at] = volume->geometry.ring_first + volume->log.offset;
	history->epochs[at] = volume->superblock.epoch;
	assert_int_equal(model_commit(&history->states[at + 1], volume, 40 + at % 3, seed),
			 STATUS_OK);
	history->count++;
}

/* Three records before the head, three of the old epoch behind it, two of the new one. Contents
 * whose seeds are divisible by 3 are short. */
static void history_init(struct history *history)
{
	memset(history, 0, sizeof(*history));
	scene_init(&history->fixture, SMALL);
	struct model *start = &history->states[0];
	assert_int_equal(fixture_put_many(&history->fixture, start, 0, 20, 1, 1), STATUS_OK);
	assert_int_equal(volume_checkpoint(history->fixture.volume), STATUS_OK);
	assert_int_equal(fixture_put_many(&history->fixture, start, 5, 3, 1, 50), STATUS_OK);
	fixture_checkpoint_begin(&history->fixture);
	for (uint32_t i = 0; i < 3; i++) {
		history_add(history, 300 + 3 * i);
	}
	finish(&history->fixture);
	for (uint32_t i = 3; i < 5; i++) {
		history_add(history, 300 + 3 * i);
	}
	assert_int_equal(history->epochs[2] + 1, history->epochs[3]);
}

/* Which of the states the volume shows; -1: none. */
static int shown(struct history *history)
{
	/* The newest first: an earlier one says nothing of blocks that came later. */
	for (int i = (int)history->count; i >= 0; i--) {
		if (model_equals(&history->states[i], history->fixture.volume)) {
			return i;
		}
	}
	return -1;
}

static void test_records_of_two_epochs(void **state)
{
	static struct history history;
	(void)state;
	history_init(&history);
	fixture_remount(&history.fixture);
	assert_int_equal(shown(&history), 5);
	assert_int_equal(volume_verify(history.fixture.volume, NULL, NULL), STATUS_OK);
	fixture_fini(&history.fixture);
}

/* One record is missing, of either epoch: later ones tell. Only the last can be missed. */
static void test_omitted_records(void **state)
{
	static struct history history;
	(void)state;
	history_init(&history);
	fixture_unmount(&history.fixture);
	for (uint32_t i = 0; i < history.count; i++) {
		sim_disk_mark(&history.fixture.disk);
		memset(sim_disk_edit(&history.fixture.disk, history.places[i]), 0, BLOCK_BYTES);
		enum status status = fixture_mount(&history.fixture);
		if (i + 1 < history.count) {
			assert_int_equal(status, STATUS_TAMPER);
		} else {
			assert_int_equal(status, STATUS_OK);
			assert_int_equal(shown(&history), (int)i);
			fixture_unmount(&history.fixture);
		}
		sim_disk_revert(&history.fixture.disk);
		sim_disk_unmark(&history.fixture.disk);
	}
	fixture_fini(&history.fixture);
}

/* Records change places, within an epoch and across: the chain breaks where they do. */
static void test_exchanged_records(void **state)
{
	static struct history history;
	uint8_t first[BLOCK_BYTES];
	(void)state;
	history_init(&history);
	fixture_unmount(&history.fixture);
	struct sim_disk *disk = &history.fixture.disk;
	for (uint32_t i = 0; i < history.count; i++) {
		for (uint32_t j = i + 1; j < history.count; j++) {
			sim_disk_mark(disk);
			memcpy(first, sim_disk_look(disk, history.places[i]), BLOCK_BYTES);
			memcpy(sim_disk_edit(disk, history.places[i]),
			       sim_disk_look(disk, history.places[j]), BLOCK_BYTES);
			memcpy(sim_disk_edit(disk, history.places[j]), first, BLOCK_BYTES);
			assert_int_equal(fixture_mount(&history.fixture), STATUS_TAMPER);
			sim_disk_revert(disk);
			sim_disk_unmark(disk);
		}
	}
	fixture_fini(&history.fixture);
}

/* The slot of the newest superblock as it was before: with records of the new epoch in the ring
 * that is TAMPER; without them it is the state of the crash before the superblock. */
static void test_older_superblock(void **state)
{
	static struct history history;
	static uint8_t old[2][BLOCK_BYTES];
	(void)state;
	for (uint32_t late = 0; late < 2; late++) {
		memset(&history, 0, sizeof(history));
		scene_init(&history.fixture, SMALL);
		struct sim_disk *disk = &history.fixture.disk;
		assert_int_equal(
			fixture_put_many(&history.fixture, &history.states[0], 0, 20, 1, 1),
			STATUS_OK);
		fixture_checkpoint_begin(&history.fixture);
		history_add(&history, 300);
		uint64_t slot = (history.fixture.volume->superblock.epoch + 1) % 2;
		const uint64_t places[] = {slot, SMALL - 2 + slot};
		for (uint32_t copy = 0; copy < 2; copy++) {
			memcpy(old[copy], sim_disk_look(disk, places[copy]), BLOCK_BYTES);
		}
		finish(&history.fixture);
		if (late != 0) {
			history_add(&history, 303);
		}
		fixture_unmount(&history.fixture);
		for (uint32_t copy = 0; copy < 2; copy++) {
			memcpy(sim_disk_edit(disk, places[copy]), old[copy], BLOCK_BYTES);
		}
		if (late != 0) {
			assert_int_equal(fixture_mount(&history.fixture), STATUS_TAMPER);
		} else {
			assert_int_equal(fixture_mount(&history.fixture), STATUS_OK);
			assert_int_equal(shown(&history), 1);
		}
		fixture_fini(&history.fixture);
	}
}

/* Records of epochs that no writer of ours would give them, in all else the next ones. */
static void test_epochs_out_of_order(void **state)
{
	static const struct {
		bool is_late;   /* The checkpoint ran in the background. */
		int64_t first;  /* Less than the superblock's epoch. */
		int64_t second; /* Likewise. */
		enum status status;
		int shown; /* How many of the two count. */
	} cases[] = {
		{true, 0, 0, STATUS_OK, 2},
		{true, 1, 0, STATUS_OK, 2},
		{true, 1, 1, STATUS_OK, 2},
		{true, 0, 1, STATUS_OK, 1},      /* Epochs never fall. */
		{true, 2, 2, STATUS_OK, 0},      /* Nor are they older than that. */
		{true, 0, -1, STATUS_TAMPER, 0}, /* Later than the superblock. */
		{false, 0, 0, STATUS_OK, 2},
		{false, 1, 1, STATUS_OK, 0}, /* Nothing was committed while it ran. */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		static struct history history;
		memset(&history, 0, sizeof(history));
		scene_init(&history.fixture, SMALL);
		struct volume *volume = history.fixture.volume;
		assert_int_equal(
			fixture_put_many(&history.fixture, &history.states[0], 0, 20, 1, 1),
			STATUS_OK);
		if (cases[i].is_late) {
			fixture_checkpoint_begin(&history.fixture);
			finish(&history.fixture);
		} else {
			assert_int_equal(volume_checkpoint(volume), STATUS_OK);
		}
		uint64_t epoch = volume->superblock.epoch;
		volume->superblock.epoch = epoch - (uint64_t)cases[i].first;
		history_add(&history, 300);
		/* It must not be the durable sequence that gives it away. */
		volume->log.durable_sequence = volume->superblock.log_sequence;
		volume->superblock.epoch = epoch - (uint64_t)cases[i].second;
		history_add(&history, 303);
		fixture_unmount(&history.fixture);
		assert_int_equal(fixture_mount(&history.fixture), cases[i].status);
		if (cases[i].status == STATUS_OK) {
			assert_int_equal(shown(&history), cases[i].shown);
		}
		fixture_fini(&history.fixture);
	}
}

/* What was logged before the head is no base for a patch behind it: the log holds such a block
 * whole, and needs nothing of the tree. */
static void test_no_patch_over_what_is_frozen(void **state)
{
	struct fixture fixture;
	struct volume_entry entry;
	uint8_t content[BLOCK_BYTES];
	(void)state;
	scene_init(&fixture, SMALL);
	fixture_noise(content, BLOCK_BYTES, 1);
	assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
	assert_int_equal(volume_txn_put(fixture.volume, (struct logical_block){9}, content),
			 STATUS_OK);
	assert_int_equal(volume_txn_commit(fixture.volume), STATUS_OK);
	fixture_checkpoint_begin(&fixture);
	content[100] ^= 1; /* A patch, if that were allowed. */
	assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
	assert_int_equal(volume_txn_put(fixture.volume, (struct logical_block){9}, content),
			 STATUS_OK);
	assert_int_equal(volume_txn_commit(fixture.volume), STATUS_OK);
	finish(&fixture);
	assert_int_equal(volume_tree_find(fixture.volume, 9, &entry), STATUS_OK);
	fixture_unmount(&fixture);
	sim_disk_flip(&fixture.disk, entry.physical, 5);
	assert_int_equal(fixture_mount(&fixture), STATUS_OK);
	uint8_t out[BLOCK_BYTES];
	assert_int_equal(volume_read(fixture.volume, (struct logical_block){9}, out), STATUS_OK);
	assert_memory_equal(out, content, BLOCK_BYTES);
	fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_of_two_epochs),
		cmocka_unit_test(test_omitted_records),
		cmocka_unit_test(test_exchanged_records),
		cmocka_unit_test(test_older_superblock),
		cmocka_unit_test(test_epochs_out_of_order),
		cmocka_unit_test(test_no_patch_over_what_is_frozen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
