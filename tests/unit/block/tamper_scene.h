// SPDX-License-Identifier: MIT
/* A volume with a past, for tests that change what is on its disk. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "block/volume_internal.h"
#include "volume_fixture.h"

#define RING_FIRST   4u
#define GROUP_FIRST  (RING_FIRST + VOLUME_RING_BLOCKS)
#define HISTORY_MAX  24u
#define VERSIONS_MAX 3u

/* Every committed state, and a few whole images. */
struct scene {
	struct fixture fixture;
	struct model history[HISTORY_MAX];
	size_t count;
	uint8_t *versions[VERSIONS_MAX];
	size_t version_count;
	uint32_t log_offset; /* Where the log of the last epoch begins. */
	size_t log_records;
};

/* Not mounted; epoch 4, four records of one block in its log; the disk is marked. */
void scene_init(struct scene *scene);
void scene_fini(struct scene *scene);
/* Unmount and undo the damage. */
void scene_restore(struct scene *scene);
/* Index of the committed state that the mounted volume shows; -1: a mix. */
int scene_state_shown(struct scene *scene);
/* Mount; if that is to succeed, the last state has to be there. Then restore. */
void scene_assert_mount(struct scene *scene, enum status expected);
