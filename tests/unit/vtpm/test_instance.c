// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vtpm/instance.h"

/* Volumes and command lines of before there were several: the first one's names stay. */
static void test_first_tpm_keeps_its_names(void **state)
{
	struct instance_names names;
	(void)state;
	instance_names_make(0, &names);
	assert_string_equal(names.process, "vtpmd");
	assert_string_equal(names.port, "org.holdfast.tpm");
	assert_string_equal(names.control_port, "org.holdfast.tpm.0.ctrl");
	assert_string_equal(names.object, "vtpm0.permall");
}

static void test_others_have_their_number(void **state)
{
	struct instance_names names;
	(void)state;
	instance_names_make(7, &names);
	assert_string_equal(names.process, "vtpmd.7");
	assert_string_equal(names.port, "org.holdfast.tpm.7");
	assert_string_equal(names.control_port, "org.holdfast.tpm.7.ctrl");
	assert_string_equal(names.object, "vtpm7.permall");
}

static void test_objects_lead_back(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < INSTANCE_COUNT_MAX; i++) {
		struct instance_names names;
		uint32_t instance = 99;
		instance_names_make(i, &names);
		assert_true(instance_of_object(names.object, &instance));
		assert_int_equal(instance, i);
	}
}

static void test_other_objects_are_no_tpms(void **state)
{
	static const char *const names[] = {"vtpm8.permall", "vtpm.permall",   "vtpm00.permall",
					    "vtpm1",         "vtpm1.permall.", "xvtpm1.permall",
					    "device",        "vtpm1.volatile", "vtpm-1.permall"};
	uint32_t instance = 99;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		assert_false(instance_of_object(names[i], &instance));
	}
	assert_int_equal(instance, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_tpm_keeps_its_names),
		cmocka_unit_test(test_others_have_their_number),
		cmocka_unit_test(test_objects_lead_back),
		cmocka_unit_test(test_other_objects_are_no_tpms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
