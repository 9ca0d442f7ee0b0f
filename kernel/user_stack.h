// SPDX-License-Identifier: MIT
/* The first stack of a ring-3 program: argument strings, argv, an empty environment and the
 * auxiliary vector (System V ABI, AMD64 supplement, section 3.4). Pure: builds an image of the
 * stack's last page(s). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

#define USER_STACK_IMAGE_BYTES  4096u
#define USER_STACK_RANDOM_BYTES 16u

struct user_stack_request {
	uint64_t top; /* Virtual address just above the image; 16-byte aligned. */
	const char *const *arguments;
	size_t argument_count;
	uint64_t program_headers; /* AT_PHDR */
	uint64_t program_header_count;
	uint64_t entry;
	uint64_t base; /* AT_BASE: 0 for a static program. */
	uint8_t random[USER_STACK_RANDOM_BYTES];
};

/* Fill the highest USER_STACK_IMAGE_BYTES below `top`; *stack_pointer is what rsp must be.
 * STATUS_TOO_LARGE: the arguments do not fit. */
MUST_CHECK enum status user_stack_build(const struct user_stack_request *request,
					uint8_t image[USER_STACK_IMAGE_BYTES],
					uint64_t *stack_pointer);
