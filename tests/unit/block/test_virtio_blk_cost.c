// SPDX-License-Identifier: MIT
/* What a request costs, counted by the accessors and by the device: no change of visibility, one
 * notification for a batch, and fewer accesses to shared memory with a packed ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/block/blk_fixture.h"

#define BATCHES 50u
#define BATCH   32u

struct cost {
	uint64_t loads;
	uint64_t stores;
	uint64_t notifications;
};

/* BATCHES times BATCH reads of one block, with one kick for a batch or one for each. */
static struct cost measure(void **state, uint64_t features, bool kick_each)
{
	static struct block_request requests[BATCH];
	struct block_request *done = NULL;
	fake_ring_features = features;
	assert_int_equal(blk_test_setup_closed(state), 0);
	fake.device.queues[0].size_max = 256;
	assert_int_equal(blk_test_open(), STATUS_OK);
	const struct block_device *device = virtio_blk_device(&blk);
	const struct sharedmem_counters before = blk_test_pool();
	for (unsigned int batch = 0; batch < BATCHES; batch++) {
		fake_device_step(&fake.device); /* It sleeps. */
		for (size_t i = 0; i < BATCH; i++) {
			requests[i] = (struct block_request){
				.kind = BLOCK_REQUEST_READ,
				.first = {i},
				.count = {1},
				.bytes = back + i * BLOCK_BYTES,
			};
			assert_int_equal(block_submit(device, &requests[i]), STATUS_OK);
			if (kick_each) {
				block_kick(device);
			}
		}
		block_kick(device);
		fake_device_step(&fake.device);
		for (size_t i = 0; i < BATCH; i++) {
			assert_int_equal(block_reap(device, false, &done), STATUS_OK);
			assert_int_equal(done->status, STATUS_OK);
		}
	}
	const struct sharedmem_counters after = blk_test_pool();
	assert_int_equal(after.transitions, before.transitions);
	assert_int_equal(after.pages_lent, before.pages_lent);
	assert_int_equal(after.pages_shared, before.pages_shared);
	const struct cost cost = {
		.loads = after.loads - before.loads,
		.stores = after.stores - before.stores,
		.notifications = fake.device.queues[0].notify_count,
	};
	assert_int_equal(blk_test_teardown(state), 0);
	fake_ring_features = 0;
	return cost;
}

static void show(const char *name, const struct cost *cost)
{
	const uint64_t requests = (uint64_t)BATCHES * BATCH;
	print_message("%-16s %u requests: %u loads, %u stores (%u.%02u accesses each), "
		      "%u notifications\n",
		      name, (unsigned int)requests, (unsigned int)cost->loads,
		      (unsigned int)cost->stores,
		      (unsigned int)((cost->loads + cost->stores) / requests),
		      (unsigned int)((cost->loads + cost->stores) * 100 / requests % 100),
		      (unsigned int)cost->notifications);
}

static void test_blk_packed_ring_costs_fewer_accesses(void **state)
{
	const uint64_t extras[] = {0, VIRTIO_F_EVENT_IDX,
				   VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC,
				   VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_IN_ORDER};
	static const char *const names[] = {"plain", "events", "tables", "in order"};
	for (size_t i = 0; i < ARRAY_COUNT(extras); i++) {
		const struct cost split = measure(state, extras[i], false);
		const struct cost packed = measure(state, extras[i] | VIRTIO_F_RING_PACKED, false);
		print_message("%s\n", names[i]);
		show("  split", &split);
		show("  packed", &packed);
		assert_true(packed.loads + packed.stores < split.loads + split.stores);
		assert_int_equal(split.notifications, BATCHES); /* One for a batch. */
		assert_int_equal(packed.notifications, BATCHES);
	}
}

/* Who kicks for each request is spared the notifications that the device does not need. */
static void test_blk_event_index_saves_notifications(void **state)
{
	for (unsigned int packed = 0; packed < 2; packed++) {
		const uint64_t layout = packed != 0 ? VIRTIO_F_RING_PACKED : 0;
		const struct cost plain = measure(state, layout, true);
		const struct cost events = measure(state, layout | VIRTIO_F_EVENT_IDX, true);
		show(packed != 0 ? "packed, flags" : "split, flags", &plain);
		show(packed != 0 ? "packed, events" : "split, events", &events);
		assert_int_equal(plain.notifications, BATCHES * BATCH);
		assert_int_equal(events.notifications, BATCHES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OWN(test_blk_packed_ring_costs_fewer_accesses),
		OWN(test_blk_event_index_saves_notifications),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
