// SPDX-License-Identifier: MIT
#include "user/vtpmd/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/format.h"

/* base/format instead of stdio: no locale, no buffers, nothing to flush when a crash follows. */
void log_line(const char *format, ...)
{
	char line[VTPMD_LOG_LINE_BYTES];
	va_list arguments;
	size_t size;
	ssize_t written;

	va_start(arguments, format);
	size = format_list(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	line[size] = '\n';
	written = write(STDERR_FILENO, line, size + 1);
	(void)written; /* There is no place left to complain. */
}
