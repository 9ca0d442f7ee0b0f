// SPDX-License-Identifier: MIT
/* The host's command-line words: what is taken and what is refused, by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "virtio/mmio_cmdline.h"

static struct mmio_cmdline_list list;

static void test_mmio_cmdline_takes_what_qemu_writes(void **state)
{
	(void)state;
	assert_int_equal(mmio_cmdline_parse("holdfast.state=require "
					    "virtio_mmio.device=512@0xfeb00e00:12 "
					    "virtio_mmio.device=512@0xfeb00c00:11",
					    &list),
			 STATUS_OK);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.devices[0].window.first.raw, 0xfeb00e00);
	assert_int_equal(list.devices[0].window.size_bytes, 512);
	assert_int_equal(list.devices[0].irq, 12);
	assert_int_equal(list.devices[1].window.first.raw, 0xfeb00c00);
	assert_int_equal(list.devices[1].irq, 11);
	assert_null(list.complaint);
}

static void test_mmio_cmdline_takes_other_spellings(void **state)
{
	(void)state;
	assert_int_equal(mmio_cmdline_parse("virtio_mmio.device=4K@0xD0000000", &list), STATUS_OK);
	assert_int_equal(list.devices[0].window.size_bytes, 4096);
	assert_int_equal(list.devices[0].irq, MMIO_CMDLINE_IRQ_NONE);
	assert_int_equal(mmio_cmdline_parse("  virtio_mmio.device=0x200@4096:0\n", &list),
			 STATUS_OK);
	assert_int_equal(list.devices[0].irq, 0);
	assert_int_equal(list.devices[0].window.first.raw, 4096);
}

static void test_mmio_cmdline_leaves_other_words_alone(void **state)
{
	(void)state;
	assert_int_equal(mmio_cmdline_parse("", &list), STATUS_OK);
	assert_int_equal(mmio_cmdline_parse("a xvirtio_mmio.device=junk virtio_mmio.devic "
					    "virtio_mmio=1",
					    &list),
			 STATUS_OK);
	assert_int_equal(list.count, 0);
}

static void test_mmio_cmdline_refuses_nonsense_by_name(void **state)
{
	(void)state;
	const struct {
		const char *text;
		const char *complaint;
	} cases[] = {
		{"=", "the size is not a number"},
		{"=@0x1000:1", "the size is not a number"},
		{"=x@0x1000:1", "the size is not a number"},
		{"=18446744073709551616@0x1000", "the size is not a number"},
		{"=512", "there is no @ after the size"},
		{"=512M@0x1000", "there is no @ after the size"},
		{"=512@", "the address is not a number"},
		{"=512@0x", "the address is not a number"},
		{"=512@0x10000000000000000", "the address is not a number"},
		{"=512@-512", "the address is not a number"},
		{"=512@0x1000:", "the interrupt is not a small number"},
		{"=512@0x1000:256", "the interrupt is not a small number"},
		{"=512@0x1000:99999999999999999999", "the interrupt is not a small number"},
		{"=512@0x1000:1:2", "something follows the last number"},
		{"=512@0x1000x", "something follows the last number"},
		{"=511@0x1000:1", "the window is too small"},
		{"=0@0x1000:1", "the window is too small"},
		{"=0xffffffffffffffff@0x1000", "the window is too large"},
		{"=0xffffffffffffffffK@0x1000", "the window is too large"},
		{"=2048K@0x1000", "the window is too large"},
		{"=0x40000000000001K@0x1000", "the window is too large"}, /* 1 KiB, wrapped. */
		{"=512@0x1001:1", "the window is not aligned"},
		{"=512@0xfffffffffffffe00:1", "the window lies outside the address space"},
		{"=512@0x10000000000000:1", "the window lies outside the address space"},
		{"=512@0x1000 virtio_mmio.device=512@0x1000", "two windows overlap"},
		{"=1024@0x1000 virtio_mmio.device=512@0x1200", "two windows overlap"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char line[200];
		(void)snprintf(line, sizeof(line),
			       "virtio_mmio.device=4K@0x80000000 "
			       "virtio_mmio.device%s",
			       cases[i].text);
		assert_int_equal(mmio_cmdline_parse(line, &list), STATUS_BAD_CONFIG);
		assert_string_equal(list.complaint, cases[i].complaint);
		assert_int_equal(list.count, 0);
	}
}

static void test_mmio_cmdline_is_bounded(void **state)
{
	(void)state;
	char line[4096] = "";
	for (unsigned int i = 0; i <= MMIO_CMDLINE_DEVICES_MAX; i++) {
		const size_t used = strlen(line);
		(void)snprintf(line + used, sizeof(line) - used, "virtio_mmio.device=512@0x%x ",
			       0x10000u + i * 512u);
		const enum status status = mmio_cmdline_parse(line, &list);
		assert_int_equal(status,
				 i < MMIO_CMDLINE_DEVICES_MAX ? STATUS_OK : STATUS_TOO_LARGE);
	}
	assert_int_equal(list.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mmio_cmdline_takes_what_qemu_writes),
		cmocka_unit_test(test_mmio_cmdline_takes_other_spellings),
		cmocka_unit_test(test_mmio_cmdline_leaves_other_words_alone),
		cmocka_unit_test(test_mmio_cmdline_refuses_nonsense_by_name),
		cmocka_unit_test(test_mmio_cmdline_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
