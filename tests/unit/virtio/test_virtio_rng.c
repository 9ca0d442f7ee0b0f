// SPDX-License-Identifier: MIT
/* Bytes from the host, or a named reason why there are none; and never a page lost to an honest
 * device. Items 24, 30, 38 and 42 of docs/virtio-threats.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "tests/unit/sharedmem/shared_access_host.h"
#include "tests/unit/virtio/fake_device.h"
#include "virtio/virtio_device.h"
#include "virtio/virtio_rng.h"

#define ASKED 64u

static struct fake_platform platform;
static struct fake_device fake;
static struct virtio_transport transport;
static struct virtio_rng_environment environment;
static size_t gives_bytes;
static uint8_t out[ASKED];
static size_t got;

static bool serve(struct fake_device *device, const struct fake_chain *chain,
		  uint32_t *written_bytes)
{
	uint8_t bytes[ASKED];
	(void)device;
	assert_int_equal(chain->segment_count, 1);
	assert_int_equal(fake_chain_room(chain, true), ASKED);
	memset(bytes, 0x5e, sizeof(bytes));
	*written_bytes = (uint32_t)fake_chain_scatter(chain, bytes, gives_bytes);
	return true;
}

static int setup(void **state)
{
	(void)state;
	fake_platform_init(&platform);
	fake_device_init(&fake, &platform, VIRTIO_ID_ENTROPY, VIRTIO_F_VERSION_1);
	fake.serve = serve;
	fake.queues[0].size_max = 8;
	gives_bytes = ASKED;
	memset(out, 0, sizeof(out));
	got = 999;
	assert_int_equal(virtio_mmio_open(&transport, &fake.registers), STATUS_OK);
	environment = (struct virtio_rng_environment){&transport, &platform.memory, &fake.clock};
	return 0;
}

static enum status ask(void)
{
	return virtio_rng_read(&environment, out, ASKED, &got);
}

static void check_pages(uint64_t leaked)
{
	struct sharedmem_counters counters;
	sharedmem_counters_get(&platform.memory, &counters);
	assert_int_equal(counters.pages_lent, 0);
	assert_int_equal(counters.pages_leaked, leaked);
}

static void check_nothing_came(void)
{
	assert_int_equal(got, 999);
	assert_true(bytes_are_zero(out, sizeof(out)));
}

static void test_rng_gives_what_it_wrote(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(ask(), STATUS_OK);
		assert_int_equal(got, ASKED);
		assert_int_equal(out[0], 0x5e);
		assert_int_equal(out[ASKED - 1], 0x5e);
		assert_int_equal(fake.status, 0); /* Reset: it reaches no memory any more. */
	}
	check_pages(0);
}

static void test_rng_takes_less_but_not_nothing(void **state)
{
	(void)state;
	gives_bytes = 3;
	assert_int_equal(ask(), STATUS_OK);
	assert_int_equal(got, 3);
	assert_int_equal(out[2], 0x5e);
	assert_int_equal(out[3], 0);
	memset(out, 0, sizeof(out));
	got = 999;
	gives_bytes = 0;
	assert_int_equal(ask(), STATUS_IO);
	check_nothing_came();
	check_pages(0);
}

static void test_rng_that_claims_more_is_given_up(void **state) /* 24 */
{
	(void)state;
	fake.lies.length_set = true;
	fake.lies.length = ASKED + 1;
	assert_int_equal(ask(), STATUS_BAD_HOST);
	check_nothing_came();
	check_pages(0);
}

static void test_rng_that_says_nothing_is_given_up(void **state) /* 38, 41 */
{
	(void)state;
	fake.lies.silent = true;
	for (unsigned int i = 0; i <= VIRTIO_FAILURES_MAX; i++) {
		assert_int_equal(ask(), STATUS_TIMEOUT);
	}
	assert_int_equal(ask(), STATUS_LIMIT);
	check_nothing_came();
	check_pages(0);
}

/* While we wait it stops listening. */
static void stop_confirming(struct fake_device *device)
{
	device->lies.reset_unconfirmed = true;
}

static void test_rng_that_confirms_no_reset_keeps_its_pages(void **state) /* 42 */
{
	(void)state;
	fake.lies.silent = true;
	fake.tick = stop_confirming;
	/* The reset before the request is confirmed before any time passes. */
	assert_int_equal(ask(), STATUS_TIMEOUT);
	check_nothing_came();
	check_pages(VIRTIO_RNG_SHARED_PAGES);
}

static void test_rng_is_asked_for_a_sensible_amount(void **state)
{
	(void)state;
	assert_int_equal(virtio_rng_read(&environment, out, 0, &got), STATUS_INVALID);
	assert_int_equal(virtio_rng_read(&environment, out, VIRTIO_RNG_BYTES_MAX + 1, &got),
			 STATUS_INVALID);
	fake.device_id = VIRTIO_ID_BLOCK;
	assert_int_equal(virtio_mmio_open(&transport, &fake.registers), STATUS_OK);
	assert_int_equal(ask(), STATUS_NO_DEVICE);
	check_nothing_came();
	check_pages(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_rng_gives_what_it_wrote, setup),
		cmocka_unit_test_setup(test_rng_takes_less_but_not_nothing, setup),
		cmocka_unit_test_setup(test_rng_that_claims_more_is_given_up, setup),
		cmocka_unit_test_setup(test_rng_that_says_nothing_is_given_up, setup),
		cmocka_unit_test_setup(test_rng_that_confirms_no_reset_keeps_its_pages, setup),
		cmocka_unit_test_setup(test_rng_is_asked_for_a_sensible_amount, setup),
	};
	return fake_run_variants(tests, ARRAY_COUNT(tests));
}
