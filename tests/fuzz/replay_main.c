// SPDX-License-Identifier: MIT
/* Runs a fuzz target over files, without libFuzzer: any compiler, deterministic.
 *
 *   replay_<target> [--mutations N] [--seed S] [--save FILE] PATH...
 *
 * A path is an input or a folder of inputs (one that is missing holds none). Each input is run as
 * it is, then N variants of it are: bytes changed, cut, doubled. A failure names the input, and
 * leaves the variant that failed in FILE. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_BYTES_MAX ((size_t)1 << 20)
#define PATH_BYTES_MAX  4096u

struct replay {
	unsigned long mutations;
	uint64_t random;
	unsigned long inputs;
	unsigned long runs;
};

/* For the signal handler. */
static const char *save_path;
static char running_path[PATH_BYTES_MAX];
static const uint8_t *running_bytes;
static size_t running_size;

static void say(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0) {
		_exit(2);
	}
}

/* Sanitizers end in abort() when abort_on_error is set, as the oracles do. */
static void on_abort(int number)
{
	(void)signal(number, SIG_DFL);
	say("failed on ");
	say(running_path);
	say(" or a variant of it\n");
	if (save_path != NULL) {
		const int file = open(save_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		if (file >= 0 && write(file, running_bytes, running_size) >= 0) {
			say("the input is in ");
			say(save_path);
			say("\n");
		}
	}
	(void)raise(number);
}

static void run(struct replay *replay, const uint8_t *bytes, size_t size)
{
	/* A block of exactly this size, so that ASan sees one byte too many. */
	uint8_t *copy = malloc(size > 0 ? size : 1);
	if (copy == NULL) {
		say("out of memory\n");
		exit(2);
	}
	if (size > 0) {
		memcpy(copy, bytes, size);
	}
	running_bytes = copy;
	running_size = size;
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	replay->runs++;
}

/* splitmix64. */
static uint64_t draw(struct replay *replay, uint64_t limit)
{
	uint64_t z = replay->random += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) % limit;
}

/* Change `bytes` (room for twice `size`) a little; returns the new size. */
static size_t mutate(struct replay *replay, uint8_t *bytes, size_t size)
{
	static const uint8_t favourites[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff};
	for (uint64_t i = 1 + draw(replay, 4); i > 0 && size > 0; i--) {
		const size_t at = (size_t)draw(replay, size);
		const size_t length = 1 + (size_t)draw(replay, size - at);
		switch (draw(replay, 6)) {
		case 0: bytes[at] = (uint8_t)draw(replay, 256); break;
		case 1: bytes[at] ^= (uint8_t)(1u << draw(replay, 8)); break;
		case 2: bytes[at] = favourites[draw(replay, sizeof(favourites))]; break;
		case 3: bytes[at] = (uint8_t)(bytes[at] + draw(replay, 9) - 4); break;
		case 4: size = at; break;
		default:
			memmove(bytes + draw(replay, size - length + 1), bytes + at, length);
			break;
		}
	}
	return size;
}

static void replay_bytes(struct replay *replay, const uint8_t *bytes, size_t size)
{
	uint8_t *variant = malloc(size > 0 ? size : 1);
	if (variant == NULL) {
		say("out of memory\n");
		exit(2);
	}
	run(replay, bytes, size);
	for (unsigned long i = 0; i < replay->mutations; i++) {
		if (size > 0) {
			memcpy(variant, bytes, size);
		}
		run(replay, variant, mutate(replay, variant, size));
	}
	free(variant);
	replay->inputs++;
}

static void replay_file(struct replay *replay, const char *path)
{
	static uint8_t bytes[INPUT_BYTES_MAX];
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		perror(path);
		exit(2);
	}
	const size_t size = fread(bytes, 1, sizeof(bytes), file);
	(void)fclose(file);
	(void)snprintf(running_path, sizeof(running_path), "%s", path);
	replay_bytes(replay, bytes, size);
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void replay_path(struct replay *replay, const char *path)
{
	struct dirent **entries;
	struct stat about;
	if (stat(path, &about) == 0 && S_ISREG(about.st_mode)) {
		replay_file(replay, path);
		return;
	}
	const int count = scandir(path, &entries, is_input, alphasort);
	for (int i = 0; i < count; i++) {
		char file[PATH_BYTES_MAX];
		const int length = snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (length > 0 && (size_t)length < sizeof(file)) {
			replay_file(replay, file);
		}
		free(entries[i]);
	}
	if (count >= 0) {
		free(entries);
	}
}

int main(int argc, char **argv)
{
	struct replay replay = {.random = 1};
	struct timespec started;
	struct timespec ended;
	(void)signal(SIGABRT, on_abort);
	(void)clock_gettime(CLOCK_MONOTONIC, &started);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--mutations") == 0 && i + 1 < argc) {
			replay.mutations = strtoul(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
			replay.random = strtoull(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--save") == 0 && i + 1 < argc) {
			save_path = argv[++i];
		} else {
			replay_path(&replay, argv[i]);
		}
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &ended);
	const double seconds = (double)(ended.tv_sec - started.tv_sec) +
			       (double)(ended.tv_nsec - started.tv_nsec) / 1e9;
	(void)printf("%lu inputs, %lu runs, %.1f s\n", replay.inputs, replay.runs, seconds);
	return replay.inputs > 0 ? 0 : 1;
}
