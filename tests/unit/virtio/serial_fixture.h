// SPDX-License-Identifier: MIT
/* What the tests of the serial driver share: a device with two ports, and the driver opened on it.
 */
#pragma once

#include "tests/unit/virtio/fake_serial.h"
#include "virtio/virtio_serial.h"

#define TPM_NAME    "org.holdfast.tpm"
#define TPM_NUMBER  1u
#define CTRL_NAME   "org.holdfast.control"
#define CTRL_NUMBER 2u

extern struct fake_platform platform;
extern struct fake_serial fake;
extern struct virtio_transport transport;
extern struct virtio_serial serial;

/* cmocka's setup: the fake device is there, the driver is not open. */
int serial_setup_closed(void **state);
/* The driver is open, the ports are not. */
int serial_setup(void **state);
/* Closes, and checks that every page is back or leaked. */
int serial_teardown(void **state);

enum status serial_open_driver(void);
/* Open the TPM port and connect a client; returns after its event was taken. */
uint32_t serial_open_tpm(void);
struct virtio_serial_port_state serial_state(uint32_t port);
struct sharedmem_counters serial_pool(void);
/* Let the device work and the driver listen, a few times. */
void serial_turns(unsigned int count);
/* Read exactly `size_bytes`; fails the test if they do not come. */
void serial_read_all(uint32_t port, uint8_t *out, size_t size_bytes);
/* The device is dead: every call says so, nothing is lent any more. */
void serial_assert_dead(uint32_t port);
/* How many interrupts the device would have sent for a queue, because we wanted them. */
unsigned int serial_interrupts_of(const struct virtq *queue);
