// SPDX-License-Identifier: MIT
/* Runs one job on a device. PURE: the clock is a port. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "fio/device.h"
#include "fio/histogram.h"
#include "fio/job.h"

struct fio_clock {
	uint64_t (*now_ns)(void *context); /* Never goes back, nor can the host stop it. */
	void *context;
};

/* Of one direction, after the ramp. */
struct fio_stream {
	uint64_t requests;
	uint64_t bytes;
	struct fio_histogram latency; /* From submission to completion. */
};

struct fio_result {
	enum status status;       /* The first request that failed ended the job. */
	uint64_t failed_at_bytes; /* Where. */
	uint64_t elapsed_ns;      /* Measured, without the ramp. */
	uint64_t verified_bytes;
	uint64_t kicks;
	struct fio_stream read;
	struct fio_stream write;
	struct fio_stream flush;
};

/* Bytes of memory for a job: its requests and their buffers. */
size_t fio_run_bytes(const struct fio_job *job);

/* Run to the end. `memory` is 4096-byte aligned. `result` is caller's storage (25 KiB). The status
 * is the result's; STATUS_INVALID: the job does not fit the device, its buffers or the memory, and
 * nothing was done. STATUS_AUTH_DATA: verification found something else than what was written. */
MUST_CHECK
enum status fio_run(const struct fio_job *job, const struct fio_device *device,
		    const struct fio_clock *clock, uint8_t *memory, size_t memory_size_bytes,
		    struct fio_result *result);
