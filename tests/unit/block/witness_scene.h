// SPDX-License-Identifier: MIT
/* A volume with a witness, a clock that stands still, and images of its disk to go back to. */
#pragma once

#include "base/clock.h"
#include "fake_witness.h"
#include "volume_fixture.h"

#define SCENE_SNAPSHOTS 16u
#define SCENE_PLACE     7u /* The block that the tests write. */

struct witness_scene {
	struct fixture fixture;
	struct fake_witness witness;
	struct clock clock;
	uint64_t now_us;
	struct model model;
	uint64_t seed; /* Of the last content that a commit was tried with. */
	uint8_t *snapshots[SCENE_SNAPSHOTS];
	uint32_t snapshot_count;
};

extern const struct volume_witness_policy witness_open;
extern const struct volume_witness_policy witness_strict;

/* A volume with that policy, enrolled and mounted. */
void witness_scene_init(struct witness_scene *scene, enum volume_profile profile,
			const struct volume_witness_policy *policy);
void witness_scene_fini(struct witness_scene *scene);

/* The next content of SCENE_PLACE, in a transaction. */
enum status witnessed_commit(struct witness_scene *scene);
enum status witnessed_remount(struct witness_scene *scene, enum volume_witness_decision decision);
struct volume_freshness_info witnessed_freshness(const struct witness_scene *scene);
uint64_t witnessed_sequence(const struct witness_scene *scene);

/* The disk as it is now, unflushed writes excluded; and back to it. */
uint32_t witnessed_snapshot(struct witness_scene *scene);
void witnessed_restore(struct witness_scene *scene, uint32_t snapshot);
