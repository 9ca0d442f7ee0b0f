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

static enum status request_check(const struct block_device *device,
				 const struct block_request *request)
{
	switch (request->kind) {
	case BLOCK_REQUEST_FLUSH: return device->has_flush ? STATUS_OK : STATUS_NO_FLUSH;
	case BLOCK_REQUEST_WRITE:
	case BLOCK_REQUEST_DISCARD:
		if (device->read_only) {
			return STATUS_READ_ONLY;
		}
		break;
	case BLOCK_REQUEST_READ: break;
	}
	return is_inside(device, request->first, request->count) ? STATUS_OK : STATUS_INVALID;
}

enum status block_submit(const struct block_device *device, struct block_request *request)
{
	if (device->queue == NULL) {
		return STATUS_UNSUPPORTED;
	}
	enum status status = request_check(device, request);
	if (status != STATUS_OK) {
		return status;
	}
	return device->queue->submit(device->context, request);
}

void block_kick(const struct block_device *device)
{
	if (device->queue != NULL) {
		device->queue->kick(device->context);
	}
}

enum status block_reap(const struct block_device *device, bool wait,
		       struct block_request **completed)
{
	if (device->queue == NULL) {
		return STATUS_UNSUPPORTED;
	}
	return device->queue->reap(device->context, wait, completed);
}
