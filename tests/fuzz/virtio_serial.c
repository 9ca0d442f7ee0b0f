// SPDX-License-Identifier: MIT
/* virtio-serial against the hostile device, with clients that come, write, stall
 * and go.
 *
 * Input: the number of ports that the device claims, the length of the program, the program (what
 * the driver's user and the host's clients do), then the device's script. */
#include "virtio/virtio_serial.h"

#include <string.h>

#include "tests/fuzz/hostile.h"
#include "tests/fuzz/serial_model.h"

#define OPERATIONS       40u
#define BUFFER_BYTES     5000u
#define WRITE_TIMEOUT_US 50000u
#define OPEN_TIMEOUT_US  20000u
#define STEPS_TO_SETTLE  12u
/* Opening costs most of an execution; after 4 failures a device is given up for good. */
#define REOPENS_MAX 5u
/* Enough for three ports, opened again after all pages were leaked once. */
#define POOL_PAGES (2u * (2u * (SERIAL_MODEL_PORTS + 1u) + 2u + 3u * SERIAL_MODEL_PORTS))

enum operation {
	OP_POLL,
	OP_READ,
	OP_WRITE,
	OP_STATE,
	OP_CLIENT_OPEN,
	OP_CLIENT_CLOSE,
	OP_CLIENT_SEND,
	OP_CLIENT_STALL,
	OP_PORT_OPEN,
	OP_PORT_REMOVE,
	OP_RAW,
	OP_SLEEP,
	OP_REOPEN,
	OP_COUNT,
};

struct world {
	bool strange; /* The device claims an odd number of ports. */
	uint8_t reopens;
	bool is_open[SERIAL_MODEL_PORTS];
	struct serial_reader readers[SERIAL_MODEL_PORTS];
	struct virtio_serial serial; /* Last: cleared when it is opened, and not for each input. */
};

const size_t hostile_length_at = 1;
static struct world world;

/* What is written lies between private bytes. */
static struct {
	uint8_t before[64];
	uint8_t bytes[BUFFER_BYTES];
	uint8_t after[64];
} user;

static const char *const names[SERIAL_MODEL_PORTS] = {"", "org.holdfast.tpm",
						      "org.holdfast.control"};

/* `was_open`: the device had not been given up before the call. */
static void status_judge(enum status status, bool was_open)
{
	FUZZ_REQUIRE(was_open || status == STATUS_BAD_HOST);
	FUZZ_REQUIRE(world.serial.open || status != STATUS_OK);
	/* An honest device is not given up. */
	FUZZ_REQUIRE(world.serial.open == was_open || hostile.lied || world.strange);
}

static void do_poll(void)
{
	const bool was_open = world.serial.open;
	const enum status status = virtio_serial_poll(&world.serial);
	status_judge(status, was_open);
	FUZZ_REQUIRE(status == STATUS_OK || !world.serial.open);
}

static void do_read(struct fuzz_input *program, uint32_t port)
{
	static uint8_t out[BUFFER_BYTES];
	const bool was_open = world.serial.open;
	const size_t size = 1 + (size_t)fuzz_u8(program) * 16;
	/* So that the end of the read is the end of the array. */
	uint8_t *to = out + sizeof(out) - size;
	size_t count = 0;
	const enum status status = virtio_serial_read(&world.serial, port, to, size, &count);
	status_judge(status, was_open);
	if (status == STATUS_OK) {
		FUZZ_REQUIRE(count >= 1 && count <= size);
		if (!hostile.lied) {
			serial_reader_check(&world.readers[port], to, count);
		}
	} else {
		FUZZ_REQUIRE(count == 0);
		FUZZ_REQUIRE(status == STATUS_AGAIN || status == STATUS_NO_DEVICE ||
			     !world.serial.open);
	}
}

static void do_write(struct fuzz_input *program, uint32_t port)
{
	const bool was_open = world.serial.open;
	const size_t size = (size_t)fuzz_u8(program) * 19;
	struct virtio_serial_port_state state;
	virtio_serial_port_state(&world.serial, port, &state);
	const uint32_t generation = state.generation + (fuzz_u8(program) == 0xff ? 1 : 0);
	const enum status status = virtio_serial_write(&world.serial, port, generation, user.bytes,
						       size, WRITE_TIMEOUT_US);
	status_judge(status, was_open);
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_NO_DEVICE ||
		     status == STATUS_TIMEOUT || !world.serial.open);
	/* Only a client that does not read makes an honest device late. */
	FUZZ_REQUIRE(status != STATUS_TIMEOUT || hostile.lied || world.strange ||
		     serial_model.ports[port].stalled);
	const uint32_t generation_before = state.generation;
	virtio_serial_port_state(&world.serial, port, &state);
	FUZZ_REQUIRE(status != STATUS_OK || state.generation == generation);
	if (status == STATUS_OK && generation == generation_before) {
		serial_model.ports[port].promised += (uint32_t)size;
	} else {
		serial_model.ports[port].promise_broken = true;
	}
}

static void do_port_open(uint32_t which)
{
	const bool was_open = world.serial.open;
	uint32_t port = UINT32_MAX;
	const enum status status =
		virtio_serial_port_open(&world.serial, names[which], OPEN_TIMEOUT_US, &port);
	status_judge(status, was_open);
	if (status == STATUS_OK) {
		FUZZ_REQUIRE(port < SERIAL_MODEL_PORTS && (port == which || hostile.lied));
		world.is_open[port] = true;
		world.readers[port].resync = true;
	} else {
		FUZZ_REQUIRE(port == UINT32_MAX);
		FUZZ_REQUIRE(status == STATUS_NOT_FOUND || status == STATUS_EXISTS ||
			     status == STATUS_NO_MEMORY || !world.serial.open);
		FUZZ_REQUIRE(status != STATUS_NO_MEMORY || hostile.lied);
	}
}

/* An honest device's ports are as the host has them, once all messages are through. */
static void do_state(uint32_t port)
{
	const struct serial_model_port *model = &serial_model.ports[port];
	struct virtio_serial_port_state state;
	/* The look may itself meet the first lie. */
	const bool pending = virtio_serial_pending(&world.serial);
	virtio_serial_port_state(&world.serial, port, &state);
	FUZZ_REQUIRE(world.serial.open || (!state.present && !state.host_open));
	FUZZ_REQUIRE(hostile.lied || world.strange || serial_model.message_count > 0 || pending ||
		     state.host_open == (model->host_open && model->ready_seen));
}

/* Until what was written has been taken, or for so long. */
static void do_drain(uint32_t port)
{
	const bool was_open = world.serial.open;
	const enum status status = virtio_serial_drain(&world.serial, port, WRITE_TIMEOUT_US);
	status_judge(status, was_open);
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_NO_DEVICE ||
		     status == STATUS_TIMEOUT || !world.serial.open);
	/* Only a client that does not read makes an honest device late. */
	FUZZ_REQUIRE(status != STATUS_TIMEOUT || hostile.lied || world.strange ||
		     serial_model.ports[port].stalled);
}

/* Bits: interrupts, what has arrived is thrown away, the look whether a port is used up, drain. */
static void do_sleep(struct fuzz_input *program, uint32_t port)
{
	const uint8_t choice = fuzz_u8(program);
	virtio_serial_interrupts_want(&world.serial, (choice & 1) != 0);
	if ((choice & 2) != 0) {
		virtio_serial_ignore(&world.serial, port);
		world.readers[port].resync = true;
	}
	if ((choice & 4) != 0) {
		/* Only clients that left with what was on the way to them use a port up. A later
		 * one may read again before the device has turned to what the earlier ones left. */
		FUZZ_REQUIRE(!virtio_serial_port_is_stuck(&world.serial, port) || hostile.lied ||
			     world.strange || serial_model.ports[port].has_stalled);
	}
	if ((choice & 8) != 0) {
		do_drain(port);
	}
	const bool pending = virtio_serial_pending(&world.serial);
	FUZZ_REQUIRE(!pending || world.serial.open);
	virtio_serial_interrupt_ack(&world.serial);
	hostile.clock.relax(NULL);
}

/* The driver's user forgets its ports, and the device what it had to say. */
static void forget(void)
{
	serial_model_reset();
	memset(world.is_open, 0, sizeof(world.is_open));
	memset(world.readers, 0, sizeof(world.readers));
	hostile_call_begin();
}

static enum status open(void)
{
	const struct virtio_serial_environment environment = {
		.transport = &hostile.transport,
		.memory = &hostile.memory,
		.clock = &hostile.clock,
	};
	forget();
	const enum status status = virtio_serial_open(&world.serial, &environment);
	FUZZ_REQUIRE(status == STATUS_OK || hostile.lied || world.strange);
	FUZZ_REQUIRE((status == STATUS_OK) == world.serial.open);
	FUZZ_REQUIRE(status != STATUS_OK || hostile.features_confirmed);
	return status;
}

/* What had arrived is read afterwards, and what comes behind it goes on where it ends. */
static void restart(void)
{
	const bool was_open = world.serial.open;
	forget();
	const enum status status = virtio_serial_restart(&world.serial, WRITE_TIMEOUT_US);
	FUZZ_REQUIRE(status == STATUS_OK || hostile.lied || world.strange || !was_open);
	FUZZ_REQUIRE((status == STATUS_OK) == world.serial.open);
}

static void do_reopen(void)
{
	if (world.reopens < REOPENS_MAX) {
		world.reopens++;
		if (world.reopens % 2 == 1) {
			restart();
			return;
		}
		virtio_serial_close(&world.serial);
		hostile_balance_check();
		(void)open();
	}
}

static void driver_operation(enum operation operation, struct fuzz_input *program, uint32_t port)
{
	switch (operation) {
	case OP_POLL: do_poll(); break;
	case OP_READ: do_read(program, port); break;
	case OP_WRITE: do_write(program, port); break;
	case OP_STATE: do_state(port); break;
	case OP_PORT_OPEN: do_port_open(port); break;
	case OP_SLEEP: do_sleep(program, port); break;
	case OP_REOPEN: do_reopen(); break;
	case OP_CLIENT_OPEN:
	case OP_CLIENT_CLOSE:
	case OP_CLIENT_SEND:
	case OP_CLIENT_STALL:
	case OP_PORT_REMOVE:
	case OP_RAW:
	case OP_COUNT: break;
	}
}

static void host_operation(enum operation operation, struct fuzz_input *program, uint32_t port)
{
	uint8_t raw[96];
	switch (operation) {
	case OP_CLIENT_OPEN: serial_model_client_open(port); break;
	case OP_CLIENT_CLOSE: serial_model_client_close(port); break;
	case OP_CLIENT_SEND: serial_model_client_send(port, fuzz_u8(program) * 32u); break;
	case OP_CLIENT_STALL:
		serial_model.ports[port].stalled = !serial_model.ports[port].stalled;
		serial_model.ports[port].has_stalled = true;
		break;
	case OP_PORT_REMOVE: serial_model_port_toggle(port); break;
	case OP_RAW:
		/* Whatever it says, it need not be what an honest device would say. */
		hostile.lied = true;
		serial_model_message(raw, fuzz_fill(program, raw, fuzz_u8(program) % 96u));
		break;
	case OP_POLL:
	case OP_READ:
	case OP_WRITE:
	case OP_STATE:
	case OP_PORT_OPEN:
	case OP_SLEEP:
	case OP_REOPEN:
	case OP_COUNT: break;
	}
}

/* With an honest device and a client that reads, everything arrives. */
static void settle(void)
{
	hostile_call_begin();
	unsigned int steps = 0;
	do {
		hostile.clock.relax(NULL);
		steps++;
	} while (steps < STEPS_TO_SETTLE && !hostile_is_still());
	do_poll();
	for (uint32_t i = 0; i < SERIAL_MODEL_PORTS; i++) {
		const struct serial_model_port *port = &serial_model.ports[i];
		FUZZ_REQUIRE(hostile.lied || world.strange || port->stalled ||
			     port->promise_broken || port->promised == port->received);
	}
}

static void program_run(struct fuzz_input *program)
{
	for (unsigned int i = 0; i < OPERATIONS && fuzz_left(program) > 0; i++) {
		const uint8_t byte = fuzz_u8(program);
		const enum operation operation = (enum operation)(byte % OP_COUNT);
		/* Mostly the first named port. */
		const uint32_t port = byte < 200 ? 1 : (uint32_t)byte % SERIAL_MODEL_PORTS;
		hostile_call_begin();
		driver_operation(operation, program, port);
		host_operation(operation, program, port);
	}
	settle();
}

/* A write is always the beginning of the same bytes: made once, for the drivers only read them. */
static void user_bytes_fill(void)
{
	if (user.bytes[0] == SERIAL_MODEL_START) {
		return;
	}
	user.bytes[0] = SERIAL_MODEL_START;
	for (size_t i = 1; i < sizeof(user.bytes); i++) {
		user.bytes[i] = (uint8_t)((i - 1) % SERIAL_MODEL_START);
	}
}

static void private_bytes_fill(uint8_t *bytes)
{
	memcpy(bytes, HOSTILE_CANARY, sizeof(HOSTILE_CANARY) - 1);
	memcpy(bytes + 64 - (sizeof(HOSTILE_CANARY) - 1), HOSTILE_CANARY,
	       sizeof(HOSTILE_CANARY) - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	memset(&world, 0, offsetof(struct world, serial));
	world.serial.open = false;
	user_bytes_fill();
	private_bytes_fill(user.before);
	private_bytes_fill(user.after);
	hostile_reset();
	/* The highest values choose the kind of the queues and the transport, and are no lie. */
	const uint8_t choice = fuzz_u8(&input);
	const uint8_t ports = choice >= 0xe0 ? 0 : choice;
	hostile.is_pci = choice >= 0xe0 && choice < 0xf0;
	world.strange = ports != 0;
	hostile.device_id = VIRTIO_ID_CONSOLE;
	hostile.offered = VIRTIO_F_VERSION_1 | 7u; /* SIZE, MULTIPORT, EMERG_WRITE. */
	hostile.offered |= choice >= 0xe0 ? hostile_ring_features(choice) : 0;
	hostile.config[1] = ports == 0 ? SERIAL_MODEL_PORTS : ports - 1u;
	hostile.serve = serial_model_serve;
	serial_model_init(names);
	const size_t program_size = fuzz_u8(&input);
	struct fuzz_input program = input;
	program.size = program_size < fuzz_left(&input) ? input.at + program_size : input.size;
	input.at = program.size;
	const size_t pages = world.strange ? VIRTIO_SERIAL_SHARED_PAGES : POOL_PAGES;
	if (hostile_start(input, pages) == STATUS_OK && open() == STATUS_OK) {
		program_run(&program);
	}
	virtio_serial_close(&world.serial);
	virtio_serial_close(&world.serial);
	hostile_balance_check();
	return 0;
}
