// SPDX-License-Identifier: MIT
/* brk, mmap, munmap, mprotect: anonymous private memory only, never executable. */
#include <asm-generic/errno-base.h>
#include <asm-generic/mman-common.h>

#include "kernel/process.h"
#include "kernel/syscall.h"
#include "kernel/user_mappings.h"

#define MAP_PRIVATE_ONLY 0x02u
#define MAP_KNOWN                                                                       \
	(MAP_PRIVATE_ONLY | MAP_ANONYMOUS | MAP_NORESERVE_IGNORED | MAP_STACK_IGNORED | \
	 MAP_POPULATE_IGNORED)
/* Hints that need no action: nothing is overcommitted, and everything is populated. */
#define MAP_NORESERVE_IGNORED 0x4000u
#define MAP_STACK_IGNORED     0x20000u
#define MAP_POPULATE_IGNORED  0x8000u

#define REQUEST_BYTES_MAX     ((uint64_t)PROCESS_PAGES_MAX * PAGE_BYTES)

int64_t syscall_mmap(struct process *process, const struct syscall_arguments *arguments)
{
	struct page_access access;
	uint64_t size_bytes;
	uint64_t address;
	uint64_t flags = arguments->d;
	if (user_access_decode(arguments->c, &access) != STATUS_OK ||
	    (flags & (MAP_PRIVATE_ONLY | MAP_ANONYMOUS)) != (MAP_PRIVATE_ONLY | MAP_ANONYMOUS) ||
	    (flags & ~(uint64_t)MAP_KNOWN) != 0) {
		return -EINVAL;
	}
	if (arguments->b > REQUEST_BYTES_MAX) {
		return -ENOMEM;
	}
	/* The address is a hint that we do not take. */
	if (user_range_decode(0, arguments->b, REQUEST_BYTES_MAX, &size_bytes) != STATUS_OK) {
		return -EINVAL;
	}
	if (user_mappings_place(&process->mappings, &process->table, size_bytes, &address) !=
		    STATUS_OK ||
	    process_map_zeroed(process, address, size_bytes, access) != STATUS_OK) {
		return -ENOMEM;
	}
	return (int64_t)address;
}

int64_t syscall_munmap(struct process *process, const struct syscall_arguments *arguments)
{
	uint64_t size_bytes;
	if (user_range_decode(arguments->a, arguments->b, REQUEST_BYTES_MAX, &size_bytes) !=
	    STATUS_OK) {
		return -EINVAL;
	}
	process_unmap(process, arguments->a, size_bytes);
	return 0;
}

int64_t syscall_mprotect(struct process *process, const struct syscall_arguments *arguments)
{
	struct page_access access;
	uint64_t size_bytes;
	if (user_access_decode(arguments->c, &access) != STATUS_OK) {
		return -EINVAL;
	}
	if (arguments->b == 0) {
		return 0;
	}
	if (user_range_decode(arguments->a, arguments->b, REQUEST_BYTES_MAX, &size_bytes) !=
	    STATUS_OK) {
		return -EINVAL;
	}
	if (process_protect(process, arguments->a, size_bytes, access) != STATUS_OK) {
		return -ENOMEM;
	}
	return 0;
}

/* Linux's brk returns the current end on failure; the C library compares. */
int64_t syscall_brk(struct process *process, const struct syscall_arguments *arguments)
{
	const struct page_access access = {.writable = true, .user = true};
	struct user_break_change change;
	if (user_break_decode(process->brk_start, process->brk_end, arguments->a, REQUEST_BYTES_MAX,
			      &change) != STATUS_OK) {
		return (int64_t)process->brk_end;
	}
	if (change.wanted_end > change.mapped_end &&
	    process_map_zeroed(process, change.mapped_end, change.wanted_end - change.mapped_end,
			       access) != STATUS_OK) {
		return (int64_t)process->brk_end;
	}
	if (change.wanted_end < change.mapped_end) {
		process_unmap(process, change.wanted_end, change.mapped_end - change.wanted_end);
	}
	process->brk_end = arguments->a;
	return (int64_t)process->brk_end;
}
