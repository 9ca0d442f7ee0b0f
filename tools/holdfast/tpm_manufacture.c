// SPDX-License-Identifier: MIT
/* tpm manufacture: a TPM is made by libtpms in a process of its own, certified there, and stored in
 * the image as its finished state. An interruption at any point leaves the image as it was. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "tools/holdfast/ca.h"
#include "tools/holdfast/commands.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/tpm_object.h"
#include "tools/holdfast/tpm_process.h"

struct making {
	struct ca *ca; /* NULL: no certificates. */
	uint32_t days;
};

/* Reads the key back from its handle: what is certified is what is there. */
static enum status certify(const struct making *making, struct tpm_client *client,
			   enum provision_key key, struct tpm_exchange *exchange)
{
	uint8_t public[PROVISION_PUBLIC_BYTES_MAX];
	uint8_t der[CA_CERTIFICATE_BYTES_MAX];
	size_t public_bytes = 0;
	size_t der_bytes = 0;
	struct provision_public decoded;
	enum status status = provision_public_read(client, key, public, &public_bytes);
	if (status == STATUS_OK) {
		status = provision_public_decode(public, public_bytes, &decoded);
	}
	if (status == STATUS_OK) {
		status = ca_issue(making->ca, &decoded, &exchange->identity, making->days, der,
				  &der_bytes, exchange->detail);
	}
	if (status == STATUS_OK && der_bytes > PROVISION_CERTIFICATE_BYTES_MAX) {
		(void)snprintf(exchange->detail, sizeof(exchange->detail),
			       "The certificate of the %s has %zu bytes and an NV index at most "
			       "%u; give the authority a shorter name.",
			       provision_keys[key].name, der_bytes,
			       PROVISION_CERTIFICATE_BYTES_MAX);
		return STATUS_TOO_LARGE;
	}
	if (status == STATUS_OK) {
		status = provision_certificate_write(client, key, der, der_bytes);
	}
	exchange->certificate_bytes[key] = der_bytes;
	return status;
}

static enum status make(void *context, struct tpm_client *client, struct tpm_exchange *exchange)
{
	const struct making *making = context;
	enum status status = provision_settings(client);
	if (status == STATUS_OK) {
		status = provision_identity_read(client, &exchange->identity);
	}
	for (size_t i = 0; i < PROVISION_KEYS && status == STATUS_OK; i++) {
		const enum provision_key key = (enum provision_key)i;
		status = provision_key_make(client, key);
		if (status == STATUS_OK && making->ca != NULL &&
		    provision_keys[key].certificate_index != 0) {
			status = certify(making, client, key, exchange);
		}
	}
	return status;
}

static void print_text(const struct options *options, const struct tpm_exchange *exchange)
{
	(void)printf("%s: manufactured a TPM\n", options->positional[0]);
	for (size_t i = 0; i < PROVISION_KEYS; i++) {
		const struct provision_key_info *info = &provision_keys[i];
		(void)printf("  0x%08" PRIx32 " %s", info->handle, info->name);
		if (exchange->certificate_bytes[i] > 0) {
			(void)printf(", certificate of %zu bytes at 0x%08" PRIx32,
				     exchange->certificate_bytes[i], info->certificate_index);
		}
		(void)putchar('\n');
	}
}

static void print_json(const struct options *options, const struct tpm_exchange *exchange)
{
	struct json json;
	json_result_open(&json, options->positional[0]);
	json_number(&json, "state_bytes", exchange->state_bytes);
	json_open(&json, "keys", '[');
	for (size_t i = 0; i < PROVISION_KEYS; i++) {
		const struct provision_key_info *info = &provision_keys[i];
		json_open(&json, NULL, '{');
		json_string(&json, "name", info->name);
		json_number(&json, "handle", info->handle);
		if (exchange->certificate_bytes[i] > 0) {
			json_number(&json, "certificate_index", info->certificate_index);
			json_number(&json, "certificate_bytes", exchange->certificate_bytes[i]);
		}
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_result_close(&json);
}

static enum status manufacture(const struct options *options, struct ca *ca,
			       struct tpm_exchange *exchange, struct report *report)
{
	struct making making = {
		.ca = options->without_certificates ? NULL : ca,
		.days = options->days != 0 ? options->days : CA_ISSUE_DAYS_DEFAULT,
	};
	enum status status = STATUS_OK;
	if (making.ca != NULL) {
		status = ca_open(ca, options->authority, report);
	}
	if (status == STATUS_OK) {
		status = tpm_process_run(exchange, make, &making, report);
	}
	ca_close(ca);
	return status == STATUS_OK
		       ? tpm_object_store(options, exchange->state, exchange->state_bytes, report)
		       : status;
}

enum status tpm_manufacture(const struct options *options, struct report *report)
{
	struct ca ca;
	struct tpm_exchange *exchange = tpm_exchange_make();
	if (exchange == NULL) {
		return STATUS_NO_MEMORY;
	}
	ca_init(&ca);
	enum status status = manufacture(options, &ca, exchange, report);
	if (status == STATUS_OK && options->json) {
		print_json(options, exchange);
	} else if (status == STATUS_OK) {
		print_text(options, exchange);
	}
	tpm_exchange_free(exchange);
	return status;
}
