// SPDX-License-Identifier: MIT
/* Which windows are refused, and where those go that nobody placed: item 14 of
 * docs/virtio-threats.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "tests/unit/virtio/fake_pci.h"

static const struct phys_range taken[] = {
	{{0x00100000}, 0x03f00000},
	{{0xf0002000}, 0x1000},
	{{0xfec00000}, 0x01400000},
};
static const struct pci_map map = {
	.taken = taken,
	.taken_count = ARRAY_COUNT(taken),
	.hole = {{0xf0000000}, 0x10000},
};

static struct fake_pci bus;
static struct pci_scan scan;

static int setup(void **state)
{
	(void)state;
	fake_pci_init(&bus);
	return 0;
}

static const char *check_at(uint64_t address, uint32_t size_bytes)
{
	fake_pci_init(&bus);
	fake_pci_bar(fake_pci_add(&bus, (struct pci_address){0, 1, 0}, 0x1af4, 0x1042), 0, address,
		     size_bytes, true);
	fake_pci_bar(fake_pci_add(&bus, (struct pci_address){0, 2, 0}, 0x8086, 1), 5, 0xe0000000,
		     0x1000, false);
	pci_scan_all(&bus.ops, &scan);
	return pci_windows_check(&scan, 0, &map);
}

static void test_pci_windows_refuses_by_name(void **state)
{
	(void)state;
	assert_null(check_at(0xd0000000, 0x4000));
	assert_null(check_at(0x8000000000, 0x4000));
	assert_string_equal(check_at(0x01000000, 0x4000),
			    "a BAR lies over memory or over the platform's registers");
	assert_string_equal(check_at(0x00080000, 0x4000), "a BAR lies where no device can be");
	assert_string_equal(check_at(0xfee00000, 0x1000),
			    "a BAR lies over memory or over the platform's registers");
	assert_string_equal(check_at(0xe0000000, 0x4000), "two BARs overlap");
	assert_string_equal(check_at(0, 0x4000), "a BAR is not placed");
	assert_string_equal(check_at(0xd0000000, 0x200000), "a BAR is larger than 1 MiB");
	assert_string_equal(check_at(0xfff0000000000000, 0x4000),
			    "a BAR lies where no device can be");
}

static void test_pci_windows_refuses_bars_of_one_function_that_overlap(void **state)
{
	(void)state;
	struct fake_pci_function *function =
		fake_pci_add(&bus, (struct pci_address){0, 1, 0}, 0x1af4, 0x1042);
	fake_pci_bar(function, 1, 0xd0000000, 0x1000, false);
	fake_pci_bar(function, 4, 0xd0000000, 0x4000, true);
	pci_scan_all(&bus.ops, &scan);
	assert_string_equal(pci_windows_check(&scan, 0, &map), "two BARs overlap");
}

static void test_pci_windows_places_in_the_lowest_gaps(void **state)
{
	(void)state;
	fake_pci_bar(fake_pci_add(&bus, (struct pci_address){0, 1, 0}, 0x8086, 1), 0, 0xf0000000,
		     0x1000, false);
	struct fake_pci_function *function =
		fake_pci_add_virtio(&bus, (struct pci_address){0, 2, 0}, 2, 0);
	pci_scan_all(&bus.ops, &scan);
	assert_string_equal(pci_windows_check(&scan, 1, &map), "a BAR is not placed");
	assert_int_equal(pci_windows_place(&bus.ops, &scan, 1, &map), STATUS_OK);
	assert_null(pci_windows_check(&scan, 1, &map));
	/* 0xf0000000 is another function's, 0xf0002000 is taken. */
	assert_int_equal(bytes_load_le32(function->config + 0x14), 0xf0001000);
	assert_int_equal(bytes_load_le32(function->config + 0x20), 0xf0004000 | 0xc);
	assert_int_equal(bytes_load_le32(function->config + 0x24), 0);
	assert_false(function->sized_while_decoding);
	/* Doing it again moves nothing. */
	assert_int_equal(pci_windows_place(&bus.ops, &scan, 1, &map), STATUS_OK);
	assert_int_equal(bytes_load_le32(function->config + 0x14), 0xf0001000);
}

static void test_pci_windows_are_placed_until_the_hole_is_full(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < 8; i++) {
		fake_pci_bar(fake_pci_add(&bus, (struct pci_address){0, i, 0}, 0x1af4, 0x1042), 0,
			     0, 0x4000, false);
	}
	pci_scan_all(&bus.ops, &scan);
	/* 64 KiB, of which the first 16 are touched by what is taken. */
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(pci_windows_place(&bus.ops, &scan, i, &map), STATUS_OK);
		assert_null(pci_windows_check(&scan, i, &map));
	}
	assert_int_equal(pci_windows_place(&bus.ops, &scan, 3, &map), STATUS_NO_SPACE);
}

static void test_pci_windows_behind_a_bridge_are_the_firmwares(void **state)
{
	(void)state;
	fake_pci_add_bridge(&bus, (struct pci_address){0, 1, 0}, 1);
	fake_pci_add_virtio(&bus, (struct pci_address){1, 0, 0}, 2, 0);
	pci_scan_all(&bus.ops, &scan);
	assert_int_equal(pci_windows_place(&bus.ops, &scan, 1, &map), STATUS_UNSUPPORTED);
	assert_string_equal(pci_windows_check(&scan, 1, &map), "a BAR is not placed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pci_windows_refuses_by_name, setup),
		cmocka_unit_test_setup(test_pci_windows_refuses_bars_of_one_function_that_overlap,
				       setup),
		cmocka_unit_test_setup(test_pci_windows_places_in_the_lowest_gaps, setup),
		cmocka_unit_test_setup(test_pci_windows_are_placed_until_the_hole_is_full, setup),
		cmocka_unit_test_setup(test_pci_windows_behind_a_bridge_are_the_firmwares, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
