// SPDX-License-Identifier: MIT
/* Rotations of the master key that are interrupted: by crashes, by failing devices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "crash_checker.h"
#include "rotate_scene.h"

/* ---- Interruptions ------------------------------------------------------------------------------
 */

/* Where the key has not changed yet, it changes now. */
static enum status rotation_go_on(struct volume *volume)
{
	enum status status = STATUS_OK;
	if (volume->master.generation == 1) {
		status = rotate_begin(volume);
	}
	return status == STATUS_OK ? rotate_on(volume) : status;
}

static void test_crashes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rotate_rows); i++) {
		struct fixture fixture;
		static struct model model;
		static struct model same;
		static struct crash_checker checker;
		const struct crash_budget budget = {
			.patterned_subsets = 2 * crash_budget_factor(),
			.random_subsets = 2 * crash_budget_factor(),
			.nested_every = 60,
			.warm_every = 9,
			.nested_subsets = 1,
			.verify_every = 16,
		};
		memset(&model, 0, sizeof(model));
		rotate_create(&fixture, &rotate_rows[i]);
		crash_checker_init(&checker, &fixture, &budget);
		rotate_put(&fixture, &model, 7, 12, 1);
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
		rotate_put(&fixture, &model, 3, 2, 50);
		same = model;
		checker.go_on = rotation_go_on;
		crash_checker_watch(&checker, &same, &same);
		assert_int_equal(rotate_begin(fixture.volume), STATUS_OK);
		assert_int_equal(rotate_on(fixture.volume), STATUS_OK);
		crash_checker_rest(&checker);
		if (checker.failures != 0) {
			print_error("row %zu: %llu of %llu states: first: %s\n", i,
				    (unsigned long long)checker.failures,
				    (unsigned long long)checker.states, checker.first_failure);
		}
		assert_int_equal(checker.failures, 0);
		assert_true(checker.states > 100);
		rotate_check(&fixture, &model);
		crash_checker_fini(&checker);
		fixture_fini(&fixture);
	}
}

static void test_kth_operation_fails(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rotate_rows); i++) {
		struct fixture fixture;
		struct model model = {0};
		bool reached = true;
		rotate_create(&fixture, &rotate_rows[i]);
		rotate_put(&fixture, &model, 7, 20, 1);
		fixture_unmount(&fixture);
		for (uint64_t k = 1; reached; k += 1 + k / 40) {
			sim_disk_mark(&fixture.disk);
			assert_int_equal(fixture_mount(&fixture), STATUS_OK);
			sim_disk_fail_at(&fixture.disk, k, SIM_FAIL_ONCE, STATUS_IO);
			enum status status = rotate_begin(fixture.volume);
			status = status == STATUS_OK ? rotate_on(fixture.volume) : status;
			reached = fixture.disk.operations >= k;
			bool write_failed = fixture.disk.write_path_failed;
			sim_disk_fail_at(&fixture.disk, 0, SIM_FAIL_ONCE, STATUS_IO);
			assert_int_equal(status, reached ? STATUS_IO : STATUS_OK);
			assert_true(!write_failed || !volume_is_writable(fixture.volume));
			if (volume_is_writable(fixture.volume)) {
				assert_int_equal(rotation_go_on(fixture.volume), STATUS_OK);
				assert_int_equal(rotate_generation(&fixture), 2);
			}
			rotate_check(&fixture, &model);
			assert_int_equal(rotation_go_on(fixture.volume), STATUS_OK);
			assert_false(rotate_is_running(&fixture));
			rotate_check(&fixture, &model);
			fixture_unmount(&fixture);
			sim_disk_revert(&fixture.disk);
			sim_disk_unmark(&fixture.disk);
		}
		fixture_fini(&fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crashes),
		cmocka_unit_test(test_kth_operation_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
