// SPDX-License-Identifier: MIT
/* vector: makes and reads the small images that later versions have to go on reading (README.md).
 *
 *   vector make state|block IMAGE      a new volume with the history below
 *   vector read IMAGE KEYTYPE KEYHEX   everything in it, as JSON
 *   vector write IMAGE KEYTYPE KEYHEX  live on in it: commit, checkpoint, mount again
 *
 * Uses nothing but the volume's and the store's interfaces, so that it builds with versions of long
 * ago. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "block/store.h"
#include "block/volume.h"
#include "crypto/hash.h"
#include "tools/holdfast/host_crypto.h"

#define ALIGNMENT    64u
#define OBJECT_BYTES 70000u

static const uint8_t raw_key[VOLUME_KEY_BYTES] = "holdfast vectors: the raw key...";
static const uint8_t recovery_key[VOLUME_KEY_BYTES] = "holdfast vectors: the recovery..";
static const char passphrase[] = "holdfast vectors: a passphrase";

static const struct volume_key keys[] = {
	{VOLUME_KEY_RAW, raw_key, VOLUME_KEY_BYTES},
	{VOLUME_KEY_RECOVERY, recovery_key, VOLUME_KEY_BYTES},
	{VOLUME_KEY_PASSPHRASE, (const uint8_t *)passphrase, sizeof(passphrase) - 1},
};

#define MUST(call) must((call), #call)

static void must(enum status status, const char *what)
{
	if (status != STATUS_OK) {
		(void)fprintf(stderr, "vector: %s: %s\n", what, status_name(status));
		exit(1);
	}
}

/* ---- A device in memory ---------------------------------------------------------------------- */

static uint8_t *disk;
static uint64_t disk_blocks;

static enum status disk_read(void *context, struct physical_block first, struct block_count count,
			     uint8_t *out)
{
	(void)context;
	memcpy(out, disk + first.n * BLOCK_BYTES, count.n * BLOCK_BYTES);
	return STATUS_OK;
}

static enum status disk_write(void *context, struct physical_block first, struct block_count count,
			      const uint8_t *bytes)
{
	(void)context;
	memcpy(disk + first.n * BLOCK_BYTES, bytes, count.n * BLOCK_BYTES);
	return STATUS_OK;
}

static enum status disk_flush(void *context)
{
	(void)context;
	return STATUS_OK;
}

static void disk_make(uint64_t blocks)
{
	disk_blocks = blocks;
	disk = calloc(blocks, BLOCK_BYTES);
	must(disk == NULL ? STATUS_NO_MEMORY : STATUS_OK, "disk");
}

static void disk_load(const char *path)
{
	FILE *file = fopen(path, "rb");
	must(file == NULL || fseek(file, 0, SEEK_END) != 0 ? STATUS_IO : STATUS_OK, path);
	disk_make((uint64_t)ftell(file) / BLOCK_BYTES);
	rewind(file);
	must(fread(disk, BLOCK_BYTES, disk_blocks, file) == disk_blocks ? STATUS_OK : STATUS_IO,
	     path);
	(void)fclose(file);
}

static void disk_save(const char *path)
{
	FILE *file = fopen(path, "wb");
	must(file != NULL && fwrite(disk, BLOCK_BYTES, disk_blocks, file) == disk_blocks &&
			     fclose(file) == 0
		     ? STATUS_OK
		     : STATUS_IO,
	     path);
}

static const struct block_device_ops disk_ops = {
	.read = disk_read, .write = disk_write, .flush = disk_flush};
static struct block_device device = {.ops = &disk_ops, .has_flush = true};
static struct aead aead;
static struct random entropy;
static struct volume_environment environment;

static void environment_make(enum volume_profile profile)
{
	const struct aead_platform platform = host_aead_platform();
	size_t bytes = volume_arena_bytes_for(profile, (struct block_count){disk_blocks});
	bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	MUST(aead_select(&aead, &platform, NULL, 0));
	MUST(random_init(&entropy, &host_entropy, NULL, 0));
	device.capacity.n = disk_blocks;
	environment = (struct volume_environment){.device = &device,
						  .aead = &aead,
						  .random = &entropy,
						  .arena = aligned_alloc(ALIGNMENT, bytes),
						  .arena_size_bytes = bytes};
}

static struct volume *mount(const struct volume_key *key, bool read_only)
{
	struct volume *volume = NULL;
	MUST(volume_mount(&environment, key, read_only, &volume, NULL));
	return volume;
}

/* ---- Contents: byte i of version v of number n is (7 i + 13 n + 31 v) modulo 256 ---------------
 */

static void fill(uint8_t *bytes, size_t size_bytes, uint64_t number, uint64_t version)
{
	for (size_t i = 0; i < size_bytes; i++) {
		bytes[i] = (uint8_t)(7 * i + 13 * number + 31 * version);
	}
}

static void object_put(struct store *store, const char *name, size_t size, uint64_t version)
{
	static uint8_t bytes[OBJECT_BYTES];
	fill(bytes, size, strlen(name), version);
	MUST(store_txn_resize(store, name, size));
	MUST(store_txn_write(store, name, 0, bytes, size));
}

/* Two sessions; objects that are at home, in the log, patched there, gone. */
static void state_make(void)
{
	struct store store;
	struct volume *volume = mount(&keys[0], false);
	MUST(volume_key_add(volume, &keys[1]));
	MUST(volume_key_add(volume, &keys[2]));
	MUST(store_open(&store, volume));
	MUST(store_txn_begin(&store));
	object_put(&store, "vtpm0.permall", 9000, 1);
	object_put(&store, "config", 30, 1);
	object_put(&store, "old", 10, 1);
	MUST(store_txn_commit(&store));
	MUST(volume_checkpoint(volume));
	store_close(&store);
	volume_unmount(volume);
	volume = mount(&keys[0], false);
	MUST(store_open(&store, volume));
	MUST(store_txn_begin(&store));
	object_put(&store, "config", 40, 2);
	MUST(store_txn_remove(&store, "old"));
	MUST(store_txn_commit(&store));
	MUST(store_txn_begin(&store));
	object_put(&store, "log-only", 100, 3);
	MUST(store_txn_commit(&store));
	store_close(&store);
	volume_unmount(volume);
}

static void blocks_put(struct volume *volume, uint64_t first, uint64_t count, uint64_t version)
{
	uint8_t block[BLOCK_BYTES];
	MUST(volume_txn_begin(volume));
	for (uint64_t at = first; at < first + count; at++) {
		fill(block, BLOCK_BYTES, at, version);
		MUST(volume_txn_put(volume, (struct logical_block){at}, block));
	}
	MUST(volume_txn_commit(volume));
}

/* Two sessions; blocks at home, in records, out of line in the log, and a hole. */
static void block_make(void)
{
	struct volume *volume = mount(&keys[0], false);
	MUST(volume_key_add(volume, &keys[1]));
	MUST(volume_key_add(volume, &keys[2]));
	blocks_put(volume, 3, 1, 1);
	blocks_put(volume, 500, 4, 1);
	MUST(volume_checkpoint(volume));
	volume_unmount(volume);
	volume = mount(&keys[0], false);
	blocks_put(volume, 502, 9, 2);
	blocks_put(volume, 3, 1, 2);
	MUST(volume_txn_begin(volume));
	MUST(volume_txn_discard(volume, (struct logical_block){500}));
	MUST(volume_txn_commit(volume));
	volume_unmount(volume);
}

static void make(const char *name, const char *path)
{
	bool is_block = strcmp(name, "block") == 0;
	enum volume_profile profile = is_block ? VOLUME_PROFILE_BLOCK : VOLUME_PROFILE_STATE;
	disk_make(is_block ? 4096 : 2048);
	environment_make(profile);
	MUST(volume_create_profile(&environment, profile, device.capacity, &keys[0], NULL, NULL));
	if (is_block) {
		block_make();
	} else {
		state_make();
	}
	disk_save(path);
}

/* ---- Reading ------------------------------------------------------------------------------- */

static void hex_print(const uint8_t *bytes, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++) {
		printf("%02x", bytes[i]);
	}
}

static void digest_print(const uint8_t *bytes, size_t size_bytes)
{
	const struct hash_input input = {.bytes = bytes, .size_bytes = size_bytes};
	uint8_t digest[SHA256_BYTES];
	MUST(hash_sha256(&input, 1, digest));
	hex_print(digest, sizeof(digest));
}

static void info_print(struct volume *volume)
{
	struct volume_keyslot_info slots[VOLUME_KEYSLOTS_MAX];
	struct volume_info info;
	volume_info_get(volume, &info);
	printf("{\"profile\": %u, \"size\": %" PRIu64 ", \"uuid\": \"", (unsigned)info.open.profile,
	       info.open.size.n);
	hex_print(info.open.uuid, VOLUME_UUID_BYTES);
	printf("\", \"epoch\": %" PRIu64 ", \"sequence\": %" PRIu64 ", \"generation\": %" PRIu32
	       ", \"used\": %" PRIu64 ", \"keyslots\": [",
	       info.epoch, info.sequence, info.key_generation, info.blocks_used.n);
	uint32_t count = volume_keyslots_list(volume, slots);
	for (uint32_t i = 0; i < count; i++) {
		printf("%s[%u, %u, %u, %u]", i == 0 ? "" : ", ", slots[i].slot,
		       (unsigned)slots[i].type, slots[i].key_generation, slots[i].iterations);
	}
	printf("]");
}

static struct store *walked;

static enum status object_print(void *context, const struct store_object_info *info)
{
	static uint8_t bytes[OBJECT_BYTES];
	bool *first = context;
	MUST(store_read(walked, info->name, 0, bytes, info->size_bytes));
	printf("%s\"%s\": [%" PRIu64 ", \"", *first ? "" : ", ", info->name,
	       (uint64_t)info->size_bytes);
	digest_print(bytes, info->size_bytes);
	printf("\"]");
	*first = false;
	return STATUS_OK;
}

static void objects_print(struct volume *volume)
{
	struct store store;
	bool first = true;
	MUST(store_open(&store, volume));
	walked = &store;
	printf(", \"objects\": {");
	MUST(store_list(&store, object_print, &first));
	printf("}}\n");
	store_close(&store);
}

static void blocks_print(struct volume *volume)
{
	static const uint8_t zeroes[BLOCK_BYTES];
	uint8_t block[BLOCK_BYTES];
	bool first = true;
	printf(", \"blocks\": {");
	for (uint64_t at = 0; at < volume_logical_size(volume).n; at++) {
		MUST(volume_read(volume, (struct logical_block){at}, block));
		if (memcmp(block, zeroes, BLOCK_BYTES) != 0) {
			printf("%s\"%" PRIu64 "\": \"", first ? "" : ", ", at);
			digest_print(block, BLOCK_BYTES);
			printf("\"");
			first = false;
		}
	}
	printf("}}\n");
}

static struct volume *image_open(char **arguments, bool read_only)
{
	static uint8_t bytes[256];
	struct volume_public_info open;
	struct volume_key key = {.type = (enum volume_key_type)(arguments[3][0] - '0'),
				 .bytes = bytes};
	const char *hex = arguments[4];
	for (; key.size_bytes < sizeof(bytes) && hex[0] != 0 && hex[1] != 0; hex += 2) {
		const char pair[] = {hex[0], hex[1], 0};
		bytes[key.size_bytes++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	disk_load(arguments[2]);
	device.capacity.n = disk_blocks;
	MUST(volume_public_info_read(&device, &open));
	environment_make(open.profile);
	return mount(&key, read_only);
}

static void read_image(char **arguments)
{
	struct volume *volume = image_open(arguments, true);
	struct volume_info info;
	volume_info_get(volume, &info);
	MUST(volume_verify(volume, NULL, NULL));
	info_print(volume);
	if (info.open.profile == VOLUME_PROFILE_BLOCK) {
		blocks_print(volume);
	} else {
		objects_print(volume);
	}
	volume_unmount(volume);
}

static void write_image(char **arguments)
{
	struct volume *volume = image_open(arguments, false);
	struct volume_info info;
	struct store store;
	volume_info_get(volume, &info);
	if (info.open.profile == VOLUME_PROFILE_BLOCK) {
		blocks_put(volume, 1000, 20, 9);
	} else {
		MUST(store_open(&store, volume));
		MUST(store_txn_begin(&store));
		object_put(&store, "new", 5000, 9);
		MUST(store_txn_commit(&store));
		store_close(&store);
	}
	MUST(volume_checkpoint(volume));
	MUST(volume_verify(volume, NULL, NULL));
	volume_unmount(volume);
	disk_save(arguments[2]);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "make") == 0) {
		make(argv[2], argv[3]);
	} else if (argc == 5 && strcmp(argv[1], "read") == 0) {
		read_image(argv);
	} else if (argc == 5 && strcmp(argv[1], "write") == 0) {
		write_image(argv);
	} else {
		(void)fprintf(stderr, "usage: vector make state|block IMAGE\n"
				      "       vector read|write IMAGE KEYTYPE KEYHEX\n");
		return 2;
	}
	return 0;
}
