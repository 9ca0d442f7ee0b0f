// SPDX-License-Identifier: MIT
/* What a mounted volume of either profile holds, under names: the objects of the state profile, or
 * the one object of the block profile, the whole of its offered space, called DEVICE_NAME. Reading;
 * how content is changed differs too much (one transaction; a stream). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/store.h"
#include "tools/holdfast/session.h"

/* The contracts are those of store_list(), store_stat(), store_read() and store_extent(). The
 * device's version is the volume's sequence number: the commits so far. */
MUST_CHECK
enum status contents_list(struct session *session, store_visit visit, void *context);
MUST_CHECK
enum status contents_stat(struct session *session, const char *name,
			  struct store_object_info *info);
MUST_CHECK
enum status contents_read(struct session *session, const char *name, uint64_t offset_bytes,
			  uint8_t *out, size_t size_bytes);
MUST_CHECK
enum status contents_extent(struct session *session, const char *name, uint64_t offset_bytes,
			    uint64_t size_bytes, uint64_t *extent_bytes, bool *is_hole);

/* Call `visit` for each piece of an object that holds something, in order, at most
 * CONTENTS_PIECE_BYTES at a time; holes are passed over. A status other than OK from it ends the
 * walk and is returned. `offset_bytes` is a multiple of BLOCK_BYTES. */
#define CONTENTS_PIECE_BYTES (256u << 10)
typedef enum status (*contents_visit)(void *context, uint64_t offset_bytes, const uint8_t *bytes,
				      size_t size_bytes);
MUST_CHECK
enum status contents_walk(struct session *session, const struct store_object_info *info,
			  contents_visit visit, void *context);
