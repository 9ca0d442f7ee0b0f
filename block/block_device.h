// SPDX-License-Identifier: MIT
/* The block device port: what the volume needs of a disk, and no more.
 *
 * Offsets and sizes are in 4096-byte blocks. Buffers are private memory. Calls are synchronous:
 * a write that returned OK was accepted by the device, but is durable only after a flush that was
 * issued later returned OK. Every call ends within the device's own deadline.
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

struct block_device {
	const struct block_device_ops *ops;
	void *context;
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
