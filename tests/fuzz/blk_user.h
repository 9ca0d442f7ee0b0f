// SPDX-License-Identifier: MIT
/* The user of the driver in the target virtio_blk: what it asks for, what it knows of the disk, and
 * what it judges by. */
#pragma once

#include "block/virtio_blk.h"
#include "tests/fuzz/blk_model.h"

#define BLK_USER_DEPTH      6u /* Of the device; the user tries more. */
#define BLK_USER_FLIGHTS    8u
#define BLK_USER_LENT_PAGES 8u

/* A request in flight, with memory of its own. */
struct blk_flight {
	struct block_request request;
	bool in_flight;
	bool in_place; /* Its data is in the loan, from here on. */
	size_t place_offset;
	uint8_t tag;
};

struct blk_user {
	bool dead;                       /* A call said so: no later one may say otherwise. */
	uint8_t model[BLK_MODEL_BLOCKS]; /* The tag of each block, as the driver's user knows it. */
	uint8_t writes;
	uint64_t blocks_left; /* For long transfers. */
	struct blk_flight flights[BLK_USER_FLIGHTS];
	uint32_t flight_count;
};

extern struct blk_user blk_user;
extern struct virtio_blk blk_driver;

/* A new life: what was known of the disk is forgotten. */
void blk_user_reset(void);

/* How many blocks: an execution that has moved enough moves few. */
uint64_t blk_user_count(struct fuzz_input *input);
uint64_t blk_user_first(struct fuzz_input *input);
/* A tag that no block has, as far as anybody remembers. */
uint8_t blk_user_tag_next(void);
/* A write of `tag` ended like this; it says nothing when it failed. */
void blk_user_wrote(uint64_t first, uint64_t count, uint8_t tag, enum status status);
/* What an honest device gave is what was written. */
void blk_user_read_check(uint64_t first, uint64_t count, const uint8_t *bytes);
/* What a request's status may be, and what it means for later ones. */
void blk_user_judge(enum status status);

/* ---- Calls that wait --------------------------------------------------------------------------
 */

void blk_user_read(struct fuzz_input *input);
void blk_user_write(struct fuzz_input *input);
void blk_user_flush(void);
void blk_user_id(void);
void blk_user_zeroes(struct fuzz_input *input);

/* ---- Requests in flight -----------------------------------------------------------------------
 */

/* The driver was opened, or tried to: what of the pool is on loan now. */
void blk_user_loan_begin(void);
/* The input chooses whether the data is the request's own or in the loan. */
void blk_user_submit(struct fuzz_input *input);
/* True if one was reaped. */
bool blk_user_reap(bool wait);
/* Everything in flight ends; it was started by a kick, or is found by a knock. */
void blk_user_drain(void);
