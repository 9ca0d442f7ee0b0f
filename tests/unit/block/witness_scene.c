// SPDX-License-Identifier: MIT
#include "witness_scene.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

const struct volume_witness_policy witness_open = {.kind = VOLUME_WITNESS_OPEN};
const struct volume_witness_policy witness_strict = {.kind = VOLUME_WITNESS_STRICT};

static uint64_t scene_now_us(void *context)
{
	return ((const struct witness_scene *)context)->now_us;
}

static void scene_relax(void *context)
{
	(void)context;
}

void witness_scene_init(struct witness_scene *scene, enum volume_profile profile,
			const struct volume_witness_policy *policy)
{
	memset(scene, 0, sizeof(*scene));
	uint64_t blocks =
		profile == VOLUME_PROFILE_STATE ? FIXTURE_BLOCKS : VOLUME_BLOCK_BLOCKS_MIN;
	fixture_init_profile(&scene->fixture, profile, blocks, false);
	fake_witness_init(&scene->witness);
	scene->clock =
		(struct clock){.now_us = scene_now_us, .relax = scene_relax, .context = scene};
	scene->fixture.environment.witness = &scene->witness.port;
	scene->fixture.environment.clock = &scene->clock;
	const struct volume_create_params params = {
		.profile = profile, .size = {blocks}, .witness_policy = *policy};
	CHECK(volume_create_with(&scene->fixture.environment, &params, &fixture_key) == STATUS_OK);
	CHECK(witnessed_remount(scene, VOLUME_WITNESS_ENROL) == STATUS_OK);
}

void witness_scene_fini(struct witness_scene *scene)
{
	for (uint32_t i = 0; i < scene->snapshot_count; i++) {
		free(scene->snapshots[i]);
	}
	fixture_fini(&scene->fixture);
}

enum status witnessed_commit(struct witness_scene *scene)
{
	struct model changed = scene->model;
	enum status status =
		model_commit(&changed, scene->fixture.volume, SCENE_PLACE, ++scene->seed);
	if (status == STATUS_OK) {
		scene->model = changed;
	}
	return status;
}

enum status witnessed_remount(struct witness_scene *scene, enum volume_witness_decision decision)
{
	fixture_unmount(&scene->fixture);
	scene->fixture.environment.witness_decision = decision;
	return fixture_mount(&scene->fixture);
}

struct volume_freshness_info witnessed_freshness(const struct witness_scene *scene)
{
	struct volume_info info;
	volume_info_get(scene->fixture.volume, &info);
	return info.freshness;
}

uint64_t witnessed_sequence(const struct witness_scene *scene)
{
	struct volume_info info;
	volume_info_get(scene->fixture.volume, &info);
	return info.sequence;
}

uint32_t witnessed_snapshot(struct witness_scene *scene)
{
	const struct sim_disk *disk = &scene->fixture.disk;
	size_t bytes = disk->device.capacity.n * BLOCK_BYTES;
	CHECK(scene->snapshot_count < SCENE_SNAPSHOTS);
	uint8_t *copy = malloc(bytes);
	CHECK(copy != NULL);
	memcpy(copy, disk->media, bytes);
	scene->snapshots[scene->snapshot_count] = copy;
	return scene->snapshot_count++;
}

void witnessed_restore(struct witness_scene *scene, uint32_t snapshot)
{
	struct sim_disk *disk = &scene->fixture.disk;
	fixture_unmount(&scene->fixture);
	disk->pending_count = 0;
	memcpy(disk->media, scene->snapshots[snapshot], disk->device.capacity.n * BLOCK_BYTES);
}
