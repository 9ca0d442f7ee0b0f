// SPDX-License-Identifier: MIT
/* The runner on a device of its own: depth, batches, flushes, verification, failures, time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "fio/json.h"
#include "fio/run.h"

#define DEVICE_BLOCKS 256u
#define QUEUE_MAX     64u
#define TIME_STEP_NS  1000u

/* Completes in a scrambled order, and only what was kicked. */
struct fake {
	struct fio_device device;
	uint8_t *content;
	struct fio_io *queue[QUEUE_MAX];
	uint32_t queued;
	uint32_t visible; /* Kicked. */
	uint32_t deepest;
	uint32_t room;
	uint32_t most_unkicked;
	uint64_t kicks;
	uint64_t flushes;
	uint64_t writes;
	uint64_t writes_at_flush; /* Since the flush before. */
	uint64_t fail_at;         /* The n-th request fails; 0: none. */
	uint64_t requests;
	uint64_t lose_at; /* The n-th request never completes. */
	uint64_t stamps;
	uint64_t last_stamp;
	uint64_t corrupt_at;
	uint64_t time_ns;
	uint32_t smallest_bytes;
	uint32_t largest_bytes;
	bool is_misaligned; /* For 8 KiB. */
};

static enum status fake_submit(void *context, struct fio_io *io)
{
	struct fake *fake = context;
	if (fake->queued == fake->room) {
		return STATUS_BUSY;
	}
	fake->queue[fake->queued++] = io;
	fake->deepest = fake->queued > fake->deepest ? fake->queued : fake->deepest;
	uint32_t unkicked = fake->queued - fake->visible;
	fake->most_unkicked = unkicked > fake->most_unkicked ? unkicked : fake->most_unkicked;
	return STATUS_OK;
}

static void fake_kick(void *context)
{
	struct fake *fake = context;
	fake->kicks++;
	fake->visible = fake->queued;
}

static void fake_do(struct fake *fake, struct fio_io *io)
{
	fake->requests++;
	io->status = fake->requests == fake->fail_at ? STATUS_IO : STATUS_OK;
	if (io->kind == FIO_IO_FLUSH) {
		/* fsync in fio: nothing else is under way. */
		assert_int_equal(fake->queued, 0);
		fake->flushes++;
		fake->writes_at_flush = fake->writes;
		fake->writes = 0;
		return;
	}
	assert_true(io->offset_bytes + io->size_bytes <= DEVICE_BLOCKS * BLOCK_BYTES);
	fake->smallest_bytes =
		io->size_bytes < fake->smallest_bytes ? io->size_bytes : fake->smallest_bytes;
	fake->largest_bytes =
		io->size_bytes > fake->largest_bytes ? io->size_bytes : fake->largest_bytes;
	fake->is_misaligned = fake->is_misaligned || io->offset_bytes % 8192 != 0;
	if (io->bytes == NULL) {
		return;
	}
	if (io->kind == FIO_IO_WRITE) {
		fake->writes++;
		memcpy(fake->content + io->offset_bytes, io->bytes, io->size_bytes);
	} else {
		memcpy(io->bytes, fake->content + io->offset_bytes, io->size_bytes);
	}
	if (fake->requests == fake->corrupt_at) {
		io->bytes[io->size_bytes - 1] ^= 1;
	}
}

static enum status fake_reap(void *context, bool wait, struct fio_io **io)
{
	struct fake *fake = context;
	*io = NULL;
	/* Nobody waits for what the device was not told of. */
	assert_true(!wait || fake->visible == fake->queued);
	if (fake->visible == 0 || fake->requests + 1 == fake->lose_at) {
		return STATUS_OK;
	}
	const uint32_t pick = (uint32_t)((fake->requests * 7) % fake->visible);
	*io = fake->queue[pick];
	memmove(&fake->queue[pick], &fake->queue[pick + 1],
		(fake->queued - pick - 1) * sizeof(fake->queue[0]));
	fake->queued--;
	fake->visible--;
	fake_do(fake, *io);
	return STATUS_OK;
}

/* The device has the buffers: each is stamped at each block before it is written. */
static void fake_stamp(void *context, const struct fio_io *io, uint32_t at, uint64_t word)
{
	struct fake *fake = context;
	assert_int_equal(io->kind, FIO_IO_WRITE);
	assert_null(io->bytes);
	assert_true(io->buffer_offset + io->size_bytes <= fake->device.buffer_bytes);
	assert_true(at < io->size_bytes && at % BLOCK_BYTES == 0);
	assert_int_not_equal(word, fake->last_stamp);
	fake->last_stamp = word;
	fake->stamps++;
}

static uint64_t fake_now(void *context)
{
	struct fake *fake = context;
	return fake->time_ns += TIME_STEP_NS;
}

static void fake_init(struct fake *fake)
{
	static const struct fio_device_ops ops = {
		.submit = fake_submit,
		.kick = fake_kick,
		.reap = fake_reap,
		.stamp = fake_stamp,
	};
	*fake = (struct fake){.room = QUEUE_MAX, .smallest_bytes = UINT32_MAX};
	fake->content = calloc(DEVICE_BLOCKS, BLOCK_BYTES);
	assert_non_null(fake->content);
	fake->device = (struct fio_device){
		.ops = &ops, .context = fake, .size_bytes = DEVICE_BLOCKS * BLOCK_BYTES};
}

static struct fio_job job_of(const char *text)
{
	struct fio_jobs jobs;
	struct fio_refusal refusal;
	const struct fio_variables none = {NULL, 0};
	assert_int_equal(fio_jobs_parse(text, strlen(text), &none, &jobs, &refusal), STATUS_OK);
	return jobs.jobs[0];
}

static enum status run(struct fake *fake, const char *text, struct fio_result *result)
{
	const struct fio_job job = job_of(text);
	const struct fio_clock clock = {fake_now, fake};
	const size_t size = fio_run_bytes(&job);
	uint8_t *memory =
		aligned_alloc(BLOCK_BYTES, (size + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES);
	assert_non_null(memory);
	enum status status = fio_run(&job, &fake->device, &clock, memory, size, result);
	assert_int_equal(status, result->status);
	free(memory);
	return status;
}

static struct fio_result result;

static void test_depth_and_batches(void **state)
{
	struct fake fake;
	(void)state;
	fake_init(&fake);
	assert_int_equal(run(&fake,
			     "[a]\nrw=randread\niodepth=32\niodepth_batch_submit=16\n"
			     "iodepth_batch_complete_max=32\n",
			     &result),
			 STATUS_OK);
	assert_int_equal(fake.requests, DEVICE_BLOCKS);
	assert_int_equal(result.read.requests, DEVICE_BLOCKS);
	assert_int_equal(result.read.bytes, DEVICE_BLOCKS * BLOCK_BYTES);
	assert_int_equal(result.read.latency.count, DEVICE_BLOCKS);
	assert_int_equal(result.write.requests, 0);
	assert_int_equal(fake.deepest, 32);
	/* A second batch is not announced while the first one's completions are there. */
	assert_int_equal(fake.most_unkicked, 32);
	assert_true(fake.kicks <= DEVICE_BLOCKS / 4);
	free(fake.content);
}

static void test_ranges_of_sizes(void **state)
{
	(void)state;
	/* Many seeds: a last request that does not fit is a matter of luck. */
	for (unsigned i = 0; i < 32; i++) {
		struct fake fake;
		char text[64];
		(void)snprintf(text, sizeof(text), "[a]\nrw=%s\nbsrange=8k-32k\nrandseed=%u\n",
			       i % 2 == 0 ? "write" : "randwrite", i);
		fake_init(&fake);
		assert_int_equal(run(&fake, text, &result), STATUS_OK);
		/* All of the size, in requests of 1 to 4 blocks of 8 KiB: 51 of 2.5 blocks. */
		assert_int_equal(result.write.bytes, DEVICE_BLOCKS * BLOCK_BYTES);
		assert_in_range(result.write.requests, 40, 64);
		assert_int_equal(fake.smallest_bytes, 8192);
		assert_int_equal(fake.largest_bytes, 32768);
		assert_false(fake.is_misaligned);
		free(fake.content);
	}
}

/* A device with less room than the job is deep is a slower device, not an error. */
static void test_a_full_device_is_waited_for(void **state)
{
	struct fake fake;
	(void)state;
	fake_init(&fake);
	fake.room = 5;
	assert_int_equal(run(&fake, "[a]\nrw=randwrite\niodepth=32\nverify=crc32c\n", &result),
			 STATUS_OK);
	assert_int_equal(result.write.requests, DEVICE_BLOCKS);
	assert_int_equal(result.verified_bytes, DEVICE_BLOCKS * BLOCK_BYTES);
	assert_int_equal(fake.deepest, 5);
	free(fake.content);
}

static void test_flushes_come_when_they_are_due(void **state)
{
	struct fake fake;
	(void)state;
	fake_init(&fake);
	assert_int_equal(
		run(&fake, "[a]\nrw=write\niodepth=8\niodepth_batch=8\nfdatasync=16\n", &result),
		STATUS_OK);
	assert_int_equal(fake.flushes, DEVICE_BLOCKS / 16);
	assert_int_equal(fake.writes_at_flush, 16);
	assert_int_equal(result.flush.requests, DEVICE_BLOCKS / 16);
	assert_int_equal(result.write.requests, DEVICE_BLOCKS);
	free(fake.content);
}

static void test_verification_finds_one_bit(void **state)
{
	static const char *const texts[] = {
		"[a]\nrw=randwrite\niodepth=8\nverify=crc32c\n",
		"[a]\nrw=write\nbs=16k\niodepth=4\nverify=crc32c\n",
		"[a]\nrw=randrw\niodepth=8\nverify=crc32c\n",
		"[a]\nrw=randwrite\niodepth=8\nrandom_distribution=zipf:1.2\nverify=crc32c\n",
		"[a]\nrw=randrw\nbsrange=4k-64k\niodepth=8\nverify=crc32c\n",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct fake fake;
		fake_init(&fake);
		assert_int_equal(run(&fake, texts[i], &result), STATUS_OK);
		assert_true(result.verified_bytes > 0);
		const uint64_t requests = fake.requests;
		free(fake.content);
		fake_init(&fake);
		fake.corrupt_at = requests - 3;
		assert_int_equal(run(&fake, texts[i], &result), STATUS_AUTH_DATA);
		free(fake.content);
	}
}

static void test_failures_end_the_job(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= 40; n++) {
		struct fake fake;
		fake_init(&fake);
		fake.fail_at = n;
		assert_int_equal(run(&fake, "[a]\nrw=randrw\niodepth=4\nfsync=8\n", &result),
				 STATUS_IO);
		assert_int_equal(fake.queued, 0);
		assert_true(fake.requests < n + 8);
		free(fake.content);
		/* One that is lost does not hang the runner. */
		fake_init(&fake);
		fake.lose_at = n;
		assert_int_equal(run(&fake,
				     "[a]\nrw=randrw\niodepth=4\nfsync=8\nruntime=1ms\n"
				     "time_based=1\n",
				     &result),
				 STATUS_TIMEOUT);
		free(fake.content);
	}
}

/* Buffers of the device's own are used if they suffice, and if nobody wants to see the content. */
static void test_buffers_of_the_device(void **state)
{
	struct fake fake;
	(void)state;
	fake_init(&fake);
	fake.device.buffer_bytes = 8 * BLOCK_BYTES;
	assert_int_equal(run(&fake, "[a]\nrw=randwrite\nbs=8k\niodepth=4\n", &result), STATUS_OK);
	assert_int_equal(fake.stamps, DEVICE_BLOCKS);
	assert_int_equal(result.write.bytes, DEVICE_BLOCKS * BLOCK_BYTES);
	assert_int_equal(run(&fake, "[a]\nrw=read\nbs=8k\niodepth=4\n", &result), STATUS_OK);
	assert_int_equal(fake.stamps, DEVICE_BLOCKS);
	const uint64_t requests = fake.requests;
	assert_int_equal(run(&fake, "[a]\nrw=read\nbs=8k\niodepth=5\n", &result), STATUS_INVALID);
	assert_int_equal(run(&fake, "[a]\nrw=write\nverify=crc32c\n", &result), STATUS_INVALID);
	assert_int_equal(fake.requests, requests);
	free(fake.content);
}

static void test_time_decides(void **state)
{
	struct fake fake;
	(void)state;
	fake_init(&fake);
	assert_int_equal(run(&fake,
			     "[a]\nrw=randread\ntime_based=1\nruntime=20ms\nramp_time=10ms\n",
			     &result),
			 STATUS_OK);
	assert_in_range(fake.time_ns, 30000000, 31000000);
	assert_in_range(result.elapsed_ns, 19500000, 20500000);
	/* The ramp is not counted. */
	assert_in_range(result.read.requests * 100 / fake.requests, 60, 70);
	free(fake.content);
}

static void test_jobs_that_do_not_fit(void **state)
{
	struct fake fake;
	(void)state;
	fake_init(&fake);
	assert_int_equal(run(&fake, "[a]\nsize=2m\n", &result), STATUS_INVALID);
	assert_int_equal(run(&fake, "[a]\noffset=1m\n", &result), STATUS_INVALID);
	assert_int_equal(run(&fake, "[a]\noffset=100\n", &result), STATUS_INVALID);
	assert_int_equal(run(&fake, "[a]\nsize=4k\nbs=8k\n", &result), STATUS_INVALID);
	assert_int_equal(fake.requests, 0);
	free(fake.content);
}

struct text {
	char bytes[16384];
	size_t used;
};

static void append(void *context, const char *piece)
{
	struct text *text = context;
	size_t length = strlen(piece);
	assert_true(text->used + length < sizeof(text->bytes));
	memcpy(text->bytes + text->used, piece, length + 1);
	text->used += length;
}

static void test_json_has_what_was_measured(void **state)
{
	static struct text text;
	struct fake fake;
	(void)state;
	fake_init(&fake);
	const struct fio_job job = job_of("[a\"b]\nrw=randread\niodepth=8\n");
	assert_int_equal(run(&fake, "[a]\nrw=randread\niodepth=8\n", &result), STATUS_OK);
	fio_json_begin(append, &text, "1");
	static const struct fio_cost cost[] = {{"reads", 256}, {"flushes", 7}};
	const struct fio_costs costs = {cost, ARRAY_COUNT(cost)};
	const struct fio_costs none = {NULL, 0};
	fio_json_job(append, &text, 0, &job, &result, &costs);
	fio_json_job(append, &text, 1, &job, &result, &none);
	fio_json_end(append, &text);
	assert_non_null(strstr(text.bytes, "\"jobname\": \"a?b\""));
	assert_non_null(strstr(text.bytes, "\"total_ios\": 256"));
	assert_non_null(strstr(text.bytes, "\"io_bytes\": 1048576"));
	assert_non_null(strstr(text.bytes, "\"99.000000\": "));
	assert_non_null(strstr(text.bytes, "\"costs\": {\"reads\": 256, \"flushes\": 7}}"));
	assert_non_null(strstr(text.bytes, "\"costs\": {}}"));
	/* Of what was not done there are none: once for the reads of each job. */
	uint32_t percentiles = 0;
	for (const char *at = text.bytes; (at = strstr(at, "percentile")) != NULL; at++) {
		percentiles++;
	}
	assert_int_equal(percentiles, 2);
	assert_int_equal(text.bytes[text.used - 2], '}');
	free(fake.content);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depth_and_batches),
		cmocka_unit_test(test_ranges_of_sizes),
		cmocka_unit_test(test_a_full_device_is_waited_for),
		cmocka_unit_test(test_flushes_come_when_they_are_due),
		cmocka_unit_test(test_verification_finds_one_bit),
		cmocka_unit_test(test_failures_end_the_job),
		cmocka_unit_test(test_buffers_of_the_device),
		cmocka_unit_test(test_time_decides),
		cmocka_unit_test(test_jobs_that_do_not_fit),
		cmocka_unit_test(test_json_has_what_was_measured),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
