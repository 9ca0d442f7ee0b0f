// SPDX-License-Identifier: MIT
#include "tools/nbdkit/choices.h"

#include <stdlib.h>
#include <string.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "base/bytes.h"
#include "block/volume.h"

#define CACHE_BYTES_MAX        ((int64_t)64 << 30)
#define WITNESS_SYNC_DEFAULT_S 5u
#define WITNESS_SYNC_MAX_S     86400u

void choices_init(struct choices *choices)
{
	*choices = (struct choices){
		.cache_bytes = VOLUME_NODE_CACHE_BYTES_DEFAULT,
		.witness_sync_s = WITNESS_SYNC_DEFAULT_S,
	};
}

static int path_set(char **path, const char *value)
{
	free(*path);
	*path = nbdkit_absolute_path(value);
	return *path != NULL ? 0 : -1;
}

static int size_set(struct choices *choices, const char *value)
{
	choices->size_bytes = nbdkit_parse_size(value);
	if (choices->size_bytes == 0) {
		nbdkit_error("size=%s: an object has at least one byte", value);
	}
	return choices->size_bytes > 0 ? 0 : -1;
}

static int cache_set(struct choices *choices, const char *value)
{
	choices->cache_bytes = nbdkit_parse_size(value);
	if (choices->cache_bytes > CACHE_BYTES_MAX) {
		nbdkit_error("cache=%s: at most 64G", value);
		return -1;
	}
	return choices->cache_bytes >= 0 ? 0 : -1;
}

static int witness_sync_set(struct choices *choices, const char *value)
{
	choices->has_witness_sync = true;
	if (nbdkit_parse_unsigned("witness-sync", value, &choices->witness_sync_s) != 0) {
		return -1;
	}
	if (choices->witness_sync_s > WITNESS_SYNC_MAX_S) {
		nbdkit_error("witness-sync=%s: at most %u seconds", value, WITNESS_SYNC_MAX_S);
		return -1;
	}
	return 0;
}

static int read_only_set(struct choices *choices, const char *value)
{
	int read_only = nbdkit_parse_bool(value);
	choices->read_only = read_only == 1;
	return read_only < 0 ? -1 : 0;
}

static int object_set(struct choices *choices, const char *value)
{
	free(choices->object);
	choices->object = strdup(value);
	return choices->object != NULL ? 0 : -1;
}

int choices_set(struct choices *choices, const char *key, const char *value)
{
	const struct {
		const char *key;
		char **path;
	} paths[] = {
		{"image", &choices->image},
		{"key-file", &choices->key_file},
		{"passphrase-file", &choices->passphrase_file},
		{"recovery-key-file", &choices->recovery_key_file},
		{"witness", &choices->witness},
	};
	for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
		if (strcmp(key, paths[i].key) == 0) {
			return path_set(paths[i].path, value);
		}
	}
	if (strcmp(key, "object") == 0) {
		return object_set(choices, value);
	}
	if (strcmp(key, "size") == 0) {
		return size_set(choices, value);
	}
	if (strcmp(key, "cache") == 0) {
		return cache_set(choices, value);
	}
	if (strcmp(key, "witness-sync") == 0) {
		return witness_sync_set(choices, value);
	}
	if (strcmp(key, "readonly") == 0) {
		return read_only_set(choices, value);
	}
	nbdkit_error("unknown parameter '%s'", key);
	return -1;
}

int choices_check(const struct choices *choices)
{
	int keys = (choices->key_file != NULL ? 1 : 0) +
		   (choices->passphrase_file != NULL ? 1 : 0) +
		   (choices->recovery_key_file != NULL ? 1 : 0);
	if (choices->image == NULL || keys != 1) {
		nbdkit_error("image= and one of key-file=, passphrase-file=, recovery-key-file= "
			     "are needed");
		return -1;
	}
	if (choices->read_only && choices->size_bytes != 0) {
		nbdkit_error("size= changes the object, readonly= forbids that");
		return -1;
	}
	if (choices->has_witness_sync && choices->witness == NULL) {
		nbdkit_error("witness-sync= is how often the witness is told: witness= names it");
		return -1;
	}
	return 0;
}

void choices_free(struct choices *choices)
{
	free(choices->image);
	free(choices->key_file);
	free(choices->passphrase_file);
	free(choices->recovery_key_file);
	free(choices->witness);
	free(choices->object);
}
