// SPDX-License-Identifier: MIT
/* A block device at its limits: everything of which a mount must find room for what the log holds,
 * and a device that is full. Most of such a life is not watched, because it is long; what comes at
 * its end is. */
#include "base/compiler.h"
#include "campaigns.h"
#include "rig.h"

#define FILLERS_FIRST 1000u /* Logical blocks that no model knows. */
#define FILLER_ROUNDS 16u

/* More sessions in the log than the session table has rows. Takes a ring that is long enough. */
static bool many_sessions(struct rig *rig)
{
	bool good = true;
	for (uint32_t i = 0; i < 110 && good; i++) {
		good = rig_op(rig, OP_LARGE) && rig_op(rig, OP_REMOUNT);
	}
	return good;
}

/* More content in records than a mount keeps in memory: short blocks, so that the ring has room. */
static bool much_content(struct rig *rig)
{
	bool good = true;
	for (uint32_t i = 0; i < 30 && good; i++) {
		good = rig_fill_some(rig, FILLERS_FIRST + 8 * i, 8, false) &&
		       (i % 5 != 4 || rig_op(rig, OP_REMOUNT));
	}
	return good;
}

/* Full, and then written from end to end again: the device offers no more than it can always
 * rewrite. */
static bool full_device(struct rig *rig)
{
	bool good = true;
	for (uint32_t i = 0; i < 3 && good; i++) {
		good = rig_fill(rig) && rig_op(rig, OP_REMOUNT);
	}
	return good;
}

/* Small commits: several laps of the ring, with a mount in each. */
static bool many_laps(struct rig *rig)
{
	bool good = true;
	for (uint32_t i = 0; i < 700 && good; i++) {
		good = rig_op(rig, i % 97 == 96 ? OP_REMOUNT : OP_OVERWRITE);
	}
	return good;
}

/* A device that no longer reads lets no checkpoint end, although every write is carried out: the
 * log has to stop before it overwrites itself, or holds more than a mount has room for. Commits of
 * several kinds, each of which meets another limit first. */
static bool stuck_checkpoint(struct rig *rig, uint32_t kind)
{
	bool good = true;
	for (uint32_t i = 0; i < FILLER_ROUNDS && good; i++) {
		good = rig_fill_some(rig, FILLERS_FIRST + 64 * i, 64, true);
	}
	/* A mount has no node in memory. What allocation needs is brought there, and commits go on
	 * while a checkpoint runs; no leaf of the fillers is. */
	good = good && rig_op(rig, OP_CHECKPOINT) && rig_op(rig, OP_REMOUNT) &&
	       rig_op(rig, OP_LARGE) && rig_op(rig, OP_STEP);
	for (uint32_t i = 0; i < 30 && good; i++) {
		good = rig_op(rig, OP_OVERWRITE);
	}
	good = good && rig_op(rig, OP_CHECKPOINT) && rig_op(rig, OP_LARGE);
	rig->disk->fault = (struct fault){.kind = FAULT_NO_READS, .at = rig->disk->operations + 1};
	rig->may_fail = true;
	for (uint32_t i = 0; i < 600 && good; i++) {
		switch (kind % 3) {
		case 0: good = rig_fill_some(rig, FILLERS_FIRST, 1, true); break;
		case 1: good = rig_fill_some(rig, FILLERS_FIRST + 8 * (i % 100), 8, false); break;
		default:
			good = rig_fill_some(rig, FILLERS_FIRST + 64 * (i % FILLER_ROUNDS), 64,
					     true);
			break;
		}
	}
	rig->disk->fault = (struct fault){.kind = FAULT_NONE};
	rig->may_fail = false;
	/* It did stop, and nothing was lost. */
	return !good && rig_op(rig, OP_REMOUNT);
}

static bool stuck_ring(struct rig *rig)
{
	return stuck_checkpoint(rig, 0);
}

static bool stuck_contents(struct rig *rig)
{
	return stuck_checkpoint(rig, 1);
}

static bool stuck_overlay(struct rig *rig)
{
	return stuck_checkpoint(rig, 2);
}

void campaign_limits_run(struct checker *checker, uint64_t case_index)
{
	static bool (*const lives[])(struct rig *) = {many_sessions, stuck_ring,   stuck_contents,
						      stuck_overlay, much_content, full_device,
						      many_laps};
	static const struct crash_plan plans[CRASH_DEPTH_MAX] = {
		{.patterned = 4, .random = 8, .nested_in = 10, .warm_in = 4, .verify_in = 10},
		{.patterned = 1, .random = 1, .verify_in = 10},
		{.patterned = 1, .random = 1},
	};
	struct disk disk;
	struct rig rig;
	checker_places_choose(checker, 16);
	if (case_index % ARRAY_COUNT(lives) == 0) {
		checker_size_set(checker, CHECKER_CHAIN_BLOCKS);
	}
	disk_init(&disk, checker->device_blocks);
	rig_init(&rig, checker, &disk);
	if (lives[case_index % ARRAY_COUNT(lives)](&rig)) {
		rig_watch(&rig, plans);
		for (uint32_t i = 0; i < 12 && rig_op(&rig, rig_op_choose(checker)); i++) {
		}
		checker_verify(checker, rig.volume);
	}
	rig_unwatch(&rig);
	disk_fini(&disk);
}
