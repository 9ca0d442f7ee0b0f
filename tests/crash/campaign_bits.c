// SPDX-License-Identifier: MIT
/* Every bit of every used block of a small volume, flipped one at a time: the one kind of tampering
 * of which it can be said exactly what has to come of it. */
#include "base/check.h"
#include "block/volume_internal.h"
#include "campaigns.h"
#include "history.h"
#include "map.h"

/* A case flips every n-th bit; so many cases flip them all. */
#define STRIDE 512u

/* A small volume with everything in it: nodes of all levels, two sessions, two keys, a removed
 * third, an earlier lap of the log, and records of one to three blocks in the current one. */
static const enum op state_script[] = {
	OP_WRITE,     OP_MULTI,      OP_KEY_ADD, OP_WRITE,   OP_KEY_ADD,    OP_MULTI,
	OP_OVERWRITE, OP_CHECKPOINT, OP_REMOUNT, OP_DISCARD, OP_KEY_REMOVE, OP_WRITE,
	OP_MULTI,     OP_CHECKPOINT, OP_WRITE,   OP_MULTI,   OP_OVERWRITE,  OP_WRITE,
};

/* The same of a block device, with data that only the log refers to, of two sessions. */
static const enum op block_script[] = {
	OP_WRITE,   OP_KEY_ADD, OP_LARGE,      OP_KEY_ADD, OP_MULTI,     OP_CHECKPOINT, OP_REMOUNT,
	OP_DISCARD, OP_LARGE,   OP_KEY_REMOVE, OP_WRITE,   OP_LARGE,     OP_CHECKPOINT, OP_LARGE,
	OP_REMOUNT, OP_LARGE,   OP_WRITE,      OP_MULTI,   OP_OVERWRITE,
};

/* `rotates`: a rotation of the master key is under way. `last_from`: see map_make(). */
static bool prepare(struct rig *rig, enum op last, bool rotates, uint64_t *last_from)
{
	bool is_block = rig->checker->profile == VOLUME_PROFILE_BLOCK;
	size_t length = is_block ? ARRAY_COUNT(block_script) : ARRAY_COUNT(state_script);
	for (size_t i = 0; i < length; i++) {
		if (!rig_op(rig, is_block ? block_script[i] : state_script[i])) {
			return false;
		}
	}
	if (rotates && !(rig_op(rig, OP_ROTATE) && rig_op(rig, OP_MULTI))) {
		return false;
	}
	*last_from = rig->volume->session.data_seals;
	return rig_op(rig, last);
}

struct scene {
	struct checker *checker;
	struct rig rig;
	struct history history;
	struct map map;
};

static bool is_whole(const struct scene *scene, const struct outcome *outcome)
{
	return outcome->mount == STATUS_OK && outcome->sequence == scene->history.last &&
	       outcome->unreadable == 0;
}

/* What a flipped bit in a region has to lead to. */
static bool is_right(const struct scene *scene, const struct map_block *place,
		     const struct outcome *outcome)
{
	uint64_t last = scene->history.last;
	switch (place->region) {
	case REGION_SUPERBLOCK:
	case REGION_KEYSLOTS: /* There is another copy. */
	case REGION_OLD_RECORD:
	case REGION_FREE: return is_whole(scene, outcome);
	case REGION_RECORD: return outcome->mount == STATUS_TAMPER;
	case REGION_LAST_DATA:
	case REGION_LAST_RECORD: /* Without a witness nobody can tell this from a crash. */
		return outcome->mount == STATUS_OK && outcome->sequence == last - 1 &&
		       outcome->unreadable == 0;
	case REGION_FIXED: return outcome->mount == STATUS_AUTH_META;
	case REGION_NODE:
		return outcome->mount == STATUS_AUTH_META ||
		       (outcome->mount == STATUS_OK && outcome->sequence == last &&
			(outcome->unreadable == 0 ||
			 outcome->unreadable_status == STATUS_AUTH_META));
	case REGION_GROUP: /* The rest is group_check()'s. */
		return outcome->mount == STATUS_AUTH_META || is_whole(scene, outcome);
	case REGION_LOGGED_DATA: /* Durable, so it costs its block, not the log. */
		return outcome->mount == STATUS_OK && outcome->sequence == last &&
		       outcome->unreadable == 1 &&
		       outcome->unreadable_index == place->logical_index &&
		       outcome->unreadable_status == STATUS_AUTH_DATA;
	case REGION_DATA:
		/* Only that block, or none if the log has a newer one. */
		return outcome->mount == STATUS_OK && outcome->sequence == last &&
		       (outcome->unreadable == 0 ||
			(outcome->unreadable == 1 &&
			 outcome->unreadable_index == place->logical_index &&
			 outcome->unreadable_status == STATUS_AUTH_DATA));
	case REGIONS: break;
	}
	return false;
}

/* After a damaged copy was survived: the next checkpoint repairs it, and nothing is lost. */
static void repair_check(struct scene *scene, const struct image *image)
{
	struct checker *checker = scene->checker;
	const struct history *histories[] = {&scene->history};
	struct volume *volume = NULL;
	struct outcome outcome;
	struct disk disk;
	disk_init_from(&disk, image);
	bool good = history_judge_disk(checker, &disk, histories, 1, false, &outcome, &volume);
	if (good && is_whole(scene, &outcome)) {
		struct rig rig;
		rig_init_recovered(&rig, checker, &disk, 1, volume,
				   &scene->history.points[scene->history.last]);
		(void)(rig_op(&rig, OP_WRITE) && rig_op(&rig, OP_CHECKPOINT) &&
		       rig_op(&rig, OP_REMOUNT) && rig_op(&rig, OP_OVERWRITE));
		checker_verify(checker, rig.volume);
	}
	disk_fini(&disk);
}

/* A bitmap or a node above one is read when it is needed. A walk needs them all. */
static void group_check(struct scene *scene, const struct image *image)
{
	struct checker *checker = scene->checker;
	struct volume *volume = NULL;
	struct disk disk;
	disk_init_from(&disk, image);
	if (checker_mount(checker, &disk, 1, CHECKER_MAIN_KEY, false, &volume) == STATUS_OK &&
	    (volume_verify(volume, NULL, NULL) != STATUS_AUTH_META || volume_is_writable(volume))) {
		checker_violation(checker, "a walk does not find a damaged bitmap");
	}
	disk_fini(&disk);
}

/* A block that was damaged while we lived on, and then put back as it was: it may be lost, but it
 * must not read as it did before what we did since. */
static void restore_check(struct scene *scene, const struct image *image, uint64_t block)
{
	struct checker *checker = scene->checker;
	const struct history *histories[] = {&scene->history};
	struct volume *volume = NULL;
	struct outcome outcome;
	struct disk disk;
	struct rig rig;
	if (!checker_state_begin(checker)) {
		return;
	}
	disk_init_from(&disk, image);
	bool good = history_judge_disk(checker, &disk, histories, 1, false, &outcome, &volume);
	if (good && outcome.mount == STATUS_OK) {
		bool only_log = random_stream_below(&checker->dice, 2) == 0;
		rig_init_recovered(&rig, checker, &disk, 1, volume,
				   &scene->history.points[outcome.sequence]);
		rig.may_fail = true;
		(void)(rig_op(&rig, OP_OVERWRITE) && rig_op(&rig, OP_OVERWRITE) &&
		       rig_op(&rig, only_log ? OP_WRITE : OP_CHECKPOINT) && rig_op(&rig, OP_WRITE));
		if (image_block_equals(&disk.image, image, block)) {
			image_take(&disk.image, block, &scene->rig.disk->image, block);
		}
		(void)(rig_op(&rig, OP_REMOUNT) && rig_op(&rig, OP_CHECKPOINT) &&
		       rig_op(&rig, OP_REMOUNT));
	}
	disk_fini(&disk);
}

static bool flip(struct scene *scene, const struct map_block *place, uint32_t bit)
{
	struct checker *checker = scene->checker;
	const struct history *histories[] = {&scene->history};
	struct outcome outcome;
	struct image image;
	image_copy(&image, &scene->rig.disk->image);
	uint8_t *bytes = image_edit(&image, place->block);
	bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1u << (bit % 8));
	bool good = history_judge(checker, &image, histories, 1, &outcome);
	if (good && !is_right(scene, place, &outcome)) {
		checker_violation(checker,
				  "bit %u of block %u (region %d): mount %s, commit %u, "
				  "%u unreadable (%s)",
				  bit, (unsigned)place->block, (int)place->region,
				  status_name(outcome.mount), (unsigned)outcome.sequence,
				  outcome.unreadable, status_name(outcome.unreadable_status));
	} else if (good &&
		   (place->region == REGION_SUPERBLOCK || place->region == REGION_KEYSLOTS)) {
		if (random_stream_one_in(&checker->dice, 16)) {
			repair_check(scene, &image);
		}
	} else if (good && place->region == REGION_GROUP) {
		group_check(scene, &image);
	} else if (good &&
		   (place->region == REGION_DATA || place->region == REGION_NODE ||
		    place->region == REGION_LOGGED_DATA) &&
		   random_stream_one_in(&checker->dice, 8)) {
		restore_check(scene, &image, place->block);
	}
	image_fini(&image);
	return checker_goes_on(checker);
}

void campaign_bits_run(struct checker *checker, uint64_t case_index)
{
	static struct scene scene; /* Too large for a stack. */
	/* The last transaction of every other block device is out of line. */
	enum op last = checker->profile == VOLUME_PROFILE_BLOCK && case_index % 2 != 0
			       ? OP_LARGE
			       : OP_OVERWRITE;
	uint64_t last_from = 0;
	struct disk disk;
	uint32_t phase = (uint32_t)(case_index * 197 % STRIDE);
	scene = (struct scene){.checker = checker};
	checker_places_choose(checker, checker->profile == VOLUME_PROFILE_BLOCK ? 20 : 10);
	disk_init(&disk, checker->device_blocks);
	rig_init(&scene.rig, checker, &disk);
	scene.rig.history = &scene.history;
	bool good = prepare(&scene.rig, last, case_index % 4 >= 2, &last_from);
	if (good) {
		map_make(&scene.map, &scene.rig, last_from);
	}
	for (size_t i = 0; i < scene.map.count && good; i++) {
		const struct map_block *place = &scene.map.blocks[i];
		for (uint32_t bit = phase; bit < place->used_bytes * 8 && good; bit += STRIDE) {
			good = flip(&scene, place, bit);
		}
	}
	disk_fini(&disk);
}
