// SPDX-License-Identifier: MIT
/* The sealed body of a superblock from bytes. Whoever holds the master key wrote it, and the rest
 * of the volume is reached through it: so what no writer of this format would say is refused, and
 * what is accepted keeps superblock_is_sound. */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_format.h"

/* Offsets are those of docs/volume-format.md, "Superblock". */
#define BODY_POLICY_END (VOLUME_BODY_GROUPS_AT - 16u)
#define BODY_CURSOR_AT  (VOLUME_BODY_GROUPS_AT + VOLUME_GROUPS_MAX * VOLUME_ENTRY_BYTES)
#define BODY_CURSOR_END (BODY_CURSOR_AT + 16u)
#define BODY_DOUBT_END  (VOLUME_BODY_DOUBT_AT + 8u + VOLUME_ANCHOR_BYTES)

STATIC_ASSERT(BODY_CURSOR_END <= VOLUME_BODY_LIFE_AT, "the cursor lies before what came later");

/* ---- What a writer says -------------------------------------------------------------------- */

bool volume_witness_policy_is_sane(const struct volume_witness_policy *policy)
{
	switch (policy->kind) {
	case VOLUME_WITNESS_OPEN:
	case VOLUME_WITNESS_STRICT: return policy->commits == 0 && policy->seconds == 0;
	case VOLUME_WITNESS_BOUNDED: return policy->commits != 0;
	}
	return false;
}

/* Block profile: one entry, the group tree's root (a hole while nothing is allocated). */
/*@ requires \valid_read(superblock) && geometry_is_sound(&superblock->geometry);
    assigns \nothing;
    ensures \result ==> (\forall integer i;
      1 <= i < VOLUME_GROUPS_MAX ==> superblock->groups[i].physical == 0); */
static bool group_root_is_sane(const struct volume_superblock *superblock)
{
	const struct volume_geometry *geometry = &superblock->geometry;
	uint64_t at = superblock->groups[0].physical;
	/*@ loop invariant 1 <= i <= VOLUME_GROUPS_MAX;
	    loop invariant \forall integer j; 1 <= j < i ==> superblock->groups[j].physical == 0;
	    loop assigns i;
	    loop variant VOLUME_GROUPS_MAX - i; */
	for (uint32_t i = 1; i < VOLUME_GROUPS_MAX; i++) {
		if (superblock->groups[i].physical != 0) {
			return false;
		}
	}
	return at == 0 || at == volume_group_node_place(geometry, geometry->group_levels, 0, 0) ||
	       at == volume_group_node_place(geometry, geometry->group_levels, 0, 1);
}

/*@ requires \valid_read(superblock) && geometry_is_sound(&superblock->geometry);
    assigns \nothing;
    ensures \result ==> (\forall integer i;
      0 <= i < VOLUME_GROUPS_MAX ==> group_is_sound(superblock, i)); */
static bool groups_are_sane(const struct volume_superblock *superblock)
{
	const struct volume_geometry *geometry = &superblock->geometry;
	if (geometry->group_levels != 0) {
		return group_root_is_sane(superblock);
	}
	/*@ loop invariant 0 <= i <= VOLUME_GROUPS_MAX;
	    loop invariant \forall integer j; 0 <= j < i ==> group_is_sound(superblock, j);
	    loop assigns i;
	    loop variant VOLUME_GROUPS_MAX - i; */
	for (uint32_t i = 0; i < VOLUME_GROUPS_MAX; i++) {
		uint64_t at = superblock->groups[i].physical;
		bool is_place = i < geometry->group_count
					? at == volume_bitmap_place(geometry, i, 0) ||
						  at == volume_bitmap_place(geometry, i, 1)
					: at == 0;
		if (!is_place) {
			return false;
		}
	}
	return true;
}

/* Entries point where their kind may live: a bitmap into its own group's two slots, a node and the
 * table at an allocatable block. */
/*@ requires \valid_read(superblock) && geometry_is_sound(&superblock->geometry);
    assigns \nothing;
    ensures \result ==> entries_are_sound(superblock); */
static bool superblock_places_are_sane(const struct volume_superblock *superblock)
{
	const struct volume_geometry *geometry = &superblock->geometry;
	return groups_are_sane(superblock) &&
	       volume_is_allocatable(geometry, superblock->table.physical) &&
	       (superblock->tree.physical == 0 ||
		volume_is_allocatable(geometry, superblock->tree.physical));
}

/*@ requires \valid_read(superblock) && geometry_is_sound(&superblock->geometry);
    assigns \nothing;
    ensures \result ==> rotation_is_sound(superblock); */
static bool rotation_is_sane(const struct volume_superblock *superblock)
{
	const struct volume_geometry *geometry = &superblock->geometry;
	bool has_key = !bytes_are_zero(superblock->previous_key, VOLUME_KEY_BYTES);
	switch (superblock->rotation) {
	case VOLUME_ROTATION_NONE: return !has_key && superblock->sweep_cursor == 0;
	case VOLUME_ROTATION_TREE:
		return has_key && superblock->sweep_cursor <= geometry->logical_blocks;
	case VOLUME_ROTATION_GROUPS:
		return has_key && superblock->sweep_cursor <= geometry->group_count;
	case VOLUME_ROTATION_ERASE:
		return has_key && superblock->sweep_cursor <= geometry->group_end;
	}
	return false; /* A number from the disk. */
}

/* No mark is all zero; and what is in doubt is later than what is not. */
/*@ requires \valid_read(superblock);
    assigns \nothing;
    ensures \result ==> marks_are_sound(superblock); */
static bool witness_is_sane(const struct volume_superblock *superblock)
{
	uint64_t acknowledged = superblock->witness_sequence;
	uint64_t doubt = superblock->witness_doubt_sequence;
	return volume_witness_policy_is_sane(&superblock->witness_policy) &&
	       (acknowledged != 0 ||
		bytes_are_zero(superblock->witness_anchor, VOLUME_ANCHOR_BYTES)) &&
	       (doubt > acknowledged ||
		(doubt == 0 &&
		 bytes_are_zero(superblock->witness_doubt_anchor, VOLUME_ANCHOR_BYTES)));
}

/*@ requires \valid_read(superblock);
    assigns \nothing;
    ensures \result <==>
      superblock->flags <= (superblock->geometry.profile == VOLUME_PROFILE_BLOCK ? 3 : 0); */
static bool superblock_flags_are_sane(const struct volume_superblock *superblock)
{
	/* All bits up to the highest one that is known. */
	const uint32_t known = VOLUME_SUPERBLOCK_LATE | VOLUME_SUPERBLOCK_CARRIES;
	return superblock->flags <=
	       (superblock->geometry.profile == VOLUME_PROFILE_BLOCK ? known : 0);
}

/*@ requires \valid_read(superblock) && geometry_is_sound(&superblock->geometry);
    assigns \nothing;
    ensures \result ==> fields_are_sound(superblock); */
static bool superblock_fields_are_sane(const struct volume_superblock *superblock)
{
	return superblock->epoch != 0 &&
	       superblock->log_offset < superblock->geometry.ring_blocks &&
	       superblock->session != 0 && superblock->next_session > superblock->session &&
	       superblock->keyslot_epoch != 0 && superblock_flags_are_sane(superblock) &&
	       witness_is_sane(superblock) && rotation_is_sane(superblock) &&
	       superblock->free_count <= volume_allocatable_count(&superblock->geometry) &&
	       (superblock->geometry.profile == VOLUME_PROFILE_STATE ||
		(superblock->cursor >= superblock->geometry.group_first &&
		 superblock->cursor < superblock->geometry.group_end));
}

/* ---- From bytes ---------------------------------------------------------------------------- */

/* The ring's length is the one of the size that the volume was made with. */
/*@ requires \valid_read(body + (0 .. VOLUME_SUPERBLOCK_BODY_BYTES - 1)) && \valid(geometry);
    requires \separated(geometry, body + (0 .. VOLUME_SUPERBLOCK_BODY_BYTES - 1));
    assigns *geometry;
    ensures \result ==> geometry_is_sound(geometry) &&
      geometry->profile == profile && geometry->size == size; */
static bool geometry_read(const uint8_t *body, uint32_t profile, uint64_t size,
			  struct volume_geometry *geometry)
{
	const uint64_t usable = bytes_load_le64(body + VOLUME_BODY_LIFE_AT);
	const uint32_t ring_blocks = bytes_load_le32(body + 16);
	/* There is one way to say that it is not growing. */
	if (usable == size || volume_geometry_grown(profile, size, usable == 0 ? size : usable,
						    ring_blocks, geometry) != STATUS_OK) {
		return false;
	}
	return bytes_load_le64(body + 8) == geometry->ring_first &&
	       bytes_load_le32(body + 20) == geometry->group_count &&
	       bytes_load_le64(body + 24) == geometry->group_first;
}

/* The numbers and keys that are always there, up to the groups' entries. */
/*@ requires \valid_read(body + (0 .. VOLUME_SUPERBLOCK_BODY_BYTES - 1)) && \valid(superblock);
    requires \separated(superblock, body + (0 .. VOLUME_SUPERBLOCK_BODY_BYTES - 1));
    assigns *superblock; */
static void superblock_fields_read(const uint8_t *body, struct volume_superblock *superblock)
{
	superblock->epoch = bytes_load_le64(body);
	superblock->log_offset = bytes_load_le32(body + 32);
	superblock->session = bytes_load_le32(body + 36);
	superblock->log_sequence = bytes_load_le64(body + 40);
	memcpy(superblock->log_tag, body + 48, AEAD_TAG_BYTES);
	memcpy(superblock->anchor, body + 64, VOLUME_ANCHOR_BYTES);
	memcpy(superblock->session_salt, body + 160, VOLUME_SALT_BYTES);
	superblock->session_generation = bytes_load_le32(body + 192);
	superblock->next_session = bytes_load_le32(body + 196);
	superblock->keyslot_epoch = bytes_load_le64(body + 200);
	memcpy(superblock->keyslot_digest, body + 208, SHA256_BYTES);
	superblock->witness_sequence = bytes_load_le64(body + 240);
	memcpy(superblock->witness_anchor, body + 248, VOLUME_ANCHOR_BYTES);
	superblock->witness_policy.kind =
		(enum volume_witness_policy_kind)bytes_load_le32(body + 280);
	superblock->flags = bytes_load_le32(body + 284);
	superblock->sweep_cursor = bytes_load_le64(body + 288);
	superblock->witness_policy.commits = bytes_load_le32(body + 296);
	superblock->witness_policy.seconds = bytes_load_le32(body + 300);
}

/* What came later, and is zero where there is no such thing. */
/*@ requires \valid_read(body + (0 .. VOLUME_SUPERBLOCK_BODY_BYTES - 1)) && \valid(superblock);
    requires \separated(superblock, body + (0 .. VOLUME_SUPERBLOCK_BODY_BYTES - 1));
    assigns *superblock; */
static void superblock_life_read(const uint8_t *body, uint32_t profile,
				 struct volume_superblock *superblock)
{
	const bool allocates_onwards = profile == VOLUME_PROFILE_BLOCK;
	superblock->cursor = allocates_onwards ? bytes_load_le64(body + BODY_CURSOR_AT) : 0;
	superblock->free_count = allocates_onwards ? bytes_load_le64(body + BODY_CURSOR_AT + 8) : 0;
	superblock->rotation = (enum volume_rotation)bytes_load_le32(body + 856);
	memcpy(superblock->previous_key, body + 864, VOLUME_KEY_BYTES);
	superblock->witness_doubt_sequence = bytes_load_le64(body + VOLUME_BODY_DOUBT_AT);
	memcpy(superblock->witness_doubt_anchor, body + VOLUME_BODY_DOUBT_AT + 8,
	       VOLUME_ANCHOR_BYTES);
}

/*@ requires \valid_read(body + (0 .. VOLUME_SUPERBLOCK_BODY_BYTES - 1)) && \valid(superblock);
    requires \separated(superblock, body + (0 .. VOLUME_SUPERBLOCK_BODY_BYTES - 1));
    assigns *superblock; */
static bool superblock_entries_read(const uint8_t *body, struct volume_superblock *superblock)
{
	if (volume_entry_decode(body + 96, &superblock->tree) != STATUS_OK ||
	    volume_entry_decode(body + 128, &superblock->table) != STATUS_OK) {
		return false;
	}
	/*@ loop invariant 0 <= i <= VOLUME_GROUPS_MAX;
	    loop assigns i, superblock->groups[0 .. VOLUME_GROUPS_MAX - 1];
	    loop variant VOLUME_GROUPS_MAX - i; */
	for (uint32_t i = 0; i < VOLUME_GROUPS_MAX; i++) {
		const uint8_t *from = body + VOLUME_BODY_GROUPS_AT + i * VOLUME_ENTRY_BYTES;
		if (volume_entry_decode(from, &superblock->groups[i]) != STATUS_OK) {
			return false;
		}
	}
	return true;
}

//@ requires \valid_read(body + (0 .. VOLUME_SUPERBLOCK_BODY_BYTES - 1)); assigns \nothing;
static bool reserved_is_zero(const uint8_t *body, uint32_t profile)
{
	const bool has_cursor = profile == VOLUME_PROFILE_BLOCK;
	return bytes_are_zero(body + BODY_POLICY_END, VOLUME_BODY_GROUPS_AT - BODY_POLICY_END) &&
	       (has_cursor || bytes_are_zero(body + BODY_CURSOR_AT, 16)) &&
	       bytes_are_zero(body + BODY_CURSOR_END, VOLUME_BODY_LIFE_AT - BODY_CURSOR_END) &&
	       bytes_load_le32(body + 860) == 0 &&
	       bytes_are_zero(body + BODY_DOUBT_END, VOLUME_SUPERBLOCK_BODY_BYTES - BODY_DOUBT_END);
}

enum status volume_superblock_body_decode(const uint8_t body[VOLUME_SUPERBLOCK_BODY_BYTES],
					  uint32_t profile, uint64_t size,
					  struct volume_superblock *superblock)
{
	*superblock = (struct volume_superblock){.generation = 0}; /* The header's. */
	bool is_sane = superblock_entries_read(body, superblock);
	if (is_sane) {
		superblock_fields_read(body, superblock);
		superblock_life_read(body, profile, superblock);
		is_sane = reserved_is_zero(body, profile) &&
			  geometry_read(body, profile, size, &superblock->geometry) &&
			  superblock_fields_are_sane(superblock) &&
			  superblock_places_are_sane(superblock);
	}
	if (!is_sane) {
		*superblock = (struct volume_superblock){.generation = 0};
		return STATUS_AUTH_META;
	}
	return STATUS_OK;
}
