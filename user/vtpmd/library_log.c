// SPDX-License-Identifier: MIT
/* What libtpms may write to the log.
 *
 * When it enters failure mode it prints the whole command that led there, byte for byte, to fd 2.
 * A command can carry an authorisation value in clear, and the log goes to the host's console. So
 * the linker brings both of the library's ways to print an error here (--wrap): byte arrays are
 * dropped, and of a text only the first line passes, if it starts with the library's name. */
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "base/format.h"
#include "user/vtpmd/log.h"

/* libtpms' indentation for "always print, this is an error". */
#define INDENT_ERROR UINT_MAX

void __wrap_TPMLIB_LogPrintfA(unsigned int indent, const char *format, ...);
void __wrap_TPMLIB_LogArray(unsigned int indent, const unsigned char *bytes, size_t size);

void __wrap_TPMLIB_LogPrintfA(unsigned int indent, const char *format, ...)
{
	char text[VTPMD_LOG_LINE_BYTES];
	va_list arguments;

	if (indent != INDENT_ERROR || strncmp(format, "libtpms/", strlen("libtpms/")) != 0) {
		return;
	}
	va_start(arguments, format);
	(void)format_list(text, sizeof(text), format, arguments);
	va_end(arguments);
	text[strcspn(text, "\n")] = '\0';
	log_line("%s", text);
}

void __wrap_TPMLIB_LogArray(unsigned int indent, const unsigned char *bytes, size_t size)
{
	(void)indent;
	(void)bytes;
	(void)size;
}
