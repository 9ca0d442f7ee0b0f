// SPDX-License-Identifier: MIT
/* The store against a model: random transactions, and every call of the volume failing in turn.
 * After a failure the store equals the model before the transaction; after success, behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "block/store.h"
#include "fake_volume.h"

#define MODEL_OBJECTS 4u
#define MODEL_BYTES   20480u
#define STEPS_MAX     4u

struct model_object {
	bool exists;
	uint64_t size_bytes;
	uint64_t version;
	uint8_t bytes[MODEL_BYTES]; /* Zero behind the size. */
};

struct model {
	struct model_object objects[MODEL_OBJECTS];
};

static const char *const names[MODEL_OBJECTS] = {"a", "vtpm0.permall", "b", "vtpm0.volatilestate"};

enum step_kind {
	STEP_WRITE,
	STEP_RESIZE,
	STEP_REMOVE,
};

struct step {
	enum step_kind kind;
	uint32_t object;
	uint64_t offset_bytes; /* STEP_RESIZE: the new size. */
	size_t size_bytes;
	uint8_t fill; /* 0 writes zeroes. */
};

static struct model model;
static struct model model_next;
static uint8_t scratch[MODEL_BYTES];

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static struct step random_step(uint64_t *random)
{
	uint64_t kind = next_random(random) % 8;
	struct step step = {
		.kind = kind == 0 ? STEP_REMOVE : (kind < 3 ? STEP_RESIZE : STEP_WRITE),
		.object = (uint32_t)(next_random(random) % MODEL_OBJECTS),
		.offset_bytes = next_random(random) % MODEL_BYTES,
		.fill = (uint8_t)(next_random(random) % 3),
	};
	if (next_random(random) % 4 == 0) {
		step.offset_bytes &= ~(uint64_t)(BLOCK_BYTES - 1);
	}
	step.size_bytes = (size_t)(next_random(random) % (MODEL_BYTES - step.offset_bytes + 1));
	return step;
}

static void fill_bytes(const struct step *step)
{
	for (size_t i = 0; i < step->size_bytes; i++) {
		scratch[i] = step->fill == 0 ? 0 : (uint8_t)(i / 5 + step->fill);
	}
}

/* True if the step changed the object. */
static bool model_apply(struct model_object *object, const struct step *step)
{
	static struct model_object before;
	before = *object;
	object->exists = true;
	switch (step->kind) {
	case STEP_WRITE:
		memcpy(object->bytes + step->offset_bytes, scratch, step->size_bytes);
		if (step->offset_bytes + step->size_bytes > object->size_bytes) {
			object->size_bytes = step->offset_bytes + step->size_bytes;
		}
		break;
	case STEP_RESIZE:
		object->size_bytes = step->offset_bytes;
		memset(object->bytes + object->size_bytes, 0, MODEL_BYTES - object->size_bytes);
		break;
	case STEP_REMOVE: memset(object, 0, sizeof(*object)); break;
	}
	return memcmp(&before, object, sizeof(before)) != 0;
}

static enum status store_apply(struct store *store, const struct step *step)
{
	switch (step->kind) {
	case STEP_WRITE:
		return store_txn_write(store, names[step->object], step->offset_bytes, scratch,
				       step->size_bytes);
	case STEP_RESIZE: return store_txn_resize(store, names[step->object], step->offset_bytes);
	case STEP_REMOVE: return store_txn_remove(store, names[step->object]);
	}
	return STATUS_INVALID;
}

/* Run the steps as one transaction on the store, and on model_next. A failing change is ignored
 * and the commit tried all the same: it must not succeed. */
static enum status run_transaction(struct store *store, const struct step *steps, uint32_t count)
{
	bool touched[MODEL_OBJECTS] = {false};
	model_next = model;
	enum status status = store_txn_begin(store);
	if (status != STATUS_OK) {
		return status;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct model_object *object = &model_next.objects[steps[i].object];
		fill_bytes(&steps[i]);
		status = store_apply(store, &steps[i]);
		if (steps[i].kind == STEP_REMOVE && !object->exists) {
			if (status == STATUS_NOT_FOUND) {
				continue;
			}
			assert_int_not_equal(status, STATUS_OK);
		}
		if (status != STATUS_OK) {
			/* A read that failed before anything was staged leaves the rest valid, so
			 * a caller that sees an error must abort, as this one does. */
			store_txn_abort(store);
			return status;
		}
		bool changed = model_apply(object, &steps[i]);
		if (!object->exists) {
			touched[steps[i].object] = false;
		} else if (changed && !touched[steps[i].object]) {
			object->version++;
			touched[steps[i].object] = true;
		}
	}
	return store_txn_commit(store);
}

static void check_equal(struct store *store, const struct model *expected)
{
	static uint8_t out[MODEL_BYTES];
	for (uint32_t i = 0; i < MODEL_OBJECTS; i++) {
		const struct model_object *object = &expected->objects[i];
		struct store_object_info info;
		enum status status = store_stat(store, names[i], &info);
		if (!object->exists) {
			assert_int_equal(status, STATUS_NOT_FOUND);
			continue;
		}
		assert_int_equal(status, STATUS_OK);
		assert_int_equal(info.size_bytes, object->size_bytes);
		assert_int_equal(info.version, object->version);
		assert_int_equal(store_read(store, names[i], 0, out, (size_t)info.size_bytes),
				 STATUS_OK);
		assert_memory_equal(out, object->bytes, info.size_bytes);
	}
}

static void test_store_equals_its_model(void **state)
{
	(void)state;
	static struct store store;
	struct step steps[STEPS_MAX];
	uint64_t random = 0x853c49e6748fea9bu;
	struct volume *volume = fake_volume_new(FAKE_SLICES, FAKE_SLICE_BLOCKS);
	memset(&model, 0, sizeof(model));
	assert_int_equal(store_open(&store, volume), STATUS_OK);
	for (uint32_t round = 0; round < 1500; round++) {
		uint32_t count = 1 + (uint32_t)(next_random(&random) % STEPS_MAX);
		for (uint32_t i = 0; i < count; i++) {
			steps[i] = random_step(&random);
		}
		bool fails = next_random(&random) % 3 == 0;
		fake_volume_fail_at(volume, fails ? 1 + next_random(&random) % 20 : 0, STATUS_IO);
		enum status status = run_transaction(&store, steps, count);
		fake_volume_fail_at(volume, 0, STATUS_OK);
		assert_true(status == STATUS_OK || status == STATUS_IO);
		if (status == STATUS_OK) {
			model = model_next;
		}
		check_equal(&store, &model);
	}
	store_close(&store);
	fake_volume_free(volume);
}

/* One transaction that does everything, with its k-th call failing, until it completes. */
static void test_store_every_call_fails_in_turn(void **state)
{
	(void)state;
	static struct store store;
	static const struct step before[] = {{STEP_WRITE, 0, 0, 12000, 1},
					     {STEP_WRITE, 1, 0, 5000, 1}};
	static const struct step steps[] = {{STEP_WRITE, 0, 3000, 3000, 2},
					    {STEP_RESIZE, 0, 5000, 0, 0},
					    {STEP_REMOVE, 1, 0, 0, 0},
					    {STEP_WRITE, 2, 100, 9000, 1}};
	struct volume *volume = fake_volume_new(FAKE_SLICES, FAKE_SLICE_BLOCKS);
	memset(&model, 0, sizeof(model));
	assert_int_equal(store_open(&store, volume), STATUS_OK);
	assert_int_equal(run_transaction(&store, before, 2), STATUS_OK);
	model = model_next;
	enum status status = STATUS_TIMEOUT;
	uint64_t k = 0;
	while (status != STATUS_OK) {
		assert_true(++k < 100);
		fake_volume_fail_at(volume, k, STATUS_TIMEOUT);
		status = run_transaction(&store, steps, 4);
		fake_volume_fail_at(volume, 0, STATUS_OK);
		if (status != STATUS_OK) {
			assert_int_equal(status, STATUS_TIMEOUT);
			check_equal(&store, &model);
		}
	}
	assert_true(k > 20); /* Begin, some twenty calls, commit: all of them have failed once. */
	check_equal(&store, &model_next);
	store_close(&store);
	fake_volume_free(volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_store_equals_its_model),
		cmocka_unit_test(test_store_every_call_fails_in_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
