// SPDX-License-Identifier: MIT
/* fio's job files (fio 3.33, HOWTO, "Job file format"), as far as they describe what is done to a
 * block device. The same file runs on the host's fio, on fio in a Linux guest, and here.
 *
 * Pure and total: any bytes give jobs, or a named error and its line. A key that changes what is
 * measured is carried out or refused. Passed over are only those that say how a program under an
 * operating system does its I/O (ioengine, direct, thread, filename, ...). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

#define FIO_NAME_BYTES      32u
#define FIO_JOBS_MAX        16u
#define FIO_LINE_BYTES      256u
#define FIO_DEPTH_MAX       256u
#define FIO_BLOCK_BYTES_MAX (1u << 20)
#define FIO_REFUSAL_BYTES   96u

enum fio_rw {
	FIO_READ,
	FIO_WRITE,
	FIO_RANDREAD,
	FIO_RANDWRITE,
	FIO_RW,
	FIO_RANDRW,
};

/* One section, with what the [global] sections before it said. */
struct fio_job {
	char name[FIO_NAME_BYTES];
	enum fio_rw rw;
	uint32_t block_bytes; /* A multiple of 4096: the least of a request, and its alignment. */
	uint32_t block_bytes_max; /* bsrange: the most, a multiple of the least. */
	uint32_t depth;
	uint32_t batch_submit;       /* iodepth_batch(_submit): requests issued at a time. */
	uint32_t batch_complete_max; /* Taken at once when at least one is there. */
	uint64_t offset_bytes;
	uint64_t size_bytes; /* 0: to the target's end. */
	uint64_t runtime_us; /* 0: `size_bytes` once. */
	uint64_t ramp_us;    /* Not measured. */
	bool is_time_based;
	uint32_t read_percent; /* FIO_RW and FIO_RANDRW. */
	uint32_t flush_every;  /* fsync, fdatasync: writes between two flushes; 0: none. */
	uint32_t zipf_milli;   /* random_distribution=zipf:THETA, in thousandths; 0: uniform. */
	uint64_t seed;
	bool is_verified;   /* verify=crc32c: what was written is read back and checked. */
	bool is_walled_off; /* stonewall. Jobs run one after the other here in any case. */
};

struct fio_jobs {
	size_t count;
	struct fio_job jobs[FIO_JOBS_MAX];
};

/* ${NAME} in a value, which fio takes from its environment. */
struct fio_variable {
	const char *name;
	const char *value;
};

struct fio_variables {
	const struct fio_variable *all;
	size_t count;
};

/* What a refusal is about, for a message. */
struct fio_refusal {
	uint32_t line; /* From 1. */
	char text[FIO_REFUSAL_BYTES];
};

/* OK: at least one job. BAD_CONFIG: malformed, or a value out of range. UNSUPPORTED: a key or value
 * that is not carried out here. TOO_LARGE: too many jobs. After an error `jobs` is undefined and
 * `refusal` filled in. */
MUST_CHECK
enum status fio_jobs_parse(const char *text, size_t size_bytes,
			   const struct fio_variables *variables, struct fio_jobs *jobs,
			   struct fio_refusal *refusal);

/* As fio spells it. */
const char *fio_rw_name(enum fio_rw rw);
bool fio_rw_writes(enum fio_rw rw);
bool fio_rw_is_random(enum fio_rw rw);
