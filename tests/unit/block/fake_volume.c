// SPDX-License-Identifier: MIT
#include "fake_volume.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct staged_block {
	uint64_t block;
	bool is_hole;
	uint8_t content[BLOCK_BYTES]; /* A hole's is all zero. */
};

struct volume {
	uint64_t slice_blocks;
	uint64_t block_count;
	uint8_t **blocks; /* NULL: a hole. */
	bool in_transaction;
	uint32_t staged_count;
	struct staged_block staged[VOLUME_TXN_BLOCKS_MAX];
	uint64_t fail_in; /* Calls until the failure; 0: none. */
	enum status fail_status;
	uint64_t bad_block;
	enum status bad_block_status;
	struct fake_commit last_commit;
};

struct volume *fake_volume_new(uint64_t slices, uint64_t slice_blocks)
{
	struct volume *volume = calloc(1, sizeof(*volume));
	CHECK(volume != NULL);
	volume->slice_blocks = slice_blocks;
	volume->block_count = slices * slice_blocks;
	volume->blocks = calloc(volume->block_count + 1, sizeof(*volume->blocks));
	CHECK(volume->blocks != NULL);
	volume->bad_block = UINT64_MAX;
	return volume;
}

void fake_volume_free(struct volume *volume)
{
	for (uint64_t i = 0; i < volume->block_count; i++) {
		free(volume->blocks[i]);
	}
	free(volume->blocks);
	free(volume);
}

void fake_volume_fail_at(struct volume *volume, uint64_t k, enum status status)
{
	volume->fail_in = k;
	volume->fail_status = status;
}

void fake_volume_fail_block(struct volume *volume, uint64_t block, enum status status)
{
	volume->bad_block = block;
	volume->bad_block_status = status;
}

uint8_t *fake_volume_block(struct volume *volume, uint64_t block)
{
	CHECK(block < volume->block_count);
	if (volume->blocks[block] == NULL) {
		volume->blocks[block] = calloc(1, BLOCK_BYTES);
		CHECK(volume->blocks[block] != NULL);
	}
	return volume->blocks[block];
}

uint64_t fake_volume_blocks_in_use(const struct volume *volume)
{
	uint64_t count = 0;
	for (uint64_t i = 0; i < volume->block_count; i++) {
		count += volume->blocks[i] != NULL ? 1u : 0u;
	}
	return count;
}

bool fake_volume_in_transaction(const struct volume *volume)
{
	return volume->in_transaction;
}

const struct fake_commit *fake_volume_last_commit(const struct volume *volume)
{
	return &volume->last_commit;
}

/* Is this the call that is to fail? */
static enum status injected(struct volume *volume)
{
	if (volume->fail_in == 0 || --volume->fail_in > 0) {
		return STATUS_OK;
	}
	return volume->fail_status;
}

static void copy_committed(const struct volume *volume, uint64_t block, uint8_t out[BLOCK_BYTES])
{
	if (volume->blocks[block] == NULL) {
		memset(out, 0, BLOCK_BYTES);
	} else {
		memcpy(out, volume->blocks[block], BLOCK_BYTES);
	}
}

struct block_count volume_logical_size(const struct volume *volume)
{
	return (struct block_count){volume->block_count};
}

struct block_count volume_slice_size(const struct volume *volume)
{
	return (struct block_count){volume->slice_blocks};
}

static enum status read_status(struct volume *volume, uint64_t block)
{
	CHECK(block < volume->block_count);
	enum status status = injected(volume);
	return status == STATUS_OK && block == volume->bad_block ? volume->bad_block_status
								 : status;
}

enum status volume_read(struct volume *volume, struct logical_block block, uint8_t out[BLOCK_BYTES])
{
	enum status status = read_status(volume, block.n);
	memset(out, 0, BLOCK_BYTES);
	if (status == STATUS_OK) {
		copy_committed(volume, block.n, out);
	}
	return status;
}

static struct staged_block *find_staged(struct volume *volume, uint64_t block)
{
	for (uint32_t i = 0; i < volume->staged_count; i++) {
		if (volume->staged[i].block == block) {
			return &volume->staged[i];
		}
	}
	return NULL;
}

enum status volume_txn_read(struct volume *volume, struct logical_block block,
			    uint8_t out[BLOCK_BYTES])
{
	CHECK(volume->in_transaction);
	enum status status = read_status(volume, block.n);
	const struct staged_block *staged = find_staged(volume, block.n);
	memset(out, 0, BLOCK_BYTES);
	if (status == STATUS_OK && staged != NULL) {
		memcpy(out, staged->content, BLOCK_BYTES);
	} else if (status == STATUS_OK) {
		copy_committed(volume, block.n, out);
	}
	return status;
}

enum status volume_read_blocks(struct volume *volume, struct logical_block first,
			       struct block_count count, uint8_t *out)
{
	enum status status = STATUS_OK;
	for (uint64_t i = 0; i < count.n && status == STATUS_OK; i++) {
		status = volume_read(volume, (struct logical_block){first.n + i},
				     out + i * BLOCK_BYTES);
	}
	return status;
}

enum status volume_txn_read_blocks(struct volume *volume, struct logical_block first,
				   struct block_count count, uint8_t *out)
{
	enum status status = STATUS_OK;
	for (uint64_t i = 0; i < count.n && status == STATUS_OK; i++) {
		status = volume_txn_read(volume, (struct logical_block){first.n + i},
					 out + i * BLOCK_BYTES);
	}
	return status;
}

static bool is_hole_at(struct volume *volume, uint64_t block)
{
	const struct staged_block *staged =
		volume->in_transaction ? find_staged(volume, block) : NULL;
	return staged != NULL ? staged->is_hole : volume->blocks[block] == NULL;
}

enum status volume_extent(struct volume *volume, struct logical_block first,
			  struct block_count most, struct block_count *count, bool *is_hole)
{
	enum status status = injected(volume);
	CHECK(most.n != 0 && first.n + most.n <= volume->block_count);
	if (status != STATUS_OK) {
		return status;
	}
	uint64_t end = 1;
	*is_hole = is_hole_at(volume, first.n);
	while (end < most.n && is_hole_at(volume, first.n + end) == *is_hole) {
		end++;
	}
	*count = (struct block_count){end};
	return STATUS_OK;
}

enum status volume_txn_begin(struct volume *volume)
{
	CHECK(!volume->in_transaction);
	enum status status = injected(volume);
	if (status == STATUS_OK) {
		volume->in_transaction = true;
		volume->staged_count = 0;
	}
	return status;
}

static enum status stage(struct volume *volume, uint64_t block, const uint8_t *content,
			 bool is_hole)
{
	CHECK(volume->in_transaction);
	CHECK(block < volume->block_count);
	enum status status = injected(volume);
	if (status != STATUS_OK) {
		return status;
	}
	struct staged_block *staged = find_staged(volume, block);
	if (staged == NULL && volume->staged_count == VOLUME_TXN_BLOCKS_MAX) {
		return STATUS_TOO_LARGE;
	}
	if (staged == NULL) {
		staged = &volume->staged[volume->staged_count++];
	}
	staged->block = block;
	staged->is_hole = is_hole;
	memcpy(staged->content, content, BLOCK_BYTES);
	return STATUS_OK;
}

/* A block of zeroes stays a block: nothing in volume.h promises a hole. */
enum status volume_txn_put(struct volume *volume, struct logical_block block,
			   const uint8_t content[BLOCK_BYTES])
{
	return stage(volume, block.n, content, false);
}

enum status volume_txn_discard(struct volume *volume, struct logical_block block)
{
	static const uint8_t hole[BLOCK_BYTES];
	return stage(volume, block.n, hole, true);
}

/* Note in last_commit where the block differs. */
static void note_change(struct volume *volume, const struct staged_block *staged)
{
	uint8_t before[BLOCK_BYTES];
	copy_committed(volume, staged->block, before);
	uint32_t first = 0;
	uint32_t end = BLOCK_BYTES;
	while (first < BLOCK_BYTES && before[first] == staged->content[first]) {
		first++;
	}
	while (end > first && before[end - 1] == staged->content[end - 1]) {
		end--;
	}
	if (first < end) {
		struct fake_commit *commit = &volume->last_commit;
		commit->blocks[commit->block_count] = staged->block;
		commit->first_byte[commit->block_count] = first;
		commit->end_byte[commit->block_count] = end;
		commit->block_count++;
	}
}

enum status volume_txn_commit(struct volume *volume)
{
	CHECK(volume->in_transaction);
	volume->in_transaction = false;
	enum status status = injected(volume);
	if (status != STATUS_OK) {
		return status;
	}
	memset(&volume->last_commit, 0, sizeof(volume->last_commit));
	for (uint32_t i = 0; i < volume->staged_count; i++) {
		const struct staged_block *staged = &volume->staged[i];
		note_change(volume, staged);
		if (staged->is_hole) {
			free(volume->blocks[staged->block]);
			volume->blocks[staged->block] = NULL;
		} else {
			memcpy(fake_volume_block(volume, staged->block), staged->content,
			       BLOCK_BYTES);
		}
	}
	return STATUS_OK;
}

void volume_txn_abort(struct volume *volume)
{
	CHECK(volume->in_transaction);
	volume->in_transaction = false;
}
