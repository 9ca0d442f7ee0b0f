// SPDX-License-Identifier: MIT
#include "kernel/syscall.h"

#include <asm-generic/errno.h>
#include <asm/unistd_64.h>

#include "arch/cpu.h"
#include "base/bytes.h"
#include "base/log.h"
#include "kernel/process.h"

#define ARCH_SET_FS         0x1002u /* <asm/prctl.h> */
#define CLOCK_MONOTONIC_ID  1u      /* <linux/time.h> */
#define CLOCK_CPUTIME_ID    2u
#define FUTEX_WAKE_OP       1u /* <linux/futex.h> */
#define FUTEX_OP_MASK       0x7fu
#define GETRANDOM_BYTES_MAX 256u
#define GETRANDOM_NONBLOCK  1u /* <linux/random.h>; we never block. */
#define ONLY_PROCESS_ID     1

typedef int64_t (*syscall_handler)(struct process *process,
				   const struct syscall_arguments *arguments);

static int64_t do_arch_prctl(struct process *process, const struct syscall_arguments *arguments)
{
	/* A non-canonical base would fault in ring 0 when it is loaded. */
	if (arguments->a != ARCH_SET_FS) {
		return -EINVAL;
	}
	if (arguments->b >= PAGE_TABLE_USER_END) {
		return -EPERM;
	}
	process->context.fs_base = arguments->b;
	return 0;
}

static int64_t do_exit(struct process *process, const struct syscall_arguments *arguments)
{
	process_kill(process, &(struct process_death){
				      .status = STATUS_OK,
				      .exit_code = (int)(arguments->a & 0xff),
			      });
	return 0;
}

/* abort(3) ends in a signal to oneself: the end of the program. */
static int64_t do_kill(struct process *process, const struct syscall_arguments *arguments)
{
	(void)arguments;
	log_write(LOG_WARNING, "user", "%s killed: FAULTED (it aborted)", process->name);
	process_kill(process, &(struct process_death){.status = STATUS_FAULTED});
	return 0;
}

/* Nobody ever waits, so waking finds nobody. Waiting would be for ever. */
static int64_t do_futex(struct process *process, const struct syscall_arguments *arguments)
{
	if ((arguments->b & FUTEX_OP_MASK) == FUTEX_WAKE_OP) {
		return 0;
	}
	log_write(LOG_WARNING, "user", "%s killed: FAULTED (it waits for itself)", process->name);
	process_kill(process, &(struct process_death){.status = STATUS_FAULTED});
	return 0;
}

/* Up to 256 bytes, as Linux promises them in one piece; a longer request gets its first 256. */
static int64_t do_getrandom(struct process *process, const struct syscall_arguments *arguments)
{
	uint8_t bytes[GETRANDOM_BYTES_MAX];
	uint64_t size = arguments->b;
	if ((arguments->c & ~(uint64_t)GETRANDOM_NONBLOCK) != 0) {
		return -EINVAL;
	}
	if (size > sizeof(bytes)) {
		size = sizeof(bytes);
	}
	if (random_fill(process->environment.random, bytes, size) != STATUS_OK) {
		return -EIO;
	}
	enum status status =
		user_copy_out(&process->space, (struct user_addr){arguments->a}, bytes, size);
	secure_zero(bytes, sizeof(bytes));
	return status == STATUS_OK ? (int64_t)size : -EFAULT;
}

struct user_timespec {
	int64_t seconds;
	int64_t nanoseconds;
};

/* Both clocks are time since boot. There is no wall clock that could be trusted. */
static int64_t do_clock_gettime(struct process *process, const struct syscall_arguments *arguments)
{
	const struct clock *clock = process->environment.clock;
	if (arguments->a != CLOCK_MONOTONIC_ID && arguments->a != CLOCK_CPUTIME_ID) {
		return -EINVAL;
	}
	uint64_t now_us = clock->now_us(clock->context);
	struct user_timespec time = {
		.seconds = (int64_t)(now_us / 1000000),
		.nanoseconds = (int64_t)(now_us % 1000000 * 1000),
	};
	enum status status = user_copy_out(&process->space, (struct user_addr){arguments->b}, &time,
					   sizeof(time));
	return status == STATUS_OK ? 0 : -EFAULT;
}

static int64_t do_get_id(struct process *process, const struct syscall_arguments *arguments)
{
	(void)process;
	(void)arguments;
	return ONLY_PROCESS_ID;
}

/* Accepted without effect: one thread, no signals, memory advice. */
static int64_t do_nothing(struct process *process, const struct syscall_arguments *arguments)
{
	(void)process;
	(void)arguments;
	return 0;
}

/* Known, and refused so that the C library takes its other way. */
static int64_t do_refuse(struct process *process, const struct syscall_arguments *arguments)
{
	(void)process;
	(void)arguments;
	return -ENOSYS;
}

static int64_t do_no_link(struct process *process, const struct syscall_arguments *arguments)
{
	(void)process;
	(void)arguments;
	return -ENOENT;
}

struct syscall_row {
	uint16_t number;
	syscall_handler handler;
};

static const struct syscall_row syscall_table[] = {
	{__NR_read, syscall_read},
	{__NR_write, syscall_write},
	{__NR_writev, syscall_writev},
	{__NR_poll, syscall_poll},
	{__NR_openat, syscall_openat},
	{__NR_close, syscall_close},
	{__NR_pread64, syscall_pread64},
	{__NR_pwrite64, syscall_pwrite64},
	{__NR_ftruncate, syscall_ftruncate},
	{__NR_fsync, syscall_fsync},
	{__NR_newfstatat, syscall_newfstatat},
	{__NR_unlink, syscall_unlink},
	{__NR_unlinkat, syscall_unlinkat},
	{__NR_mmap, syscall_mmap},
	{__NR_munmap, syscall_munmap},
	{__NR_mprotect, syscall_mprotect},
	{__NR_brk, syscall_brk},
	{__NR_arch_prctl, do_arch_prctl},
	{__NR_getrandom, do_getrandom},
	{__NR_clock_gettime, do_clock_gettime},
	{__NR_exit, do_exit},
	{__NR_exit_group, do_exit},
	{__NR_tgkill, do_kill},
	{__NR_getpid, do_get_id},
	{__NR_gettid, do_get_id},
	{__NR_set_tid_address, do_get_id},
	{__NR_set_robust_list, do_nothing},
	{__NR_rt_sigaction, do_nothing},
	{__NR_rt_sigprocmask, do_nothing},
	{__NR_madvise, do_nothing},
	{__NR_futex, do_futex},
	{__NR_rseq, do_refuse},
	{__NR_prlimit64, do_refuse},
	{__NR_readlink, do_no_link},
};

static syscall_handler find_handler(uint64_t number)
{
	for (size_t i = 0; i < ARRAY_COUNT(syscall_table); i++) {
		if (syscall_table[i].number == number) {
			return syscall_table[i].handler;
		}
	}
	return NULL;
}

static int64_t unknown_call(struct process *process, uint64_t number)
{
	bool known_number = number < PROCESS_CALL_NUMBERS;
	uint64_t bit = known_number ? (uint64_t)1 << (number % 64) : 0;
	uint64_t *logged = &process->unknown_logged[known_number ? number / 64 : 0];
	if (known_number && (*logged & bit) == 0) {
		*logged |= bit;
		log_write(LOG_NOTICE, "user", "%s: unknown system call %lu: ENOSYS", process->name,
			  number);
	}
	return -ENOSYS;
}

void syscall_handle(struct process *process)
{
	struct trap_frame *frame = &process->context.frame;
	const struct syscall_arguments arguments = {
		.a = frame->rdi,
		.b = frame->rsi,
		.c = frame->rdx,
		.d = frame->r10,
		.e = frame->r8,
		.f = frame->r9,
	};
	uint64_t number = frame->rax;
	syscall_handler handler = find_handler(number);
	int64_t result =
		handler == NULL ? unknown_call(process, number) : handler(process, &arguments);
	/* A call that waits leaves its number in rax: it is tried again. */
	if (process->state == PROCESS_READY) {
		frame->rax = (uint64_t)result;
	}
}
