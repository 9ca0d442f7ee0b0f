// SPDX-License-Identifier: MIT
/* A new, empty volume: the first two epochs, written by the ordinary checkpoint. Until the last
 * step the device is no volume (its superblocks are erased first), so a crash leaves nothing that
 * could be mounted. */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_internal.h"
#include "crypto/random.h"

/* Erase the superblocks, write both keyslot areas, two checkpoints. */
#define STEPS 4u

struct steps {
	volume_progress progress;
	void *context;
	uint64_t done;
};

static void step_done(struct steps *steps)
{
	steps->done++;
	if (steps->progress != NULL) {
		steps->progress(steps->context, steps->done, STEPS);
	}
}

static enum status superblocks_erase(struct volume *volume)
{
	memset(volume->scratch, 0, BLOCK_BYTES);
	enum status status = STATUS_OK;
	for (uint32_t slot = 0; slot < 2 && status == STATUS_OK; slot++) {
		status =
			volume_pair_write(volume, &volume->superblock_pairs[slot], volume->scratch);
	}
	return status;
}

/* Both areas get the same slot; the higher epoch is the one in use. */
static enum status keyslots_write(struct volume *volume, const struct volume_key *key)
{
	struct volume_keyslots *keyslots = &volume->keyslots;
	memcpy(keyslots->uuid, volume->uuid, VOLUME_UUID_BYTES);
	keyslots->size = volume->geometry.size;
	keyslots->profile = volume->geometry.profile;
	enum status status = volume_keyslot_wrap(volume, key, &keyslots->slots[0]);
	for (uint32_t area = 0; area < 2 && status == STATUS_OK; area++) {
		keyslots->epoch = area + 1;
		volume->keyslots_area = area;
		status = volume_keyslots_encode(volume->scratch, keyslots, volume->keyslots_digest);
		if (status == STATUS_OK) {
			status = volume_pair_write(volume, &volume->keyslots_pairs[area],
						   volume->scratch);
		}
	}
	return status;
}

static enum status identity_draw(struct volume *volume)
{
	volume->master.generation = 1;
	enum status status = random_fill(volume->random, volume->uuid, VOLUME_UUID_BYTES);
	if (status == STATUS_OK) {
		status = random_fill(volume->random, volume->master.key, VOLUME_KEY_BYTES);
	}
	if (status == STATUS_OK) {
		status = volume_session_begin(volume, 1);
	}
	return status;
}

static enum status create(struct volume *volume, const struct volume_key *key, struct steps *steps)
{
	volume_pairs_init(volume);
	volume_bitmaps_reset(volume);
	enum status status = identity_draw(volume);
	if (status != STATUS_OK) {
		return status;
	}
	volume->superblock.geometry = volume->geometry;
	volume->writable = true;
	status = superblocks_erase(volume);
	if (status == STATUS_OK) {
		step_done(steps);
		status = keyslots_write(volume, key);
	}
	for (uint32_t epoch = 1; epoch <= 2 && status == STATUS_OK; epoch++) {
		step_done(steps);
		status = volume_checkpoint_run(volume, true);
	}
	if (status == STATUS_OK) {
		step_done(steps);
	}
	return status;
}

enum status volume_create(const struct volume_environment *environment, struct block_count size,
			  const struct volume_key *key, volume_progress progress,
			  void *progress_context)
{
	return volume_create_profile(environment, VOLUME_PROFILE_STATE, size, key, progress,
				     progress_context);
}

enum status volume_create_profile(const struct volume_environment *environment,
				  enum volume_profile profile, struct block_count size,
				  const struct volume_key *key, volume_progress progress,
				  void *progress_context)
{
	const struct volume_create_params params = {
		.profile = profile,
		.size = size,
		.progress = progress,
		.progress_context = progress_context,
	};
	return volume_create_with(environment, &params, key);
}

enum status volume_create_with(const struct volume_environment *environment,
			       const struct volume_create_params *params,
			       const struct volume_key *key)
{
	struct steps steps = {.progress = params->progress, .context = params->progress_context};
	const struct block_device *device = environment->device;
	struct volume_geometry geometry;
	struct volume *volume = NULL;
	enum status status = volume_key_check(key);
	if (status == STATUS_OK) {
		status = volume_geometry_make((uint32_t)params->profile, params->size.n, &geometry);
	}
	if (status == STATUS_OK && !volume_witness_policy_is_sane(&params->witness_policy)) {
		status = STATUS_INVALID;
	}
	if (status != STATUS_OK) {
		return status;
	}
	if (params->size.n > device->capacity.n) {
		return STATUS_TRUNCATED;
	}
	if (device->read_only) {
		return STATUS_READ_ONLY;
	}
	if (!device->has_flush) {
		return STATUS_NO_FLUSH;
	}
	status = volume_arena_begin(environment, &volume);
	if (status != STATUS_OK) {
		return status;
	}
	volume->geometry = geometry;
	volume->freshness.witness = NULL; /* It hears of the volume when it is enrolled. */
	volume->freshness.policy = params->witness_policy;
	status = volume_arena_lay_out(volume);
	if (status == STATUS_OK) {
		status = create(volume, key, &steps);
	}
	volume_unmount(volume);
	return status;
}
