// SPDX-License-Identifier: MIT
/* provision_identity_read(): TPM2_GetCapability of the fixed properties, decoded. */
#include <string.h>

#include "base/bytes.h"
#include "vtpm/provision.h"

#define TPM_CC_GET_CAPABILITY  0x17Au
#define TPM_CAP_TPM_PROPERTIES 0x6u

/* TPM_PT (TPM 2.0 Library, Part 2, section 6.13), as offsets from PT_FIXED. */
#define PT_FIXED            0x100u
#define PT_FAMILY_INDICATOR 0x0u
#define PT_LEVEL            0x1u
#define PT_REVISION         0x2u
#define PT_MANUFACTURER     0x5u
#define PT_VENDOR_STRING_1  0x6u
#define PT_FIRMWARE_VERSION 0xBu
#define PT_COUNT            0xCu

/* Four characters a property, zeroes only at the end. */
static bool text_from(const uint32_t *values, size_t count, char *out)
{
	bool ended = false;
	for (size_t i = 0; i < count; i++) {
		uint8_t bytes[4];
		bytes_store_be32(bytes, values[i]);
		for (size_t j = 0; j < sizeof(bytes); j++) {
			const bool printable = bytes[j] >= 0x20 && bytes[j] <= 0x7E;
			ended = ended || bytes[j] == 0;
			if (ended ? bytes[j] != 0 : !printable) {
				return false;
			}
			out[4 * i + j] = (char)bytes[j];
		}
	}
	out[4 * count] = '\0';
	return true;
}

/* The list has to be exactly the properties that were asked for: libtpms has all of them. */
static bool read_properties(struct reader *reader, uint32_t values[PT_COUNT])
{
	reader_skip(reader, 1); /* moreData */
	if (reader_be32(reader) != TPM_CAP_TPM_PROPERTIES || reader_be32(reader) != PT_COUNT) {
		return false;
	}
	for (uint32_t i = 0; i < PT_COUNT; i++) {
		if (reader_be32(reader) != PT_FIXED + i) {
			return false;
		}
		values[i] = reader_be32(reader);
	}
	return reader_ok(reader);
}

enum status provision_identity_read(struct tpm_client *client, struct provision_identity *out)
{
	struct provision_identity identity;
	uint32_t values[PT_COUNT];
	struct tpm_command command;
	struct reader reader;
	tpm_command_begin(&command, TPM_CC_GET_CAPABILITY);
	writer_be32(&command.writer, TPM_CAP_TPM_PROPERTIES);
	writer_be32(&command.writer, PT_FIXED);
	writer_be32(&command.writer, PT_COUNT);
	enum status status = tpm_client_run(client, "GetCapability", &command, &reader);
	if (status != STATUS_OK) {
		return status;
	}
	if (!read_properties(&reader, values) ||
	    !text_from(&values[PT_FAMILY_INDICATOR], 1, identity.family) ||
	    !text_from(&values[PT_VENDOR_STRING_1], 4, identity.model)) {
		return STATUS_BAD_USER;
	}
	identity.manufacturer = values[PT_MANUFACTURER];
	identity.firmware_version = values[PT_FIRMWARE_VERSION];
	identity.level = values[PT_LEVEL];
	identity.revision = values[PT_REVISION];
	*out = identity;
	return STATUS_OK;
}
