// SPDX-License-Identifier: MIT
/* A ring-3 program's first stack. Input: numbers, then the arguments, each ended by a zero. */
#include "kernel/user_stack.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "tests/fuzz/fuzz.h"

#define ARGUMENTS_MAX 24u
#define AT_NULL       0u
#define AT_PHDR       3u
#define AT_ENTRY      9u
#define AT_RANDOM     25u

struct view {
	const uint8_t *image;
	uint64_t bottom;
	uint64_t at; /* Virtual. */
};

static uint64_t next_word(struct view *view)
{
	FUZZ_REQUIRE(view->at >= view->bottom);
	FUZZ_REQUIRE(view->at - view->bottom <= USER_STACK_IMAGE_BYTES - 8);
	view->at += 8;
	return bytes_load_le64(view->image + (view->at - 8 - view->bottom));
}

/* The bytes at a virtual address, which have to be in the image. */
static const uint8_t *look(const struct view *view, uint64_t at, size_t size)
{
	FUZZ_REQUIRE(at >= view->bottom && at - view->bottom <= USER_STACK_IMAGE_BYTES - size);
	return view->image + (at - view->bottom);
}

/* Read the stack as a C library would. */
static void stack_check(const struct user_stack_request *request, struct view view)
{
	uint64_t seen = 0;
	FUZZ_REQUIRE(view.at % 16 == request->top % 16);
	FUZZ_REQUIRE(next_word(&view) == request->argument_count);
	for (size_t i = 0; i < request->argument_count; i++) {
		const size_t size = strlen(request->arguments[i]) + 1;
		const uint8_t *text = look(&view, next_word(&view), size);
		FUZZ_REQUIRE(memcmp(text, request->arguments[i], size) == 0);
	}
	FUZZ_REQUIRE(next_word(&view) == 0 && next_word(&view) == 0);
	for (uint64_t key = next_word(&view); key != AT_NULL; key = next_word(&view)) {
		const uint64_t value = next_word(&view);
		seen |= (uint64_t)1 << (key % 64);
		FUZZ_REQUIRE(key != AT_PHDR || value == request->program_headers);
		FUZZ_REQUIRE(key != AT_ENTRY || value == request->entry);
		if (key == AT_RANDOM) {
			FUZZ_REQUIRE(memcmp(look(&view, value, USER_STACK_RANDOM_BYTES),
					    request->random, USER_STACK_RANDOM_BYTES) == 0);
		}
	}
	FUZZ_REQUIRE((seen >> AT_PHDR & seen >> AT_ENTRY & seen >> AT_RANDOM & 1) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	static uint8_t image[USER_STACK_IMAGE_BYTES];
	const char *arguments[ARGUMENTS_MAX];
	uint64_t stack_pointer = 0;
	struct user_stack_request request = {
		.top = ((uint64_t)fuzz_u32(&input) + 2) << 12,
		.arguments = arguments,
		.argument_count = fuzz_u8(&input) % ARGUMENTS_MAX,
		.program_headers = fuzz_u64(&input),
		.entry = fuzz_u64(&input),
	};
	(void)fuzz_fill(&input, request.random, sizeof(request.random));
	const size_t text_size = fuzz_left(&input);
	char *text = fuzz_rest_text(&input);
	size_t at = 0;
	for (size_t i = 0; i < request.argument_count; i++) {
		arguments[i] = text + at;
		at += strlen(text + at);
		at += at < text_size ? 1 : 0; /* When the text is used up, the rest is empty. */
	}
	const enum status status = user_stack_build(&request, image, &stack_pointer);
	if (status == STATUS_OK) {
		stack_check(&request, (struct view){image, request.top - USER_STACK_IMAGE_BYTES,
						    stack_pointer});
	} else {
		FUZZ_REQUIRE(status == STATUS_TOO_LARGE && stack_pointer == 0);
	}
	free(text);
	return 0;
}
