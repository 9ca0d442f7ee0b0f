// SPDX-License-Identifier: MIT
/* Clients that die in the middle of an answer, and the new start of the device that this leads to:
 * what the next client has sent by then is not lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/virtio/serial_fixture.h"

#define DRAIN_US 100000u

static const uint8_t answer[100] = {0x80, 1};
static uint8_t bytes[2 * VIRTIO_SERIAL_CARRIED_BYTES];

static enum status write_answer(uint32_t port)
{
	return virtio_serial_write(&serial, port, serial_state(port).generation, answer,
				   sizeof(answer), 1000);
}

static enum status read_some(uint32_t port, size_t size_bytes, size_t *count)
{
	return virtio_serial_read(&serial, port, bytes, size_bytes, count);
}

/* Without a buffer that it may fill, the device would learn of the death from the write, and pass
 * nothing on to the next client (fake_serial_client_die). */
static void test_serial_listens_while_it_writes(void **state)
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	struct fake_serial_port *client = &fake.ports[TPM_NUMBER];
	for (int i = 0; i < 3; i++) {
		fake_serial_client_die(&fake, TPM_NUMBER);
		assert_int_equal(write_answer(port), STATUS_OK);
		serial_turns(3);
		assert_false(serial_state(port).host_open);
		fake_serial_client_connect(&fake, TPM_NUMBER);
		serial_turns(3);
		client->from_guest_bytes = 0;
		assert_int_equal(write_answer(port), STATUS_OK);
		serial_turns(3);
		assert_int_equal(client->from_guest_bytes, sizeof(answer));
	}
}

/* To a client that does not keep up nothing is lent: it may be ignored from now on. */
static void test_serial_lends_a_slow_client_nothing(void **state)
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	struct fake_serial_port *client = &fake.ports[TPM_NUMBER];
	client->client_stalled = true;
	size_t count;
	fake_serial_client_send(&fake, TPM_NUMBER, "12", 2);
	assert_int_equal(write_answer(port), STATUS_OK);
	serial_turns(2);
	assert_int_equal(client->to_guest_taken, 1);
	assert_int_equal(read_some(port, 1, &count), STATUS_OK);
	assert_int_equal(write_answer(port), STATUS_OK);
	serial_turns(2);
	assert_int_equal(client->to_guest_taken, 1);
}

/* All pages on the way to clients that left. The next one has connected and sent `text`. */
static uint32_t stuck_port(const char *text)
{
	const uint32_t port = serial_open_tpm();
	struct fake_serial_port *client = &fake.ports[TPM_NUMBER];
	size_t count;
	client->buffers_kept = true;
	for (unsigned int i = 0; i < VIRTIO_SERIAL_TRANSMIT_PAGES; i++) {
		assert_int_equal(write_answer(port), STATUS_OK);
	}
	assert_int_equal(read_some(port, VIRTIO_SERIAL_CARRIED_BYTES, &count), STATUS_AGAIN);
	fake_serial_client_leave(&fake, TPM_NUMBER);
	fake_serial_client_connect(&fake, TPM_NUMBER);
	fake_serial_client_send(&fake, TPM_NUMBER, text, strlen(text));
	serial_turns(3);
	assert_true(virtio_serial_port_is_stuck(&serial, port));
	client->buffers_kept = false;
	return port;
}

/* Restart, and find the port again. */
static uint32_t restarted_port(void)
{
	uint32_t port = 99;
	assert_int_equal(virtio_serial_restart(&serial, DRAIN_US), STATUS_OK);
	assert_int_equal(virtio_serial_port_open(&serial, TPM_NAME, 1000000, &port), STATUS_OK);
	serial_turns(3);
	return port;
}

static void test_serial_restart_keeps_what_has_arrived(void **state)
{
	(void)state;
	uint32_t port = stuck_port("h");
	size_t count = 0;
	/* What is read now could not be answered, and would be lost. */
	assert_int_equal(read_some(port, 10, &count), STATUS_AGAIN);
	assert_int_equal(fake.ports[TPM_NUMBER].to_guest_taken, 1);
	port = restarted_port();
	assert_false(virtio_serial_port_is_stuck(&serial, port));
	fake_serial_client_send(&fake, TPM_NUMBER, "ello", 4);
	assert_int_equal(read_some(port, 10, &count), STATUS_OK);
	assert_int_equal(count, 1);
	assert_true(serial_state(port).doubtful); /* Of a client before or after. */
	serial_read_all(port, bytes + 1, 4);
	assert_false(serial_state(port).doubtful);
	assert_memory_equal(bytes, "hello", 5);
	assert_int_equal(write_answer(port), STATUS_OK);
	serial_turns(3);
	assert_int_equal(fake.ports[TPM_NUMBER].from_guest_bytes, sizeof(answer));
}

/* Nobody is announced behind the restart: it is the next one's to judge. */
static void test_serial_restart_keeps_it_for_the_next_client(void **state)
{
	(void)state;
	(void)stuck_port("h");
	fake.ports[TPM_NUMBER].host_open = false; /* Left unseen. */
	const uint32_t port = restarted_port();
	size_t count = 0;
	assert_int_equal(read_some(port, 10, &count), STATUS_AGAIN);
	fake_serial_client_connect(&fake, TPM_NUMBER);
	serial_turns(2);
	assert_int_equal(read_some(port, 10, &count), STATUS_OK);
	assert_int_equal(count, 1);
	assert_true(serial_state(port).doubtful);
}

static void test_serial_restart_drops_it_with_its_client(void **state)
{
	(void)state;
	(void)stuck_port("h");
	const uint32_t port = restarted_port();
	fake_serial_client_leave(&fake, TPM_NUMBER);
	fake_serial_client_connect(&fake, TPM_NUMBER);
	fake_serial_client_send(&fake, TPM_NUMBER, "x", 1);
	serial_turns(2);
	serial_read_all(port, bytes, 1);
	assert_int_equal(bytes[0], 'x');
}

/* The numbers are the host's: what was kept goes by the name. */
static void test_serial_restart_gives_it_to_no_other_port(void **state)
{
	(void)state;
	(void)stuck_port("h");
	fake.ports[TPM_NUMBER].name = "org.other";
	fake.ports[TPM_NUMBER].name_bytes = sizeof("org.other");
	uint32_t port = 99;
	size_t count = 0;
	assert_int_equal(virtio_serial_restart(&serial, DRAIN_US), STATUS_OK);
	assert_int_equal(virtio_serial_port_open(&serial, "org.other", 1000000, &port), STATUS_OK);
	serial_turns(3);
	assert_int_equal(read_some(port, 10, &count), STATUS_AGAIN);
}

/* A client that reads slowly gets its answer, one that does not read holds nobody up for long. */
static void test_serial_restart_waits_for_answers(void **state)
{
	(void)state;
	(void)stuck_port("h");
	uint32_t other = 99;
	fake_serial_client_connect(&fake, CTRL_NUMBER);
	assert_int_equal(virtio_serial_port_open(&serial, CTRL_NAME, 1000000, &other), STATUS_OK);
	serial_turns(3);
	assert_int_equal(write_answer(other), STATUS_OK);
	const uint64_t before_us = fake.device.now_us;
	assert_int_equal(virtio_serial_restart(&serial, DRAIN_US), STATUS_OK);
	assert_in_range(fake.device.now_us - before_us, 0, DRAIN_US / 2);
	assert_int_equal(fake.ports[CTRL_NUMBER].from_guest_bytes, sizeof(answer));

	assert_int_equal(virtio_serial_port_open(&serial, CTRL_NAME, 1000000, &other), STATUS_OK);
	serial_turns(3);
	fake.ports[CTRL_NUMBER].client_stalled = true;
	assert_int_equal(write_answer(other), STATUS_OK);
	const uint64_t stalled_us = fake.device.now_us;
	assert_int_equal(virtio_serial_restart(&serial, DRAIN_US), STATUS_OK);
	assert_in_range(fake.device.now_us - stalled_us, DRAIN_US, 2 * DRAIN_US);
}

/* A device that does not confirm its reset may still write: nothing of it is believed. */
static void test_serial_restart_of_a_device_that_goes_on(void **state)
{
	(void)state;
	const uint32_t port = stuck_port("h");
	fake.device.lies.reset_unconfirmed = true;
	assert_int_not_equal(virtio_serial_restart(&serial, DRAIN_US), STATUS_OK);
	assert_int_equal(virtio_serial_restart(&serial, DRAIN_US), STATUS_BAD_HOST);
	size_t count;
	assert_int_equal(read_some(port, 1, &count), STATUS_BAD_HOST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serial_setup, serial_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_serial_listens_while_it_writes),
		TEST(test_serial_lends_a_slow_client_nothing),
		TEST(test_serial_restart_keeps_what_has_arrived),
		TEST(test_serial_restart_keeps_it_for_the_next_client),
		TEST(test_serial_restart_drops_it_with_its_client),
		TEST(test_serial_restart_gives_it_to_no_other_port),
		TEST(test_serial_restart_waits_for_answers),
		TEST(test_serial_restart_of_a_device_that_goes_on),
	};
	return fake_run_variants(tests, ARRAY_COUNT(tests));
}
