// SPDX-License-Identifier: MIT
#include "kernel/panic.h"

#include "arch/cpu.h"
#include "base/check.h"
#include "base/format.h"
#include "base/log.h"
#include "kernel/exit.h"
#include "kernel/image.h"
#include "kernel/symbols.h"

#define BACK_TRACE_FRAMES_MAX 24u

/* A listed exception to "no globals": check_failed() has no argument that could carry it. */
static FIXED_AFTER_BOOT struct panic_context the_context;

/* Another: a fault within a panic must end it, not start it again. */
static bool the_panic_has_begun;

void panic_set_context(const struct panic_context *context)
{
	the_context = *context;
}

static void print_address(const char *label, uint64_t address)
{
	uint64_t offset = address - (uint64_t)(uintptr_t)image_start;
	struct symbol symbol;
	bool in_text = address >= (uint64_t)(uintptr_t)image_text_start &&
		       address < (uint64_t)(uintptr_t)image_text_end;
	if (in_text &&
	    symbols_find(the_context.symbols, the_context.symbols_size, offset, &symbol)) {
		log_write(LOG_ERROR, "panic", "%s %016lx %.*s+0x%lx", label, address,
			  (int)symbol.name_length, symbol.name, offset - symbol.address);
		return;
	}
	log_write(LOG_ERROR, "panic", "%s %016lx image+0x%lx", label, address, offset);
}

/* Frame pointers lead upwards; every step is checked before it is read. */
static void print_back_trace(uint64_t frame_pointer)
{
	if (the_context.memory == NULL) {
		return;
	}
	for (unsigned i = 0; i < BACK_TRACE_FRAMES_MAX; i++) {
		if (!kernel_memory_is_readable(the_context.memory, frame_pointer) ||
		    !kernel_memory_is_readable(the_context.memory, frame_pointer + 8)) {
			return;
		}
		const uint64_t *frame = (const uint64_t *)(uintptr_t)frame_pointer;
		if (frame[1] == 0) {
			return;
		}
		print_address("  at", frame[1]);
		if (frame[0] <= frame_pointer) {
			return;
		}
		frame_pointer = frame[0];
	}
}

NORETURN static void finish(uint64_t frame_pointer)
{
	print_back_trace(frame_pointer);
	exit_machine(EXIT_PANIC);
}

/* First of all on each way in. */
static void begin(void)
{
	if (the_panic_has_begun) {
		exit_machine(EXIT_PANIC);
	}
	the_panic_has_begun = true;
}

void panic_trap(const struct trap_frame *frame)
{
	begin();
	log_write(LOG_ERROR, "panic", "ring 0 exception %lu, error 0x%lx, cr2 %016lx",
		  frame->vector, frame->error, cpu_cr2());
	log_write(LOG_ERROR, "panic", "rax %016lx rbx %016lx rcx %016lx rdx %016lx", frame->rax,
		  frame->rbx, frame->rcx, frame->rdx);
	log_write(LOG_ERROR, "panic", "rsi %016lx rdi %016lx rbp %016lx rsp %016lx", frame->rsi,
		  frame->rdi, frame->rbp, frame->rsp);
	log_write(LOG_ERROR, "panic", "r8  %016lx r9  %016lx r10 %016lx r11 %016lx", frame->r8,
		  frame->r9, frame->r10, frame->r11);
	log_write(LOG_ERROR, "panic", "r12 %016lx r13 %016lx r14 %016lx r15 %016lx", frame->r12,
		  frame->r13, frame->r14, frame->r15);
	print_address("rip", frame->rip);
	finish(frame->rbp);
}

void panic_status(const char *what, enum status status)
{
	begin();
	log_write(LOG_ERROR, "panic", "%s: %s", what, status_name(status));
	finish((uint64_t)(uintptr_t)__builtin_frame_address(0));
}

void check_failed(const char *expression, const char *file, int line)
{
	begin();
	log_write(LOG_ERROR, "panic", "%s:%d: CHECK failed: %s", file, line, expression);
	finish((uint64_t)(uintptr_t)__builtin_frame_address(0));
}

NORETURN void __stack_chk_fail(void);

/* The compiler's name for a smashed stack. */
void __stack_chk_fail(void)
{
	begin();
	log_write(LOG_ERROR, "panic", "stack smashed");
	finish((uint64_t)(uintptr_t)__builtin_frame_address(0));
}
