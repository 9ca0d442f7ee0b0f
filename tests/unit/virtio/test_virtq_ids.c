// SPDX-License-Identifier: MIT
/* The free ids of a queue, with the list anywhere in its ring: the order in which ids come back,
 * and that none is out twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/expect_check.h"
#include "virtio/virtq_internal.h"

#define SIZE 4u

static struct virtq_slot slots[SIZE];
static struct virtq ids;

static int setup(void **state)
{
	(void)state;
	ids = (struct virtq){.slots = slots, .size = SIZE};
	virtq_ids_init(&ids);
	return 0;
}

static unsigned free_count(void)
{
	unsigned count = 0;
	for (unsigned i = 0; i < SIZE; i++) {
		count += slots[i].ring_entries == 0 ? 1 : 0;
	}
	return count;
}

static void test_virtq_ids_come_in_order_at_first(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SIZE; i++) {
		assert_int_equal(virtq_id_take(&ids, 1), i);
		assert_false(slots[i].ring_entries == 0);
	}
	assert_int_equal(ids.free_ids, 0);
}

/* An id is used again only after all those that were free before it. */
static void test_virtq_ids_come_back_in_the_order_of_their_return(void **state)
{
	(void)state;
	const uint16_t order[] = {2, 0, 3, 1};
	for (unsigned lap = 0; lap < 3 * SIZE; lap++) {
		for (unsigned i = 0; i < SIZE; i++) {
			(void)virtq_id_take(&ids, 1);
		}
		for (unsigned i = 0; i < SIZE; i++) {
			virtq_id_give(&ids, order[i]);
		}
		for (unsigned i = 0; i < SIZE; i++) {
			assert_int_equal(virtq_id_take(&ids, 1), order[i]);
		}
		for (uint16_t id = 0; id < SIZE; id++) {
			virtq_id_give(&ids, id);
		}
		/* The next lap finds the list begin one place further on. */
		virtq_id_give(&ids, virtq_id_take(&ids, 1));
		assert_int_equal(free_count(), SIZE);
	}
}

static void test_virtq_ids_out_are_distinct_wherever_the_list_begins(void **state)
{
	(void)state;
	for (unsigned turn = 0; turn < 10 * SIZE; turn++) {
		const uint16_t a = virtq_id_take(&ids, 1);
		const uint16_t b = virtq_id_take(&ids, 1);
		const uint16_t c = virtq_id_take(&ids, 1);
		assert_true(a < SIZE && b < SIZE && c < SIZE);
		assert_true(a != b && b != c && a != c);
		assert_int_equal(free_count(), SIZE - 3);
		virtq_id_give(&ids, b);
		virtq_id_give(&ids, c);
		virtq_id_give(&ids, a);
	}
}

static void test_virtq_ids_given_twice_are_noticed(void **state)
{
	(void)state;
	ASSERT_CHECKS(virtq_id_give(&ids, 0));
	const uint16_t a = virtq_id_take(&ids, 1);
	const uint16_t b = virtq_id_take(&ids, 1);
	virtq_id_give(&ids, a);
	ASSERT_CHECKS(virtq_id_give(&ids, a));
	assert_false(slots[b].ring_entries == 0);
}

static void test_virtq_ids_none_is_left(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SIZE; i++) {
		(void)virtq_id_take(&ids, 1);
	}
	ASSERT_CHECKS((void)virtq_id_take(&ids, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_virtq_ids_come_in_order_at_first, setup),
		cmocka_unit_test_setup(test_virtq_ids_come_back_in_the_order_of_their_return,
				       setup),
		cmocka_unit_test_setup(test_virtq_ids_out_are_distinct_wherever_the_list_begins,
				       setup),
		cmocka_unit_test_setup(test_virtq_ids_given_twice_are_noticed, setup),
		cmocka_unit_test_setup(test_virtq_ids_none_is_left, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
