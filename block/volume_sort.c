// SPDX-License-Identifier: MIT
/* A sort that can be stopped anywhere, for what a checkpoint has to work off in order: tens of
 * thousands of numbers, while transactions go on.
 *
 * With scratch memory it sorts by digits, from the lowest that differs on: two passes over the
 * numbers for each, and most numbers differ in two or three. Without, it is a heapsort, which needs
 * neither memory nor recursion, and several times as long. */
#include <string.h>

#include "block/volume_internal.h"

/* ---- By digits ----------------------------------------------------------------------------- */

static uint32_t digit_of(const struct volume_sorter *sorter, uint64_t number)
{
	return (uint32_t)(number >> sorter->shift) % VOLUME_SORT_DIGITS;
}

/* From `shift` on, the next digit in which any two numbers differ. */
static void digit_seek(struct volume_sorter *sorter, uint32_t shift)
{
	while (shift < 64 && (sorter->differs >> shift) % VOLUME_SORT_DIGITS == 0) {
		shift += VOLUME_SORT_DIGIT_BITS;
	}
	sorter->shift = shift;
	sorter->at = 0;
	sorter->stage = shift < 64 ? VOLUME_SORT_COUNT : VOLUME_SORT_RETURN;
	memset(sorter->places, 0, sizeof(sorter->places));
}

/* How often each digit occurs; at the end, where the first number with it belongs. */
static void count_some(struct volume_sorter *sorter, size_t end)
{
	for (; sorter->at < end; sorter->at++) {
		sorter->places[digit_of(sorter, sorter->from[sorter->at])]++;
	}
	if (end == sorter->count) {
		uint32_t place = 0;
		for (uint32_t i = 0; i < VOLUME_SORT_DIGITS; i++) {
			uint32_t here = sorter->places[i];
			sorter->places[i] = place;
			place += here;
		}
		sorter->at = 0;
		sorter->stage = VOLUME_SORT_PLACE;
	}
}

static void place_some(struct volume_sorter *sorter, size_t end)
{
	for (; sorter->at < end; sorter->at++) {
		uint64_t number = sorter->from[sorter->at];
		sorter->to[sorter->places[digit_of(sorter, number)]++] = number;
	}
	if (end == sorter->count) {
		uint64_t *from = sorter->from;
		sorter->from = sorter->to;
		sorter->to = from;
		digit_seek(sorter, sorter->shift + VOLUME_SORT_DIGIT_BITS);
	}
}

/* After an odd number of digits they are in the scratch memory. */
static void return_some(struct volume_sorter *sorter, size_t end)
{
	if (sorter->from != sorter->numbers) {
		memcpy(sorter->numbers + sorter->at, sorter->from + sorter->at,
		       (end - sorter->at) * sizeof(*sorter->numbers));
		sorter->at = end;
	}
	if (sorter->from == sorter->numbers || end == sorter->count) {
		sorter->stage = VOLUME_SORT_DONE;
	}
}

/* ---- As a heap ----------------------------------------------------------------------------- */

static void sift(uint64_t *numbers, size_t root, size_t end)
{
	uint64_t moving = numbers[root];
	for (size_t child = 2 * root + 1; child < end; child = 2 * root + 1) {
		if (child + 1 < end && numbers[child + 1] > numbers[child]) {
			child++;
		}
		if (numbers[child] <= moving) {
			break;
		}
		numbers[root] = numbers[child];
		root = child;
	}
	numbers[root] = moving;
}

static void heap_some(struct volume_sorter *sorter, size_t turns)
{
	uint64_t *numbers = sorter->numbers;
	for (; turns > 0 && sorter->roots > 0; turns--) {
		sift(numbers, --sorter->roots, sorter->count);
	}
	for (; turns > 0 && sorter->at > 1; turns--) {
		size_t end = --sorter->at;
		uint64_t last = numbers[end];
		numbers[end] = numbers[0];
		numbers[0] = last;
		sift(numbers, 0, end);
	}
	if (sorter->roots == 0 && sorter->at <= 1) {
		sorter->stage = VOLUME_SORT_DONE;
	}
}

/* ---- Both ---------------------------------------------------------------------------------- */

/* What was written in sequence is in order already. */
static bool is_sorted(const struct volume_sorter *sorter, uint32_t shift)
{
	for (size_t i = 1; i < sorter->count; i++) {
		if (sorter->numbers[i - 1] >> shift > sorter->numbers[i] >> shift) {
			return false;
		}
	}
	return true;
}

static uint64_t differing_bits(const struct volume_sorter *sorter)
{
	uint64_t differs = 0;
	for (size_t i = 1; i < sorter->count; i++) {
		differs |= sorter->numbers[i] ^ sorter->numbers[0];
	}
	return differs;
}

void volume_sort_begin(struct volume_sorter *sorter, uint64_t *numbers, size_t count,
		       uint64_t *scratch, uint32_t shift)
{
	*sorter = (struct volume_sorter){
		.stage = VOLUME_SORT_DONE,
		.numbers = numbers,
		.count = count,
		.from = numbers,
		.to = scratch,
	};
	if (is_sorted(sorter, shift)) {
		return;
	}
	if (scratch == NULL) {
		sorter->roots = count / 2;
		sorter->at = count;
		sorter->stage = VOLUME_SORT_HEAP;
		return;
	}
	sorter->differs = differing_bits(sorter);
	digit_seek(sorter, shift);
}

bool volume_sort(struct volume_sorter *sorter, size_t turns)
{
	const size_t left = sorter->count - sorter->at;
	const size_t end = sorter->at + (turns < left ? turns : left);
	switch (sorter->stage) {
	case VOLUME_SORT_COUNT: count_some(sorter, end); break;
	case VOLUME_SORT_PLACE: place_some(sorter, end); break;
	case VOLUME_SORT_RETURN: return_some(sorter, end); break;
	case VOLUME_SORT_HEAP: heap_some(sorter, turns); break;
	case VOLUME_SORT_DONE: break;
	}
	return sorter->stage == VOLUME_SORT_DONE;
}
