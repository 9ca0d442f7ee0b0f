// SPDX-License-Identifier: MIT
#include "tests/unit/virtio/serial_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/sharedmem/shared_access_host.h"

struct fake_platform platform;
struct fake_serial fake;
struct virtio_transport transport;
struct virtio_serial serial;

int serial_setup_closed(void **state)
{
	(void)state;
	shared_access_hook_set(NULL);
	memset(&serial, 0, sizeof(serial));
	fake_platform_init(&platform);
	fake_serial_init(&fake, &platform, 4);
	fake_serial_port_add(&fake, TPM_NUMBER, TPM_NAME);
	fake_serial_port_add(&fake, CTRL_NUMBER, CTRL_NAME);
	return virtio_mmio_open(&transport, &fake.device.registers) == STATUS_OK ? 0 : -1;
}

enum status serial_open_driver(void)
{
	const struct virtio_serial_environment environment = {
		.transport = &transport,
		.memory = &platform.memory,
		.clock = &fake.device.clock,
	};
	return virtio_serial_open(&serial, &environment);
}

int serial_setup(void **state)
{
	return serial_setup_closed(state) == 0 && serial_open_driver() == STATUS_OK ? 0 : -1;
}

int serial_teardown(void **state)
{
	(void)state;
	shared_access_hook_set(NULL);
	virtio_serial_close(&serial);
	virtio_serial_close(&serial);
	assert_int_equal(serial_pool().pages_lent, 0);
	assert_int_equal(serial_pool().transitions, 1);
	return 0;
}

struct sharedmem_counters serial_pool(void)
{
	struct sharedmem_counters counters;
	sharedmem_counters_get(&platform.memory, &counters);
	return counters;
}

void serial_turns(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		fake_device_step(&fake.device);
		assert_int_equal(virtio_serial_poll(&serial), STATUS_OK);
	}
}

uint32_t serial_open_tpm(void)
{
	uint32_t port = 99;
	fake_serial_client_connect(&fake, TPM_NUMBER);
	assert_int_equal(virtio_serial_port_open(&serial, TPM_NAME, 1000000, &port), STATUS_OK);
	serial_turns(3);
	assert_true(serial_state(port).host_open);
	return port;
}

struct virtio_serial_port_state serial_state(uint32_t port)
{
	struct virtio_serial_port_state state;
	virtio_serial_port_state(&serial, port, &state);
	return state;
}

void serial_read_all(uint32_t port, uint8_t *out, size_t size_bytes)
{
	size_t done = 0;
	for (unsigned int turns = 0; done < size_bytes; turns++) {
		size_t count = 0;
		assert_true(turns < 100000);
		const enum status status =
			virtio_serial_read(&serial, port, out + done, size_bytes - done, &count);
		if (status == STATUS_AGAIN) {
			serial_turns(1);
			continue;
		}
		assert_int_equal(status, STATUS_OK);
		assert_true(count > 0);
		done += count;
	}
}

void serial_assert_dead(uint32_t port)
{
	uint8_t byte = 0;
	size_t count;
	uint32_t other;
	assert_int_equal(virtio_serial_poll(&serial), STATUS_BAD_HOST);
	assert_int_equal(virtio_serial_read(&serial, port, &byte, 1, &count), STATUS_BAD_HOST);
	assert_int_equal(virtio_serial_write(&serial, port, 1, &byte, 1, 1000), STATUS_BAD_HOST);
	assert_int_equal(virtio_serial_port_open(&serial, CTRL_NAME, 1000, &other),
			 STATUS_BAD_HOST);
	assert_false(virtio_serial_pending(&serial));
	assert_false(serial_state(port).host_open);
	virtio_serial_interrupts_want(&serial, true);
	virtio_serial_interrupt_ack(&serial);
	assert_int_equal(serial_pool().pages_lent, 0);
}

unsigned int serial_interrupts_of(const struct virtq *queue)
{
	return fake.device.queues[queue->queue_index].interrupt_count;
}
