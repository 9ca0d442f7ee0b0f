// SPDX-License-Identifier: MIT
/* key generate, list, add, change, remove. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tools/holdfast/commands.h"
#include "tools/holdfast/host_file.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/key_file.h"
#include "tools/holdfast/recovery_key.h"
#include "tools/holdfast/session.h"

/* The result of a change. */
static enum status print_changed(const struct options *options, enum status status)
{
	if (status == STATUS_OK && options->json) {
		struct json json;
		json_result_open(&json, options->positional[0]);
		json_result_close(&json);
	}
	return status;
}

enum status key_generate(const struct options *options, struct report *report)
{
	return print_changed(options, key_file_generate(options->positional[0], report));
}

/* ---- List ---------------------------------------------------------------------------------- */

static const char *type_name(enum volume_key_type type)
{
	switch (type) {
	case VOLUME_KEY_RAW: return "raw";
	case VOLUME_KEY_PASSPHRASE: return "passphrase";
	case VOLUME_KEY_RECOVERY: return "recovery";
	}
	return "unknown";
}

static void print_keys(const struct volume_keyslot_info *keys, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		(void)printf("%" PRIu32 " %s\n", keys[i].slot, type_name(keys[i].type));
	}
}

static void print_keys_json(const struct volume_keyslot_info *keys, uint32_t count)
{
	struct json json;
	json_init(&json, stdout);
	json_open(&json, NULL, '{');
	json_string(&json, "status", status_name(STATUS_OK));
	json_number(&json, "slots", VOLUME_KEYSLOTS_MAX);
	json_open(&json, "keys", '[');
	for (uint32_t i = 0; i < count; i++) {
		json_open(&json, NULL, '{');
		json_number(&json, "slot", keys[i].slot);
		json_string(&json, "type", type_name(keys[i].type));
		json_number(&json, "key_generation", keys[i].key_generation);
		json_number(&json, "iterations", keys[i].iterations);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	(void)fputc('\n', stdout);
}

enum status key_list(const struct options *options, struct report *report)
{
	struct volume_keyslot_info keys[VOLUME_KEYSLOTS_MAX];
	struct session session;
	uint32_t count = 0;
	session_init(&session);
	session.witness_choice = options->witness;
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_READ, report);
	if (status == STATUS_OK) {
		count = volume_keyslots_list(session.volume, keys);
	}
	session_close(&session);
	if (status == STATUS_OK && options->json) {
		print_keys_json(keys, count);
	} else if (status == STATUS_OK) {
		print_keys(keys, count);
	}
	return status;
}

/* ---- Changes ------------------------------------------------------------------------------- */

/* Past stdio, whose buffer would keep a copy. The output is a file that --recovery-key-file
 * takes. */
static enum status print_recovery_key(const struct key_material *key, struct report *report)
{
	static const char heading[] = "# Holdfast recovery key: keep it where the image is not.\n";
	char text[RECOVERY_KEY_TEXT_BYTES];
	enum status status = recovery_key_format(key->bytes, text);
	if (status == STATUS_OK) {
		status = host_file_write(STDOUT_FILENO, (const uint8_t *)heading,
					 sizeof(heading) - 1);
	}
	if (status == STATUS_OK) {
		status = host_file_write(STDOUT_FILENO, (const uint8_t *)text, strlen(text));
	}
	secure_zero(text, sizeof(text));
	return status != STATUS_IO
		       ? status
		       : report_note(report, status, "standard output",
				     "Cannot write the recovery key: %s.", strerror(errno));
}

/* What a status means for a key; other causes are the session's to explain. */
static enum status explain(struct session *session, enum status status, struct report *report)
{
	static const struct {
		enum status status;
		const char *text;
	} texts[] = {
		{STATUS_EXISTS, "The new key opens this volume already."},
		{STATUS_LIMIT, "All keyslots are in use; remove a key first."},
		{STATUS_INVALID, "That is the last key: without it the volume would be lost. Add "
				 "another one first."},
		{STATUS_NOT_FOUND, "That keyslot is not in use; 'holdfast key list' shows which "
				   "are."},
		{STATUS_WRONG_KEY, "The key to be removed opens no keyslot of this volume."},
	};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		if (texts[i].status == status) {
			return report_note(report, status, session->file.path, "%s", texts[i].text);
		}
	}
	return session_explain(session, status, report);
}

static enum status new_key_get(struct key_material *key, const struct options *options,
			       struct report *report)
{
	return options->new_recovery_key ? key_material_make_recovery(key)
					 : key_material_read(key, &options->new_key, report);
}

/* Add, or put in the place of `old`. */
static enum status enrol(struct session *session, const struct key_material *old,
			 const struct key_material *made, struct report *report)
{
	struct volume_key key = key_material_key(made);
	enum status status = STATUS_OK;
	if (old == NULL) {
		status = volume_key_add(session->volume, &key);
	} else {
		struct volume_key old_key = key_material_key(old);
		status = volume_key_change(session->volume, &old_key, &key);
	}
	return explain(session, status, report);
}

/* A recovery key that could not be shown is of use to nobody: take it back. */
static enum status show(struct session *session, const struct key_material *old,
			const struct key_material *made, struct report *report)
{
	enum status status = print_recovery_key(made, report);
	if (status == STATUS_OK) {
		return status;
	}
	struct volume_key key = key_material_key(made);
	enum status undone = STATUS_OK;
	if (old == NULL) {
		undone = volume_key_remove(session->volume, &key);
	} else {
		struct volume_key old_key = key_material_key(old);
		undone = volume_key_change(session->volume, &key, &old_key);
	}
	if (undone != STATUS_OK) {
		(void)fprintf(stderr, "holdfast: the recovery key that was not shown is still in "
				      "use; 'holdfast key list' shows its slot\n");
	}
	return status;
}

static enum status add_or_change(const struct options *options, bool changes, struct report *report)
{
	struct session session;
	struct key_material old;
	struct key_material made = {.size_bytes = 0};
	session_init(&session);
	session.witness_choice = options->witness;
	enum status status = key_material_read(&old, &options->key, report);
	if (status == STATUS_OK) {
		status = new_key_get(&made, options, report);
	}
	if (status == STATUS_OK) {
		status = file_device_open(&session.file, options->positional[0], FILE_ACCESS_WRITE,
					  report);
	}
	if (status == STATUS_OK) {
		status = session_mount(&session, &old, report);
	}
	if (status == STATUS_OK) {
		status = enrol(&session, changes ? &old : NULL, &made, report);
	}
	if (status == STATUS_OK && options->new_recovery_key) {
		status = show(&session, changes ? &old : NULL, &made, report);
	}
	key_material_erase(&old);
	key_material_erase(&made);
	session_close(&session);
	return status;
}

enum status key_add(const struct options *options, struct report *report)
{
	return print_changed(options, add_or_change(options, false, report));
}

enum status key_change(const struct options *options, struct report *report)
{
	return print_changed(options, add_or_change(options, true, report));
}

enum status key_remove(const struct options *options, struct report *report)
{
	struct session session;
	struct key_material old = {.size_bytes = 0};
	bool by_slot = options->slot != OPTIONS_NO_SLOT;
	session_init(&session);
	session.witness_choice = options->witness;
	enum status status =
		by_slot ? STATUS_OK : key_material_read(&old, &options->old_key, report);
	if (status == STATUS_OK) {
		status = session_open(&session, options->positional[0], &options->key,
				      FILE_ACCESS_WRITE, report);
	}
	if (status == STATUS_OK) {
		struct volume_key key = key_material_key(&old);
		status = by_slot ? volume_keyslot_remove(session.volume, options->slot)
				 : volume_key_remove(session.volume, &key);
		status = explain(&session, status, report);
	}
	key_material_erase(&old);
	session_close(&session);
	return print_changed(options, status);
}
