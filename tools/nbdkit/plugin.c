// SPDX-License-Identifier: MIT
/* nbdkit plugin: the device of a Holdfast volume, or one of its objects, as a network block device.
 * docs/nbd.md. nbdkit's side of it: errors, and which request is which. choices.h has the
 * parameters, disk.h the rest. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "tools/holdfast/session.h"
#include "tools/nbdkit/choices.h"
#include "tools/nbdkit/disk.h"
#include "tools/nbdkit/errno_of.h"
#include "tools/nbdkit/witness_timer.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

/* What is looked at for extents while the lock is held: milliseconds, if it is all data. */
#define EXTENT_LOOK_BYTES ((uint64_t)256 << 20)

/* nbdkit loads a plugin once, and hands no context to most of its functions. */
static struct plugin {
	struct choices choices;
	bool is_open;
	struct session session;
	struct disk disk;
	struct witness_timer witness_timer;
} the_plugin;

/* ---- Errors -------------------------------------------------------------------------------- */

/* 0, or -1 with the error in the log and in errno. */
static int answer(enum status status, const char *operation, uint64_t offset_bytes,
		  uint64_t size_bytes)
{
	uint64_t damaged_at = 0;
	if (status == STATUS_OK) {
		return 0;
	}
	if (status == STATUS_AUTH_DATA &&
	    disk_damage_find(&the_plugin.disk, offset_bytes, size_bytes, &damaged_at)) {
		nbdkit_error("%s at %" PRIu64 ": %s: block %" PRIu64 ", bytes %" PRIu64
			     " to %" PRIu64 ": %s",
			     operation, offset_bytes, status_name(status), damaged_at / BLOCK_BYTES,
			     damaged_at, damaged_at + BLOCK_BYTES - 1, status_advice(status));
	} else {
		nbdkit_error("%s at %" PRIu64 ": %s: %s", operation, offset_bytes,
			     status_name(status), status_advice(status));
	}
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
	choices_init(&the_plugin.choices);
	session_init(&the_plugin.session);
}

static int plugin_config(const char *key, const char *value)
{
	return choices_set(&the_plugin.choices, key, value);
}

static int plugin_config_complete(void)
{
	return choices_check(&the_plugin.choices);
}

/* ---- Life ---------------------------------------------------------------------------------- */

static enum status explain_device(enum status status, const char *name, struct report *report)
{
	if (status == STATUS_INVALID && the_plugin.choices.size_bytes != 0) {
		return report_note(report, status, name,
				   "size= is for objects; a device has the volume's size.");
	}
	if (status == STATUS_NOT_FOUND) {
		return report_note(report, status, name,
				   "A volume of the block profile has one object, '" DEVICE_NAME
				   "'.");
	}
	return session_explain_object(&the_plugin.session, status, name, report);
}

static enum status explain_object(enum status status, const char *name, struct report *report)
{
	if (name == NULL) {
		return report_note(report, status, the_plugin.choices.image,
				   "A volume of the state profile: object= has to name one.");
	}
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

static enum status open_disk(struct report *report)
{
	const char *name = the_plugin.choices.object;
	enum status status = disk_open(&the_plugin.disk, &the_plugin.session, name,
				       (uint64_t)the_plugin.choices.size_bytes);
	the_plugin.is_open = status == STATUS_OK;
	if (status == STATUS_OK) {
		return status;
	}
	status = the_plugin.disk.is_device ? explain_device(status, name, report)
					   : explain_object(status, name, report);
	disk_close(&the_plugin.disk);
	return status;
}

/* Before nbdkit listens or goes to the background: who cannot serve does not start. */
static int plugin_get_ready(void)
{
	const struct key_choice key = {.raw_file = the_plugin.choices.key_file,
				       .passphrase_file = the_plugin.choices.passphrase_file,
				       .recovery_file = the_plugin.choices.recovery_key_file};
	struct report report;
	report_init(&report, the_plugin.choices.image);
	the_plugin.session.witness_choice.path = the_plugin.choices.witness;
	the_plugin.session.cache_bytes = (size_t)the_plugin.choices.cache_bytes;
	enum status status = session_open(
		&the_plugin.session, the_plugin.choices.image, &key,
		the_plugin.choices.read_only ? FILE_ACCESS_READ : FILE_ACCESS_WRITE, &report);
	if (status == STATUS_OK) {
		status = open_disk(&report);
	}
	return status == STATUS_OK ? 0 : refuse(&report, status);
}

/* For the log: no request waits for it. */
static void witness_report(enum status status)
{
	if (status == STATUS_OK) {
		nbdkit_debug("the witness has everything again");
	} else {
		nbdkit_error("witness: %s: %s", status_name(status), status_advice(status));
	}
}

/* Threads do not survive the fork into the background, so not before. */
static int plugin_after_fork(void)
{
	if (the_plugin.choices.witness == NULL || the_plugin.choices.witness_sync_s == 0 ||
	    the_plugin.choices.read_only) {
		return 0;
	}
	enum status status = witness_timer_start(&the_plugin.witness_timer, &the_plugin.disk,
						 the_plugin.choices.witness_sync_s, witness_report);
	return answer(status, "start of the witness's timer", 0, 0);
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
	(void)answer(disk_flush(&the_plugin.disk), "the last flush", 0, 0);
}

static void plugin_unload(void)
{
	witness_timer_stop(&the_plugin.witness_timer);
	if (the_plugin.is_open) {
		(void)answer(disk_flush(&the_plugin.disk), "the last flush", 0, 0);
		disk_close(&the_plugin.disk);
	}
	session_close(&the_plugin.session);
	choices_free(&the_plugin.choices);
}

/* ---- What it can do ------------------------------------------------------------------------ */

static int64_t plugin_get_size(void *handle)
{
	(void)handle;
	return (int64_t)the_plugin.disk.size_bytes;
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
	return the_plugin.choices.read_only ? 0 : 1;
}

/* Zeroing a part of a block, or any block of an object, reads it. */
static int plugin_can_fast_zero(void *handle)
{
	(void)handle;
	return the_plugin.disk.is_device ? 1 : 0;
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
	enum status status = disk_read(&the_plugin.disk, offset, buf, count);
	int result = answer(status, "read", offset, count);
	if (status == STATUS_READ_ONLY) {
		nbdkit_set_error(EIO); /* It is not the read that is forbidden. */
	}
	return result;
}

/* FUA asks for one write to be durable; the transaction it is in, and those before, come along. */
static enum status finish(enum status status, uint32_t flags)
{
	return status == STATUS_OK && (flags & NBDKIT_FLAG_FUA) != 0 ? disk_flush(&the_plugin.disk)
								     : status;
}

static int plugin_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset,
			 uint32_t flags)
{
	(void)handle;
	return answer(finish(disk_write(&the_plugin.disk, offset, buf, count), flags), "write",
		      offset, count);
}

static int plugin_flush(void *handle, uint32_t flags)
{
	(void)handle;
	(void)flags;
	return answer(disk_flush(&the_plugin.disk), "flush", 0, 0);
}

/* Whole blocks become holes without being touched, but a part of one has to be read and written. */
static bool has_whole_block(uint64_t offset, uint32_t count)
{
	uint64_t first = (offset + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
	return offset + count >= first + BLOCK_BYTES;
}

/* Zeroes are holes here, so trim and zero are the same, whatever the client said about holes. */
static int plugin_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	(void)handle;
	if ((flags & NBDKIT_FLAG_FAST_ZERO) != 0 && !has_whole_block(offset, count)) {
		nbdkit_set_error(EOPNOTSUPP);
		return -1;
	}
	return answer(finish(disk_zero(&the_plugin.disk, offset, count), flags), "zero", offset,
		      count);
}

static int plugin_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	(void)handle;
	return answer(finish(disk_zero(&the_plugin.disk, offset, count), flags), "trim", offset,
		      count);
}

/* Holes read as zeroes, with the same authority as data. */
static int plugin_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags,
			  struct nbdkit_extents *extents)
{
	(void)handle;
	for (uint64_t done = 0; done < count;) {
		uint64_t left = count - done;
		uint64_t extent = 0;
		bool is_hole = false;
		enum status status = disk_extent(
			&the_plugin.disk, offset + done,
			left < EXTENT_LOOK_BYTES ? left : EXTENT_LOOK_BYTES, &extent, &is_hole);
		if (status != STATUS_OK) {
			return answer(status, "block status", offset + done, 0);
		}
		uint32_t type = is_hole ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0;
		if (nbdkit_add_extent(extents, offset + done, extent, type) != 0) {
			return -1;
		}
		done += extent;
		if ((flags & NBDKIT_FLAG_REQ_ONE) != 0) {
			break;
		}
	}
	return 0;
}

static struct nbdkit_plugin plugin = {
	.name = "holdfast",
	.longname = "Holdfast volume",
	.version = HOLDFAST_VERSION,
	.description =
		"A Holdfast volume, or an object of one: encrypted, authenticated, crash-safe",
	.load = plugin_load,
	.unload = plugin_unload,
	.config = plugin_config,
	.config_complete = plugin_config_complete,
	.config_help = CHOICES_HELP,
	.magic_config_key = "image",
	.get_ready = plugin_get_ready,
	.after_fork = plugin_after_fork,
	.open = plugin_open,
	.close = plugin_close,
	.get_size = plugin_get_size,
	.block_size = plugin_block_size,
	.can_write = plugin_can_write,
	.can_flush = plugin_yes,
	.can_trim = plugin_yes,
	.can_zero = plugin_yes,
	.can_fast_zero = plugin_can_fast_zero,
	.can_extents = plugin_yes,
	.can_fua = plugin_can_fua,
	.can_multi_conn = plugin_yes,
	.is_rotational = plugin_no,
	.pread = plugin_pread,
	.pwrite = plugin_pwrite,
	.flush = plugin_flush,
	.trim = plugin_trim,
	.zero = plugin_zero,
	.extents = plugin_extents,
};

/* The one symbol that nbdkit looks for; its macro declares no prototype. */
NBDKIT_DLL_PUBLIC struct nbdkit_plugin *plugin_init(void);
NBDKIT_REGISTER_PLUGIN(plugin)
