// SPDX-License-Identifier: MIT
/* virtio-blk against an honest disk and against lies. Numbers in comments are items of
 * docs/virtio-threats.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "block/virtio_blk.h"
#include "tests/unit/block/fake_blk.h"
#include "tests/unit/sharedmem/shared_access_host.h"

#define ALL_BLOCKS (FAKE_BLK_BLOCKS * (size_t)BLOCK_BYTES)

static struct fake_platform platform;
static struct fake_blk fake;
static struct virtio_transport transport;
static struct virtio_blk blk;
static uint8_t bytes[ALL_BLOCKS];
static uint8_t back[ALL_BLOCKS];

static struct sharedmem_counters pool_counters(void)
{
	struct sharedmem_counters counters;
	sharedmem_counters_get(&platform.memory, &counters);
	return counters;
}

static struct block_device_counters blk_counters(void)
{
	struct block_device_counters counters;
	virtio_blk_counters_get(&blk, &counters);
	return counters;
}

static enum status open_blk(void)
{
	const struct virtio_blk_environment environment = {
		.transport = &transport,
		.memory = &platform.memory,
		.clock = &fake.device.clock,
	};
	return virtio_blk_open(&blk, &environment);
}

/* Everything but the open: tests that tamper with the configuration come in here. */
static int setup_closed(void **state)
{
	(void)state;
	shared_access_hook_set(NULL);
	memset(&blk, 0, sizeof(blk));
	fake_platform_init(&platform);
	fake_blk_init(&fake, &platform, FAKE_BLK_F_FLUSH | FAKE_BLK_F_BLK_SIZE);
	for (size_t i = 0; i < ALL_BLOCKS; i++) {
		bytes[i] = (uint8_t)(i * 7 + i / BLOCK_BYTES);
	}
	return virtio_mmio_open(&transport, &fake.device.registers) == STATUS_OK ? 0 : -1;
}

static int setup(void **state)
{
	return setup_closed(state) == 0 && open_blk() == STATUS_OK ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	shared_access_hook_set(NULL);
	virtio_blk_close(&blk);
	virtio_blk_close(&blk);
	assert_int_equal(pool_counters().pages_lent, 0); /* Page balance, whatever happened. */
	assert_int_equal(pool_counters().transitions, 1);
	return 0;
}

static enum status port_read(uint64_t first, uint64_t count, uint8_t *out)
{
	const struct block_device *device = virtio_blk_device(&blk);
	return device->ops->read(device->context, (struct physical_block){first},
				 (struct block_count){count}, out);
}

static enum status port_write(uint64_t first, uint64_t count, const uint8_t *from)
{
	const struct block_device *device = virtio_blk_device(&blk);
	return device->ops->write(device->context, (struct physical_block){first},
				  (struct block_count){count}, from);
}

static enum status port_flush(void)
{
	const struct block_device *device = virtio_blk_device(&blk);
	return device->ops->flush(device->context);
}

static void assert_dead(void)
{
	const unsigned int requests = fake.request_count;
	assert_int_equal(port_read(0, 1, back), STATUS_BAD_HOST);
	assert_int_equal(port_write(0, 1, bytes), STATUS_BAD_HOST);
	assert_int_equal(port_flush(), STATUS_BAD_HOST);
	char id[VIRTIO_BLK_ID_BYTES + 1];
	assert_int_equal(virtio_blk_id_read(&blk, id), STATUS_BAD_HOST);
	assert_int_equal(fake.request_count, requests);
	assert_int_equal(pool_counters().pages_lent, 0);
}

static void test_blk_reads_back_what_it_wrote(void **state)
{
	(void)state;
	assert_int_equal(virtio_blk_device(&blk)->capacity.n, FAKE_BLK_BLOCKS);
	assert_false(virtio_blk_device(&blk)->read_only);
	assert_true(virtio_blk_device(&blk)->has_flush);
	assert_int_equal(port_write(3, 1, bytes), STATUS_OK);
	assert_int_equal(fake.sector, 3 * SECTORS_PER_BLOCK);
	assert_memory_equal(fake.disk + 3 * BLOCK_BYTES, bytes, BLOCK_BYTES);
	assert_int_equal(port_flush(), STATUS_OK);
	assert_int_equal(fake.type, 4);
	assert_int_equal(port_read(3, 1, back), STATUS_OK);
	assert_memory_equal(back, bytes, BLOCK_BYTES);
	assert_int_equal(blk_counters().reads, 1);
	assert_int_equal(blk_counters().writes, 1);
	assert_int_equal(blk_counters().flushes, 1);
	assert_int_equal(blk_counters().blocks_read, 1);
	assert_int_equal(blk_counters().blocks_written, 1);
}

static void test_blk_one_request_is_one_chain_and_one_notification(void **state)
{
	(void)state;
	const uint64_t transitions = pool_counters().transitions;
	const uint64_t lent = pool_counters().pages_lent;
	assert_int_equal(lent, VIRTIO_BLK_SHARED_PAGES);
	for (unsigned int i = 0; i < 50; i++) {
		assert_int_equal(port_write(i, 32, bytes), STATUS_OK);
		assert_int_equal(fake.segment_count, 3);
		assert_int_equal(port_read(i, 1, back), STATUS_OK);
		assert_int_equal(port_flush(), STATUS_OK);
	}
	assert_int_equal(fake.request_count, 150);
	assert_int_equal(fake.device.queues[0].notify_count, 150);
	assert_int_equal(pool_counters().transitions, transitions);
	assert_int_equal(pool_counters().pages_lent, lent);
}

static void test_blk_splits_large_transfers(void **state)
{
	(void)state;
	assert_int_equal(port_write(0, 100, bytes), STATUS_OK);
	assert_int_equal(fake.request_count, 4);
	assert_int_equal(fake.data_bytes, 4 * BLOCK_BYTES);
	assert_int_equal(port_read(0, 100, back), STATUS_OK);
	assert_memory_equal(back, bytes, 100 * BLOCK_BYTES);
	assert_int_equal(blk_counters().writes, 4);
	assert_int_equal(blk_counters().blocks_read, 100);
}

static void test_blk_stays_within_the_capacity(void **state)
{
	(void)state;
	const unsigned int requests = fake.request_count;
	assert_int_equal(port_read(FAKE_BLK_BLOCKS, 1, back), STATUS_INVALID);
	assert_int_equal(port_read(FAKE_BLK_BLOCKS - 1, 2, back), STATUS_INVALID);
	assert_int_equal(port_read(UINT64_MAX, 2, back), STATUS_INVALID);
	assert_int_equal(port_read(1, UINT64_MAX, back), STATUS_INVALID);
	assert_int_equal(port_write(FAKE_BLK_BLOCKS, 1, bytes), STATUS_INVALID);
	assert_int_equal(port_write(0, 0, bytes), STATUS_INVALID);
	assert_int_equal(fake.request_count, requests);
	assert_int_equal(port_read(FAKE_BLK_BLOCKS - 1, 1, back), STATUS_OK);
}

static void test_blk_without_flush_refuses_to_flush(void **state) /* 4 */
{
	(void)state;
	fake.device.offered = VIRTIO_F_VERSION_1;
	assert_int_equal(open_blk(), STATUS_OK);
	assert_false(virtio_blk_device(&blk)->has_flush);
	assert_int_equal(port_flush(), STATUS_NO_FLUSH);
	assert_int_equal(fake.request_count, 0);
}

static void test_blk_never_takes_config_wce_or_the_unknown(void **state) /* 4, 5, 12 */
{
	(void)state;
	fake.device.offered = UINT64_MAX & ~FAKE_BLK_F_RO;
	fake.device.config[3] = 64;
	assert_int_equal(open_blk(), STATUS_OK);
	assert_int_equal(fake.device.accepted & FAKE_BLK_F_CONFIG_WCE, 0);
	assert_int_equal(fake.device.accepted & ~(uint64_t)0x646,
			 VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM);
	assert_null(virtio_blk_device(&blk)->ops->discard);
}

static void test_blk_read_only_device_refuses_writes(void **state)
{
	(void)state;
	fake.device.offered |= FAKE_BLK_F_RO;
	assert_int_equal(open_blk(), STATUS_OK);
	assert_true(virtio_blk_device(&blk)->read_only);
	assert_int_equal(port_write(0, 1, bytes), STATUS_READ_ONLY);
	assert_int_equal(fake.request_count, 0);
	assert_int_equal(port_read(0, 1, back), STATUS_OK);
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
		assert_int_equal(setup_closed(state), 0);
		fake_blk_capacity_set(&fake, cases[i].sectors);
		assert_int_equal(open_blk(), cases[i].status);
		if (cases[i].status == STATUS_OK) {
			assert_int_equal(virtio_blk_device(&blk)->capacity.n, cases[i].blocks);
		}
		assert_int_equal(teardown(state), 0);
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
	assert_int_equal(port_read(FAKE_BLK_BLOCKS - 1, 1, back), STATUS_OK);
	virtio_blk_interrupt_ack(&blk); /* A storm is only acknowledged. */
}

static void test_blk_open_fails_without_a_stable_configuration(void **state) /* 9 */
{
	(void)state;
	fake.device.lies.generation_unstable = true;
	assert_int_equal(open_blk(), STATUS_BAD_HOST);
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
		assert_int_equal(setup_closed(state), 0);
		fake.device.config[5] = cases[i].size;
		assert_int_equal(open_blk(), cases[i].status);
		if (cases[i].status == STATUS_OK) { /* The capacity's unit does not change. */
			assert_int_equal(virtio_blk_device(&blk)->capacity.n, FAKE_BLK_BLOCKS);
		}
		assert_int_equal(teardown(state), 0);
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
		assert_int_equal(setup_closed(state), 0);
		fake.device.offered |= FAKE_BLK_F_SIZE_MAX | FAKE_BLK_F_SEG_MAX;
		fake.device.config[2] = cases[i].size_max;
		fake.device.config[3] = cases[i].seg_max;
		fake.device.queues[0].size_max = cases[i].queue_size;
		assert_int_equal(open_blk(), cases[i].status);
		if (cases[i].status == STATUS_OK) {
			assert_int_equal(port_write(0, 40, bytes), STATUS_OK);
			assert_int_equal(port_read(0, 40, back), STATUS_OK);
			assert_memory_equal(back, bytes, 40 * BLOCK_BYTES);
			assert_true(fake.largest_segment <= cases[i].segment_bytes);
			assert_int_equal(blk.segment_bytes_max, cases[i].segment_bytes);
			assert_int_equal(blk.transfer_blocks_max, cases[i].transfer_blocks);
		}
		assert_int_equal(teardown(state), 0);
	}
}

static void test_blk_open_gives_back_what_it_took(void **state)
{
	(void)state;
	struct shared_region hog;
	/* From a pool with room for nothing up to one page too few. */
	for (size_t room = 0; room < VIRTIO_BLK_SHARED_PAGES; room++) {
		transport.failure_count = 0;
		assert_int_equal(
			sharedmem_region_acquire(&platform.memory, FAKE_POOL_PAGES - room, &hog),
			STATUS_OK);
		assert_int_equal(open_blk(), STATUS_NO_MEMORY);
		assert_int_equal(pool_counters().pages_lent, FAKE_POOL_PAGES - room);
		sharedmem_region_release(&hog);
	}
	assert_int_equal(pool_counters().pages_leaked, 0);
}

static void test_blk_status_decides(void **state) /* 32, 37 */
{
	const struct {
		uint8_t status;
		enum status expected;
	} cases[] = {
		{0, STATUS_OK},       {1, STATUS_IO},          {2, STATUS_IO},
		{3, STATUS_BAD_HOST}, {0x80, STATUS_BAD_HOST}, {0xff, STATUS_BAD_HOST},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		for (int kind = 0; kind < 3; kind++) {
			assert_int_equal(setup(state), 0);
			fake.status_set = true;
			fake.status = cases[i].status;
			const enum status status = kind == 0   ? port_read(0, 1, back)
						   : kind == 1 ? port_write(0, 1, bytes)
							       : port_flush();
			assert_int_equal(status, cases[i].expected);
			fake.status_set = false;
			if (cases[i].expected == STATUS_BAD_HOST) {
				assert_dead();
			} else { /* An honest error is not the end. */
				assert_int_equal(port_flush(), STATUS_OK);
			}
			assert_int_equal(teardown(state), 0);
		}
	}
}

static void test_blk_an_unwritten_status_is_no_success(void **state) /* 32 */
{
	(void)state;
	assert_int_equal(port_read(0, 1, back), STATUS_OK);
	fake.status_omitted = true;
	assert_int_equal(port_read(0, 1, back), STATUS_BAD_HOST);
	assert_dead();
}

/* 33: a device that claims success and writes nothing shows the poison, never the transfer before.
 */
static void test_blk_stale_data_is_never_returned(void **state)
{
	(void)state;
	memset(back, 0, BLOCK_BYTES);
	assert_int_equal(port_write(0, 1, bytes), STATUS_OK);
	assert_int_equal(port_read(0, 1, back), STATUS_OK);
	fake.read_writes_nothing = true;
	assert_int_equal(port_read(0, 1, back), STATUS_OK);
	for (size_t i = 0; i < BLOCK_BYTES; i++) {
		assert_int_equal(back[i], 0xa5);
	}
}

static void test_blk_short_transfers_are_io_errors(void **state) /* 24 */
{
	(void)state;
	memset(back, 0x77, BLOCK_BYTES);
	fake.short_by = 1;
	assert_int_equal(port_read(0, 1, back), STATUS_IO);
	assert_int_equal(port_write(0, 1, bytes), STATUS_IO);
	assert_int_equal(port_flush(), STATUS_IO);
	fake.short_by = 4097;
	assert_int_equal(port_read(0, 1, back), STATUS_IO);
	assert_int_equal(back[0], 0x77); /* Untouched on failure. */
	fake.short_by = 0;
	assert_int_equal(port_read(0, 1, back), STATUS_OK);
}

static void test_blk_a_length_above_the_room_ends_the_device(void **state) /* 24 */
{
	(void)state;
	fake.device.lies.length_set = true;
	fake.device.lies.length = BLOCK_BYTES + 2;
	assert_int_equal(port_read(0, 1, back), STATUS_BAD_HOST);
	assert_int_equal(blk.queue.lie, VIRTQ_LIE_LENGTH);
	assert_dead();
}

static void test_blk_every_ring_lie_ends_the_device(void **state) /* 16, 17, 19, 20, 21 */
{
	const struct fake_lies lies[] = {
		{.used_index_offset = 1},
		{.used_index_offset = -2},
		{.used_id_set = true, .used_id = 64},
		{.used_id_set = true, .used_id = 0x10000},
		{.used_id_set = true, .used_id = 1},
		{.complete_twice = true},
	};
	for (size_t i = 0; i < ARRAY_COUNT(lies); i++) {
		assert_int_equal(setup(state), 0);
		fake.device.lies = lies[i];
		assert_int_equal(port_read(0, 1, back), STATUS_BAD_HOST);
		fake.device.lies = (struct fake_lies){0};
		assert_dead();
		assert_int_equal(blk.device.state, VIRTIO_DEVICE_STOPPED);
		assert_int_equal(teardown(state), 0);
	}
}

static void test_blk_a_silent_device_times_out_and_is_dead(void **state) /* 28, 38 */
{
	(void)state;
	fake.device.lies.silent = true;
	const uint64_t before_us = fake.device.now_us;
	assert_int_equal(port_write(0, 1, bytes), STATUS_TIMEOUT);
	assert_in_range(fake.device.now_us - before_us, VIRTIO_BLK_TIMEOUT_US_DEFAULT,
			VIRTIO_BLK_TIMEOUT_US_DEFAULT + 100000);
	assert_dead();
	assert_int_equal(pool_counters().pages_leaked, 0); /* The reset was confirmed. */
}

static void test_blk_a_dead_device_leaks_its_pages(void **state) /* 31, 42 */
{
	(void)state;
	fake.device.lies.silent = true;
	fake.device.lies.reset_unconfirmed = true;
	assert_int_equal(port_read(0, 1, back), STATUS_TIMEOUT);
	assert_dead();
	assert_int_equal(pool_counters().pages_leaked, VIRTIO_BLK_SHARED_PAGES);
}

static void test_blk_close_leaks_if_the_reset_is_not_confirmed(void **state) /* 31, 42 */
{
	(void)state;
	fake.device.lies.reset_unconfirmed = true;
	virtio_blk_close(&blk);
	assert_int_equal(pool_counters().pages_leaked, VIRTIO_BLK_SHARED_PAGES);
	assert_int_equal(port_read(0, 1, back), STATUS_BAD_HOST);
}

static void test_blk_rekicks_a_device_that_missed_it(void **state) /* 27 */
{
	(void)state;
	fake.device.lies.no_notify_stuck = true;
	fake.device.lies.notify_needed = 1;
	fake_device_step(&fake.device);
	const uint64_t before_us = fake.device.now_us;
	assert_int_equal(port_read(0, 1, back), STATUS_OK);
	assert_true(fake.device.now_us - before_us < 5 * VIRTIO_REKICK_US);
	assert_int_equal(fake.device.queues[0].notify_count, 1);
}

static void test_blk_a_device_that_wants_a_reset_is_dead_soon(void **state) /* 13, 41 */
{
	const struct fake_lies lies[] = {{.needs_reset = true, .silent = true},
					 {.reset_behind_our_back = true, .silent = true},
					 {.all_ones = true, .silent = true}};
	for (size_t i = 0; i < ARRAY_COUNT(lies); i++) {
		assert_int_equal(setup(state), 0);
		fake.device.lies = lies[i];
		assert_int_equal(port_read(0, 1, back), STATUS_BAD_HOST);
		/* Well below the request's deadline; a reset may take its own time. */
		assert_true(fake.device.now_us < 2 * VIRTIO_RESET_TIMEOUT_US);
		assert_dead();
		assert_int_equal(teardown(state), 0);
	}
}

static void test_blk_reopens_a_few_times_and_then_no_more(void **state) /* 41 */
{
	(void)state;
	for (unsigned int i = 0; i < VIRTIO_FAILURES_MAX; i++) {
		assert_int_equal(open_blk(), STATUS_OK);
		assert_int_equal(port_read(0, 1, back), STATUS_OK);
		fake.status_set = true;
		fake.status = 0xff;
		assert_int_equal(port_read(0, 1, back), STATUS_BAD_HOST);
		fake.status_set = false;
		virtio_blk_close(&blk);
	}
	assert_int_equal(open_blk(), STATUS_LIMIT);
}

static void test_blk_overruns_reach_nothing_of_ours(void **state) /* 30 */
{
	(void)state;
	fake.overrun_page = true;
	assert_int_equal(port_write(1, 1, bytes), STATUS_OK);
	assert_int_equal(port_read(1, 1, back), STATUS_OK);
	assert_memory_equal(back, bytes, BLOCK_BYTES);
	assert_int_equal(port_flush(), STATUS_OK);
}

/* 36, 40: what the device writes after it reported completion is not seen. */
static void test_blk_late_writes_do_not_reach_the_caller(void **state)
{
	(void)state;
	assert_int_equal(port_write(1, 1, bytes), STATUS_OK);
	assert_int_equal(port_read(1, 1, back), STATUS_OK);
	memset(platform.pages, 0xbb, FAKE_POOL_PAGES * PAGE_BYTES); /* All that it can reach. */
	assert_memory_equal(back, bytes, BLOCK_BYTES);
}

/* 37: the status byte reads 0 once and 1 ever after, or the other way round; one load decides. */
struct status_flip {
	unsigned int loads;
};

static uint64_t flip_status(void *context, const void *at, unsigned int width, uint64_t actual)
{
	struct status_flip *flip = context;
	(void)at;
	if (width != 1) {
		return actual;
	}
	flip->loads++;
	return flip->loads == 1 ? 0 : 1;
}

static void test_blk_loads_the_status_once(void **state)
{
	(void)state;
	struct status_flip flip = {0};
	const struct shared_access_hook hook = {flip_status, &flip};
	shared_access_hook_set(&hook);
	assert_int_equal(port_read(0, 1, back), STATUS_OK);
	assert_int_equal(flip.loads, 1);
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
	assert_int_equal(port_read(0, 1, back), STATUS_OK);
	assert_int_equal(port_write(5, 2, bytes + 3), STATUS_OK);
	assert_null(memmem(platform.pages, FAKE_POOL_PAGES * PAGE_BYTES, canary, sizeof(canary)));
	const void *pointer = back;
	assert_null(
		memmem(platform.pages, FAKE_POOL_PAGES * PAGE_BYTES, &pointer, sizeof(pointer)));
	virtio_blk_close(&blk);
	assert_null(memmem(platform.pages, FAKE_POOL_PAGES * PAGE_BYTES, bytes + 3, 64));
}

#define TEST(name)   cmocka_unit_test_setup_teardown(name, setup, teardown)
#define CLOSED(name) cmocka_unit_test_setup_teardown(name, setup_closed, teardown)
#define OWN(name)    cmocka_unit_test(name)

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
		OWN(test_blk_status_decides),
		TEST(test_blk_an_unwritten_status_is_no_success),
		TEST(test_blk_stale_data_is_never_returned),
		TEST(test_blk_short_transfers_are_io_errors),
		TEST(test_blk_a_length_above_the_room_ends_the_device),
		OWN(test_blk_every_ring_lie_ends_the_device),
		TEST(test_blk_a_silent_device_times_out_and_is_dead),
		TEST(test_blk_a_dead_device_leaks_its_pages),
		TEST(test_blk_close_leaks_if_the_reset_is_not_confirmed),
		TEST(test_blk_rekicks_a_device_that_missed_it),
		OWN(test_blk_a_device_that_wants_a_reset_is_dead_soon),
		CLOSED(test_blk_reopens_a_few_times_and_then_no_more),
		TEST(test_blk_overruns_reach_nothing_of_ours),
		TEST(test_blk_late_writes_do_not_reach_the_caller),
		TEST(test_blk_loads_the_status_once),
		TEST(test_blk_id_is_bounded_and_sanitised),
		TEST(test_blk_shares_only_what_is_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
