// SPDX-License-Identifier: MIT
#include "vtpm/provision.h"

#include <string.h>

/* TPM 2.0 Library, Part 2: command codes (6.5), algorithms (6.3). */
#define TPM_CC_EVICT_CONTROL                0x120u
#define TPM_CC_NV_DEFINE_SPACE              0x12Au
#define TPM_CC_PCR_ALLOCATE                 0x12Bu
#define TPM_CC_CREATE_PRIMARY               0x131u
#define TPM_CC_NV_WRITE                     0x137u
#define TPM_CC_NV_WRITE_LOCK                0x138u
#define TPM_CC_DICTIONARY_ATTACK_PARAMETERS 0x13Au
#define TPM_CC_FLUSH_CONTEXT                0x165u
#define TPM_CC_READ_PUBLIC                  0x173u
#define TPM_ALG_SHA1                        0x0004u
#define TPM_ALG_SHA256                      0x000Bu
#define TPM_ALG_SHA384                      0x000Cu
#define TPM_ALG_SHA512                      0x000Du

#define LOCKOUT_TRIES_MAX                   32u
#define LOCKOUT_FORGIVE_ONE_S               600u
#define LOCKOUT_PASSWORD_DELAY_S            86400u

/* PPWRITE, WRITEDEFINE, PPREAD, OWNERREAD, AUTHREAD, NO_DA, PLATFORMCREATE (Part 2, section 13.4):
 * anybody reads it, and neither the owner nor TPM2_Clear removes it. */
#define CERTIFICATE_ATTRIBUTES 0x42072001u
/* libtpms' MAX_NV_BUFFER_SIZE. */
#define NV_PIECE_BYTES_MAX 1024u

/* SHA-256 and SHA-384 on, the others off; takes effect at the next power-on (Part 3, 22.5). */
static enum status allocate_banks(struct tpm_client *client)
{
	static const struct {
		uint16_t algorithm;
		uint8_t select;
	} banks[] = {
		{TPM_ALG_SHA1, 0x00},
		{TPM_ALG_SHA256, 0xFF},
		{TPM_ALG_SHA384, 0xFF},
		{TPM_ALG_SHA512, 0x00},
	};
	const uint32_t handle = TPM_RH_PLATFORM;
	struct tpm_command command;
	struct reader reader;
	tpm_command_begin_authorised(&command, TPM_CC_PCR_ALLOCATE, &handle, 1);
	writer_be32(&command.writer, ARRAY_COUNT(banks));
	for (size_t i = 0; i < ARRAY_COUNT(banks); i++) {
		writer_be16(&command.writer, banks[i].algorithm);
		writer_u8(&command.writer, 3); /* Three bytes of select bits: 24 PCRs. */
		for (int byte = 0; byte < 3; byte++) {
			writer_u8(&command.writer, banks[i].select);
		}
	}
	return tpm_client_run(client, "PCR_Allocate", &command, &reader);
}

/* libtpms starts with three tries, and a machine that is killed after somebody used a protected
 * object costs one: a host must not be able to guess and kill. Three kills are soon had, so take
 * what PCs have: 32 tries, one forgiven every ten minutes, a day after a wrong lockout password. */
static enum status set_lockout_limits(struct tpm_client *client)
{
	const uint32_t handle = TPM_RH_LOCKOUT;
	struct tpm_command command;
	struct reader reader;
	tpm_command_begin_authorised(&command, TPM_CC_DICTIONARY_ATTACK_PARAMETERS, &handle, 1);
	writer_be32(&command.writer, LOCKOUT_TRIES_MAX);
	writer_be32(&command.writer, LOCKOUT_FORGIVE_ONE_S);
	writer_be32(&command.writer, LOCKOUT_PASSWORD_DELAY_S);
	return tpm_client_run(client, "DictionaryAttackParameters", &command, &reader);
}

enum status provision_settings(struct tpm_client *client)
{
	enum status status = allocate_banks(client);
	return status == STATUS_OK ? set_lockout_limits(client) : status;
}

/* ---- Keys ---------------------------------------------------------------------------------- */

static enum status create_primary(struct tpm_client *client, enum provision_key key,
				  uint32_t *handle)
{
	const uint32_t hierarchy = provision_keys[key].hierarchy;
	uint8_t public[PROVISION_PUBLIC_BYTES_MAX];
	struct tpm_command command;
	struct writer writer;
	struct reader reader;
	writer_init(&writer, public, sizeof(public));
	provision_template_write(key, &writer);
	if (!writer_ok(&writer)) {
		return STATUS_INVALID;
	}
	tpm_command_begin_authorised(&command, TPM_CC_CREATE_PRIMARY, &hierarchy, 1);
	writer_be16(&command.writer, 4); /* inSensitive: empty password, no data. */
	writer_be32(&command.writer, 0);
	writer_be16(&command.writer, (uint16_t)writer.at);
	writer_copy(&command.writer, public, writer.at);
	writer_be16(&command.writer, 0); /* outsideInfo */
	writer_be32(&command.writer, 0); /* creationPCR */
	enum status status = tpm_client_run(client, provision_keys[key].name, &command, &reader);
	if (status != STATUS_OK) {
		return status;
	}
	const uint32_t made = reader_be32(&reader);
	if (!reader_ok(&reader)) {
		return STATUS_BAD_USER;
	}
	*handle = made;
	return STATUS_OK;
}

/* Endorsement keys are made persistent by the owner too: the handles 0x81xxxxxx below 0x81800000
 * are the owner's range (Part 2, section 7.5). */
static enum status make_persistent(struct tpm_client *client, uint32_t handle, uint32_t persistent)
{
	const uint32_t handles[] = {TPM_RH_OWNER, handle};
	struct tpm_command command;
	struct reader reader;
	tpm_command_begin_authorised(&command, TPM_CC_EVICT_CONTROL, handles, ARRAY_COUNT(handles));
	writer_be32(&command.writer, persistent);
	return tpm_client_run(client, "EvictControl", &command, &reader);
}

static enum status flush_key(struct tpm_client *client, uint32_t handle)
{
	struct tpm_command command;
	struct reader reader;
	tpm_command_begin(&command, TPM_CC_FLUSH_CONTEXT);
	writer_be32(&command.writer, handle);
	return tpm_client_run(client, "FlushContext", &command, &reader);
}

enum status provision_key_make(struct tpm_client *client, enum provision_key key)
{
	uint32_t handle;
	enum status status = create_primary(client, key, &handle);
	if (status != STATUS_OK) {
		return status;
	}
	status = make_persistent(client, handle, provision_keys[key].handle);
	return status == STATUS_OK ? flush_key(client, handle) : status;
}

enum status provision_public_read(struct tpm_client *client, enum provision_key key,
				  uint8_t out[PROVISION_PUBLIC_BYTES_MAX], size_t *size_bytes)
{
	struct tpm_command command;
	struct reader reader;
	tpm_command_begin(&command, TPM_CC_READ_PUBLIC);
	writer_be32(&command.writer, provision_keys[key].handle);
	enum status status = tpm_client_run(client, "ReadPublic", &command, &reader);
	if (status != STATUS_OK) {
		return status;
	}
	const uint16_t size = reader_be16(&reader);
	if (!reader_ok(&reader) || size > reader_left(&reader)) {
		return STATUS_BAD_USER;
	}
	if (size > PROVISION_PUBLIC_BYTES_MAX) {
		return STATUS_TOO_LARGE;
	}
	reader_copy(&reader, out, size);
	*size_bytes = size;
	return STATUS_OK;
}

/* ---- Certificates -------------------------------------------------------------------------- */

static enum status nv_define(struct tpm_client *client, uint32_t index, uint16_t size_bytes)
{
	const uint32_t handle = TPM_RH_PLATFORM;
	struct tpm_command command;
	struct reader reader;
	tpm_command_begin_authorised(&command, TPM_CC_NV_DEFINE_SPACE, &handle, 1);
	writer_be16(&command.writer, 0);  /* auth: empty. */
	writer_be16(&command.writer, 14); /* TPM2B_NV_PUBLIC, Part 2, section 13.6. */
	writer_be32(&command.writer, index);
	writer_be16(&command.writer, TPM_ALG_SHA256);
	writer_be32(&command.writer, CERTIFICATE_ATTRIBUTES);
	writer_be16(&command.writer, 0); /* authPolicy: none. */
	writer_be16(&command.writer, size_bytes);
	return tpm_client_run(client, "NV_DefineSpace", &command, &reader);
}

static enum status nv_write(struct tpm_client *client, uint32_t index, const uint8_t *bytes,
			    uint16_t size_bytes, uint16_t offset_bytes)
{
	const uint32_t handles[] = {TPM_RH_PLATFORM, index};
	struct tpm_command command;
	struct reader reader;
	tpm_command_begin_authorised(&command, TPM_CC_NV_WRITE, handles, ARRAY_COUNT(handles));
	writer_be16(&command.writer, size_bytes);
	writer_copy(&command.writer, bytes, size_bytes);
	writer_be16(&command.writer, offset_bytes);
	return tpm_client_run(client, "NV_Write", &command, &reader);
}

static enum status nv_lock(struct tpm_client *client, uint32_t index)
{
	const uint32_t handles[] = {TPM_RH_PLATFORM, index};
	struct tpm_command command;
	struct reader reader;
	tpm_command_begin_authorised(&command, TPM_CC_NV_WRITE_LOCK, handles, ARRAY_COUNT(handles));
	return tpm_client_run(client, "NV_WriteLock", &command, &reader);
}

enum status provision_certificate_write(struct tpm_client *client, enum provision_key key,
					const uint8_t *der, size_t size_bytes)
{
	const uint32_t index = provision_keys[key].certificate_index;
	if (index == 0 || size_bytes == 0) {
		return STATUS_INVALID;
	}
	if (size_bytes > PROVISION_CERTIFICATE_BYTES_MAX) {
		return STATUS_TOO_LARGE;
	}
	enum status status = nv_define(client, index, (uint16_t)size_bytes);
	for (size_t at = 0; at < size_bytes && status == STATUS_OK; at += NV_PIECE_BYTES_MAX) {
		const size_t left = size_bytes - at;
		const size_t piece = left < NV_PIECE_BYTES_MAX ? left : NV_PIECE_BYTES_MAX;
		status = nv_write(client, index, der + at, (uint16_t)piece, (uint16_t)at);
	}
	return status == STATUS_OK ? nv_lock(client, index) : status;
}
