// SPDX-License-Identifier: MIT
/* A witness for one volume that can be cut off, lie, lose answers and die at any call. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "block/volume_witness.h"

enum fake_witness_failure {
	FAKE_WITNESS_BEFORE, /* The call does nothing and fails. */
	FAKE_WITNESS_AFTER,  /* The call is carried out; the answer is lost. */
};

struct fake_witness {
	struct witness port;
	bool knows;
	struct witness_mark mark;
	uint64_t fence;
	/* Misbehaviour. */
	bool is_silent;                 /* No call gets through. */
	enum status silence;            /* What they give then. */
	bool has_no_fence;              /* Compare-and-set is all it does. */
	const struct witness_mark *lie; /* What peek and open say instead; NULL: the truth. */
	uint64_t fail_at;               /* Of the calls from now on; counts from 1; 0: none. */
	enum fake_witness_failure failure;
	/* Called at the beginning of each advance, before anything is changed. */
	void (*before_advance)(void *context);
	void *before_advance_context;
	/* What happened. */
	uint64_t calls;
	uint64_t opens;
	uint64_t peeks;
	uint64_t advances;
	uint64_t enrolments;
	uint64_t replacements;
};

void fake_witness_init(struct fake_witness *fake);
/* Calls are counted from here. */
void fake_witness_fail_at(struct fake_witness *fake, uint64_t k, enum fake_witness_failure failure);
