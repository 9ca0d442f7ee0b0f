// SPDX-License-Identifier: MIT
/* Manufacture: what turns libtpms' fresh state into the TPM that a machine is sold with. The steps
 * are TPM commands, so they are the same in ring 3 at a first boot and in the host tool. Run
 * between TPM2_Startup and TPM2_Shutdown of a TPM that nobody has used. PURE. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "vtpm/provision_templates.h"
#include "vtpm/tpm_client.h"

/* libtpms' MAX_NV_INDEX_SIZE: no certificate can be longer. */
#define PROVISION_CERTIFICATE_BYTES_MAX 2048u

/* Choose the PCR banks (SHA-256 and SHA-384; effective from the next power-on) and the limits of
 * the dictionary-attack logic. */
MUST_CHECK
enum status provision_settings(struct tpm_client *client);

/* Make one of the keys and make it persistent under its handle. */
MUST_CHECK
enum status provision_key_make(struct tpm_client *client, enum provision_key key);

/* Read a key's public area: TPMT_PUBLIC. STATUS_TOO_LARGE: above PROVISION_PUBLIC_BYTES_MAX. */
MUST_CHECK
enum status provision_public_read(struct tpm_client *client, enum provision_key key,
				  uint8_t out[PROVISION_PUBLIC_BYTES_MAX], size_t *size_bytes);

/* Define the key's NV index, write `der` into it and lock it against writes. STATUS_TOO_LARGE: more
 * than PROVISION_CERTIFICATE_BYTES_MAX. STATUS_INVALID: an empty certificate, or a key that gets
 * none. */
MUST_CHECK
enum status provision_certificate_write(struct tpm_client *client, enum provision_key key,
					const uint8_t *der, size_t size_bytes);

/* What a TPM says of itself, as an EK certificate repeats it (EK Credential Profile, section 3.1).
 * Text is printable ASCII. */
struct provision_identity {
	uint32_t manufacturer;
	char model[17]; /* Vendor strings 1 to 4. */
	uint32_t firmware_version;
	char family[5]; /* "2.0" */
	uint32_t level;
	uint32_t revision; /* Times 100. */
};

/* STATUS_BAD_USER: a property is missing, or text is not text. */
MUST_CHECK
enum status provision_identity_read(struct tpm_client *client, struct provision_identity *out);
