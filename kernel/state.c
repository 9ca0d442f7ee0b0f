// SPDX-License-Identifier: MIT
#include "kernel/state.h"

#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "kernel/key_source.h"

static enum status disk_open(struct state *state, const struct state_environment *environment,
			     size_t index)
{
	const struct virtio_blk_environment blk = {
		.transport = &state->slots[index]->transport,
		.memory = environment->sharedmem,
		.clock = environment->clock,
	};
	return virtio_blk_open(&state->disk, &blk);
}

/* What is on a disk. The name is the host's: for people who look for a disk, never an identity. */
static void disk_inspect(struct state *state, const struct state_environment *environment,
			 size_t index)
{
	struct disk_candidate *candidate = &state->candidates[index];
	char name[VIRTIO_BLK_ID_BYTES + 1] = "";
	candidate->status = disk_open(state, environment, index);
	if (candidate->status == STATUS_OK) {
		struct volume_public_info info;
		candidate->status = volume_public_info_read(virtio_blk_device(&state->disk), &info);
		if (candidate->status == STATUS_OK) {
			memcpy(candidate->uuid, info.uuid, sizeof(candidate->uuid));
		}
		if (virtio_blk_id_read(&state->disk, name) != STATUS_OK) {
			name[0] = '\0';
		}
	}
	log_write(LOG_DEBUG, "state", "disk %lu: %s: named '%s' by the host", index,
		  status_name(candidate->status), name);
	virtio_blk_close(&state->disk);
}

/* Every disk is looked at before any is chosen, one after the other: the others stay reset. */
static enum status disk_find(struct state *state, const struct state_environment *environment)
{
	size_t count = 0;
	for (size_t i = 0; i < environment->devices->count; i++) {
		struct device_slot *slot = devices_nth(environment->devices, VIRTIO_ID_BLOCK, i);
		if (slot != NULL) {
			state->slots[count] = slot;
			disk_inspect(state, environment, count);
			count++;
		}
	}
	if (environment->devices->is_cut_off) {
		/* One of those that were left out may be a twin. */
		return STATUS_TOO_LARGE;
	}
	const enum status status =
		disk_choose(state->candidates, count, environment->wish, &state->chosen);
	if (status != STATUS_OK) {
		return status;
	}
	state->disk_is_open = true;
	return disk_open(state, environment, state->chosen);
}

static void log_failure(enum status status, const struct volume_failure *failure)
{
	if (failure->status == status) {
		log_write(LOG_ERROR, "state",
			  "%s at level %u, logical block %ld, physical block %ld, epoch %ld",
			  status_name(status), failure->level, (long)failure->logical,
			  (long)failure->physical, (long)failure->epoch);
	}
}

enum status state_mount(const struct state_environment *environment,
			const struct block_device *device, size_t arena_bytes,
			struct volume **volume)
{
	size_t arena_pages = (arena_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
	struct phys_addr arena;
	enum status status = kernel_memory_take(environment->memory, arena_pages, &arena);
	if (status != STATUS_OK) {
		return status;
	}
	const struct volume_environment volume_environment = {
		.device = device,
		.aead = environment->aead,
		.random = environment->random,
		.arena = kernel_memory_pointer(environment->memory, arena),
		.arena_size_bytes = arena_pages * PAGE_BYTES,
	};
	uint8_t raw[KEY_SOURCE_BYTES];
	status = key_source_read(raw);
	if (status == STATUS_OK) {
		const struct volume_key key = {VOLUME_KEY_RAW, raw, sizeof(raw)};
		struct volume_failure failure = {.status = STATUS_OK};
		status = volume_mount(&volume_environment, &key, false, volume, &failure);
		secure_zero(raw, sizeof(raw));
		if (status != STATUS_OK) {
			log_failure(status, &failure);
		}
	}
	if (status != STATUS_OK) {
		memset(volume_environment.arena, 0, volume_environment.arena_size_bytes);
		kernel_memory_give(environment->memory, arena, arena_pages);
		*volume = NULL;
	}
	return status;
}

/* The host showed the disk twice, and may have shown two: what was compared with the others has to
 * be what was mounted. */
static enum status mounted_is_chosen(struct state *state)
{
	struct volume_info info;
	volume_info_get(state->volume, &info);
	if (memcmp(info.open.uuid, state->candidates[state->chosen].uuid, DISK_UUID_BYTES) == 0) {
		return STATUS_OK;
	}
	volume_unmount(state->volume);
	state->volume = NULL;
	return STATUS_BAD_HOST;
}

enum status state_open(struct state *state, const struct state_environment *environment)
{
	memset(state, 0, sizeof(*state));
	enum status status = disk_find(state, environment);
	if (status != STATUS_OK) {
		return status;
	}
	const struct block_device *device = virtio_blk_device(&state->disk);
	status = state_mount(environment, device, volume_arena_bytes(device->capacity),
			     &state->volume);
	if (status != STATUS_OK) {
		return status;
	}
	status = mounted_is_chosen(state);
	if (status != STATUS_OK) {
		return status;
	}
	return store_open(&state->store, state->volume);
}

enum status state_condition(const struct state *state)
{
	if (state->volume == NULL || volume_is_writable(state->volume)) {
		return STATUS_OK;
	}
	struct volume_failure failure;
	volume_failure_get(state->volume, &failure);
	return failure.status;
}

void state_tend(struct state *state)
{
	virtio_blk_interrupt_ack(&state->disk);
}

/* Behind a checkpoint even the last record cannot be dropped without being missed. A boot that
 * committed nothing writes nothing. */
static void checkpoint_if_used(struct volume *volume)
{
	struct volume_counters counters;
	volume_counters_get(volume, &counters);
	if (counters.commits == 0 || !volume_is_writable(volume)) {
		return;
	}
	enum status status = volume_checkpoint(volume);
	if (status != STATUS_OK) {
		log_write(LOG_WARNING, "state", "no last checkpoint: %s", status_name(status));
	}
}

void state_close(struct state *state)
{
	if (state->volume != NULL) {
		checkpoint_if_used(state->volume);
		volume_unmount(state->volume);
		state->volume = NULL;
	}
	virtio_blk_close(&state->disk);
	state->disk_is_open = false;
}
