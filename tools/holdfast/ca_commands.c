// SPDX-License-Identifier: MIT
/* ca init, ca issue. */
#include <stdio.h>

#include "base/reader.h"
#include "tools/holdfast/ca.h"
#include "tools/holdfast/commands.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/tpm_process.h"
#include "tools/holdfast/whole_file.h"

#define MODE_CERTIFICATE 0644u

enum status authority_init(const struct options *options, struct report *report)
{
	const char *folder = options->positional[0];
	struct ca ca;
	ca_init(&ca);
	enum status status = ca_create(
		&ca, folder, options->subject != NULL ? options->subject : CA_SUBJECT_DEFAULT,
		options->days != 0 ? options->days : CA_DAYS_DEFAULT, report);
	ca_close(&ca);
	if (status == STATUS_OK && options->json) {
		struct json json;
		json_result_open(&json, folder);
		json_result_close(&json);
	} else if (status == STATUS_OK) {
		(void)printf("%s: made an authority; give out %s/" CA_CERTIFICATE_FILE
			     ", keep %s/" CA_KEY_FILE "\n",
			     folder, folder, folder);
	}
	return status;
}

/* ---- Issue --------------------------------------------------------------------------------- */

/* TPM2B_PUBLIC: a size, and that many bytes. */
struct public_file {
	uint8_t bytes[2 + PROVISION_PUBLIC_BYTES_MAX + 1];
	size_t size;
};

static enum status decode_public(const char *path, const struct public_file *file,
				 struct provision_public *public, struct report *report)
{
	struct reader reader;
	reader_init(&reader, file->bytes, file->size);
	const uint16_t size = reader_be16(&reader);
	const uint8_t *bytes = reader_bytes(&reader, size);
	enum status status = reader_ok(&reader) && reader_left(&reader) == 0
				     ? provision_public_decode(bytes, size, public)
				     : STATUS_INVALID;
	if (status == STATUS_UNSUPPORTED) {
		return report_note(report, status, path,
				   "Not an endorsement key of the TCG's templates L-1 (RSA 2048) "
				   "or H-3 (P-384).");
	}
	return status == STATUS_OK
		       ? status
		       : report_note(report, status, path,
				     "Not a public area (TPM2B_PUBLIC), or damaged; make one with "
				     "'tpm2_readpublic -o'.");
}

/* Which TPM the certificate speaks of: the libtpms of this program, as in the service VM. */
static enum status ask_identity(void *context, struct tpm_client *client,
				struct tpm_exchange *exchange)
{
	(void)context;
	return provision_identity_read(client, &exchange->identity);
}

static enum status identity_of_library(struct provision_identity *identity, struct report *report)
{
	struct tpm_exchange *exchange = tpm_exchange_make();
	if (exchange == NULL) {
		return STATUS_NO_MEMORY;
	}
	enum status status = tpm_process_run(exchange, ask_identity, NULL, report);
	*identity = exchange->identity;
	tpm_exchange_free(exchange);
	return status;
}

static enum status issue(const struct options *options, struct ca *ca,
			 const struct provision_public *public, struct report *report)
{
	struct provision_identity identity;
	uint8_t der[CA_CERTIFICATE_BYTES_MAX];
	char detail[REPORT_TEXT_BYTES] = "";
	size_t der_bytes = 0;
	enum status status = identity_of_library(&identity, report);
	if (status == STATUS_OK) {
		status = ca_open(ca, options->positional[0], report);
	}
	if (status == STATUS_OK) {
		status = ca_issue(ca, public, &identity,
				  options->days != 0 ? options->days : CA_ISSUE_DAYS_DEFAULT, der,
				  &der_bytes, detail);
		if (detail[0] != '\0') {
			(void)report_note(report, status, options->positional[1], "%s", detail);
		}
	}
	if (status == STATUS_OK) {
		status = whole_file_write(options->positional[2], der, der_bytes, MODE_CERTIFICATE,
					  options->force, report);
	}
	if (status == STATUS_OK && options->json) {
		struct json json;
		json_result_open(&json, options->positional[2]);
		json_string(&json, "key", provision_keys[public->key].name);
		json_number(&json, "certificate_bytes", der_bytes);
		json_result_close(&json);
	} else if (status == STATUS_OK) {
		(void)printf("%s: certificate of an %s, %zu bytes\n", options->positional[2],
			     provision_keys[public->key].name, der_bytes);
	}
	return status;
}

enum status authority_issue(const struct options *options, struct report *report)
{
	struct public_file file;
	struct provision_public public;
	struct ca ca;
	enum status status = whole_file_read(options->positional[1], file.bytes, sizeof(file.bytes),
					     &file.size, STATUS_NOT_FOUND, report);
	if (status == STATUS_OK) {
		status = decode_public(options->positional[1], &file, &public, report);
	}
	ca_init(&ca);
	if (status == STATUS_OK) {
		status = issue(options, &ca, &public, report);
	}
	ca_close(&ca);
	return status;
}
