// SPDX-License-Identifier: MIT
#include "disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "disk_internal.h"

#define SECRETS_MAX 8u

static struct {
	const uint8_t *bytes;
	size_t size_bytes;
} secrets[SECRETS_MAX];
static size_t secret_count;

void disk_secret_add(const uint8_t *bytes, size_t size_bytes)
{
	CHECK(secret_count < SECRETS_MAX);
	secrets[secret_count].bytes = bytes;
	secrets[secret_count++].size_bytes = size_bytes;
}

static bool holds_secret(const uint8_t *block)
{
	for (size_t i = 0; i < secret_count; i++) {
		if (memmem(block, BLOCK_BYTES, secrets[i].bytes, secrets[i].size_bytes) != NULL) {
			return true;
		}
	}
	return false;
}

/* ---- The port ------------------------------------------------------------------------------ */

/* What happens to this operation. */
static enum fault_kind fault_now(struct disk *disk)
{
	const struct fault *fault = &disk->fault;
	disk->operations++;
	switch (fault->kind) {
	case FAULT_NONE: break;
	case FAULT_DEAD:
	case FAULT_BAD_HOST:
	case FAULT_NO_READS:
	case FAULT_NEVER_FLUSH:
		if (disk->operations >= fault->at) {
			return fault->kind;
		}
		break;
	case FAULT_ERROR:
	case FAULT_ERROR_DONE:
	case FAULT_ERROR_TORN:
	case FAULT_LOST:
	case FAULT_FLIPPED:
	case FAULT_MISPLACED:
		if (disk->operations == fault->at) {
			return fault->kind;
		}
		break;
	case FAULT_KINDS: break;
	}
	return FAULT_NONE;
}

bool disk_has_lied_since(const struct disk *disk, uint64_t operations)
{
	const struct fault *fault = &disk->fault;
	return (fault->kind == FAULT_FLIPPED || fault->kind == FAULT_MISPLACED) &&
	       fault->at > operations && fault->at <= disk->operations;
}

/* Whether an operation under this fault takes place, and what it reports. */
static bool takes_place(enum fault_kind kind)
{
	return kind != FAULT_ERROR && kind != FAULT_DEAD && kind != FAULT_BAD_HOST &&
	       kind != FAULT_LOST;
}

static enum status report(enum fault_kind kind)
{
	switch (kind) {
	case FAULT_ERROR:
	case FAULT_ERROR_DONE:
	case FAULT_ERROR_TORN:
	case FAULT_DEAD: return STATUS_IO;
	case FAULT_BAD_HOST: return STATUS_BAD_HOST;
	case FAULT_NO_READS: /* disk_read() knows. */
	case FAULT_NONE:
	case FAULT_LOST:
	case FAULT_NEVER_FLUSH:
	case FAULT_FLIPPED:
	case FAULT_MISPLACED:
	case FAULT_KINDS: break;
	}
	return STATUS_OK;
}

static uint64_t place_under(const struct disk *disk, uint64_t block, enum fault_kind kind)
{
	return kind == FAULT_MISPLACED ? (block + 1) % disk->image.blocks : block;
}

/* Which bit is flipped: any, but the same one in every replay. */
static void flip_some_bit(const struct disk *disk, uint8_t *bytes)
{
	uint64_t bit = disk->operations * 2654435761u % (BLOCK_BYTES * 8u);
	bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1u << (bit % 8));
}

static const uint8_t *current(const struct disk *disk, uint64_t block)
{
	for (size_t i = disk->pending_count; i > 0; i--) {
		if (disk->pending[i - 1].block == block) {
			return disk->pending[i - 1].page->bytes;
		}
	}
	return image_look(&disk->image, block);
}

static enum status disk_read(void *context, struct physical_block first, struct block_count count,
			     uint8_t *out)
{
	struct disk *disk = context;
	enum fault_kind kind = fault_now(disk);
	disk->counters.reads++;
	disk->counters.blocks_read += count.n;
	if (kind == FAULT_NO_READS) {
		return STATUS_IO;
	}
	if (report(kind) != STATUS_OK) {
		return report(kind);
	}
	for (uint64_t i = 0; i < count.n; i++) {
		memcpy(out + i * BLOCK_BYTES, current(disk, place_under(disk, first.n + i, kind)),
		       BLOCK_BYTES);
	}
	if (kind == FAULT_FLIPPED) {
		flip_some_bit(disk, out);
	}
	return STATUS_OK;
}

static bool is_pending(const struct disk *disk, uint64_t block)
{
	for (size_t i = 0; i < disk->pending_count; i++) {
		if (disk->pending[i].block == block) {
			return true;
		}
	}
	return false;
}

static void accept(struct disk *disk, uint64_t block, const uint8_t *bytes, enum fault_kind kind)
{
	if (disk->pending_count == disk->pending_room) {
		disk->pending_room = disk->pending_room == 0 ? 64 : disk->pending_room * 2;
		disk->pending = realloc(disk->pending, disk->pending_room * sizeof(struct pending));
		CHECK(disk->pending != NULL);
	}
	struct page *page = page_new();
	memcpy(page->bytes, bytes, BLOCK_BYTES);
	if (kind == FAULT_ERROR_TORN) { /* The end of the block is still the old one. */
		size_t kept = SECTOR_BYTES * (1 + disk->operations % (SECTORS_PER_BLOCK - 1));
		memcpy(page->bytes + kept, current(disk, block) + kept, BLOCK_BYTES - kept);
	}
	if (kind == FAULT_FLIPPED) {
		flip_some_bit(disk, page->bytes);
	}
	bool again = is_pending(disk, block);
	disk->pending[disk->pending_count++] =
		(struct pending){.block = block, .page = page, .again = again};
}

static enum status disk_write(void *context, struct physical_block first, struct block_count count,
			      const uint8_t *bytes)
{
	struct disk *disk = context;
	enum fault_kind kind = fault_now(disk);
	disk->counters.writes++;
	disk->counters.blocks_written += count.n;
	for (uint64_t i = 0; i < count.n; i++) {
		const uint8_t *block = bytes + i * BLOCK_BYTES;
		disk->secret_seen = disk->secret_seen || holds_secret(block);
		bool is_last = i + 1 == count.n;
		if (takes_place(kind)) {
			/* Only the last block of a torn or flipped write is hit. */
			accept(disk, place_under(disk, first.n + i, kind), block,
			       is_last ? kind : FAULT_NONE);
		}
	}
	return report(kind);
}

static enum status disk_flush(void *context)
{
	struct disk *disk = context;
	enum fault_kind kind = fault_now(disk);
	disk->counters.flushes++;
	if (disk->before_flush != NULL) {
		disk->before_flush(disk->before_flush_context, disk);
	}
	if (takes_place(kind) && kind != FAULT_NEVER_FLUSH) {
		disk_settle(disk);
	}
	return report(kind);
}

static const struct block_device_ops disk_ops = {
	.read = disk_read,
	.write = disk_write,
	.flush = disk_flush,
};

/* ---- Life ---------------------------------------------------------------------------------- */

static void disk_init_empty(struct disk *disk, uint64_t blocks)
{
	*disk = (struct disk){
		.device = {.ops = &disk_ops,
			   .context = disk,
			   .capacity = {blocks},
			   .has_flush = true},
	};
}

void disk_init(struct disk *disk, uint64_t blocks)
{
	disk_init_empty(disk, blocks);
	image_init(&disk->image, blocks);
}

void disk_init_from(struct disk *disk, const struct image *image)
{
	disk_init_empty(disk, image->blocks);
	image_copy(&disk->image, image);
}

void disk_copy(struct disk *to, const struct disk *from)
{
	disk_init_from(to, &from->image);
	to->pending_count = from->pending_count;
	to->pending_room = from->pending_count;
	to->pending = malloc((from->pending_count + 1) * sizeof(struct pending));
	CHECK(to->pending != NULL);
	for (size_t i = 0; i < from->pending_count; i++) {
		to->pending[i] = from->pending[i];
		(void)page_hold(to->pending[i].page);
	}
}

static void pending_forget(struct disk *disk)
{
	for (size_t i = 0; i < disk->pending_count; i++) {
		page_drop(disk->pending[i].page);
	}
	disk->pending_count = 0;
}

void disk_fini(struct disk *disk)
{
	pending_forget(disk);
	free(disk->pending);
	image_fini(&disk->image);
	*disk = (struct disk){.pending_count = 0};
}

/* ---- Crashes ------------------------------------------------------------------------------- */

void disk_settle(struct disk *disk)
{
	for (size_t i = 0; i < disk->pending_count; i++) {
		image_put(&disk->image, disk->pending[i].block, disk->pending[i].page);
	}
	disk->pending_count = 0;
}

/* What block `index` of the pending ones replaces. */
static const uint8_t *replaced_by(const struct disk *disk, size_t index)
{
	uint64_t block = disk->pending[index].block;
	for (size_t i = index; i > 0; i--) {
		if (disk->pending[i - 1].block == block) {
			return disk->pending[i - 1].page->bytes;
		}
	}
	return image_look(&disk->image, block);
}

size_t disk_torn_sectors(const struct disk *disk, struct torn_sector **sectors)
{
	size_t count = 0;
	*sectors = malloc((disk->pending_count * SECTORS_PER_BLOCK + 1) * sizeof(**sectors));
	CHECK(*sectors != NULL);
	for (uint32_t i = 0; i < disk->pending_count; i++) {
		const uint8_t *old = replaced_by(disk, i);
		const uint8_t *new = disk->pending[i].page->bytes;
		for (uint32_t s = 0; s < SECTORS_PER_BLOCK; s++) {
			if (memcmp(old + s * SECTOR_BYTES, new + s *SECTOR_BYTES, SECTOR_BYTES) !=
			    0) {
				(*sectors)[count++] =
					(struct torn_sector){.pending = i, .sector = s};
			}
		}
	}
	return count;
}

/* Sectors from `first` on that belong to the same write. */
static size_t same_write(const struct torn_sector *sectors, size_t count, size_t first)
{
	size_t end = first;
	while (end < count && sectors[end].pending == sectors[first].pending) {
		end++;
	}
	return end - first;
}

static void write_tear(struct disk *disk, const struct torn_sector *sectors, const bool *keep,
		       size_t count)
{
	const struct pending *pending = &disk->pending[sectors[0].pending];
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		kept += keep[i] ? 1u : 0u;
	}
	if (kept == count && !pending->again) { /* All of it: what differs not is there already. */
		image_put(&disk->image, pending->block, page_hold(pending->page));
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (keep[i]) {
			size_t at = (size_t)sectors[i].sector * SECTOR_BYTES;
			memcpy(image_edit(&disk->image, pending->block) + at,
			       pending->page->bytes + at, SECTOR_BYTES);
		}
	}
}

void disk_crash(struct disk *disk, const struct torn_sector *sectors, const bool *keep,
		size_t count)
{
	for (size_t i = 0; i < count;) {
		size_t of_write = same_write(sectors, count, i);
		write_tear(disk, sectors + i, keep + i, of_write);
		i += of_write;
	}
	pending_forget(disk);
}
