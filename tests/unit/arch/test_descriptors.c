// SPDX-License-Identifier: MIT
/* Descriptor encodings against values worked out by hand from AMD 24593, section 4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/descriptors.h"

static void test_gate_splits_the_handler_address(void **state)
{
	(void)state;
	struct idt_gate gate = descriptors_idt_gate(0xffffffff81234567, 5);
	assert_int_equal(gate.low & 0xffff, 0x4567);
	assert_int_equal(gate.low >> 16 & 0xffff, SELECTOR_KERNEL_CODE);
	assert_int_equal(gate.low >> 32 & 0xff, 5);
	/* Present, DPL 0, 64-bit interrupt gate. */
	assert_int_equal(gate.low >> 40 & 0xff, 0x8e);
	assert_int_equal(gate.low >> 48, 0x8123);
	assert_int_equal(gate.high, 0xffffffff);
}

static void test_gate_keeps_the_stack_index_in_three_bits(void **state)
{
	(void)state;
	assert_int_equal(descriptors_idt_gate(0, 15).low >> 32 & 0xff, 7);
}

/* Bits of one segment descriptor, for reading. */
struct segment_bits {
	unsigned type;
	unsigned privilege;
	unsigned present;
	unsigned is_long;
};

static struct segment_bits bits_of(uint64_t entry)
{
	return (struct segment_bits){
		.type = entry >> 40 & 0x1f,
		.privilege = entry >> 45 & 3,
		.present = entry >> 47 & 1,
		.is_long = entry >> 53 & 1,
	};
}

static void test_gdt_segments_have_the_selectors_privileges(void **state)
{
	(void)state;
	uint64_t gdt[GDT_ENTRIES];
	descriptors_gdt_fill(gdt, 0);
	const struct {
		unsigned selector;
		unsigned type; /* With the S bit. */
		unsigned is_long;
	} expected[] = {
		{SELECTOR_KERNEL_CODE, 0x1b, 1},
		{SELECTOR_KERNEL_DATA, 0x13, 0},
		{SELECTOR_USER_DATA, 0x13, 0},
		{SELECTOR_USER_CODE, 0x1b, 1},
	};
	assert_int_equal(gdt[0], 0);
	for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
		struct segment_bits bits = bits_of(gdt[expected[i].selector / 8]);
		assert_int_equal(bits.type, expected[i].type);
		assert_int_equal(bits.privilege, expected[i].selector & 3);
		assert_int_equal(bits.present, 1);
		assert_int_equal(bits.is_long, expected[i].is_long);
	}
}

static void test_gdt_task_state_holds_the_whole_address(void **state)
{
	(void)state;
	uint64_t gdt[GDT_ENTRIES];
	descriptors_gdt_fill(gdt, 0xffffc900abcdef12);
	uint64_t low = gdt[SELECTOR_TASK / 8];
	uint64_t base =
		(low >> 16 & 0xffffff) | (low >> 56) << 24 | gdt[SELECTOR_TASK / 8 + 1] << 32;
	assert_int_equal(base, 0xffffc900abcdef12);
	assert_int_equal(low & 0xffff, sizeof(struct task_state) - 1);
	assert_int_equal(bits_of(low).type, 0x9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gate_splits_the_handler_address),
		cmocka_unit_test(test_gate_keeps_the_stack_index_in_three_bits),
		cmocka_unit_test(test_gdt_segments_have_the_selectors_privileges),
		cmocka_unit_test(test_gdt_task_state_holds_the_whole_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
