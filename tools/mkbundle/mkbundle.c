// SPDX-License-Identifier: MIT
/* mkbundle: write a boot bundle (boot/bundle.h). The output depends on nothing but the names and
 * the contents of the files, in the order given. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/sha256.h>

#include "base/addr.h"
#include "boot/bundle.h"

struct file {
	uint8_t *bytes;
	size_t size_bytes;
};

struct arguments {
	const char *output;
	const char *inputs[BUNDLE_ENTRIES_MAX]; /* "name=path". */
	uint32_t input_count;
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	switch (key) {
	case 'o': arguments->output = value; return 0;
	case ARGP_KEY_ARG:
		if (arguments->input_count == BUNDLE_ENTRIES_MAX) {
			argp_error(state, "at most %u entries", BUNDLE_ENTRIES_MAX);
		}
		arguments->inputs[arguments->input_count++] = value;
		return 0;
	case ARGP_KEY_END:
		if (arguments->output == NULL || arguments->input_count == 0) {
			argp_error(state, "an output and at least one NAME=PATH are needed");
		}
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static bool fail(const char *path)
{
	(void)fprintf(stderr, "mkbundle: %s: %s\n", path, strerror(errno));
	return false;
}

/* The caller frees file->bytes. */
static bool read_stream(FILE *stream, struct file *file)
{
	if (fseek(stream, 0, SEEK_END) != 0) {
		return false;
	}
	const long size = ftell(stream);
	if (size < 0 || fseek(stream, 0, SEEK_SET) != 0) {
		return false;
	}
	file->size_bytes = (size_t)size;
	file->bytes = malloc(file->size_bytes + 1); /* malloc(0) may be NULL. */
	return file->bytes != NULL &&
	       fread(file->bytes, 1, file->size_bytes, stream) == file->size_bytes;
}

static bool read_file(const char *path, struct file *file)
{
	FILE *stream = fopen(path, "rb");
	if (stream == NULL) {
		return fail(path);
	}
	const bool ok = read_stream(stream, file) || fail(path);
	(void)fclose(stream);
	return ok;
}

/* Split "name=path", read the file, describe it. */
static bool add_entry(struct bundle *bundle, struct file *file, const char *input)
{
	struct bundle_entry *entry = &bundle->entries[bundle->entry_count];
	const char *equals = strchr(input, '=');
	if (equals == NULL || (size_t)(equals - input) >= sizeof(entry->name)) {
		(void)fprintf(stderr, "mkbundle: %s: not NAME=PATH with a short name\n", input);
		return false;
	}
	memcpy(entry->name, input, (size_t)(equals - input));
	if (!read_file(equals + 1, file)) {
		return false;
	}
	entry->size_bytes = file->size_bytes;
	if (mbedtls_sha256_ret(file->bytes, file->size_bytes, entry->sha256, 0) != 0) {
		(void)fprintf(stderr, "mkbundle: %s: no SHA-256\n", input);
		return false;
	}
	bundle->entry_count++;
	return true;
}

static bool write_padded(FILE *stream, const struct file *file)
{
	static const uint8_t zero[PAGE_BYTES];
	const size_t padding_bytes = (0 - file->size_bytes) % PAGE_BYTES;
	return fwrite(file->bytes, 1, file->size_bytes, stream) == file->size_bytes &&
	       fwrite(zero, 1, padding_bytes, stream) == padding_bytes;
}

static bool write_bundle(const char *path, struct bundle *bundle, const struct file *files)
{
	uint8_t manifest[BUNDLE_MANIFEST_BYTES];
	const char *problem = NULL;
	if (bundle_encode(bundle, manifest, &problem) != STATUS_OK) {
		(void)fprintf(stderr, "mkbundle: %s: %s\n", path, problem);
		return false;
	}
	FILE *stream = fopen(path, "wb");
	if (stream == NULL) {
		return fail(path);
	}
	const struct file head = {.bytes = manifest, .size_bytes = sizeof(manifest)};
	bool ok = write_padded(stream, &head);
	for (uint32_t i = 0; ok && i < bundle->entry_count; i++) {
		ok = write_padded(stream, &files[i]);
	}
	if (fclose(stream) != 0 || !ok) {
		const bool failed = fail(path);
		(void)remove(path); /* Half a bundle is worse than none. */
		return failed;
	}
	return true;
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"output", 'o', "FILE", 0, "Write the bundle here", 0},
		{0},
	};
	const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "NAME=PATH...",
		.doc = "Write a Holdfast boot bundle. One entry has to be named kernel.",
	};
	struct arguments arguments = {.output = NULL};
	struct bundle bundle = {.entry_count = 0};
	struct file files[BUNDLE_ENTRIES_MAX] = {{.bytes = NULL}};
	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0) {
		return EXIT_FAILURE;
	}
	bool ok = true;
	for (uint32_t i = 0; ok && i < arguments.input_count; i++) {
		ok = add_entry(&bundle, &files[i], arguments.inputs[i]);
	}
	ok = ok && write_bundle(arguments.output, &bundle, files);
	for (uint32_t i = 0; i < BUNDLE_ENTRIES_MAX; i++) {
		free(files[i].bytes);
	}
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
