// SPDX-License-Identifier: MIT
/* Honest crashes: the power fails, the disk keeps what it likes of what was not flushed. */
#include "base/compiler.h"
#include "campaigns.h"
#include "rig.h"

/* After a recovery only a few crashes: each of them costs a mount of its own. */
static const struct crash_plan nested_plan = {
	.patterned = 1, .random = 1, .nested_in = 12, .warm_in = 6, .verify_in = 6};
static const struct crash_plan deepest_plan = {.patterned = 1, .random = 1, .verify_in = 4};

struct scene {
	struct disk disk;
	struct rig rig;
	struct crash_plan plans[CRASH_DEPTH_MAX];
};

static void scene_init(struct scene *scene, struct checker *checker, const struct crash_plan *plan)
{
	disk_init(&scene->disk, checker->device_blocks);
	rig_init(&scene->rig, checker, &scene->disk);
	scene->plans[0] = *plan;
	scene->plans[1] = nested_plan;
	scene->plans[2] = deepest_plan;
}

static void scene_fini(struct scene *scene)
{
	rig_unwatch(&scene->rig);
	disk_fini(&scene->disk);
}

/* Some history that nobody watches. */
static bool scene_prepare(struct scene *scene, uint64_t operations)
{
	struct checker *checker = scene->rig.checker;
	for (uint64_t i = 0; i < operations; i++) {
		if (!rig_op(&scene->rig, rig_op_choose(checker))) {
			return false;
		}
	}
	return true;
}

/* ---- Small commits: every subset of the sectors of one record ------------------------------- */

#define COMMIT_SLICES 64u

/* One commit of one block is one record of one block (8 sectors, 256 subsets), or of two (65,536,
 * of which each case takes a slice); of three, every combination of torn blocks. */
void campaign_commits_run(struct checker *checker, uint64_t case_index)
{
	static const uint64_t bases[] = {3, 5, 4, 3}; /* Shapes: see model.c. */
	const uint64_t shape = case_index % 4;
	const struct crash_plan plan = {
		.exhaustive_sectors = shape == 0 ? 8 : 16,
		.slices = shape == 0 ? 0 : COMMIT_SLICES,
		.slice = (uint32_t)(case_index / 4 % COMMIT_SLICES),
		.patterned = 4,
		.torn_blocks = 3,
		.random = 32,
		.nested_in = shape == 0 ? 4 : 24,
		.warm_in = 1,
		.verify_in = 24,
	};
	struct scene scene;
	checker_places_choose(checker, 8);
	scene_init(&scene, checker, &plan);
	if (scene_prepare(&scene, random_stream_below(&checker->dice, 6))) {
		rig_watch(&scene.rig, scene.plans);
		checker->next_base = (checker->next_base + 3) / 3 * 3 + bases[shape] - 1;
		bool good = rig_op(&scene.rig, shape == 3 ? OP_OVERWRITE : OP_WRITE);
		if (good && shape == 0) {
			(void)(rig_op(&scene.rig, OP_OVERWRITE) && rig_op(&scene.rig, OP_DISCARD));
		}
	}
	scene_fini(&scene);
}

/* Commits of a block device, one kind a case: two records, only one of which commits (the fewest
 * states, so first); what fits into its record; what goes out of line, with the record and all of
 * its data unflushed at once. */
void campaign_block_commits_run(struct checker *checker, uint64_t case_index)
{
	static const enum op ops[] = {OP_CHAIN, OP_WRITE, OP_LARGE, OP_LARGE};
	const enum op op = ops[case_index % ARRAY_COUNT(ops)];
	const struct crash_plan plan = {
		.exhaustive_sectors = op == OP_WRITE ? 16 : 8,
		.slices = op == OP_WRITE ? COMMIT_SLICES : 0,
		.slice = (uint32_t)(case_index / ARRAY_COUNT(ops) % COMMIT_SLICES),
		.patterned = op == OP_CHAIN ? 12 : 40,
		.random = op == OP_CHAIN ? 40 : 100,
		.nested_in = op == OP_CHAIN ? 8 : 16,
		.warm_in = 1,
		.verify_in = 24,
	};
	struct scene scene;
	checker_places_choose(checker, 16);
	if (op == OP_CHAIN) {
		checker_size_set(checker, CHECKER_CHAIN_BLOCKS);
		checker_chain_add(checker);
	}
	scene_init(&scene, checker, &plan);
	if (scene_prepare(&scene, random_stream_below(&checker->dice, 6))) {
		rig_watch(&scene.rig, scene.plans);
		(void)(rig_op(&scene.rig, op) && rig_op(&scene.rig, OP_OVERWRITE) &&
		       rig_op(&scene.rig, op));
	}
	scene_fini(&scene);
}

/* ---- Checkpoints --------------------------------------------------------------------------- */

/* A checkpoint, or a key change (two of them), over a random history; the next one, which repairs
 * what the first left; and whatever recoveries go on with. */
void campaign_checkpoints_run(struct checker *checker, uint64_t case_index)
{
	const struct crash_plan plan = {
		.exhaustive_sectors = 4,
		.patterned = 6,
		.random = 12,
		.nested_in = 5,
		.warm_in = 3,
		.verify_in = 3,
	};
	struct scene scene;
	checker_places_choose(checker, checker->profile == VOLUME_PROFILE_BLOCK ? 14 : 10);
	scene_init(&scene, checker, &plan);
	bool good = scene_prepare(&scene, 2 + random_stream_below(&checker->dice, 8));
	good = good && rig_op(&scene.rig, OP_MULTI);
	rig_watch(&scene.rig, scene.plans);
	good = good && rig_op(&scene.rig, case_index % 4 == 3 ? OP_KEY_ADD : OP_CHECKPOINT);
	good = good && rig_op(&scene.rig, OP_WRITE);
	if (good && case_index % 2 == 0) {
		(void)rig_op(&scene.rig, OP_CHECKPOINT);
	}
	scene_fini(&scene);
}

/* A checkpoint in steps, with commits of every kind, mounts and new salts in between, until it is
 * done; then another. */
void campaign_steps_run(struct checker *checker, uint64_t case_index)
{
	static const enum op between[] = {OP_STEP,    OP_STEP,  OP_STEP,    OP_OVERWRITE,
					  OP_WRITE,   OP_LARGE, OP_DISCARD, OP_ABORT,
					  OP_EXHAUST, OP_MULTI, OP_ABORT,   OP_REMOUNT};
	const struct crash_plan plan = {
		.exhaustive_sectors = 4,
		.patterned = 3,
		.random = 6,
		.nested_in = 10,
		.warm_in = 3,
		.verify_in = 6,
	};
	struct scene scene;
	bool has_chain = case_index % 8 == 7;
	checker_places_choose(checker, 16);
	if (has_chain) {
		checker_size_set(checker, CHECKER_CHAIN_BLOCKS);
		checker_chain_add(checker);
	}
	scene_init(&scene, checker, &plan);
	bool good = scene_prepare(&scene, 1 + random_stream_below(&checker->dice, 6));
	good = good && rig_op(&scene.rig, OP_LARGE) && rig_op(&scene.rig, OP_MULTI);
	rig_watch(&scene.rig, scene.plans);
	for (uint32_t i = 0; i < 20 && good; i++) {
		enum op op = between[random_stream_below(&checker->dice, ARRAY_COUNT(between))];
		good = rig_op(&scene.rig, has_chain && op == OP_LARGE ? OP_CHAIN : op);
	}
	scene_fini(&scene);
}

/* ---- Sequences ----------------------------------------------------------------------------- */

/* All sequences of one, two and three operations, on a volume that is new (even passes) or has a
 * history (odd ones). */
uint64_t campaign_sequences_cases(enum volume_profile profile)
{
	const uint64_t n = rig_sequenced_count(profile);
	return n + n * n + n * n * n;
}

/* Room for what goes out of line; and a larger volume if a transaction of several records is in
 * the sequence. */
static void sequence_places_choose(struct checker *checker, uint64_t index, uint64_t length)
{
	const uint64_t n = rig_sequenced_count(checker->profile);
	bool has_chain = false;
	for (uint64_t i = 0; i < length; i++) {
		has_chain = has_chain || rig_sequenced(checker->profile, index % n) == OP_CHAIN;
		index /= n;
	}
	checker_places_choose(checker, 14);
	if (has_chain) {
		checker_size_set(checker, CHECKER_CHAIN_BLOCKS);
		checker_chain_add(checker);
	}
}

void campaign_sequences_run(struct checker *checker, uint64_t case_index)
{
	const struct crash_plan plan = {
		.exhaustive_sectors = 3,
		.patterned = 1,
		.random = 1,
		.nested_in = 16,
		.warm_in = 4,
		.verify_in = 8,
	};
	const uint64_t n = rig_sequenced_count(checker->profile);
	const uint64_t cases = campaign_sequences_cases(checker->profile);
	uint64_t index = case_index % cases;
	uint64_t length = index < n ? 1 : index < n + n * n ? 2 : 3;
	index -= length == 1 ? 0 : length == 2 ? n : n + n * n;
	struct scene scene;
	checker_places_choose(checker, 6);
	if (checker->profile == VOLUME_PROFILE_BLOCK) {
		sequence_places_choose(checker, index, length);
	}
	scene_init(&scene, checker, &plan);
	bool good = case_index / cases % 2 == 0 ||
		    scene_prepare(&scene, 1 + random_stream_below(&checker->dice, 5));
	rig_watch(&scene.rig, scene.plans);
	for (uint64_t i = 0; i < length && good; i++) {
		good = rig_op(&scene.rig, rig_sequenced(checker->profile, index % n));
		index /= n;
	}
	scene_fini(&scene);
}

#define WALK_BLOCKS_MAX 33100u

/* ---- Walk ---------------------------------------------------------------------------------- */

/* The power fails somewhere in an operation of the main history, which goes on with what was
 * recovered. */
static bool walk_crash(struct scene *scene, enum op op)
{
	struct rig *rig = &scene->rig;
	struct random_stream *dice = &rig->checker->dice;
	struct disk *disk = &scene->disk;
	disk->fault = (struct fault){.kind = FAULT_DEAD,
				     .at = disk->operations + 1 + random_stream_below(dice, 20)};
	rig->may_fail = true;
	(void)rig_op(rig, op);
	rig->may_fail = false;
	disk->fault = (struct fault){.kind = FAULT_NONE};
	crashes_any(rig->checker, disk);
	if (!checker_state_begin(rig->checker)) {
		return false;
	}
	bool good = checker_recover(rig->checker, disk, 0, &rig->watch.before, &rig->watch.after,
				    &rig->volume, &rig->now);
	rig->watch.before = rig->now;
	rig->watch.after = rig->now;
	return good;
}

/* Most operations of some lives are of one kind: large commits go round the ring, remounts fill the
 * session table. */
static enum op walk_op_choose(struct checker *checker, uint64_t case_index)
{
	enum op op = rig_op_choose(checker);
	bool tips = random_stream_below(&checker->dice, 8) < 5;
	switch (case_index % 4) {
	case 1: return tips || op == OP_CHECKPOINT ? OP_LARGE : op;
	case 2: return tips ? OP_OVERWRITE : op;
	default: return random_stream_one_in(&checker->dice, 16) ? OP_LARGE : op;
	}
}

/* Many short sessions that all leave something behind. */
static bool walk_sessions(struct scene *scene)
{
	bool good = true;
	for (uint32_t i = 0; i < 70 && good; i++) {
		good = rig_op(&scene->rig, OP_WRITE) && rig_op(&scene->rig, OP_CHECKPOINT) &&
		       rig_op(&scene->rig, OP_REMOUNT);
	}
	return good;
}

/* A long random life: large transactions, laps of the ring, more sessions than the table holds, two
 * allocation groups; each flush is crashed a few times. */
void campaign_walk_run(struct checker *checker, uint64_t case_index)
{
	const uint64_t least = checker->blocks;
	const uint64_t sizes[] = {least, least + 77, least, WALK_BLOCKS_MAX};
	checker_size_set(checker, sizes[case_index % 4]);
	const struct crash_plan plan = {
		.exhaustive_sectors = 2,
		.patterned = 1,
		.random = 2,
		.nested_in = 20,
		.warm_in = 10,
		.verify_in = 10,
	};
	struct scene scene;
	checker_places_choose(checker, case_index % 4 == 0 ? 12 : 90);
	if (checker->profile == VOLUME_PROFILE_BLOCK && case_index % 4 == 3) {
		checker_chain_add(checker);
	}
	scene_init(&scene, checker, &plan);
	bool good = case_index % 4 != 2 || walk_sessions(&scene);
	good = good && (case_index % 8 != 4 || rig_fill(&scene.rig));
	rig_watch(&scene.rig, scene.plans);
	for (uint32_t i = 0; i < 60 && good; i++) {
		enum op op = walk_op_choose(checker, case_index);
		good = random_stream_one_in(&checker->dice, 6) ? walk_crash(&scene, op)
							       : rig_op(&scene.rig, op);
	}
	scene_fini(&scene);
}

/* ---- Growth -------------------------------------------------------------------------------- */

/* A volume takes up its device in five steps, somewhere in which it gets another group, or a higher
 * tree; with something of every kind in between. */
void campaign_grow_run(struct checker *checker, uint64_t case_index)
{
	static const uint64_t state_sizes[] = {2048, 32800};
	static const uint64_t block_sizes[] = {4096, 18900, 34720};
	static const enum op between[] = {OP_WRITE,   OP_OVERWRITE,  OP_LARGE,
					  OP_MULTI,   OP_CHECKPOINT, OP_REMOUNT,
					  OP_DISCARD, OP_KEY_ADD,    OP_KEY_REMOVE};
	const struct crash_plan plan = {
		.exhaustive_sectors = 4,
		.patterned = 3,
		.random = 6,
		.nested_in = 8,
		.warm_in = 4,
		.verify_in = 4,
	};
	bool is_block = checker->profile == VOLUME_PROFILE_BLOCK;
	struct scene scene;
	checker_places_choose(checker, is_block ? 14 : 10);
	checker_size_set(checker, is_block ? block_sizes[case_index % ARRAY_COUNT(block_sizes)]
					   : state_sizes[case_index % ARRAY_COUNT(state_sizes)]);
	scene_init(&scene, checker, &plan);
	bool good = scene_prepare(&scene, 1 + random_stream_below(&checker->dice, 5));
	rig_watch(&scene.rig, scene.plans);
	for (uint32_t i = 0; i < CHECKER_GROW_ROOM / CHECKER_GROW_STEP && good; i++) {
		uint64_t which = random_stream_below(&checker->dice, ARRAY_COUNT(between));
		good = rig_op(&scene.rig, OP_GROW) && rig_op(&scene.rig, between[which]);
	}
	scene_fini(&scene);
}

/* ---- Creation ------------------------------------------------------------------------------ */

/* A crash while a volume is made leaves nothing that mounts, or an empty volume; and on a disk that
 * held a volume before, never that one again. */
struct creation {
	struct checker *checker;
	bool was_volume;
};

static void creation_crash(void *context, struct disk *disk)
{
	struct creation *creation = context;
	struct checker *checker = creation->checker;
	for (uint32_t i = 0; i < 24; i++) {
		struct volume *volume = NULL;
		struct volume_info info;
		struct disk copy;
		if (disk->pending_count == 0 || !checker_state_begin(checker)) {
			return;
		}
		disk_copy(&copy, disk);
		crashes_any(checker, &copy);
		enum status status =
			checker_mount(checker, &copy, 1, CHECKER_MAIN_KEY, false, &volume);
		if (status == STATUS_OK) {
			volume_info_get(volume, &info);
			if (info.sequence != 0 && !creation->was_volume) {
				checker_violation(checker, "a new volume has commits");
			}
			checker_verify(checker, volume);
		} else if (status != STATUS_NOT_A_VOLUME && status != STATUS_AUTH_META &&
			   status != STATUS_TAMPER) {
			checker_violation(checker, "mount of a volume half made: %s",
					  status_name(status));
		}
		disk_fini(&copy);
	}
}

void campaign_create_run(struct checker *checker, uint64_t case_index)
{
	struct creation creation = {.checker = checker, .was_volume = case_index % 2 != 0};
	struct disk disk;
	struct rig rig;
	checker_places_choose(checker, 4);
	disk_init(&disk, checker->device_blocks);
	if (creation.was_volume) {
		rig_init(&rig, checker, &disk);
		(void)(rig_op(&rig, OP_WRITE) && rig_op(&rig, OP_CHECKPOINT) &&
		       rig_op(&rig, OP_MULTI));
	}
	disk.before_flush = creation_crash;
	disk.before_flush_context = &creation;
	rig_init(&rig, checker, &disk);
	disk.before_flush = NULL;
	(void)rig_op(&rig, OP_WRITE);
	disk_fini(&disk);
}
