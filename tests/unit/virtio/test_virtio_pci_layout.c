// SPDX-License-Identifier: MIT
/* Capability lists: a sound one decodes, and each way to forge one is refused in its own words.
 * Item 14 of docs/virtio-threats.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "tests/unit/virtio/fake_pci.h"
#include "virtio/virtio_pci_layout.h"

static struct fake_pci bus;
static struct fake_pci_function *function;
static struct pci_bar bars[PCI_BARS];
static struct virtio_pci_layout layout;
static const char *complaint;

static int setup(void **state)
{
	(void)state;
	fake_pci_init(&bus);
	function = fake_pci_add_virtio(&bus, (struct pci_address){0, 1, 0}, 2, 0xfe000000);
	memset(bars, 0, sizeof(bars));
	bars[1] = (struct pci_bar){.is_memory = true, .window = {{0xfe000000}, 0x1000}};
	bars[4] = (struct pci_bar){.is_memory = true, .window = {{0xfe004000}, 0x4000}};
	complaint = NULL;
	return 0;
}

static enum status decode(void)
{
	return virtio_pci_layout_decode(function->config, bars, &layout, &complaint);
}

static void test_layout_decodes_what_qemu_shows(void **state)
{
	(void)state;
	assert_int_equal(decode(), STATUS_OK);
	assert_int_equal(layout.device_id, 2);
	assert_int_equal(layout.common.bar, 4);
	assert_int_equal(layout.common.offset_bytes, 0);
	assert_int_equal(layout.isr.offset_bytes, 0x1000);
	assert_int_equal(layout.device.offset_bytes, 0x2000);
	assert_int_equal(layout.notify.offset_bytes, 0x3000);
	assert_int_equal(layout.notify.len_bytes, 0x1000);
	assert_int_equal(layout.notify_multiplier, 4);
	assert_int_equal(layout.msix_table.bar, 1);
	assert_int_equal(layout.msix_table.len_bytes, 48);
	assert_int_equal(layout.msix_capability_bytes_offset, FAKE_PCI_AT_MSIX);
}

static void test_layout_is_for_modern_virtio_only(void **state) /* 1 */
{
	(void)state;
	static const struct {
		uint16_t vendor;
		uint16_t device;
		enum status status;
	} rows[] = {
		{0x1af4, 0x1041, STATUS_OK},          {0x1af4, 0x107f, STATUS_OK},
		{0x1af4, 0x1040, STATUS_NO_DEVICE},   {0x1af4, 0x1080, STATUS_NO_DEVICE},
		{0x1af4, 0x0fff, STATUS_NO_DEVICE},   {0x8086, 0x1042, STATUS_NO_DEVICE},
		{0xffff, 0xffff, STATUS_NO_DEVICE},   {0x1af4, 0x1000, STATUS_UNSUPPORTED},
		{0x1af4, 0x103f, STATUS_UNSUPPORTED},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		bytes_store_le16(function->config, rows[i].vendor);
		bytes_store_le16(function->config + 2, rows[i].device);
		assert_int_equal(decode(), rows[i].status);
	}
	assert_string_equal(complaint, "a transitional device: QEMU wants disable-legacy=on");
}

/* One byte or dword of the configuration space, changed. */
struct forgery {
	uint32_t at;
	uint32_t value;
	bool is_dword;
	const char *complaint; /* NULL: still a device. */
};

static void forge(const struct forgery *forgery)
{
	setup(NULL);
	if (forgery->is_dword) {
		bytes_store_le32(function->config + forgery->at, forgery->value);
	} else {
		function->config[forgery->at] = (uint8_t)forgery->value;
	}
}

static void test_layout_refuses_forged_capabilities(void **state)
{
	(void)state;
	static const struct forgery rows[] = {
		{PCI_COMMAND_STATUS + 2, 0, false, "there is no capability list"},
		{PCI_CAPABILITIES, 0, false, "a structure is missing"},
		{PCI_CAPABILITIES, 0x3c, false, "a capability lies in the header"},
		{PCI_CAPABILITIES, FAKE_PCI_AT_COMMON | 3, false, NULL},
		{FAKE_PCI_AT_COMMON + 1, FAKE_PCI_AT_COMMON, false, "the capability list loops"},
		{FAKE_PCI_AT_MSIX + 1, FAKE_PCI_AT_NOTIFY, false, "the capability list loops"},
		{FAKE_PCI_AT_MSIX + 1, 0x10, false, "a capability lies in the header"},
		{FAKE_PCI_AT_COMMON + 2, 15, false, "a capability is too short"},
		{FAKE_PCI_AT_NOTIFY + 2, 19, false, "the notification capability is too short"},
		{FAKE_PCI_AT_COMMON + 3, 9, false, "a structure is missing"},
		{FAKE_PCI_AT_COMMON + 4, 6, false, "a structure names BAR 6 or above"},
		{FAKE_PCI_AT_COMMON + 4, 255, false, "a structure names BAR 6 or above"},
		{FAKE_PCI_AT_ISR + 4, 0, false, "a structure names a BAR that is not memory"},
		{FAKE_PCI_AT_COMMON + 8, 2, true, "a structure is not aligned"},
		{FAKE_PCI_AT_NOTIFY + 8, 0x3001, true, "a structure is not aligned"},
		{FAKE_PCI_AT_COMMON + 8, 0x3004, true, "a structure leaves its BAR"},
		{FAKE_PCI_AT_COMMON + 8, 0xfffffffc, true, "a structure leaves its BAR"},
		{FAKE_PCI_AT_COMMON + 12, 0xffffffff, true, "a structure leaves its BAR"},
		{FAKE_PCI_AT_COMMON + 12, 55, true, "a structure is too short"},
		{FAKE_PCI_AT_COMMON + 12, 56, true, NULL},
		{FAKE_PCI_AT_NOTIFY + 12, 1, true, "a structure is too short"},
		{FAKE_PCI_AT_ISR + 12, 0, true, "a structure is too short"},
		{FAKE_PCI_AT_DEVICE + 12, 3, true, "a structure is too short"},
		{FAKE_PCI_AT_DEVICE + 3, 9, false, NULL}, /* It may be missing. */
		{FAKE_PCI_AT_NOTIFY + 16, 0, true, NULL},
		{FAKE_PCI_AT_NOTIFY + 16, 1, true, "the notification multiplier is no power of 2"},
		{FAKE_PCI_AT_NOTIFY + 16, 6, true, "the notification multiplier is no power of 2"},
		{FAKE_PCI_AT_NOTIFY + 16, 0x80000000, true, NULL}, /* Checked for each queue. */
		{FAKE_PCI_AT_ISR + 8, 0x0fff, true, "two structures overlap"},
		{FAKE_PCI_AT_DEVICE + 8, 0x3000, true, "two structures overlap"},
		{FAKE_PCI_AT_MSIX + 4, 0x1000 | 4, true, "two structures overlap"},
		{FAKE_PCI_AT_MSIX + 8, 0x28 | 1, true, "two structures overlap"},
		{FAKE_PCI_AT_MSIX + 4, 7, true, "the MSI-X table is in no memory BAR"},
		{FAKE_PCI_AT_MSIX + 8, 2, true, "the MSI-X table is in no memory BAR"},
		{FAKE_PCI_AT_MSIX + 4, 0x0fd8 | 1, true, "a structure leaves its BAR"},
		{FAKE_PCI_AT_MSIX + 4, 0xfffffff8 | 1, true, "a structure leaves its BAR"},
		{FAKE_PCI_AT_MSIX, 0x05, false, NULL}, /* No MSI-X: no interrupts. */
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		forge(&rows[i]);
		const enum status status = decode();
		if (rows[i].complaint == NULL) {
			assert_int_equal(status, STATUS_OK);
		} else {
			assert_int_equal(status, STATUS_BAD_HOST);
			assert_string_equal(complaint, rows[i].complaint);
		}
	}
}

static void test_layout_of_capabilities_at_the_very_end(void **state)
{
	(void)state;
	/* A header byte pair fits, a whole capability does not. */
	function->config[FAKE_PCI_AT_MSIX + 1] = 0xfc;
	function->config[0xfc] = PCI_CAPABILITY_VENDOR;
	assert_int_equal(decode(), STATUS_BAD_HOST);
	assert_string_equal(complaint, "a capability leaves configuration space");
	function->config[0xfc] = PCI_CAPABILITY_MSIX;
	assert_int_equal(decode(), STATUS_BAD_HOST);
	assert_string_equal(complaint, "a capability leaves configuration space");
	/* The notification capability is four bytes longer than the others. */
	setup(NULL);
	memcpy(function->config + 0xf0, function->config + FAKE_PCI_AT_NOTIFY, 16);
	function->config[FAKE_PCI_AT_COMMON + 1] = 0xf0;
	function->config[0xf1] = FAKE_PCI_AT_ISR;
	assert_int_equal(decode(), STATUS_BAD_HOST);
	assert_string_equal(complaint, "the notification capability is too short");
}

static void test_layout_takes_the_first_instance_of_use(void **state)
{
	(void)state;
	/* A second common structure, and before both one that is in an I/O window. */
	memcpy(function->config + 0xa0, function->config + FAKE_PCI_AT_COMMON, 16);
	memcpy(function->config + 0xb0, function->config + FAKE_PCI_AT_COMMON, 16);
	function->config[0xa4] = 0;
	bytes_store_le32(function->config + 0xb8, 0x80);
	function->config[PCI_CAPABILITIES] = 0xa0;
	function->config[0xa1] = FAKE_PCI_AT_COMMON;
	function->config[FAKE_PCI_AT_MSIX + 1] = 0xb0;
	function->config[0xb1] = 0;
	assert_int_equal(decode(), STATUS_OK);
	assert_int_equal(layout.common.bar, 4);
	assert_int_equal(layout.common.offset_bytes, 0);
}

static void test_layout_failure_touches_no_output(void **state)
{
	(void)state;
	memset(&layout, 0x5a, sizeof(layout));
	const struct virtio_pci_layout before = layout;
	function->config[FAKE_PCI_AT_COMMON + 4] = 6;
	assert_int_equal(decode(), STATUS_BAD_HOST);
	assert_memory_equal(&layout, &before, sizeof(layout));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_layout_decodes_what_qemu_shows, setup),
		cmocka_unit_test_setup(test_layout_is_for_modern_virtio_only, setup),
		cmocka_unit_test_setup(test_layout_refuses_forged_capabilities, setup),
		cmocka_unit_test_setup(test_layout_of_capabilities_at_the_very_end, setup),
		cmocka_unit_test_setup(test_layout_takes_the_first_instance_of_use, setup),
		cmocka_unit_test_setup(test_layout_failure_touches_no_output, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
