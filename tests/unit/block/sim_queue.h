// SPDX-License-Identifier: MIT
/* The queue of a simulated disk, as nasty as the port allows: nothing happens before the kick,
 * requests complete late and in a random order, a flush covers only the writes that had completed
 * when it was submitted, and what a read fills is rubbish until it completes. It also watches the
 * submitter: what is written may not change meanwhile, writes may not overlap, and synchronous
 * calls may not be mixed with requests in flight.
 *
 * Failures are the disk's: sim_disk_fail_at(), counted in the order of completion. */
#pragma once

#include "sim_disk.h"

#define SIM_QUEUE_DEPTH_MAX 256u

struct sim_flight {
	struct block_request *request;
	bool kicked;
	bool held;
	uint64_t digest;  /* Of what is written. */
	size_t completed; /* FLUSH: unflushed blocks at submission. */
};

struct sim_queue {
	struct sim_disk *disk;
	struct block_device device; /* Its sync calls check that nothing is in flight. */
	const struct block_device_ops *sync;
	struct sim_flight flights[SIM_QUEUE_DEPTH_MAX];
	uint32_t count;
	uint32_t delay; /* Every so often a poll finds something; 1: always. */
	bool in_order;
	bool holds; /* What is submitted now is held back until sim_queue_release(). */
	uint64_t random;
	uint64_t kicks;
	uint64_t submits;
	uint32_t reads_in_flight;
	uint32_t reads_in_flight_most;
	uint32_t writes_in_flight;
	uint32_t writes_in_flight_most;
};

void sim_queue_init(struct sim_queue *queue, struct sim_disk *disk, uint32_t depth, uint64_t seed);
void sim_queue_release(struct sim_queue *queue);
/* The power goes: forget what is in flight, of which the device has done some by then. */
void sim_queue_cut(struct sim_queue *queue);
