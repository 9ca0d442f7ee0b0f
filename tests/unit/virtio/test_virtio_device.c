// SPDX-License-Identifier: MIT
/* Discovery, negotiation, configuration, reset: items 1 to 6, 9, 13, 31, 41 and 42 of
 * docs/virtio-threats.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/sharedmem/shared_access_host.h"
#include "tests/unit/virtio/fake_device.h"
#include "virtio/virtio_device.h"

#define FEATURE_WANTED   ((uint64_t)1 << 5)
#define FEATURE_UNWANTED ((uint64_t)1 << 11)

static struct fake_platform platform;
static struct fake_device fake;
static struct virtio_transport transport;
static struct virtio_device device;
static struct virtio_device_wish wish;

static int setup(void **state)
{
	(void)state;
	fake_platform_init(&platform);
	fake_device_init(&fake, &platform, VIRTIO_ID_BLOCK,
			 VIRTIO_F_VERSION_1 | FEATURE_WANTED | FEATURE_UNWANTED);
	wish = (struct virtio_device_wish){
		.device_id = VIRTIO_ID_BLOCK,
		.allowed_features = FEATURE_WANTED,
	};
	assert_int_equal(virtio_mmio_open(&transport, &fake.registers), STATUS_OK);
	return 0;
}

static enum status open_device(void)
{
	return virtio_device_open(&device, &transport, &platform.memory, &fake.clock, &wish);
}

static uint64_t pages(bool leaked)
{
	struct sharedmem_counters counters;
	sharedmem_counters_get(&platform.memory, &counters);
	return leaked ? counters.pages_leaked : counters.pages_lent;
}

static enum status queue_open(uint16_t index, struct virtq *queue)
{
	static struct virtq_slot slots[8];
	const struct virtq_config config = {.queue_index = index, .size = 8, .slots = slots};
	return virtio_device_queue_open(&device, &config, queue);
}

static void test_mmio_open_skips_what_is_no_device(void **state) /* 1, 13 */
{
	(void)state;
	struct virtio_transport found = {0};
	fake.lies.magic = 0x74726977;
	assert_int_equal(virtio_mmio_open(&found, &fake.registers), STATUS_NO_DEVICE);
	fake.lies = (struct fake_lies){.version = 1};
	assert_int_equal(virtio_mmio_open(&found, &fake.registers), STATUS_UNSUPPORTED);
	fake.lies = (struct fake_lies){.version = 3};
	assert_int_equal(virtio_mmio_open(&found, &fake.registers), STATUS_UNSUPPORTED);
	fake.lies = (struct fake_lies){.all_ones = true};
	assert_int_equal(virtio_mmio_open(&found, &fake.registers), STATUS_NO_DEVICE);
	fake.lies = (struct fake_lies){0};
	fake.device_id = 0;
	assert_int_equal(virtio_mmio_open(&found, &fake.registers), STATUS_NO_DEVICE);
	assert_null(found.ops);
}

static void test_device_open_follows_the_specification(void **state)
{
	(void)state;
	const uint8_t expected[] = {0, 1, 3, 11};
	assert_int_equal(open_device(), STATUS_OK);
	assert_int_equal(fake.status_writes, sizeof(expected));
	assert_memory_equal(fake.status_log, expected, sizeof(expected));
	assert_int_equal(device.state, VIRTIO_DEVICE_NEGOTIATED);
	assert_int_equal(virtio_device_start(&device), STATUS_OK);
	assert_int_equal(fake.status, 15);
	assert_int_equal(virtio_device_check(&device), STATUS_OK);
	virtio_device_stop(&device);
	assert_int_equal(device.state, VIRTIO_DEVICE_STOPPED);
	assert_int_equal(virtio_device_check(&device), STATUS_BAD_HOST);
	assert_int_equal(transport.failure_count, 0);
}

static void test_device_open_declines_what_was_not_asked_for(void **state) /* 5 */
{
	(void)state;
	fake.offered = UINT64_MAX;
	assert_int_equal(open_device(), STATUS_OK);
	assert_int_equal(device.features,
			 VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM | FEATURE_WANTED);
	assert_int_equal(fake.accepted, device.features);
}

static void test_device_open_reads_the_features_once(void **state) /* 2 */
{
	(void)state;
	fake.lies.features_differ = true; /* From the second look on. */
	assert_int_equal(open_device(), STATUS_OK);
	assert_int_equal(fake.feature_reads, 2); /* Two halves. */
	assert_int_equal(device.features, VIRTIO_F_VERSION_1 | FEATURE_WANTED);
}

static void test_device_open_requires_version_1(void **state) /* 2 */
{
	(void)state;
	fake.offered = FEATURE_WANTED;
	assert_int_equal(open_device(), STATUS_UNSUPPORTED);
	assert_int_equal(device.state, VIRTIO_DEVICE_STOPPED);
	assert_int_equal(transport.failure_count, 0);
}

static void test_device_open_requires_what_the_driver_requires(void **state)
{
	(void)state;
	wish.required_features = (uint64_t)1 << 7;
	assert_int_equal(open_device(), STATUS_UNSUPPORTED);
	wish.required_features = FEATURE_WANTED;
	assert_int_equal(open_device(), STATUS_OK);
}

static void test_device_open_rereads_features_ok(void **state) /* 3 */
{
	(void)state;
	fake.lies.features_ok_dropped = true;
	assert_int_equal(open_device(), STATUS_BAD_HOST);
	assert_int_equal(fake.status_log[4], VIRTIO_STATUS_FAILED);
	assert_int_equal(device.state, VIRTIO_DEVICE_STOPPED);
}

static void test_device_open_refuses_another_type(void **state) /* 1 */
{
	(void)state;
	wish.device_id = VIRTIO_ID_CONSOLE;
	assert_int_equal(open_device(), STATUS_NO_DEVICE);
	assert_int_equal(fake.status_writes, 0);
}

static void test_device_open_does_not_wait_for_a_reset_for_ever(void **state) /* 13, 42 */
{
	(void)state;
	fake.lies.reset_unconfirmed = true;
	assert_int_equal(open_device(), STATUS_TIMEOUT);
	assert_in_range(fake.now_us, VIRTIO_RESET_TIMEOUT_US, 2 * VIRTIO_RESET_TIMEOUT_US);
	for (unsigned int i = 0; i < VIRTIO_FAILURES_MAX; i++) {
		assert_int_equal(open_device(), STATUS_TIMEOUT);
	}
	const uint64_t before_us = fake.now_us;
	assert_int_equal(open_device(), STATUS_LIMIT); /* Not one second at each attempt. */
	assert_int_equal(fake.now_us, before_us);
}

/* Pulled out: known at once, and not trusted with memory that it had. */
static void test_device_that_is_gone_is_not_waited_for(void **state) /* 13, 31 */
{
	(void)state;
	struct virtq queue;
	assert_int_equal(open_device(), STATUS_OK);
	assert_int_equal(queue_open(0, &queue), STATUS_OK);
	assert_int_equal(virtio_device_start(&device), STATUS_OK);
	const uint64_t before_us = fake.now_us;
	fake.lies.all_ones = true;
	assert_int_equal(virtio_device_check(&device), STATUS_BAD_HOST);
	virtio_device_give_up(&device);
	assert_int_equal(device.state, VIRTIO_DEVICE_LOST);
	assert_int_equal(device.reset, STATUS_NO_DEVICE);
	virtio_device_queue_close(&device, &queue);
	assert_int_equal(pages(true), 1);
	assert_int_equal(open_device(), STATUS_NO_DEVICE);
	assert_true(fake.now_us - before_us < VIRTIO_RESET_TIMEOUT_US);
}

static void test_device_is_opened_again_three_times(void **state) /* 41 */
{
	(void)state;
	/* Once, and three times again. */
	for (unsigned int i = 0; i <= VIRTIO_FAILURES_MAX; i++) {
		assert_int_equal(open_device(), STATUS_OK);
		assert_int_equal(virtio_device_start(&device), STATUS_OK);
		fake.lies.needs_reset = true;
		assert_int_equal(virtio_device_check(&device), STATUS_BAD_HOST);
		fake.lies.needs_reset = false; /* The reset cures it. */
		virtio_device_give_up(&device);
		virtio_device_give_up(&device); /* Counted once. */
		assert_int_equal(device.state, VIRTIO_DEVICE_STOPPED);
	}
	assert_int_equal(open_device(), STATUS_LIMIT);
}

static void test_device_queue_open_refuses_an_absent_queue(void **state) /* 6 */
{
	(void)state;
	struct virtq queue;
	assert_int_equal(open_device(), STATUS_OK);
	fake.queues[3].size_max = 0;
	assert_int_equal(queue_open(3, &queue), STATUS_BAD_HOST);
	assert_int_equal(pages(false), 0);
	fake.queues[3].size_max = UINT32_MAX;
	assert_int_equal(queue_open(3, &queue), STATUS_OK);
	assert_int_equal(queue.size, 8);
	assert_int_equal(fake.queues[3].size, 8);
	assert_int_equal(fake.queues[3].descriptors, queue.ring.at.raw);
	assert_int_equal(fake.queues[3].ready, 1);
	virtio_device_stop(&device);
	virtio_device_queue_close(&device, &queue);
	assert_int_equal(pages(false), 0);
	assert_int_equal(pages(true), 0);
}

static void test_device_queue_open_checks_the_ready_bit(void **state)
{
	(void)state;
	struct virtq queue;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(open_device(), STATUS_OK);
		fake.lies = (struct fake_lies){.queue_ready_already = i == 0,
					       .queue_ready_refused = i == 1};
		assert_int_equal(queue_open(0, &queue), STATUS_BAD_HOST);
		virtio_device_give_up(&device);
		virtio_device_queue_close(&device, &queue);
		assert_int_equal(pages(false), 0);
		fake.lies = (struct fake_lies){0};
	}
}

static void test_device_leaks_its_pages_if_a_reset_is_not_confirmed(void **state) /* 31, 42 */
{
	(void)state;
	struct virtq queue;
	struct shared_region buffer;
	assert_int_equal(open_device(), STATUS_OK);
	assert_int_equal(queue_open(0, &queue), STATUS_OK);
	assert_int_equal(virtio_device_start(&device), STATUS_OK);
	assert_int_equal(sharedmem_region_acquire(&platform.memory, 2, &buffer), STATUS_OK);
	fake.lies.reset_unconfirmed = true;
	virtio_device_give_up(&device);
	assert_int_equal(device.state, VIRTIO_DEVICE_LOST);
	virtio_device_queue_close(&device, &queue);
	virtio_device_region_return(&device, &buffer);
	assert_int_equal(pages(false), 0);
	assert_int_equal(pages(true), 3);
}

static void test_config_needs_a_stable_generation(void **state) /* 9 */
{
	(void)state;
	uint32_t words[2] = {7, 7};
	fake.config[2] = 0x11111111;
	fake.config[3] = 0x22222222;
	assert_int_equal(virtio_transport_config(&transport, 8, words, 2), STATUS_OK);
	assert_int_equal(words[0], 0x11111111);
	assert_int_equal(words[1], 0x22222222);
	words[0] = 7;
	fake.lies.generation_unstable = true;
	fake.generation = 0;
	assert_int_equal(virtio_transport_config(&transport, 8, words, 2), STATUS_BAD_HOST);
	assert_int_equal(words[0], 7);
	assert_int_equal(fake.generation, 2 * VIRTIO_CONFIG_TRIES_MAX);
}

static void test_interrupts_are_taken_and_acknowledged(void **state) /* 28 */
{
	(void)state;
	fake.interrupts = 0xffffffff;
	assert_int_equal(virtio_transport_interrupt_take(&transport), 3);
	assert_int_equal(fake.interrupts, 0xfffffffc);
	assert_int_equal(virtio_transport_interrupt_take(&transport), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_mmio_open_skips_what_is_no_device),
		TEST(test_device_open_follows_the_specification),
		TEST(test_device_open_declines_what_was_not_asked_for),
		TEST(test_device_open_reads_the_features_once),
		TEST(test_device_open_requires_version_1),
		TEST(test_device_open_requires_what_the_driver_requires),
		TEST(test_device_open_rereads_features_ok),
		TEST(test_device_open_refuses_another_type),
		TEST(test_device_open_does_not_wait_for_a_reset_for_ever),
		TEST(test_device_is_opened_again_three_times),
		TEST(test_device_that_is_gone_is_not_waited_for),
		TEST(test_device_queue_open_refuses_an_absent_queue),
		TEST(test_device_queue_open_checks_the_ready_bit),
		TEST(test_device_leaks_its_pages_if_a_reset_is_not_confirmed),
		TEST(test_config_needs_a_stable_generation),
		TEST(test_interrupts_are_taken_and_acknowledged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
