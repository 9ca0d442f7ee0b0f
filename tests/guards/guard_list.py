# SPDX-License-Identifier: MIT
"""The guards of the virtio drivers, each with the text that it is, what stands there without it,
and the tests that have to notice. mutations.py runs them."""

from typing import NamedTuple

BOTH = ("split", "packed")
SPLIT = ("split",)
PACKED = ("packed",)


class Mutation(NamedTuple):
    name: str
    items: str  # Of docs/virtio-threats.md.
    quick: bool
    guard: str  # What is switched off.
    layouts: tuple  # Where it has to show.
    source: str
    text: str
    replacement: str
    tests: str


QUEUE = "test_virtq test_virtq_lies"
BLK = "test_virtio_blk test_virtio_blk_lies test_virtio_blk_queue"
SERIAL = "test_virtio_serial test_virtio_serial_lies"

MUTATIONS = [
    # ---- The ring: what the device reports ----
    Mutation("used-index", "16 17", True, "no more completions than chains in flight", SPLIT,
             "virtio/virtq_split.c",
             "if ((uint16_t)(index - queue->used_index) > queue->chains_in_flight) {",
             "if (false) {", QUEUE),
    Mutation("other-lap", "17", True, "a report of another lap is none", PACKED,
             "virtio/virtq_packed.c",
             "return available == used && used == queue->used_wrap;",
             "return available == used;", QUEUE),
    Mutation("load-once", "18", True, "id and length come from one load", SPLIT,
             "virtio/virtq_split.c", "*id = (uint32_t)element;",
             "*id = shared_load_u32(&queue->ring, queue->device_offset + RING_ENTRIES + "
             "USED_ENTRY_BYTES * slot);", QUEUE),
    Mutation("word-once", "18", True, "flags, id and length come from one load", PACKED,
             "virtio/virtq_packed.c", "if (!is_used(queue, word)) {",
             "if (!is_used(queue, used_word_load(queue))) {", QUEUE),
    Mutation("index-once", "18", False, "the index is loaded when it is needed, and once", SPLIT,
             "virtio/virtq_split.c", "queue->used_seen = index;",
             "queue->used_seen = index_load(queue);", QUEUE),
    Mutation("id-range", "19", True, "an id is below the queue's size", BOTH, "virtio/virtq.c",
             "if (claimed_id >= queue->size) {", "if (false) {", QUEUE),
    Mutation("id-width", "19", True, "an id has 32 bits", SPLIT, "virtio/virtq_split.c",
             "*id = (uint32_t)element;", "*id = (uint16_t)element;", QUEUE),
    Mutation("in-flight", "20 21", True, "an id is that of a chain in flight", BOTH,
             "virtio/virtq.c", "if (slot->ring_entries == 0) {", "if (false) {", QUEUE),
    Mutation("retire", "21", False, "a chain that completed is no longer in flight", BOTH,
             "virtio/virtq.c", "queue->chains_in_flight--; slot->ring_entries = 0;",
             "queue->chains_in_flight--;", QUEUE),
    Mutation("length", "24", True, "no more written than there was room for", BOTH,
             "virtio/virtq.c", "if (length > slot->writable_bytes) {", "if (false) {", QUEUE),
    Mutation("batch", "16", True, "a batch is not longer than the index says", SPLIT,
             "virtio/virtq.c",
             "before >= (uint16_t)(queue->used_seen - queue->used_index)) {", "false) {", QUEUE),
    Mutation("poisoned-poll", "16-24", True, "a liar is not believed again", BOTH,
             "virtio/virtq.c", "queue->lie = lie; return STATUS_BAD_HOST;",
             "(void)queue; (void)lie; return STATUS_BAD_HOST;", QUEUE),

    # ---- The ring: what we wrote ----
    Mutation("links", "25", True, "chains are followed in private", SPLIT, "virtio/virtq_split.c",
             "id = queue->slots[id].next;",
             "id = (uint16_t)(shared_load_u64(&queue->ring, VIRTQ_DESC_BYTES * id + 8) >> 48);",
             QUEUE),
    Mutation("entries", "25", False, "a chain's length is known in private", PACKED,
             "virtio/virtq_packed.c",
             "if (position_advance(queue->size, &queue->used_index, "
             "queue->slots[id].ring_entries)) {",
             "uint16_t entries = 1; while (entries < queue->slots[id].ring_entries && "
             "(shared_load_u64(&queue->ring, VIRTQ_DESC_BYTES * ((queue->used_index + entries) % "
             "queue->size)) >> 40) != 0xffffff) { entries++; } "
             "if (position_advance(queue->size, &queue->used_index, entries)) {", QUEUE),
    Mutation("index-shadow", "26", True, "the available index is ours", SPLIT,
             "virtio/virtq_split.c", "queue->available_index++;",
             "queue->available_index = (uint16_t)(shared_load_u16(&queue->ring, "
             "queue->driver_offset + RING_INDEX) + 1u);", QUEUE),
    Mutation("split-address", "29", True, "only shared addresses in the ring", SPLIT,
             "virtio/virtq_split.c", "shared_store_u64(&queue->ring, at, segment->at.raw);",
             "shared_store_u64(&queue->ring, at, (uint64_t)(uintptr_t)queue);", QUEUE),
    Mutation("packed-address", "29", False, "only shared addresses in the ring", PACKED,
             "virtio/virtq_packed.c", "shared_store_u64(&queue->ring, at, segment->at.raw);",
             "shared_store_u64(&queue->ring, at, (uint64_t)(uintptr_t)queue);", QUEUE),
    Mutation("own-table", "25", True, "no two chains in flight share an indirect table", BOTH,
             "virtio/virtq.c", "*table = queue->slots[queue->free_tables].free_table;",
             "*table = 0;", QUEUE),
    Mutation("first-last", "25", False, "a chain becomes available as a whole", PACKED,
             "virtio/virtq_packed.c",
             "if (position_advance(queue->size, &queue->available_index, entries->count)) {",
             "if (position_advance(queue->size, &queue->available_index, 1)) {", QUEUE),

    # ---- Notifications and waiting ----
    Mutation("event", "27", True, "the device is told when it wants to be", BOTH,
             "virtio/virtq.c", "return behind < count;",
             "(void)behind; (void)count; return false;", QUEUE),
    Mutation("no-storm", "28", False, "a kick without work is none", BOTH, "virtio/virtq.c",
             "if (queue->unannounced == 0) {", "if (false) {", QUEUE),
    Mutation("interrupt-wish", "28", False, "interrupts only while they are wanted", BOTH,
             "virtio/virtq.c", "queue->interrupts_wanted = wanted;",
             "(void)wanted; queue->interrupts_wanted = true;", QUEUE),
    Mutation("knock", "27", True, "a device that was not told is told again", BOTH,
             "virtio/virtio_device.c", "virtq_kick_always(&queues[i]);", "(void)queues;",
             "test_virtio_blk_queue"),
    Mutation("knock-serial", "27", False, "and so is one with a port", BOTH,
             "virtio/virtio_serial.c", "virtq_kick_always(&serial->ports[i].receive);", "",
             SERIAL),
    Mutation("deadline", "38 39", True, "each piece has its deadline", BOTH,
             "block/virtio_blk_queue.c",
             "if (piece->job != NULL && clock_deadline_passed(clock, piece->deadline)) {",
             "if (false) {", "test_virtio_blk_lies"),
    Mutation("deadline-progress", "39", True, "whatever else the device does", BOTH,
             "block/virtio_blk_queue.c", "for (uint16_t i = 0; i < blk->depth; i++) { const struct "
             "virtio_blk_piece *piece",
             "for (uint16_t i = 0; !blk->progressed && i < blk->depth; i++) { const struct "
             "virtio_blk_piece *piece", "test_virtio_blk_queue"),
    Mutation("alive", "13 41", True, "a device that wants a reset is dead", BOTH,
             "virtio/virtio_device.c",
             "device->state != VIRTIO_DEVICE_RUNNING || status_read(device) != STATUS_RUNNING",
             "device->state != VIRTIO_DEVICE_RUNNING", "test_virtq"),

    # ---- Memory ----
    Mutation("scrub", "30", True, "pages are zeroed before they are lent again", BOTH,
             "sharedmem/sharedmem.c",
             "/* Scrubbed at release already, but the host could write to the free page since. */ "
             "shared_zero(region, 0, region->size_bytes);", "", "test_sharedmem"),
    Mutation("leak", "31 42", True, "pages of an unconfirmed reset are never lent again", BOTH,
             "virtio/virtio_device.c", "if (device->state == VIRTIO_DEVICE_LOST) {",
             "if (false) {", BLK),
    Mutation("reset-confirmed", "42", True, "a reset is one when it reads back", BOTH,
             "virtio/virtio_device.c", "if (status_read(device) == 0) { return true; }",
             "(void)status_read(device); return true;", BLK),
    Mutation("reset-deadline", "42", False, "and is not waited for for ever", BOTH,
             "virtio/virtio_device.c",
             "if (clock_deadline_passed(clock, deadline)) { return false; } "
             "clock->relax(clock->context);", "clock->relax(clock->context);",
             "test_virtio_blk_lies"),
    Mutation("failures", "41", True, "a device fails three times, then no more", BOTH,
             "virtio/virtio_device.c", "transport->failure_count >= VIRTIO_FAILURES_MAX",
             "false", BLK),

    # ---- Requests ----
    Mutation("preset", "32", True, "the status byte is preset", BOTH, "block/virtio_blk_piece.c",
             "shared_store_u8(&blk->control, at + STATUS_OFFSET, STATUS_PRESET);",
             "shared_store_u8(&blk->control, at + STATUS_OFFSET, 0);", BLK),
    Mutation("only-zero", "32", True, "only 0 is success", BOTH, "block/virtio_blk_piece.c",
             "if (status != VIRTIO_BLK_S_OK) {", "if (false) {", BLK),
    Mutation("poison", "33", True, "a read finds nothing of an earlier transfer", BOTH,
             "block/virtio_blk_piece.c", "virtio_blk_data_poison(blk, piece);", "", BLK),
    Mutation("short", "24", True, "a short transfer is an error", BOTH,
             "block/virtio_blk_piece.c",
             "return written_bytes == expected ? STATUS_OK : STATUS_IO;",
             "(void)written_bytes; (void)expected; return STATUS_OK;", BLK),
    Mutation("status-once", "37", True, "the status byte is loaded once", BOTH,
             "block/virtio_blk_piece.c", "if (status != VIRTIO_BLK_S_OK) {",
             "if (shared_load_u8(&blk->control, control_offset(blk, piece) + STATUS_OFFSET) != "
             "VIRTIO_BLK_S_OK) {", BLK),
    Mutation("flush-alone", "35", True, "a call that waits finds nothing in flight", BOTH,
             "block/virtio_blk.c", "if (blk->jobs_out > 0 || blk->completed_first != NULL) {",
             "if (false) {", BLK),
    Mutation("zeroes", "33", True, "what a failed read gives is zeroes", BOTH,
             "block/virtio_blk_queue.c",
             "memset(job->work.bytes, 0, job->work.count.n * BLOCK_BYTES);", "", BLK),
    Mutation("piece-failure", "24", False, "a failed piece fails its request", BOTH,
             "block/virtio_blk_piece.c",
             "else if ((*job)->status == STATUS_OK) { (*job)->status = status; }", "", BLK),
    Mutation("all-end", "16-24", True, "what is in flight ends with the device", BOTH,
             "block/virtio_blk_queue.c", "if (job->request != NULL) {", "if (false) {",
             "test_virtio_blk_queue"),
    Mutation("pages-back", "30", False, "a piece's pages come back", BOTH,
             "block/virtio_blk_piece.c", "virtio_blk_pages_give(blk, piece->first_page);", "",
             BLK),
    Mutation("printable", "43", True, "a disk's name is printable", BOTH, "block/virtio_blk.c",
             "id[length] = printable ? (char)bytes[length] : '?';",
             "(void)printable; id[length] = (char)bytes[length];", BLK),

    # ---- What the device says of itself ----
    Mutation("features-ok", "3", False, "FEATURES_OK is read back", BOTH,
             "virtio/virtio_device.c",
             "return status_read(device) == status ? STATUS_OK : STATUS_BAD_HOST;",
             "(void)status_read(device); return STATUS_OK;", "test_virtio_device"),
    Mutation("allow-list", "5", False, "features by allow-list", BOTH, "virtio/virtio_device.c",
             "device->features = offered & (wish->allowed_features | required | always);",
             "(void)always; device->features = offered;", BLK),
    Mutation("block-size", "10", False, "blocks of 512 or 4096 bytes", BOTH,
             "block/virtio_blk_config.c",
             "if (block_size != SECTOR_BYTES && block_size != BLOCK_BYTES) {", "if (false) {",
             BLK),
    Mutation("topology", "10", False, "no physical block above ours", BOTH,
             "block/virtio_blk_config.c",
             "return exponent < 32 && (uint64_t)block_size << exponent <= BLOCK_BYTES ? STATUS_OK "
             ": STATUS_UNSUPPORTED;", "(void)exponent; return STATUS_OK;", BLK),
    Mutation("segments", "11", False, "no more segments than the device takes", BOTH,
             "block/virtio_blk_pages.c", "if (*count == blk->segments_max) {", "if (false) {",
             BLK),
    Mutation("ranges", "12", False, "discards within the device's limit", BOTH,
             "block/virtio_blk_piece.c",
             "case VIRTIO_BLK_T_DISCARD: return blk->discard_blocks_max;",
             "case VIRTIO_BLK_T_DISCARD: return 1u << 20;", BLK),
]
