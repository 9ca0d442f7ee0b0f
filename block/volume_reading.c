// SPDX-License-Identifier: MIT
/* Reads in two halves. The first one needs the volume and is fast: it copies what it finds there,
 * the blocks' places, tags and keys. The second one waits for the device and opens what came, with
 * that copy alone, so the volume can do other things meanwhile.
 *
 * What the copy says may be outdated by then. That is no danger: a tag belongs to one version of
 * one block, so what opens is what was current when the read began, and what does not open is read
 * again by whoever holds the lock. */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_internal.h"

/* The index of the copy of a session's data key. STATUS_AGAIN: there are too many already. */
static enum status key_copy(struct volume *volume, struct volume_reading *reading, uint32_t session,
			    uint32_t *index)
{
	for (uint32_t i = 0; i < reading->session_count; i++) {
		if (reading->sessions[i] == session) {
			*index = i;
			return STATUS_OK;
		}
	}
	if (reading->session_count == VOLUME_READING_SESSIONS) {
		return STATUS_AGAIN;
	}
	const struct aead_key *key = NULL;
	enum status status = volume_key_get(volume, VOLUME_LEVEL_DATA, session, &key);
	if (status != STATUS_OK) {
		return STATUS_AGAIN; /* The other way knows what to say. */
	}
	*index = reading->session_count++;
	reading->sessions[*index] = session;
	reading->keys[*index] = *key;
	return STATUS_OK;
}

static void keys_erase(struct volume_reading *reading)
{
	for (uint32_t i = 0; i < reading->session_count; i++) {
		aead_key_erase(&reading->keys[i]);
	}
	reading->session_count = 0;
}

static enum status block_begin(struct volume *volume, struct volume_reading *reading, uint32_t i)
{
	const uint8_t *content = NULL;
	struct volume_entry entry;
	uint8_t *out = reading->out + (size_t)i * BLOCK_BYTES;
	reading->blocks[i].physical = 0;
	if (volume_find(volume, reading->first + i, true, &content, &entry) != STATUS_OK) {
		return STATUS_AGAIN;
	}
	if (content != NULL) {
		memcpy(out, content, BLOCK_BYTES);
	} else if (entry.physical == 0) {
		memset(out, 0, BLOCK_BYTES);
	} else if (volume_txn_batch_find(volume, entry.physical) != NULL) {
		return STATUS_AGAIN; /* It has not reached the device yet. */
	} else {
		reading->blocks[i].physical = entry.physical;
		reading->blocks[i].counter = entry.counter;
		memcpy(reading->blocks[i].tag, entry.tag, AEAD_TAG_BYTES);
		return key_copy(volume, reading, entry.session, &reading->blocks[i].key);
	}
	return STATUS_OK;
}

enum status volume_read_begin(struct volume *volume, struct logical_block first,
			      struct block_count count, uint8_t *out,
			      struct volume_reading *reading)
{
	const uint64_t blocks = volume->geometry.logical_blocks;
	if (count.n > VOLUME_READING_BLOCKS || count.n > blocks || first.n > blocks - count.n) {
		return STATUS_INVALID;
	}
	reading->device = volume->device;
	memcpy(reading->uuid, volume->uuid, VOLUME_UUID_BYTES);
	reading->out = out;
	reading->first = (uint32_t)first.n;
	reading->count = (uint32_t)count.n;
	reading->session_count = 0;
	enum status status = STATUS_OK;
	for (uint32_t i = 0; i < reading->count && status == STATUS_OK; i++) {
		status = block_begin(volume, reading, i);
	}
	if (status != STATUS_OK) {
		keys_erase(reading);
		memset(out, 0, (size_t)count.n * BLOCK_BYTES);
	}
	return status;
}

/* How many blocks from `at` on are neighbours on the device. */
static uint32_t run_length(const struct volume_reading *reading, uint32_t at)
{
	uint32_t count = 1;
	while (at + count < reading->count &&
	       reading->blocks[at + count].physical == reading->blocks[at].physical + count) {
		count++;
	}
	return count;
}

static enum status run_read(const struct volume_reading *reading, uint32_t at, uint32_t count)
{
	uint8_t *out = reading->out + (size_t)at * BLOCK_BYTES;
	enum status status =
		block_read(reading->device, (struct physical_block){reading->blocks[at].physical},
			   (struct block_count){count}, out);
	for (uint32_t i = at; i < at + count && status == STATUS_OK; i++) {
		struct volume_entry entry = {.counter = reading->blocks[i].counter};
		memcpy(entry.tag, reading->blocks[i].tag, AEAD_TAG_BYTES);
		status = volume_data_open(reading->uuid, &reading->keys[reading->blocks[i].key],
					  reading->first + i, &entry, out, out);
		out += BLOCK_BYTES;
	}
	return status;
}

enum status volume_read_end(struct volume_reading *reading)
{
	enum status status = STATUS_OK;
	uint32_t at = 0;
	while (at < reading->count && status == STATUS_OK) {
		uint32_t count = 1;
		if (reading->blocks[at].physical != 0) {
			count = run_length(reading, at);
			status = run_read(reading, at, count);
		}
		at += count;
	}
	keys_erase(reading);
	if (status == STATUS_OK) {
		return STATUS_OK;
	}
	memset(reading->out, 0, (size_t)reading->count * BLOCK_BYTES);
	return STATUS_AGAIN;
}
