// SPDX-License-Identifier: MIT
/* The k-th operation of a scripted workload goes wrong, for every k: the device breaks and says so
 * (faults), the entropy source is dry (likewise), or the device lies (lies). */
#include <inttypes.h>

#include "base/check.h"
#include "campaigns.h"
#include "history.h"
#include "ledger.h"
#include "rig.h"

#define SCRIPT_LENGTH  5u
#define PREPARE_LENGTH 4u
#define ENTROPY        FAULT_KINDS /* Not the device's. */

/* What some cases are about, which chance seldom brings about. */
enum theme {
	THEME_ANY,
	THEME_SALT,     /* A new salt, in place. */
	THEME_CHAIN,    /* A transaction of several records. */
	THEME_ROTATION, /* A rotation of the master key begins, and others go on beside it. */
};

struct scene {
	struct checker *checker;
	enum op script[SCRIPT_LENGTH];
	struct image image; /* Where each run starts. */
	struct point start;
	struct history history;
};

/* The start: a few operations, settled. On a lying device some operations have no one right result:
 * a remount may find less, and a commit of nothing may heal what it could not read. */
static bool scene_init(struct scene *scene, struct checker *checker, bool is_lying,
		       enum theme theme)
{
	static const enum op chained[PREPARE_LENGTH] = {OP_CHAIN, OP_CHECKPOINT, OP_WRITE,
							OP_LARGE};
	struct disk disk;
	struct rig rig;
	bool good = true;
	*scene = (struct scene){.checker = checker};
	checker_places_choose(checker, checker->profile == VOLUME_PROFILE_BLOCK ? 14 : 6);
	if (theme == THEME_CHAIN) {
		checker_size_set(checker, CHECKER_CHAIN_BLOCKS);
		checker_chain_add(checker);
	}
	disk_init(&disk, checker->device_blocks);
	rig_init(&rig, checker, &disk);
	rig.history = &scene->history;
	history_add(rig.history, rig.volume, &rig.now, rig.now.keys);
	for (uint32_t i = 0; i < PREPARE_LENGTH && good; i++) {
		good = rig_op(&rig, theme == THEME_CHAIN ? chained[i] : rig_op_choose(checker));
	}
	for (uint32_t i = 0; i < SCRIPT_LENGTH; i++) {
		do {
			scene->script[i] = rig_op_choose(checker);
		} while (is_lying &&
			 (scene->script[i] == OP_REMOUNT || scene->script[i] == OP_NOOP));
	}
	if (theme == THEME_CHAIN) {
		scene->script[0] = OP_CHAIN;
	} else if (theme == THEME_SALT) {
		scene->script[0] = OP_OVERWRITE;
		scene->script[1] = OP_EXHAUST;
		scene->script[2] = OP_OVERWRITE;
	} else if (theme == THEME_ROTATION) {
		scene->script[0] = OP_OVERWRITE;
		scene->script[1] = OP_ROTATE;
		scene->script[3] = OP_ROTATE;
	}
	disk_settle(&disk);
	image_copy(&scene->image, &disk.image);
	scene->start = rig.now;
	disk_fini(&disk);
	return good;
}

/* One run of the script. */
struct run {
	struct scene *scene;
	struct disk disk;
	struct rig rig;
	enum fault_kind kind;
	uint64_t k;
	/* What a recovery may find. */
	struct point before;
	struct point after;
};

static void fault_clear(struct run *run)
{
	run->disk.fault = (struct fault){.kind = FAULT_NONE};
	ledger_entropy_fail_at(0);
}

/* Mount the start and let the k-th operation from then on go wrong. */
static bool run_begin(struct run *run, struct scene *scene, enum fault_kind kind, uint64_t k)
{
	struct checker *checker = scene->checker;
	struct volume *volume = NULL;
	*run = (struct run){.scene = scene, .kind = kind, .k = k};
	if (!checker_state_begin(checker)) {
		return false;
	}
	disk_init_from(&run->disk, &scene->image);
	bool lies = kind >= FAULT_LOST && kind != ENTROPY;
	if (lies) { /* The mount may be lied to as well. */
		run->disk.fault = (struct fault){.kind = kind, .at = k};
	}
	enum status status =
		checker_mount(checker, &run->disk, 0, CHECKER_MAIN_KEY, false, &volume);
	CHECK(status == STATUS_OK || lies);
	rig_init_recovered(&run->rig, checker, &run->disk, 0, volume, &scene->start);
	run->rig.may_fail = true;
	if (lies) {
		run->rig.failure = status;
	} else if (kind == ENTROPY) {
		ledger_entropy_fail_at(k);
	} else {
		run->disk.fault = (struct fault){.kind = kind, .at = run->disk.operations + k};
	}
	return true;
}

/* True if the script is too short for k. */
static bool run_is_past(const struct run *run)
{
	return run->kind == ENTROPY ? ledger_entropy_draws() < run->k
				    : run->disk.operations < run->disk.fault.at;
}

/* ---- A device that breaks honestly ----------------------------------------------------------- */

static bool is_honest_failure(enum fault_kind kind, enum status status)
{
	/* Above all never TAMPER or AUTH_META: nobody tampered. */
	return status == STATUS_READ_ONLY || (status == STATUS_NO_ENTROPY && kind == ENTROPY) ||
	       (status == STATUS_BAD_HOST && kind == FAULT_BAD_HOST) ||
	       (status == STATUS_IO && kind != ENTROPY && kind != FAULT_BAD_HOST);
}

/* Which of the test keys are in use, as the live volume says. */
static uint32_t keys_listed(const struct volume *volume)
{
	struct volume_keyslot_info slots[VOLUME_KEYSLOTS_MAX];
	uint32_t count = volume_keyslots_list(volume, slots);
	uint32_t raw = 0;
	uint32_t keys = 1u << CHECKER_MAIN_KEY;
	for (uint32_t i = 0; i < count; i++) {
		keys |= slots[i].type == VOLUME_KEY_RECOVERY ? 1u << 1 : 0u;
		raw += slots[i].type == VOLUME_KEY_RAW ? 1u : 0u;
	}
	return raw > 1 ? keys | 1u << 2 : keys;
}

/* An operation failed. What it was to do is undecided only if the volume says so by not taking any
 * more writes. False: the run is over. */
static bool fault_judge(struct run *run)
{
	struct rig *rig = &run->rig;
	enum status status = rig->failure;
	if (!is_honest_failure(run->kind, status)) {
		checker_violation(rig->checker, "fault %d at operation %" PRIu64 ": %s",
				  (int)run->kind, run->k, status_name(status));
		return false;
	}
	if (rig->volume == NULL) { /* A remount. */
		return false;
	}
	if (!volume_is_writable(rig->volume)) {
		run->after = status == STATUS_READ_ONLY ? run->after : rig->watch.after;
		return false;
	}
	/* A key change takes several steps. It may have failed after the one that counts; the list
	 * then says so. */
	uint32_t keys = keys_listed(rig->volume);
	if (keys != rig->now.keys && keys != rig->watch.after.keys) {
		checker_violation(rig->checker, "after a failed change keys %x are listed", keys);
	}
	rig->now.keys = keys;
	run->before.keys = keys;
	run->after.keys = keys;
	return true;
}

static void run_script(struct run *run)
{
	struct rig *rig = &run->rig;
	run->before = run->scene->start;
	run->after = run->scene->start;
	for (uint32_t i = 0; i < SCRIPT_LENGTH; i++) {
		bool done = rig_op(rig, run->scene->script[i]);
		run->before = rig->now;
		run->after = rig->now;
		if (!done && (rig->failure == STATUS_OK || !fault_judge(run))) {
			return;
		}
	}
}

/* After the fault: what is there now, what is there after a power cut, and does it go on? */
static void fault_aftermath(struct run *run, bool power_cut)
{
	struct checker *checker = run->scene->checker;
	struct random_stream *dice = &checker->dice;
	struct disk copy;
	struct volume *volume = NULL;
	struct point found;
	if (!checker_state_begin(checker)) {
		return;
	}
	disk_copy(&copy, &run->disk);
	if (power_cut) {
		crashes_any(checker, &copy);
	}
	if (checker_recover(checker, &copy, 1, &run->before, &run->after, &volume, &found)) {
		static const struct crash_plan plans[CRASH_DEPTH_MAX] = {
			{.patterned = 1, .random = 1},
			{.patterned = 1, .random = 1},
			{.random = 1}};
		struct rig rig;
		checker_verify(checker, volume);
		rig_init_recovered(&rig, checker, &copy, 1, volume, &found);
		rig.watch.depth = 1;
		if (random_stream_one_in(dice, 4)) {
			rig_watch(&rig, plans);
		}
		(void)(rig_op(&rig, OP_OVERWRITE) && rig_op(&rig, OP_CHECKPOINT) &&
		       rig_op(&rig, OP_REMOUNT));
		rig_unwatch(&rig);
	}
	checker_secrets_check(checker, &copy);
	disk_fini(&copy);
}

/* False: k is behind the script's end, or the budget is used up. */
static bool fault_once(struct scene *scene, enum fault_kind kind, uint64_t k)
{
	struct run run;
	if (!run_begin(&run, scene, kind, k)) {
		return false;
	}
	run_script(&run);
	bool past = run_is_past(&run);
	fault_clear(&run);
	fault_aftermath(&run, false);
	for (uint32_t i = 0; i < 3 && run.disk.pending_count != 0; i++) {
		fault_aftermath(&run, true);
	}
	disk_fini(&run.disk);
	return !past && checker_goes_on(scene->checker);
}

static enum theme theme_choose(const struct checker *checker, uint64_t case_index)
{
	switch (case_index % 4) {
	case 1: return THEME_SALT;
	case 2: return checker->profile == VOLUME_PROFILE_BLOCK ? THEME_CHAIN : THEME_ANY;
	case 3: return THEME_ROTATION;
	}
	return THEME_ANY;
}

void campaign_faults_run(struct checker *checker, uint64_t case_index)
{
	static const enum fault_kind kinds[] = {FAULT_ERROR, FAULT_ERROR_DONE, FAULT_ERROR_TORN,
						FAULT_DEAD,  FAULT_BAD_HOST,   ENTROPY};
	static struct scene scene;
	const enum theme theme = theme_choose(checker, case_index);
	const size_t first = theme == THEME_SALT ? ARRAY_COUNT(kinds) - 1 : 0;
	if (scene_init(&scene, checker, false, theme)) {
		for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
			/* Beginning with the one that the theme is about. */
			enum fault_kind kind = kinds[(i + first) % ARRAY_COUNT(kinds)];
			/* A dry source twice: two futures with the same salt would share nonces. */
			for (uint64_t k = 1; fault_once(&scene, kind, k) &&
					     (kind != ENTROPY || fault_once(&scene, kind, k));
			     k++) {
			}
		}
	}
	image_fini(&scene.image);
}

/* ---- A device that lies ---------------------------------------------------------------------- */

/* Whatever was issued may be found again, and nothing else. */
static void lie_judge(struct run *run, const struct history *history, bool power_cut)
{
	struct checker *checker = run->scene->checker;
	const struct history *histories[] = {history};
	struct outcome outcome;
	struct disk copy;
	if (!checker_state_begin(checker)) {
		return;
	}
	disk_copy(&copy, &run->disk);
	copy.fault = run->disk.fault;
	copy.operations = run->disk.operations;
	if (power_cut) {
		crashes_any(checker, &copy);
	}
	(void)history_judge_disk(checker, &copy, histories, 1, false, &outcome, NULL);
	checker_secrets_check(checker, &copy);
	disk_fini(&copy);
}

/* A mount that was told a shorter log has begun another history: enough for one run. */
static bool is_the_start(const struct run *run)
{
	struct volume_info info;
	volume_info_get(run->rig.volume, &info);
	return info.sequence == run->scene->start.sequence;
}

static bool lie_once(struct scene *scene, enum fault_kind kind, uint64_t k)
{
	static struct history history; /* Too large for a stack. */
	struct run run;
	bool good = true;
	if (!run_begin(&run, scene, kind, k)) {
		return false;
	}
	history = scene->history;
	run.rig.history = &history;
	bool mounted = run.rig.failure == STATUS_OK && is_the_start(&run);
	enum op op = OP_COUNT;
	for (uint32_t i = 0; i < SCRIPT_LENGTH && good && mounted; i++) {
		op = scene->script[i];
		good = rig_op(&run.rig, op);
	}
	if (!good && run.rig.failure != STATUS_OK) { /* Issued: it may have happened. */
		const struct point *after = &run.rig.watch.after;
		history.points[after->sequence] = *after;
		history.reached[after->sequence] = true;
		history.last = after->sequence;
		for (uint32_t i = 0; i < rig_epochs_most(op); i++) {
			history.epoch_keys[++history.epoch] = after->keys | run.rig.now.keys;
		}
		history.epoch_most = history.epoch;
	}
	lie_judge(&run, &history, false);
	bool past = run_is_past(&run);
	for (uint32_t i = 0; i < 3; i++) {
		lie_judge(&run, &history, true);
	}
	disk_fini(&run.disk);
	return !past && checker_goes_on(scene->checker);
}

void campaign_lies_run(struct checker *checker, uint64_t case_index)
{
	static const enum fault_kind kinds[] = {FAULT_LOST, FAULT_NEVER_FLUSH, FAULT_FLIPPED,
						FAULT_MISPLACED};
	static struct scene scene;
	if (scene_init(&scene, checker, true, case_index % 2 != 0 ? THEME_ROTATION : THEME_ANY)) {
		for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
			for (uint64_t k = 1; lie_once(&scene, kinds[i], k); k++) {
			}
		}
	}
	image_fini(&scene.image);
}
