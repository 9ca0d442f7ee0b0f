// SPDX-License-Identifier: MIT
/* swtpm's back end "dir" writes a new file, renames it over the old one and flushes neither: what
 * it has acknowledged, a power cut may take. Preloaded into it, this makes each rename durable as
 * rename(2) can be: the file, the new name, the folder. It is what a swtpm that keeps the same
 * promise as we do would have to do at least.
 *
 * HOLDFAST_COUNTERS names a file of 16 bytes: renames, each of a file that was written, and
 * flushes. */
#include <dlfcn.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct counters {
	uint64_t writes;
	uint64_t flushes;
} * counters;

__attribute__((constructor)) static void counters_open(void)
{
	const char *path = getenv("HOLDFAST_COUNTERS");
	const int fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (fd < 0 || ftruncate(fd, sizeof(*counters)) != 0) {
		abort();
	}
	counters = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (counters == MAP_FAILED) {
		abort();
	}
}

static bool flush(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return false;
	}
	const bool done = fsync(fd) == 0;
	(void)close(fd);
	counters->flushes++;
	return done;
}

int rename(const char *from, const char *to)
{
	int (*real)(const char *, const char *) =
		(int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
	char copy[PATH_MAX];
	counters->writes++;
	if (!flush(from) || real(from, to) != 0) {
		return -1;
	}
	(void)snprintf(copy, sizeof(copy), "%s", to);
	return flush(dirname(copy)) ? 0 : -1;
}
