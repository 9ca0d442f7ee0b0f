// SPDX-License-Identifier: MIT
/* Requests of a job as requests of a block device, and of a volume's queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "block/volume_queue.h"
#include "fio/device.h"
#include "fio/run.h"
#include "tests/unit/block/volume_fixture.h"

#define DEPTH 16u

/* A device that holds on to one request. */
struct slow {
	struct block_request *held;
	struct block_request seen;
	uint32_t kicks;
	enum status answer;
};

static enum status slow_submit(void *context, struct block_request *request)
{
	struct slow *slow = context;
	if (slow->held != NULL) {
		return STATUS_BUSY;
	}
	slow->held = request;
	slow->seen = *request;
	return STATUS_OK;
}

static void slow_kick(void *context)
{
	struct slow *slow = context;
	slow->kicks++;
}

static enum status slow_reap(void *context, bool wait, struct block_request **completed)
{
	struct slow *slow = context;
	if (!wait || slow->held == NULL) {
		return STATUS_AGAIN;
	}
	*completed = slow->held;
	slow->held->status = slow->answer;
	slow->held = NULL;
	return STATUS_OK;
}

static void test_raw_requests(void **state)
{
	static const struct block_queue_ops queue = {slow_submit, slow_kick, slow_reap};
	struct slow slow = {.answer = STATUS_IO};
	struct block_device device = {.context = &slow, .capacity = {64}, .has_flush = true};
	struct fio_device target;
	static uint8_t bytes[2 * BLOCK_BYTES];
	struct fio_io io = {
		.kind = FIO_IO_WRITE, .offset_bytes = 12288, .size_bytes = 8192, .bytes = bytes};
	struct fio_io *done = &io;
	(void)state;
	assert_int_equal(fio_device_raw(&device, &target), STATUS_UNSUPPORTED);
	device.queue = &queue;
	assert_int_equal(fio_device_raw(&device, &target), STATUS_OK);
	assert_int_equal(target.size_bytes, 64 * BLOCK_BYTES);
	assert_int_equal(target.ops->submit(target.context, &io), STATUS_OK);
	assert_int_equal(slow.seen.kind, BLOCK_REQUEST_WRITE);
	assert_int_equal(slow.seen.first.n, 3);
	assert_int_equal(slow.seen.count.n, 2);
	assert_ptr_equal(slow.seen.bytes, bytes);
	target.ops->kick(target.context);
	assert_int_equal(slow.kicks, 1);
	/* Nothing yet is no error; what the device says of a request is the request's. */
	assert_int_equal(target.ops->reap(target.context, false, &done), STATUS_OK);
	assert_null(done);
	assert_int_equal(target.ops->reap(target.context, true, &done), STATUS_OK);
	assert_ptr_equal(done, &io);
	assert_int_equal(io.status, STATUS_IO);
	io = (struct fio_io){.kind = FIO_IO_FLUSH};
	assert_int_equal(target.ops->submit(target.context, &io), STATUS_OK);
	assert_int_equal(slow.seen.kind, BLOCK_REQUEST_FLUSH);
	struct fio_io second = {.kind = FIO_IO_READ, .size_bytes = 4096, .bytes = bytes};
	assert_int_equal(target.ops->submit(target.context, &second), STATUS_BUSY);
	/* Outside the device it is refused before it gets there. */
	second.offset_bytes = 64 * BLOCK_BYTES;
	assert_int_equal(target.ops->submit(target.context, &second), STATUS_INVALID);
}

static uint64_t steps(void *context)
{
	uint64_t *now = context;
	return *now += 1000;
}

/* A verified job over a real volume: all that it wrote comes back, also through the plain calls. */
static void test_a_job_on_a_volume(void **state)
{
	static const char text[] = "[a]\nrw=randwrite\niodepth=16\nsize=1m\nfsync=64\n"
				   "verify=crc32c\n";
	static struct fio_result result;
	struct fixture fixture;
	struct fio_jobs jobs;
	struct fio_refusal refusal;
	const struct fio_variables none = {NULL, 0};
	struct volume_queue *queue = NULL;
	struct fio_device target;
	uint64_t now = 0;
	const struct fio_clock clock = {steps, &now};
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, 8192, true);
	uint8_t *memory = aligned_alloc(64, (volume_queue_bytes(DEPTH) + 63) / 64 * 64);
	assert_non_null(memory);
	assert_int_equal(
		volume_queue_open(fixture.volume, DEPTH, memory, volume_queue_bytes(DEPTH), &queue),
		STATUS_OK);
	fio_device_volume(queue, volume_logical_size(fixture.volume), &target);
	assert_int_equal(fio_jobs_parse(text, sizeof(text) - 1, &none, &jobs, &refusal), STATUS_OK);
	const size_t size = fio_run_bytes(&jobs.jobs[0]);
	uint8_t *buffers = aligned_alloc(BLOCK_BYTES, (size + 4095) / 4096 * 4096);
	assert_non_null(buffers);
	assert_int_equal(fio_run(&jobs.jobs[0], &target, &clock, buffers, size, &result),
			 STATUS_OK);
	assert_int_equal(result.write.requests, 256);
	assert_int_equal(result.flush.requests, 4);
	assert_int_equal(result.verified_bytes, 1u << 20);
	volume_queue_close(queue);
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	free(buffers);
	free(memory);
	fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_raw_requests),
		cmocka_unit_test(test_a_job_on_a_volume),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
