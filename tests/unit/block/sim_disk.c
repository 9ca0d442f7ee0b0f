// SPDX-License-Identifier: MIT
#include "sim_disk.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"

#define SPARSE_FROM 65536u

static uint8_t *media_at(const struct sim_disk *disk, uint64_t block)
{
	return disk->media + block * BLOCK_BYTES;
}

/* Save a block before it changes, if somebody may want it back. */
static void undo_save(struct sim_disk *disk, uint64_t block)
{
	if (disk->mark_count == 0) {
		return;
	}
	if (disk->undo_count == disk->undo_room) {
		disk->undo_room = disk->undo_room == 0 ? 64 : disk->undo_room * 2;
		disk->undo = realloc(disk->undo, disk->undo_room * sizeof(*disk->undo));
		CHECK(disk->undo != NULL);
	}
	struct sim_undo *undo = &disk->undo[disk->undo_count++];
	undo->block = block;
	memcpy(undo->bytes, media_at(disk, block), BLOCK_BYTES);
}

/* ---- The port ------------------------------------------------------------------------------ */

static bool operation_fails(struct sim_disk *disk)
{
	disk->operations++;
	if (disk->fail_at == 0) {
		return false;
	}
	return disk->failure == SIM_FAIL_ONCE ? disk->operations == disk->fail_at
					      : disk->operations >= disk->fail_at;
}

static enum status sim_read(void *context, struct physical_block first, struct block_count count,
			    uint8_t *out)
{
	struct sim_disk *disk = context;
	disk->counters.reads++;
	disk->counters.blocks_read += count.n;
	if (operation_fails(disk)) {
		return disk->fail_status;
	}
	if (disk->bad_block >= first.n && disk->bad_block < first.n + count.n) {
		return STATUS_IO;
	}
	memcpy(out, media_at(disk, first.n), count.n * BLOCK_BYTES);
	for (size_t i = 0; i < disk->pending_count; i++) {
		const struct sim_pending *pending = &disk->pending[i];
		if (pending->block >= first.n && pending->block < first.n + count.n) {
			memcpy(out + (pending->block - first.n) * BLOCK_BYTES, pending->bytes,
			       BLOCK_BYTES);
		}
	}
	return STATUS_OK;
}

static enum status sim_write(void *context, struct physical_block first, struct block_count count,
			     const uint8_t *bytes)
{
	struct sim_disk *disk = context;
	disk->counters.writes++;
	disk->counters.blocks_written += count.n;
	bool fails = operation_fails(disk);
	disk->write_path_failed = disk->write_path_failed || fails;
	if (fails && !disk->failed_writes_land) {
		return disk->fail_status;
	}
	CHECK(disk->pending_count + count.n <= SIM_DISK_PENDING_MAX);
	for (uint64_t i = 0; i < count.n; i++) {
		struct sim_pending *pending = &disk->pending[disk->pending_count++];
		pending->block = first.n + i;
		memcpy(pending->bytes, bytes + i * BLOCK_BYTES, BLOCK_BYTES);
	}
	return fails ? disk->fail_status : STATUS_OK;
}

static bool all_survive(void *context, size_t sector)
{
	(void)context;
	(void)sector;
	return true;
}

/* Make durable what the flush covers; what was written later stays unflushed. */
static void cover(struct sim_disk *disk, size_t covers)
{
	size_t all = disk->pending_count;
	size_t covered = covers < all ? covers : all;
	disk->pending_count = covered;
	sim_disk_crash(disk, all_survive, NULL);
	memmove(disk->pending, disk->pending + covered, (all - covered) * sizeof(*disk->pending));
	disk->pending_count = all - covered;
}

static enum status sim_flush(void *context)
{
	struct sim_disk *disk = context;
	size_t covers = disk->flush_covers;
	disk->flush_covers = SIZE_MAX;
	disk->counters.flushes++;
	if (operation_fails(disk)) {
		disk->write_path_failed = true;
		return disk->fail_status;
	}
	if (disk->before_flush != NULL) {
		disk->before_flush(disk->before_flush_context);
	}
	cover(disk, covers);
	return STATUS_OK;
}

static const struct block_device_ops sim_ops = {
	.read = sim_read,
	.write = sim_write,
	.flush = sim_flush,
};

/* ---- Life ---------------------------------------------------------------------------------- */

void sim_disk_init(struct sim_disk *disk, uint64_t blocks)
{
	*disk = (struct sim_disk){
		.device = {.ops = &sim_ops,
			   .context = disk,
			   .capacity = {blocks},
			   .has_flush = true},
		.flush_covers = SIZE_MAX,
		.bad_block = UINT64_MAX,
	};
	/* Large disks are sparse and hold zeroes instead of noise. */
	disk->is_sparse = blocks > SPARSE_FROM;
	disk->media = disk->is_sparse ? mmap(NULL, blocks * BLOCK_BYTES, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
				      : malloc(blocks * BLOCK_BYTES);
	CHECK(disk->media != MAP_FAILED);
	disk->pending = malloc(SIM_DISK_PENDING_MAX * sizeof(*disk->pending));
	CHECK(disk->media != NULL && disk->pending != NULL);
	uint64_t noise = 88172645463325252u;
	for (size_t i = 0; !disk->is_sparse && i < blocks * BLOCK_BYTES; i += sizeof(noise)) {
		noise ^= noise << 13;
		noise ^= noise >> 7;
		noise ^= noise << 17;
		memcpy(disk->media + i, &noise, sizeof(noise));
	}
}

void sim_disk_fini(struct sim_disk *disk)
{
	while (disk->mark_count > 0) {
		sim_disk_unmark(disk);
	}
	if (disk->is_sparse) {
		CHECK(munmap(disk->media, disk->device.capacity.n * BLOCK_BYTES) == 0);
	} else {
		free(disk->media);
	}
	free(disk->pending);
	free(disk->undo);
}

void sim_disk_counters_reset(struct sim_disk *disk)
{
	disk->counters = (struct block_device_counters){0};
}

void sim_disk_fail_at(struct sim_disk *disk, uint64_t k, enum sim_failure failure,
		      enum status status)
{
	disk->operations = 0;
	disk->fail_at = k;
	disk->write_path_failed = false;
	disk->failure = failure;
	disk->fail_status = status;
}

/* ---- Crashes ------------------------------------------------------------------------------- */

size_t sim_disk_pending_sectors(const struct sim_disk *disk)
{
	return disk->pending_count * SECTORS_PER_BLOCK;
}

void sim_disk_crash(struct sim_disk *disk, sim_survives survives, void *context)
{
	for (size_t i = 0; i < disk->pending_count; i++) {
		const struct sim_pending *pending = &disk->pending[i];
		undo_save(disk, pending->block);
		for (size_t s = 0; s < SECTORS_PER_BLOCK; s++) {
			if (survives(context, i * SECTORS_PER_BLOCK + s)) {
				memcpy(media_at(disk, pending->block) + s * SECTOR_BYTES,
				       pending->bytes + s * SECTOR_BYTES, SECTOR_BYTES);
			}
		}
	}
	disk->pending_count = 0;
}

void sim_disk_mark(struct sim_disk *disk)
{
	CHECK(disk->mark_count < SIM_DISK_MARKS_MAX);
	struct sim_mark *mark = &disk->marks[disk->mark_count++];
	size_t bytes = disk->pending_count * sizeof(*mark->pending);
	mark->undo_count = disk->undo_count;
	mark->pending_count = disk->pending_count;
	mark->pending = malloc(bytes + 1);
	CHECK(mark->pending != NULL);
	memcpy(mark->pending, disk->pending, bytes);
}

void sim_disk_revert(struct sim_disk *disk)
{
	CHECK(disk->mark_count > 0);
	const struct sim_mark *mark = &disk->marks[disk->mark_count - 1];
	while (disk->undo_count > mark->undo_count) {
		const struct sim_undo *undo = &disk->undo[--disk->undo_count];
		memcpy(media_at(disk, undo->block), undo->bytes, BLOCK_BYTES);
	}
	memcpy(disk->pending, mark->pending, mark->pending_count * sizeof(*mark->pending));
	disk->pending_count = mark->pending_count;
}

void sim_disk_unmark(struct sim_disk *disk)
{
	CHECK(disk->mark_count > 0);
	free(disk->marks[--disk->mark_count].pending);
	if (disk->mark_count == 0) {
		disk->undo_count = 0;
	}
}

uint8_t *sim_disk_edit(struct sim_disk *disk, uint64_t block)
{
	CHECK(disk->pending_count == 0 && block < disk->device.capacity.n);
	undo_save(disk, block);
	return media_at(disk, block);
}

const uint8_t *sim_disk_look(const struct sim_disk *disk, uint64_t block)
{
	CHECK(block < disk->device.capacity.n);
	return media_at(disk, block);
}

void sim_disk_flip(struct sim_disk *disk, uint64_t block, uint32_t bit)
{
	uint8_t *bytes = sim_disk_edit(disk, block);
	bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1u << (bit % 8));
}
