// SPDX-License-Identifier: MIT
#include "queue_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void queue_fixture_init(struct queue_fixture *fixture, enum volume_profile profile, uint64_t blocks,
			uint32_t depth, bool is_synchronous)
{
	memset(fixture, 0, sizeof(*fixture));
	fixture->depth = depth;
	fixture->is_synchronous = is_synchronous;
	fixture_init_profile(&fixture->base, profile, blocks, true);
	fixture_unmount(&fixture->base);
	sim_queue_init(&fixture->sim, &fixture->base.disk, SIM_QUEUE_DEPTH_MAX, blocks + depth);
	fixture->memory = aligned_alloc(64, (volume_queue_bytes(depth) + 63) / 64 * 64);
	CHECK(fixture->memory != NULL);
	CHECK(queue_fixture_mount(fixture) == STATUS_OK);
}

enum status queue_fixture_mount(struct queue_fixture *fixture)
{
	struct volume_environment environment = fixture->base.environment;
	if (!fixture->is_synchronous) {
		environment.device = &fixture->sim.device;
	}
	enum status status =
		volume_mount(&environment, &fixture_key, false, &fixture->base.volume, NULL);
	if (status != STATUS_OK) {
		fixture->base.volume = NULL;
		return status;
	}
	return volume_queue_open(fixture->base.volume, fixture->depth, fixture->memory,
				 volume_queue_bytes(fixture->depth), &fixture->queue);
}

void queue_fixture_unmount(struct queue_fixture *fixture)
{
	if (fixture->queue != NULL) {
		volume_queue_close(fixture->queue);
		fixture->queue = NULL;
	}
	fixture_unmount(&fixture->base);
}

void queue_fixture_fini(struct queue_fixture *fixture)
{
	queue_fixture_unmount(fixture);
	free(fixture->memory);
	fixture_fini(&fixture->base);
}

void queue_job_init(struct queue_job *job, enum volume_request_kind kind, uint64_t first,
		    uint64_t count, size_t scatter)
{
	memset(job, 0, sizeof(*job));
	job->request = (struct volume_request){
		.kind = kind,
		.first = {first},
		.count = {count},
		.pieces = job->pieces,
		.piece_count = 1,
		.owner = job,
	};
	job->bytes = malloc(count * BLOCK_BYTES + 1);
	CHECK(job->bytes != NULL);
	job->pieces[0] = (struct volume_piece){job->bytes, count * BLOCK_BYTES};
	if (scatter == 0) {
		return;
	}
	size_t pieces = (count + scatter - 1) / scatter;
	CHECK(pieces <= ARRAY_COUNT(job->pieces));
	uint64_t left = count;
	job->request.piece_count = pieces;
	for (size_t i = 0; i < pieces; i++) {
		uint64_t here = left < scatter ? left : scatter;
		left -= here;
		job->pieces[i] =
			(struct volume_piece){job->bytes + left * BLOCK_BYTES, here * BLOCK_BYTES};
	}
}

void queue_job_fini(struct queue_job *job)
{
	free(job->bytes);
	job->bytes = NULL;
}

uint8_t *queue_job_block(const struct queue_job *job, uint64_t i)
{
	size_t offset = i * BLOCK_BYTES;
	size_t piece = 0;
	for (; offset >= job->pieces[piece].size_bytes; piece++) {
		offset -= job->pieces[piece].size_bytes;
	}
	return job->pieces[piece].bytes + offset;
}

void queue_job_submit(struct queue_fixture *fixture, struct queue_job *job)
{
	job->is_done = false;
	volume_queue_submit(fixture->queue, &job->request);
}

uint32_t queue_fixture_poll(struct queue_fixture *fixture, bool wait)
{
	struct volume_request *request = NULL;
	uint32_t count = 0;
	volume_queue_poll(fixture->queue, wait);
	while ((request = volume_queue_next(fixture->queue)) != NULL) {
		struct queue_job *job = request->owner;
		CHECK(!job->is_done);
		job->is_done = true;
		count++;
	}
	return count;
}

enum status queue_job_wait(struct queue_fixture *fixture, struct queue_job *job)
{
	while (!job->is_done) {
		CHECK(queue_fixture_poll(fixture, true) != 0);
	}
	return job->request.status;
}

enum status queue_job_run(struct queue_fixture *fixture, struct queue_job *job)
{
	queue_job_submit(fixture, job);
	return queue_job_wait(fixture, job);
}

enum status queue_write(struct queue_fixture *fixture, uint64_t first, uint64_t count,
			uint64_t seed)
{
	struct queue_job job;
	queue_job_init(&job, VOLUME_REQUEST_WRITE, first, count, 0);
	for (uint64_t i = 0; i < count; i++) {
		model_content(seed + i, queue_job_block(&job, i));
	}
	enum status status = queue_job_run(fixture, &job);
	queue_job_fini(&job);
	return status;
}

enum status queue_check(struct queue_fixture *fixture, uint64_t first, uint64_t count,
			uint64_t seed)
{
	struct queue_job job;
	uint8_t expected[BLOCK_BYTES];
	queue_job_init(&job, VOLUME_REQUEST_READ, first, count, 0);
	enum status status = queue_job_run(fixture, &job);
	for (uint64_t i = 0; status == STATUS_OK && i < count; i++) {
		model_content(seed == 0 ? 0 : seed + i, expected);
		if (memcmp(expected, queue_job_block(&job, i), BLOCK_BYTES) != 0) {
			status = STATUS_NOT_FOUND;
		}
	}
	queue_job_fini(&job);
	return status;
}

enum status queue_flush(struct queue_fixture *fixture)
{
	struct queue_job job;
	queue_job_init(&job, VOLUME_REQUEST_FLUSH, 0, 0, 0);
	enum status status = queue_job_run(fixture, &job);
	queue_job_fini(&job);
	return status;
}
