// SPDX-License-Identifier: MIT
/* One request of the device, virtio 1.2, section 5.2.6. Each piece in flight has 64 bytes of its
 * own in the control pages:
 *
 *   offset 0    u32 type, u32 reserved, u64 sector                  the device reads
 *   offset 16   u64 sector, u32 sectors, u32 flags                  DISCARD, WRITE_ZEROES: it reads
 *   offset 48   u8 status, preset to 0xff                           the device writes
 *
 * Header, data and status make one chain. A completion is taken for a success only if the whole
 * chain was written and the status byte, loaded once, is 0. Whether the content is right is for the
 * volume's authentication to say. */
#include "block/virtio_blk_internal.h"

#define VIRTIO_BLK_S_OK     0u
#define VIRTIO_BLK_S_IOERR  1u
#define VIRTIO_BLK_S_UNSUPP 2u

#define CONTROL_BYTES       64u
#define HEADER_BYTES        16u
#define RANGE_OFFSET        16u
#define RANGE_BYTES         16u
#define STATUS_OFFSET       48u
#define STATUS_PRESET       0xffu
#define CHAIN_SEGMENTS_MAX  (VIRTIO_BLK_SEGMENTS_MAX + 2u)

size_t virtio_blk_control_pages(uint16_t depth)
{
	return ((size_t)depth * CONTROL_BYTES + PAGE_BYTES - 1) / PAGE_BYTES;
}

static size_t control_offset(const struct virtio_blk *blk, const struct virtio_blk_piece *piece)
{
	return (size_t)(piece - blk->pieces) * CONTROL_BYTES;
}

static bool has_range(uint32_t type)
{
	return type == VIRTIO_BLK_T_DISCARD || type == VIRTIO_BLK_T_WRITE_ZEROES;
}

static bool device_writes_data(uint32_t type)
{
	return type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
}

static uint32_t blocks_max(const struct virtio_blk *blk, uint32_t type)
{
	switch (type) {
	case VIRTIO_BLK_T_DISCARD: return blk->discard_blocks_max;
	case VIRTIO_BLK_T_WRITE_ZEROES: return blk->zeroes_blocks_max;
	default: return blk->transfer_blocks_max;
	}
}

/* How many blocks the next piece covers. */
static uint32_t blocks_next(const struct virtio_blk *blk, const struct virtio_blk_job *job)
{
	const uint64_t left = job->work.count.n - job->issued_blocks;
	const uint32_t limit = blocks_max(blk, job->work.type);
	return left < limit ? (uint32_t)left : limit;
}

static uint32_t data_bytes(uint32_t type, uint32_t blocks)
{
	if (type == VIRTIO_BLK_T_GET_ID) {
		return VIRTIO_BLK_ID_BYTES;
	}
	return has_range(type) ? 0 : blocks * (uint32_t)BLOCK_BYTES;
}

static void control_write(const struct virtio_blk *blk, const struct virtio_blk_piece *piece,
			  uint32_t blocks)
{
	const struct virtio_blk_work *work = &piece->job->work;
	const uint64_t sector = (work->first.n + piece->offset_blocks) * SECTORS_PER_BLOCK;
	const size_t at = control_offset(blk, piece);
	shared_store_pair(&blk->control, at, work->type, has_range(work->type) ? 0 : sector);
	if (has_range(work->type)) {
		/* No UNMAP flag: section 5.2.6.1 forbids it for a discard. */
		shared_store_pair(&blk->control, at + RANGE_OFFSET, sector,
				  (uint64_t)blocks * SECTORS_PER_BLOCK);
	}
	shared_store_u8(&blk->control, at + STATUS_OFFSET, STATUS_PRESET);
}

static struct virtq_segment control_segment(const struct virtio_blk *blk,
					    const struct virtio_blk_piece *piece, size_t offset,
					    uint32_t size_bytes, bool device_writes)
{
	return (struct virtq_segment){
		.at = shared_region_addr(&blk->control, control_offset(blk, piece) + offset,
					 size_bytes),
		.len_bytes = size_bytes,
		.device_writes = device_writes,
	};
}

/* Header, data in segments that the device accepts, status. False: too many segments, because the
 * pages lie apart. */
static bool chain_build(const struct virtio_blk *blk, const struct virtio_blk_piece *piece,
			struct virtq_segment segments[CHAIN_SEGMENTS_MAX], uint16_t *count)
{
	const uint32_t type = piece->job->work.type;
	uint16_t data_count = 0;
	segments[0] = control_segment(blk, piece, 0, HEADER_BYTES, false);
	if (has_range(type)) {
		segments[1] = control_segment(blk, piece, RANGE_OFFSET, RANGE_BYTES, false);
		data_count = 1;
	} else if (!virtio_blk_data_segments(blk, piece, device_writes_data(type), &segments[1],
					     &data_count)) {
		return false;
	}
	segments[1 + data_count] = control_segment(blk, piece, STATUS_OFFSET, 1, true);
	*count = (uint16_t)(data_count + 2);
	return true;
}

static void piece_free(struct virtio_blk *blk, struct virtio_blk_piece *piece)
{
	if (piece->first_page != VIRTIO_BLK_NONE) {
		virtio_blk_pages_give(blk, piece->first_page);
	}
	piece->job = NULL;
	piece->next = blk->piece_free;
	blk->piece_free = (uint16_t)(piece - blk->pieces);
}

/* Off the free list, with pages. NULL: nothing free. */
static struct virtio_blk_piece *piece_take(struct virtio_blk *blk, struct virtio_blk_job *job,
					   uint32_t size_bytes)
{
	uint16_t first_page = VIRTIO_BLK_NONE;
	const uint32_t page_count =
		job->work.is_in_place ? 0 : (uint32_t)((size_bytes + PAGE_BYTES - 1) / PAGE_BYTES);
	if (blk->piece_free == VIRTIO_BLK_NONE) {
		return NULL;
	}
	if (page_count > 0 && !virtio_blk_pages_take(blk, page_count, &first_page)) {
		return NULL;
	}
	struct virtio_blk_piece *piece = &blk->pieces[blk->piece_free];
	blk->piece_free = piece->next;
	*piece = (struct virtio_blk_piece){
		.job = job,
		.offset_blocks = job->issued_blocks,
		.data_bytes = size_bytes,
		.first_page = first_page,
	};
	return piece;
}

static void piece_count(struct virtio_blk *blk, uint32_t type)
{
	switch (type) {
	case VIRTIO_BLK_T_IN: blk->counters.reads++; break;
	case VIRTIO_BLK_T_OUT: blk->counters.writes++; break;
	case VIRTIO_BLK_T_FLUSH: blk->counters.flushes++; break;
	default: break;
	}
}

static void data_prepare(const struct virtio_blk *blk, const struct virtio_blk_piece *piece)
{
	const uint32_t type = piece->job->work.type;
	if (type == VIRTIO_BLK_T_OUT) {
		virtio_blk_data_out(blk, piece);
	} else if (device_writes_data(type)) {
		virtio_blk_data_poison(blk, piece);
	}
}

enum status virtio_blk_piece_issue(struct virtio_blk *blk, struct virtio_blk_job *job)
{
	struct virtq_segment segments[CHAIN_SEGMENTS_MAX];
	struct virtq *queue = &blk->queues[blk->queue_now];
	uint16_t count = 0;
	const uint32_t blocks = blocks_next(blk, job);
	struct virtio_blk_piece *piece = piece_take(blk, job, data_bytes(job->work.type, blocks));
	if (piece == NULL) {
		return STATUS_AGAIN;
	}
	if (!chain_build(blk, piece, segments, &count) || !virtq_has_room(queue, count)) {
		piece_free(blk, piece);
		return STATUS_AGAIN;
	}
	control_write(blk, piece, blocks);
	data_prepare(blk, piece);
	struct virtq_token token;
	const enum status status = virtq_chain_submit(queue, segments, count, &token);
	if (status != STATUS_OK) {
		piece_free(blk, piece);
		return status;
	}
	blk->piece_of[blk->queue_now][token.head] = (uint16_t)(piece - blk->pieces);
	blk->pieces_out++;
	job->pieces_out++;
	job->issued_blocks += blocks;
	job->issued = job->issued_blocks == job->work.count.n;
	piece_count(blk, job->work.type);
	return STATUS_OK;
}

/* What a completed piece amounts to. `written_bytes` is at most what the chain had room for. */
static enum status completion_judge(const struct virtio_blk *blk,
				    const struct virtio_blk_piece *piece, uint32_t written_bytes)
{
	const uint32_t expected =
		1 + (device_writes_data(piece->job->work.type) ? piece->data_bytes : 0);
	const uint8_t status =
		shared_load_u8(&blk->control, control_offset(blk, piece) + STATUS_OFFSET);
	if (status == VIRTIO_BLK_S_IOERR || status == VIRTIO_BLK_S_UNSUPP) {
		return STATUS_IO;
	}
	if (status != VIRTIO_BLK_S_OK) {
		return STATUS_BAD_HOST; /* Not written, or not in the specification. */
	}
	return written_bytes == expected ? STATUS_OK : STATUS_IO;
}

static void success_take(struct virtio_blk *blk, const struct virtio_blk_piece *piece)
{
	const struct virtio_blk_work *work = &piece->job->work;
	if (device_writes_data(work->type)) {
		virtio_blk_data_in(blk, piece);
	}
	if (work->type == VIRTIO_BLK_T_IN) {
		blk->counters.blocks_read += piece->data_bytes / BLOCK_BYTES;
	} else if (work->type == VIRTIO_BLK_T_OUT) {
		blk->counters.blocks_written += piece->data_bytes / BLOCK_BYTES;
	}
}

enum status virtio_blk_piece_reap(struct virtio_blk *blk, uint16_t queue,
				  struct virtio_blk_job **job)
{
	struct virtq_token token;
	uint32_t written_bytes = 0;
	enum status status = virtq_used_poll(&blk->queues[queue], &token, &written_bytes);
	if (status != STATUS_OK) {
		return status;
	}
	/* The queue has checked that this head is in flight, so there is a piece for it. */
	struct virtio_blk_piece *piece = &blk->pieces[blk->piece_of[queue][token.head]];
	*job = piece->job;
	status = completion_judge(blk, piece, written_bytes);
	if (status == STATUS_OK) {
		success_take(blk, piece);
	} else if ((*job)->status == STATUS_OK) {
		(*job)->status = status;
	}
	(*job)->pieces_out--;
	blk->pieces_out--;
	blk->progressed = true;
	piece_free(blk, piece);
	return status == STATUS_BAD_HOST ? STATUS_BAD_HOST : STATUS_OK;
}
