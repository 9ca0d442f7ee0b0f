// SPDX-License-Identifier: MIT
/* Volumes whose master key is rotated, for the tests of that. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "volume_fixture.h"

#define ROTATE_ROWS 2u

/* The smallest volume of each profile. */
struct rotate_row {
	enum volume_profile profile;
	uint64_t size;
};

extern const struct rotate_row rotate_rows[ROTATE_ROWS];

void rotate_create(struct fixture *fixture, const struct rotate_row *row);
/* One transaction of `count` blocks; seed 0: holes. */
void rotate_put(struct fixture *fixture, struct model *model, uint32_t first, uint32_t count,
		uint64_t seed);
/* Data in several leaves, out of line and not, overwritten and given up, homed and not. */
void rotate_fill(struct fixture *fixture, struct model *model);
enum status rotate_begin(struct volume *volume);
/* Steps until it is done. */
enum status rotate_on(struct volume *volume);
bool rotate_is_running(const struct fixture *fixture);
uint32_t rotate_generation(const struct fixture *fixture);
/* Everything is there, for this mount and for the next. */
void rotate_check(struct fixture *fixture, const struct model *model);
