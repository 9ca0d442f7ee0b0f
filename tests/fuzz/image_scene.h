// SPDX-License-Identifier: MIT
/* Small volumes with a history, for editing; of each profile one sealed by the real AEAD, and one
 * whose ciphertext is its plaintext and whose every tag opens (the adversary who has the key).
 *
 * Of each committed state the scene keeps the disk and what a reader has to see. Blocks that did
 * not change between two states are shared, so a state costs little, and putting the disk back
 * costs a table of pointers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "block/store.h"
#include "block/volume.h"
#include "tests/fuzz/fuzz.h"

#define SCENE_BLOCKS_MAX 4096u
#define SCENE_STATES_MAX 10u
/* Private copies of edited and written blocks, for one input. */
#define SCENE_COPIES_MAX 700u
/* Logical blocks that are compared: the first of the first slices, or, of a block device, of some
 * leaves. */
#define SCENE_SLICES           5u
#define SCENE_SLICE_BLOCKS     6u
#define SCENE_TRACKED          (SCENE_SLICES * SCENE_SLICE_BLOCKS)
#define SCENE_DEVICE_READS_MAX 60000u

struct scene_state {
	uint64_t sequence;
	const uint8_t *disk[SCENE_BLOCKS_MAX];
	const uint8_t *content[SCENE_TRACKED];
};

struct scene {
	bool transparent;
	enum volume_profile profile;
	uint64_t blocks;
	struct scene_state states[SCENE_STATES_MAX];
	size_t state_count;
	/* Blocks that some state uses: where edits are worth it. */
	uint16_t used[SCENE_BLOCKS_MAX];
	size_t used_count;
};

/* The disk of the input that runs. */
struct scene_disk {
	struct block_device device;
	const uint8_t *blocks[SCENE_BLOCKS_MAX];
	uint8_t *copies[SCENE_BLOCKS_MAX]; /* NULL: still shared. */
	size_t copy_count;
	uint64_t reads;        /* Blocks. */
	uint64_t fail_read_at; /* The n-th read fails; 0: none. */
	uint64_t operations;
};

extern struct scene_disk scene_disk;
extern const struct volume_key scene_key;

/* Made on first use. */
const struct scene *scene_get(enum volume_profile profile, bool transparent);
/* Put the disk into a state, and the random numbers to their start. */
void scene_disk_reset(const struct scene *scene, size_t state);
/* A block to be changed. NULL: too many copies already. */
uint8_t *scene_disk_edit(uint64_t block);
/* Of the input that runs. */
bool scene_is_transparent(void);
bool scene_is_block(void);
struct volume_environment scene_environment(void);
struct logical_block scene_tracked(size_t index);
