// SPDX-License-Identifier: MIT
/* What the tests of the queue share: a running device with one queue of eight descriptors and, if
 * those are accepted, three indirect tables; it echoes what it is given. */
#pragma once

#include "tests/unit/virtio/fake_device.h"
#include "virtio/virtio_device.h"
#include "virtio/virtq.h"

#define QUEUE_SIZE     8u
#define BUFFER_BYTES   256u
#define TABLES         3u
#define TABLE_SEGMENTS 4u

extern struct fake_platform platform;
extern struct fake_device fake;
extern struct virtio_transport transport;
extern struct virtio_device device;
extern struct virtq queue;
extern struct shared_region buffer;

/* Of the accepted features. */
bool virtq_test_has(uint64_t feature);

int virtq_setup(void **state);
/* Checks the page balance as well. */
int virtq_teardown(void **state);

/* A chain of `read_count` readable and `write_count` writable segments of 16 bytes each. */
enum status virtq_test_submit(uint16_t read_count, uint16_t write_count, struct virtq_token *token);
/* Two chains of one readable and one writable segment. */
void virtq_test_submit_two(void);
/* Let the device work, then poll. */
enum status virtq_test_poll(struct virtq_token *token, uint32_t *written);
/* A poll finds the lie, and from then on nothing works any more. */
void virtq_test_assert_poisoned(enum virtq_lie lie);
