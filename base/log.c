// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <stdarg.h>

#include "base/format.h"

/* The listed exception: see the header. */
static struct {
	log_sink sink;
	void *context;
	enum log_level most_verbose;
} the_log;

void log_set_sink(log_sink sink, void *context, enum log_level most_verbose)
{
	the_log.sink = sink;
	the_log.context = context;
	the_log.most_verbose = most_verbose;
}

void log_write(enum log_level level, const char *module, const char *format, ...)
{
	if (the_log.sink == NULL || level > the_log.most_verbose) {
		return;
	}
	char line[LOG_LINE_BYTES];
	size_t used = format_text(line, sizeof(line), "%s: ", module);
	va_list arguments;
	va_start(arguments, format);
	(void)format_list(line + used, sizeof(line) - used, format, arguments);
	va_end(arguments);
	the_log.sink(the_log.context, level, line);
}
