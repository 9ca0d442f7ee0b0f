// SPDX-License-Identifier: MIT
#include "tools/holdfast/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/holdfast/host_file.h"
#include "tools/holdfast/output_file.h"

enum status whole_file_path(const char *folder, const char *name, char **path)
{
	return asprintf(path, "%s/%s", folder, name) > 0 ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status whole_file_read(const char *path, uint8_t *out, size_t size_max, size_t *size_bytes,
			    enum status absent, struct report *report)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return report_note(report, absent, path, "Cannot open: %s.", strerror(errno));
	}
	enum status status = host_file_read(fd, out, size_max, size_bytes);
	if (status != STATUS_OK) {
		status = report_note(report, status, path, "Cannot read: %s.", strerror(errno));
	}
	(void)close(fd);
	return status;
}

enum status whole_file_write(const char *path, const uint8_t *bytes, size_t size_bytes, mode_t mode,
			     bool force, struct report *report)
{
	struct output_file file;
	output_file_init(&file);
	enum status status = output_file_open(&file, path, force, report);
	if (status == STATUS_OK && fchmod(file.fd, mode) != 0) {
		status = report_note(report, STATUS_IO, path, "Cannot set its mode: %s.",
				     strerror(errno));
	}
	if (status == STATUS_OK) {
		status = output_file_write(&file, 0, bytes, size_bytes, report);
	}
	if (status == STATUS_OK) {
		status = output_file_finish(&file, size_bytes, report);
	}
	if (status == STATUS_OK) {
		status = output_file_publish(&file, report);
	}
	output_file_close(&file);
	return status;
}
