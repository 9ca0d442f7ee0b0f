// SPDX-License-Identifier: MIT
/* Range checks in front of the port, so that no driver needs them. */
#include "block/block_device.h"

#include "base/addr.h"

static bool is_inside(const struct block_device *device, struct physical_block first,
		      struct block_count count)
{
	return count.n != 0 && addr_within(first.n, count.n, device->capacity.n);
}

enum status block_read(const struct block_device *device, struct physical_block first,
		       struct block_count count, uint8_t *out)
{
	if (!is_inside(device, first, count)) {
		return STATUS_INVALID;
	}
	return device->ops->read(device->context, first, count, out);
}

enum status block_write(const struct block_device *device, struct physical_block first,
			struct block_count count, const uint8_t *bytes)
{
	if (device->read_only) {
		return STATUS_READ_ONLY;
	}
	if (!is_inside(device, first, count)) {
		return STATUS_INVALID;
	}
	return device->ops->write(device->context, first, count, bytes);
}

enum status block_flush(const struct block_device *device)
{
	if (!device->has_flush) {
		return STATUS_NO_FLUSH;
	}
	return device->ops->flush(device->context);
}
