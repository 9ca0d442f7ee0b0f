// SPDX-License-Identifier: MIT
#include "kernel/key_source.h"

#include "base/bytes.h"
#include "base/log.h"
#include "kernel/fw_cfg.h"

#if HOLDFAST_PRODUCTION

enum status key_source_read(uint8_t key[KEY_SOURCE_BYTES])
{
	(void)key;
	log_write(LOG_ERROR, "state", "this production build has no key source on this platform");
	return STATUS_NO_KEY;
}

#else

#define DEVELOPMENT_KEY_FILE "opt/org.holdfast/key"

enum status key_source_read(uint8_t key[KEY_SOURCE_BYTES])
{
	size_t size_bytes = 0;
	enum status status = fw_cfg_read(DEVELOPMENT_KEY_FILE, key, KEY_SOURCE_BYTES, &size_bytes);
	if (status == STATUS_OK && size_bytes == KEY_SOURCE_BYTES) {
		log_write(LOG_WARNING, "state",
			  "the key came from the host: a development key protects nothing from it");
		return STATUS_OK;
	}
	secure_zero(key, KEY_SOURCE_BYTES);
	if (status == STATUS_OK || status == STATUS_TOO_LARGE) {
		log_write(LOG_ERROR, "state", "%s has %lu bytes instead of %u",
			  DEVELOPMENT_KEY_FILE, size_bytes, KEY_SOURCE_BYTES);
	}
	return STATUS_NO_KEY;
}

#endif
