// SPDX-License-Identifier: MIT
/* The port's side of virtio-blk: open, close, and calls that wait. */
#include "block/virtio_blk.h"

#include <stddef.h>
#include <string.h>

#include "base/log.h"
#include "block/virtio_blk_internal.h"

/* Entries of a queue for each piece that may be in flight, where a chain needs several: header, two
 * runs of data, status. With indirect tables one would do. */
#define ENTRIES_PER_PIECE 4u

static void memory_return(struct virtio_blk *blk)
{
	for (uint16_t i = 0; i < VIRTIO_BLK_QUEUES_MAX; i++) {
		virtio_device_queue_close(&blk->device, &blk->queues[i]);
	}
	virtio_device_region_return(&blk->device, &blk->control);
	virtio_device_region_return(&blk->device, &blk->data);
	virtio_device_region_return(&blk->device, &blk->lent);
}

static const char *lie_name(const struct virtio_blk *blk)
{
	for (uint16_t i = 0; i < blk->queue_count; i++) {
		if (virtq_is_poisoned(&blk->queues[i])) {
			return virtq_lie_name(blk->queues[i].lie);
		}
	}
	return virtq_lie_name(VIRTQ_LIE_NONE);
}

enum status virtio_blk_fail(struct virtio_blk *blk, enum status cause)
{
	if (blk->open) {
		blk->open = false;
		blk->failure = cause;
		log_write(LOG_WARNING, "virtio_blk", "device given up: %s (%s), %u in flight",
			  status_name(cause), lie_name(blk), blk->pieces_out);
		virtio_device_give_up(&blk->device);
		memory_return(blk);
		virtio_blk_jobs_fail(blk, cause);
	}
	return cause;
}

/* ---- Calls that wait --------------------------------------------------------------------------
 */

/* One job from submission to completion. Nothing else is in flight, so what comes back is it. */
static enum status work_run(struct virtio_blk *blk, const struct virtio_blk_work *work)
{
	struct block_request request = {.status = STATUS_OK};
	struct block_request *completed = NULL;
	if (blk->jobs_out > 0 || blk->completed_first != NULL) {
		return STATUS_BUSY;
	}
	enum status status = virtio_blk_job_submit(blk, work, &request);
	if (status != STATUS_OK) {
		return status;
	}
	virtio_blk_kick(blk);
	status = virtio_blk_reap(blk, true, &completed);
	return status == STATUS_OK ? completed->status : status;
}

static bool range_valid(const struct virtio_blk *blk, struct physical_block first,
			struct block_count count)
{
	return count.n > 0 && addr_within(first.n, count.n, blk->block_device.capacity.n);
}

static enum status port_read(void *context, struct physical_block first, struct block_count count,
			     uint8_t *out)
{
	struct virtio_blk *blk = context;
	const struct virtio_blk_work work = {
		.type = VIRTIO_BLK_T_IN, .first = first, .count = count, .bytes = out};
	return range_valid(blk, first, count) ? work_run(blk, &work) : STATUS_INVALID;
}

/* The bytes of an OUT are only read; the work has one pointer for both directions. */
static uint8_t *bytes_to_read(const uint8_t *bytes)
{
	return (uint8_t *)(uintptr_t)bytes;
}

static enum status port_write(void *context, struct physical_block first, struct block_count count,
			      const uint8_t *bytes)
{
	struct virtio_blk *blk = context;
	const struct virtio_blk_work work = {.type = VIRTIO_BLK_T_OUT,
					     .first = first,
					     .count = count,
					     .bytes = bytes_to_read(bytes)};
	if (blk->block_device.read_only) {
		return STATUS_READ_ONLY;
	}
	return range_valid(blk, first, count) ? work_run(blk, &work) : STATUS_INVALID;
}

/* Every write before has completed, because nothing else is in flight: what it covers is decided.
 */
static enum status port_flush(void *context)
{
	struct virtio_blk *blk = context;
	const struct virtio_blk_work work = {.type = VIRTIO_BLK_T_FLUSH};
	return blk->block_device.has_flush ? work_run(blk, &work) : STATUS_NO_FLUSH;
}

static enum status port_discard(void *context, struct physical_block first,
				struct block_count count)
{
	struct virtio_blk *blk = context;
	const struct virtio_blk_work work = {
		.type = VIRTIO_BLK_T_DISCARD, .first = first, .count = count};
	if (blk->block_device.read_only) {
		return STATUS_READ_ONLY;
	}
	return range_valid(blk, first, count) ? work_run(blk, &work) : STATUS_INVALID;
}

static const struct block_device_ops ops_without_discard = {
	.read = port_read,
	.write = port_write,
	.flush = port_flush,
};

static const struct block_device_ops ops_with_discard = {
	.read = port_read,
	.write = port_write,
	.flush = port_flush,
	.discard = port_discard,
};

/* ---- Calls that do not ------------------------------------------------------------------------
 */

/* Kinds and ranges have been checked by block_submit(). */
static enum status port_submit(void *context, struct block_request *request)
{
	struct virtio_blk *blk = context;
	struct virtio_blk_work work = {
		.first = request->first,
		.count = request->count,
		.bytes = request->bytes,
	};
	switch (request->kind) {
	case BLOCK_REQUEST_READ: work.type = VIRTIO_BLK_T_IN; break;
	case BLOCK_REQUEST_WRITE: work.type = VIRTIO_BLK_T_OUT; break;
	case BLOCK_REQUEST_FLUSH:
		work = (struct virtio_blk_work){.type = VIRTIO_BLK_T_FLUSH};
		break;
	case BLOCK_REQUEST_DISCARD:
		work.type = VIRTIO_BLK_T_DISCARD;
		if (blk->discard_blocks_max == 0) {
			return STATUS_UNSUPPORTED;
		}
		break;
	}
	return virtio_blk_job_submit(blk, &work, request);
}

enum status virtio_blk_submit_in_place(struct virtio_blk *blk, struct block_request *request,
				       size_t offset_bytes)
{
	const bool is_write = request->kind == BLOCK_REQUEST_WRITE;
	const struct virtio_blk_work work = {
		.type = is_write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
		.first = request->first,
		.count = request->count,
		.is_in_place = true,
		.place_offset = offset_bytes,
	};
	if (!is_write && request->kind != BLOCK_REQUEST_READ) {
		return STATUS_INVALID;
	}
	if (is_write && blk->block_device.read_only) {
		return STATUS_READ_ONLY;
	}
	const uint64_t lent_blocks = virtio_blk_lent_bytes(blk) / BLOCK_BYTES;
	if (!range_valid(blk, request->first, request->count) || offset_bytes % BLOCK_BYTES != 0 ||
	    !addr_within(offset_bytes / BLOCK_BYTES, request->count.n, lent_blocks)) {
		return STATUS_INVALID;
	}
	return virtio_blk_job_submit(blk, &work, request);
}

static void port_kick(void *context)
{
	virtio_blk_kick(context);
}

static enum status port_reap(void *context, bool wait, struct block_request **completed)
{
	return virtio_blk_reap(context, wait, completed);
}

static const struct block_queue_ops queue_ops = {
	.submit = port_submit,
	.kick = port_kick,
	.reap = port_reap,
};

/* ---- Open and close ---------------------------------------------------------------------------
 */

static enum status queues_open(struct virtio_blk *blk, uint16_t wanted)
{
	enum status status = STATUS_OK;
	uint16_t count = wanted < blk->device_queue_count ? wanted : blk->device_queue_count;
	for (uint16_t i = 0; i < count && status == STATUS_OK; i++) {
		const struct virtq_config config = {
			.queue_index = i,
			.size = (uint16_t)(blk->depth * ENTRIES_PER_PIECE),
			.table_count = blk->depth,
			.table_segments = VIRTIO_BLK_SEGMENTS_MAX + 2u,
			.direct_segments = ENTRIES_PER_PIECE,
			.slots = blk->slots[i],
		};
		status = virtio_device_queue_open(&blk->device, &config, &blk->queues[i]);
		blk->queue_count++;
	}
	return status;
}

/* Everything between FEATURES_OK and the first request. */
static enum status blk_start(struct virtio_blk *blk, uint16_t queues_wanted)
{
	struct sharedmem *memory = blk->device.memory;
	enum status status = virtio_blk_configuration_read(blk);
	if (status != STATUS_OK) {
		return status;
	}
	status = queues_open(blk, queues_wanted);
	if (status != STATUS_OK) {
		return status;
	}
	status = virtio_blk_limits_fit(blk);
	if (status != STATUS_OK) {
		return status;
	}
	status = sharedmem_region_acquire(memory, virtio_blk_control_pages(blk->depth),
					  &blk->control);
	if (status != STATUS_OK) {
		return status;
	}
	status = sharedmem_region_acquire(memory, blk->data_pages, &blk->data);
	if (status == STATUS_OK && blk->lent_pages > 0) {
		status = sharedmem_region_acquire(memory, blk->lent_pages, &blk->lent);
	}
	if (status != STATUS_OK) {
		return status;
	}
	return virtio_device_start(&blk->device);
}

static uint16_t value_or(uint16_t value, uint16_t otherwise)
{
	return value != 0 ? value : otherwise;
}

/* STATUS_INVALID: above our limits. */
static enum status environment_take(struct virtio_blk *blk,
				    const struct virtio_blk_environment *environment)
{
	blk->depth = value_or(environment->depth, VIRTIO_BLK_DEPTH_DEFAULT);
	blk->data_pages = value_or(environment->data_pages, VIRTIO_BLK_DATA_PAGES_DEFAULT);
	blk->request_timeout_us = environment->request_timeout_us != 0
					  ? environment->request_timeout_us
					  : VIRTIO_BLK_TIMEOUT_US_DEFAULT;
	blk->lent_pages = environment->lent_pages;
	if (blk->depth > VIRTIO_BLK_DEPTH_MAX || blk->data_pages > VIRTIO_BLK_DATA_PAGES_MAX ||
	    blk->lent_pages > VIRTIO_BLK_LENT_PAGES_MAX ||
	    environment->queue_count > VIRTIO_BLK_QUEUES_MAX) {
		return STATUS_INVALID;
	}
	virtio_blk_jobs_init(blk);
	return STATUS_OK;
}

static void port_describe(struct virtio_blk *blk)
{
	const uint64_t features = blk->device.features;
	struct block_device *device = &blk->block_device;
	device->ops = blk->discard_blocks_max > 0 ? &ops_with_discard : &ops_without_discard;
	device->queue = &queue_ops;
	device->context = blk;
	device->queue_depth = blk->depth;
	device->read_only = (features & VIRTIO_BLK_F_RO) != 0;
	device->has_flush = (features & VIRTIO_BLK_F_FLUSH) != 0;
}

enum status virtio_blk_open(struct virtio_blk *blk,
			    const struct virtio_blk_environment *environment)
{
	/* CONFIG_WCE is not on the list: with FLUSH negotiated the cache is write-back, and that is
	 * what we rely on (section 5.2.6.2). Geometry, lifetime and secure erase are of no use. */
	const struct virtio_device_wish wish = {
		.device_id = VIRTIO_ID_BLOCK,
		.allowed_features = VIRTIO_BLK_F_SIZE_MAX | VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_RO |
				    VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_FLUSH |
				    VIRTIO_BLK_F_TOPOLOGY | VIRTIO_BLK_F_MQ | VIRTIO_BLK_F_DISCARD |
				    VIRTIO_BLK_F_WRITE_ZEROES | VIRTQ_FEATURES,
	};
	/* The arrays are set up as far as they are used. */
	memset(blk, 0, offsetof(struct virtio_blk, jobs));
	enum status status = environment_take(blk, environment);
	if (status != STATUS_OK) {
		return status;
	}
	status = virtio_device_open(&blk->device, environment->transport, environment->memory,
				    environment->clock, &wish);
	if (status != STATUS_OK) {
		return status;
	}
	blk->open = true;
	status = blk_start(blk, value_or(environment->queue_count, 1));
	port_describe(blk);
	return status == STATUS_OK ? STATUS_OK : virtio_blk_fail(blk, status);
}

void virtio_blk_close(struct virtio_blk *blk)
{
	if (blk->open) {
		blk->open = false;
		virtio_device_stop(&blk->device);
		memory_return(blk);
		virtio_blk_jobs_fail(blk, STATUS_BAD_HOST);
	}
}

/* ---- About the device -------------------------------------------------------------------------
 */

void virtio_blk_condition_get(const struct virtio_blk *blk, struct virtio_blk_condition *condition)
{
	const struct virtio_transport *transport = blk->device.transport;
	*condition = (struct virtio_blk_condition){
		.failure = blk->failure,
		.reset = blk->device.reset,
		.failures = transport == NULL ? 0 : transport->failure_count,
		.has_packed_ring = (blk->device.features & VIRTIO_F_RING_PACKED) != 0,
	};
}

void virtio_blk_look(struct virtio_blk *blk)
{
	if (blk->open && virtio_device_check(&blk->device) != STATUS_OK) {
		(void)virtio_blk_fail(blk, STATUS_BAD_HOST);
	}
}

const struct block_device *virtio_blk_device(const struct virtio_blk *blk)
{
	return &blk->block_device;
}

void virtio_blk_counters_get(const struct virtio_blk *blk, struct block_device_counters *counters)
{
	*counters = blk->counters;
}

void virtio_blk_queue_counters_get(const struct virtio_blk *blk, struct virtq_counters *counters)
{
	*counters = (struct virtq_counters){0};
	for (uint16_t i = 0; i < blk->queue_count; i++) {
		const struct virtq_counters *queue = &blk->queues[i].counters;
		counters->chains += queue->chains;
		counters->notifications += queue->notifications;
		counters->suppressed += queue->suppressed;
	}
}

enum status virtio_blk_id_read(struct virtio_blk *blk, char id[VIRTIO_BLK_ID_BYTES + 1])
{
	uint8_t bytes[VIRTIO_BLK_ID_BYTES];
	const struct virtio_blk_work work = {.type = VIRTIO_BLK_T_GET_ID, .bytes = bytes};
	const enum status status = work_run(blk, &work);
	if (status != STATUS_OK) {
		return status;
	}
	size_t length = 0;
	for (; length < sizeof(bytes) && bytes[length] != 0; length++) {
		const bool printable = bytes[length] >= ' ' && bytes[length] <= '~';
		id[length] = printable ? (char)bytes[length] : '?';
	}
	id[length] = '\0';
	return STATUS_OK;
}

enum status virtio_blk_zeroes_write(struct virtio_blk *blk, struct physical_block first,
				    struct block_count count)
{
	const struct virtio_blk_work work = {
		.type = VIRTIO_BLK_T_WRITE_ZEROES, .first = first, .count = count};
	if (blk->block_device.read_only) {
		return STATUS_READ_ONLY;
	}
	if (blk->zeroes_blocks_max == 0) {
		return STATUS_UNSUPPORTED;
	}
	return range_valid(blk, first, count) ? work_run(blk, &work) : STATUS_INVALID;
}

void virtio_blk_interrupt_ack(struct virtio_blk *blk)
{
	if (!blk->open) {
		return;
	}
	(void)virtio_transport_interrupt_take(blk->device.transport);
	if (blk->device.transport->config_changed && !blk->config_change_logged) {
		blk->config_change_logged = true;
		log_write(LOG_WARNING, "virtio_blk", "a change of the configuration is ignored");
	}
}
