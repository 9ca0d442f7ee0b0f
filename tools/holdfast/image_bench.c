// SPDX-License-Identifier: MIT
/* What a scripted workload costs: device writes, flushes and bytes for each operation, counted at
 * the device port. The script is fixed, so the counts of two runs on equal volumes are equal. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/holdfast/commands.h"
#include "tools/holdfast/contents.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/object_remove.h"
#include "tools/holdfast/pace.h"
#include "tools/holdfast/progress.h"
#include "tools/holdfast/session.h"

#define OBJECT_NAME   "holdfast.bench"
#define OBJECT_BYTES  (1u << 20)
#define REQUEST_BYTES (256u << 10) /* The largest below. */

enum bench_kind {
	BENCH_SEQUENTIAL_WRITE,
	BENCH_RANDOM_WRITE,
	BENCH_RANDOM_READ,
	BENCH_CHECKPOINT,
};

struct workload {
	const char *name;
	enum bench_kind kind;
	uint32_t request_bytes;
	uint32_t operations;
};

/* Each write is a transaction: durable when it returns. The first makes the object. */
static const struct workload workloads[] = {
	{"sequential write 256K", BENCH_SEQUENTIAL_WRITE, 256u << 10, 4},
	{"sequential write 16K", BENCH_SEQUENTIAL_WRITE, 16u << 10, 64},
	{"random write 16K", BENCH_RANDOM_WRITE, 16u << 10, 64},
	{"random write 4K", BENCH_RANDOM_WRITE, 4u << 10, 256},
	{"random write 512", BENCH_RANDOM_WRITE, 512, 256},
	{"checkpoint", BENCH_CHECKPOINT, 0, 1},
	{"random read 4K", BENCH_RANDOM_READ, 4u << 10, 512},
};

struct result {
	struct block_device_counters device;
	uint64_t checkpoints;
	uint64_t elapsed_us;
};

struct bench {
	struct session *session;
	const char *name; /* The object to work in. */
	struct progress progress;
	uint64_t random; /* State of the script's generator. */
	uint64_t done;
	uint64_t total;
	struct result results[ARRAY_COUNT(workloads)];
};

/* SplitMix64: repeatable, and nothing that compresses or repeats. */
static uint64_t next_random(struct bench *bench)
{
	bench->random += 0x9e3779b97f4a7c15u;
	uint64_t mixed = bench->random;
	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
	return mixed ^ mixed >> 31;
}

static enum status store_write(struct store *store, uint64_t offset_bytes, const uint8_t *bytes,
			       size_t size_bytes)
{
	enum status status = store_txn_begin(store);
	if (status == STATUS_OK) {
		status = store_txn_write(store, OBJECT_NAME, offset_bytes, bytes, size_bytes);
	}
	if (status == STATUS_OK) {
		status = store_txn_commit(store);
	}
	store_txn_abort(store);
	return status;
}

static enum status write_once(struct bench *bench, uint64_t offset_bytes, size_t size_bytes)
{
	static uint8_t bytes[REQUEST_BYTES];
	struct session *session = bench->session;
	for (size_t i = 0; i < size_bytes; i += sizeof(uint64_t)) {
		uint64_t word = next_random(bench);
		memcpy(bytes + i, &word, sizeof(word));
	}
	if (session_profile(session) == VOLUME_PROFILE_STATE) {
		return store_write(&session->store, offset_bytes, bytes, size_bytes);
	}
	enum status status = device_write(&session->device, offset_bytes, bytes, size_bytes);
	return status == STATUS_OK ? device_flush(&session->device) : status;
}

static enum status operate(struct bench *bench, const struct workload *workload, uint32_t number)
{
	static uint8_t bytes[REQUEST_BYTES];
	size_t size = workload->request_bytes;
	switch (workload->kind) {
	case BENCH_SEQUENTIAL_WRITE: return write_once(bench, number * (uint64_t)size, size);
	case BENCH_RANDOM_WRITE:
		return write_once(bench, next_random(bench) % (OBJECT_BYTES / size) * size, size);
	case BENCH_RANDOM_READ:
		return contents_read(bench->session, bench->name,
				     next_random(bench) % (OBJECT_BYTES / size) * size, bytes,
				     size);
	case BENCH_CHECKPOINT: return volume_checkpoint(bench->session->volume);
	}
	return STATUS_INVALID;
}

/* The counters now, or with `since` what was added since then. */
static void count(struct bench *bench, const struct result *since, struct result *out)
{
	const struct block_device_counters *now = &bench->session->file.counters;
	struct volume_counters volume;
	volume_counters_get(bench->session->volume, &volume);
	*out = (struct result){.device = *now, .checkpoints = volume.checkpoints};
	if (since != NULL) {
		out->device.reads -= since->device.reads;
		out->device.writes -= since->device.writes;
		out->device.flushes -= since->device.flushes;
		out->device.blocks_read -= since->device.blocks_read;
		out->device.blocks_written -= since->device.blocks_written;
		out->checkpoints -= since->checkpoints;
	}
}

static enum status run_workload(struct bench *bench, size_t index)
{
	const struct workload *workload = &workloads[index];
	struct result before;
	struct pace pace;
	enum status status = STATUS_OK;
	count(bench, NULL, &before);
	pace_begin(&pace, 0);
	for (uint32_t i = 0; i < workload->operations && status == STATUS_OK; i++) {
		status = operate(bench, workload, i);
		bench->done++;
		progress_update(&bench->progress, bench->done, bench->total);
	}
	uint64_t elapsed_us = pace_elapsed_us(&pace);
	count(bench, &before, &bench->results[index]);
	bench->results[index].elapsed_us = elapsed_us;
	return status;
}

static enum status clean_up(struct session *session)
{
	if (session_profile(session) == VOLUME_PROFILE_STATE) {
		return object_remove(&session->store, OBJECT_NAME);
	}
	enum status status = device_zero(&session->device, 0, OBJECT_BYTES);
	return status == STATUS_OK ? device_flush(&session->device) : status;
}

/* Start with an empty log, so that what the volume did before is not counted. */
static enum status run_all(struct bench *bench)
{
	enum status status = volume_checkpoint(bench->session->volume);
	progress_init(&bench->progress, "bench");
	for (size_t i = 0; i < ARRAY_COUNT(workloads); i++) {
		bench->total += workloads[i].operations;
	}
	for (size_t i = 0; i < ARRAY_COUNT(workloads) && status == STATUS_OK; i++) {
		status = run_workload(bench, i);
	}
	progress_end(&bench->progress);
	enum status removed = clean_up(bench->session);
	return status == STATUS_OK ? removed : status;
}

static double per_operation(uint64_t value, uint32_t operations)
{
	return (double)value / operations;
}

static void print_text(const struct bench *bench)
{
	(void)printf("%-22s %6s %9s %9s %11s %11s %9s\n", "workload", "ops", "writes/op",
		     "flush/op", "bytes w/op", "bytes r/op", "us/op");
	for (size_t i = 0; i < ARRAY_COUNT(workloads); i++) {
		const struct result *result = &bench->results[i];
		uint32_t operations = workloads[i].operations;
		(void)printf("%-22s %6" PRIu32 " %9.2f %9.2f %11.0f %11.0f %9.1f\n",
			     workloads[i].name, operations,
			     per_operation(result->device.writes, operations),
			     per_operation(result->device.flushes, operations),
			     per_operation(result->device.blocks_written * BLOCK_BYTES, operations),
			     per_operation(result->device.blocks_read * BLOCK_BYTES, operations),
			     per_operation(result->elapsed_us, operations));
	}
}

static void print_json(const struct bench *bench)
{
	struct json json;
	json_init(&json, stdout);
	json_open(&json, NULL, '{');
	json_string(&json, "status", status_name(STATUS_OK));
	json_open(&json, "workloads", '[');
	for (size_t i = 0; i < ARRAY_COUNT(workloads); i++) {
		const struct result *result = &bench->results[i];
		json_open(&json, NULL, '{');
		json_string(&json, "name", workloads[i].name);
		json_number(&json, "operations", workloads[i].operations);
		json_number(&json, "request_bytes", workloads[i].request_bytes);
		json_number(&json, "device_writes", result->device.writes);
		json_number(&json, "device_flushes", result->device.flushes);
		json_number(&json, "bytes_written", result->device.blocks_written * BLOCK_BYTES);
		json_number(&json, "device_reads", result->device.reads);
		json_number(&json, "bytes_read", result->device.blocks_read * BLOCK_BYTES);
		json_number(&json, "checkpoints", result->checkpoints);
		json_number(&json, "elapsed_us", result->elapsed_us);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	(void)fputc('\n', stdout);
}

/* A device has no room beside its content: there must be none. */
static enum status check_empty(struct session *session, struct report *report)
{
	uint64_t extent = 0;
	bool is_hole = false;
	enum status status =
		device_extent(&session->device, 0, session->device.size_bytes, &extent, &is_hole);
	if (status == STATUS_OK && (!is_hole || extent != session->device.size_bytes)) {
		return report_note(report, STATUS_EXISTS, DEVICE_NAME,
				   "The device holds data, which this would overwrite; use a new "
				   "volume.");
	}
	return session_explain(session, status, report);
}

/* STATUS_OK: there is no object in the way. */
static enum status check_free(struct session *session, struct report *report)
{
	if (session_profile(session) == VOLUME_PROFILE_BLOCK) {
		return check_empty(session, report);
	}
	struct store_object_info info;
	enum status status = store_stat(&session->store, OBJECT_NAME, &info);
	if (status == STATUS_OK) {
		return report_note(report, STATUS_EXISTS, OBJECT_NAME,
				   "Left by a bench that was interrupted; 'holdfast image rm' "
				   "removes it.");
	}
	return status == STATUS_NOT_FOUND ? STATUS_OK : session_explain(session, status, report);
}

enum status image_bench(const struct options *options, struct report *report)
{
	struct session session;
	struct bench bench = {.session = &session};
	session_init(&session);
	session.witness_choice = options->witness;
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_WRITE, report);
	if (status == STATUS_OK) {
		status = check_free(&session, report);
	}
	if (status == STATUS_OK) {
		bench.name = session_profile(&session) == VOLUME_PROFILE_STATE ? OBJECT_NAME
									       : DEVICE_NAME;
		status = session_explain(&session, run_all(&bench), report);
	}
	session_close(&session);
	if (status == STATUS_OK && options->json) {
		print_json(&bench);
	} else if (status == STATUS_OK) {
		print_text(&bench);
	}
	return status;
}
