// SPDX-License-Identifier: MIT
/* What the tests of virtio-blk share: a fake disk, the driver opened on it, calls through the port.
 */
#pragma once

#include "block/virtio_blk.h"
#include "tests/unit/block/fake_blk.h"

#define ALL_BLOCKS (FAKE_BLK_BLOCKS * (size_t)BLOCK_BYTES)

extern struct fake_platform platform;
extern struct fake_blk fake;
extern struct virtio_transport transport;
extern struct virtio_blk blk;
extern uint8_t bytes[ALL_BLOCKS]; /* A pattern. */
extern uint8_t back[ALL_BLOCKS];

/* What blk_test_open() opens with; the setup fills it in. */
extern struct virtio_blk_environment blk_test_environment;

/* Everything but the open: for tests that tamper with the configuration. */
int blk_test_setup_closed(void **state);
int blk_test_setup(void **state);
/* Closes, and checks that every page is back or leaked. */
int blk_test_teardown(void **state);

enum status blk_test_open(void);
struct sharedmem_counters blk_test_pool(void);
struct block_device_counters blk_test_counters(void);
enum status blk_test_read(uint64_t first, uint64_t count, uint8_t *out);
enum status blk_test_write(uint64_t first, uint64_t count, const uint8_t *from);
enum status blk_test_flush(void);
/* Every call says so, without asking the device; nothing is lent any more. */
void blk_test_assert_dead(void);

#define TEST(name)   cmocka_unit_test_setup_teardown(name, blk_test_setup, blk_test_teardown)
#define CLOSED(name) cmocka_unit_test_setup_teardown(name, blk_test_setup_closed, blk_test_teardown)
#define OWN(name)    cmocka_unit_test(name)
