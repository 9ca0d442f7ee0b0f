// SPDX-License-Identifier: MIT
/* Transactions over several objects, through the store: each is there whole or not at all, whatever
 * crash. The model's numbers stand for objects here: 0 is absence. */
#include <string.h>

#include "base/check.h"
#include "block/store.h"
#include "campaigns.h"
#include "rig.h"

#define OBJECTS          5u
#define OBJECT_BYTES_MAX 50000u

static const char *const names[OBJECTS] = {"vtpm0.permall", "vtpm0.volatile", "a", "config", "z-9"};

static size_t object_size(uint64_t number)
{
	static const size_t sizes[] = {0, 1, 700, BLOCK_BYTES, 9000, 17000, OBJECT_BYTES_MAX};
	return number == 0 ? 0 : sizes[number / MODEL_VARIANTS % ARRAY_COUNT(sizes)];
}

static void object_content(uint64_t number, uint8_t *out)
{
	uint8_t block[BLOCK_BYTES];
	size_t size = object_size(number);
	for (size_t at = 0; at < size; at += BLOCK_BYTES) {
		size_t part = size - at < BLOCK_BYTES ? size - at : BLOCK_BYTES;
		/* Full blocks: bases that are 1 modulo 3 (model.c). */
		model_content((number * 3 + 1 + 3 * at) * MODEL_VARIANTS, block);
		memcpy(out + at, block, part);
	}
}

/* Different numbers may stand for the same bytes: short objects. The store writes nothing then. */
static bool object_same(uint64_t a, uint64_t b)
{
	static uint8_t first[OBJECT_BYTES_MAX];
	static uint8_t second[OBJECT_BYTES_MAX];
	size_t size = object_size(a);
	if ((a == 0) != (b == 0) || size != object_size(b)) {
		return false;
	}
	object_content(a, first);
	object_content(b, second);
	return memcmp(first, second, size) == 0;
}

static bool anything_changes(const struct contents *before, const struct contents *after)
{
	for (uint32_t i = 0; i < OBJECTS; i++) {
		if (!object_same(before->number[i], after->number[i])) {
			return true;
		}
	}
	return false;
}

/* ---- Comparing ----------------------------------------------------------------------------- */

static bool object_equals(struct store *store, const char *name, uint64_t number)
{
	static uint8_t expected[OBJECT_BYTES_MAX];
	static uint8_t content[OBJECT_BYTES_MAX];
	struct store_object_info info;
	enum status status = store_stat(store, name, &info);
	if (number == 0) {
		return status == STATUS_NOT_FOUND;
	}
	size_t size = object_size(number);
	if (status != STATUS_OK || info.size_bytes != size) {
		return false;
	}
	object_content(number, expected);
	return store_read(store, name, 0, content, size) == STATUS_OK &&
	       memcmp(content, expected, size) == 0;
}

static enum status count_object(void *context, const struct store_object_info *info)
{
	uint32_t *count = context;
	(void)info;
	(*count)++;
	return STATUS_OK;
}

static bool objects_equal(struct checker *checker, struct volume *volume,
			  const struct contents *contents, uint32_t *wrong)
{
	struct store store;
	uint32_t listed = 0;
	uint32_t expected = 0;
	(void)checker;
	*wrong = OBJECTS;
	if (store_open(&store, volume) != STATUS_OK ||
	    store_list(&store, count_object, &listed) != STATUS_OK) {
		return false;
	}
	for (uint32_t i = 0; i < OBJECTS; i++) {
		expected += contents->number[i] != 0 ? 1u : 0u;
		if (!object_equals(&store, names[i], contents->number[i])) {
			*wrong = i;
			return false;
		}
	}
	store_close(&store);
	return listed == expected;
}

/* ---- Changing ------------------------------------------------------------------------------ */

static enum status object_stage(struct store *store, const char *name, uint64_t number)
{
	static uint8_t content[OBJECT_BYTES_MAX];
	if (number == 0) {
		return store_txn_remove(store, name);
	}
	object_content(number, content);
	enum status status = store_txn_resize(store, name, object_size(number));
	if (status == STATUS_OK && object_size(number) != 0) {
		status = store_txn_write(store, name, 0, content, object_size(number));
	}
	return status;
}

/* One transaction over one to three objects; sometimes it is thought better of. */
static bool transaction(struct rig *rig)
{
	struct checker *checker = rig->checker;
	struct random_stream *dice = &checker->dice;
	struct store store;
	uint64_t changes = 1 + random_stream_below(dice, 3);
	uint64_t first = random_stream_below(dice, OBJECTS);
	bool aborts = random_stream_one_in(dice, 10);
	rig->watch.before = rig->now;
	rig->watch.after = rig->now;
	enum status status = store_open(&store, rig->volume);
	if (status == STATUS_OK) {
		status = store_txn_begin(&store);
	}
	for (uint64_t i = 0; i < changes && status == STATUS_OK; i++) {
		uint64_t *number = &rig->watch.after.contents.number[(first + i) % OBJECTS];
		bool removes = *number != 0 && random_stream_one_in(dice, 3);
		*number = removes ? 0 : rig_new_content(checker);
		status = object_stage(&store, names[(first + i) % OBJECTS], *number);
	}
	if (status == STATUS_OK && !aborts) {
		if (anything_changes(&rig->now.contents, &rig->watch.after.contents)) {
			rig->watch.after.sequence++;
		}
		status = store_txn_commit(&store);
	} else {
		store_txn_abort(&store);
		rig->watch.after = rig->now;
	}
	store_close(&store);
	return status == STATUS_OK ? rig_acknowledged(rig) : rig_failed(rig, "store", status);
}

static bool any_operation(struct rig *rig)
{
	static const enum op others[] = {OP_CHECKPOINT, OP_CHECKPOINT, OP_REMOUNT, OP_KEY_ADD};
	struct random_stream *dice = &rig->checker->dice;
	if (random_stream_below(dice, 3) != 0) {
		return transaction(rig);
	}
	return rig_op(rig, others[random_stream_below(dice, ARRAY_COUNT(others))]);
}

static void go_on(struct rig *rig)
{
	(void)any_operation(rig);
}

static const struct view objects_view = {.equal = objects_equal, .go_on = go_on};

void campaign_store_run(struct checker *checker, uint64_t case_index)
{
	static const struct crash_plan plans[CRASH_DEPTH_MAX] = {
		{.exhaustive_sectors = 6,
		 .patterned = 3,
		 .random = 6,
		 .nested_in = 12,
		 .warm_in = 5,
		 .verify_in = 10},
		{.patterned = 1, .random = 1, .warm_in = 8, .verify_in = 10},
		{.patterned = 1, .random = 1},
	};
	struct disk disk;
	struct rig rig;
	(void)case_index;
	checker->view = &objects_view;
	disk_init(&disk, checker->device_blocks);
	rig_init(&rig, checker, &disk);
	rig_watch(&rig, plans);
	for (uint32_t i = 0; i < 8 && any_operation(&rig); i++) {
	}
	rig_unwatch(&rig);
	disk_fini(&disk);
}
