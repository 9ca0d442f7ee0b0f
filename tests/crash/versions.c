// SPDX-License-Identifier: MIT
#include "versions.h"

#include "base/check.h"

static void keep(struct versions *versions, const struct rig *rig, uint32_t history)
{
	struct disk settled;
	CHECK(versions->count < VERSIONS_MAX);
	struct version *version = &versions->all[versions->count++];
	*version = (struct version){.history = history, .now = rig->now};
	disk_copy(&settled, rig->disk); /* With what an aborted transaction wrote. */
	disk_settle(&settled);
	image_copy(&version->image, &settled.image);
	disk_fini(&settled);
}

static bool live(struct versions *versions, struct rig *rig, uint32_t history,
		 const enum op *script, size_t length)
{
	rig->history = &versions->histories[history];
	for (size_t i = 0; i < length; i++) {
		if (!rig_op(rig, script[i])) {
			return false;
		}
		keep(versions, rig, history);
	}
	return true;
}

bool versions_make(struct versions *versions, struct checker *checker, const enum op *script,
		   size_t length)
{
	struct disk disk;
	struct rig rig;
	*versions = (struct versions){.checker = checker, .history_count = 1};
	disk_init(&disk, checker->device_blocks);
	rig_init(&rig, checker, &disk);
	history_add(&versions->histories[0], rig.volume, &rig.now, rig.now.keys);
	bool good = live(versions, &rig, 0, script, length);
	disk_fini(&disk);
	return good;
}

bool versions_fork(struct versions *versions, size_t from, const enum op *script, size_t length)
{
	struct checker *checker = versions->checker;
	const struct version *version = &versions->all[from];
	uint32_t index = versions->history_count++;
	struct history *history = &versions->histories[index];
	struct volume *volume = NULL;
	struct volume_info info;
	struct disk disk;
	struct rig rig;
	CHECK(index < VERSIONS_HISTORIES);
	*history = versions->histories[version->history];
	disk_init_from(&disk, &version->image);
	enum status status = checker_mount(checker, &disk, 0, CHECKER_MAIN_KEY, false, &volume);
	if (status != STATUS_OK) {
		checker_violation(checker, "a consistent earlier image: %s", status_name(status));
		disk_fini(&disk);
		return false;
	}
	volume_info_get(volume, &info);
	history->last = info.sequence;
	history->epoch = info.epoch;
	history->epoch_most = info.epoch;
	rig_init_recovered(&rig, checker, &disk, 0, volume, &version->now);
	bool good = live(versions, &rig, index, script, length);
	disk_fini(&disk);
	return good;
}

void versions_make_foreign(struct versions *versions)
{
	static const enum op script[] = {OP_WRITE, OP_MULTI, OP_CHECKPOINT, OP_WRITE, OP_MULTI};
	struct disk disk;
	struct rig rig;
	disk_init(&disk, versions->checker->device_blocks);
	rig_init(&rig, versions->checker, &disk);
	versions->foreign_history = (struct history){0};
	history_add(&versions->foreign_history, rig.volume, &rig.now, rig.now.keys);
	rig.history = &versions->foreign_history;
	versions->has_foreign = true;
	for (size_t i = 0; i < ARRAY_COUNT(script); i++) {
		(void)rig_op(&rig, script[i]);
	}
	image_copy(&versions->foreign, &disk.image);
	disk_fini(&disk);
}

void versions_fini(struct versions *versions)
{
	for (size_t i = 0; i < versions->count; i++) {
		image_fini(&versions->all[i].image);
	}
	image_fini(&versions->foreign);
}

bool versions_judge(struct versions *versions, const struct image *image, struct outcome *outcome)
{
	const struct history *histories[VERSIONS_HISTORIES + 1];
	size_t count = 0;
	for (uint32_t i = 0; i < versions->history_count; i++) {
		histories[count++] = &versions->histories[i];
	}
	if (versions->has_foreign) {
		histories[count++] = &versions->foreign_history;
	}
	return history_judge(versions->checker, image, histories, count, outcome);
}
