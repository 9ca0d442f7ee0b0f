// SPDX-License-Identifier: MIT
/* What a hostile host may have kept: images of one volume at many moments, of futures that it split
 * off by rolling the volume back, and of another volume that the same key opens. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history.h"
#include "rig.h"

#define VERSIONS_MAX       24u
#define VERSIONS_HISTORIES 3u

struct version {
	struct image image;
	uint32_t history; /* Index. */
	struct point now;
};

struct versions {
	struct checker *checker;
	size_t count;
	struct version all[VERSIONS_MAX];
	struct history histories[VERSIONS_HISTORIES]; /* The main one, and two that split off. */
	uint32_t history_count;
	uint64_t forked_at;   /* Sequence, for those who ask. */
	struct image foreign; /* Another volume, under the same unlock key. */
	struct history foreign_history;
	bool has_foreign;
};

/* Operations to live through; an image is kept after each. False: the budget is used up, or an
 * operation failed. */
bool versions_make(struct versions *versions, struct checker *checker, const enum op *script,
		   size_t length);
/* Mount the image of a version and live through other operations from there on. */
bool versions_fork(struct versions *versions, size_t from, const enum op *script, size_t length);
void versions_make_foreign(struct versions *versions);
void versions_fini(struct versions *versions);

/* Judge an image by all the histories. The foreign volume's is one of them: enough edits bring all
 * of it over, and it then mounts as what it is. */
bool versions_judge(struct versions *versions, const struct image *image, struct outcome *outcome);
