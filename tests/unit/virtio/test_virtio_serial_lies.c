// SPDX-License-Identifier: MIT
/* The serial driver against a device that lies. Numbers in comments are items of
 * docs/virtio-threats.md, which hold for the service channel as well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/sharedmem/shared_access_host.h"
#include "tests/unit/virtio/serial_fixture.h"

#define NAME_LIMIT VIRTIO_SERIAL_NAME_BYTES_MAX

static uint8_t back[8192];

/* Lends the device a buffer. */
static void want(uint32_t port, size_t size_bytes)
{
	size_t count;
	assert_int_equal(virtio_serial_read(&serial, port, back, size_bytes, &count), STATUS_AGAIN);
}

static enum status open_port(const char *name)
{
	uint32_t port;
	return virtio_serial_port_open(&serial, name, 20000, &port);
}

static void test_serial_needs_multiport(void **state) /* 2, 5 */
{
	(void)state;
	fake.device.offered = VIRTIO_F_VERSION_1 | 5u;
	assert_int_equal(serial_open_driver(), STATUS_UNSUPPORTED);
	fake.device.offered = UINT64_MAX;
	assert_int_equal(serial_open_driver(), STATUS_OK);
	assert_int_equal(fake.device.accepted,
			 VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM | VIRTQ_FEATURES | 2u);
}

static void test_serial_open_survives_any_port_count(void **state) /* 6 */
{
	const struct {
		uint32_t max_ports;
		enum status status;
		uint32_t port_count;
	} cases[] = {
		{0, STATUS_BAD_HOST, 0}, {1, STATUS_OK, 1},           {8, STATUS_OK, 8},
		{31, STATUS_OK, 20},     {UINT32_MAX, STATUS_OK, 20},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(serial_setup_closed(state), 0);
		fake.ports[TPM_NUMBER].exists = false;
		fake.ports[CTRL_NUMBER].exists = false;
		fake.device.config[1] = cases[i].max_ports;
		assert_int_equal(serial_open_driver(), cases[i].status);
		if (cases[i].status == STATUS_OK) {
			assert_int_equal(serial.port_count, cases[i].port_count);
			serial_turns(2);
		}
		assert_int_equal(serial_teardown(state), 0);
	}
}

static void test_serial_open_needs_every_queue(void **state) /* 6 */
{
	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(serial_setup_closed(state), 0);
		fake.device.queues[i].size_max = 0;
		assert_int_equal(serial_open_driver(), STATUS_BAD_HOST);
		assert_int_equal(serial_teardown(state), 0);
	}
}

static void test_serial_works_with_the_smallest_queues(void **state) /* 6 */
{
	(void)state;
	for (uint32_t i = 0; i < FAKE_QUEUES_MAX; i++) {
		fake.device.queues[i].size_max = 1;
	}
	assert_int_equal(serial_open_driver(), STATUS_OK);
	const uint32_t port = serial_open_tpm();
	memset(back, 0x42, sizeof(back));
	assert_int_equal(virtio_serial_write(&serial, port, serial_state(port).generation, back,
					     sizeof(back), 1000000),
			 STATUS_OK);
	fake_serial_client_send(&fake, TPM_NUMBER, back, sizeof(back));
	serial_read_all(port, back, sizeof(back));
}

static void test_serial_declines_ports_beyond_its_own(void **state)
{
	(void)state;
	fake.device.config[1] = 31;
	assert_int_equal(serial_open_driver(), STATUS_OK);
	fake_serial_message(&fake, 30, 1, 0);
	fake_serial_message(&fake, 30, 6, 1); /* Events of declined ports are ignored. */
	fake_serial_message(&fake, 20, 6, 1);
	serial_turns(3);
	fake_device_step(&fake.device);
	assert_int_equal(fake.declined_port, 30);
	assert_int_equal(open_port(TPM_NAME), STATUS_OK);
}

static void test_serial_rejects_port_numbers_beyond_the_claim(void **state)
{
	const uint32_t numbers[] = {4, 8, 0x10001, UINT32_MAX};
	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
		assert_int_equal(serial_setup(state), 0);
		serial_turns(3);
		fake_serial_message(&fake, numbers[i], 6, 1);
		fake_device_step(&fake.device);
		assert_int_equal(virtio_serial_poll(&serial), STATUS_BAD_HOST);
		serial_assert_dead(TPM_NUMBER);
		assert_int_equal(serial_teardown(state), 0);
	}
}

static void test_serial_rejects_cut_messages(void **state)
{
	for (size_t size = 0; size < 8; size++) {
		assert_int_equal(serial_setup(state), 0);
		serial_turns(3);
		fake_serial_raw(&fake, "\1\0\0\0\6\0\1", size);
		fake_device_step(&fake.device);
		assert_int_equal(virtio_serial_poll(&serial), STATUS_BAD_HOST);
		serial_assert_dead(TPM_NUMBER);
		assert_int_equal(serial_teardown(state), 0);
	}
}

static void test_serial_ignores_what_it_does_not_know(void **state)
{
	(void)state;
	serial_turns(3);
	for (uint16_t event = 0; event < 20; event++) {
		fake_serial_message(&fake, 0, event == 1 ? 99 : event, 0xffff); /* Not a port. */
		fake_serial_message(&fake, TPM_NUMBER, (uint16_t)(event + 8), 1);
		serial_turns(2);
	}
	assert_int_equal(open_port(TPM_NAME), STATUS_OK);
}

static void test_serial_refuses_unusable_names(void **state) /* 43 */
{
	static char long_name[NAME_LIMIT + 2];
	const struct {
		const char *name;
		size_t size;
		const char *looked_up;
		enum status status;
	} cases[] = {
		{TPM_NAME, sizeof(TPM_NAME) - 1, TPM_NAME, STATUS_OK}, /* Not terminated. */
		{TPM_NAME "\0\0", sizeof(TPM_NAME) + 2, TPM_NAME, STATUS_OK},
		{TPM_NAME "\0x", sizeof(TPM_NAME) + 1, TPM_NAME, STATUS_NOT_FOUND},
		{TPM_NAME " ", sizeof(TPM_NAME), TPM_NAME, STATUS_NOT_FOUND},
		{"org.holdfast.tpm\x80", 17, TPM_NAME, STATUS_NOT_FOUND},
		{"\x1b[2J", 4, "\x1b[2J", STATUS_NOT_FOUND},
		{"", 0, "", STATUS_NOT_FOUND},
		{"\0", 1, "", STATUS_NOT_FOUND},
		{long_name, NAME_LIMIT + 1, long_name, STATUS_NOT_FOUND},
		{long_name + 1, NAME_LIMIT, long_name + 1, STATUS_OK},
	};
	memset(long_name, 'n', NAME_LIMIT + 1);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(serial_setup_closed(state), 0);
		fake.ports[TPM_NUMBER].name = cases[i].name;
		fake.ports[TPM_NUMBER].name_bytes = cases[i].size;
		assert_int_equal(serial_open_driver(), STATUS_OK);
		assert_int_equal(open_port(cases[i].looked_up), cases[i].status);
		assert_true(cases[i].status == STATUS_OK || serial.ports[TPM_NUMBER].name[0] == 0);
		assert_int_equal(serial_teardown(state), 0);
	}
}

static void test_serial_refuses_two_ports_of_one_name(void **state) /* 15 */
{
	(void)state;
	fake_serial_port_add(&fake, 3, TPM_NAME);
	assert_int_equal(serial_open_driver(), STATUS_OK);
	assert_int_equal(open_port(TPM_NAME), STATUS_EXISTS);
	assert_int_equal(open_port(CTRL_NAME), STATUS_OK);
}

static void test_serial_keeps_the_first_name(void **state)
{
	(void)state;
	assert_int_equal(open_port(CTRL_NAME), STATUS_OK);
	fake_serial_raw(&fake, "\2\0\0\0\7\0\1\0org.holdfast.tpm", 8 + sizeof(TPM_NAME));
	serial_turns(2);
	assert_int_equal(open_port(TPM_NAME), STATUS_OK); /* One port, not two. */
}

static void test_serial_a_storm_of_messages_is_worked_off_in_bounded_pieces(void **state) /* 28 */
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	fake.storm = true;
	for (int i = 0; i < 50; i++) {
		const size_t before = fake.message_delivered;
		serial_turns(1);
		assert_true(fake.message_delivered - before <= VIRTIO_SERIAL_CONTROL_QUEUE_SIZE);
	}
	fake_serial_client_send(&fake, TPM_NUMBER, "hello", 5);
	serial_read_all(port, back, 5);
	assert_memory_equal(back, "hello", 5);
}

/* A device that works on while we look, and always has one message more. */
static uint64_t work_on(void *context, const void *at, unsigned int width, uint64_t actual)
{
	(void)context;
	(void)at;
	(void)width;
	fake_device_step(&fake.device);
	return actual;
}

static void test_serial_a_busy_device_does_not_keep_a_poll_for_ever(void **state) /* 28 */
{
	(void)state;
	const struct shared_access_hook hook = {work_on, NULL};
	(void)serial_open_tpm();
	fake.storm = true;
	shared_access_hook_set(&hook);
	for (int i = 0; i < 10; i++) {
		const size_t before = fake.message_delivered;
		assert_int_equal(virtio_serial_poll(&serial), STATUS_OK);
		assert_true(fake.message_delivered - before <=
			    2 * VIRTIO_SERIAL_CONTROL_QUEUE_SIZE);
	}
}

static void test_serial_ignores_events_of_ports_that_are_not_there(void **state)
{
	(void)state;
	serial_turns(3);
	fake_serial_message(&fake, 3, 6, 1);
	fake_serial_raw(&fake, "\3\0\0\0\7\0\1\0early", 13);
	serial_turns(2);
	assert_int_equal(open_port("early"), STATUS_NOT_FOUND);
	fake_serial_port_add(&fake, 3, "late");
	fake_serial_message(&fake, 3, 1, 0);
	serial_turns(2);
	uint32_t port = 0;
	assert_int_equal(virtio_serial_port_open(&serial, "late", 20000, &port), STATUS_OK);
	assert_false(serial_state(port).host_open);
	assert_int_equal(serial_state(port).generation, 0);
}

static void test_serial_write_knocks_at_a_device_that_sleeps(void **state) /* 27 */
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	const uint32_t generation = serial_state(port).generation;
	fake.device.lies.no_notify_stuck = true;
	fake.device.lies.notify_needed = fake.device.queues[5].notify_count + 1;
	fake_device_step(&fake.device);
	const uint64_t before_us = fake.device.now_us;
	assert_int_equal(
		virtio_serial_write(&serial, port, generation, back, sizeof(back), 1000000),
		STATUS_OK);
	assert_int_equal(
		virtio_serial_write(&serial, port, generation, back, sizeof(back), 1000000),
		STATUS_OK);
	assert_true(fake.device.now_us - before_us < 5 * VIRTIO_REKICK_US);
}

static void test_serial_write_notices_a_device_that_is_gone(void **state) /* 41 */
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	const uint32_t generation = serial_state(port).generation;
	fake.ports[TPM_NUMBER].client_stalled = true;
	fake.device.lies.needs_reset = true;
	assert_int_equal(
		virtio_serial_write(&serial, port, generation, back, sizeof(back), 1000000),
		STATUS_OK); /* Fits into the buffers. */
	assert_int_equal(
		virtio_serial_write(&serial, port, generation, back, sizeof(back), 1000000),
		STATUS_BAD_HOST);
	assert_true(fake.device.now_us < 200000);
	serial_assert_dead(port);
}

static void test_serial_empty_completions_do_not_hang_a_read(void **state)
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	size_t count;
	fake.empty_completions = true;
	for (int i = 0; i < 50; i++) {
		serial_turns(1);
		assert_int_equal(virtio_serial_read(&serial, port, back, 1, &count), STATUS_AGAIN);
	}
	fake.empty_completions = false;
	fake_serial_client_send(&fake, TPM_NUMBER, "hello", 5);
	serial_read_all(port, back, 5);
}

static void test_serial_ring_lies_on_a_port_end_the_device(void **state) /* 16, 17, 19-21, 24 */
{
	const struct fake_lies lies[] = {
		{.used_index_offset = 8},
		{.used_index_offset = -2},
		{.used_id_set = true, .used_id = 8},
		{.used_id_set = true, .used_id = 0x10000},
		{.used_id_set = true, .used_id = 7},
		{.length_set = true, .length = 6}, /* More than was lent. */
		{.length_set = true, .length = 4097},
		{.length_set = true, .length = UINT32_MAX},
	};
	for (size_t i = 0; i < ARRAY_COUNT(lies); i++) {
		size_t count;
		assert_int_equal(serial_setup(state), 0);
		const uint32_t port = serial_open_tpm();
		if (!fake_lies_fit(&fake.device, &lies[i])) {
			assert_int_equal(serial_teardown(state), 0);
			continue;
		}
		fake_serial_client_send(&fake, TPM_NUMBER, back, 5);
		want(port, 5);
		fake.device.lies = lies[i];
		fake_device_step(&fake.device);
		fake.device.lies = (struct fake_lies){0};
		/* Bytes count as the present client's only after a look at the control queue. */
		assert_int_equal(virtio_serial_poll(&serial), STATUS_OK);
		assert_int_equal(virtio_serial_read(&serial, port, back, 5, &count),
				 STATUS_BAD_HOST);
		serial_assert_dead(port);
		assert_int_equal(serial_pool().pages_leaked, 0);
		assert_int_equal(serial_teardown(state), 0);
	}
}

static void test_serial_ring_lies_on_transmit_end_the_device(void **state) /* 24 */
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	const uint32_t generation = serial_state(port).generation;
	assert_int_equal(virtio_serial_write(&serial, port, generation, back, 100, 1000),
			 STATUS_OK);
	fake.device.lies.length_set = true;
	fake.device.lies.length = 1; /* There is nothing to write to. */
	fake_device_step(&fake.device);
	fake.device.lies = (struct fake_lies){0};
	assert_int_equal(virtio_serial_write(&serial, port, generation, back, 100, 1000),
			 STATUS_BAD_HOST);
	serial_assert_dead(port);
}

static void test_serial_a_control_queue_that_stalls_ends_the_device(void **state) /* 38 */
{
	(void)state;
	serial_turns(3);
	fake.control_stalled = true;
	enum status status = STATUS_OK;
	for (int i = 0; i < 40 && status == STATUS_OK; i++) {
		fake_serial_message(&fake, 0, 1, 0); /* Each wants an answer. */
		fake_device_step(&fake.device);
		status = virtio_serial_poll(&serial);
	}
	assert_int_equal(status, STATUS_TIMEOUT);
	assert_in_range(fake.device.now_us, VIRTIO_SERIAL_CONTROL_TIMEOUT_US,
			2 * VIRTIO_SERIAL_CONTROL_TIMEOUT_US);
	serial_assert_dead(TPM_NUMBER);
}

static void test_serial_a_silent_device_is_survived(void **state) /* 28, 38 */
{
	(void)state;
	fake.device.lies.silent = true;
	assert_int_equal(open_port(TPM_NAME), STATUS_NOT_FOUND);
	serial_turns(10);
}

static void test_serial_kicks_a_device_that_suppresses_for_ever(void **state) /* 27 */
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	fake.device.lies.no_notify_stuck = true;
	fake_device_step(&fake.device);
	const unsigned int before = fake.device.queues[4].notify_count;
	want(port, 4096); /* Without a kick. */
	assert_int_equal(fake.device.queues[4].notify_count, before);
	fake.device.now_us += VIRTIO_SERIAL_CHECK_US;
	serial_turns(1);
	assert_int_equal(fake.device.queues[4].notify_count, before + 1);
}

static void test_serial_notices_a_device_that_is_gone(void **state) /* 13, 41 */
{
	const struct fake_lies lies[] = {
		{.needs_reset = true}, {.reset_behind_our_back = true}, {.all_ones = true}};
	for (size_t i = 0; i < ARRAY_COUNT(lies); i++) {
		assert_int_equal(serial_setup(state), 0);
		const uint32_t port = serial_open_tpm();
		fake.device.lies = lies[i];
		fake.device.now_us += VIRTIO_SERIAL_CHECK_US;
		assert_int_equal(virtio_serial_poll(&serial), STATUS_BAD_HOST);
		serial_assert_dead(port);
		fake.device.lies = (struct fake_lies){0};
		assert_int_equal(serial_teardown(state), 0);
	}
}

static void test_serial_leaks_if_the_reset_is_not_confirmed(void **state) /* 31, 42 */
{
	(void)state;
	(void)serial_open_tpm();
	const uint64_t lent = serial_pool().pages_lent;
	fake.device.lies.reset_unconfirmed = true;
	virtio_serial_close(&serial);
	assert_int_equal(serial_pool().pages_leaked, lent);
	serial_assert_dead(TPM_NUMBER);
}

static void test_serial_open_gives_back_what_it_took(void **state)
{
	(void)state;
	struct shared_region hog;
	for (size_t room = 0; room < 12; room++) { /* 4 ports: 10 rings, 2 control pages. */
		transport.failure_count = 0;
		assert_int_equal(
			sharedmem_region_acquire(&platform.memory, FAKE_POOL_PAGES - room, &hog),
			STATUS_OK);
		assert_int_equal(serial_open_driver(), STATUS_NO_MEMORY);
		assert_int_equal(serial_pool().pages_lent, FAKE_POOL_PAGES - room);
		sharedmem_region_release(&hog);
	}
}

static void test_serial_port_open_gives_back_what_it_took(void **state)
{
	(void)state;
	struct shared_region hog;
	serial_turns(3);
	const uint64_t lent = serial_pool().pages_lent;
	for (size_t room = 0; room < VIRTIO_SERIAL_RECEIVE_PAGES + VIRTIO_SERIAL_TRANSMIT_PAGES;
	     room++) {
		assert_int_equal(sharedmem_region_acquire(&platform.memory,
							  FAKE_POOL_PAGES - lent - room, &hog),
				 STATUS_OK);
		assert_int_equal(open_port(TPM_NAME), STATUS_NO_MEMORY);
		assert_int_equal(serial_pool().pages_lent, FAKE_POOL_PAGES - room);
		sharedmem_region_release(&hog);
	}
	assert_int_equal(open_port(TPM_NAME), STATUS_OK); /* The device lives. */
}

static void test_serial_late_writes_do_not_reach_the_caller(void **state) /* 36, 40 */
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	fake_serial_client_send(&fake, TPM_NUMBER, "command", 7);
	serial_read_all(port, back, 7);
	memset(platform.pages, 0xbb, FAKE_POOL_PAGES * PAGE_BYTES);
	assert_memory_equal(back, "command", 7);
}

#define TEST(name)   cmocka_unit_test_setup_teardown(name, serial_setup, serial_teardown)
#define CLOSED(name) cmocka_unit_test_setup_teardown(name, serial_setup_closed, serial_teardown)
#define OWN(name)    cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLOSED(test_serial_needs_multiport),
		OWN(test_serial_open_survives_any_port_count),
		OWN(test_serial_open_needs_every_queue),
		CLOSED(test_serial_works_with_the_smallest_queues),
		CLOSED(test_serial_declines_ports_beyond_its_own),
		OWN(test_serial_rejects_port_numbers_beyond_the_claim),
		OWN(test_serial_rejects_cut_messages),
		TEST(test_serial_ignores_what_it_does_not_know),
		OWN(test_serial_refuses_unusable_names),
		CLOSED(test_serial_refuses_two_ports_of_one_name),
		TEST(test_serial_keeps_the_first_name),
		TEST(test_serial_a_storm_of_messages_is_worked_off_in_bounded_pieces),
		TEST(test_serial_a_busy_device_does_not_keep_a_poll_for_ever),
		TEST(test_serial_ignores_events_of_ports_that_are_not_there),
		TEST(test_serial_write_knocks_at_a_device_that_sleeps),
		TEST(test_serial_write_notices_a_device_that_is_gone),
		TEST(test_serial_empty_completions_do_not_hang_a_read),
		OWN(test_serial_ring_lies_on_a_port_end_the_device),
		TEST(test_serial_ring_lies_on_transmit_end_the_device),
		TEST(test_serial_a_control_queue_that_stalls_ends_the_device),
		TEST(test_serial_a_silent_device_is_survived),
		TEST(test_serial_kicks_a_device_that_suppresses_for_ever),
		OWN(test_serial_notices_a_device_that_is_gone),
		TEST(test_serial_leaks_if_the_reset_is_not_confirmed),
		CLOSED(test_serial_open_gives_back_what_it_took),
		TEST(test_serial_port_open_gives_back_what_it_took),
		TEST(test_serial_late_writes_do_not_reach_the_caller),
	};
	return fake_run_variants(tests, ARRAY_COUNT(tests));
}
