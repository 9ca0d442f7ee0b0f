// SPDX-License-Identifier: MIT
/* virtio-blk: requests, and what the device says of itself. Numbers in comments are items
 * of docs/virtio-threats.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/block/blk_fixture.h"

static void test_blk_reads_back_what_it_wrote(void **state)
{
	(void)state;
	assert_int_equal(virtio_blk_device(&blk)->capacity.n, FAKE_BLK_BLOCKS);
	assert_false(virtio_blk_device(&blk)->read_only);
	assert_true(virtio_blk_device(&blk)->has_flush);
	assert_int_equal(blk_test_write(3, 1, bytes), STATUS_OK);
	assert_int_equal(fake.sector, 3 * SECTORS_PER_BLOCK);
	assert_memory_equal(fake.disk + 3 * BLOCK_BYTES, bytes, BLOCK_BYTES);
	assert_int_equal(blk_test_flush(), STATUS_OK);
	assert_int_equal(fake.type, 4);
	assert_int_equal(blk_test_read(3, 1, back), STATUS_OK);
	assert_memory_equal(back, bytes, BLOCK_BYTES);
	assert_int_equal(blk_test_counters().reads, 1);
	assert_int_equal(blk_test_counters().writes, 1);
	assert_int_equal(blk_test_counters().flushes, 1);
	assert_int_equal(blk_test_counters().blocks_read, 1);
	assert_int_equal(blk_test_counters().blocks_written, 1);
}

static void test_blk_one_request_is_one_chain_and_one_notification(void **state)
{
	(void)state;
	const uint64_t transitions = blk_test_pool().transitions;
	const uint64_t lent = blk_test_pool().pages_lent;
	assert_true(lent <= VIRTIO_BLK_SHARED_PAGES);
	for (unsigned int i = 0; i < 50; i++) {
		assert_int_equal(blk_test_write(i, 32, bytes), STATUS_OK);
		assert_int_equal(fake.segment_count, 3);
		assert_int_equal(blk_test_read(i, 1, back), STATUS_OK);
		assert_int_equal(blk_test_flush(), STATUS_OK);
	}
	assert_int_equal(fake.request_count, 150);
	assert_int_equal(fake.device.queues[0].notify_count, 150);
	assert_int_equal(blk_test_pool().transitions, transitions);
	assert_int_equal(blk_test_pool().pages_lent, lent);
}

static void test_blk_splits_large_transfers(void **state)
{
	(void)state;
	assert_int_equal(blk_test_write(0, 100, bytes), STATUS_OK);
	assert_int_equal(fake.request_count, 4);
	assert_int_equal(blk_test_read(0, 100, back), STATUS_OK);
	assert_memory_equal(back, bytes, 100 * BLOCK_BYTES);
	assert_int_equal(blk_test_counters().writes, 4);
	assert_int_equal(blk_test_counters().blocks_read, 100);
}

static void test_blk_stays_within_the_capacity(void **state)
{
	(void)state;
	const unsigned int requests = fake.request_count;
	assert_int_equal(blk_test_read(FAKE_BLK_BLOCKS, 1, back), STATUS_INVALID);
	assert_int_equal(blk_test_read(FAKE_BLK_BLOCKS - 1, 2, back), STATUS_INVALID);
	assert_int_equal(blk_test_read(UINT64_MAX, 2, back), STATUS_INVALID);
	assert_int_equal(blk_test_read(1, UINT64_MAX, back), STATUS_INVALID);
	assert_int_equal(blk_test_write(FAKE_BLK_BLOCKS, 1, bytes), STATUS_INVALID);
	assert_int_equal(blk_test_write(0, 0, bytes), STATUS_INVALID);
	assert_int_equal(fake.request_count, requests);
	assert_int_equal(blk_test_read(FAKE_BLK_BLOCKS - 1, 1, back), STATUS_OK);
}

static void test_blk_without_flush_refuses_to_flush(void **state) /* 4 */
{
	(void)state;
	fake.device.offered = VIRTIO_F_VERSION_1;
	assert_int_equal(blk_test_open(), STATUS_OK);
	assert_false(virtio_blk_device(&blk)->has_flush);
	assert_int_equal(blk_test_flush(), STATUS_NO_FLUSH);
	assert_int_equal(fake.request_count, 0);
}

static void test_blk_never_takes_config_wce_or_the_unknown(void **state) /* 4, 5, 12 */
{
	(void)state;
	fake.device.offered = UINT64_MAX & ~FAKE_BLK_F_RO;
	fake.device.config[3] = 64;
	fake.device.config[8] = 1u << 16; /* Queues. */
	assert_int_equal(blk_test_open(), STATUS_OK);
	assert_int_equal(fake.device.accepted & FAKE_BLK_F_CONFIG_WCE, 0);
	assert_int_equal(fake.device.accepted & ~(uint64_t)0x7646,
			 VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM | VIRTQ_FEATURES);
}

static void test_blk_read_only_device_refuses_writes(void **state)
{
	(void)state;
	fake.device.offered |= FAKE_BLK_F_RO;
	assert_int_equal(blk_test_open(), STATUS_OK);
	assert_true(virtio_blk_device(&blk)->read_only);
	assert_int_equal(blk_test_write(0, 1, bytes), STATUS_READ_ONLY);
	assert_int_equal(fake.request_count, 0);
	assert_int_equal(blk_test_read(0, 1, back), STATUS_OK);
}

static void test_blk_refuses_a_nonsense_capacity(void **state) /* 7 */
{
	const struct {
		uint64_t sectors;
		enum status status;
		uint64_t blocks;
	} cases[] = {
		{0, STATUS_TRUNCATED, 0},
		{7, STATUS_TRUNCATED, 0},
		{8, STATUS_OK, 1},
		{15, STATUS_OK, 1},
		{UINT64_MAX / 512, STATUS_OK, UINT64_MAX / 4096},
		{UINT64_MAX / 512 + 1, STATUS_BAD_HOST, 0},
		{UINT64_MAX, STATUS_BAD_HOST, 0},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(blk_test_setup_closed(state), 0);
		fake_blk_capacity_set(&fake, cases[i].sectors);
		assert_int_equal(blk_test_open(), cases[i].status);
		if (cases[i].status == STATUS_OK) {
			assert_int_equal(virtio_blk_device(&blk)->capacity.n, cases[i].blocks);
		}
		assert_int_equal(blk_test_teardown(state), 0);
	}
}

static void test_blk_ignores_a_later_change_of_capacity(void **state) /* 8 */
{
	(void)state;
	fake_blk_capacity_set(&fake, 8);
	fake.device.interrupts = VIRTIO_INTERRUPT_QUEUE;
	virtio_blk_interrupt_ack(&blk);
	assert_false(blk.config_change_logged);
	fake.device.interrupts = VIRTIO_INTERRUPT_CONFIG;
	virtio_blk_interrupt_ack(&blk);
	assert_true(blk.config_change_logged);
	assert_int_equal(fake.device.interrupts, 0);
	assert_int_equal(virtio_blk_device(&blk)->capacity.n, FAKE_BLK_BLOCKS);
	assert_int_equal(blk_test_read(FAKE_BLK_BLOCKS - 1, 1, back), STATUS_OK);
	virtio_blk_interrupt_ack(&blk); /* A storm is only acknowledged. */
}

static void test_blk_open_fails_without_a_stable_configuration(void **state) /* 9 */
{
	(void)state;
	fake.device.lies.generation_unstable = true;
	assert_int_equal(blk_test_open(), STATUS_BAD_HOST);
}

static void test_blk_accepts_two_block_sizes(void **state) /* 10 */
{
	const struct {
		uint32_t size;
		enum status status;
	} cases[] = {
		{512, STATUS_OK},
		{4096, STATUS_OK},
		{0, STATUS_BAD_HOST},
		{1, STATUS_BAD_HOST},
		{1024, STATUS_BAD_HOST},
		{8192, STATUS_BAD_HOST},
		{UINT32_MAX, STATUS_BAD_HOST},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(blk_test_setup_closed(state), 0);
		fake.device.config[5] = cases[i].size;
		assert_int_equal(blk_test_open(), cases[i].status);
		if (cases[i].status == STATUS_OK) { /* The capacity's unit does not change. */
			assert_int_equal(virtio_blk_device(&blk)->capacity.n, FAKE_BLK_BLOCKS);
		}
		assert_int_equal(blk_test_teardown(state), 0);
	}
}

static void test_blk_keeps_within_the_devices_limits(void **state) /* 11 */
{
	const struct {
		uint32_t size_max;
		uint32_t seg_max;
		uint32_t queue_size;
		enum status status;
		uint32_t segment_bytes;
		uint32_t transfer_blocks;
	} cases[] = {
		{0, 0, 128, STATUS_OK, 131072, 32},
		{UINT32_MAX, UINT32_MAX, 128, STATUS_OK, 131072, 32},
		{4096, 126, 128, STATUS_OK, 4096, 32},
		{4096, 5, 128, STATUS_OK, 4096, 5},
		{5000, 4, 128, STATUS_OK, 4608, 4},
		{512, 32, 128, STATUS_OK, 512, 4},
		{512, 126, 128, STATUS_OK, 512, 4},  /* Our own limit of 32 pieces. */
		{512, 32, 8, STATUS_BAD_HOST, 0, 0}, /* 6 pieces do not make a block. */
		{65536, 1, 128, STATUS_OK, 65536, 16},
		{511, 32, 128, STATUS_BAD_HOST, 0, 0},
		{512, 1, 128, STATUS_BAD_HOST, 0, 0},
		{0, 0, 2, STATUS_BAD_HOST, 0, 0}, /* No room for header, data and status. */
		{0, 0, 4, STATUS_OK, 131072, 32},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(blk_test_setup_closed(state), 0);
		fake.device.offered |= FAKE_BLK_F_SIZE_MAX | FAKE_BLK_F_SEG_MAX;
		fake.device.config[2] = cases[i].size_max;
		fake.device.config[3] = cases[i].seg_max;
		fake.device.queues[0].size_max = cases[i].queue_size;
		assert_int_equal(blk_test_open(), cases[i].status);
		if (cases[i].status == STATUS_OK) {
			assert_int_equal(blk_test_write(0, 40, bytes), STATUS_OK);
			assert_int_equal(blk_test_read(0, 40, back), STATUS_OK);
			assert_memory_equal(back, bytes, 40 * BLOCK_BYTES);
			assert_true(fake.largest_segment <= cases[i].segment_bytes);
			assert_int_equal(blk.segment_bytes_max, cases[i].segment_bytes);
			assert_int_equal(blk.transfer_blocks_max, cases[i].transfer_blocks);
		}
		assert_int_equal(blk_test_teardown(state), 0);
	}
}

/* How many an open device borrows. */
static size_t shared_pages(void)
{
	assert_int_equal(blk_test_open(), STATUS_OK);
	const size_t lent = blk_test_pool().pages_lent;
	virtio_blk_close(&blk);
	return lent;
}

static void test_blk_open_gives_back_what_it_took(void **state)
{
	(void)state;
	struct shared_region hog;
	/* From a pool with room for nothing up to one page too few. */
	const size_t needed = shared_pages();
	for (size_t room = 0; room < needed; room++) {
		transport.failure_count = 0;
		assert_int_equal(
			sharedmem_region_acquire(&platform.memory, FAKE_POOL_PAGES - room, &hog),
			STATUS_OK);
		assert_int_equal(blk_test_open(), STATUS_NO_MEMORY);
		assert_int_equal(blk_test_pool().pages_lent, FAKE_POOL_PAGES - room);
		sharedmem_region_release(&hog);
	}
	assert_int_equal(blk_test_pool().pages_leaked, 0);
}

static void test_blk_id_is_bounded_and_sanitised(void **state) /* 43 */
{
	(void)state;
	char id[VIRTIO_BLK_ID_BYTES + 1];
	memcpy(fake.id, "disk-7", 7);
	assert_int_equal(virtio_blk_id_read(&blk, id), STATUS_OK);
	assert_string_equal(id, "disk-7");
	memset(fake.id, 'x', sizeof(fake.id));
	fake.id[0] = 0x1b;
	fake.id[1] = '\n';
	fake.id[2] = 0xff;
	assert_int_equal(virtio_blk_id_read(&blk, id), STATUS_OK);
	assert_string_equal(id, "???xxxxxxxxxxxxxxxxx");
	memset(fake.id, 0, sizeof(fake.id));
	assert_int_equal(virtio_blk_id_read(&blk, id), STATUS_OK);
	assert_string_equal(id, "");
}

/* 29: what is not being transferred never appears in shared memory, and reads leave no plaintext of
 * the caller's buffer there. */
static void test_blk_shares_only_what_is_written(void **state)
{
	(void)state;
	static const uint8_t canary[16] = "private-canary!";
	memcpy(back, canary, sizeof(canary));
	assert_int_equal(blk_test_read(0, 1, back), STATUS_OK);
	assert_int_equal(blk_test_write(5, 2, bytes + 3), STATUS_OK);
	assert_null(memmem(platform.pages, FAKE_POOL_PAGES * PAGE_BYTES, canary, sizeof(canary)));
	const void *pointer = back;
	assert_null(
		memmem(platform.pages, FAKE_POOL_PAGES * PAGE_BYTES, &pointer, sizeof(pointer)));
	virtio_blk_close(&blk);
	assert_null(memmem(platform.pages, FAKE_POOL_PAGES * PAGE_BYTES, bytes + 3, 64));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_blk_reads_back_what_it_wrote),
		TEST(test_blk_one_request_is_one_chain_and_one_notification),
		TEST(test_blk_splits_large_transfers),
		TEST(test_blk_stays_within_the_capacity),
		CLOSED(test_blk_without_flush_refuses_to_flush),
		CLOSED(test_blk_never_takes_config_wce_or_the_unknown),
		CLOSED(test_blk_read_only_device_refuses_writes),
		OWN(test_blk_refuses_a_nonsense_capacity),
		TEST(test_blk_ignores_a_later_change_of_capacity),
		CLOSED(test_blk_open_fails_without_a_stable_configuration),
		OWN(test_blk_accepts_two_block_sizes),
		OWN(test_blk_keeps_within_the_devices_limits),
		CLOSED(test_blk_open_gives_back_what_it_took),
		TEST(test_blk_id_is_bounded_and_sanitised),
		TEST(test_blk_shares_only_what_is_written),
	};
	return fake_run_variants(tests, ARRAY_COUNT(tests));
}
