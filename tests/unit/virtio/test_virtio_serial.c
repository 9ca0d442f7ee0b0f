// SPDX-License-Identifier: MIT
/* Streams between clients on the host and the kernel: handshake, data both ways, back-pressure,
 * clients that come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/virtio/serial_fixture.h"

#define BULK_BYTES 300000u

static uint8_t bulk[BULK_BYTES];
static uint8_t back[BULK_BYTES];

/* Ask for bytes that are not there yet: lends the device a buffer for them. */
static void want(uint32_t port, size_t size_bytes)
{
	size_t count;
	assert_int_equal(virtio_serial_read(&serial, port, back, size_bytes, &count), STATUS_AGAIN);
}

static void client_replaces_client(void)
{
	fake_serial_client_leave(&fake, TPM_NUMBER);
	fake_serial_client_connect(&fake, TPM_NUMBER);
}

static void bulk_fill(void)
{
	for (size_t i = 0; i < BULK_BYTES; i++) {
		bulk[i] = (uint8_t)(i * 31 + i / 4096);
	}
}

static void test_serial_finds_ports_by_name(void **state)
{
	(void)state;
	uint32_t port = 99;
	assert_int_equal(virtio_serial_port_open(&serial, CTRL_NAME, 1000000, &port), STATUS_OK);
	assert_int_equal(port, CTRL_NUMBER);
	assert_int_equal(virtio_serial_port_open(&serial, TPM_NAME, 1000000, &port), STATUS_OK);
	assert_int_equal(port, TPM_NUMBER);
	serial_turns(2);
	assert_int_equal(fake.device_ready_count, 1);
	assert_true(fake.ports[TPM_NUMBER].guest_open);
	assert_false(serial_state(port).host_open);
	assert_true(serial_state(port).present);
	assert_int_equal(serial_state(port).generation, 0);
	assert_int_equal(virtio_serial_port_open(&serial, TPM_NAME, 1000000, &port), STATUS_EXISTS);
}

static void test_serial_says_when_there_is_no_such_port(void **state)
{
	(void)state;
	uint32_t port = 99;
	const uint64_t before_us = fake.device.now_us;
	assert_int_equal(virtio_serial_port_open(&serial, "org.holdfast.tp", 200000, &port),
			 STATUS_NOT_FOUND);
	assert_in_range(fake.device.now_us - before_us, 200000, 210000);
	assert_int_equal(virtio_serial_port_open(&serial, "", 1000, &port), STATUS_NOT_FOUND);
	char longest[VIRTIO_SERIAL_NAME_BYTES_MAX + 3];
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(virtio_serial_port_open(&serial, longest, 1000, &port), STATUS_NOT_FOUND);
	assert_int_equal(port, 99);
}

static void test_serial_carries_bytes_both_ways(void **state)
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	bulk_fill();
	fake_serial_client_send(&fake, TPM_NUMBER, bulk, BULK_BYTES);
	serial_read_all(port, back, BULK_BYTES);
	assert_memory_equal(back, bulk, BULK_BYTES);
	assert_int_equal(virtio_serial_write(&serial, port, serial_state(port).generation, back,
					     BULK_BYTES, 1000000),
			 STATUS_OK);
	serial_turns(3); /* The last pages are on the way. */
	assert_int_equal(fake.ports[TPM_NUMBER].from_guest_bytes, BULK_BYTES);
	assert_memory_equal(fake.ports[TPM_NUMBER].from_guest, bulk, BULK_BYTES);
	assert_int_equal(serial_pool().transitions, 1);
}

static void test_serial_reads_in_pieces_of_any_size(void **state)
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	bulk_fill();
	fake_serial_client_send(&fake, TPM_NUMBER, bulk, 10000);
	size_t done = 0;
	for (size_t piece = 1; done < 10000; piece = piece * 5 % 1009 + 1) {
		const size_t left = 10000 - done;
		serial_read_all(port, back + done, piece < left ? piece : left);
		done += piece < left ? piece : left;
	}
	assert_memory_equal(back, bulk, 10000);
	size_t count = 77;
	assert_int_equal(virtio_serial_read(&serial, port, back, 1, &count), STATUS_AGAIN);
	assert_int_equal(count, 77);
}

static void test_serial_holds_the_client_back(void **state) /* 39 */
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	struct fake_serial_port *client = &fake.ports[TPM_NUMBER];
	bulk_fill();
	fake_serial_client_send(&fake, TPM_NUMBER, bulk, BULK_BYTES);
	serial_turns(50);
	assert_int_equal(client->to_guest_taken, 0); /* Nobody asked. */
	want(port, 10);
	want(port, 4096); /* One buffer at a time. */
	serial_turns(50);
	assert_int_equal(client->to_guest_taken, 10);
	serial_read_all(port, back, 9);
	serial_turns(5);
	assert_int_equal(client->to_guest_taken, 10);
	serial_read_all(port, back + 9, 1);
	serial_turns(5);
	assert_int_equal(client->to_guest_taken, 10);
	want(port, 100000);
	serial_turns(5);
	assert_int_equal(client->to_guest_taken, 10 + PAGE_BYTES);
	assert_memory_equal(back, bulk, 10);
}

static void test_serial_write_waits_for_a_client_that_does_not_read(void **state) /* 38, 39 */
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	struct fake_serial_port *client = &fake.ports[TPM_NUMBER];
	const uint32_t generation = serial_state(port).generation;
	client->client_stalled = true;
	const uint64_t before_us = fake.device.now_us;
	assert_int_equal(virtio_serial_write(&serial, port, generation, bulk, BULK_BYTES, 300000),
			 STATUS_TIMEOUT);
	assert_in_range(fake.device.now_us - before_us, 300000, 310000);
	assert_int_equal(client->from_guest_bytes, 0);
	/* That was the client's doing: the device and the other port go on. */
	uint32_t other = 0;
	assert_int_equal(virtio_serial_port_open(&serial, CTRL_NAME, 100000, &other), STATUS_OK);
	/* It reads after all: what was on the way arrives, and writes work again. */
	client->client_stalled = false;
	serial_turns(3);
	assert_int_equal(client->from_guest_bytes, VIRTIO_SERIAL_TRANSMIT_PAGES * PAGE_BYTES);
	assert_int_equal(virtio_serial_write(&serial, port, generation, bulk, 100, 300000),
			 STATUS_OK);
}

/* While a client is ignored the device takes nothing, so nothing of the next one's either. */
static void test_serial_ignores_a_client_until_it_leaves(void **state)
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	struct fake_serial_port *client = &fake.ports[TPM_NUMBER];
	bulk_fill();
	fake_serial_client_send(&fake, TPM_NUMBER, bulk, 100);
	want(port, 10); /* Lent, and filled unseen. */
	for (int i = 0; i < 5; i++) {
		serial_turns(2);
		virtio_serial_ignore(&serial, port);
		assert_false(virtio_serial_pending(&serial));
	}
	assert_int_equal(client->to_guest_taken, 10);
	want(port, 10);
	serial_turns(2);
	serial_read_all(port, back, 4); /* Seen in part. */
	assert_memory_equal(back, bulk + 10, 4);
	for (int i = 0; i < 5; i++) {
		virtio_serial_ignore(&serial, port);
		assert_false(virtio_serial_pending(&serial));
		serial_turns(2);
	}
	assert_int_equal(client->to_guest_taken, 20);
	fake_serial_client_leave(&fake, TPM_NUMBER);
	client->to_guest_bytes = client->to_guest_taken; /* Its socket is gone. */
	fake_serial_client_connect(&fake, TPM_NUMBER);
	fake_serial_client_send(&fake, TPM_NUMBER, "hello", 5);
	serial_turns(2);
	virtio_serial_ignore(&serial, port);
	serial_read_all(port, back, 5);
	assert_memory_equal(back, "hello", 5);
	assert_false(serial_state(port).doubtful);
}

/* QEMU 7.2 forgets the buffer that it was working on when a client leaves. */
static void test_serial_says_that_a_port_is_stuck(void **state)
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	struct fake_serial_port *client = &fake.ports[TPM_NUMBER];
	client->client_stalled = true;
	assert_false(virtio_serial_port_is_stuck(&serial, port));
	assert_int_equal(virtio_serial_write(&serial, port, serial_state(port).generation, bulk,
					     BULK_BYTES, 300000),
			 STATUS_TIMEOUT);
	/* The client may still read. */
	assert_false(virtio_serial_port_is_stuck(&serial, port));
	client->buffers_kept = true;
	fake_serial_client_leave(&fake, TPM_NUMBER);
	serial_turns(3);
	assert_true(virtio_serial_port_is_stuck(&serial, port));
	/* A device that does give them back has done no harm. */
	client->buffers_kept = false;
	serial_turns(3);
	assert_false(virtio_serial_port_is_stuck(&serial, port));
}

/* A client that hangs up in the middle of a write; connects again at once if `replaced`. */
static bool replaced;

static void leave_after_a_while(struct fake_device *device)
{
	(void)device;
	if (fake.ports[TPM_NUMBER].from_guest_bytes > 40000 && fake.ports[TPM_NUMBER].host_open) {
		fake.device.tick = NULL;
		fake_serial_client_leave(&fake, TPM_NUMBER);
		if (replaced) {
			fake.ports[TPM_NUMBER].from_guest_bytes = 0;
			fake.ports[TPM_NUMBER].client_stalled = true;
			fake_serial_client_connect(&fake, TPM_NUMBER);
		}
	}
}

static void test_serial_write_ends_when_the_client_leaves(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(serial_setup(state), 0);
		const uint32_t port = serial_open_tpm();
		replaced = i == 1;
		fake.device.tick = leave_after_a_while;
		assert_int_equal(virtio_serial_write(&serial, port, serial_state(port).generation,
						     bulk, BULK_BYTES, 1000000),
				 STATUS_NO_DEVICE);
		assert_int_equal(serial_state(port).host_open, replaced);
		assert_int_equal(serial_teardown(state), 0);
	}
}

static void test_serial_never_answers_another_client(void **state)
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	const uint32_t generation = serial_state(port).generation;
	fake_serial_client_leave(&fake, TPM_NUMBER);
	fake_serial_client_connect(&fake, TPM_NUMBER);
	fake_device_step(&fake.device); /* The driver has not looked yet. */
	assert_int_equal(virtio_serial_write(&serial, port, generation, bulk, 100, 100000),
			 STATUS_NO_DEVICE);
	fake_device_step(&fake.device);
	assert_int_equal(fake.ports[TPM_NUMBER].from_guest_bytes, 0);
	assert_int_equal(virtio_serial_write(&serial, port, serial_state(port).generation, bulk,
					     100, 100000),
			 STATUS_OK);
}

static void test_serial_write_to_nobody_is_refused(void **state)
{
	(void)state;
	uint32_t port = 0;
	assert_int_equal(virtio_serial_port_open(&serial, TPM_NAME, 1000000, &port), STATUS_OK);
	assert_int_equal(virtio_serial_write(&serial, port, 0, bulk, 100, 100000),
			 STATUS_NO_DEVICE);
	assert_int_equal(fake.ports[TPM_NUMBER].discarded_bytes, 0);
}

static void test_serial_generation_tells_clients_apart(void **state)
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	assert_int_equal(serial_state(port).generation, 1);
	fake_serial_client_leave(&fake, TPM_NUMBER);
	serial_turns(2);
	assert_false(serial_state(port).host_open);
	assert_int_equal(serial_state(port).generation, 2);
	fake_serial_client_connect(&fake, TPM_NUMBER);
	serial_turns(2);
	assert_int_equal(serial_state(port).generation, 3);
	/* A device that forgets to report the close. */
	fake_serial_client_connect(&fake, TPM_NUMBER);
	serial_turns(2);
	assert_int_equal(serial_state(port).generation, 4);
}

static void test_serial_drops_what_a_client_left_behind(void **state)
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	bulk_fill();
	for (size_t read = 0; read <= 100; read += 50) { /* Not taken, half read, read. */
		fake_serial_client_send(&fake, TPM_NUMBER, bulk, 100);
		want(port, 100);
		fake_device_step(&fake.device);
		if (read > 0) {
			serial_read_all(port, back, read);
		}
		fake_serial_client_leave(&fake, TPM_NUMBER);
		serial_turns(2);
		want(port, 10);
		/* The next one starts afresh. */
		fake_serial_client_connect(&fake, TPM_NUMBER);
		serial_turns(2);
		fake_serial_client_send(&fake, TPM_NUMBER, "hello", 5);
		serial_read_all(port, back, 5);
		assert_memory_equal(back, "hello", 5);
		assert_false(serial_state(port).doubtful);
	}
}

/* A client that left and one that came between two looks: what was taken before is known to be of
 * the one that left. */
static void test_serial_drops_what_was_taken_from_an_earlier_client(void **state)
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	fake_serial_client_send(&fake, TPM_NUMBER, "old", 3);
	want(port, 3);
	serial_turns(2);
	serial_read_all(port, back, 1);
	client_replaces_client();
	serial_turns(2);
	fake_serial_client_send(&fake, TPM_NUMBER, "new", 3);
	serial_read_all(port, back, 3);
	assert_memory_equal(back, "new", 3);
	assert_false(serial_state(port).doubtful);
}

/* A buffer lent to one client and filled when another is there: it may be of either. */
static void test_serial_says_what_it_cannot_tell_apart(void **state)
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	for (int who = 0; who < 2; who++) {
		size_t count = 0;
		want(port, 1);
		if (who == 0) {
			client_replaces_client();
			fake_serial_client_send(&fake, TPM_NUMBER, "hello", 5);
			fake_device_step(&fake.device);
		} else {
			fake_serial_client_send(&fake, TPM_NUMBER, "h", 1);
			fake_device_step(&fake.device);
			client_replaces_client();
			fake_serial_client_send(&fake, TPM_NUMBER, "ello", 4);
			fake_device_step(&fake.device);
		}
		serial_turns(1);
		assert_int_equal(virtio_serial_read(&serial, port, back, 5, &count), STATUS_OK);
		assert_int_equal(count, 1);
		assert_true(serial_state(port).doubtful);
		want(port, 4);
		serial_turns(2);
		assert_int_equal(virtio_serial_read(&serial, port, back + 1, 4, &count), STATUS_OK);
		assert_int_equal(count, 4);
		assert_false(serial_state(port).doubtful); /* The next is beyond doubt. */
		assert_memory_equal(back, "hello", 5);
	}
}

static void test_serial_lends_nothing_while_nobody_is_there(void **state)
{
	(void)state;
	uint32_t port = 0;
	assert_int_equal(virtio_serial_port_open(&serial, TPM_NAME, 1000000, &port), STATUS_OK);
	want(port, 10);
	assert_null(fake_device_pending(&fake.device, 4));
	/* The client came, sent, left and was replaced before we looked: no doubt about the bytes.
	 */
	fake_serial_client_connect(&fake, TPM_NUMBER);
	client_replaces_client();
	fake_serial_client_send(&fake, TPM_NUMBER, "hello", 5);
	serial_turns(3);
	serial_read_all(port, back, 5);
	assert_memory_equal(back, "hello", 5);
	assert_false(serial_state(port).doubtful);
}

/* A client that connects and sends between our look at the control queue and our read: its bytes
 * are not handed out under the generation before, or the caller would throw them away. */
static void test_serial_bytes_come_after_their_generation(void **state)
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	size_t count = 0;
	want(port, 5);
	client_replaces_client();
	fake_serial_client_send(&fake, TPM_NUMBER, "hello", 5);
	fake_device_step(&fake.device);
	want(port, 5);
	assert_int_equal(virtio_serial_poll(&serial), STATUS_OK);
	assert_int_equal(serial_state(port).generation, 3);
	assert_int_equal(virtio_serial_read(&serial, port, back, 5, &count), STATUS_OK);
	assert_memory_equal(back, "hello", 5);
}

static void test_serial_tells_when_it_may_sleep(void **state) /* 28 */
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	want(port, 2);
	virtio_serial_interrupts_want(&serial, true);
	assert_int_equal(serial_interrupts_of(&serial.ports[port].receive), 0);
	assert_false(virtio_serial_pending(&serial));
	fake_serial_client_send(&fake, TPM_NUMBER, "hi", 2);
	fake_device_step(&fake.device);
	assert_true(virtio_serial_pending(&serial));
	assert_int_equal(serial_interrupts_of(&serial.ports[port].receive), 1);
	virtio_serial_interrupt_ack(&serial);
	assert_int_equal(fake.device.interrupts, 0);
	serial_read_all(port, back, 1);
	assert_true(virtio_serial_pending(&serial)); /* A byte is left. */
	serial_read_all(port, back, 1);
	assert_false(virtio_serial_pending(&serial));
	fake_serial_client_leave(&fake, TPM_NUMBER);
	const unsigned int before = serial_interrupts_of(&serial.control_receive);
	fake_device_step(&fake.device);
	assert_int_equal(serial_interrupts_of(&serial.control_receive), before + 1);
	assert_true(virtio_serial_pending(&serial));
	serial_turns(1);
	assert_false(virtio_serial_pending(&serial));
	virtio_serial_interrupts_want(&serial, false);
	fake_serial_client_connect(&fake, TPM_NUMBER);
	fake_device_step(&fake.device);
	assert_true(virtio_serial_pending(&serial));
	assert_int_equal(serial_interrupts_of(&serial.control_receive), before + 1);
}

static void test_serial_port_opened_later_has_interrupts_too(void **state)
{
	(void)state;
	uint32_t port = 0;
	virtio_serial_interrupts_want(&serial, true);
	assert_int_equal(virtio_serial_port_open(&serial, CTRL_NAME, 1000000, &port), STATUS_OK);
	fake_serial_client_connect(&fake, CTRL_NUMBER);
	serial_turns(3);
	want(port, 2);
	fake_serial_client_send(&fake, CTRL_NUMBER, "hi", 2);
	fake_device_step(&fake.device);
	assert_int_equal(serial_interrupts_of(&serial.ports[port].receive), 1);
}

static void test_serial_survives_removal_and_return_of_a_port(void **state)
{
	(void)state;
	uint32_t port = serial_open_tpm();
	size_t count;
	fake_serial_client_send(&fake, TPM_NUMBER, "old", 3);
	want(port, 3);
	fake_device_step(&fake.device);
	fake_serial_message(&fake, TPM_NUMBER, 2, 0);
	serial_turns(2);
	assert_false(serial_state(port).present);
	assert_int_equal(virtio_serial_read(&serial, port, back, 1, &count), STATUS_NO_DEVICE);
	assert_int_equal(virtio_serial_write(&serial, port, 1, back, 1, 1000), STATUS_NO_DEVICE);
	assert_int_equal(virtio_serial_port_open(&serial, TPM_NAME, 1000, &port), STATUS_NOT_FOUND);
	const uint64_t lent = serial_pool().pages_lent;
	fake_serial_message(&fake, TPM_NUMBER, 1, 0);
	assert_int_equal(virtio_serial_port_open(&serial, TPM_NAME, 100000, &port), STATUS_OK);
	assert_int_equal(serial_pool().pages_lent, lent); /* The buffers of before. */
	fake_serial_client_connect(&fake, TPM_NUMBER);
	serial_turns(2);
	fake_serial_client_send(&fake, TPM_NUMBER, "new", 3);
	serial_read_all(port, back, 3);
	assert_memory_equal(back, "new", 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serial_setup, serial_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_serial_finds_ports_by_name),
		TEST(test_serial_says_when_there_is_no_such_port),
		TEST(test_serial_carries_bytes_both_ways),
		TEST(test_serial_reads_in_pieces_of_any_size),
		TEST(test_serial_holds_the_client_back),
		TEST(test_serial_write_waits_for_a_client_that_does_not_read),
		TEST(test_serial_ignores_a_client_until_it_leaves),
		TEST(test_serial_says_that_a_port_is_stuck),
		cmocka_unit_test(test_serial_write_ends_when_the_client_leaves),
		TEST(test_serial_never_answers_another_client),
		TEST(test_serial_write_to_nobody_is_refused),
		TEST(test_serial_generation_tells_clients_apart),
		TEST(test_serial_drops_what_a_client_left_behind),
		TEST(test_serial_drops_what_was_taken_from_an_earlier_client),
		TEST(test_serial_says_what_it_cannot_tell_apart),
		TEST(test_serial_lends_nothing_while_nobody_is_there),
		TEST(test_serial_bytes_come_after_their_generation),
		TEST(test_serial_tells_when_it_may_sleep),
		TEST(test_serial_port_opened_later_has_interrupts_too),
		TEST(test_serial_survives_removal_and_return_of_a_port),
	};
	return fake_run_variants(tests, ARRAY_COUNT(tests));
}
