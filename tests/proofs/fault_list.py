# SPDX-License-Identifier: MIT
"""Faults for mutations.py: each is one that a person could make, in a function that is proved."""

from typing import NamedTuple


class Fault(NamedTuple):
    name: str
    unit: str  # Of units.toml.
    function: str  # Whose goals have to notice.
    quick: bool
    fault: str  # What goes wrong.
    text: str
    replacement: str


FAULTS = [
    # ---- base ----
    Fault("addr-within", "base-addr", "addr_within", True, "a sum that wraps",
          "return offset <= limit && size <= limit - offset;",
          "return offset + size <= limit;"),
    Fault("addr-overlap", "base-addr", "phys_range_overlaps", False, "neighbours overlap",
          "return a.first.raw < b.first.raw + b.size_bytes",
          "return a.first.raw <= b.first.raw + b.size_bytes"),
    Fault("reader-bound", "base-reader", "reader_bytes", True,
          "the size is compared with all bytes",
          "size > reader->size - reader->at", "size > reader->size"),
    Fault("reader-sticky", "base-reader", "reader_bytes", False, "a failed reader reads on",
          "if (reader->failed || size", "if (size"),
    Fault("bytes-zero", "base-bytes", "bytes_are_zero", False, "only the last word counts",
          "seen |= word;", "seen = word;"),
    # ---- vtpm ----
    Fault("frame-size-max", "vtpm-frame", "leave_header", True, "a body that is too long is stored",
          "if (size < TPM_HEADER_BYTES || size > TPM_COMMAND_BYTES_MAX) {",
          "if (size < TPM_HEADER_BYTES) {"),
    Fault("frame-size-min", "vtpm-frame", "leave_header", False, "a size below the header's",
          "if (size < TPM_HEADER_BYTES || size > TPM_COMMAND_BYTES_MAX) {",
          "if (size > TPM_COMMAND_BYTES_MAX) {"),
    Fault("frame-second", "vtpm-frame", "feed_step", False, "a held command is overwritten",
          "case FRAME_COMPLETE: break;", "case FRAME_COMPLETE: used = store_up_to(frame, "
          "TPM_COMMAND_BYTES_MAX, bytes, size); break;"),
    Fault("frame-erase", "vtpm-frame", "begin_header", False, "authorisation values stay",
          "secure_zero(frame->bytes, frame->stored_bytes);", ""),
    Fault("response-size", "vtpm-response", "response_check", True,
          "a response whose size field lies is let out",
          "if (!reader_ok(&reader) || size != size_bytes) {", "if (!reader_ok(&reader)) {"),
    Fault("response-tag", "vtpm-response", "response_check", False, "any tag is let out",
          "tag != TPM_ST_SESSIONS && tag != TPM_ST_RSP_COMMAND", "tag != TPM_ST_SESSIONS && !tag"),
    Fault("response-limit", "vtpm-response", "response_check", False, "responses of any length",
          "size_bytes < TPM_HEADER_BYTES || size_bytes > TPM_RESPONSE_BYTES_MAX",
          "size_bytes < TPM_HEADER_BYTES"),
    # ---- ring 3 ----
    Fault("user-end", "kernel-user-mappings", "user_range_decode", True,
          "a range that ends in the kernel's half",
          "!addr_within(address, size, PAGE_TABLE_USER_END)", "false"),
    Fault("user-executable", "kernel-user-mappings", "user_access_decode", False,
          "ring 3 maps code of its own", ".user = true,", ".user = true, .executable = true,"),
    Fault("user-break", "kernel-user-mappings", "user_break_decode", False,
          "a break below its start", "wanted < start || ", ""),
    Fault("user-guard-page", "kernel-user-mappings", "user_mappings_place", False,
          "no unmapped page behind a mapping", "*address = first + PAGE_BYTES;",
          "*address = first + 2 * PAGE_BYTES;"),
    Fault("user-copy-end", "mm-user-range", "user_range_check", True,
          "bytes of the kernel's half are ring 3's",
          "if (!addr_within(first.raw, size_bytes, PAGE_TABLE_USER_END)) {",
          "if (first.raw >= PAGE_TABLE_USER_END) {"),
    Fault("user-copy-last-page", "mm-user-range", "user_range_check", False,
          "the last page is not looked at", "at < end; at += PAGE_BYTES",
          "at + PAGE_BYTES < end; at += PAGE_BYTES"),
    # ---- mm ----
    Fault("page-double-free", "mm-page-alloc", "release", True, "a free page is freed again",
          "if (!bit_is_set(alloc, index + i)) { return STATUS_INVALID; }",
          "(void)bit_is_set(alloc, index + i);"),
    Fault("page-outside", "mm-page-alloc", "span_index", True, "pages behind the span",
          "!addr_within(page - alloc->first_page, count, alloc->page_count)", "false"),
    Fault("page-before", "mm-page-alloc", "span_index", False, "pages before the span",
          "page < alloc->first_page ||", ""),
    Fault("page-run", "mm-page-alloc", "find_run", False, "a run that begins one page early",
          "*first = page + 1 - count;", "*first = page - count;"),
    Fault("page-taken", "mm-page-alloc", "find_run", False, "a run across a page that is taken",
          "run = bit_is_set(alloc, page) ? 0 : run + 1;",
          "run = bit_is_set(alloc, page) ? run : run + 1;"),
    Fault("page-neighbour", "mm-page-alloc", "bit_clear", False, "a neighbour's bit as well",
          "*word = word_without(*word, page % WORD_BITS);", "*word = 0;"),
    Fault("page-kept-free", "mm-page-alloc", "page_alloc_take", False,
          "pages that are handed out stay free", "run_set(alloc, index, count);", ""),
    # ---- block ----
    Fault("nonce-again", "block-nonce", "volume_counter_take", True, "a counter is used twice",
          "*counter = ++*seals;", "*counter = *seals;"),
    Fault("nonce-limit", "block-nonce", "volume_counter_take", False, "no limit",
          "if (*seals >= VOLUME_SEALS_MAX) {", "if (*seals > VOLUME_SEALS_MAX) {"),
    Fault("nonce-domain", "block-nonce", "volume_nonce_make", False,
          "two uses of a key share nonces", "bytes_store_le32(nonce, (uint32_t)domain);",
          "bytes_store_le32(nonce, 1);"),
    Fault("recovery-gap", "block-recovery", "volume_record_is_next", True,
          "records are left out", "record->sequence - 1 == so_far->sequence",
          "record->sequence - 1 >= so_far->sequence"),
    Fault("recovery-branch", "block-recovery", "volume_record_is_next", False,
          "a record of another branch",
          "&& bytes_equal_constant_time(record->previous_tag, so_far->tag, AEAD_TAG_BYTES)", ""),
    Fault("recovery-epoch", "block-recovery", "volume_record_is_next", False,
          "a record of a later epoch than the superblock's",
          "record->epoch <= so_far->epoch_last &&", ""),
    Fault("recovery-truncation", "block-recovery", "volume_leftover_is_honest", True,
          "flushed records that are missing go unnoticed",
          "return is_epoch_possible && record->durable_sequence <= so_far->sequence;",
          "return is_epoch_possible;"),
    # ---- sharedmem ----
    Fault("shared-width", "sharedmem-access", "shared_load_u32", True,
          "a load of twice the width", "return (uint32_t)load(region, offset_bytes, 4);",
          "return (uint32_t)load(region, offset_bytes, 8);"),
    Fault("shared-pair", "sharedmem-access", "shared_store_pair", False,
          "the second word lies elsewhere", "range_check(region, offset_bytes, 2 * sizeof(first));",
          "range_check(region, offset_bytes, 3 * sizeof(first));"),
    # ---- virtio ----
    Fault("split-index", "virtio-split", "virtq_split_used_load", True,
          "more completions than chains in flight are believed",
          "if (virtq_distance(queue->used_index, index) > queue->chains_in_flight) {",
          "if (false) {"),
    Fault("split-slot", "virtio-split", "virtq_split_used_load", False,
          "an element behind the ring", "virtq_place_in(queue->size, queue->used_index);",
          "queue->used_index;"),
    Fault("packed-id", "virtio-packed", "virtq_packed_used_load", True,
          "an id is used before its range is checked", "*id >= queue->size ||", ""),
]
