// SPDX-License-Identifier: MIT
#include "kernel/state.h"

#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "kernel/key_source.h"
#include "kernel/recovery_policy.h"

#define LOOK_US 100000u
/* One CPU, so one queue. A queue for each of several would need a lock for each job. */
#define QUEUE_COUNT 1u

static enum status disk_open(struct state *state, const struct state_environment *environment,
			     size_t index)
{
	const struct virtio_blk_environment blk = {
		.transport = &state->slots[index]->transport,
		.memory = environment->sharedmem,
		.clock = environment->clock,
		.queue_count = QUEUE_COUNT,
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
			const struct volume_recall *recall, struct state_mounted *mounted)
{
	struct state_mounted made = {
		.arena_pages = (arena_bytes + PAGE_BYTES - 1) / PAGE_BYTES,
	};
	enum status status = kernel_memory_take(environment->memory, made.arena_pages, &made.arena);
	if (status != STATUS_OK) {
		return status;
	}
	const struct volume_environment volume_environment = {
		.device = device,
		.aead = environment->aead,
		.random = environment->random,
		.arena = kernel_memory_pointer(environment->memory, made.arena),
		.arena_size_bytes = made.arena_pages * PAGE_BYTES,
		.recall = recall,
	};
	uint8_t raw[KEY_SOURCE_BYTES];
	status = key_source_read(raw);
	if (status == STATUS_OK) {
		const struct volume_key key = {VOLUME_KEY_RAW, raw, sizeof(raw)};
		struct volume_failure failure = {.status = STATUS_OK};
		status = volume_mount(&volume_environment, &key, false, &made.volume, &failure);
		secure_zero(raw, sizeof(raw));
		if (status != STATUS_OK) {
			log_failure(status, &failure);
		}
	}
	if (status != STATUS_OK) {
		kernel_memory_give(environment->memory, made.arena, made.arena_pages);
		return status;
	}
	*mounted = made;
	return STATUS_OK;
}

/* Forget its keys, and give its memory back. */
static void unmount(struct state_mounted *mounted, struct kernel_memory *memory)
{
	if (mounted->volume != NULL) {
		volume_unmount(mounted->volume);
		kernel_memory_give(memory, mounted->arena, mounted->arena_pages);
		mounted->volume = NULL;
	}
}

/* The host showed the disk twice, and may have shown two: what was compared with the others has to
 * be what was mounted. */
static bool mounted_is_chosen(const struct state *state)
{
	struct volume_info info;
	volume_info_get(state->mounted.volume, &info);
	return memcmp(info.open.uuid, state->candidates[state->chosen].uuid, DISK_UUID_BYTES) == 0;
}

enum status state_open(struct state *state, const struct state_environment *environment)
{
	memset(state, 0, sizeof(*state));
	enum status status = disk_find(state, environment);
	if (status != STATUS_OK) {
		return status;
	}
	const struct block_device *device = virtio_blk_device(&state->disk);
	status = state_mount(environment, device, volume_arena_bytes(device->capacity), NULL,
			     &state->mounted);
	if (status != STATUS_OK) {
		return status;
	}
	if (!mounted_is_chosen(state)) {
		unmount(&state->mounted, environment->memory);
		return STATUS_BAD_HOST;
	}
	status = store_open(&state->store, state->mounted.volume);
	state->was_mounted = status == STATUS_OK;
	return status;
}

/* ---- While it runs ------------------------------------------------------------------------- */

enum status state_condition(const struct state *state)
{
	struct virtio_blk_condition disk;
	struct volume_failure failure;
	if (state->verdict != STATUS_OK) {
		return state->verdict;
	}
	if (state->mounted.volume != NULL && !volume_is_writable(state->mounted.volume)) {
		volume_failure_get(state->mounted.volume, &failure);
		return failure.status;
	}
	virtio_blk_condition_get(&state->disk, &disk);
	return disk.failure;
}

bool state_is_lost(const struct state *state)
{
	struct virtio_blk_condition disk;
	virtio_blk_condition_get(&state->disk, &disk);
	return state->was_mounted && disk.failure != STATUS_OK && state->verdict == STATUS_OK;
}

void state_look(struct state *state, const struct clock *clock)
{
	if (clock_deadline_passed(clock, state->next_look)) {
		state->next_look = clock_deadline_after(clock, LOOK_US);
		virtio_blk_look(&state->disk);
	}
}

/* ---- Recovery ------------------------------------------------------------------------------ */

/* Before the volume is forgotten. A second attempt in a row finds none, and what is remembered is
 * still true: the first one has written nothing. */
static enum status state_remember(struct state *state, struct kernel_memory *memory)
{
	enum status status = STATUS_OK;
	if (state->mounted.volume != NULL) {
		status = volume_recall_get(state->mounted.volume, &state->recall);
		store_close(&state->store);
		unmount(&state->mounted, memory);
	}
	return status;
}

/* Is there anything to be tried? And before the volume is forgotten, what was it? */
static enum status recovery_begin(struct state *state, struct kernel_memory *memory)
{
	struct virtio_blk_condition disk;
	virtio_blk_condition_get(&state->disk, &disk);
	state->cause = state_condition(state);
	const enum status permitted = recovery_permit(state->cause, &disk);
	const enum status remembered = state_remember(state, memory);
	if (permitted != STATUS_OK) {
		return permitted;
	}
	return devices_is_present(state->slots[state->chosen]) ? remembered : STATUS_NO_DEVICE;
}

static enum status disk_mount_again(struct state *state,
				    const struct state_environment *environment)
{
	const struct block_device *device = virtio_blk_device(&state->disk);
	state->reset_count++;
	log_write(LOG_WARNING, "state", "the disk was given up (%s): opened again, %u of %u",
		  status_name(state->cause), state->reset_count, VIRTIO_FAILURES_MAX);
	enum status status = disk_open(state, environment, state->chosen);
	if (status == STATUS_OK) {
		status = state_mount(environment, device, volume_arena_bytes(device->capacity),
				     &state->recall, &state->mounted);
	}
	if (status == STATUS_OK) {
		status = store_open(&state->store, state->mounted.volume);
	}
	if (status != STATUS_OK) {
		unmount(&state->mounted, environment->memory);
	}
	return status;
}

enum status state_recover(struct state *state, const struct state_environment *environment)
{
	enum status status = recovery_begin(state, environment->memory);
	bool is_final = status != STATUS_OK;
	if (!is_final) {
		status = disk_mount_again(state, environment);
		is_final = status != STATUS_OK && !state_is_lost(state);
	}
	if (is_final) {
		state->verdict = status;
		virtio_blk_close(&state->disk);
	}
	return status;
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
	if (state->mounted.volume != NULL) {
		checkpoint_if_used(state->mounted.volume);
		volume_unmount(state->mounted.volume);
		state->mounted.volume = NULL;
	}
	virtio_blk_close(&state->disk);
	state->disk_is_open = false;
}
