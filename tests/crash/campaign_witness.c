// SPDX-License-Identifier: MIT
/* A volume with a freshness witness. Honest crashes never look like a rollback to it. Whatever the
 * host puts together from what it kept, of this history or of one that it split off, is either not
 * older than what the witness acknowledged, or is refused. */
#include "base/check.h"
#include "base/compiler.h"
#include "campaigns.h"
#include "versions.h"

#define SCRIPT_LENGTH 10u
#define FORK_LENGTH   3u
#define MIXES         150u

static const struct volume_witness_policy policies[] = {
	{.kind = VOLUME_WITNESS_STRICT},
	{.kind = VOLUME_WITNESS_BOUNDED, .commits = 2},
	{.kind = VOLUME_WITNESS_OPEN},
};

/* ---- Honest crashes ---------------------------------------------------------------------------
 */

/* Each crash is followed by a mount that asks a copy of the witness as it was at that moment. */
static void crashes_run(struct checker *checker)
{
	static const struct crash_plan plans[CRASH_DEPTH_MAX] = {
		{.exhaustive_sectors = 6,
		 .patterned = 4,
		 .random = 8,
		 .nested_in = 8,
		 .warm_in = 3,
		 .verify_in = 12},
		{.patterned = 1, .random = 1, .warm_in = 6, .verify_in = 12},
		{.patterned = 1, .random = 1},
	};
	struct disk disk;
	struct rig rig;
	disk_init(&disk, checker->device_blocks);
	rig_init(&rig, checker, &disk);
	rig_watch(&rig, plans);
	for (uint32_t i = 0; i < 8 && rig_op(&rig, rig_op_choose(checker)); i++) {
	}
	rig_unwatch(&rig);
	disk_fini(&disk);
}

/* ---- A host that kept images ------------------------------------------------------------------
 */

/* False: the budget is used up, or a violation was reported. */
static bool image_judge(struct versions *versions, const struct image *image)
{
	struct checker *checker = versions->checker;
	const struct witness_mark mark = checker->witnesses[0].mark;
	struct outcome outcome;
	if (!versions_judge(versions, image, &outcome)) {
		return false;
	}
	if (outcome.mount == STATUS_OK && outcome.sequence < mark.sequence) {
		checker_violation(checker, "mounted commit %u, the witness has %u",
				  (unsigned)outcome.sequence, (unsigned)mark.sequence);
	}
	return checker_goes_on(checker);
}

/* What is older than the witness's memory, or of another history, is named as such. */
static bool version_judge(struct versions *versions, const struct version *version)
{
	struct checker *checker = versions->checker;
	const struct witness_mark mark = checker->witnesses[0].mark;
	struct outcome outcome;
	if (!versions_judge(versions, &version->image, &outcome)) {
		return false;
	}
	bool is_old = version->now.sequence < mark.sequence;
	bool is_fork = version->history != 0 && version->now.sequence > versions->forked_at &&
		       mark.sequence > versions->forked_at;
	bool is_named = outcome.mount == STATUS_ROLLBACK || outcome.mount == STATUS_FORK;
	/* Of the other future that a witness of its own acknowledged, more may be refused. */
	bool is_ours = version->history == 0 && !is_old;
	bool is_rollback = version->history == 0 && is_old;
	if (((is_old || is_fork) && !is_named) || (is_ours && outcome.mount != STATUS_OK) ||
	    (is_rollback && outcome.mount != STATUS_ROLLBACK)) {
		checker_violation(checker,
				  "an image of commit %u (history %u, forked at %u): mount %s, the "
				  "witness has %u",
				  (unsigned)version->now.sequence, version->history,
				  (unsigned)versions->forked_at, status_name(outcome.mount),
				  (unsigned)mark.sequence);
	}
	return checker_goes_on(checker);
}

/* Each block from one of two versions. */
static bool mix_judge(struct versions *versions)
{
	struct checker *checker = versions->checker;
	struct random_stream *dice = &checker->dice;
	const struct version *base = &versions->all[random_stream_below(dice, versions->count)];
	const struct version *other = &versions->all[random_stream_below(dice, versions->count)];
	uint64_t one_in = 1 + random_stream_below(dice, 6);
	struct image image;
	image_copy(&image, &base->image);
	for (uint64_t block = 0; block < image.blocks; block++) {
		if (!image_block_equals(&base->image, &other->image, block) &&
		    random_stream_below(dice, one_in) == 0) {
			image_take(&image, block, &other->image, block);
		}
	}
	bool good = image_judge(versions, &image);
	image_fini(&image);
	return good;
}

static bool versions_live(struct versions *versions, struct checker *checker)
{
	enum op script[SCRIPT_LENGTH];
	enum op other[FORK_LENGTH];
	for (size_t i = 0; i < SCRIPT_LENGTH; i++) {
		script[i] = i == 0 ? OP_MULTI : rig_op_choose(checker);
	}
	for (size_t i = 0; i < FORK_LENGTH; i++) {
		other[i] = i == 0 ? OP_OVERWRITE : rig_op_choose(checker);
	}
	if (!versions_make(versions, checker, script, SCRIPT_LENGTH)) {
		return false;
	}
	/* The other future has a witness of its own. */
	const struct fake_witness real = checker->witnesses[0];
	size_t from = random_stream_below(&checker->dice, SCRIPT_LENGTH);
	versions->forked_at = versions->all[from].now.sequence;
	checker->witness_decision = VOLUME_WITNESS_ACCEPT;
	bool good = versions_fork(versions, from, other, FORK_LENGTH);
	checker->witness_decision = VOLUME_WITNESS_CHECK;
	checker->witnesses[0] = real;
	return good;
}

static void tampering_run(struct checker *checker)
{
	static struct versions versions;
	bool good = versions_live(&versions, checker);
	for (size_t i = 0; i < versions.count && good; i++) {
		good = version_judge(&versions, &versions.all[i]);
	}
	for (uint32_t i = 0; i < MIXES && good; i++) {
		good = mix_judge(&versions);
	}
	versions_fini(&versions);
}

void campaign_witness_run(struct checker *checker, uint64_t case_index)
{
	checker->has_witness = true;
	checker->witness_policy = policies[case_index / 2 % ARRAY_COUNT(policies)];
	checker_places_choose(checker, checker->profile == VOLUME_PROFILE_BLOCK ? 14 : 8);
	if (case_index % 2 == 0) {
		crashes_run(checker);
	} else {
		tampering_run(checker);
	}
}
