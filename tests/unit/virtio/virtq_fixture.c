// SPDX-License-Identifier: MIT
#include "tests/unit/virtio/virtq_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/sharedmem/shared_access_host.h"

struct fake_platform platform;
struct fake_device fake;
struct virtio_transport transport;
struct virtio_device device;
struct virtq queue;
struct shared_region buffer;
static struct virtq_slot slots[QUEUE_SIZE];

/* Writes what it reads back, in capitals, and reports it. */
static bool serve_echo(struct fake_device *self, const struct fake_chain *chain, uint32_t *written)
{
	uint8_t bytes[BUFFER_BYTES];
	(void)self;
	const size_t size = fake_chain_gather(chain, bytes, sizeof(bytes));
	*written = (uint32_t)fake_chain_scatter(chain, bytes, size);
	return true;
}

bool virtq_test_has(uint64_t feature)
{
	return fake_device_has(&fake, feature);
}

int virtq_setup(void **state)
{
	(void)state;
	const struct virtio_device_wish wish = {.device_id = VIRTIO_ID_BLOCK,
						.allowed_features = VIRTQ_FEATURES};
	shared_access_hook_set(NULL);
	fake_platform_init(&platform);
	fake_device_init(&fake, &platform, VIRTIO_ID_BLOCK, VIRTIO_F_VERSION_1);
	fake.serve = serve_echo;
	assert_int_equal(virtio_mmio_open(&transport, &fake.registers), STATUS_OK);
	assert_int_equal(
		virtio_device_open(&device, &transport, &platform.memory, &fake.clock, &wish),
		STATUS_OK);
	const struct virtq_config config = {
		.size = QUEUE_SIZE,
		.table_count = TABLES,
		.table_segments = TABLE_SEGMENTS,
		.slots = slots,
	};
	assert_int_equal(virtio_device_queue_open(&device, &config, &queue), STATUS_OK);
	assert_int_equal(virtio_device_start(&device), STATUS_OK);
	assert_int_equal(sharedmem_region_acquire(&platform.memory, 1, &buffer), STATUS_OK);
	return 0;
}

int virtq_teardown(void **state)
{
	(void)state;
	shared_access_hook_set(NULL);
	fake.lies = (struct fake_lies){0};
	virtio_device_stop(&device);
	virtio_device_queue_close(&device, &queue);
	virtio_device_region_return(&device, &buffer);
	struct sharedmem_counters counters;
	sharedmem_counters_get(&platform.memory, &counters);
	assert_int_equal(counters.pages_lent, 0); /* Page balance. */
	assert_int_equal(counters.transitions, 1);
	return 0;
}

enum status virtq_test_submit(uint16_t read_count, uint16_t write_count, struct virtq_token *token)
{
	struct virtq_segment segments[16];
	/* Chains in flight do not share memory. */
	const size_t first = queue.next_serial % QUEUE_SIZE * BUFFER_BYTES;
	for (uint16_t i = 0; i < read_count + write_count; i++) {
		segments[i] = (struct virtq_segment){
			.at = shared_region_addr(&buffer, first + 16u * i, 16),
			.len_bytes = 16,
			.device_writes = i >= read_count,
		};
	}
	return virtq_chain_submit(&queue, segments, (uint16_t)(read_count + write_count), token);
}

enum status virtq_test_poll(struct virtq_token *token, uint32_t *written)
{
	fake_device_step(&fake);
	return virtq_used_poll(&queue, token, written);
}

void virtq_test_assert_poisoned(enum virtq_lie lie)
{
	struct virtq_token token;
	uint32_t written;
	assert_int_equal(virtq_test_poll(&token, &written), STATUS_BAD_HOST);
	assert_int_equal(queue.lie, lie);
	assert_true(virtq_is_poisoned(&queue));
	assert_int_equal(virtq_used_poll(&queue, &token, &written), STATUS_BAD_HOST);
	assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_BAD_HOST);
	assert_false(virtq_used_pending(&queue));
	assert_string_not_equal(virtq_lie_name(lie), "unknown");
	assert_string_not_equal(virtq_lie_name(lie), virtq_lie_name(VIRTQ_LIE_NONE));
}

void virtq_test_submit_two(void)
{
	struct virtq_token token;
	assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_OK);
	assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_OK);
}
