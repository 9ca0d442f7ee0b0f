// SPDX-License-Identifier: MIT
#include "kernel/panic_drill.h"

#if !HOLDFAST_PRODUCTION

#include <string.h>

#include "base/check.h"
#include "kernel/image.h"

#define NOWHERE 0x1000u

/* Each level touches its part of the stack, so that no guard page is jumped over. */
__attribute__((noinline)) static unsigned overflow(unsigned level)
{
	volatile uint8_t part[1024];
	part[level % sizeof(part)] = (uint8_t)level;
	if (level == UINT32_MAX) {
		return 0;
	}
	return overflow(level + 1) + part[level % sizeof(part)];
}

static void write_byte(const uint8_t *at)
{
	*(volatile uint8_t *)(uintptr_t)at = 0;
}

static void execute_data(void)
{
	static uint8_t return_instruction[] = {0xc3};
	void (*function)(void) = (void (*)(void))(uintptr_t)return_instruction;
	function();
}

enum status panic_drill(const char *how)
{
	if (strcmp(how, "check") == 0) {
		CHECK(how == NULL);
	} else if (strcmp(how, "page-fault") == 0) {
		(void)*(volatile uint8_t *)(uintptr_t)NOWHERE;
	} else if (strcmp(how, "overflow") == 0) {
		(void)overflow(0);
	} else if (strcmp(how, "text") == 0) {
		write_byte(image_text_start);
	} else if (strcmp(how, "sealed") == 0) {
		write_byte(image_sealed_start);
	} else if (strcmp(how, "execute") == 0) {
		execute_data();
	} else {
		return STATUS_BAD_CONFIG;
	}
	return STATUS_OK;
}

#endif
