// SPDX-License-Identifier: MIT
/* The device: the script of its lies, its registers, its clock. */
#include <string.h>

#include "tests/fuzz/hostile.h"

/* What the driver writes, and reads back, once it has accepted features. */
#define STATUS_NEGOTIATED \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK)
#define RELAX_US      1000u
#define IDLE_STEPS    12u /* After so many idle turns, time begins to run faster. */
#define DOUBLINGS_MAX 10u
#define DELAY_MAX     5u

/* What an event does. Those up to EVENT_DELAY are an honest device's right. */
enum event {
	EVENT_NOTHING,
	EVENT_ORDER, /* Complete the latest first, or the oldest again. */
	EVENT_DELAY, /* Sleep for some turns. */
	EVENT_LOAD,  /* The next shared load returns the argument; memory keeps its value. */
	EVENT_LOAD_ADD,
	EVENT_REGISTER, /* The next register read returns the argument. */
	EVENT_REGISTER_XOR,
	EVENT_REGISTER_STICKY, /* One register is wrong from now on. */
	EVENT_WRITE_USED,      /* A field of a used ring changes. */
	EVENT_WRITE_ANYWHERE,  /* Shared memory changes. */
	EVENT_SILENT,
	EVENT_COMPLETE_ID,     /* A used element with any id and length. */
	EVENT_COMPLETE_LENGTH, /* A pending chain, with any length. */
	EVENT_INDEX_JUMP,
	EVENT_TIME,
	EVENT_MISBEHAVE, /* The model's own lie, for the next request. */
	EVENT_NOTIFY_OFF,
	EVENT_COUNT,
};

struct hostile hostile;

/* ---- The script -------------------------------------------------------------------------------
 */

static struct hostile_queue *queue_pick(uint32_t which)
{
	struct hostile_queue *queue = &hostile.queues[which % HOSTILE_QUEUES];
	return queue->ready != 0 ? queue : NULL;
}

/* Where the device's reports are: the used ring, or the packed ring itself. */
static uint64_t reports_at(const struct hostile_queue *queue, uint32_t offset)
{
	return hostile_has(VIRTIO_F_RING_PACKED) ? queue->descriptors + offset % (16 * queue->size)
						 : queue->used + offset % (6 + 8 * queue->size);
}

static void scribble(uint64_t at, uint32_t value)
{
	if (hostile_is_shared(at, 2)) {
		hostile_put(at, value, 2);
	}
}

/* argument: queue, offset, value:16. */
static void reports_scribble(uint32_t argument)
{
	const struct hostile_queue *queue = queue_pick(argument);
	if (queue != NULL) {
		scribble(reports_at(queue, argument >> 8 & 0xff), argument >> 16);
	}
}

/* Every queue's wish for notifications, in each way to say it. */
static void notifications_scribble(uint32_t argument)
{
	for (uint32_t i = 0; i < HOSTILE_QUEUES; i++) {
		const struct hostile_queue *queue = queue_pick(i);
		if (queue != NULL) {
			scribble(queue->used, argument);
			scribble(queue->used + hostile_device_part_bytes(queue) - 2, argument >> 8);
		}
	}
}

static void pool_scribble(uint32_t argument)
{
	const size_t at = (argument >> 8) % (hostile.memory.pages.page_count * PAGE_BYTES - 4);
	hostile_device_write(at, &argument, sizeof(argument));
}

/* argument: queue, id:12 with bit 11 standing for bit 16, length. */
static void id_complete(uint32_t argument)
{
	struct hostile_queue *queue = queue_pick(argument);
	if (queue != NULL) {
		const uint32_t id = argument >> 8 & 0x7ff;
		hostile_used_push(queue, id | (argument >> 19 & 1) << 16, argument >> 20, 1);
	}
}

static void index_jump(uint32_t argument)
{
	struct hostile_queue *queue = queue_pick(argument);
	if (queue != NULL) {
		hostile_index_jump(queue, (uint16_t)(argument >> 8));
	}
}

static void event_apply(uint8_t event, uint32_t argument)
{
	hostile.lied = hostile.lied || event > EVENT_DELAY;
	switch (event) {
	case EVENT_ORDER: hostile.reversed = !hostile.reversed; break;
	case EVENT_DELAY: hostile.delay = argument % DELAY_MAX; break;
	case EVENT_LOAD: hostile.load_lies = true; break;
	case EVENT_LOAD_ADD: hostile.load_adds = true; break;
	case EVENT_REGISTER: hostile.register_lies = true; break;
	case EVENT_REGISTER_XOR: hostile.register_xors = true; break;
	case EVENT_REGISTER_STICKY:
		hostile.sticky_register = (argument & 0x3f) * 4;
		hostile.sticky_xor = argument >> 8;
		break;
	case EVENT_WRITE_USED: reports_scribble(argument); break;
	case EVENT_WRITE_ANYWHERE: pool_scribble(argument); break;
	case EVENT_SILENT: hostile.silent = !hostile.silent; break;
	case EVENT_COMPLETE_ID: id_complete(argument); break;
	case EVENT_COMPLETE_LENGTH:
		if (hostile.pending_count > 0) {
			hostile_pending_complete(argument % hostile.pending_count, argument >> 8);
		}
		break;
	case EVENT_INDEX_JUMP: index_jump(argument); break;
	case EVENT_TIME: hostile.now_us += argument; break;
	case EVENT_MISBEHAVE: hostile.misbehave = argument; break;
	case EVENT_NOTIFY_OFF: notifications_scribble(argument); break;
	default: break;
	}
	if (event == EVENT_LOAD || event == EVENT_LOAD_ADD) {
		hostile.load_value = argument;
	} else if (event == EVENT_REGISTER || event == EVENT_REGISTER_XOR) {
		hostile.register_value = argument;
	}
}

void hostile_events_run(void)
{
	for (;;) {
		if (!hostile.has_event) {
			if (fuzz_left(&hostile.script) == 0) {
				return;
			}
			hostile.skip = fuzz_u8(&hostile.script);
			hostile.event = fuzz_u8(&hostile.script) % EVENT_COUNT;
			hostile.argument = fuzz_u32(&hostile.script);
			hostile.has_event = true;
		}
		if (hostile.skip > 0) {
			hostile.skip--;
			return;
		}
		hostile.has_event = false;
		event_apply(hostile.event, hostile.argument);
	}
}

/* ---- Registers --------------------------------------------------------------------------------
 */

static void queue_live(struct hostile_queue *queue, uint32_t value)
{
	queue->ready = value;
	if (value == 0) {
		return;
	}
	const uint64_t size = queue->size;
	hostile.reaches_memory = true;
	hostile.memory_changed = true;
	FUZZ_REQUIRE(size > 0 && size <= VIRTQ_SIZE_MAX && (size & (size - 1)) == 0);
	FUZZ_REQUIRE(size <= queue->size_max || hostile.lied);
	/* Nothing but shared addresses goes to the device. */
	const size_t driver_bytes = hostile_driver_part_bytes(queue);
	const size_t device_bytes = hostile_device_part_bytes(queue);
	FUZZ_REQUIRE(hostile_is_shared(queue->descriptors, 16 * size));
	FUZZ_REQUIRE(hostile_is_shared(queue->available, driver_bytes));
	FUZZ_REQUIRE(hostile_is_shared(queue->used, device_bytes));
	hostile_ring_page_set(hostile_offset(queue->descriptors), 16 * size);
	hostile_ring_page_set(hostile_offset(queue->available), driver_bytes);
	hostile_ring_page_set(hostile_offset(queue->used), device_bytes);
}

static void status_write(uint32_t value)
{
	hostile.status = value;
	if (value != 0) {
		return;
	}
	hostile.pending_count = 0;
	hostile.accepted = 0;
	hostile.features_confirmed = false;
	for (size_t i = 0; i < hostile.queues_end; i++) {
		hostile_queue_reset(&hostile.queues[i]);
	}
}

static void queue_select(uint32_t value)
{
	const size_t end = value % HOSTILE_QUEUES + 1;
	hostile.selected = &hostile.queues[end - 1];
	hostile.queues_end = end > hostile.queues_end ? end : hostile.queues_end;
}

static uint32_t register_value(uint32_t offset)
{
	const struct hostile_queue *queue = hostile.selected;
	switch (offset) {
	case 0x000: return 0x74726976u;
	case 0x004: return 2;
	case 0x008: return hostile.device_id;
	case 0x010:
		return (uint32_t)(hostile.features_select == 0 ? hostile.offered
							       : hostile.offered >> 32);
	case 0x034: return queue->size_max;
	case HOSTILE_QUEUE_COUNT: return HOSTILE_QUEUES;
	case HOSTILE_NOTIFY_OFFSET: return (uint32_t)(queue - hostile.queues);
	case 0x044: return queue->ready;
	case 0x060: return hostile.interrupts;
	case 0x070: return hostile.status;
	case 0x0fc: return hostile.generation;
	default: break;
	}
	FUZZ_REQUIRE(offset >= 0x100 && offset < 0x100 + 4 * HOSTILE_CONFIG_WORDS);
	return hostile.config[(offset - 0x100) / 4];
}

uint32_t hostile_register_load(uint32_t offset, uint32_t mask)
{
	hostile_access();
	uint32_t value = register_value(offset);
	if (hostile.register_lies) {
		hostile.register_lies = false;
		value = hostile.register_value;
	} else if (hostile.register_xors) {
		hostile.register_xors = false;
		value ^= hostile.register_value;
	}
	if (hostile.sticky_xor != 0 && hostile.sticky_register == offset) {
		value ^= hostile.sticky_xor;
	}
	value &= mask;
	if (offset == 0x070 && hostile.status == STATUS_NEGOTIATED) {
		hostile.features_confirmed = value == STATUS_NEGOTIATED;
	}
	if (offset == 0x070 && hostile.status == 0) {
		hostile.reaches_memory = hostile.reaches_memory && value != 0;
		hostile.reset_unconfirmed = hostile.reset_unconfirmed || value != 0;
	}
	return value;
}

static void half_write(uint64_t *address, bool high, uint32_t value)
{
	const unsigned int shift = high ? 32 : 0;
	*address = (*address & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

void hostile_register_store(uint32_t offset, uint32_t value)
{
	struct hostile_queue *queue = hostile.selected;
	hostile_access();
	switch (offset) {
	case 0x014: hostile.features_select = value; break;
	case 0x020:
		half_write(&hostile.accepted, hostile.driver_features_select != 0, value);
		break;
	case 0x024: hostile.driver_features_select = value; break;
	case 0x030: queue_select(value); break;
	case 0x038: queue->size = value; break;
	case 0x044: queue_live(queue, value); break;
	case 0x050: FUZZ_REQUIRE(value < HOSTILE_QUEUES && hostile.queues[value].ready != 0); break;
	case 0x064: hostile.interrupts &= ~value; break;
	case 0x070: status_write(value); break;
	case 0x080: half_write(&queue->descriptors, false, value); break;
	case 0x084: half_write(&queue->descriptors, true, value); break;
	case 0x090: half_write(&queue->available, false, value); break;
	case 0x094: half_write(&queue->available, true, value); break;
	case 0x0a0: half_write(&queue->used, false, value); break;
	case 0x0a4: half_write(&queue->used, true, value); break;
	default: fuzz_fail("write to an unknown register", __FILE__, __LINE__);
	}
}

static uint32_t read32(void *context, uint32_t offset)
{
	(void)context;
	FUZZ_REQUIRE(offset % 4 == 0);
	FUZZ_REQUIRE(offset != HOSTILE_QUEUE_COUNT && offset != HOSTILE_NOTIFY_OFFSET);
	return hostile_register_load(offset, UINT32_MAX);
}

static void write32(void *context, uint32_t offset, uint32_t value)
{
	(void)context;
	hostile_register_store(offset, value);
}

/* ---- Clock, life ------------------------------------------------------------------------------
 */

static uint64_t clock_now(void *context)
{
	(void)context;
	return ++hostile.now_us;
}

bool hostile_is_still(void)
{
	return !hostile.has_event && fuzz_left(&hostile.script) == 0 && hostile.delay == 0 &&
	       hostile.idle > 0 && !hostile.memory_changed;
}

/* While nothing happens, waiting costs turns, not insight: time then doubles its pace, and leaps
 * where nothing can happen any more. */
static void clock_relax(void *context)
{
	(void)context;
	hostile_access();
	hostile_step();
	uint32_t doublings = hostile.idle > IDLE_STEPS ? hostile.idle - IDLE_STEPS : 0;
	if (doublings > DOUBLINGS_MAX || hostile_is_still()) {
		doublings = DOUBLINGS_MAX;
	}
	hostile.now_us += (uint64_t)RELAX_US << doublings;
}

static enum status pages_change(void *context, struct phys_addr first, size_t page_count)
{
	(void)context;
	FUZZ_REQUIRE(hostile_is_shared(first.raw, page_count * PAGE_BYTES));
	return STATUS_OK;
}

uint64_t hostile_ring_features(uint8_t choice)
{
	return ((choice & 1u) != 0 ? VIRTIO_F_EVENT_IDX : 0) |
	       ((choice & 2u) != 0 ? VIRTIO_F_INDIRECT_DESC : 0) |
	       ((choice & 4u) != 0 ? VIRTIO_F_RING_PACKED : 0) |
	       ((choice & 8u) != 0 ? VIRTIO_F_IN_ORDER : 0);
}

void hostile_reset(void)
{
	fuzz_lied_count += hostile.lied ? 1 : 0;
	memset(&hostile, 0, offsetof(struct hostile, chains));
	for (size_t i = 0; i < HOSTILE_PENDING; i++) {
		hostile.pending_places[i] = (uint8_t)i;
	}
	for (size_t i = 0; i < HOSTILE_QUEUES; i++) {
		hostile.queues[i].size_max = 128;
		hostile_queue_reset(&hostile.queues[i]);
	}
	hostile.selected = hostile.queues;
	hostile.registers = (struct register_ops){read32, write32, NULL};
	hostile.clock = (struct clock){clock_now, clock_relax, NULL};
	hostile.platform = (struct page_state_ops){pages_change, pages_change, NULL};
}

enum status hostile_start(struct fuzz_input script, size_t pages)
{
	hostile.script = script;
	hostile_memory_reset(pages);
	FUZZ_REQUIRE(sharedmem_init(&hostile.memory, &hostile.platform,
				    (struct phys_addr){HOSTILE_PHYS_BASE}, hostile_pool(),
				    pages) == STATUS_OK);
	hostile_call_begin();
	if (hostile.is_pci) {
		hostile_pci_open();
		return STATUS_OK;
	}
	return virtio_mmio_open(&hostile.transport, &hostile.registers);
}

/* The sleep ends with an interrupt, which the device may raise without a reason, or by its timer.
 */
static void sleep_once(void *context, uint64_t at_most_us)
{
	const uint64_t before_us = hostile.now_us;
	clock_relax(context);
	if (hostile.interrupts == 0 && hostile.now_us - before_us < at_most_us) {
		hostile.now_us = before_us + at_most_us;
	}
}

void hostile_wait_choose(uint8_t choice)
{
	static const enum virtio_wait_mode modes[] = {VIRTIO_WAIT_ADAPTIVE, VIRTIO_WAIT_POLL,
						      VIRTIO_WAIT_INTERRUPT};
	static const struct virtio_sleeper sleeper = {sleep_once, NULL};
	if (choice % 4 != 0) {
		virtio_wait_policy_init(&hostile.wait_policy, modes[choice % 4 - 1], &sleeper);
		hostile.transport.wait_policy = &hostile.wait_policy;
	}
}

void hostile_call_begin(void)
{
	hostile.work = 0;
}

void hostile_balance_check(void)
{
	struct sharedmem_counters counters;
	sharedmem_counters_get(&hostile.memory, &counters);
	FUZZ_REQUIRE(counters.pages_lent == 0 && counters.transitions == 1);
	/* Pages are lost only when the device was seen not to confirm its reset. */
	FUZZ_REQUIRE(counters.pages_leaked == 0 || hostile.reset_unconfirmed);
	/* And they are lost then: a device that was not seen to stop may still write to them. */
	FUZZ_REQUIRE(!hostile.reaches_memory || counters.pages_leaked > 0);
}
