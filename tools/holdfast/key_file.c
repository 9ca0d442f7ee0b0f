// SPDX-License-Identifier: MIT
#include "tools/holdfast/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tools/holdfast/host_file.h"
#include "tools/holdfast/recovery_key.h"

/* Read up to `size` bytes with read(2) itself: stdio would leave a copy of the key in its buffer.
 * A pipe gives its bytes in pieces. */
static enum status read_secret(const char *path, uint8_t *out, size_t size, size_t *read_bytes,
			       struct report *report)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return report_note(report, STATUS_NO_KEY, path, "Cannot open the key: %s.",
				   strerror(errno));
	}
	enum status status = host_file_read(fd, out, size, read_bytes);
	if (status != STATUS_OK) {
		secure_zero(out, size);
		status = report_note(report, STATUS_NO_KEY, path, "Cannot read the key: %s.",
				     strerror(errno));
	}
	(void)close(fd);
	return status;
}

enum status key_material_read_raw(struct key_material *key, const char *path, struct report *report)
{
	size_t size = 0;
	key->type = VOLUME_KEY_RAW;
	enum status status = read_secret(path, key->bytes, VOLUME_KEY_BYTES + 1, &size, report);
	if (status == STATUS_OK && size != VOLUME_KEY_BYTES) {
		secure_zero(key->bytes, sizeof(key->bytes));
		return report_note(report, STATUS_NO_KEY, path,
				   "A key file holds exactly %u bytes, this one %s; make one with "
				   "'holdfast key generate'.",
				   VOLUME_KEY_BYTES, size > VOLUME_KEY_BYTES ? "more" : "fewer");
	}
	key->size_bytes = size;
	return status;
}

enum status key_material_read_passphrase(struct key_material *key, const char *path,
					 struct report *report)
{
	size_t size = 0;
	key->type = VOLUME_KEY_PASSPHRASE;
	enum status status = read_secret(path, key->bytes, sizeof(key->bytes), &size, report);
	if (status != STATUS_OK) {
		return status;
	}
	const uint8_t *newline = memchr(key->bytes, '\n', size);
	if (newline != NULL) {
		size = (size_t)(newline - key->bytes);
	}
	if (size == 0 || size > KEY_PASSPHRASE_BYTES_MAX) {
		secure_zero(key->bytes, sizeof(key->bytes));
		return report_note(report, STATUS_NO_KEY, path,
				   "The passphrase, the file's first line, must have 1 to %u "
				   "bytes.",
				   KEY_PASSPHRASE_BYTES_MAX);
	}
	key->size_bytes = size;
	return STATUS_OK;
}

/* The kernel's generator; before it is seeded this waits, and never returns weak bytes. */
static enum status random_key(uint8_t key[VOLUME_KEY_BYTES])
{
	return getrandom(key, VOLUME_KEY_BYTES, 0) == (ssize_t)VOLUME_KEY_BYTES ? STATUS_OK
										: STATUS_NO_ENTROPY;
}

enum status key_material_read_recovery(struct key_material *key, const char *path,
				       struct report *report)
{
	uint8_t text[KEY_PASSPHRASE_BYTES_MAX];
	size_t size = 0;
	uint32_t row = 0;
	key->type = VOLUME_KEY_RECOVERY;
	enum status status = read_secret(path, text, sizeof(text), &size, report);
	if (status != STATUS_OK) {
		return status;
	}
	status = recovery_key_parse(text, size, key->bytes, &row);
	key->size_bytes = status == STATUS_OK ? VOLUME_KEY_BYTES : 0;
	secure_zero(text, sizeof(text));
	if (status == STATUS_NO_KEY && row != 0) {
		return report_note(report, status, path,
				   "There is a slip in row %u of the recovery key: its check, the "
				   "last group, does not fit.",
				   row);
	}
	if (status == STATUS_NO_KEY) {
		return report_note(report, status, path,
				   "A recovery key has %u rows of 5 groups of 4 hexadecimal "
				   "digits.",
				   RECOVERY_KEY_ROWS);
	}
	return status;
}

enum status key_material_make_recovery(struct key_material *key)
{
	key->type = VOLUME_KEY_RECOVERY;
	key->size_bytes = VOLUME_KEY_BYTES;
	return random_key(key->bytes);
}

bool key_choice_is_made(const struct key_choice *choice)
{
	return choice->raw_file != NULL || choice->passphrase_file != NULL ||
	       choice->recovery_file != NULL;
}

enum status key_material_read(struct key_material *key, const struct key_choice *choice,
			      struct report *report)
{
	memset(key, 0, sizeof(*key));
	if (choice->passphrase_file != NULL) {
		return key_material_read_passphrase(key, choice->passphrase_file, report);
	}
	if (choice->recovery_file != NULL) {
		return key_material_read_recovery(key, choice->recovery_file, report);
	}
	return choice->raw_file != NULL ? key_material_read_raw(key, choice->raw_file, report)
					: STATUS_NO_KEY;
}

struct volume_key key_material_key(const struct key_material *key)
{
	return (struct volume_key){
		.type = key->type, .bytes = key->bytes, .size_bytes = key->size_bytes};
}

void key_material_erase(struct key_material *key)
{
	secure_zero(key, sizeof(*key));
}

enum status key_file_generate(const char *path, struct report *report)
{
	uint8_t key[VOLUME_KEY_BYTES];
	enum status status = random_key(key);
	if (status != STATUS_OK) {
		return status;
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST) {
		status =
			report_note(report, STATUS_EXISTS, path,
				    "Not replaced: a volume may depend on that key. Choose another "
				    "name.");
	} else if (fd < 0) {
		status =
			report_note(report, STATUS_IO, path, "Cannot create: %s.", strerror(errno));
	} else {
		status = host_file_write(fd, key, sizeof(key));
		if (status == STATUS_OK) {
			status = host_file_sync(fd, path);
		}
		if (status != STATUS_OK) {
			status = report_note(report, status, path, "Cannot write: %s.",
					     strerror(errno));
			(void)unlink(path); /* Half a key helps nobody. */
		}
		(void)close(fd);
	}
	secure_zero(key, sizeof(key));
	return status;
}
