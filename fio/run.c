// SPDX-License-Identifier: MIT
/* As many requests as the job's depth are kept in flight: fill up, kick once, take what completed.
 *
 * A batch is visible to the device as soon as it is issued. The notification that may follow costs
 * more than the rest of a request, so it is put off while completions are there to be taken: as
 * user-space drivers do that ring their doorbells when they poll. It comes before any wait, and a
 * request's time runs from its issue all the same.
 *
 * A verified job fills each 4 KiB with a pattern that follows from the seed and the place, whatever
 * request wrote it, and its checksum; afterwards it draws the same places again and reads them. */
#include "fio/run.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/units.h"
#include "fio/random.h"

#define NS_PER_US 1000u
/* A stuck clock must not make a job endless. */
#define BLOCKS_MAX (UINT64_C(1) << 36)

struct run {
	const struct fio_job *job;
	const struct fio_device *device;
	const struct fio_clock *clock;
	struct fio_result *result;
	struct fio_io *ios;
	uint32_t *free_list; /* Indices into `ios`. */
	uint32_t free_count;
	uint64_t begin_bytes;
	uint64_t span_bytes;
	uint64_t blocks; /* Of the job's block size, in the span. */
	struct fio_random random;
	struct fio_zipf zipf;
	uint64_t issued;      /* Blocks. */
	uint64_t issue_limit; /* Likewise; BLOCKS_MAX if time decides. */
	uint64_t writes_since_flush;
	uint64_t began_ns;
	uint64_t batch_began_ns; /* A request's time runs from the start of its batch. */
	uint64_t measured_from_ns;
	uint64_t ends_ns;
	struct fio_io *at_hand; /* Reaped, and not taken yet. */
	bool owes_kick;
	bool is_measuring;
	bool is_verifying;
	bool has_stopped;
};

static uint64_t now_ns(const struct run *run)
{
	return run->clock->now_ns(run->clock->context);
}

static uint32_t in_flight(const struct run *run)
{
	return run->job->depth - run->free_count;
}

size_t fio_run_bytes(const struct fio_job *job)
{
	size_t each = sizeof(struct fio_io) + sizeof(uint32_t);
	size_t table = (job->depth * each + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
	return table + (size_t)job->depth * job->block_bytes_max;
}

/* ---- What is written ----------------------------------------------------------------------- */

static void pattern_fill(const struct run *run, uint64_t offset_bytes, uint8_t *block)
{
	struct fio_random random = {run->job->seed ^ offset_bytes};
	bytes_store_le64(block, offset_bytes);
	for (size_t at = 8; at < BLOCK_BYTES; at += 8) {
		bytes_store_le64(block + at, fio_random_next(&random));
	}
}

/* As fio does, once: what a volume costs depends on what is written to it, and zeroes are cheap. */
static void buffers_fill(uint8_t *buffers, size_t size_bytes)
{
	struct fio_random random = {1};
	for (size_t at = 0; at + 8 <= size_bytes; at += 8) {
		bytes_store_le64(buffers + at, fio_random_next(&random));
	}
}

static void content_fill(const struct run *run, const struct fio_io *io)
{
	for (uint32_t at = 0; at < io->size_bytes; at += BLOCK_BYTES) {
		/* Enough to be a block of its own; filling it costs what is measured. */
		const uint64_t stamp = io->offset_bytes + at + run->issued;
		if (io->bytes == NULL) {
			run->device->ops->stamp(run->device->context, io, at, stamp);
		} else if (run->job->is_verified) {
			pattern_fill(run, io->offset_bytes + at, io->bytes + at);
		} else {
			bytes_store_le64(io->bytes + at, stamp);
		}
	}
}

static enum status content_check(const struct run *run, const struct fio_io *io)
{
	uint8_t expected[BLOCK_BYTES];
	for (uint32_t at = 0; at < io->size_bytes; at += BLOCK_BYTES) {
		pattern_fill(run, io->offset_bytes + at, expected);
		if (memcmp(expected, io->bytes + at, BLOCK_BYTES) != 0) {
			return STATUS_AUTH_DATA;
		}
	}
	return STATUS_OK;
}

/* ---- What comes next ----------------------------------------------------------------------- */

static uint64_t next_block(struct run *run)
{
	if (!fio_rw_is_random(run->job->rw)) {
		return run->issued % run->blocks;
	}
	return run->job->zipf_milli != 0 ? fio_zipf_next(&run->zipf, &run->random)
					 : fio_random_below(&run->random, run->blocks);
}

static enum fio_io_kind next_kind(struct run *run)
{
	const enum fio_rw rw = run->job->rw;
	if (rw == FIO_RW || rw == FIO_RANDRW) {
		const uint64_t draw = fio_random_below(&run->random, 100);
		return draw < run->job->read_percent ? FIO_IO_READ : FIO_IO_WRITE;
	}
	return fio_rw_writes(rw) ? FIO_IO_WRITE : FIO_IO_READ;
}

/* Blocks of a request that begins at `block`: within the job's range, beyond neither the span nor
 * what is to be issued. */
static uint64_t next_count(struct run *run, uint64_t block)
{
	const struct fio_job *job = run->job;
	const uint64_t most = job->block_bytes_max / job->block_bytes;
	const uint64_t to_issue = run->issue_limit - run->issued;
	const uint64_t room = run->blocks - block < to_issue ? run->blocks - block : to_issue;
	const uint64_t count = most == 1 ? 1 : 1 + fio_random_below(&run->random, most);
	return count < room ? count : room;
}

static struct fio_io *io_take(struct run *run)
{
	return &run->ios[run->free_list[--run->free_count]];
}

static void io_give(struct run *run, const struct fio_io *io)
{
	run->free_list[run->free_count++] = (uint32_t)(io - run->ios);
}

static enum status io_submit(struct run *run, struct fio_io *io)
{
	io->began_ns = run->batch_began_ns;
	enum status status = run->device->ops->submit(run->device->context, io);
	if (status != STATUS_OK) {
		io_give(run, io);
	}
	return status;
}

/* Places and kinds are drawn in the same order when they are verified; only writes are read. */
static enum status request_issue(struct run *run)
{
	const struct fio_random before = run->random;
	struct fio_io *io = io_take(run);
	const enum fio_io_kind kind = next_kind(run);
	const uint64_t block = next_block(run);
	io->kind = run->is_verifying ? FIO_IO_READ : kind;
	io->offset_bytes = run->begin_bytes + block * run->job->block_bytes;
	const uint64_t count = next_count(run, block);
	io->size_bytes = (uint32_t)count * run->job->block_bytes;
	if (run->is_verifying && kind != FIO_IO_WRITE) {
		run->issued += count;
		io_give(run, io);
		return STATUS_OK;
	}
	if (io->kind == FIO_IO_WRITE) {
		content_fill(run, io);
	}
	enum status status = io_submit(run, io);
	if (status == STATUS_OK) {
		run->issued += count;
		run->writes_since_flush += io->kind == FIO_IO_WRITE ? 1 : 0;
	} else {
		run->random = before; /* The same request is drawn again. */
	}
	return status;
}

/* ---- What has completed -------------------------------------------------------------------- */

static struct fio_stream *stream_of(struct run *run, enum fio_io_kind kind)
{
	switch (kind) {
	case FIO_IO_READ: return &run->result->read;
	case FIO_IO_WRITE: return &run->result->write;
	case FIO_IO_FLUSH: break;
	}
	return &run->result->flush;
}

static void streams_reset(struct fio_result *result)
{
	struct fio_stream *streams[] = {&result->read, &result->write, &result->flush};
	for (size_t i = 0; i < ARRAY_COUNT(streams); i++) {
		streams[i]->requests = 0;
		streams[i]->bytes = 0;
		fio_histogram_reset(&streams[i]->latency);
	}
	result->kicks = 0;
}

/* The ramp is over: begin to count. */
static void measure_if_due(struct run *run, uint64_t now)
{
	if (!run->is_measuring && now - run->began_ns >= run->job->ramp_us * NS_PER_US) {
		run->is_measuring = true;
		run->measured_from_ns = now;
		streams_reset(run->result);
	}
}

static void stop(struct run *run, enum status status)
{
	if (run->result->status == STATUS_OK) {
		run->result->status = status;
	}
	run->has_stopped = true;
}

static void completion_take(struct run *run, const struct fio_io *io, uint64_t now)
{
	struct fio_stream *stream = stream_of(run, io->kind);
	enum status status = io->status;
	if (status == STATUS_OK && run->is_verifying) {
		status = content_check(run, io);
		run->result->verified_bytes += io->size_bytes;
	}
	if (status != STATUS_OK && run->result->status == STATUS_OK) {
		run->result->failed_at_bytes = io->offset_bytes;
		stop(run, status);
	}
	if (!run->is_verifying) {
		stream->requests++;
		stream->bytes += io->kind == FIO_IO_FLUSH ? 0 : io->size_bytes;
		fio_histogram_add(&stream->latency, now - io->began_ns);
		measure_if_due(run, now);
	}
	io_give(run, io);
	if (now >= run->ends_ns) {
		run->has_stopped = true;
	}
}

static void kick(struct run *run)
{
	run->owes_kick = false;
	run->device->ops->kick(run->device->context);
	run->result->kicks++;
}

/* Has something completed? It stays at hand. */
static bool look(struct run *run, bool wait)
{
	if (run->at_hand == NULL) {
		enum status status =
			run->device->ops->reap(run->device->context, wait, &run->at_hand);
		if (status != STATUS_OK) {
			stop(run, status);
		}
	}
	return run->at_hand != NULL;
}

/* The next completion; NULL: none that `wait` waited for. */
static struct fio_io *completion_next(struct run *run, bool wait)
{
	if (!look(run, false) && wait) {
		if (run->owes_kick) {
			kick(run);
		}
		(void)look(run, true);
	}
	struct fio_io *io = run->at_hand;
	run->at_hand = NULL;
	return io;
}

/* Take what is there, at least one and at most the job's batch; as fio does, with one look at the
 * clock. A device that returns nothing has let its own deadline pass. */
static void completions_take(struct run *run)
{
	uint64_t now = 0;
	for (uint32_t i = 0; i < run->job->batch_complete_max && in_flight(run) > 0; i++) {
		struct fio_io *io = completion_next(run, i == 0);
		if (io == NULL) {
			if (i == 0) {
				stop(run, STATUS_TIMEOUT);
			}
			return;
		}
		now = i == 0 ? now_ns(run) : now;
		completion_take(run, io, now);
	}
}

/* Each turn takes at least one, or is the last. */
static void drain(struct run *run)
{
	uint32_t before = run->job->depth + 1;
	while (in_flight(run) > 0 && in_flight(run) < before) {
		before = in_flight(run);
		completions_take(run);
	}
}

static bool flush_is_due(const struct run *run)
{
	return run->job->flush_every != 0 && !run->is_verifying &&
	       run->writes_since_flush >= run->job->flush_every;
}

/* fsync=N, as fio does it: everything before has completed, then the flush alone. */
static void flush_if_due(struct run *run)
{
	if (!flush_is_due(run)) {
		return;
	}
	drain(run);
	if (run->result->status != STATUS_OK) {
		return;
	}
	struct fio_io *io = io_take(run);
	io->kind = FIO_IO_FLUSH;
	io->offset_bytes = 0;
	io->size_bytes = 0;
	run->writes_since_flush = 0;
	run->batch_began_ns = now_ns(run);
	enum status status = io_submit(run, io);
	if (status != STATUS_OK) {
		stop(run, status);
		return;
	}
	kick(run);
	drain(run);
}

static bool may_issue(const struct run *run)
{
	return !run->has_stopped && run->free_count > 0 && run->issued < run->issue_limit &&
	       !flush_is_due(run);
}

/* Issue up to a batch. False: the device takes no more for now. */
static bool batch_issue(struct run *run)
{
	uint32_t batch = 0;
	enum status status = STATUS_OK;
	run->batch_began_ns = now_ns(run);
	while (batch < run->job->batch_submit && status == STATUS_OK && may_issue(run)) {
		status = request_issue(run);
		batch += status == STATUS_OK ? 1 : 0;
	}
	run->owes_kick = run->owes_kick || batch > 0;
	const bool others = in_flight(run) > batch;
	if (run->owes_kick && !(others && look(run, false))) {
		kick(run);
	}
	if (status != STATUS_OK && (status != STATUS_BUSY || in_flight(run) == 0)) {
		stop(run, status);
	}
	return status == STATUS_OK;
}

static void phase_run(struct run *run, uint64_t limit)
{
	run->issued = 0;
	run->issue_limit = limit;
	run->writes_since_flush = 0;
	run->random.state = run->job->seed;
	while (!run->has_stopped && run->issued < run->issue_limit) {
		/* As fio does: fill up to the depth, and only then look for completions. */
		while (may_issue(run) && batch_issue(run)) {
		}
		flush_if_due(run);
		completions_take(run);
	}
	drain(run);
}

static enum status run_init(struct run *run, uint8_t *memory, size_t memory_size_bytes)
{
	const struct fio_job *job = run->job;
	const uint64_t device_bytes = run->device->size_bytes;
	if (memory_size_bytes < fio_run_bytes(job) || job->offset_bytes >= device_bytes ||
	    job->offset_bytes % BLOCK_BYTES != 0) {
		return STATUS_INVALID;
	}
	uint64_t left = device_bytes - job->offset_bytes;
	run->begin_bytes = job->offset_bytes;
	run->span_bytes = job->size_bytes != 0 ? job->size_bytes : left;
	run->blocks = run->span_bytes / job->block_bytes;
	if (run->span_bytes > left || run->blocks == 0) {
		return STATUS_INVALID;
	}
	const size_t buffers = (size_t)job->depth * job->block_bytes_max;
	const bool in_place = run->device->buffer_bytes != 0;
	if (in_place && (job->is_verified || buffers > run->device->buffer_bytes)) {
		return STATUS_INVALID;
	}
	memset(memory, 0, fio_run_bytes(job));
	if (!in_place) {
		buffers_fill(memory, buffers);
	}
	run->ios = (struct fio_io *)(void *)(memory + buffers);
	run->free_list = (uint32_t *)(void *)(run->ios + job->depth);
	for (uint32_t i = 0; i < job->depth; i++) {
		run->ios[i].buffer_offset = (size_t)i * job->block_bytes_max;
		run->ios[i].bytes = in_place ? NULL : memory + run->ios[i].buffer_offset;
		run->free_list[i] = i;
	}
	run->free_count = job->depth;
	if (job->zipf_milli != 0) {
		fio_zipf_init(&run->zipf, run->blocks, job->zipf_milli);
	}
	return STATUS_OK;
}

enum status fio_run(const struct fio_job *job, const struct fio_device *device,
		    const struct fio_clock *clock, uint8_t *memory, size_t memory_size_bytes,
		    struct fio_result *result)
{
	struct run run = {.job = job, .device = device, .clock = clock, .result = result};
	*result = (struct fio_result){.status = STATUS_OK};
	result->status = run_init(&run, memory, memory_size_bytes);
	if (result->status != STATUS_OK) {
		return result->status;
	}
	streams_reset(result);
	run.began_ns = now_ns(&run);
	run.is_measuring = job->ramp_us == 0;
	run.measured_from_ns = run.began_ns;
	run.ends_ns = job->runtime_us == 0
			      ? UINT64_MAX
			      : run.began_ns + (job->ramp_us + job->runtime_us) * NS_PER_US;
	const bool by_time = job->is_time_based && job->runtime_us != 0;
	phase_run(&run, by_time ? BLOCKS_MAX : run.blocks);
	result->elapsed_ns = now_ns(&run) - run.measured_from_ns;
	if (job->is_verified && fio_rw_writes(job->rw) && result->status == STATUS_OK) {
		const uint64_t written = run.issued;
		run.is_verifying = true;
		run.has_stopped = false;
		run.ends_ns = UINT64_MAX;
		phase_run(&run, written);
	}
	return result->status;
}
