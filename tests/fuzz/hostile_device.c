// SPDX-License-Identifier: MIT
/* The device: the script of its lies, its registers, its clock. */
#include <string.h>

#include "tests/fuzz/hostile.h"

#define POOL_BYTES (HOSTILE_POOL_PAGES * PAGE_BYTES)
#define RELAX_US   1000u
#define IDLE_STEPS 12u /* After so many idle turns, time begins to run faster. */
#define DELAY_MAX  5u

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

/* argument: queue, offset in the used ring, value:16. */
static void used_scribble(uint32_t argument)
{
	const struct hostile_queue *queue = queue_pick(argument);
	if (queue != NULL) {
		const uint64_t at = queue->used + ((argument >> 8 & 0xff) % (6 + 8 * queue->size));
		if (hostile_is_shared(at, 2)) {
			hostile_put(at, argument >> 16, 2);
		}
	}
}

static void pool_scribble(uint32_t argument)
{
	const size_t at = (argument >> 8) % (hostile.memory.page_count * PAGE_BYTES - 4);
	hostile.scribbled = true;
	hostile_device_write(at, &argument, sizeof(argument));
}

/* argument: queue, id:12 with bit 11 standing for bit 16, length. */
static void id_complete(uint32_t argument)
{
	struct hostile_queue *queue = queue_pick(argument);
	if (queue != NULL) {
		const uint32_t id = argument >> 8 & 0x7ff;
		hostile_used_push(queue, id | (argument >> 19 & 1) << 16, argument >> 20);
	}
}

static void index_jump(uint32_t argument)
{
	struct hostile_queue *queue = queue_pick(argument);
	if (queue != NULL) {
		queue->used_index = (uint16_t)(queue->used_index + (argument >> 8));
		hostile_put(queue->used + 2, queue->used_index, 2);
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
	case EVENT_WRITE_USED: used_scribble(argument); break;
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
	case EVENT_NOTIFY_OFF:
		for (uint32_t i = 0; i < HOSTILE_QUEUES; i++) {
			used_scribble(i | (argument & 1) << 16);
		}
		break;
	default: break;
	}
	if (event == EVENT_LOAD || event == EVENT_LOAD_ADD) {
		hostile.load_value = argument;
	} else if (event == EVENT_REGISTER || event == EVENT_REGISTER_XOR) {
		hostile.register_value = argument;
	}
}

void hostile_access(void)
{
	hostile.work++;
	FUZZ_REQUIRE(hostile.work < HOSTILE_WORK_MAX); /* It terminates. */
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
	const size_t end = (size_t)(queue - hostile.queues) + 1;
	hostile.queues_end = end > hostile.queues_end ? end : hostile.queues_end;
	FUZZ_REQUIRE(size > 0 && size <= VIRTQ_SIZE_MAX && (size & (size - 1)) == 0);
	FUZZ_REQUIRE(size <= queue->size_max || hostile.lied);
	/* Nothing but shared addresses goes to the device. */
	FUZZ_REQUIRE(hostile_is_shared(queue->descriptors, 16 * size));
	FUZZ_REQUIRE(hostile_is_shared(queue->available, 6 + 2 * size));
	FUZZ_REQUIRE(hostile_is_shared(queue->used, 6 + 8 * size));
	hostile_ring_page_set(hostile_offset(queue->descriptors), 16 * size);
	hostile_ring_page_set(hostile_offset(queue->available), 6 + 2 * size);
	hostile_ring_page_set(hostile_offset(queue->used), 6 + 8 * size);
}

static void status_write(uint32_t value)
{
	hostile.status = value;
	if (value != 0) {
		return;
	}
	hostile.pending_count = 0;
	hostile.accepted = 0;
	for (size_t i = 0; i < HOSTILE_QUEUES; i++) {
		hostile.queues[i] = (struct hostile_queue){.size_max = hostile.queues[i].size_max};
	}
}

static uint32_t register_value(uint32_t offset)
{
	const struct hostile_queue *queue = &hostile.queues[hostile.queue_select % HOSTILE_QUEUES];
	switch (offset) {
	case 0x000: return 0x74726976u;
	case 0x004: return 2;
	case 0x008: return hostile.device_id;
	case 0x010:
		return (uint32_t)(hostile.features_select == 0 ? hostile.offered
							       : hostile.offered >> 32);
	case 0x034: return queue->size_max;
	case 0x044: return queue->ready;
	case 0x060: return hostile.interrupts;
	case 0x070: return hostile.status;
	case 0x0fc: return hostile.generation;
	default: break;
	}
	FUZZ_REQUIRE(offset >= 0x100 && offset < 0x100 + 4 * HOSTILE_CONFIG_WORDS);
	return hostile.config[(offset - 0x100) / 4];
}

static uint32_t read32(void *context, uint32_t offset)
{
	(void)context;
	FUZZ_REQUIRE(offset % 4 == 0);
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
	if (offset == 0x070 && hostile.status == 0 && value != 0) {
		hostile.reset_unconfirmed = true;
	}
	return value;
}

static void half_write(uint64_t *address, bool high, uint32_t value)
{
	const unsigned int shift = high ? 32 : 0;
	*address = (*address & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

static void write32(void *context, uint32_t offset, uint32_t value)
{
	struct hostile_queue *queue = &hostile.queues[hostile.queue_select % HOSTILE_QUEUES];
	(void)context;
	hostile_access();
	switch (offset) {
	case 0x014: hostile.features_select = value; break;
	case 0x020:
		half_write(&hostile.accepted, hostile.driver_features_select != 0, value);
		break;
	case 0x024: hostile.driver_features_select = value; break;
	case 0x030: hostile.queue_select = value; break;
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

/* ---- Clock, life ------------------------------------------------------------------------------
 */

static uint64_t clock_now(void *context)
{
	(void)context;
	return ++hostile.now_us;
}

/* While nothing happens, waiting costs turns, not insight: time then doubles its pace. */
static void clock_relax(void *context)
{
	(void)context;
	hostile_access();
	hostile_step();
	const uint32_t doublings = hostile.idle > IDLE_STEPS ? hostile.idle - IDLE_STEPS : 0;
	hostile.now_us += (uint64_t)RELAX_US << (doublings < 10 ? doublings : 10);
}

static enum status pages_change(void *context, struct phys_addr first, size_t page_count)
{
	(void)context;
	FUZZ_REQUIRE(hostile_is_shared(first.raw, page_count * PAGE_BYTES));
	return STATUS_OK;
}

void hostile_reset(void)
{
	hostile_memory_reset();
	memset(&hostile, 0, sizeof(hostile));
	for (size_t i = 0; i < HOSTILE_QUEUES; i++) {
		hostile.queues[i].size_max = 128;
	}
	hostile.registers = (struct register_ops){read32, write32, NULL};
	hostile.clock = (struct clock){clock_now, clock_relax, NULL};
	hostile.platform = (struct page_state_ops){pages_change, pages_change, NULL};
}

enum status hostile_start(struct fuzz_input script, size_t pages)
{
	hostile.script = script;
	FUZZ_REQUIRE(sharedmem_init(&hostile.memory, &hostile.platform,
				    (struct phys_addr){HOSTILE_PHYS_BASE}, hostile_pool(),
				    pages) == STATUS_OK);
	hostile_call_begin();
	return virtio_mmio_open(&hostile.transport, &hostile.registers);
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
}
