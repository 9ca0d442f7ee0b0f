// SPDX-License-Identifier: MIT
#include "virtio/virtio_wait.h"

void virtio_wait_policy_init(struct virtio_wait_policy *policy, enum virtio_wait_mode mode,
			     const struct virtio_sleeper *sleeper)
{
	*policy = (struct virtio_wait_policy){
		.mode = mode,
		.sleeper = *sleeper,
		.poll_us = VIRTIO_WAIT_POLL_MIN_US,
	};
}

void virtio_wait_begin(struct virtio_wait *wait, struct virtio_wait_policy *policy,
		       const struct clock *clock)
{
	*wait = (struct virtio_wait){
		.policy = policy,
		.clock = clock,
		.began_us = clock->now_us(clock->context),
	};
}

static uint64_t waited_us(const struct virtio_wait *wait)
{
	return wait->clock->now_us(wait->clock->context) - wait->began_us;
}

static bool wants_sleep(const struct virtio_wait *wait)
{
	const struct virtio_wait_policy *policy = wait->policy;
	if (policy == NULL || policy->is_masked) {
		return false;
	}
	switch (policy->mode) {
	case VIRTIO_WAIT_POLL: return false;
	case VIRTIO_WAIT_INTERRUPT: return true;
	case VIRTIO_WAIT_ADAPTIVE: break;
	}
	return waited_us(wait) >= policy->poll_us;
}

enum virtio_wait_step virtio_wait_next(struct virtio_wait *wait)
{
	if (!wants_sleep(wait)) {
		return VIRTIO_WAIT_RELAX;
	}
	if (!wait->is_armed) {
		wait->is_armed = true;
		return VIRTIO_WAIT_ARM;
	}
	return VIRTIO_WAIT_SLEEP;
}

void virtio_wait_sleep(struct virtio_wait *wait, uint64_t at_most_us)
{
	struct virtio_wait_policy *policy = wait->policy;
	wait->has_slept = true;
	policy->sleep_count++;
	policy->sleeper.sleep(policy->sleeper.context, at_most_us);
}

/* As much polling as would have made the sleep unnecessary, if that is little. */
static void adapt(struct virtio_wait_policy *policy, uint64_t lasted_us)
{
	if (lasted_us > VIRTIO_WAIT_POLL_MAX_US) {
		policy->poll_us /= 2;
		return;
	}
	policy->poll_us = policy->poll_us * 2 + VIRTIO_WAIT_POLL_MIN_US;
	if (policy->poll_us > VIRTIO_WAIT_POLL_MAX_US) {
		policy->poll_us = VIRTIO_WAIT_POLL_MAX_US;
	}
}

void virtio_wait_adapt(struct virtio_wait *wait)
{
	if (wait->policy == NULL) {
		return;
	}
	wait->policy->wait_count++;
	if (wait->has_slept) {
		adapt(wait->policy, waited_us(wait));
	}
}

static void interrupts_want(struct virtq *queues, size_t queue_count, bool wanted)
{
	for (size_t i = 0; i < queue_count; i++) {
		virtq_interrupts_want(&queues[i], wanted);
	}
}

/* An acknowledgement lets the next interrupt through: on an edge-triggered line it would be lost
 * without. So it comes before the look that follows, and that look before the next sleep. */
void virtio_wait_turn(struct virtio_wait *wait, struct virtio_transport *transport,
		      struct virtq *queues, size_t queue_count, struct deadline until)
{
	const struct clock *clock = wait->clock;
	const uint64_t now_us = clock->now_us(clock->context);
	switch (virtio_wait_next(wait)) {
	case VIRTIO_WAIT_RELAX: clock->relax(clock->context); break;
	case VIRTIO_WAIT_ARM:
		interrupts_want(queues, queue_count, true);
		(void)virtio_transport_interrupt_take(transport);
		break;
	case VIRTIO_WAIT_SLEEP:
		virtio_wait_sleep(wait, until.at_us > now_us ? until.at_us - now_us : 0);
		(void)virtio_transport_interrupt_take(transport);
		break;
	}
}

void virtio_wait_end(struct virtio_wait *wait, struct virtq *queues, size_t queue_count)
{
	if (wait->is_armed) {
		interrupts_want(queues, queue_count, false);
	}
	virtio_wait_adapt(wait);
}
