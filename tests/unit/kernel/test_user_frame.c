// SPDX-License-Identifier: MIT
/* No frame goes to IRETQ that it would refuse in ring 0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/user_frame.h"

static const struct trap_frame sound = {
	.rip = 0x401000,
	.cs = 0x23,
	.rflags = 0x202,
	.rsp = 0x7fff00000000,
	.ss = 0x1b,
};

static void test_takes_what_ring_3_may_have(void **state)
{
	(void)state;
	struct trap_frame frame = sound;
	assert_true(user_frame_is_sound(&frame));
	frame.rip = 0x00007fffffffffff;
	assert_true(user_frame_is_sound(&frame));
	/* Its own flags (carry to overflow, TF, DF, NT, AC, ID) and any stack pointer. */
	frame.rflags = 0x202 | 0x244fd5;
	frame.rsp = 0x8000000000000000;
	assert_true(user_frame_is_sound(&frame));
}

static void test_refuses_addresses_outside_the_user_half(void **state)
{
	(void)state;
	static const uint64_t bad[] = {0x0000800000000000, 0x4000000000000000, 0x8000000000000000,
				       0xffff7fffffffffff, 0xffff800000000000, 0xffffffffffffffff};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct trap_frame frame = sound;
		frame.rip = bad[i];
		assert_false(user_frame_is_sound(&frame));
	}
}

static void test_refuses_other_segments(void **state)
{
	(void)state;
	struct trap_frame frame = sound;
	frame.cs = 0x08;
	assert_false(user_frame_is_sound(&frame));
	frame = sound;
	frame.ss = 0x10;
	assert_false(user_frame_is_sound(&frame));
}

static void test_refuses_flags_that_ring_3_cannot_set(void **state)
{
	(void)state;
	struct trap_frame frame = sound;
	frame.rflags = 0x002;
	assert_false(user_frame_is_sound(&frame));
	frame.rflags = 0x202 | 0x1000;
	assert_false(user_frame_is_sound(&frame));
	frame.rflags = 0x202 | 0x2000;
	assert_false(user_frame_is_sound(&frame));
	frame.rflags = 0x202 | 0x20000;
	assert_false(user_frame_is_sound(&frame));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes_what_ring_3_may_have),
		cmocka_unit_test(test_refuses_addresses_outside_the_user_half),
		cmocka_unit_test(test_refuses_other_segments),
		cmocka_unit_test(test_refuses_flags_that_ring_3_cannot_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
