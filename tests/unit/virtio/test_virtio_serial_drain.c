// SPDX-License-Identifier: MIT
/* What has gone out to a client, and what is only on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/virtio/serial_fixture.h"

static const uint8_t bulk[100];

/* A write is done when all of it is queued; only a drain says that it has gone out. */
static void test_serial_drain_waits_until_all_has_gone_out(void **state)
{
	(void)state;
	const uint32_t port = serial_open_tpm();
	struct fake_serial_port *client = &fake.ports[TPM_NUMBER];
	const uint32_t generation = serial_state(port).generation;
	assert_int_equal(virtio_serial_drain(&serial, port, 1000), STATUS_OK); /* Nothing to do. */
	client->client_stalled = true;
	assert_int_equal(virtio_serial_write(&serial, port, generation, bulk, 100, 1000),
			 STATUS_OK);
	const uint64_t before_us = fake.device.now_us;
	assert_int_equal(virtio_serial_drain(&serial, port, 300000), STATUS_TIMEOUT);
	assert_in_range(fake.device.now_us - before_us, 300000, 310000);
	client->client_stalled = false;
	assert_int_equal(virtio_serial_drain(&serial, port, 300000), STATUS_OK);
	assert_int_equal(client->from_guest_bytes, 100);
	fake.device.lies.needs_reset = true;
	client->client_stalled = true;
	assert_int_equal(virtio_serial_write(&serial, port, generation, bulk, 100, 1000),
			 STATUS_OK);
	assert_int_equal(virtio_serial_drain(&serial, port, 300000), STATUS_BAD_HOST);
	assert_int_not_equal(virtio_serial_drain(&serial, port, 300000), STATUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_serial_drain_waits_until_all_has_gone_out,
						serial_setup, serial_teardown),
	};
	return fake_run_variants(tests, ARRAY_COUNT(tests));
}
