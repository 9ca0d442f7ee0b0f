// SPDX-License-Identifier: MIT
/* The block device port: what the volume needs of a disk, and no more.
 *
 * Offsets and sizes are in 4096-byte blocks. Buffers are private memory. Calls of block_device_ops
 * are synchronous: a write that returned OK was accepted by the device, but is durable only after a
 * flush that was issued later returned OK. Every call ends within the device's own deadline. A
 * device may also take several requests at once: see struct block_queue_ops.
 *
 * Errors: STATUS_IO the device said so; STATUS_BAD_HOST it lied and is dead from now on;
 * STATUS_TIMEOUT likewise after silence; STATUS_READ_ONLY; STATUS_INVALID outside the capacity. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "base/units.h"

struct block_device_ops {
	enum status (*read)(void *context, struct physical_block first, struct block_count count,
			    uint8_t *out);
	enum status (*write)(void *context, struct physical_block first, struct block_count count,
			     const uint8_t *bytes);
	enum status (*flush)(void *context);
	/* A hint; its loss is harmless. May be NULL. */
	enum status (*discard)(void *context, struct physical_block first,
			       struct block_count count);
};

enum block_request_kind {
	BLOCK_REQUEST_READ,
	BLOCK_REQUEST_WRITE,
	BLOCK_REQUEST_FLUSH,
	BLOCK_REQUEST_DISCARD, /* A hint; its loss is harmless. */
};

/* One request in flight. The submitter's storage, the device's from submission to completion. */
struct block_request {
	enum block_request_kind kind;
	enum status status; /* Set when it completes. */
	struct physical_block first;
	struct block_count count;
	uint8_t *bytes; /* READ: filled, zeroed on failure. WRITE: only read. Else NULL. */
	void *owner;    /* The submitter's; nobody else looks at it. */
	struct block_request *next; /* The device's. */
};

/* Several requests at once. They complete in any order; a flush covers the writes that had
 * completed when it was submitted, and no others. When the device dies, every request in flight
 * completes with the status that says why. Not to be mixed with synchronous calls while anything
 * is in flight. */
struct block_queue_ops {
	/* The device need not look at it before the kick. STATUS_BUSY: full, reap first. On any
	 * error the request was not taken. */
	enum status (*submit)(void *context, struct block_request *request);
	/* One notification for all that was submitted since the last one. */
	void (*kick)(void *context);
	/* Hand back one completed request. STATUS_AGAIN: none has completed (`wait` false), or none
	 * is in flight. With `wait` it returns within the device's deadline. */
	enum status (*reap)(void *context, bool wait, struct block_request **completed);
};

struct block_device {
	const struct block_device_ops *ops;
	const struct block_queue_ops *queue; /* NULL: one request at a time. */
	void *context;
	uint32_t queue_depth;        /* Requests in flight at most, if there is a queue. */
	struct block_count capacity; /* Fixed when the device was opened. */
	bool read_only;
	bool has_flush; /* False: refuse durable use (STATUS_NO_FLUSH). */
};

/* What a device was asked to do since it was opened; kept by the driver, read by tests. */
struct block_device_counters {
	uint64_t reads;
	uint64_t writes;
	uint64_t flushes;
	uint64_t blocks_read;
	uint64_t blocks_written;
};

/* Range-checked calls through the port: what everybody uses. */
MUST_CHECK
enum status block_read(const struct block_device *device, struct physical_block first,
		       struct block_count count, uint8_t *out);
MUST_CHECK
enum status block_write(const struct block_device *device, struct physical_block first,
			struct block_count count, const uint8_t *bytes);
MUST_CHECK
enum status block_flush(const struct block_device *device);

/* The same for requests: what does not fit the device is refused before it reaches it.
 * STATUS_UNSUPPORTED: the device has no queue. */
MUST_CHECK
enum status block_submit(const struct block_device *device, struct block_request *request);
void block_kick(const struct block_device *device);
MUST_CHECK
enum status block_reap(const struct block_device *device, bool wait,
		       struct block_request **completed);
