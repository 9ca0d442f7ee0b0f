// SPDX-License-Identifier: MIT
/* A ring-3 program: its address space, registers and descriptors.
 *
 * There is no scheduler: process_run() runs the program on the calling CPU until it waits for a
 * command, ends, faults or uses up its time. Whatever the program passes is untrusted.
 *
 *   EMPTY -> READY -> WAITING <-> (running) -> DEAD -> EMPTY        (load, run, run, unload)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/trap_frame.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"
#include "crypto/random.h"
#include "kernel/apic.h"
#include "kernel/log_budget.h"
#include "kernel/memory.h"
#include "kernel/user_mappings.h"
#include "mm/page_table.h"
#include "mm/user_copy.h"
#include "vtpm/service_message.h"
#include "vtpm/store_file.h"

#define PROCESS_NAME_BYTES     32u
#define PROCESS_ARGUMENTS_MAX  8u
#define PROCESS_ARGUMENT_BYTES 64u
#define PROCESS_FILES_MAX      2u
#define PROCESS_FILES_FIRST    3 /* After stdin, stdout, stderr. */
#define PROCESS_COMMAND_BYTES  SERVICE_MESSAGE_BYTES_MAX
#define PROCESS_RESPONSE_BYTES 4096u
#define PROCESS_LOG_LINE_BYTES 160u
#define PROCESS_SIMD_PAGES     1u
/* A test program has a line for each case. */
#define PROCESS_LOG_LINES_BURST (HOLDFAST_PRODUCTION ? 200u : 4000u)
#define PROCESS_CALL_NUMBERS    512u
/* Pages that a program may hold: 24 MiB. Page tables come on top; where it can map anything is so
 * narrow that they stay below 200. */
#define PROCESS_PAGES_MAX   6144u
#define PROCESS_STACK_BYTES ((uint64_t)512 * 1024)

struct svsm;

enum process_state {
	PROCESS_EMPTY,
	PROCESS_READY,
	PROCESS_WAITING, /* In read(0), and there is no command. */
	PROCESS_DEAD,
};

/* One message each way, between read(0), write(1) and the kernel. */
struct process_channel {
	uint8_t command[PROCESS_COMMAND_BYTES];
	size_t command_size_bytes; /* 0: none. */
	uint8_t response[PROCESS_RESPONSE_BYTES];
	size_t response_size_bytes; /* 0: none. */
};

/* What a process borrows. */
struct process_environment {
	struct kernel_memory *memory;
	struct percpu *percpu;
	struct apic *apic;
	const struct clock *clock;
	struct random *random;
	const char *name;    /* In the log; NULL: the file's. */
	struct store *store; /* NULL: no "/store/". */
	/* The only object that the program can name; NULL: every one. It is its quota as well: no
	 * program can use up the objects, or more than one object's space. */
	const char *store_object;
	uint64_t xcr0;
	void *owner; /* For the two calls below. */
	/* Called about every 10 ms while the program runs; may be NULL. It must not run, unload or
	 * kill the process. */
	void (*tick)(void *owner);
	/* Called when the program has used the CPU for about 10 ms, and has not ended; may be NULL.
	 * Other programs may run in it. */
	void (*yield)(void *owner);
};

/* How it ended. */
struct process_death {
	enum status status; /* OK: it exited. FAULTED, TIMEOUT, NO_MEMORY. */
	int exit_code;
	uint64_t vector;
	uint64_t address; /* rip, or cr2 of a page fault. */
};

struct process {
	struct process_environment environment;
	enum process_state state;
	char name[PROCESS_NAME_BYTES];
	struct user_context context;
	struct page_table table;
	struct user_space space;
	struct phys_addr simd_page;
	uint64_t brk_start;
	uint64_t brk_end;
	struct user_mappings mappings;
	uint64_t page_count;
	struct process_channel channel;
	/* Whoever sent the command does not want it any more: POLLPRI on fd 0. */
	bool cancelled;
	struct store_file files[PROCESS_FILES_MAX];
	uint64_t file_position[PROCESS_FILES_MAX];
	struct phys_addr file_staging[PROCESS_FILES_MAX]; /* raw 0: none. */
	char log_line[PROCESS_LOG_LINE_BYTES];
	size_t log_line_used;
	struct log_budget log_budget; /* For every line that the program can cause. */
	uint64_t unknown_logged[PROCESS_CALL_NUMBERS / 64]; /* One log line a number. */
	struct process_death death;
};

/* Load a static ELF file and give it arguments. On failure the process is EMPTY and holds nothing.
 * STATUS_BAD_CONFIG: not such a file. STATUS_NO_MEMORY. STATUS_NO_ENTROPY: no random layout. */
MUST_CHECK enum status process_load(struct process *process,
				    const struct process_environment *environment, const char *name,
				    const uint8_t *file, size_t file_size_bytes,
				    const char *const arguments[], size_t argument_count);

/* Run until WAITING or DEAD, at most `timeout_us` (then it is killed); time in which others had
 * their turn does not count. */
void process_run(struct process *process, uint64_t timeout_us);

/* Give everything back. What was staged and not committed is gone. */
void process_unload(struct process *process);

/* End it now, from within a system call or from outside. */
void process_kill(struct process *process, const struct process_death *death);

/* May the program cause a log line now? If it just became too much, says so once. */
bool process_may_log(struct process *process);

/* For system calls: pages in the process's own space (kernel/process_memory.c). */
MUST_CHECK enum status process_map_zeroed(struct process *process, uint64_t address,
					  uint64_t size_bytes, struct page_access access);
void process_unmap(struct process *process, uint64_t address, uint64_t size_bytes);
MUST_CHECK enum status process_protect(struct process *process, uint64_t address,
				       uint64_t size_bytes, struct page_access access);
void process_free_space(struct process *process);
