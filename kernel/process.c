// SPDX-License-Identifier: MIT
#include "kernel/process.h"

#include <string.h>

#include "arch/cpu.h"
#include "arch/descriptors.h"
#include "arch/selectors.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/format.h"
#include "base/log.h"
#include "kernel/interrupts.h"
#include "kernel/percpu.h"
#include "kernel/syscall.h"
#include "kernel/user_elf.h"
#include "kernel/user_frame.h"
#include "kernel/user_stack.h"

/* Where things lie in ring 3. Each base is followed by a random slide. */
#define PROGRAM_BASE  0x0000100000000000ull /* ET_DYN. */
#define MAPPINGS_BASE 0x0000200000000000ull
#define STACK_BASE    0x00007f0000000000ull
#define SLIDE_BYTES   ((uint64_t)1 << 36)
#define GUARD_BYTES   ((uint64_t)16 * PAGE_BYTES)
/* Interrupt ring 3 this often to look at its deadline. */
#define TICK_US 10000u
/* What XRSTOR needs for the initial state: MXCSR with all exceptions masked, x87 likewise. */
#define SIMD_MXCSR_OFFSET 24u
#define SIMD_MXCSR        0x1f80u
#define SIMD_FCW          0x037fu
#define SIMD_XSTATE_BV    512u

STATIC_ASSERT(PROCESS_SIMD_PAGES *PAGE_BYTES >= CPU_SIMD_BYTES_MAX, "XSAVE writes that much");

static const struct page_access access_stack = {.writable = true, .user = true};

/* Everything that loading needs and running does not. */
struct loader {
	struct process *process;
	const uint8_t *file;
	struct user_elf elf;
	uint64_t base; /* Added to every address of the file. */
};

static enum status random_slide(struct process *process, uint64_t *slide)
{
	uint64_t word;
	enum status status =
		random_fill(process->environment.random, (uint8_t *)&word, sizeof(word));
	if (status == STATUS_OK) {
		*slide = addr_page_floor(word % SLIDE_BYTES);
	}
	return status;
}

/* Copy file bytes into pages that were just mapped. The pages may be read-only for ring 3: the copy
 * goes through the direct map. */
static enum status fill_pages(struct loader *loader, const struct user_elf_segment *segment)
{
	struct process *process = loader->process;
	const uint8_t *from = loader->file + segment->file_offset;
	uint64_t at = loader->base + segment->data_at;
	uint64_t left = segment->file_bytes;
	while (left > 0) {
		struct page_mapping mapping;
		enum status status = page_table_lookup(&process->table, at, &mapping);
		if (status != STATUS_OK) {
			return status;
		}
		uint64_t part = PAGE_BYTES - at % PAGE_BYTES;
		if (part > left) {
			part = left;
		}
		memcpy(kernel_memory_pointer(process->environment.memory, mapping.at), from, part);
		from += part;
		at += part;
		left -= part;
	}
	return STATUS_OK;
}

static enum status load_segment(struct loader *loader, const struct user_elf_segment *segment)
{
	struct page_access access = {
		.writable = segment->writable,
		.executable = segment->executable,
		.user = true,
	};
	enum status status = process_map_zeroed(loader->process, loader->base + segment->address,
						segment->size_bytes, access);
	if (status != STATUS_OK) {
		return status;
	}
	return fill_pages(loader, segment);
}

static enum status load_image(struct loader *loader)
{
	struct process *process = loader->process;
	if (loader->elf.relocatable) {
		uint64_t slide;
		enum status status = random_slide(process, &slide);
		if (status != STATUS_OK) {
			return status;
		}
		loader->base = PROGRAM_BASE + slide;
	}
	for (size_t i = 0; i < loader->elf.segment_count; i++) {
		enum status status = load_segment(loader, &loader->elf.segments[i]);
		if (status != STATUS_OK) {
			return status;
		}
	}
	process->brk_start = loader->base + loader->elf.end;
	process->brk_end = process->brk_start;
	return STATUS_OK;
}

/* A stack with unmapped space below, and on it what the C library's start code expects. */
static enum status make_stack(struct loader *loader, const char *const arguments[],
			      size_t argument_count)
{
	struct process *process = loader->process;
	uint8_t image[USER_STACK_IMAGE_BYTES];
	uint64_t slide;
	enum status status = random_slide(process, &slide);
	if (status != STATUS_OK) {
		return status;
	}
	uint64_t bottom = STACK_BASE + slide + GUARD_BYTES;
	status = process_map_zeroed(process, bottom, PROCESS_STACK_BYTES, access_stack);
	if (status != STATUS_OK) {
		return status;
	}
	struct user_stack_request request = {
		.top = bottom + PROCESS_STACK_BYTES,
		.arguments = arguments,
		.argument_count = argument_count,
		.program_headers = loader->base + loader->elf.headers_address,
		.program_header_count = loader->elf.header_count,
		.entry = loader->base + loader->elf.entry,
	};
	status = random_fill(process->environment.random, request.random, sizeof(request.random));
	if (status != STATUS_OK) {
		return status;
	}
	status = user_stack_build(&request, image, &process->context.frame.rsp);
	if (status != STATUS_OK) {
		return status;
	}
	return user_copy_out(&process->space,
			     (struct user_addr){request.top - USER_STACK_IMAGE_BYTES}, image,
			     sizeof(image));
}

static uint8_t *simd_area(const struct process *process)
{
	return kernel_memory_pointer(process->environment.memory, process->simd_page);
}

static enum status make_simd_state(struct process *process)
{
	enum status status = kernel_memory_take(process->environment.memory, PROCESS_SIMD_PAGES,
						&process->simd_page);
	if (status != STATUS_OK) {
		return status;
	}
	uint8_t *area = simd_area(process);
	uint16_t fcw = SIMD_FCW;
	uint32_t mxcsr = SIMD_MXCSR;
	uint64_t present = XCR0_X87 | XCR0_SSE;
	memcpy(area, &fcw, sizeof(fcw));
	memcpy(area + SIMD_MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
	memcpy(area + SIMD_XSTATE_BV, &present, sizeof(present));
	return STATUS_OK;
}

static enum status make_space(struct process *process)
{
	struct kernel_memory *memory = process->environment.memory;
	enum status status = page_table_init(&process->table, &memory->table_port, 0);
	if (status != STATUS_OK) {
		process->table = (struct page_table){0};
		return status;
	}
	page_table_share_kernel(&process->table, &memory->table);
	process->space = (struct user_space){&process->table, &memory->direct_map};
	uint64_t slide;
	status = random_slide(process, &slide);
	if (status != STATUS_OK) {
		return status;
	}
	user_mappings_init(&process->mappings, MAPPINGS_BASE + slide);
	return STATUS_OK;
}

static enum status load(struct loader *loader, const char *const arguments[], size_t argument_count)
{
	struct process *process = loader->process;
	enum status status = make_space(process);
	if (status != STATUS_OK) {
		return status;
	}
	status = make_simd_state(process);
	if (status != STATUS_OK) {
		return status;
	}
	status = load_image(loader);
	if (status != STATUS_OK) {
		return status;
	}
	status = make_stack(loader, arguments, argument_count);
	if (status != STATUS_OK) {
		return status;
	}
	struct trap_frame *frame = &process->context.frame;
	frame->rip = loader->base + loader->elf.entry;
	frame->cs = SELECTOR_USER_CODE;
	frame->ss = SELECTOR_USER_DATA;
	frame->rflags = RFLAGS_FIXED | RFLAGS_IF;
	process->state = PROCESS_READY;
	return STATUS_OK;
}

enum status process_load(struct process *process, const struct process_environment *environment,
			 const char *name, const uint8_t *file, size_t file_size_bytes,
			 const char *const arguments[], size_t argument_count)
{
	memset(process, 0, sizeof(*process));
	process->environment = *environment;
	log_budget_init(&process->log_budget, PROCESS_LOG_LINES_BURST,
			environment->clock->now_us(environment->clock->context));
	(void)format_text(process->name, sizeof(process->name), "%s",
			  environment->name != NULL ? environment->name : name);
	struct loader loader = {.process = process, .file = file};
	enum status status = user_elf_decode(file, file_size_bytes, &loader.elf);
	if (status != STATUS_OK) {
		return status;
	}
	status = load(&loader, arguments, argument_count);
	if (status != STATUS_OK) {
		process_unload(process);
	}
	return status;
}

void process_unload(struct process *process)
{
	syscall_flush_log(process);
	syscall_release_files(process);
	if (process->simd_page.raw != 0) {
		secure_zero(simd_area(process), PROCESS_SIMD_PAGES * PAGE_BYTES);
		kernel_memory_give(process->environment.memory, process->simd_page,
				   PROCESS_SIMD_PAGES);
		process->simd_page.raw = 0;
	}
	process_free_space(process);
	secure_zero(&process->channel, sizeof(process->channel));
	process->state = PROCESS_EMPTY;
}

bool process_may_log(struct process *process)
{
	const struct clock *clock = process->environment.clock;
	switch (log_budget_take(&process->log_budget, clock->now_us(clock->context))) {
	case LOG_BUDGET_GRANTED: return true;
	case LOG_BUDGET_LAST:
		log_write(LOG_WARNING, "user", "%s writes too much: lines are dropped",
			  process->name);
		return false;
	case LOG_BUDGET_REFUSED: return false;
	}
	return false;
}

void process_kill(struct process *process, const struct process_death *death)
{
	process->death = *death;
	process->state = PROCESS_DEAD;
}

/* Ring 3 did something that the CPU refused. */
static void handle_fault(struct process *process, uint64_t page_fault_address)
{
	const struct trap_frame *frame = &process->context.frame;
	struct process_death death = {
		.status = STATUS_FAULTED,
		.vector = frame->vector,
		.address = frame->vector == VECTOR_PAGE_FAULT ? page_fault_address : frame->rip,
	};
	process_kill(process, &death);
	log_write(LOG_WARNING, "user",
		  "%s killed: FAULTED (vector %lu, address 0x%lx) at rip 0x%lx", process->name,
		  frame->vector, death.address, frame->rip);
}

/* It went on where nobody can: IRETQ would refuse the frame, in ring 0. */
static void handle_bad_frame(struct process *process)
{
	uint64_t rip = process->context.frame.rip;
	process_kill(process, &(struct process_death){.status = STATUS_FAULTED, .address = rip});
	log_write(LOG_WARNING, "user", "%s killed: FAULTED (cannot go on at rip 0x%lx)",
		  process->name, rip);
}

static void handle_return(struct process *process, uint64_t cr2)
{
	const struct process_environment *environment = &process->environment;
	uint64_t vector = process->context.frame.vector;
	if (vector == VECTOR_SYSCALL) {
		syscall_handle(process);
	} else if (vector < VECTOR_FIRST_IRQ && vector != VECTOR_NMI) {
		handle_fault(process, cr2);
	} else {
		interrupts_take(environment->percpu->svsm, vector);
		if (environment->tick != NULL) {
			environment->tick(environment->owner);
		}
	}
}

static void run_once(struct process *process)
{
	const struct process_environment *environment = &process->environment;
	if (!user_frame_is_sound(&process->context.frame)) {
		handle_bad_frame(process);
		return;
	}
	apic_timer_set(environment->apic, TICK_US);
	cpu_xrstor(simd_area(process), environment->xcr0);
	user_run(&process->context, environment->percpu);
	uint64_t cr2 = cpu_cr2();
	/* The entry code's promise: nothing that ring 3 can set is set here, above all not AC, with
	 * which SMAP is off. */
	CHECK((cpu_rflags() & (RFLAGS_IF | RFLAGS_TF | RFLAGS_DF | RFLAGS_AC)) == 0);
	cpu_xsave(simd_area(process), environment->xcr0);
	handle_return(process, cr2);
}

/* How long its turn lasted, when it is over. Whatever the program does: one that only makes system
 * calls, and never sees a tick, is bounded as well. */
static uint64_t run_turn(struct process *process, uint64_t left_us)
{
	const struct clock *clock = process->environment.clock;
	const uint64_t start_us = clock->now_us(clock->context);
	uint64_t used_us = 0;
	cpu_cr3_write(process->table.root.raw);
	if (process->state == PROCESS_WAITING) {
		/* The call that waits is still in the registers: try it again. */
		process->state = PROCESS_READY;
		syscall_handle(process);
	}
	while (process->state == PROCESS_READY && used_us < TICK_US && used_us < left_us) {
		run_once(process);
		used_us = clock->now_us(clock->context) - start_us;
	}
	apic_timer_stop(process->environment.apic);
	cpu_cr3_write(process->environment.memory->table.root.raw);
	return used_us;
}

void process_run(struct process *process, uint64_t timeout_us)
{
	const struct process_environment *environment = &process->environment;
	uint64_t left_us = timeout_us;
	for (;;) {
		const uint64_t used_us = run_turn(process, left_us);
		if (process->state != PROCESS_READY) {
			return;
		}
		if (used_us >= left_us) {
			process_kill(process, &(struct process_death){.status = STATUS_TIMEOUT});
			log_write(LOG_WARNING, "user", "%s killed: TIMEOUT", process->name);
			return;
		}
		left_us -= used_us;
		if (environment->yield != NULL) {
			environment->yield(environment->owner);
		}
	}
}
