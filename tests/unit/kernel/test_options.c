// SPDX-License-Identifier: MIT
/* The command line: what is known, what is refused, and that nothing is guessed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/options.h"

static void test_defaults_demand_state_and_keep_serving(void **state)
{
	(void)state;
	struct kernel_options options;
	assert_int_equal(options_parse("", false, &options), STATUS_OK);
	assert_int_equal(options.state, STATE_REQUIRE);
	assert_int_equal(options.on_failure, FAILURE_SERVE);
	assert_int_equal(options.log, LOG_NOTICE);
	assert_string_equal(options.run_module, "");
	assert_int_equal(options.vtpmd_crash_on, 0);
	assert_int_equal(options.completion, VIRTIO_WAIT_ADAPTIVE);
	assert_false(options.disk.has_uuid);
}

static void test_known_words_are_taken_and_foreign_ones_left(void **state)
{
	(void)state;
	struct kernel_options options;
	const char *cmdline = "  quiet holdfast.state=ephemeral  holdfast.on_failure=exit "
			      "holdfast.completion=interrupt "
			      "holdfast.disk=01234567-89ab-cdef-0123-456789abcdef "
			      "holdfast.log=debug virtio_mmio.device=512@0xfeb00e00:12";
	assert_int_equal(options_parse(cmdline, false, &options), STATUS_OK);
	assert_int_equal(options.state, STATE_EPHEMERAL);
	assert_int_equal(options.on_failure, FAILURE_EXIT);
	assert_int_equal(options.log, LOG_DEBUG);
	assert_int_equal(options.completion, VIRTIO_WAIT_INTERRUPT);
	static const uint8_t uuid[DISK_UUID_BYTES] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab,
						      0xcd, 0xef, 0x01, 0x23, 0x45, 0x67,
						      0x89, 0xab, 0xcd, 0xef};
	assert_true(options.disk.has_uuid);
	assert_memory_equal(options.disk.uuid, uuid, sizeof(uuid));
}

static void test_completion_modes(void **state)
{
	(void)state;
	struct kernel_options options;
	assert_int_equal(options_parse("holdfast.completion=poll", true, &options), STATUS_OK);
	assert_int_equal(options.completion, VIRTIO_WAIT_POLL);
	assert_int_equal(options_parse("holdfast.completion=adaptive", true, &options), STATUS_OK);
	assert_int_equal(options.completion, VIRTIO_WAIT_ADAPTIVE);
}

static void test_development_words(void **state)
{
	(void)state;
	struct kernel_options options;
	assert_int_equal(options_parse("holdfast.run=test-faults:read-kernel holdfast.slide=fixed "
				       "holdfast.vtpmd.crash_on=0x17b holdfast.panic=check "
				       "holdfast.pci=place holdfast.fio=volume",
				       false, &options),
			 STATUS_OK);
	assert_int_equal(options.fio, FIO_VOLUME);
	assert_string_equal(options.run_module, "test-faults");
	assert_string_equal(options.run_argument, "read-kernel");
	assert_int_equal(options.vtpmd_crash_on, 0x17b);
	assert_true(options.place_windows);
	assert_string_equal(options.panic, "check");
}

static void test_bad_words_are_refused_by_name(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"holdfast.stat=require",
		"holdfast.state=",
		"holdfast.state=Ephemeral",
		"holdfast.state=ephemeralx",
		"holdfast.on_failure=ignore",
		"holdfast.log=5",
		"holdfast.completion=",
		"holdfast.completion=polling",
		"holdfast.disk=",
		"holdfast.disk=0123456789abcdef0123456789abcdef",
		"holdfast.disk=01234567-89ab-cdef-0123-456789abcdeg",
		"holdfast.disk=01234567-89AB-cdef-0123-456789abcdef",
		"holdfast.disk=01234567-89ab-cdef-0123-456789abcdef0",
		"holdfast.disk=01234567-89ab-cdef-0123x456789abcdef",
		"holdfast.disk=01234567-89ab-cdef-0123-456789abcde-",
		"holdfast.run=",
		"holdfast.run=:argument",
		"holdfast.run=module:",
		"holdfast.run=a-module-name-that-is-longer-than-any-may-be",
		"holdfast.vtpmd.crash_on=xyz",
		"holdfast.panic=",
		"holdfast.fio=",
		"holdfast.fio=tape",
		"holdfast.vtpmd.crash_on=123456789",
		"holdfast.",
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct kernel_options options;
		assert_int_equal(options_parse(bad[i], false, &options), STATUS_BAD_CONFIG);
		assert_string_equal(options.rejected, bad[i]);
	}
}

static void test_production_refuses_development_words(void **state)
{
	(void)state;
	static const char *const development[] = {
		"holdfast.run=test-syscalls", "holdfast.slide=fixed", "holdfast.vtpmd.crash_on=1",
		"holdfast.pci=place",         "holdfast.panic=check", "holdfast.fio=raw",
		"holdfast.fio=raw-copied",
	};
	for (size_t i = 0; i < ARRAY_COUNT(development); i++) {
		struct kernel_options options;
		assert_int_equal(options_parse(development[i], true, &options), STATUS_BAD_CONFIG);
	}
}

static void test_a_long_rejected_word_is_cut(void **state)
{
	(void)state;
	struct kernel_options options;
	char cmdline[200] = "holdfast.";
	for (size_t i = 9; i < sizeof(cmdline) - 1; i++) {
		cmdline[i] = 'x';
	}
	assert_int_equal(options_parse(cmdline, false, &options), STATUS_BAD_CONFIG);
	assert_int_equal(options.rejected[OPTIONS_WORD_BYTES - 2], 'x');
	assert_int_equal(options.rejected[OPTIONS_WORD_BYTES - 1], '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_demand_state_and_keep_serving),
		cmocka_unit_test(test_known_words_are_taken_and_foreign_ones_left),
		cmocka_unit_test(test_completion_modes),
		cmocka_unit_test(test_development_words),
		cmocka_unit_test(test_bad_words_are_refused_by_name),
		cmocka_unit_test(test_production_refuses_development_words),
		cmocka_unit_test(test_a_long_rejected_word_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
