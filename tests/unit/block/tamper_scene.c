// SPDX-License-Identifier: MIT
#include "tamper_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t image_bytes(const struct scene *scene)
{
	return scene->fixture.disk.device.capacity.n * BLOCK_BYTES;
}

static void step(struct scene *scene, uint32_t logical, uint64_t seed)
{
	struct model next = scene->history[scene->count - 1];
	assert_int_equal(model_commit(&next, scene->fixture.volume, logical, seed), STATUS_OK);
	scene->history[scene->count++] = next;
	scene->log_records++;
}

static void checkpoint(struct scene *scene)
{
	assert_int_equal(volume_checkpoint(scene->fixture.volume), STATUS_OK);
	scene->log_offset += (uint32_t)scene->log_records;
	scene->log_records = 0;
}

static void version_save(struct scene *scene)
{
	uint8_t *copy = malloc(image_bytes(scene));
	assert_non_null(copy);
	memcpy(copy, scene->fixture.disk.media, image_bytes(scene));
	scene->versions[scene->version_count++] = copy;
}

/* Seeds divisible by 3 give short contents, so each record here is one block. Four records are in
 * the last epoch's log. */
void scene_init(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	fixture_init_mounted(&scene->fixture, FIXTURE_BLOCKS);
	scene->count = 1; /* The empty volume. */
	step(scene, 1, 3);
	step(scene, 2, 6);
	step(scene, 16384 * 5, 9);
	version_save(scene);
	checkpoint(scene);
	step(scene, 1, 12);
	step(scene, 300, 15);
	version_save(scene);
	step(scene, 2, 0);
	checkpoint(scene);
	step(scene, 2, 18);
	step(scene, 1, 21);
	step(scene, 301, 24);
	step(scene, 301, 27);
	fixture_unmount(&scene->fixture);
	version_save(scene);
	/* Every model knows every block, so that "not there yet" is checked as well. */
	for (size_t i = 0; i < scene->count; i++) {
		const struct model *last = &scene->history[scene->count - 1];
		for (size_t b = 0; b < last->count; b++) {
			uint64_t seed = model_get(&scene->history[i], last->logical[b]);
			model_set(&scene->history[i], last->logical[b], seed);
		}
	}
	sim_disk_mark(&scene->fixture.disk);
}

void scene_fini(struct scene *scene)
{
	for (size_t i = 0; i < scene->version_count; i++) {
		free(scene->versions[i]);
	}
	fixture_fini(&scene->fixture);
}

void scene_restore(struct scene *scene)
{
	fixture_unmount(&scene->fixture);
	sim_disk_revert(&scene->fixture.disk);
}

int scene_state_shown(struct scene *scene)
{
	for (size_t i = scene->count; i > 0; i--) {
		if (model_equals(&scene->history[i - 1], scene->fixture.volume)) {
			return (int)i - 1;
		}
	}
	return -1;
}

void scene_assert_mount(struct scene *scene, enum status expected)
{
	assert_int_equal(fixture_mount(&scene->fixture), expected);
	if (expected == STATUS_OK) {
		assert_int_equal(scene_state_shown(scene), (int)scene->count - 1);
	}
	scene_restore(scene);
}
