// SPDX-License-Identifier: MIT
/* What the volume's tests share: a simulated disk with a volume on it, scripted entropy, the real
 * AEAD, a model of the content, and the nonce ledger that watches every seal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block/volume.h"
#include "crypto/aead.h"
#include "crypto/random.h"
#include "sim_disk.h"

#define FIXTURE_BLOCKS   VOLUME_STATE_BLOCKS_MIN
#define MODEL_BLOCKS_MAX 640u
/* In every content that the model writes, to be searched for on the disk. */
#define FIXTURE_CANARY "plaintext-canary"

struct fixture {
	struct sim_disk disk;
	struct aead aead;
	struct random random;
	uint64_t entropy;      /* State of the scripted source. */
	bool entropy_is_empty; /* The source gives nothing. */
	enum volume_profile profile;
	uint8_t *arena;
	struct volume_environment environment;
	struct volume *volume; /* NULL: not mounted. */
};

/* The key that every fixture's volume is created with. */
extern const struct volume_key fixture_key;

/* A noisy disk and all that a volume needs. */
void fixture_init(struct fixture *fixture, uint64_t blocks);
/* The same with a volume, created and mounted. */
void fixture_init_mounted(struct fixture *fixture, uint64_t blocks);
/* Of another profile; `mounted`: with a volume. */
void fixture_init_profile(struct fixture *fixture, enum volume_profile profile, uint64_t blocks,
			  bool mounted);
void fixture_fini(struct fixture *fixture);
enum status fixture_create(struct fixture *fixture);
enum status fixture_mount(struct fixture *fixture);
enum status fixture_mount_read_only(struct fixture *fixture);
void fixture_unmount(struct fixture *fixture);
void fixture_remount(struct fixture *fixture);
/* Block profile: freeze what the log holds; the steps are the test's. */
void fixture_checkpoint_begin(struct fixture *fixture);

/* The content of a block: a function of a seed; seed 0 is a hole. */
struct model {
	size_t count;
	uint32_t logical[MODEL_BLOCKS_MAX];
	uint64_t seed[MODEL_BLOCKS_MAX];
};

void model_content(uint64_t seed, uint8_t out[BLOCK_BYTES]);
void model_set(struct model *model, uint32_t logical, uint64_t seed);
uint64_t model_get(const struct model *model, uint32_t logical);
/* Stage a block and set it in the model. */
enum status model_put(struct model *model, struct volume *volume, uint32_t logical, uint64_t seed);
/* True if the volume holds exactly the model's blocks. */
bool model_equals(const struct model *model, struct volume *volume);
/* One block, one transaction. */
enum status model_commit(struct model *model, struct volume *volume, uint32_t logical,
			 uint64_t seed);

/* `count` blocks `stride` apart, in one transaction; a seed of 0 makes holes. The model changes if
 * it succeeds. */
enum status fixture_put_many(struct fixture *fixture, struct model *model, uint32_t first,
			     uint32_t count, uint32_t stride, uint64_t seed);

/* Nonces: each (key, nonce) is used for one seal only, over all branches of a test program. */
uint64_t ledger_seals(void);
uint64_t ledger_repeats(void);

/* Numbers for tests: the same in each run. */
void fixture_random_seed(uint64_t seed);
uint32_t fixture_random(void);
void fixture_random_bytes(uint8_t *out, size_t size);
/* A multiple of 8 bytes that follow from the seed and do not compress. */
void fixture_noise(uint8_t *out, size_t size, uint64_t seed);

/* True if the text is somewhere on the disk. */
bool fixture_disk_contains(const struct fixture *fixture, const char *text);
