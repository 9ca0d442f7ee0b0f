// SPDX-License-Identifier: MIT
/* When to poll and when to sleep; and that silence, storms and races cost time but no completion:
 * items 28 and 38 of docs/virtio-threats.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/compiler.h"
#include "tests/unit/sharedmem/shared_access_host.h"
#include "tests/unit/virtio/fake_device.h"
#include "virtio/virtio_device.h"
#include "virtio/virtio_wait.h"

#define TICK_US 2u

static struct fake_platform platform;
static struct fake_device fake;
static struct virtio_transport transport;
static struct virtio_wait_policy policy;
static struct virtio_wait pause;

/* Virtual time: a relax takes TICK_US, a sleep what it is told or what an interrupt makes of it. */
static struct {
	uint64_t now_us;
	uint64_t interrupt_at_us; /* 0: none comes. */
	unsigned int relaxes;
	unsigned int sleeps;
	uint64_t longest_us;
} fake_time;

static uint64_t now_us(void *context)
{
	(void)context;
	return fake_time.now_us;
}

static void relax(void *context)
{
	(void)context;
	fake_time.relaxes++;
	fake_time.now_us += TICK_US;
}

static void fall_asleep(void *context, uint64_t at_most_us)
{
	(void)context;
	const uint64_t left_us = fake_time.interrupt_at_us > fake_time.now_us
					 ? fake_time.interrupt_at_us - fake_time.now_us
					 : at_most_us;
	fake_time.sleeps++;
	fake_time.longest_us =
		at_most_us > fake_time.longest_us ? at_most_us : fake_time.longest_us;
	fake_time.now_us += left_us < at_most_us ? left_us : at_most_us;
}

static const struct clock test_clock = {now_us, relax, NULL};
static const struct virtio_sleeper sleeper = {fall_asleep, NULL};

static int setup(void **state)
{
	(void)state;
	memset(&fake_time, 0, sizeof(fake_time));
	fake_platform_init(&platform);
	fake_device_init(&fake, &platform, VIRTIO_ID_BLOCK, VIRTIO_F_VERSION_1);
	assert_int_equal(virtio_mmio_open(&transport, &fake.registers), STATUS_OK);
	virtio_wait_policy_init(&policy, VIRTIO_WAIT_ADAPTIVE, &sleeper);
	return 0;
}

/* Wait, without a queue, until `lasts_us` have passed; an interrupt comes then if `interrupted`. */
static void wait_for(uint64_t lasts_us, bool interrupted)
{
	const struct deadline far = {.at_us = fake_time.now_us + 1000 * 1000};
	const uint64_t end_us = fake_time.now_us + lasts_us;
	fake_time.interrupt_at_us = interrupted ? end_us : 0;
	virtio_wait_begin(&pause, &policy, &test_clock);
	while (fake_time.now_us < end_us) {
		virtio_wait_turn(&pause, &transport, NULL, 0, far);
	}
	virtio_wait_end(&pause, NULL, 0);
}

static void test_wait_without_a_policy_polls(void **state)
{
	(void)state;
	virtio_wait_begin(&pause, NULL, &test_clock);
	for (unsigned int i = 0; i < 100; i++) {
		assert_int_equal(virtio_wait_next(&pause), VIRTIO_WAIT_RELAX);
		fake_time.now_us += 1000;
	}
	virtio_wait_end(&pause, NULL, 0);
}

static void test_wait_mode_poll_never_sleeps(void **state)
{
	(void)state;
	policy.mode = VIRTIO_WAIT_POLL;
	wait_for(20000, true);
	assert_int_equal(fake_time.sleeps, 0);
	assert_int_equal(fake_time.relaxes, 20000 / TICK_US);
}

static void test_wait_mode_interrupt_arms_then_sleeps(void **state)
{
	(void)state;
	policy.mode = VIRTIO_WAIT_INTERRUPT;
	virtio_wait_begin(&pause, &policy, &test_clock);
	assert_int_equal(virtio_wait_next(&pause), VIRTIO_WAIT_ARM);
	assert_int_equal(virtio_wait_next(&pause), VIRTIO_WAIT_SLEEP);
	assert_int_equal(virtio_wait_next(&pause), VIRTIO_WAIT_SLEEP);
	virtio_wait_end(&pause, NULL, 0);
	wait_for(5000, true);
	assert_int_equal(fake_time.relaxes, 0);
	assert_int_equal(fake_time.sleeps, 1);
	assert_int_equal(policy.sleep_count, 1);
	assert_int_equal(policy.wait_count, 2);
}

static void test_wait_adaptive_polls_first(void **state)
{
	(void)state;
	wait_for(VIRTIO_WAIT_POLL_MIN_US, true);
	assert_int_equal(fake_time.sleeps, 0);
	wait_for(VIRTIO_WAIT_POLL_MIN_US + 100, true);
	assert_int_equal(fake_time.sleeps, 1);
}

static void test_wait_adaptive_learns_a_fast_device(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 10; i++) {
		wait_for(100, true);
	}
	const unsigned int sleeps = fake_time.sleeps;
	assert_true(sleeps < 10 && policy.poll_us >= 100 &&
		    policy.poll_us <= VIRTIO_WAIT_POLL_MAX_US);
	for (unsigned int i = 0; i < 100; i++) {
		wait_for(100, true);
	}
	assert_int_equal(fake_time.sleeps, sleeps);
}

static void test_wait_adaptive_learns_a_slow_device(void **state)
{
	(void)state;
	policy.poll_us = VIRTIO_WAIT_POLL_MAX_US;
	for (unsigned int i = 0; i < 10; i++) {
		wait_for(10 * VIRTIO_WAIT_POLL_MAX_US, true);
	}
	assert_int_equal(policy.poll_us, 0);
	const unsigned int relaxes = fake_time.relaxes;
	wait_for(10 * VIRTIO_WAIT_POLL_MAX_US, true);
	assert_int_equal(fake_time.relaxes, relaxes);
	/* And a fast one again. */
	for (unsigned int i = 0; i < 10; i++) {
		wait_for(50, true);
	}
	assert_true(policy.poll_us >= 50);
}

static void test_wait_polls_a_masked_device(void **state) /* 28 */
{
	(void)state;
	policy.mode = VIRTIO_WAIT_INTERRUPT;
	policy.is_masked = true;
	wait_for(1000, true);
	assert_int_equal(fake_time.sleeps, 0);
}

static void test_wait_sleeps_no_longer_than_it_may(void **state) /* 28 */
{
	(void)state;
	policy.mode = VIRTIO_WAIT_INTERRUPT;
	virtio_wait_begin(&pause, &policy, &test_clock);
	const struct deadline until = {.at_us = fake_time.now_us + 700};
	for (unsigned int i = 0; i < 4; i++) {
		virtio_wait_turn(&pause, &transport, NULL, 0, until);
	}
	virtio_wait_end(&pause, NULL, 0);
	assert_int_equal(fake_time.longest_us, 700);
	assert_int_equal(fake_time.now_us, 700);
}

static void test_wait_acknowledges_before_each_sleep(void **state) /* 28 */
{
	(void)state;
	policy.mode = VIRTIO_WAIT_INTERRUPT;
	const struct deadline until = {.at_us = 1000};
	virtio_wait_begin(&pause, &policy, &test_clock);
	for (unsigned int i = 0; i < 3; i++) {
		fake.interrupts = VIRTIO_INTERRUPT_QUEUE;
		virtio_wait_turn(&pause, &transport, NULL, 0, until);
		assert_int_equal(fake.interrupts, 0);
	}
	assert_false(transport.config_changed);
	fake.interrupts = VIRTIO_INTERRUPT_CONFIG;
	virtio_wait_turn(&pause, &transport, NULL, 0, until);
	assert_true(transport.config_changed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_wait_without_a_policy_polls, setup),
		cmocka_unit_test_setup(test_wait_mode_poll_never_sleeps, setup),
		cmocka_unit_test_setup(test_wait_mode_interrupt_arms_then_sleeps, setup),
		cmocka_unit_test_setup(test_wait_adaptive_polls_first, setup),
		cmocka_unit_test_setup(test_wait_adaptive_learns_a_fast_device, setup),
		cmocka_unit_test_setup(test_wait_adaptive_learns_a_slow_device, setup),
		cmocka_unit_test_setup(test_wait_polls_a_masked_device, setup),
		cmocka_unit_test_setup(test_wait_sleeps_no_longer_than_it_may, setup),
		cmocka_unit_test_setup(test_wait_acknowledges_before_each_sleep, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
