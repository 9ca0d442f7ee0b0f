// SPDX-License-Identifier: MIT
/* Results in the schema of fio --output-format=json (fio 3.33), so that what reads fio's reads
 * ours: jobs[].read.iops and .bw_bytes, .clat_ns.percentile["99.000000"], and so on. What fio has
 * and this runner does not measure (slat, CPU, disk statistics) is left out; what only we have is
 * in an object "holdfast". */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "fio/job.h"
#include "fio/run.h"

/* Gets the text in pieces, each terminated. */
typedef void (*fio_sink)(void *context, const char *text);

/* Something that was counted while the job ran. */
struct fio_cost {
	const char *name;
	uint64_t count;
};

struct fio_costs {
	const struct fio_cost *all;
	size_t count;
};

void fio_json_begin(fio_sink sink, void *context, const char *version);
/* `index` from 0. A job that failed has an "error" that is not 0, and its status's name in
 * "holdfast". */
void fio_json_job(fio_sink sink, void *context, size_t index, const struct fio_job *job,
		  const struct fio_result *result, const struct fio_costs *costs);
void fio_json_end(fio_sink sink, void *context);
