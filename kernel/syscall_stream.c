// SPDX-License-Identifier: MIT
/* Descriptors 0 to 2: commands in, responses out, the log. */
#include <asm-generic/errno-base.h>

#include "base/bytes.h"
#include "base/log.h"
#include "kernel/process.h"
#include "kernel/syscall.h"

#define FD_COMMAND          0
#define FD_RESPONSE         1u
#define FD_LOG              2u

#define LOG_WRITE_BYTES_MAX 4096u
#define LOG_PART_BYTES      128u
#define IOVEC_COUNT_MAX     16u
#define POLLPRI_BIT         2 /* <asm-generic/poll.h> */

struct user_iovec {
	uint64_t base;
	uint64_t size;
};

struct user_pollfd {
	int32_t fd;
	int16_t events;
	int16_t returned;
};

void syscall_flush_log(struct process *process)
{
	if (process->log_line_used == 0) {
		return;
	}
	process->log_line[process->log_line_used] = '\0';
	if (process_may_log(process)) {
		log_write(LOG_NOTICE, process->name, "%s", process->log_line);
	}
	process->log_line_used = 0;
}

/* Lines of printable characters: a program cannot move the console's cursor. */
static void log_byte(struct process *process, char c)
{
	if (c == '\n') {
		syscall_flush_log(process);
		return;
	}
	process->log_line[process->log_line_used++] = c >= ' ' && c <= '~' ? c : '?';
	if (process->log_line_used == PROCESS_LOG_LINE_BYTES - 1) {
		syscall_flush_log(process);
	}
}

static int64_t write_log(struct process *process, uint64_t buffer, uint64_t size)
{
	char part[LOG_PART_BYTES];
	if (size > LOG_WRITE_BYTES_MAX) {
		size = LOG_WRITE_BYTES_MAX;
	}
	for (uint64_t done = 0; done < size;) {
		uint64_t count = size - done < sizeof(part) ? size - done : sizeof(part);
		if (user_copy_in(&process->space, part, (struct user_addr){buffer + done}, count) !=
		    STATUS_OK) {
			return done == 0 ? -EFAULT : (int64_t)done;
		}
		for (uint64_t i = 0; i < count; i++) {
			log_byte(process, part[i]);
		}
		done += count;
	}
	return (int64_t)size;
}

/* One write is one response; a second one before the next command has no reader. */
static int64_t write_response(struct process *process, uint64_t buffer, uint64_t size)
{
	struct process_channel *channel = &process->channel;
	if (size == 0 || size > PROCESS_RESPONSE_BYTES) {
		return -EINVAL;
	}
	if (channel->response_size_bytes != 0) {
		return -EPIPE;
	}
	if (user_copy_in(&process->space, channel->response, (struct user_addr){buffer}, size) !=
	    STATUS_OK) {
		return -EFAULT;
	}
	channel->response_size_bytes = size;
	return (int64_t)size;
}

/* One read is one command. A buffer that it does not fit into is the program's mistake; the command
 * stays. */
static int64_t read_command(struct process *process, uint64_t buffer, uint64_t size)
{
	struct process_channel *channel = &process->channel;
	if (channel->command_size_bytes == 0) {
		uint64_t room = size < PROCESS_COMMAND_BYTES ? size : PROCESS_COMMAND_BYTES;
		if (user_range_check(&process->space, (struct user_addr){buffer}, room, true) !=
		    STATUS_OK) {
			return -EFAULT;
		}
		process->state = PROCESS_WAITING;
		return 0;
	}
	if (size < channel->command_size_bytes) {
		return -EINVAL;
	}
	if (user_copy_out(&process->space, (struct user_addr){buffer}, channel->command,
			  channel->command_size_bytes) != STATUS_OK) {
		return -EFAULT;
	}
	int64_t result = (int64_t)channel->command_size_bytes;
	secure_zero(channel->command, sizeof(channel->command));
	channel->command_size_bytes = 0;
	return result;
}

int64_t syscall_read(struct process *process, const struct syscall_arguments *arguments)
{
	if (arguments->a == FD_COMMAND) {
		return read_command(process, arguments->b, arguments->c);
	}
	if (arguments->a <= FD_LOG) {
		return -EBADF;
	}
	return syscall_file_read(process, arguments->a, arguments->b, arguments->c);
}

int64_t syscall_write(struct process *process, const struct syscall_arguments *arguments)
{
	if (arguments->a == FD_LOG) {
		return write_log(process, arguments->b, arguments->c);
	}
	if (arguments->a == FD_RESPONSE) {
		return write_response(process, arguments->b, arguments->c);
	}
	if (arguments->a == FD_COMMAND) {
		return -EBADF;
	}
	return syscall_file_write(process, arguments->a, arguments->b, arguments->c);
}

int64_t syscall_writev(struct process *process, const struct syscall_arguments *arguments)
{
	int64_t total = 0;
	/* The C library's last words. A response or an object is written whole, by write(2). */
	if (arguments->a != FD_LOG || arguments->c > IOVEC_COUNT_MAX) {
		return -EINVAL;
	}
	for (uint64_t i = 0; i < arguments->c; i++) {
		struct user_iovec vector;
		struct user_addr at = {arguments->b + i * sizeof(vector)};
		if (user_copy_in(&process->space, &vector, at, sizeof(vector)) != STATUS_OK) {
			return total == 0 ? -EFAULT : total;
		}
		if (vector.size == 0) {
			continue;
		}
		int64_t result = write_log(process, vector.base, vector.size);
		if (result < 0) {
			return total == 0 ? result : total;
		}
		total += result;
	}
	return total;
}

/* One question only: has the command that is being carried out been cancelled? */
int64_t syscall_poll(struct process *process, const struct syscall_arguments *arguments)
{
	struct user_pollfd descriptor;
	struct user_addr at = {arguments->a};
	if (arguments->b != 1 || arguments->c != 0) {
		return -EINVAL;
	}
	if (user_copy_in(&process->space, &descriptor, at, sizeof(descriptor)) != STATUS_OK) {
		return -EFAULT;
	}
	if (descriptor.fd != FD_COMMAND || descriptor.events != POLLPRI_BIT) {
		return -EINVAL;
	}
	descriptor.returned = process->cancelled ? POLLPRI_BIT : 0;
	if (user_copy_out(&process->space, at, &descriptor, sizeof(descriptor)) != STATUS_OK) {
		return -EFAULT;
	}
	return process->cancelled ? 1 : 0;
}
