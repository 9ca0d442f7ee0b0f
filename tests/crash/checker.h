// SPDX-License-Identifier: MIT
/* What all campaigns share: the case that runs, its dice, memory for mounts, the count of states,
 * and the report of a violation with the command that replays it.
 *
 * A campaign is a row of cases; a case depends on the seed, the campaign and its number alone. A
 * state is one disk image that a mount was confronted with; states are counted within their case.
 * So `--campaign NAME --seed S --state CASE.STATE` replays any of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "block/volume.h"
#include "crypto/aead.h"
#include "disk.h"
#include "model.h"
#include "random_stream.h"
#include "tests/unit/block/fake_witness.h"

#define CHECKER_BLOCKS_MAX 34800u /* More than one allocation group, or nearly. */
#define CHECKER_GROW_STEP  64u
#define CHECKER_GROW_ROOM  320u
/* Block profile: a transaction that needs two records, and the least volume that can have one. */
#define CHECKER_CHAIN_BLOCKS  8192u
#define CHECKER_CHAIN_LENGTH  460u
#define CHECKER_CHAIN_RECORDS 2u
/* Volumes that may be mounted at once: a live one, nested recoveries, a look with another key. */
#define CHECKER_ARENAS   6u
#define CHECKER_KEYS     3u
#define CHECKER_MAIN_KEY 0u

struct checker;
struct rig;

/* What the numbers in struct contents stand for: logical blocks, unless a campaign says otherwise.
 */
struct view {
	bool (*equal)(struct checker *checker, struct volume *volume,
		      const struct contents *contents, uint32_t *wrong);
	/* Go on with a recovered volume. */
	void (*go_on)(struct rig *rig);
};

struct campaign {
	const char *name;
	const char *purpose;
	/* One case. Stops early when checker_goes_on() says so. */
	void (*run)(struct checker *checker, uint64_t case_index);
	uint64_t cases; /* One pass of the systematic ones; 0: every case is random. */
	uint32_t share; /* Of the states, relative to other campaigns. */
	enum volume_profile profile;
};

/* Counted over all processes of a run. */
struct tally {
	uint64_t states;
	uint64_t cases;
	uint64_t violations;
};

/* What one number of the model stands for: one logical block or, for transactions that take more
 * than the model could hold, so many of them, two apart, written together. */
struct place {
	uint32_t logical;
	uint32_t count;
};

struct checker {
	struct aead aead;
	struct random random; /* Never used: see ledger.h. */
	uint8_t *arenas[CHECKER_ARENAS];
	size_t arena_size_bytes;

	const struct campaign *campaign;
	struct tally *tally; /* The campaign's; shared memory. */
	uint64_t seed;
	uint64_t case_index;
	uint64_t state;        /* Number within the case; counts from 1. */
	uint64_t replay_state; /* Stop behind this one, and log it; 0: do not. */
	uint64_t deadline_us;  /* CLOCK_MONOTONIC; UINT64_MAX: none. */
	uint64_t states_max;   /* Of all campaigns; UINT64_MAX: none. */
	uint64_t *states_now;  /* Likewise; shared memory. */
	bool stops;
	bool stops_at_violation;

	const struct view *view; /* NULL: logical blocks. */
	struct random_stream dice;
	enum volume_profile profile; /* The campaign's. */
	uint64_t blocks;             /* Of the case's volume when it is new. */
	uint64_t device_blocks;      /* Room to grow. */
	struct place places[MODEL_BLOCKS_MAX];
	uint32_t place_count;
	bool may_be_full;
	uint64_t next_base; /* Of contents: none comes twice. */
	/* Somebody who remembers, for each mount that there may be; those below the live volume's
	 * are copies. */
	bool has_witness;
	struct volume_witness_policy witness_policy;
	enum volume_witness_decision witness_decision;
	struct fake_witness witnesses[CHECKER_ARENAS];
	uint64_t repeats_reported;
};

extern const struct volume_key checker_keys[CHECKER_KEYS];

void checker_init(struct checker *checker);
void checker_fini(struct checker *checker);
/* Reset everything that a case depends on. */
void checker_case_begin(struct checker *checker, const struct campaign *campaign,
			struct tally *tally, uint64_t seed, uint64_t case_index);
uint64_t checker_clock_us(void);

/* Before each state. False: the budget is used up, or the replay is over. */
bool checker_state_begin(struct checker *checker);
bool checker_goes_on(struct checker *checker);
PRINTF_LIKE(2, 3) void checker_violation(struct checker *checker, const char *format, ...);

/* The size of the case's volume; the device is a little larger. */
void checker_size_set(struct checker *checker, uint64_t blocks);
/* `count` logical blocks, some of them neighbours, some far apart; index i is always the same kind
 * of place. */
void checker_places_choose(struct checker *checker, uint32_t count);
/* Two more places: see CHECKER_CHAIN_BLOCKS, and one block that only such transactions change, in
 * their last record. The volume has to be that large. */
void checker_chain_add(struct checker *checker);
/* The k-th block of a place, and what it holds. */
struct logical_block checker_place_block(const struct place *place, uint32_t k);
void checker_place_content(uint64_t number, uint32_t k, uint8_t out[BLOCK_BYTES]);
/* True if a place reads as this content; `*status` is that of the last read. A read that fails is
 * no difference if it `may_fail`. */
bool checker_place_equals(struct checker *checker, struct volume *volume, uint32_t index,
			  uint64_t number, bool may_fail, enum status *status);

/* A mount at a depth asks the witness as the one above it left it. */
void checker_witness_copy(struct checker *checker, uint32_t from, uint32_t to);
/* What the volume borrows, with the arena of a depth. */
struct volume_environment checker_environment(struct checker *checker, struct disk *disk,
					      uint32_t depth);

/* Mount at a depth (0: the live volume). Demands what holds for any image: nothing is written,
 * reads are bounded, memory outside the arena is left alone. */
enum status checker_mount(struct checker *checker, struct disk *disk, uint32_t depth, uint32_t key,
			  bool read_only, struct volume **volume);
/* A demand on every disk: no secret in clear, no nonce twice. Reports each once. */
void checker_secrets_check(struct checker *checker, struct disk *disk);

/* True if the volume holds exactly these contents; otherwise `*wrong` is the first block (index)
 * that differs. */
bool checker_contents_equal(struct checker *checker, struct volume *volume,
			    const struct contents *contents, uint32_t *wrong);
/* True if no block gives other content; a read may fail. */
bool checker_contents_not_wrong(struct checker *checker, struct volume *volume,
				const struct contents *contents, uint32_t *wrong);

/* Mount what an honest crash left, and demand `before` or `after`. False: a violation was reported.
 * `found` is which of them it is. */
bool checker_recover(struct checker *checker, struct disk *disk, uint32_t depth,
		     const struct point *before, const struct point *after, struct volume **volume,
		     struct point *found);
void checker_verify(struct checker *checker, struct volume *volume);
