// SPDX-License-Identifier: MIT
/* Which logical blocks a case uses, and what they hold. */
#include <string.h>

#include "base/check.h"
#include "checker.h"

#define PLACES_FIXED 11u
#define CHAIN_FIRST  4000u
#define CHAIN_BEHIND 6000u

void checker_size_set(struct checker *checker, uint64_t blocks)
{
	checker->blocks = blocks;
	checker->device_blocks = blocks + CHECKER_GROW_ROOM;
}

void checker_places_choose(struct checker *checker, uint32_t count)
{
	/* One leaf, its neighbour, the same slice, other slices; or, as far as a small device has
	 * them, other leaves. */
	static const uint32_t state[PLACES_FIXED] = {5,     6,     7,     127,     128, 700,
						     16384, 16385, 40000, 2097151, 0};
	static const uint32_t block[PLACES_FIXED] = {5,   6,    7,    127,  128, 700,
						     701, 2048, 2049, 3327, 0};
	bool is_block = checker->profile == VOLUME_PROFILE_BLOCK;
	CHECK(count <= MODEL_BLOCKS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t fixed = is_block ? block[i % PLACES_FIXED] : state[i % PLACES_FIXED];
		/* Behind those: neighbours, which one extent can say, or none. */
		uint32_t other = 900 + (is_block ? 1 : 3) * (i - PLACES_FIXED);
		checker->places[i] = (struct place){i < PLACES_FIXED ? fixed : other, 1};
	}
	checker->place_count = count;
}

void checker_chain_add(struct checker *checker)
{
	CHECK(checker->place_count + 2 <= MODEL_BLOCKS_MAX &&
	      checker->blocks >= CHECKER_CHAIN_BLOCKS);
	checker->places[checker->place_count++] = (struct place){CHAIN_FIRST, CHECKER_CHAIN_LENGTH};
	checker->places[checker->place_count++] = (struct place){CHAIN_BEHIND, 1};
}

struct logical_block checker_place_block(const struct place *place, uint32_t k)
{
	return (struct logical_block){place->logical + 2 * k};
}

/* The blocks of one place differ in a few bytes. */
static void content_mark(uint32_t k, uint8_t content[BLOCK_BYTES])
{
	const size_t at = 160;
	if (k != 0) {
		memcpy(content + at, &k, sizeof(k));
	}
}

void checker_place_content(uint64_t number, uint32_t k, uint8_t out[BLOCK_BYTES])
{
	model_content(number, out);
	if (number != 0) {
		content_mark(k, out);
	}
}

bool checker_place_equals(struct checker *checker, struct volume *volume, uint32_t index,
			  uint64_t number, bool may_fail, enum status *status)
{
	const struct place *place = &checker->places[index];
	uint8_t expected[BLOCK_BYTES];
	uint8_t content[BLOCK_BYTES];
	model_content(number, expected);
	for (uint32_t k = 0; k < place->count; k++) {
		enum status now = volume_read(volume, checker_place_block(place, k), content);
		if (now != STATUS_OK) {
			*status = now;
			if (!may_fail) {
				return false;
			}
			continue;
		}
		if (number != 0) {
			content_mark(k, expected);
		}
		if (memcmp(content, expected, BLOCK_BYTES) != 0) {
			return false;
		}
	}
	return true;
}
