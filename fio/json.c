// SPDX-License-Identifier: MIT
#include "fio/json.h"

#include <stdarg.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/format.h"

#define PIECE_BYTES 256u

struct out {
	fio_sink sink;
	void *context;
};

PRINTF_LIKE(2, 3) static void print(const struct out *out, const char *format, ...)
{
	char piece[PIECE_BYTES];
	va_list arguments;
	va_start(arguments, format);
	(void)format_list(piece, sizeof(piece), format, arguments);
	va_end(arguments);
	out->sink(out->context, piece);
}

/* count / ns as a rate a second in millionths: fio prints doubles with six digits. */
static void print_rate(const struct out *out, const char *name, uint64_t count, uint64_t ns)
{
	uint64_t us = ns / 1000;
	uint64_t whole = us == 0 ? 0 : count * 1000000u / us;
	uint64_t rest = us == 0 ? 0 : count * 1000000u % us * 1000u / us;
	print(out, "\"%s\": %lu.%03lu000", name, whole, rest);
}

/* A name of a section: fio allows any text in it. */
static void print_name(const struct out *out, const char *name)
{
	for (; *name != '\0'; name++) {
		bool is_plain = *name >= ' ' && *name <= '~' && *name != '"' && *name != '\\';
		print(out, "%c", is_plain ? *name : '?');
	}
}

static void print_percentiles(const struct out *out, const struct fio_histogram *latency)
{
	static const struct {
		uint32_t percent_milli;
		const char *name;
	} percentiles[] = {
		{1000, "1.000000"},   {5000, "5.000000"},   {10000, "10.000000"},
		{50000, "50.000000"}, {90000, "90.000000"}, {95000, "95.000000"},
		{99000, "99.000000"}, {99900, "99.900000"}, {99990, "99.990000"},
	};
	print(out, ", \"percentile\": {");
	for (size_t i = 0; i < ARRAY_COUNT(percentiles); i++) {
		print(out, "%s\"%s\": %lu", i == 0 ? "" : ", ", percentiles[i].name,
		      fio_histogram_percentile_ns(latency, percentiles[i].percent_milli));
	}
	print(out, "}");
}

static void print_range(const struct out *out, const struct fio_histogram *latency)
{
	print(out, "\"min\": %lu, \"max\": %lu, \"mean\": %lu.000000, \"N\": %lu",
	      latency->count == 0 ? 0 : latency->min_ns, latency->max_ns,
	      fio_histogram_mean_ns(latency), latency->count);
}

static void print_latency(const struct out *out, const struct fio_histogram *latency)
{
	print(out, "{");
	print_range(out, latency);
	/* As fio: of nothing there are no percentiles. */
	if (latency->count > 0) {
		print_percentiles(out, latency);
	}
	print(out, "}");
}

static void print_stream(const struct out *out, const char *name, const struct fio_stream *stream,
			 uint64_t elapsed_ns)
{
	const uint64_t ms = elapsed_ns / 1000000u;
	const uint64_t bw_bytes = ms == 0 ? 0 : stream->bytes * 1000u / ms;
	print(out, "  \"%s\": {\"io_bytes\": %lu, \"io_kbytes\": %lu, \"bw_bytes\": %lu, ", name,
	      stream->bytes, stream->bytes / 1024u, bw_bytes);
	print(out, "\"bw\": %lu, ", bw_bytes / 1024u);
	print_rate(out, "iops", stream->requests, elapsed_ns);
	print(out, ", \"runtime\": %lu, \"total_ios\": %lu, \"short_ios\": 0, \"drop_ios\": 0,\n",
	      ms, stream->requests);
	print(out, "   \"clat_ns\": ");
	print_latency(out, &stream->latency);
	/* fio's lat_ns begins before clat_ns, with the time to submit; here the two are one. */
	print(out, ",\n   \"lat_ns\": {");
	print_range(out, &stream->latency);
	print(out, "}}");
}

void fio_json_begin(fio_sink sink, void *context, const char *version)
{
	const struct out out = {sink, context};
	print(&out, "{\"fio version\": \"holdfast-%s\", \"jobs\": [\n", version);
}

/* What fio's schema has no place for. */
static void print_own(const struct out *out, const struct fio_result *result,
		      const struct fio_costs *costs)
{
	print(out, "\"holdfast\": {\"error_name\": \"%s\", \"error_offset\": %lu, ",
	      status_name(result->status), result->failed_at_bytes);
	print(out, "\"verified_bytes\": %lu, \"kicks\": %lu, \"elapsed_ns\": %lu, \"costs\": {",
	      result->verified_bytes, result->kicks, result->elapsed_ns);
	for (size_t i = 0; i < costs->count; i++) {
		print(out, "%s\"%s\": %lu", i == 0 ? "" : ", ", costs->all[i].name,
		      costs->all[i].count);
	}
	print(out, "}},\n");
}

void fio_json_job(fio_sink sink, void *context, size_t index, const struct fio_job *job,
		  const struct fio_result *result, const struct fio_costs *costs)
{
	const struct out out = {sink, context};
	print(&out, "%s {\"jobname\": \"", index == 0 ? "" : ",\n");
	print_name(&out, job->name);
	print(&out, "\", \"groupid\": %lu, \"error\": %d, \"elapsed\": %lu,\n  ", index,
	      -(int)result->status, result->elapsed_ns / 1000000000u);
	print_own(&out, result, costs);
	print(&out, "  \"job options\": {\"rw\": \"%s\", \"bs\": \"%u\", \"iodepth\": \"%u\"},\n",
	      fio_rw_name(job->rw), job->block_bytes, job->depth);
	print_stream(&out, "read", &result->read, result->elapsed_ns);
	print(&out, ",\n");
	print_stream(&out, "write", &result->write, result->elapsed_ns);
	print(&out, ",\n  \"sync\": {\"total_ios\": %lu, \"lat_ns\": ", result->flush.requests);
	print_latency(&out, &result->flush.latency);
	print(&out, "}}");
}

void fio_json_end(fio_sink sink, void *context)
{
	const struct out out = {sink, context};
	print(&out, "\n]}\n");
}
