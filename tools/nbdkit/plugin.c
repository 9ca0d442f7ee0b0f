// SPDX-License-Identifier: MIT
/* nbdkit plugin: an object of a Holdfast volume as a network block device. docs/nbd.md.
 *
 * All connections share one object_device, and nbdkit serialises all requests, so a flush on any
 * connection makes durable what was acknowledged on every one, and none has a cache of its own:
 * that is what NBD_FLAG_CAN_MULTI_CONN promises. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "base/bytes.h"
#include "tools/holdfast/session.h"
#include "tools/nbdkit/object_device.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_SERIALIZE_ALL_REQUESTS

/* nbdkit loads a plugin once, and hands no context to most of its functions. */
static struct plugin {
	char *image;
	char *key_file;
	char *passphrase_file;
	char *recovery_key_file;
	char *object;
	int64_t size_bytes; /* 0: as it is. */
	bool read_only;
	bool is_open;
	struct session session;
	struct object_device *device;
} the_plugin;

/* ---- Errors -------------------------------------------------------------------------------- */

/* Only errors that the protocol can carry; nbdkit turns others into EINVAL, which would blame the
 * client. The status itself is in nbdkit's log. */
static int errno_of(enum status status)
{
	switch (status) {
	case STATUS_OK: return 0;
	case STATUS_NO_SPACE: return ENOSPC;
	case STATUS_NO_MEMORY: return ENOMEM;
	case STATUS_INVALID:
	case STATUS_TOO_LARGE: return EINVAL;
	case STATUS_READ_ONLY: return EROFS;
	case STATUS_TIMEOUT:
	case STATUS_AGAIN:
	case STATUS_NOT_FOUND:
	case STATUS_EXISTS:
	case STATUS_BUSY:
	case STATUS_LIMIT:
	case STATUS_BAD_HOST:
	case STATUS_BAD_GUEST:
	case STATUS_BAD_USER:
	case STATUS_BAD_CONFIG:
	case STATUS_IO:
	case STATUS_NO_DEVICE:
	case STATUS_NO_FLUSH:
	case STATUS_UNSUPPORTED:
	case STATUS_NO_ENTROPY:
	case STATUS_NOT_A_VOLUME:
	case STATUS_NEWER_FORMAT:
	case STATUS_WRONG_KEY:
	case STATUS_NO_KEY:
	case STATUS_AUTH_DATA:
	case STATUS_AUTH_META:
	case STATUS_TAMPER:
	case STATUS_ROLLBACK:
	case STATUS_FORK:
	case STATUS_UNANCHORED:
	case STATUS_DUPLICATE_VOLUME:
	case STATUS_TRUNCATED:
	case STATUS_FAULTED:
	case STATUS_AUTH_FAILED: return EIO;
	}
	return EIO;
}

/* 0, or -1 with the error in the log and in errno. */
static int answer(enum status status, const char *operation, uint64_t offset_bytes)
{
	if (status == STATUS_OK) {
		return 0;
	}
	nbdkit_error("%s at %llu: %s: %s", operation, (unsigned long long)offset_bytes,
		     status_name(status), status_advice(status));
	nbdkit_set_error(errno_of(status));
	return -1;
}

static int refuse(const struct report *report, enum status status)
{
	nbdkit_error("%s%s%s: %s", report->subject != NULL ? report->subject : "",
		     report->subject != NULL ? ": " : "", status_name(status),
		     report->detail[0] != '\0' ? report->detail : status_advice(status));
	return -1;
}

/* ---- Configuration ------------------------------------------------------------------------- */

static void plugin_load(void)
{
	/* Keys are in memory: no core dump. */
	const struct rlimit no_core = {.rlim_cur = 0, .rlim_max = 0};
	(void)setrlimit(RLIMIT_CORE, &no_core);
	session_init(&the_plugin.session);
}

static int config_path(char **path, const char *value)
{
	free(*path);
	*path = nbdkit_absolute_path(value);
	return *path != NULL ? 0 : -1;
}

static int config_size(const char *value)
{
	the_plugin.size_bytes = nbdkit_parse_size(value);
	if (the_plugin.size_bytes == 0) {
		nbdkit_error("size=%s: an object has at least one byte", value);
	}
	return the_plugin.size_bytes > 0 ? 0 : -1;
}

static int config_read_only(const char *value)
{
	int read_only = nbdkit_parse_bool(value);
	the_plugin.read_only = read_only == 1;
	return read_only < 0 ? -1 : 0;
}

static int config_object(const char *value)
{
	free(the_plugin.object);
	the_plugin.object = strdup(value);
	return the_plugin.object != NULL ? 0 : -1;
}

static int plugin_config(const char *key, const char *value)
{
	static const struct {
		const char *key;
		char **path;
	} paths[] = {
		{"image", &the_plugin.image},
		{"key-file", &the_plugin.key_file},
		{"passphrase-file", &the_plugin.passphrase_file},
		{"recovery-key-file", &the_plugin.recovery_key_file},
	};
	for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
		if (strcmp(key, paths[i].key) == 0) {
			return config_path(paths[i].path, value);
		}
	}
	if (strcmp(key, "object") == 0) {
		return config_object(value);
	}
	if (strcmp(key, "size") == 0) {
		return config_size(value);
	}
	if (strcmp(key, "readonly") == 0) {
		return config_read_only(value);
	}
	nbdkit_error("unknown parameter '%s'", key);
	return -1;
}

static int plugin_config_complete(void)
{
	int keys = (the_plugin.key_file != NULL ? 1 : 0) +
		   (the_plugin.passphrase_file != NULL ? 1 : 0) +
		   (the_plugin.recovery_key_file != NULL ? 1 : 0);
	if (the_plugin.image == NULL || the_plugin.object == NULL || keys != 1) {
		nbdkit_error("image=, object= and one of key-file=, passphrase-file=, "
			     "recovery-key-file= are needed");
		return -1;
	}
	if (the_plugin.read_only && the_plugin.size_bytes != 0) {
		nbdkit_error("size= changes the object, readonly= forbids that");
		return -1;
	}
	return 0;
}

#define CONFIG_HELP                                                           \
	"image=<PATH>              (required) The volume.\n"                  \
	"key-file=<PATH>           A key of 32 bytes; or\n"                   \
	"passphrase-file=<PATH>    a passphrase, the file's first line; or\n" \
	"recovery-key-file=<PATH>  a recovery key.\n"                         \
	"object=<NAME>             (required) The object to serve.\n"         \
	"size=<SIZE>               Make the object, or make it larger.\n"     \
	"readonly=<BOOL>           Share the image with other readers."

/* ---- Life ---------------------------------------------------------------------------------- */

static enum status open_object(struct report *report)
{
	const char *name = the_plugin.object;
	enum status status = object_device_open(the_plugin.device, &the_plugin.session.store, name,
						(uint64_t)the_plugin.size_bytes);
	if (status == STATUS_EXISTS) {
		return report_note(report, status, name,
				   "The object is larger than size=; nothing is cut off.");
	}
	if (status == STATUS_NOT_FOUND) {
		return report_note(report, status, name,
				   "There is no such object; size= makes one.");
	}
	if (status == STATUS_TOO_LARGE) {
		return report_note(
			report, status, name, "An object on this volume has at most %llu bytes.",
			(unsigned long long)store_object_bytes_max(&the_plugin.session.store));
	}
	return session_explain_object(&the_plugin.session, status, name, report);
}

/* Before nbdkit listens or goes to the background: who cannot serve does not start. */
static int plugin_get_ready(void)
{
	const struct key_choice key = {.raw_file = the_plugin.key_file,
				       .passphrase_file = the_plugin.passphrase_file,
				       .recovery_file = the_plugin.recovery_key_file};
	struct report report;
	report_init(&report, the_plugin.image);
	the_plugin.device = malloc(sizeof(*the_plugin.device));
	enum status status = the_plugin.device != NULL ? STATUS_OK : STATUS_NO_MEMORY;
	if (status == STATUS_OK) {
		status = session_open(&the_plugin.session, the_plugin.image, &key,
				      the_plugin.read_only ? FILE_ACCESS_READ : FILE_ACCESS_WRITE,
				      &report);
	}
	if (status == STATUS_OK) {
		status = open_object(&report);
	}
	the_plugin.is_open = status == STATUS_OK;
	return status == STATUS_OK ? 0 : refuse(&report, status);
}

static void *plugin_open(int readonly)
{
	(void)readonly; /* nbdkit sees to it that such a connection writes nothing. */
	return NBDKIT_HANDLE_NOT_NEEDED;
}

/* A client may leave without a flush, and then has no claim; but nothing is gained by losing what
 * it wrote. */
static void plugin_close(void *handle)
{
	(void)handle;
	(void)answer(object_device_flush(the_plugin.device), "the last flush", 0);
}

static void plugin_unload(void)
{
	if (the_plugin.is_open) {
		(void)answer(object_device_flush(the_plugin.device), "the last flush", 0);
		object_device_close(the_plugin.device);
	}
	free(the_plugin.device);
	session_close(&the_plugin.session);
	free(the_plugin.image);
	free(the_plugin.key_file);
	free(the_plugin.passphrase_file);
	free(the_plugin.recovery_key_file);
	free(the_plugin.object);
}

/* ---- What it can do ------------------------------------------------------------------------ */

static int64_t plugin_get_size(void *handle)
{
	(void)handle;
	return (int64_t)the_plugin.device->size_bytes;
}

static int plugin_block_size(void *handle, uint32_t *minimum, uint32_t *preferred,
			     uint32_t *maximum)
{
	(void)handle;
	*minimum = 1;
	*preferred = BLOCK_BYTES;
	*maximum = UINT32_MAX;
	return 0;
}

static int plugin_can_write(void *handle)
{
	(void)handle;
	return the_plugin.read_only ? 0 : 1;
}

static int plugin_can_fua(void *handle)
{
	(void)handle;
	return NBDKIT_FUA_NATIVE;
}

static int plugin_yes(void *handle)
{
	(void)handle;
	return 1;
}

static int plugin_no(void *handle)
{
	(void)handle;
	return 0;
}

/* ---- Requests ------------------------------------------------------------------------------ */

static int plugin_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	(void)handle;
	(void)flags;
	return answer(object_device_read(the_plugin.device, offset, buf, count), "read", offset);
}

/* FUA asks for one write to be durable; the transaction it is in, and those before, come along. */
static enum status finish(enum status status, uint32_t flags)
{
	return status == STATUS_OK && (flags & NBDKIT_FLAG_FUA) != 0
		       ? object_device_flush(the_plugin.device)
		       : status;
}

static int plugin_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset,
			 uint32_t flags)
{
	(void)handle;
	return answer(finish(object_device_write(the_plugin.device, offset, buf, count), flags),
		      "write", offset);
}

static int plugin_flush(void *handle, uint32_t flags)
{
	(void)handle;
	(void)flags;
	return answer(object_device_flush(the_plugin.device), "flush", 0);
}

/* Zeroes are holes here, so trim and zero are the same, whatever the client said about holes. */
static int plugin_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	(void)handle;
	return answer(finish(object_device_zero(the_plugin.device, offset, count), flags), "zero",
		      offset);
}

static int plugin_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	(void)handle;
	return answer(finish(object_device_zero(the_plugin.device, offset, count), flags), "trim",
		      offset);
}

static struct nbdkit_plugin plugin = {
	.name = "holdfast",
	.longname = "Holdfast volume",
	.version = HOLDFAST_VERSION,
	.description = "An object of a Holdfast volume: encrypted, authenticated, crash-safe",
	.load = plugin_load,
	.unload = plugin_unload,
	.config = plugin_config,
	.config_complete = plugin_config_complete,
	.config_help = CONFIG_HELP,
	.magic_config_key = "image",
	.get_ready = plugin_get_ready,
	.open = plugin_open,
	.close = plugin_close,
	.get_size = plugin_get_size,
	.block_size = plugin_block_size,
	.can_write = plugin_can_write,
	.can_flush = plugin_yes,
	.can_trim = plugin_yes,
	.can_zero = plugin_yes,
	.can_fua = plugin_can_fua,
	.can_multi_conn = plugin_yes,
	.is_rotational = plugin_no,
	.pread = plugin_pread,
	.pwrite = plugin_pwrite,
	.flush = plugin_flush,
	.trim = plugin_trim,
	.zero = plugin_zero,
};

/* The one symbol that nbdkit looks for; its macro declares no prototype. */
NBDKIT_DLL_PUBLIC struct nbdkit_plugin *plugin_init(void);
NBDKIT_REGISTER_PLUGIN(plugin)
