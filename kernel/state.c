// SPDX-License-Identifier: MIT
#include "kernel/state.h"

#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "kernel/key_source.h"

static enum status open_disk(struct state_disk *disk, const struct state_environment *environment,
			     struct device_slot *slot)
{
	const struct virtio_blk_environment blk = {
		.transport = &slot->transport,
		.memory = environment->sharedmem,
		.clock = environment->clock,
	};
	enum status status = virtio_blk_open(&disk->blk, &blk);
	if (status != STATUS_OK) {
		return status;
	}
	return volume_public_info_read(virtio_blk_device(&disk->blk), &disk->info);
}

/* The name is the host's: for people who look for a disk, and never an identity. */
static void log_disk(struct state_disk *disk, size_t index)
{
	char name[VIRTIO_BLK_ID_BYTES + 1] = "";
	if (virtio_blk_id_read(&disk->blk, name) != STATUS_OK) {
		name[0] = '\0';
	}
	log_write(LOG_DEBUG, "state", "disk %lu: %s: named '%s' by the host", index,
		  status_name(disk->status), name);
}

static void open_disks(struct state *state, const struct state_environment *environment)
{
	for (size_t i = 0; i < STATE_DISKS_MAX; i++) {
		struct device_slot *slot = devices_nth(environment->devices, VIRTIO_ID_BLOCK, i);
		if (slot == NULL) {
			return;
		}
		struct state_disk *disk = &state->disks[state->disk_count++];
		disk->status = open_disk(disk, environment, slot);
		log_disk(disk, i);
	}
}

static enum status choose(struct state *state)
{
	enum status first_failure = STATUS_NO_DEVICE;
	for (size_t i = 0; i < state->disk_count; i++) {
		struct state_disk *disk = &state->disks[i];
		if (disk->status != STATUS_OK) {
			if (first_failure == STATUS_NO_DEVICE) {
				first_failure = disk->status;
			}
			continue;
		}
		if (state->chosen == NULL) {
			state->chosen = disk;
			continue;
		}
		/* Never "the first that opens": the host could choose for us. */
		bool same =
			memcmp(state->chosen->info.uuid, disk->info.uuid, VOLUME_UUID_BYTES) == 0;
		state->chosen = NULL;
		return same ? STATUS_DUPLICATE_VOLUME : STATUS_BAD_CONFIG;
	}
	return state->chosen == NULL ? first_failure : STATUS_OK;
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

static enum status mount(struct state *state, const struct state_environment *environment)
{
	const struct block_device *device = virtio_blk_device(&state->chosen->blk);
	size_t arena_bytes = volume_arena_bytes(device->capacity);
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
		status = volume_mount(&volume_environment, &key, false, &state->volume, &failure);
		secure_zero(raw, sizeof(raw));
		if (status != STATUS_OK) {
			log_failure(status, &failure);
		}
	}
	if (status != STATUS_OK) {
		memset(volume_environment.arena, 0, volume_environment.arena_size_bytes);
		kernel_memory_give(environment->memory, arena, arena_pages);
		state->volume = NULL;
	}
	return status;
}

enum status state_open(struct state *state, const struct state_environment *environment)
{
	memset(state, 0, sizeof(*state));
	open_disks(state, environment);
	enum status status = choose(state);
	if (status != STATUS_OK) {
		return status;
	}
	status = mount(state, environment);
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
	for (size_t i = 0; i < state->disk_count; i++) {
		virtio_blk_close(&state->disks[i].blk);
	}
	state->disk_count = 0;
}
