// SPDX-License-Identifier: MIT
#include "tools/holdfast/tpm_object.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "tools/holdfast/object_put.h"
#include "tools/holdfast/object_remove.h"
#include "tools/holdfast/tpm_process.h"
#include "vtpm/instance.h"

/* To be closed in any case. */
static enum status open_image(struct session *session, const struct options *options,
			      enum file_access access, struct report *report)
{
	session_init(session);
	session->witness_choice = options->witness;
	enum status status =
		session_open(session, options->positional[0], &options->key, access, report);
	if (status == STATUS_OK && session_profile(session) == VOLUME_PROFILE_BLOCK) {
		status = report_note(report, STATUS_UNSUPPORTED, options->positional[0],
				     "A volume of the block profile has no TPM; make one of the "
				     "state profile.");
	}
	return status;
}

/* The same, and what the TPM of this instance is called there. */
static enum status open_instance(struct session *session, struct instance_names *names,
				 const struct options *options, enum file_access access,
				 struct report *report)
{
	instance_names_make(options->instance, names);
	return open_image(session, options, access, report);
}

static enum status check_free(struct session *session, const struct options *options,
			      const char *name, struct report *report)
{
	struct store_object_info info;
	enum status status = store_stat(&session->store, name, &info);
	if (status == STATUS_NOT_FOUND || (status == STATUS_OK && options->force)) {
		return STATUS_OK;
	}
	if (status == STATUS_OK) {
		return report_note(
			report, STATUS_EXISTS, options->positional[0],
			"The volume has a TPM %u; --force destroys it, with all its keys.",
			options->instance);
	}
	return session_explain(session, status, report);
}

enum status tpm_object_store(const struct options *options, const uint8_t *state,
			     size_t state_bytes, struct report *report)
{
	struct session session;
	struct instance_names names;
	enum status status = open_instance(&session, &names, options, FILE_ACCESS_WRITE, report);
	if (status == STATUS_OK) {
		status = check_free(&session, options, names.object, report);
	}
	if (status == STATUS_OK) {
		status = object_put(&session, names.object, state, state_bytes, report);
	}
	session_close(&session);
	return status;
}

static enum status read_object(struct session *session, const char *name, uint8_t **state,
			       size_t *state_bytes, struct report *report)
{
	struct store_object_info info;
	enum status status = store_stat(&session->store, name, &info);
	if (status == STATUS_NOT_FOUND) {
		return report_note(report, status, name,
				   "The volume does not have that TPM: boot it, or 'holdfast tpm "
				   "manufacture'.");
	}
	if (status != STATUS_OK) {
		return session_explain(session, status, report);
	}
	if (info.size_bytes == 0 || info.size_bytes > TPM_STATE_BYTES_MAX) {
		return report_note(report, STATUS_INVALID, name,
				   "Not a TPM's state: it has %llu bytes.",
				   (unsigned long long)info.size_bytes);
	}
	uint8_t *bytes = malloc((size_t)info.size_bytes);
	if (bytes == NULL) {
		return STATUS_NO_MEMORY;
	}
	status = store_read(&session->store, name, 0, bytes, (size_t)info.size_bytes);
	if (status != STATUS_OK) {
		secure_zero(bytes, (size_t)info.size_bytes);
		free(bytes);
		return session_explain(session, status, report);
	}
	*state = bytes;
	*state_bytes = (size_t)info.size_bytes;
	return STATUS_OK;
}

enum status tpm_object_load(const struct options *options, uint8_t **state, size_t *state_bytes,
			    struct report *report)
{
	struct session session;
	struct instance_names names;
	enum status status = open_instance(&session, &names, options, FILE_ACCESS_READ, report);
	if (status == STATUS_OK) {
		status = read_object(&session, names.object, state, state_bytes, report);
	}
	session_close(&session);
	return status;
}

enum status tpm_object_remove(const struct options *options, struct report *report)
{
	struct session session;
	struct instance_names names;
	enum status status = open_instance(&session, &names, options, FILE_ACCESS_WRITE, report);
	if (status == STATUS_OK) {
		status = session_explain_object(&session,
						object_remove(&session.store, names.object),
						names.object, report);
	}
	session_close(&session);
	return status;
}

static enum status visit(void *context, const struct store_object_info *info)
{
	uint32_t *found = context;
	uint32_t instance;
	if (instance_of_object(info->name, &instance)) {
		*found |= 1u << instance;
	}
	return STATUS_OK;
}

enum status tpm_object_list(const struct options *options, uint32_t *found, struct report *report)
{
	struct session session;
	uint32_t seen = 0;
	enum status status = open_image(&session, options, FILE_ACCESS_READ, report);
	if (status == STATUS_OK) {
		status =
			session_explain(&session, store_list(&session.store, visit, &seen), report);
	}
	session_close(&session);
	*found = seen;
	return status;
}
