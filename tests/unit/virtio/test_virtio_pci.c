// SPDX-License-Identifier: MIT
/* The PCI transport against a register file that knows each field's width. Items 1, 3, 6, 9, 13 and
 * 14 of docs/virtio-threats.md, as far as they are this transport's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "virtio/virtio_pci.h"

#define QUEUES 4u

struct fake_queue_registers {
	uint32_t size;
	uint32_t vector;
	uint32_t enable;
	uint32_t notify_off;
	uint32_t addresses[6];
};

static struct {
	uint32_t device_select;
	uint32_t driver_select;
	uint32_t accepted[2];
	uint32_t config_vector;
	uint32_t status;
	uint32_t generation;
	uint32_t select;
	uint32_t queue_count;
	uint32_t isr;
	struct fake_queue_registers queues[QUEUES];
	uint32_t notified_at;
	uint32_t notified_value;
	bool all_ones;
	bool enable_refused;
} fake;

static const struct virtio_pci_layout layout = {
	.device_id = VIRTIO_ID_BLOCK,
	.common = {4, 0x100, 56},
	.isr = {4, 0x80, 1},
	.device = {2, 0x40, 16},
	.notify = {3, 0x20, 16},
	.notify_multiplier = 4,
	.msix_table = {1, 0, 16},
};

static struct virtio_pci pci;
static struct virtio_transport transport;

/* The register behind a field of the common structure; *width is what the specification says. */
static uint32_t *common_register(uint32_t field, unsigned int *width)
{
	struct fake_queue_registers *queue = &fake.queues[fake.select % QUEUES];
	*width = field < 0x10 || field >= 0x20 ? 4 : 2;
	switch (field) {
	case 0x00: return &fake.device_select;
	case 0x08: return &fake.driver_select;
	case 0x0c: return &fake.accepted[fake.driver_select % 2];
	case 0x10: return &fake.config_vector;
	case 0x12: return &fake.queue_count;
	case 0x14: *width = 1; return &fake.status;
	case 0x15: *width = 1; return &fake.generation;
	case 0x16: return &fake.select;
	case 0x18: return &queue->size;
	case 0x1a: return &queue->vector;
	case 0x1c: return &queue->enable;
	case 0x1e: return &queue->notify_off;
	}
	assert_true(field >= 0x20 && field < 0x38 && field % 4 == 0);
	return &queue->addresses[(field - 0x20) / 4];
}

static uint32_t access_read(void *context, uint8_t bar, uint32_t offset_bytes,
			    unsigned int width_bytes)
{
	assert_ptr_equal(context, &fake);
	uint32_t value;
	if (bar == 4 && offset_bytes == 0x80) {
		assert_int_equal(width_bytes, 1);
		value = fake.isr;
		fake.isr = 0;
	} else if (bar == 4 && offset_bytes == 0x104) {
		assert_int_equal(width_bytes, 4);
		value = fake.device_select == 0 ? 0x11111111 : 0x22222222;
	} else if (bar == 4) {
		unsigned int width;
		assert_true(offset_bytes >= 0x100);
		value = *common_register(offset_bytes - 0x100, &width);
		assert_int_equal(width_bytes, width);
	} else {
		assert_int_equal(bar, 2);
		assert_true(offset_bytes >= 0x40 && offset_bytes + width_bytes <= 0x50);
		value = 0xc0000000 | offset_bytes;
	}
	return fake.all_ones ? UINT32_MAX >> (32 - 8 * width_bytes) : value;
}

static void access_write(void *context, uint8_t bar, uint32_t offset_bytes,
			 unsigned int width_bytes, uint32_t value)
{
	assert_ptr_equal(context, &fake);
	if (bar == 3) {
		assert_int_equal(width_bytes, 2);
		assert_true(offset_bytes >= 0x20 && offset_bytes + width_bytes <= 0x30);
		fake.notified_at = offset_bytes;
		fake.notified_value = value;
		return;
	}
	assert_true(bar == 4 && offset_bytes >= 0x100);
	unsigned int width;
	uint32_t *target = common_register(offset_bytes - 0x100, &width);
	assert_int_equal(width_bytes, width);
	if (offset_bytes != 0x11c || !fake.enable_refused) {
		*target = value;
	}
}

static const struct virtio_pci_access access = {access_read, access_write, &fake};

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.queue_count = QUEUES;
	for (uint32_t i = 0; i < QUEUES; i++) {
		fake.queues[i].size = 256;
		fake.queues[i].vector = 0xffff;
		fake.queues[i].notify_off = i;
	}
	virtio_pci_open(&transport, &pci, &layout, &access, true);
	return 0;
}

static enum status enable(uint16_t queue_index)
{
	const struct virtio_queue_place place = {
		.queue_index = queue_index,
		.size = 64,
		.descriptors = {0x1122334455667000},
		.available = {0x2233445566778000},
		.used = {0x3344556677889000},
	};
	return transport.ops->queue_enable(transport.context, &place);
}

static void test_virtio_pci_negotiates_64_features(void **state)
{
	(void)state;
	assert_int_equal(transport.device_id, VIRTIO_ID_BLOCK);
	assert_true(virtio_transport_features(&transport) == 0x2222222211111111ull);
	virtio_transport_features_accept(&transport, 0xaaaaaaaabbbbbbbbull);
	assert_int_equal(fake.accepted[0], 0xbbbbbbbb);
	assert_int_equal(fake.accepted[1], 0xaaaaaaaa);
	transport.ops->write(transport.context, VIRTIO_STATUS, 11);
	assert_int_equal(fake.status, 11);
	assert_int_equal(transport.ops->read(transport.context, VIRTIO_STATUS), 11);
}

static void test_virtio_pci_sets_up_a_queue(void **state)
{
	(void)state;
	const uint32_t addresses[] = {0x55667000, 0x11223344, 0x66778000,
				      0x22334455, 0x77889000, 0x33445566};
	assert_int_equal(transport.ops->queue_size_max(transport.context, 2), 256);
	assert_int_equal(enable(2), STATUS_OK);
	assert_int_equal(fake.queues[2].size, 64);
	assert_int_equal(fake.queues[2].enable, 1);
	assert_int_equal(fake.queues[2].vector, 0);
	assert_int_equal(fake.config_vector, 0);
	assert_memory_equal(fake.queues[2].addresses, addresses, sizeof(addresses));
	assert_int_equal(enable(2), STATUS_BAD_HOST); /* It is enabled already. */
}

static void test_virtio_pci_without_interrupts_names_no_vector(void **state)
{
	(void)state;
	fake.config_vector = 0xffff;
	virtio_pci_open(&transport, &pci, &layout, &access, false);
	assert_int_equal(enable(1), STATUS_OK);
	assert_int_equal(fake.queues[1].vector, 0xffff);
	assert_int_equal(fake.config_vector, 0xffff);
}

static void test_virtio_pci_notifies_where_the_queue_says(void **state)
{
	(void)state;
	assert_int_equal(enable(1), STATUS_OK);
	transport.ops->notify(transport.context, 1);
	assert_int_equal(fake.notified_at, 0x24);
	assert_int_equal(fake.notified_value, 1);
}

static void test_virtio_pci_refuses_notifications_outside(void **state) /* 14 */
{
	(void)state;
	static const uint32_t offsets[] = {4, 5, 0x4000, 0xffff};
	for (size_t i = 0; i < ARRAY_COUNT(offsets); i++) {
		fake.queues[1].notify_off = offsets[i];
		assert_int_equal(enable(1), STATUS_BAD_HOST);
		assert_int_equal(fake.queues[1].enable, 0);
	}
	/* The largest product: 0xffff times 2^31. */
	struct virtio_pci_layout wide = layout;
	wide.notify_multiplier = 0x80000000;
	virtio_pci_open(&transport, &pci, &wide, &access, true);
	assert_int_equal(enable(1), STATUS_BAD_HOST);
	fake.queues[1].notify_off = 0;
	assert_int_equal(enable(1), STATUS_OK);
}

static void test_virtio_pci_has_only_the_queues_that_are_there(void **state) /* 6 */
{
	(void)state;
	assert_int_equal(transport.ops->queue_size_max(transport.context, QUEUES), 0);
	fake.queue_count = 0xffff;
	assert_int_equal(transport.ops->queue_size_max(transport.context, VIRTIO_PCI_QUEUES_MAX),
			 0);
	assert_int_equal(enable(VIRTIO_PCI_QUEUES_MAX), STATUS_BAD_HOST);
	fake.enable_refused = true;
	assert_int_equal(enable(0), STATUS_BAD_HOST);
}

static void test_virtio_pci_configuration_stays_inside(void **state) /* 14 */
{
	(void)state;
	assert_int_equal(transport.ops->config_read(transport.context, 0), 0xc0000040);
	assert_int_equal(transport.ops->config_read(transport.context, 12), 0xc000004c);
	assert_int_equal(transport.ops->config_read(transport.context, 16), UINT32_MAX);
	assert_int_equal(transport.ops->config_read(transport.context, UINT32_MAX - 3), UINT32_MAX);
}

static void test_virtio_pci_tells_of_changes_by_generation(void **state) /* 8 */
{
	(void)state;
	assert_int_equal(virtio_transport_interrupt_take(&transport), 0);
	fake.isr = 1;
	assert_int_equal(virtio_transport_interrupt_take(&transport), VIRTIO_INTERRUPT_QUEUE);
	fake.generation = 7;
	assert_int_equal(virtio_transport_interrupt_take(&transport), VIRTIO_INTERRUPT_CONFIG);
	assert_int_equal(virtio_transport_interrupt_take(&transport), 0);
}

static void test_virtio_pci_that_is_gone_reads_as_ones(void **state) /* 13 */
{
	(void)state;
	fake.all_ones = true;
	assert_int_equal(transport.ops->read(transport.context, VIRTIO_STATUS), 0xff);
	assert_int_equal(enable(0), STATUS_BAD_HOST);
	assert_int_equal(transport.ops->queue_size_max(transport.context, 0), 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_virtio_pci_negotiates_64_features, setup),
		cmocka_unit_test_setup(test_virtio_pci_sets_up_a_queue, setup),
		cmocka_unit_test_setup(test_virtio_pci_without_interrupts_names_no_vector, setup),
		cmocka_unit_test_setup(test_virtio_pci_notifies_where_the_queue_says, setup),
		cmocka_unit_test_setup(test_virtio_pci_refuses_notifications_outside, setup),
		cmocka_unit_test_setup(test_virtio_pci_has_only_the_queues_that_are_there, setup),
		cmocka_unit_test_setup(test_virtio_pci_configuration_stays_inside, setup),
		cmocka_unit_test_setup(test_virtio_pci_tells_of_changes_by_generation, setup),
		cmocka_unit_test_setup(test_virtio_pci_that_is_gone_reads_as_ones, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
