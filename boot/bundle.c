// SPDX-License-Identifier: MIT
#include "boot/bundle.h"

#include <string.h>

#include "base/bytes.h"
#include "base/reader.h"

#define HEADER_BYTES       32u
#define ENTRY_BYTES        96u
#define ENTRY_UNUSED_BYTES 16u
#define VERSION            1u

static const uint8_t magic[8] = {'H', 'F', 'B', 'U', 'N', 'D', 'L', 'E'};

static enum status refuse(const char **problem, const char *text)
{
	*problem = text;
	return STATUS_BAD_CONFIG;
}

static bool name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* Not empty, allowed characters, terminated, and nothing after the terminator. */
static bool name_is_sound(const char name[BOOT_MODULE_NAME_BYTES])
{
	size_t length = 0;
	while (length < BOOT_MODULE_NAME_BYTES && name_character(name[length])) {
		length++;
	}
	return length > 0 && length < BOOT_MODULE_NAME_BYTES &&
	       bytes_are_zero((const uint8_t *)name + length, BOOT_MODULE_NAME_BYTES - length);
}

static bool name_is_taken(const struct bundle *bundle, uint32_t before, const char *name)
{
	for (uint32_t i = 0; i < before; i++) {
		if (memcmp(bundle->entries[i].name, name, BOOT_MODULE_NAME_BYTES) == 0) {
			return true;
		}
	}
	return false;
}

/* Names, sizes and places of all entries, in the one order there is; sets kernel_index. `end` is
 * where the next entry has to start. */
static enum status check_entries(struct bundle *bundle, const char **problem)
{
	uint64_t end = BUNDLE_MANIFEST_BYTES;
	bundle->kernel_index = BUNDLE_ENTRIES_MAX;
	for (uint32_t i = 0; i < bundle->entry_count; i++) {
		const struct bundle_entry *entry = &bundle->entries[i];
		if (!name_is_sound(entry->name)) {
			return refuse(problem, "an entry's name is malformed");
		}
		if (name_is_taken(bundle, i, entry->name)) {
			return refuse(problem, "two entries have the same name");
		}
		if (entry->size_bytes == 0 || entry->size_bytes > BUNDLE_BYTES_MAX) {
			return refuse(problem, "an entry is empty or too large");
		}
		if (entry->offset_bytes != end) {
			return refuse(problem, "an entry is not where it belongs");
		}
		/* No wrap: eight entries of at most BUNDLE_BYTES_MAX. */
		end = addr_page_floor(end + entry->size_bytes + PAGE_OFFSET);
		if (memcmp(entry->name, BUNDLE_KERNEL_NAME, sizeof(BUNDLE_KERNEL_NAME)) == 0) {
			bundle->kernel_index = i;
		}
	}
	if (bundle->kernel_index == BUNDLE_ENTRIES_MAX) {
		return refuse(problem, "there is no entry named kernel");
	}
	if (bundle->size_bytes != end) {
		return refuse(problem, "the size in the manifest is wrong");
	}
	return STATUS_OK;
}

static bool decode_entry(struct reader *reader, struct bundle_entry *entry)
{
	reader_copy(reader, (uint8_t *)entry->name, sizeof(entry->name));
	entry->offset_bytes = reader_le64(reader);
	entry->size_bytes = reader_le64(reader);
	reader_copy(reader, entry->sha256, sizeof(entry->sha256));
	const uint8_t *unused = reader_bytes(reader, ENTRY_UNUSED_BYTES);
	return unused != NULL && bytes_are_zero(unused, ENTRY_UNUSED_BYTES);
}

static enum status decode_header(struct reader *reader, struct bundle *bundle, const char **problem)
{
	const uint8_t *found_magic = reader_bytes(reader, sizeof(magic));
	const uint32_t version = reader_le32(reader);
	bundle->entry_count = reader_le32(reader);
	bundle->size_bytes = reader_le64(reader);
	const uint64_t reserved = reader_le64(reader);
	if (found_magic == NULL || memcmp(found_magic, magic, sizeof(magic)) != 0) {
		return refuse(problem, "this is not a bundle");
	}
	if (version != VERSION) {
		return refuse(problem, "the bundle is of another version");
	}
	if (bundle->entry_count == 0 || bundle->entry_count > BUNDLE_ENTRIES_MAX || reserved != 0) {
		return refuse(problem, "the bundle's header is malformed");
	}
	return STATUS_OK;
}

enum status bundle_decode(const uint8_t *bytes, size_t size_bytes, struct bundle *bundle,
			  const char **problem)
{
	struct bundle found;
	struct reader reader;
	if (size_bytes < BUNDLE_MANIFEST_BYTES) {
		return refuse(problem, "the bundle is truncated");
	}
	memset(&found, 0, sizeof(found));
	reader_init(&reader, bytes, BUNDLE_MANIFEST_BYTES);
	enum status status = decode_header(&reader, &found, problem);
	if (status != STATUS_OK) {
		return status;
	}
	for (uint32_t i = 0; i < found.entry_count; i++) {
		if (!decode_entry(&reader, &found.entries[i])) {
			return refuse(problem, "an entry's unused bytes are not zero");
		}
	}
	const size_t left = reader_left(&reader);
	if (!bytes_are_zero(bytes + (BUNDLE_MANIFEST_BYTES - left), left)) {
		return refuse(problem, "the manifest's unused bytes are not zero");
	}
	status = check_entries(&found, problem);
	if (status != STATUS_OK) {
		return status;
	}
	if (found.size_bytes != size_bytes) {
		return refuse(problem, "the bundle is truncated or has bytes at its end");
	}
	*bundle = found;
	return STATUS_OK;
}

static void encode_entry(struct writer *writer, const struct bundle_entry *entry)
{
	writer_copy(writer, (const uint8_t *)entry->name, sizeof(entry->name));
	writer_le64(writer, entry->offset_bytes);
	writer_le64(writer, entry->size_bytes);
	writer_copy(writer, entry->sha256, sizeof(entry->sha256));
	writer_zero(writer, ENTRY_UNUSED_BYTES);
}

static void place_entries(struct bundle *bundle)
{
	uint64_t end = BUNDLE_MANIFEST_BYTES;
	for (uint32_t i = 0; i < bundle->entry_count; i++) {
		bundle->entries[i].offset_bytes = end;
		end = addr_page_floor(end + bundle->entries[i].size_bytes + PAGE_OFFSET);
	}
	bundle->size_bytes = end;
}

enum status bundle_encode(struct bundle *bundle, uint8_t manifest[BUNDLE_MANIFEST_BYTES],
			  const char **problem)
{
	if (bundle->entry_count == 0 || bundle->entry_count > BUNDLE_ENTRIES_MAX) {
		return refuse(problem, "a bundle has one to eight entries");
	}
	place_entries(bundle);
	const enum status status = check_entries(bundle, problem);
	if (status != STATUS_OK) {
		return status;
	}
	struct writer writer;
	writer_init(&writer, manifest, BUNDLE_MANIFEST_BYTES);
	writer_copy(&writer, magic, sizeof(magic));
	writer_le32(&writer, VERSION);
	writer_le32(&writer, bundle->entry_count);
	writer_le64(&writer, bundle->size_bytes);
	writer_le64(&writer, 0);
	for (uint32_t i = 0; i < bundle->entry_count; i++) {
		encode_entry(&writer, &bundle->entries[i]);
	}
	writer_zero(&writer,
		    BUNDLE_MANIFEST_BYTES - HEADER_BYTES - bundle->entry_count * ENTRY_BYTES);
	return writer_ok(&writer) ? STATUS_OK : STATUS_INVALID;
}
