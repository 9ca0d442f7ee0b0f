// SPDX-License-Identifier: MIT
/* A volume on a simulated disk with a queue, and a request queue over it. */
#pragma once

#include "block/volume_queue.h"
#include "sim_queue.h"
#include "volume_fixture.h"

#define QUEUE_REQUESTS_MAX 128u

struct queue_fixture {
	struct fixture base;
	struct sim_queue sim;
	bool is_synchronous; /* Mount on the disk itself, which has no queue. */
	uint32_t depth;
	uint8_t *memory;
	struct volume_queue *queue;
};

/* Requests that own their memory, one piece or scattered. */
struct queue_job {
	struct volume_request request;
	struct volume_piece pieces[64];
	uint8_t *bytes;
	bool is_done;
};

void queue_fixture_init(struct queue_fixture *fixture, enum volume_profile profile, uint64_t blocks,
			uint32_t depth, bool is_synchronous);
void queue_fixture_fini(struct queue_fixture *fixture);
/* Mount the volume anew and open a queue. */
enum status queue_fixture_mount(struct queue_fixture *fixture);
/* Close the queue, if there is one, and unmount. */
void queue_fixture_unmount(struct queue_fixture *fixture);

/* `scatter`: blocks of a piece, pieces in reverse order; 0: one piece. */
void queue_job_init(struct queue_job *job, enum volume_request_kind kind, uint64_t first,
		    uint64_t count, size_t scatter);
void queue_job_fini(struct queue_job *job);
/* Block `i` of the request's memory. */
uint8_t *queue_job_block(const struct queue_job *job, uint64_t i);
void queue_job_submit(struct queue_fixture *fixture, struct queue_job *job);
/* Poll until it is done. */
enum status queue_job_wait(struct queue_fixture *fixture, struct queue_job *job);
/* Submit and wait. */
enum status queue_job_run(struct queue_fixture *fixture, struct queue_job *job);
/* Poll once, and mark what has completed. Returns how many that were. */
uint32_t queue_fixture_poll(struct queue_fixture *fixture, bool wait);

/* One request with content from seeds (seed + i for block i), checked or written. */
enum status queue_write(struct queue_fixture *fixture, uint64_t first, uint64_t count,
			uint64_t seed);
enum status queue_check(struct queue_fixture *fixture, uint64_t first, uint64_t count,
			uint64_t seed);
enum status queue_flush(struct queue_fixture *fixture);
