// SPDX-License-Identifier: MIT
/* Mixes of versions: the host keeps images of several moments, of one history or of several that it
 * made by rolling the volume back, and puts together a disk that never was: each block from a
 * moment of its choice. Every mix of V versions of B blocks is tried while there are not too many;
 * beyond that, random ones, mostly near some version. */
#include "base/check.h"
#include "campaigns.h"
#include "versions.h"

#define BLOCKS_MAX   64u
#define PICKED_MAX   5u
#define MIXES_MAX    5000u
#define RANDOM_MIXES 600u

/* A few versions, and the blocks in which they differ. */
struct mix {
	struct versions versions;
	size_t picked[PICKED_MAX]; /* Versions. */
	size_t picked_count;
	uint64_t blocks[BLOCKS_MAX];
	uint32_t kinds[BLOCKS_MAX]
		      [PICKED_MAX]; /* Which picked version is the first to hold this. */
	uint32_t choices[BLOCKS_MAX][PICKED_MAX];
	uint32_t choice_count[BLOCKS_MAX]; /* Distinct contents. */
	size_t block_count;
};

static const struct image *picked_image(const struct mix *mix, size_t i)
{
	return &mix->versions.all[mix->picked[i]].image;
}

static void block_consider(struct mix *mix, uint64_t block)
{
	size_t at = mix->block_count;
	uint32_t count = 0;
	for (uint32_t i = 0; i < mix->picked_count; i++) {
		uint32_t first = 0;
		while (first < i &&
		       !image_block_equals(picked_image(mix, first), picked_image(mix, i), block)) {
			first++;
		}
		if (first == i) {
			mix->choices[at][count++] = i;
		}
	}
	if (count > 1 && at < BLOCKS_MAX) {
		mix->blocks[at] = block;
		mix->choice_count[at] = count;
		mix->block_count++;
	}
}

static void versions_pick(struct mix *mix, size_t count)
{
	struct random_stream *dice = &mix->versions.checker->dice;
	mix->picked_count = 0;
	mix->block_count = 0;
	while (mix->picked_count < count) {
		mix->picked[mix->picked_count++] = random_stream_below(dice, mix->versions.count);
	}
	for (uint64_t block = 0; block < mix->versions.checker->device_blocks; block++) {
		block_consider(mix, block);
	}
}

static uint64_t mixes_of_all(const struct mix *mix)
{
	uint64_t mixes = 1;
	for (size_t i = 0; i < mix->block_count && mixes <= MIXES_MAX; i++) {
		mixes *= mix->choice_count[i];
	}
	return mixes;
}

/* Reads go on to be right after a further commit: the mix was one moment in all respects. */
static bool go_on(struct mix *mix, const struct image *image, const struct outcome *outcome)
{
	struct checker *checker = mix->versions.checker;
	struct versions *versions = &mix->versions;
	for (uint32_t h = 0; h < versions->history_count; h++) {
		const struct point *point = &versions->histories[h].points[outcome->sequence];
		struct volume *volume = NULL;
		struct disk disk;
		struct rig rig;
		uint32_t wrong = 0;
		disk_init_from(&disk, image);
		CHECK(checker_mount(checker, &disk, 1, CHECKER_MAIN_KEY, false, &volume) ==
		      STATUS_OK);
		bool is_this = outcome->sequence <= versions->histories[h].last &&
			       checker_contents_equal(checker, volume, &point->contents, &wrong);
		if (is_this) {
			rig_init_recovered(&rig, checker, &disk, 1, volume, point);
			rig.may_fail = true; /* What the log covers may be damaged below. */
			(void)(rig_op(&rig, OP_WRITE) && rig_op(&rig, OP_REMOUNT) &&
			       rig_op(&rig, OP_CHECKPOINT) && rig_op(&rig, OP_REMOUNT));
			if (rig.failure != STATUS_OK && rig.failure != STATUS_AUTH_META &&
			    rig.failure != STATUS_AUTH_DATA) {
				checker_violation(checker, "after a mix: %s",
						  status_name(rig.failure));
			}
		}
		disk_fini(&disk);
		if (is_this) {
			return checker_goes_on(checker);
		}
	}
	return true;
}

/* `take[i]`: which of its contents block i gets. */
static bool mix_try(struct mix *mix, const uint32_t *take)
{
	struct outcome outcome;
	struct image image;
	image_copy(&image, picked_image(mix, 0));
	for (size_t i = 0; i < mix->block_count; i++) {
		image_take(&image, mix->blocks[i], picked_image(mix, mix->choices[i][take[i]]),
			   mix->blocks[i]);
	}
	bool good = versions_judge(&mix->versions, &image, &outcome);
	if (good && outcome.mount == STATUS_OK && outcome.unreadable == 0 &&
	    random_stream_one_in(&mix->versions.checker->dice, 8)) {
		good = go_on(mix, &image, &outcome);
	}
	image_fini(&image);
	return good && checker_goes_on(mix->versions.checker);
}

static bool mix_all(struct mix *mix, uint64_t mixes)
{
	uint32_t take[BLOCKS_MAX];
	for (uint64_t n = 0; n < mixes; n++) {
		uint64_t rest = n;
		for (size_t i = 0; i < mix->block_count; i++) {
			take[i] = (uint32_t)(rest % mix->choice_count[i]);
			rest /= mix->choice_count[i];
		}
		if (!mix_try(mix, take)) {
			return false;
		}
	}
	return true;
}

/* Mostly one version: far from all of them nothing authenticates. */
static bool mix_some(struct mix *mix)
{
	struct random_stream *dice = &mix->versions.checker->dice;
	uint32_t take[BLOCKS_MAX];
	for (uint32_t n = 0; n < RANDOM_MIXES; n++) {
		uint64_t mostly = random_stream_below(dice, mix->picked_count);
		uint64_t strays = 1 + random_stream_below(dice, 8);
		for (size_t i = 0; i < mix->block_count; i++) {
			take[i] = 0;
			for (uint32_t c = 0; c < mix->choice_count[i]; c++) {
				take[i] = mix->choices[i][c] <= mostly ? c : take[i];
			}
			if (random_stream_below(dice, 12) < strays) {
				take[i] = (uint32_t)random_stream_below(dice, mix->choice_count[i]);
			}
		}
		if (!mix_try(mix, take)) {
			return false;
		}
	}
	return true;
}

/* Futures that differ only in the log are the ones that are most alike: every other case. */
static enum op future_op_choose(struct checker *checker, bool only_log)
{
	static const enum op small[] = {OP_WRITE, OP_OVERWRITE, OP_OVERWRITE, OP_DISCARD};
	return only_log ? small[random_stream_below(&checker->dice, ARRAY_COUNT(small))]
			: rig_op_choose(checker);
}

static bool versions_prepare(struct versions *versions, struct checker *checker, bool only_log)
{
	enum op script[8] = {OP_MULTI, OP_CHECKPOINT};
	enum op other[4];
	size_t from = only_log ? 1 + random_stream_below(&checker->dice, 4)
			       : random_stream_below(&checker->dice, ARRAY_COUNT(script));
	for (size_t i = 2; i < ARRAY_COUNT(script); i++) {
		script[i] = future_op_choose(checker, only_log);
	}
	if (!versions_make(versions, checker, script, ARRAY_COUNT(script))) {
		return false;
	}
	for (uint32_t fork = 0; fork < 2; fork++) {
		for (size_t i = 0; i < ARRAY_COUNT(other); i++) {
			other[i] = future_op_choose(checker, only_log);
		}
		if (!versions_fork(versions, from, other, ARRAY_COUNT(other))) {
			return false;
		}
	}
	return true;
}

void campaign_mixes_run(struct checker *checker, uint64_t case_index)
{
	static struct mix mix;
	checker_places_choose(checker, 6);
	bool good = versions_prepare(&mix.versions, checker, case_index % 2 == 0);
	for (uint32_t round = 0; round < 4 && good; round++) {
		versions_pick(&mix, 2 + (case_index + round) % (PICKED_MAX - 1));
		uint64_t mixes = mixes_of_all(&mix);
		good = mixes <= MIXES_MAX ? mix_all(&mix, mixes) : mix_some(&mix);
	}
	versions_fini(&mix.versions);
}
