// SPDX-License-Identifier: MIT
/* The walk over PCI buses: bounded, and without side effects on what it looks at. Items 13 and 14
 * of docs/virtio-threats.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "tests/unit/virtio/fake_pci.h"

static struct fake_pci bus;
static struct pci_scan scan;

static int setup(void **state)
{
	(void)state;
	fake_pci_init(&bus);
	return 0;
}

static void test_pci_scan_finds_nothing_on_an_empty_bus(void **state) /* 13 */
{
	(void)state;
	pci_scan_all(&bus.ops, &scan);
	assert_int_equal(scan.count, 0);
	assert_false(scan.is_cut_off);
	assert_int_equal(bus.reads, 32);
}

static void test_pci_scan_finds_functions_and_buses(void **state)
{
	(void)state;
	fake_pci_add(&bus, (struct pci_address){0, 0, 0}, 0x8086, 0x29c0);
	fake_pci_add(&bus, (struct pci_address){0, 31, 0}, 0x8086, 0x2918)
		->config[PCI_HEADER_TYPE_WORD + 2] = 0x80;
	fake_pci_add(&bus, (struct pci_address){0, 31, 3}, 0x8086, 0x2930);
	/* Function 0 does not say that there are others. */
	fake_pci_add(&bus, (struct pci_address){0, 0, 1}, 0x8086, 0x1111);
	fake_pci_add_bridge(&bus, (struct pci_address){0, 2, 0}, 5);
	fake_pci_add_virtio(&bus, (struct pci_address){5, 0, 0}, 2, 0xfe000000);
	/* A bus that no bridge leads to. */
	fake_pci_add_virtio(&bus, (struct pci_address){6, 0, 0}, 2, 0xfe100000);
	pci_scan_all(&bus.ops, &scan);
	assert_int_equal(scan.count, 5);
	assert_false(scan.is_cut_off);
	const struct pci_function *last = &scan.functions[4];
	assert_int_equal(last->at.bus, 5);
	assert_int_equal(last->vendor_id, 0x1af4);
	assert_int_equal(last->device_id, 0x1042);
}

static void test_pci_scan_ends_when_bridges_go_in_circles(void **state) /* 14 */
{
	(void)state;
	fake_pci_add_bridge(&bus, (struct pci_address){0, 1, 0}, 0);
	fake_pci_add_bridge(&bus, (struct pci_address){0, 2, 0}, 7);
	fake_pci_add_bridge(&bus, (struct pci_address){7, 0, 0}, 7);
	fake_pci_add_bridge(&bus, (struct pci_address){7, 1, 0}, 0);
	pci_scan_all(&bus.ops, &scan);
	assert_int_equal(scan.count, 4);
	assert_false(scan.is_cut_off);
}

static void test_pci_scan_says_that_it_left_something_out(void **state) /* 14 */
{
	(void)state;
	for (uint8_t i = 0; i < PCI_BUSES_MAX; i++) {
		fake_pci_add_bridge(&bus, (struct pci_address){i, 0, 0}, (uint8_t)(i + 1));
	}
	pci_scan_all(&bus.ops, &scan);
	assert_int_equal(scan.count, PCI_BUSES_MAX);
	assert_true(scan.is_cut_off);
	fake_pci_init(&bus);
	for (uint8_t i = 0; i <= PCI_FUNCTIONS_MAX; i++) {
		const struct pci_address at = {0, i / 8, i % 8};
		fake_pci_add(&bus, at, 0x8086, 1)->config[PCI_HEADER_TYPE_WORD + 2] = 0x80;
	}
	pci_scan_all(&bus.ops, &scan);
	assert_int_equal(scan.count, PCI_FUNCTIONS_MAX);
	assert_true(scan.is_cut_off);
}

static void test_pci_scan_sizes_bars_and_leaves_them_as_they_were(void **state)
{
	(void)state;
	struct fake_pci_function *function =
		fake_pci_add_virtio(&bus, (struct pci_address){0, 3, 0}, 2, 0xfe000000);
	bytes_store_le32(function->config + PCI_BAR0, 0xc041); /* An I/O window. */
	function->bar_writable[0] = 0xffc0;
	bytes_store_le16(function->config + PCI_COMMAND_STATUS, 0x0507);
	bytes_store_le16(function->config + PCI_COMMAND_STATUS + 2, 0x8010);
	uint8_t before[PCI_CONFIG_BYTES];
	memcpy(before, function->config, sizeof(before));
	pci_scan_all(&bus.ops, &scan);
	const struct pci_bar *bars = scan.functions[0].bars;
	assert_false(bars[0].is_memory);
	assert_true(bars[1].is_memory && !bars[1].is_wide);
	assert_int_equal(bars[1].window.first.raw, 0xfe000000);
	assert_int_equal(bars[1].window.size_bytes, 0x1000);
	assert_false(bars[2].is_memory || bars[3].is_memory || bars[5].is_memory);
	assert_true(bars[4].is_memory && bars[4].is_wide);
	assert_int_equal(bars[4].window.first.raw, 0xfe004000);
	assert_int_equal(bars[4].window.size_bytes, 0x4000);
	assert_memory_equal(function->config, before, sizeof(before));
	assert_false(function->sized_while_decoding);
	assert_int_equal(function->status_cleared, 0);
}

static void test_pci_scan_reads_addresses_above_4_gib(void **state)
{
	(void)state;
	struct fake_pci_function *function =
		fake_pci_add(&bus, (struct pci_address){0, 3, 0}, 0x1af4, 0x1042);
	fake_pci_bar(function, 4, 0x8000000000, 0x4000, true);
	pci_scan_all(&bus.ops, &scan);
	assert_int_equal(scan.functions[0].bars[4].window.first.raw, 0x8000000000);
	assert_int_equal(scan.functions[0].bars[4].window.size_bytes, 0x4000);
}

static void test_pci_scan_believes_no_impossible_bar(void **state) /* 14 */
{
	(void)state;
	struct fake_pci_function *function =
		fake_pci_add(&bus, (struct pci_address){0, 3, 0}, 0x1af4, 0x1042);
	function->bar_writable[0] = 0xff0ff000;         /* A hole in the mask. */
	bytes_store_le32(function->config + 0x14, 0x2); /* The type below 1 MiB of old. */
	bytes_store_le32(function->config + 0x18, 0x6); /* A reserved type. */
	bytes_store_le32(function->config + 0x24, 0x4); /* Wide, but the last one. */
	function->bar_writable[1] = function->bar_writable[2] = 0xfffff000;
	function->bar_writable[5] = 0xfffff000;
	pci_scan_all(&bus.ops, &scan);
	for (size_t i = 0; i < PCI_BARS; i++) {
		assert_false(scan.functions[0].bars[i].is_memory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pci_scan_finds_nothing_on_an_empty_bus, setup),
		cmocka_unit_test_setup(test_pci_scan_finds_functions_and_buses, setup),
		cmocka_unit_test_setup(test_pci_scan_ends_when_bridges_go_in_circles, setup),
		cmocka_unit_test_setup(test_pci_scan_says_that_it_left_something_out, setup),
		cmocka_unit_test_setup(test_pci_scan_sizes_bars_and_leaves_them_as_they_were,
				       setup),
		cmocka_unit_test_setup(test_pci_scan_reads_addresses_above_4_gib, setup),
		cmocka_unit_test_setup(test_pci_scan_believes_no_impossible_bar, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
