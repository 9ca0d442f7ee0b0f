// SPDX-License-Identifier: MIT
#include "rotate_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"

#define STEPS_MAX 10000u

const struct rotate_row rotate_rows[ROTATE_ROWS] = {
	{VOLUME_PROFILE_STATE, VOLUME_STATE_BLOCKS_MIN},
	{VOLUME_PROFILE_BLOCK, VOLUME_BLOCK_BLOCKS_MIN},
};

void rotate_create(struct fixture *fixture, const struct rotate_row *row)
{
	fixture_init_profile(fixture, row->profile, row->size, true);
}

void rotate_put(struct fixture *fixture, struct model *model, uint32_t first, uint32_t count,
		uint64_t seed)
{
	assert_int_equal(volume_txn_begin(fixture->volume), STATUS_OK);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(
			model_put(model, fixture->volume, first + i, seed == 0 ? 0 : seed + i),
			STATUS_OK);
	}
	assert_int_equal(volume_txn_commit(fixture->volume), STATUS_OK);
}

/* Data in several leaves, out of line and not, overwritten and given up, homed and not. */
void rotate_fill(struct fixture *fixture, struct model *model)
{
	rotate_put(fixture, model, 7, 40, 1);
	rotate_put(fixture, model, 1000, 30, 100);
	assert_int_equal(volume_checkpoint(fixture->volume), STATUS_OK);
	rotate_put(fixture, model, 1010, 5, 0);
	rotate_put(fixture, model, 20, 4, 300);
	fixture_unmount(fixture);
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
	rotate_put(fixture, model, 500, 20, 400);
	rotate_put(fixture, model, 9, 1, 500);
}

enum status rotate_begin(struct volume *volume)
{
	uint32_t missing = 0;
	return volume_key_rotate_begin(volume, &fixture_key, 1, false, &missing);
}

enum status rotate_on(struct volume *volume)
{
	bool done = false;
	enum status status = STATUS_OK;
	for (size_t i = 0; i < STEPS_MAX && status == STATUS_OK && !done; i++) {
		status = volume_key_rotate_step(volume, &done);
	}
	return status == STATUS_OK && !done ? STATUS_TIMEOUT : status;
}

bool rotate_is_running(const struct fixture *fixture)
{
	struct volume_rotation_info info;
	volume_key_rotation_get(fixture->volume, &info);
	assert_true(info.done <= info.total);
	assert_true(info.is_running || info.done == info.total);
	return info.is_running;
}

uint32_t rotate_generation(const struct fixture *fixture)
{
	struct volume_info info;
	volume_info_get(fixture->volume, &info);
	return info.key_generation;
}

void rotate_check(struct fixture *fixture, const struct model *model)
{
	for (int i = 0; i < 2; i++) {
		assert_true(model_equals(model, fixture->volume));
		assert_int_equal(volume_verify(fixture->volume, NULL, NULL), STATUS_OK);
		fixture_unmount(fixture);
		assert_int_equal(fixture_mount(fixture), STATUS_OK);
	}
	assert_int_equal(ledger_repeats(), 0);
}
