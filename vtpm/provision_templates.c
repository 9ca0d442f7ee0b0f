// SPDX-License-Identifier: MIT
#include "vtpm/provision_templates.h"

#include <string.h>

#include "vtpm/tpm_client.h"

/* TPM_ALG_ID and TPM_ECC_CURVE (TPM 2.0 Library, Part 2, sections 6.3 and 6.4), two bytes each. */
#define ALG_RSA    0x00, 0x01
#define ALG_AES    0x00, 0x06
#define ALG_SHA256 0x00, 0x0B
#define ALG_SHA384 0x00, 0x0C
#define ALG_NULL   0x00, 0x10
#define ALG_ECC    0x00, 0x23
#define ALG_CFB    0x00, 0x43
#define CURVE_P256 0x00, 0x03
#define CURVE_P384 0x00, 0x04

/* fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted, decrypt; then the
 * high-range template adds userWithAuth, and the SRK has userWithAuth and noDA but no policy. */
#define ATTRIBUTES_EK_L 0x00, 0x03, 0x00, 0xB2
#define ATTRIBUTES_EK_H 0x00, 0x03, 0x00, 0xF2
#define ATTRIBUTES_SRK  0x00, 0x03, 0x04, 0x72

static const uint8_t template_ek_rsa2048[] = {
	ALG_RSA, ALG_SHA256, ATTRIBUTES_EK_L,
	/* PolicyA: TPM2_PolicySecret(TPM_RH_ENDORSEMENT), in SHA-256. */
	0x00, 0x20, 0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xB3, 0xF8, 0x1A, 0x90, 0xCC, 0x8D, 0x46,
	0xA5, 0xD7, 0x24, 0xFD, 0x52, 0xD7, 0x6E, 0x06, 0x52, 0x0B, 0x64, 0xF2, 0xA1, 0xDA, 0x1B,
	0x33, 0x14, 0x69, 0xAA,
	/* AES-128 in CFB mode; no scheme; 2048 bits; exponent 65537, which 0 stands for. */
	ALG_AES, 0x00, 0x80, ALG_CFB, ALG_NULL, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00};

static const uint8_t template_ek_p384[] = {
	ALG_ECC, ALG_SHA384, ATTRIBUTES_EK_H,
	/* PolicyB: PolicyA or an administrator's choice in an NV index, in SHA-384. */
	0x00, 0x30, 0xB2, 0x6E, 0x7D, 0x28, 0xD1, 0x1A, 0x50, 0xBC, 0x53, 0xD8, 0x82, 0xBC, 0xF5,
	0xFD, 0x3A, 0x1A, 0x07, 0x41, 0x48, 0xBB, 0x35, 0xD3, 0xB4, 0xE4, 0xCB, 0x1C, 0x0A, 0xD9,
	0xBD, 0xE4, 0x19, 0xCA, 0xCB, 0x47, 0xBA, 0x09, 0x69, 0x96, 0x46, 0x15, 0x0F, 0x9F, 0xC0,
	0x00, 0xF3, 0xF8, 0x0E, 0x12,
	/* AES-256 in CFB mode; no scheme; the curve; no KDF. */
	ALG_AES, 0x01, 0x00, ALG_CFB, ALG_NULL, CURVE_P384, ALG_NULL};

static const uint8_t template_srk[] = {ALG_ECC, ALG_SHA256, ATTRIBUTES_SRK,
				       /* No policy. */
				       0x00, 0x00, ALG_AES, 0x00, 0x80, ALG_CFB, ALG_NULL,
				       CURVE_P256, ALG_NULL};

const struct provision_key_info provision_keys[PROVISION_KEYS] = {
	[PROVISION_EK_RSA2048] =
		{
			.name = "EK RSA-2048",
			.hierarchy = TPM_RH_ENDORSEMENT,
			.handle = 0x81010001u,
			.certificate_index = 0x01C00002u,
			.template = template_ek_rsa2048,
			.template_bytes = sizeof(template_ek_rsa2048),
			.unique_sizes = {PROVISION_RSA_BYTES, 0},
			.unique_count = 1,
			.unique_bytes = PROVISION_RSA_BYTES,
		},
	[PROVISION_EK_P384] =
		{
			.name = "EK P-384",
			.hierarchy = TPM_RH_ENDORSEMENT,
			.handle = 0x81010016u,
			.certificate_index = 0x01C00016u,
			.template = template_ek_p384,
			.template_bytes = sizeof(template_ek_p384),
			.unique_sizes = {0, 0}, /* High range: empty, not zeroes. */
			.unique_count = 2,
			.unique_bytes = PROVISION_P384_BYTES,
		},
	[PROVISION_SRK] =
		{
			.name = "SRK P-256",
			.hierarchy = TPM_RH_OWNER,
			.handle = 0x81000001u,
			.certificate_index = 0,
			.template = template_srk,
			.template_bytes = sizeof(template_srk),
			.unique_sizes = {32, 32},
			.unique_count = 2,
			.unique_bytes = 32,
		},
};

void provision_template_write(enum provision_key key, struct writer *writer)
{
	const struct provision_key_info *info = &provision_keys[key];
	writer_copy(writer, info->template, info->template_bytes);
	for (size_t i = 0; i < info->unique_count; i++) {
		writer_be16(writer, info->unique_sizes[i]);
		writer_zero(writer, info->unique_sizes[i]);
	}
}

static enum status decode_unique(const struct provision_key_info *info, struct reader *reader,
				 struct provision_public *out)
{
	struct provision_public public = *out;
	public.unique_bytes = info->unique_bytes;
	for (size_t i = 0; i < info->unique_count; i++) {
		if (reader_be16(reader) != info->unique_bytes) {
			return STATUS_INVALID;
		}
		public.unique[i] = reader_bytes(reader, info->unique_bytes);
	}
	if (!reader_ok(reader) || reader_left(reader) != 0) {
		return STATUS_INVALID;
	}
	*out = public;
	return STATUS_OK;
}

enum status provision_public_decode(const uint8_t *bytes, size_t size_bytes,
				    struct provision_public *out)
{
	for (size_t i = 0; i < PROVISION_KEYS; i++) {
		const struct provision_key_info *info = &provision_keys[i];
		struct reader reader;
		reader_init(&reader, bytes, size_bytes);
		const uint8_t *begin = reader_bytes(&reader, info->template_bytes);
		if (info->certificate_index == 0 || begin == NULL ||
		    memcmp(begin, info->template, info->template_bytes) != 0) {
			continue;
		}
		struct provision_public public = {.key = (enum provision_key)i};
		enum status status = decode_unique(info, &reader, &public);
		if (status == STATUS_OK) {
			*out = public;
		}
		return status;
	}
	return STATUS_UNSUPPORTED;
}
