// SPDX-License-Identifier: MIT
#include "kernel/user_stack.h"

#include <string.h>

#include "base/bytes.h"

/* Keys of the auxiliary vector, as in Linux's uapi <linux/auxvec.h>. */
#define AT_NULL             0u
#define AT_PHDR             3u
#define AT_PHENT            4u
#define AT_PHNUM            5u
#define AT_PAGESZ           6u
#define AT_BASE             7u
#define AT_ENTRY            9u
#define AT_UID              11u
#define AT_EUID             12u
#define AT_GID              13u
#define AT_EGID             14u
#define AT_SECURE           23u
#define AT_RANDOM           25u

#define PHENT_BYTES         56u
#define STACK_ARGUMENTS_MAX 16u

struct auxiliary {
	uint64_t key;
	uint64_t value;
};

/* Strings go to the top, growing down. Returns the new position, or 0 if there is no room. */
static size_t place_bytes(uint8_t *image, size_t at, const void *bytes, size_t size)
{
	if (size > at) {
		return 0;
	}
	memcpy(image + at - size, bytes, size);
	return at - size;
}

static void store_word(uint8_t *image, size_t *at, uint64_t value)
{
	bytes_store_le64(image + *at, value);
	*at += 8;
}

enum status user_stack_build(const struct user_stack_request *request,
			     uint8_t image[USER_STACK_IMAGE_BYTES], uint64_t *stack_pointer)
{
	const uint64_t bottom = request->top - USER_STACK_IMAGE_BYTES;
	uint64_t argument_at[STACK_ARGUMENTS_MAX];
	size_t at = USER_STACK_IMAGE_BYTES;
	if (request->argument_count > STACK_ARGUMENTS_MAX) {
		return STATUS_TOO_LARGE;
	}
	memset(image, 0, USER_STACK_IMAGE_BYTES);
	at = place_bytes(image, at, request->random, USER_STACK_RANDOM_BYTES);
	const uint64_t random_at = bottom + at;
	for (size_t i = 0; i < request->argument_count; i++) {
		at = place_bytes(image, at, request->arguments[i],
				 strlen(request->arguments[i]) + 1);
		argument_at[i] = bottom + at;
		if (at == 0) {
			return STATUS_TOO_LARGE;
		}
	}
	const struct auxiliary auxiliary[] = {
		{AT_PHDR, request->program_headers},
		{AT_PHENT, PHENT_BYTES},
		{AT_PHNUM, request->program_header_count},
		{AT_PAGESZ, 4096},
		{AT_BASE, request->base},
		{AT_ENTRY, request->entry},
		{AT_UID, 0},
		{AT_EUID, 0},
		{AT_GID, 0},
		{AT_EGID, 0},
		{AT_SECURE, 0},
		{AT_RANDOM, random_at},
		{AT_NULL, 0},
	};
	/* argc, argv and its NULL, the environment's NULL, then the pairs. */
	const size_t words = 1 + request->argument_count + 1 + 1 + 2 * ARRAY_COUNT(auxiliary);
	if (at < words * 8 + 16) {
		return STATUS_TOO_LARGE;
	}
	at = (at - words * 8) & ~(size_t)15;
	*stack_pointer = bottom + at;
	store_word(image, &at, request->argument_count);
	for (size_t i = 0; i < request->argument_count; i++) {
		store_word(image, &at, argument_at[i]);
	}
	store_word(image, &at, 0);
	store_word(image, &at, 0);
	for (size_t i = 0; i < ARRAY_COUNT(auxiliary); i++) {
		store_word(image, &at, auxiliary[i].key);
		store_word(image, &at, auxiliary[i].value);
	}
	return STATUS_OK;
}
