// SPDX-License-Identifier: MIT
/* Completions of virtio-blk: any request in flight of any kind, with any length written and any
 * status byte. That a head is in flight, and so has a piece, is virtq_used_poll()'s promise. */
#include "block/virtio_blk_internal.h"
#include "tests/proofs/eva/entry.h"

static struct virtio_blk blk;

enum status virtq_used_poll(struct virtq *queue, struct virtq_token *token, uint32_t *written_bytes)
{
	(void)queue;
	if (any_bool()) {
		return any_bool() ? STATUS_AGAIN : STATUS_BAD_HOST;
	}
	token->head = (uint16_t)any_up_to(VIRTIO_BLK_QUEUE_SIZE_MAX - 1);
	*written_bytes = any_up_to(UINT32_MAX);
	return STATUS_OK;
}

uint8_t shared_load_u8(const struct shared_region *region, size_t offset_bytes)
{
	//@ assert control_pages: region == &blk.control;
	//@ assert inside: offset_bytes < VIRTIO_BLK_DEPTH_MAX * 64;
	return (uint8_t)any_up_to(UINT8_MAX);
}

/* Ours alone: lists of pages, and copies of whole ones. */
void virtio_blk_pages_give(struct virtio_blk *of, uint16_t first)
{
	(void)of;
	//@ assert a_page: first != VIRTIO_BLK_NONE;
}

void virtio_blk_data_in(const struct virtio_blk *of, const struct virtio_blk_piece *piece)
{
	(void)of;
	//@ assert in_flight: piece->job != \null;
}

static void any_pieces(void)
{
	//@ loop unroll VIRTIO_BLK_DEPTH_MAX;
	for (uint32_t i = 0; i < VIRTIO_BLK_DEPTH_MAX; i++) {
		struct virtio_blk_piece *piece = &blk.pieces[i];
		piece->job = &blk.jobs[any_up_to(VIRTIO_BLK_DEPTH_MAX - 1)];
		piece->data_bytes = any_up_to(VIRTIO_BLK_TRANSFER_BYTES_MAX);
		piece->first_page = (uint16_t)any_up_to(UINT16_MAX);
		blk.jobs[i].work.type = any_up_to(UINT32_MAX);
		blk.jobs[i].pieces_out = any_up_to(UINT32_MAX);
		blk.jobs[i].status = any_bool() ? STATUS_OK : STATUS_IO;
	}
	for (uint32_t i = 0; i < VIRTIO_BLK_QUEUES_MAX * VIRTIO_BLK_QUEUE_SIZE_MAX; i++) {
		blk.piece_of[i / VIRTIO_BLK_QUEUE_SIZE_MAX][i % VIRTIO_BLK_QUEUE_SIZE_MAX] =
			(uint16_t)any_up_to(VIRTIO_BLK_DEPTH_MAX - 1);
	}
}

int main(void)
{
	struct virtio_blk_job *job = NULL;
	any_pieces();
	if (virtio_blk_piece_reap(&blk, (uint16_t)any_up_to(VIRTIO_BLK_QUEUES_MAX - 1), &job) ==
	    STATUS_OK) {
		//@ assert a_job: job != \null;
	}
	return 0;
}
