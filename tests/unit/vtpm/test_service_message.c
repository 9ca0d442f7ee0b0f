// SPDX-License-Identifier: MIT
/* What the kernel hands to the vTPM service, there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "vtpm/service_message.h"

static void test_service_message_comes_back(void **state)
{
	(void)state;
	for (uint8_t kind = SERVICE_COMMAND; kind <= SERVICE_RESET_ESTABLISHED; kind++) {
		uint8_t bytes[SERVICE_MESSAGE_HEADER_BYTES + 3] = {[4] = 'a', 'b', 'c'};
		const struct service_message sent = {.kind = (enum service_message_kind)kind,
						     .locality = kind % 5};
		struct service_message got;
		service_message_encode(bytes, &sent);
		assert_int_equal(service_message_decode(bytes, sizeof(bytes), &got), STATUS_OK);
		assert_int_equal(got.kind, kind);
		assert_int_equal(got.locality, kind % 5);
		assert_int_equal(got.size_bytes, 3);
		assert_memory_equal(got.bytes, "abc", 3);
		assert_int_equal(service_message_decode(bytes, SERVICE_MESSAGE_HEADER_BYTES, &got),
				 STATUS_OK);
		assert_int_equal(got.size_bytes, 0);
	}
}

static void test_service_message_refuses_what_is_none(void **state)
{
	(void)state;
	static uint8_t large[SERVICE_MESSAGE_BYTES_MAX + 1];
	struct service_message got = {.locality = 77};
	assert_int_equal(service_message_decode(large, sizeof(large) - 1, &got), STATUS_OK);
	got.locality = 77;
	assert_int_equal(service_message_decode(large, sizeof(large), &got), STATUS_INVALID);
	assert_int_equal(service_message_decode(large, 3, &got), STATUS_INVALID);
	const uint8_t cases[][SERVICE_MESSAGE_HEADER_BYTES] = {
		{6, 0, 0, 0}, {0, 5, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(service_message_decode(cases[i], sizeof(cases[i]), &got),
				 STATUS_INVALID);
	}
	assert_int_equal(got.locality, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service_message_comes_back),
		cmocka_unit_test(test_service_message_refuses_what_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
