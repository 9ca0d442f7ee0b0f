// SPDX-License-Identifier: MIT
/* Runs a fuzz target over files and variants of them, without libFuzzer: any compiler,
 * deterministic, and with next to nothing between two executions.
 *
 *   replay_<target> [--mutations N] [--seed S] [--save FILE] PATH...
 *   replay_<target> --seconds T [--seed S] [--save FILE] PATH...
 *
 * A path is an input or a folder of inputs (one that is missing holds none). Each input is run as
 * it is, and N variants of it are: bytes changed, cut, doubled, taken from another input. Then, for
 * T seconds, variants of inputs drawn at random. A failure names the input, and leaves the variant
 * that failed in FILE; so does an execution that does not end. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_BYTES_MAX ((size_t)1 << 20)
#define PATH_BYTES_MAX  4096u
/* An execution takes microseconds, with sanitizers milliseconds. */
#define HANG_CPU_SECONDS         20
#define RUNS_BETWEEN_CLOCK_READS 256u
/* Of what one variant takes from elsewhere, or loses: a few events, an operation. */
#define PIECE_BYTES_MAX 48u

struct input {
	uint8_t *bytes;
	size_t size;
	char *path;
};

static struct {
	unsigned long mutations;
	uint64_t random;
	struct input *inputs;
	size_t input_count;
} replay = {.random = 1};

/* For the signal handler. */
static const char *save_path;
static const char *running_path = "";
static const uint8_t *running_bytes;
static size_t running_size;
static volatile unsigned long runs;
static volatile sig_atomic_t interrupted;

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

/* Twice in the same execution: it does not end. */
static void on_timer(int number)
{
	static unsigned long runs_before;
	(void)number;
	if (runs == runs_before) {
		say("the execution does not end\n");
		abort();
	}
	runs_before = runs;
}

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static void handlers_set(void)
{
	const struct itimerval every = {{HANG_CPU_SECONDS, 0}, {HANG_CPU_SECONDS, 0}};
	(void)signal(SIGABRT, on_abort);
	(void)signal(SIGVTALRM, on_timer);
	(void)signal(SIGINT, on_interrupt);
	(void)signal(SIGTERM, on_interrupt);
	(void)setitimer(ITIMER_VIRTUAL, &every, NULL);
}

static void *allocate(size_t size)
{
	void *bytes = malloc(size > 0 ? size : 1);
	if (bytes == NULL) {
		say("out of memory\n");
		exit(2);
	}
	return bytes;
}

static void run(const uint8_t *bytes, size_t size)
{
	/* A block of exactly this size, so that ASan sees one byte too many. */
	uint8_t *copy = allocate(size);
	if (size > 0) {
		memcpy(copy, bytes, size);
	}
	running_bytes = copy;
	running_size = size;
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	runs++;
}

/* ---- Variants ----------------------------------------------------------------------------------
 */

/* splitmix64. */
static uint64_t draw(uint64_t limit)
{
	uint64_t z = replay.random += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) % limit;
}

/* A piece of any input, over what is at `at` or in front of it. Returns the new size. */
static size_t piece_put(uint8_t *bytes, size_t size, size_t at)
{
	const struct input *from = &replay.inputs[draw(replay.input_count)];
	if (from->size == 0) {
		return size;
	}
	const size_t first = (size_t)draw(from->size);
	const size_t left = from->size - first;
	const size_t length = 1 + (size_t)draw(left < PIECE_BYTES_MAX ? left : PIECE_BYTES_MAX);
	const bool inserts = draw(2) == 0 && size + length <= INPUT_BYTES_MAX;
	if (inserts) {
		memmove(bytes + at + length, bytes + at, size - at);
		size += length;
	}
	memcpy(bytes + at, from->bytes + first, length < size - at ? length : size - at);
	return size;
}

/* The end of any input behind all that is there: where inputs end in a script, it goes on. */
static size_t end_append(uint8_t *bytes, size_t size)
{
	const struct input *from = &replay.inputs[draw(replay.input_count)];
	const size_t limit = from->size < PIECE_BYTES_MAX ? from->size : PIECE_BYTES_MAX;
	const size_t length = limit > 0 ? 1 + (size_t)draw(limit) : 0;
	if (size + length > INPUT_BYTES_MAX) {
		return size;
	}
	memcpy(bytes + size, from->bytes + from->size - length, length);
	return size + length;
}

static size_t piece_cut(uint8_t *bytes, size_t size, size_t at)
{
	const size_t left = size - at;
	const size_t length = 1 + (size_t)draw(left < PIECE_BYTES_MAX ? left : PIECE_BYTES_MAX);
	memmove(bytes + at, bytes + at + length, left - length);
	return size - length;
}

/* Change `bytes` (INPUT_BYTES_MAX of room) a little; returns the new size. */
static size_t mutate(uint8_t *bytes, size_t size)
{
	static const uint8_t favourites[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff};
	for (uint64_t i = 1 + draw(4); i > 0 && size > 0; i--) {
		const size_t at = (size_t)draw(size);
		switch (draw(18)) {
		case 0: size = at; break;
		case 1: size = piece_cut(bytes, size, at); break;
		case 2:
		case 3:
		case 4: size = piece_put(bytes, size, at); break;
		case 5:
		case 6: size = end_append(bytes, size); break;
		case 7:
		case 8: bytes[at] ^= (uint8_t)(1u << draw(8)); break;
		case 9:
		case 10: bytes[at] = favourites[draw(sizeof(favourites))]; break;
		case 11:
		case 12: bytes[at] = (uint8_t)(bytes[at] + draw(9) - 4); break;
		default: bytes[at] = (uint8_t)draw(256); break;
		}
	}
	return size;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max)
{
	(void)size_max;
	return mutate(data, size);
}

/* As libFuzzer does it: the target changes the input if it knows how. */
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max,
						     unsigned int seed)
{
	(void)seed;
	return LLVMFuzzerMutate(data, size, size_max);
}

static void variant_run(const struct input *input)
{
	static uint8_t variant[INPUT_BYTES_MAX];
	running_path = input->path;
	memcpy(variant, input->bytes, input->size);
	const unsigned int seed = (unsigned int)draw(UINT32_MAX);
	run(variant, LLVMFuzzerCustomMutator(variant, input->size, sizeof(variant), seed));
}

/* ---- Inputs ------------------------------------------------------------------------------------
 */

static void input_load(const char *path)
{
	static uint8_t bytes[INPUT_BYTES_MAX];
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		perror(path);
		exit(2);
	}
	const size_t size = fread(bytes, 1, sizeof(bytes), file);
	(void)fclose(file);
	const size_t count = replay.input_count + 1;
	replay.inputs = realloc(replay.inputs, count * sizeof(replay.inputs[0]));
	struct input input = {.bytes = allocate(size), .size = size, .path = strdup(path)};
	if (replay.inputs == NULL || input.path == NULL) {
		say("out of memory\n");
		exit(2);
	}
	memcpy(input.bytes, bytes, size);
	replay.inputs[replay.input_count] = input;
	replay.input_count = count;
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void path_load(const char *path)
{
	struct dirent **entries;
	struct stat about;
	if (stat(path, &about) == 0 && S_ISREG(about.st_mode)) {
		input_load(path);
		return;
	}
	const int count = scandir(path, &entries, is_input, alphasort);
	for (int i = 0; i < count; i++) {
		char file[PATH_BYTES_MAX];
		const int length = snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (length > 0 && (size_t)length < sizeof(file)) {
			input_load(file);
		}
		free(entries[i]);
	}
	if (count >= 0) {
		free(entries);
	}
}

/* ---- Executions --------------------------------------------------------------------------------
 */

static void inputs_run(void)
{
	for (size_t i = 0; i < replay.input_count && interrupted == 0; i++) {
		const struct input *input = &replay.inputs[i];
		running_path = input->path;
		run(input->bytes, input->size);
		for (unsigned long j = 0; j < replay.mutations; j++) {
			variant_run(input);
		}
	}
}

static double seconds_now(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void variants_run(double end)
{
	while (interrupted == 0 && replay.input_count > 0 && seconds_now() < end) {
		for (unsigned int i = 0; i < RUNS_BETWEEN_CLOCK_READS; i++) {
			variant_run(&replay.inputs[draw(replay.input_count)]);
		}
	}
}

static double cpu_seconds(void)
{
	struct rusage usage;
	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{

	double seconds = 0;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--mutations") == 0 && i + 1 < argc) {
			replay.mutations = strtoul(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
			seconds = strtod(argv[++i], NULL);
		} else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
			replay.random = strtoull(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--save") == 0 && i + 1 < argc) {
			save_path = argv[++i];
		} else {
			path_load(argv[i]);
		}
	}
	handlers_set();
	inputs_run();
	variants_run(seconds_now() + seconds);
	const double cpu = cpu_seconds();
	(void)printf("%zu inputs, %lu executions, %lu with a lie, %.2f CPU s, %.0f a CPU second\n",
		     replay.input_count, runs, fuzz_lied_count, cpu, (double)runs / cpu);
	return replay.input_count > 0 ? 0 : 1;
}
