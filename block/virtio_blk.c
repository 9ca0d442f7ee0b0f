// SPDX-License-Identifier: MIT
/* The request cycle of virtio-blk (virtio 1.2, section 5.2.6):
 *
 *   control page   offset 0   u32 type, u32 reserved, u64 sector    the device reads
 *                  offset 64  u8 status, preset to 0xff             the device writes
 *   data pages     what is transferred; a poison pattern before a read
 *
 * header, data and status make one chain; one notification; then we poll. A completion is taken for
 * a success only if the whole chain was written and the status byte, loaded once, is 0. Whether the
 * content is right is for the volume's authentication to say. */
#include "block/virtio_blk.h"

#include <string.h>

#include "base/log.h"
#include "base/reader.h"
#include "block/virtio_blk_internal.h"

#define VIRTIO_BLK_T_IN     0u
#define VIRTIO_BLK_T_OUT    1u
#define VIRTIO_BLK_T_FLUSH  4u
#define VIRTIO_BLK_T_GET_ID 8u

#define VIRTIO_BLK_S_OK     0u
#define VIRTIO_BLK_S_IOERR  1u
#define VIRTIO_BLK_S_UNSUPP 2u

#define HEADER_BYTES        16u
#define STATUS_OFFSET       64u
#define STATUS_PRESET       0xffu
#define POISON_BYTE         0xa5u
#define QUEUE_SIZE          64u
#define SEGMENTS_MAX        (VIRTIO_BLK_DATA_PAGES + 2u)

STATIC_ASSERT(SEGMENTS_MAX <= QUEUE_SIZE, "the largest request fits into the queue");

struct request {
	uint32_t type;
	uint64_t sector;
	uint32_t data_bytes;
	bool device_writes; /* The data. */
};

static void memory_return(struct virtio_blk *blk)
{
	virtio_device_queue_close(&blk->device, &blk->queue);
	virtio_device_region_return(&blk->device, &blk->control);
	virtio_device_region_return(&blk->device, &blk->data);
}

/* The first failure is logged and ends the device; returns `cause`. */
static enum status blk_fail(struct virtio_blk *blk, enum status cause)
{
	if (blk->open) {
		blk->open = false;
		log_write(LOG_WARNING, "virtio_blk", "device given up: %s (%s)", status_name(cause),
			  virtq_lie_name(blk->queue.lie));
		virtio_device_give_up(&blk->device);
		memory_return(blk);
	}
	return cause;
}

/* The chain for a request: header, data in pieces that the device accepts, status. */
static uint16_t segments_build(const struct virtio_blk *blk, const struct request *request,
			       struct virtq_segment segments[SEGMENTS_MAX])
{
	uint16_t count = 0;
	segments[count++] = (struct virtq_segment){
		.at = shared_region_addr(&blk->control, 0, HEADER_BYTES),
		.len_bytes = HEADER_BYTES,
	};
	for (uint32_t done = 0; done < request->data_bytes;) {
		const uint32_t left = request->data_bytes - done;
		const uint32_t piece =
			left < blk->segment_bytes_max ? left : blk->segment_bytes_max;
		segments[count++] = (struct virtq_segment){
			.at = shared_region_addr(&blk->data, done, piece),
			.len_bytes = piece,
			.device_writes = request->device_writes,
		};
		done += piece;
	}
	segments[count++] = (struct virtq_segment){
		.at = shared_region_addr(&blk->control, STATUS_OFFSET, 1),
		.len_bytes = 1,
		.device_writes = true,
	};
	return count;
}

static void header_write(const struct virtio_blk *blk, const struct request *request)
{
	uint8_t header[HEADER_BYTES];
	struct writer writer;
	writer_init(&writer, header, sizeof(header));
	writer_le32(&writer, request->type);
	writer_le32(&writer, 0);
	writer_le64(&writer, request->sector);
	shared_copy_out(&blk->control, 0, header, sizeof(header));
	shared_store_u8(&blk->control, STATUS_OFFSET, STATUS_PRESET);
}

/* What a completed request amounts to. `written_bytes` is at most what the chain had room for. */
static enum status completion_judge(const struct virtio_blk *blk, const struct request *request,
				    uint32_t written_bytes)
{
	const uint32_t expected = 1 + (request->device_writes ? request->data_bytes : 0);
	const uint8_t status = shared_load_u8(&blk->control, STATUS_OFFSET);
	if (status == VIRTIO_BLK_S_IOERR || status == VIRTIO_BLK_S_UNSUPP) {
		return STATUS_IO;
	}
	if (status != VIRTIO_BLK_S_OK) {
		return STATUS_BAD_HOST; /* Not written, or not in the specification. */
	}
	return written_bytes == expected ? STATUS_OK : STATUS_IO;
}

/* One request from submit to completion; its data is in, or goes to, blk->data. */
static enum status request_run(struct virtio_blk *blk, const struct request *request)
{
	if (!blk->open) {
		return STATUS_BAD_HOST;
	}
	struct virtq_segment segments[SEGMENTS_MAX];
	struct virtq_token submitted;
	struct virtq_token completed;
	uint32_t written_bytes = 0;
	header_write(blk, request);
	const uint16_t segment_count = segments_build(blk, request, segments);
	enum status status = virtq_chain_submit(&blk->queue, segments, segment_count, &submitted);
	if (status != STATUS_OK) {
		return blk_fail(blk, status);
	}
	virtq_kick(&blk->queue);
	const struct deadline deadline =
		clock_deadline_after(blk->device.clock, blk->request_timeout_us);
	status = virtio_device_used_wait(&blk->device, &blk->queue, deadline, &completed,
					 &written_bytes);
	if (status != STATUS_OK) {
		return blk_fail(blk, status);
	}
	/* Only one chain is ever in flight, so the queue has checked that it is this one. */
	status = completion_judge(blk, request, written_bytes);
	return status == STATUS_BAD_HOST ? blk_fail(blk, status) : status;
}

static enum status blocks_read(struct virtio_blk *blk, struct physical_block first, uint32_t count,
			       uint8_t *out)
{
	if (!blk->open) {
		return STATUS_BAD_HOST;
	}
	const struct request request = {
		.type = VIRTIO_BLK_T_IN,
		.sector = first.n * SECTORS_PER_BLOCK,
		.data_bytes = count * BLOCK_BYTES,
		.device_writes = true,
	};
	blk->counters.reads++;
	/* So that a device that writes nothing cannot present an earlier transfer as this one. */
	shared_fill(&blk->data, 0, POISON_BYTE, request.data_bytes);
	const enum status status = request_run(blk, &request);
	if (status == STATUS_OK) {
		shared_copy_in(out, &blk->data, 0, request.data_bytes);
		blk->counters.blocks_read += count;
	}
	return status;
}

static enum status blocks_write(struct virtio_blk *blk, struct physical_block first, uint32_t count,
				const uint8_t *bytes)
{
	if (!blk->open) {
		return STATUS_BAD_HOST;
	}
	const struct request request = {
		.type = VIRTIO_BLK_T_OUT,
		.sector = first.n * SECTORS_PER_BLOCK,
		.data_bytes = count * BLOCK_BYTES,
	};
	blk->counters.writes++;
	shared_copy_out(&blk->data, 0, bytes, request.data_bytes);
	const enum status status = request_run(blk, &request);
	if (status == STATUS_OK) {
		blk->counters.blocks_written += count;
	}
	return status;
}

static bool range_valid(const struct virtio_blk *blk, struct physical_block first,
			struct block_count count)
{
	return count.n > 0 && addr_within(first.n, count.n, blk->block_device.capacity.n);
}

/* How much of `left` goes into the next request. */
static uint32_t piece_blocks(const struct virtio_blk *blk, uint64_t left)
{
	return left < blk->transfer_blocks_max ? (uint32_t)left : blk->transfer_blocks_max;
}

static enum status port_read(void *context, struct physical_block first, struct block_count count,
			     uint8_t *out)
{
	struct virtio_blk *blk = context;
	enum status status = STATUS_OK;
	if (!range_valid(blk, first, count)) {
		return STATUS_INVALID;
	}
	for (uint64_t done = 0; done < count.n && status == STATUS_OK;) {
		const uint32_t piece = piece_blocks(blk, count.n - done);
		const struct physical_block at = {.n = first.n + done};
		status = blocks_read(blk, at, piece, out + done * BLOCK_BYTES);
		done += piece;
	}
	return status;
}

static enum status port_write(void *context, struct physical_block first, struct block_count count,
			      const uint8_t *bytes)
{
	struct virtio_blk *blk = context;
	enum status status = STATUS_OK;
	if (blk->block_device.read_only) {
		return STATUS_READ_ONLY;
	}
	if (!range_valid(blk, first, count)) {
		return STATUS_INVALID;
	}
	for (uint64_t done = 0; done < count.n && status == STATUS_OK;) {
		const uint32_t piece = piece_blocks(blk, count.n - done);
		const struct physical_block at = {.n = first.n + done};
		status = blocks_write(blk, at, piece, bytes + done * BLOCK_BYTES);
		done += piece;
	}
	return status;
}

/* Every write before has completed, because writes are synchronous: what it covers is decided. */
static enum status port_flush(void *context)
{
	struct virtio_blk *blk = context;
	if (!blk->block_device.has_flush) {
		return STATUS_NO_FLUSH;
	}
	if (!blk->open) {
		return STATUS_BAD_HOST;
	}
	const struct request request = {.type = VIRTIO_BLK_T_FLUSH};
	blk->counters.flushes++;
	return request_run(blk, &request);
}

static const struct block_device_ops blk_ops = {
	.read = port_read,
	.write = port_write,
	.flush = port_flush,
	.discard = NULL,
};

/* Everything between FEATURES_OK and the first request. */
static enum status blk_start(struct virtio_blk *blk)
{
	struct sharedmem *memory = blk->device.memory;
	enum status status = virtio_device_queue_open(&blk->device, 0, QUEUE_SIZE, &blk->queue);
	if (status != STATUS_OK) {
		return status;
	}
	status = virtio_blk_configuration_read(blk);
	if (status != STATUS_OK) {
		return status;
	}
	status = sharedmem_region_acquire(memory, 1, &blk->control);
	if (status != STATUS_OK) {
		return status;
	}
	status = sharedmem_region_acquire(memory, VIRTIO_BLK_DATA_PAGES, &blk->data);
	if (status != STATUS_OK) {
		return status;
	}
	return virtio_device_start(&blk->device);
}

enum status virtio_blk_open(struct virtio_blk *blk,
			    const struct virtio_blk_environment *environment)
{
	/* CONFIG_WCE is not on the list: with FLUSH negotiated the cache is write-back, and that is
	 * what we rely on (section 5.2.6.2). Geometry, multiqueue, discard are of no use here. */
	const struct virtio_device_wish wish = {
		.device_id = VIRTIO_ID_BLOCK,
		.allowed_features = VIRTIO_BLK_F_SIZE_MAX | VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_RO |
				    VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_FLUSH |
				    VIRTIO_BLK_F_TOPOLOGY,
	};
	memset(blk, 0, sizeof(*blk));
	enum status status = virtio_device_open(&blk->device, environment->transport,
						environment->memory, environment->clock, &wish);
	if (status != STATUS_OK) {
		return status;
	}
	blk->open = true;
	blk->request_timeout_us = environment->request_timeout_us != 0
					  ? environment->request_timeout_us
					  : VIRTIO_BLK_TIMEOUT_US_DEFAULT;
	blk->block_device = (struct block_device){
		.ops = &blk_ops,
		.context = blk,
		.read_only = (blk->device.features & VIRTIO_BLK_F_RO) != 0,
		.has_flush = (blk->device.features & VIRTIO_BLK_F_FLUSH) != 0,
	};
	status = blk_start(blk);
	return status == STATUS_OK ? STATUS_OK : blk_fail(blk, status);
}

void virtio_blk_close(struct virtio_blk *blk)
{
	if (blk->open) {
		blk->open = false;
		virtio_device_stop(&blk->device);
		memory_return(blk);
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

enum status virtio_blk_id_read(struct virtio_blk *blk, char id[VIRTIO_BLK_ID_BYTES + 1])
{
	if (!blk->open) {
		return STATUS_BAD_HOST;
	}
	const struct request request = {
		.type = VIRTIO_BLK_T_GET_ID,
		.data_bytes = VIRTIO_BLK_ID_BYTES,
		.device_writes = true,
	};
	shared_zero(&blk->data, 0, VIRTIO_BLK_ID_BYTES);
	const enum status status = request_run(blk, &request);
	if (status != STATUS_OK) {
		return status;
	}
	uint8_t bytes[VIRTIO_BLK_ID_BYTES];
	size_t length = 0;
	shared_copy_in(bytes, &blk->data, 0, sizeof(bytes));
	for (; length < sizeof(bytes) && bytes[length] != 0; length++) {
		const bool printable = bytes[length] >= ' ' && bytes[length] <= '~';
		id[length] = printable ? (char)bytes[length] : '?';
	}
	id[length] = '\0';
	return STATUS_OK;
}

void virtio_blk_interrupt_ack(struct virtio_blk *blk)
{
	if (!blk->open) {
		return;
	}
	const uint32_t pending = virtio_transport_interrupt_take(blk->device.transport);
	if ((pending & VIRTIO_INTERRUPT_CONFIG) != 0 && !blk->config_change_logged) {
		blk->config_change_logged = true;
		log_write(LOG_WARNING, "virtio_blk", "a change of the configuration is ignored");
	}
}
