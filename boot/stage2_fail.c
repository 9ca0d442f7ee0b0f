// SPDX-License-Identifier: MIT
/* Every way in which stage2 ends badly: one line on the console, one exit value, then nothing. */
#include "arch/cpu.h"
#include "base/check.h"
#include "base/format.h"
#include "boot/console.h"
#include "boot/stage2_internal.h"
#include "boot/stage2_layout.h"

#define LINE_BYTES         320
#define STUB_BYTES         16u
#define GATE_INTERRUPT     0x8e /* Present, ring 0, 64-bit interrupt gate. */
#define GATE_CODE_SELECTOR 0x08

NORETURN static void leave(const char *line)
{
	console_write(line);
	cpu_out8(STAGE2_EXIT_PORT, STAGE2_EXIT_BAD_BOOT);
	cpu_stop();
}

NORETURN void stage2_fail(enum status status, const char *problem)
{
	char line[LINE_BYTES];
	(void)format_text(line, sizeof(line), "boot: failed: %s: %s%s%s\n", status_name(status),
			  problem != NULL ? problem : "", problem != NULL ? ". " : "",
			  status_advice(status));
	leave(line);
}

NORETURN void check_failed(const char *expression, const char *file, int line)
{
	char text[LINE_BYTES];
	(void)format_text(text, sizeof(text), "boot: failed: INVALID: CHECK failed: %s at %s:%d\n",
			  expression, file, line);
	leave(text);
}

/* Called by code that was compiled with a stack protector; the names are the compiler's. */
NORETURN void __stack_chk_fail(void);
NORETURN void __stack_chk_fail(void)
{
	leave("boot: failed: INVALID: a stack buffer was overrun\n");
}

NORETURN void stage2_exception(uint64_t vector, uint64_t error, uint64_t rip, uint64_t cr2);
NORETURN void stage2_exception(uint64_t vector, uint64_t error, uint64_t rip, uint64_t cr2)
{
	char text[LINE_BYTES];
	(void)format_text(text, sizeof(text),
			  "boot: failed: INVALID: exception %llu, error 0x%llx, rip 0x%llx, "
			  "cr2 0x%llx\n",
			  (unsigned long long)vector, (unsigned long long)error,
			  (unsigned long long)rip, (unsigned long long)cr2);
	leave(text);
}

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_middle;
	uint32_t offset_high;
	uint32_t reserved;
};
STATIC_ASSERT(sizeof(struct gate) == 16, "AMD APM volume 2, section 4.8.4");

extern uint8_t stage2_exception_stubs[];

void stage2_catch_exceptions(void)
{
	static struct gate gates[STAGE2_EXCEPTIONS];
	for (unsigned i = 0; i < STAGE2_EXCEPTIONS; i++) {
		const uint64_t at = (uint64_t)(uintptr_t)stage2_exception_stubs + i * STUB_BYTES;
		gates[i] = (struct gate){
			.offset_low = (uint16_t)at,
			.selector = GATE_CODE_SELECTOR,
			.type = GATE_INTERRUPT,
			.offset_middle = (uint16_t)(at >> 16),
			.offset_high = (uint32_t)(at >> 32),
		};
	}
	const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table = {sizeof(gates) - 1, (uint64_t)(uintptr_t)gates};
	__asm__ volatile("lidt %0" : : "m"(table));
}
