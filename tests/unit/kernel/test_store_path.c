// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/store_path.h"

static void test_names_an_object(void **state)
{
	(void)state;
	assert_string_equal(store_path_name("/store/a", NULL), "a");
	assert_string_equal(store_path_name("/store/", NULL), ""); /* The store refuses it. */
	assert_string_equal(store_path_name("/store/vtpm1.permall", "vtpm1.permall"),
			    "vtpm1.permall");
}

static void test_refuses_paths_elsewhere(void **state)
{
	static const char *const paths[] = {"",          "/",       "/store",      "/stor/a",
					    "/stores/a", "store/a", "/etc/passwd", "./store/a"};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
		assert_null(store_path_name(paths[i], NULL));
	}
}

/* A TPM's program reaches neither another TPM's state nor an object that would use up the store. */
static void test_one_object_and_no_other(void **state)
{
	static const char *const names[] = {"/store/vtpm0.permall",
					    "/store/vtpm1.perma",
					    "/store/vtpm1.permall2",
					    "/store/a",
					    "/store/",
					    "/store/Vtpm1.permall"};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		assert_null(store_path_name(names[i], "vtpm1.permall"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_an_object),
		cmocka_unit_test(test_refuses_paths_elsewhere),
		cmocka_unit_test(test_one_object_and_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
