// SPDX-License-Identifier: MIT
#include "tests/unit/block/blk_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/sharedmem/shared_access_host.h"

struct fake_platform platform;
struct fake_blk fake;
struct virtio_transport transport;
struct virtio_blk blk;
struct virtio_blk_environment blk_test_environment;
uint8_t bytes[ALL_BLOCKS];
uint8_t back[ALL_BLOCKS];

struct sharedmem_counters blk_test_pool(void)
{
	struct sharedmem_counters counters;
	sharedmem_counters_get(&platform.memory, &counters);
	return counters;
}

struct block_device_counters blk_test_counters(void)
{
	struct block_device_counters counters;
	virtio_blk_counters_get(&blk, &counters);
	return counters;
}

enum status blk_test_open(void)
{
	return virtio_blk_open(&blk, &blk_test_environment);
}

/* Everything but the open: tests that tamper with the configuration come in here. */
int blk_test_setup_closed(void **state)
{
	(void)state;
	shared_access_hook_set(NULL);
	memset(&blk, 0, sizeof(blk));
	fake_platform_init(&platform);
	fake_blk_init(&fake, &platform, FAKE_BLK_F_FLUSH | FAKE_BLK_F_BLK_SIZE);
	blk_test_environment = (struct virtio_blk_environment){
		.transport = &transport,
		.memory = &platform.memory,
		.clock = &fake.device.clock,
	};
	for (size_t i = 0; i < ALL_BLOCKS; i++) {
		bytes[i] = (uint8_t)(i * 7 + i / BLOCK_BYTES);
	}
	return virtio_mmio_open(&transport, &fake.device.registers) == STATUS_OK ? 0 : -1;
}

int blk_test_setup(void **state)
{
	return blk_test_setup_closed(state) == 0 && blk_test_open() == STATUS_OK ? 0 : -1;
}

int blk_test_teardown(void **state)
{
	(void)state;
	shared_access_hook_set(NULL);
	virtio_blk_close(&blk);
	virtio_blk_close(&blk);
	assert_int_equal(blk_test_pool().pages_lent, 0); /* Page balance, whatever happened. */
	assert_int_equal(blk_test_pool().transitions, 1);
	return 0;
}

enum status blk_test_read(uint64_t first, uint64_t count, uint8_t *out)
{
	const struct block_device *device = virtio_blk_device(&blk);
	return device->ops->read(device->context, (struct physical_block){first},
				 (struct block_count){count}, out);
}

enum status blk_test_write(uint64_t first, uint64_t count, const uint8_t *from)
{
	const struct block_device *device = virtio_blk_device(&blk);
	return device->ops->write(device->context, (struct physical_block){first},
				  (struct block_count){count}, from);
}

enum status blk_test_flush(void)
{
	const struct block_device *device = virtio_blk_device(&blk);
	return device->ops->flush(device->context);
}

void blk_test_assert_dead(void)
{
	const unsigned int requests = fake.request_count;
	assert_int_equal(blk_test_read(0, 1, back), STATUS_BAD_HOST);
	assert_int_equal(blk_test_write(0, 1, bytes), STATUS_BAD_HOST);
	assert_int_equal(blk_test_flush(), STATUS_BAD_HOST);
	char id[VIRTIO_BLK_ID_BYTES + 1];
	assert_int_equal(virtio_blk_id_read(&blk, id), STATUS_BAD_HOST);
	assert_int_equal(fake.request_count, requests);
	assert_int_equal(blk_test_pool().pages_lent, 0);
}
