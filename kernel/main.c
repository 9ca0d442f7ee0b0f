// SPDX-License-Identifier: MIT
/* The composition root: boot from top to bottom, then the service loop. */
#include <string.h>

#include "arch/cpu.h"
#include "base/check.h"
#include "base/log.h"
#include "kernel/entropy.h"
#include "kernel/exit.h"
#include "kernel/fio_service.h"
#include "kernel/fw_cfg.h"
#include "kernel/modules.h"
#include "kernel/panic.h"
#include "kernel/panic_drill.h"
#include "kernel/recovery.h"
#include "kernel/svsm.h"
#include "virtio/virtio_rng.h"

#define CONSOLE_PORT     0x3f8u
#define MAIN_STACK_PAGES 16u
#define IST_STACK_PAGES  4u
#define SHARED_POOL_PAGES \
	(VIRTIO_SERIAL_SHARED_PAGES + VIRTIO_BLK_SHARED_PAGES + VIRTIO_RNG_SHARED_PAGES + 8u)
#define AEAD_MEASURE_US 2000u
/* How long a restart of the service channel waits for clients to take their answers. */
#define RESTART_DRAIN_US   100000u
#define HOST_ENTROPY_BYTES 64u
#define HOST_ENTROPY_FILE  "opt/org.holdfast/entropy"

/* Everything hangs from here. Not static: entry.S points %fs to its first member. */
extern struct svsm the_svsm;
struct svsm the_svsm;
STATIC_ASSERT(offsetof(struct svsm, cpu) == 0, "entry.S relies on it");
STATIC_ASSERT(offsetof(struct cpu, percpu) == 0, "entry.S relies on it");

void stack_switch(uint64_t top, void (*next)(void *), void *argument);
NORETURN void kernel_main(const struct boot_params *params);

/* A boot step that cannot go on. The cause is configuration or platform, never our invariant. */
NORETURN static void stop_boot(const char *what, enum status status)
{
	log_write(LOG_ERROR, "kernel", "%s: %s: %s", what, status_name(status),
		  status_advice(status));
	exit_machine(EXIT_CONFIG);
}

static void require(const char *what, enum status status)
{
	if (status != STATUS_OK) {
		stop_boot(what, status);
	}
}

static void take_symbols(struct svsm *svsm)
{
	struct panic_context context = {.memory = &svsm->memory};
	const struct boot_module *module = modules_find(svsm, "symbols");
	if (module != NULL) {
		context.symbols =
			(const char *)kernel_memory_pointer(&svsm->memory, module->bytes.first);
		context.symbols_size = module->bytes.size_bytes;
	}
	panic_set_context(&context);
}

static void map_exception_stacks(struct svsm *svsm)
{
	uint64_t tops[IST_STACKS];
	for (size_t i = 0; i < IST_STACKS; i++) {
		require("exception stack",
			kernel_memory_map_stack(&svsm->memory, IST_STACK_PAGES, &tops[i]));
	}
	cpu_use_stacks(&svsm->cpu, tops);
}

static uint64_t memory_bytes(const struct boot_params *params)
{
	uint64_t total = 0;
	for (uint32_t i = 0; i < params->memory_range_count; i++) {
		total += params->memory[i].size_bytes;
	}
	return total;
}

static void print_banner(const struct svsm *svsm)
{
	log_write(LOG_NOTICE, "kernel", "holdfast %s %s on native, %lu MiB", HOLDFAST_VERSION,
		  HOLDFAST_PRODUCTION ? "production" : "dev",
		  (memory_bytes(&svsm->params) + (1u << 20) - 1) >> 20);
	log_write(LOG_DEBUG, "kernel", "slide 0x%lx, TSC %lu kHz, %lu free pages",
		  svsm->params.kernel_slide, svsm->tsc.time.ticks_per_ms,
		  page_alloc_free_pages(&svsm->memory.pages));
}

/* What the host gives as random, from the device that is for that. */
static size_t read_host_device(struct svsm *svsm, uint8_t *out, size_t size_bytes)
{
	size_t got_bytes = 0;
	struct device_slot *slot = devices_nth(&svsm->devices, VIRTIO_ID_ENTROPY, 0);
	if (slot == NULL) {
		return 0;
	}
	const struct virtio_rng_environment environment = {
		.transport = &slot->transport,
		.memory = &svsm->sharedmem,
		.clock = &svsm->clock,
	};
	const enum status status = virtio_rng_read(&environment, out, size_bytes, &got_bytes);
	log_write(LOG_DEBUG, "entropy", "%lu bytes of the host's device: %s", got_bytes,
		  status_name(status));
	return got_bytes;
}

/* The host's bytes only add; none are as good. */
static void start_entropy(struct svsm *svsm)
{
	uint8_t host[2 * HOST_ENTROPY_BYTES];
	size_t size_bytes = 0;
	if (fw_cfg_read(HOST_ENTROPY_FILE, host, HOST_ENTROPY_BYTES, &size_bytes) != STATUS_OK) {
		size_bytes = 0;
	}
	size_bytes += read_host_device(svsm, host + size_bytes, HOST_ENTROPY_BYTES);
	struct entropy_port port = entropy_hardware_port();
	require("entropy", random_init(&svsm->random, &port, host, size_bytes));
}

static void start_crypto(struct svsm *svsm)
{
	struct cpuid_result leaf1 = cpu_id(1, 0);
	struct cpuid_result leaf7 = cpu_id(7, 0);
	bool wide = (svsm->xcr0 & XCR0_AVX) != 0;
	const struct aead_platform platform = {
		.has_aes_pclmul_sse41 = (leaf1.ecx >> 25 & 1) != 0 && (leaf1.ecx >> 1 & 1) != 0 &&
					(leaf1.ecx >> 19 & 1) != 0,
		.has_avx2 = wide && (leaf7.ebx >> 5 & 1) != 0,
		.has_vaes_avx512 = (svsm->xcr0 & XCR0_AVX512) == XCR0_AVX512 &&
				   (leaf7.ebx >> 16 & 1) != 0 && (leaf7.ecx >> 9 & 1) != 0 &&
				   (leaf7.ecx >> 10 & 1) != 0,
		.wide_vectors_wanted = wide,
	};
	require("AES-GCM", aead_select(&svsm->aead, &platform, &svsm->clock, AEAD_MEASURE_US));
	log_write(LOG_DEBUG, "kernel", "AES-256-GCM: %s", aead_name(&svsm->aead));
}

static void start_sharedmem(struct svsm *svsm)
{
	/* A benchmark keeps more in flight than a TPM's store. */
	const size_t pages =
		SHARED_POOL_PAGES + (svsm->options.fio != FIO_NONE ? FIO_SERVICE_SHARED_PAGES : 0);
	struct phys_addr first;
	platform_native_init(&svsm->platform);
	require("shared pool", kernel_memory_take(&svsm->memory, pages, &first));
	require("shared pool", sharedmem_init(&svsm->sharedmem, &svsm->platform.page_state, first,
					      kernel_memory_pointer(&svsm->memory, first), pages));
	log_write(LOG_NOTICE, "sharedmem", "pool 0x%lx+%lu", first.raw, pages * PAGE_BYTES);
}

static void start_devices(struct svsm *svsm)
{
	const struct devices_environment environment = {
		.memory = &svsm->memory,
		.apic = &svsm->apic,
		.cmdline = svsm->params.cmdline,
		.completion = svsm->options.completion,
		.sleeper = interrupts_sleeper(svsm),
		.place_windows = svsm->options.place_windows,
	};
	require("devices", devices_find(&svsm->devices, &environment));
	idle_tick_init(&svsm->idle_tick);
	virtio_wait_policy_init(&svsm->idle_policy, environment.completion, &environment.sleeper);
}

static enum status open_serial(struct svsm *svsm)
{
	struct device_slot *slot = devices_nth(&svsm->devices, VIRTIO_ID_CONSOLE, 0);
	if (slot == NULL) {
		return STATUS_NO_DEVICE;
	}
	const struct virtio_serial_environment environment = {
		.transport = &slot->transport,
		.memory = &svsm->sharedmem,
		.clock = &svsm->clock,
	};
	if (slot->line.kind == INTERRUPT_NONE) {
		log_write(LOG_NOTICE, "kernel",
			  "no interrupt for the service channel: timed polls");
	}
	return virtio_serial_open(&svsm->serial, &environment);
}

struct state_environment svsm_state_environment(struct svsm *svsm)
{
	return (struct state_environment){
		.devices = &svsm->devices,
		.memory = &svsm->memory,
		.sharedmem = &svsm->sharedmem,
		.clock = &svsm->clock,
		.aead = &svsm->aead,
		.random = &svsm->random,
		.wish = &svsm->options.disk,
	};
}

static void open_state(struct svsm *svsm)
{
	if (svsm->options.state == STATE_EPHEMERAL) {
		log_write(LOG_WARNING, "state", "ephemeral: nothing survives this boot, as asked");
		svsm->state_status = STATUS_OK;
		return;
	}
	const struct state_environment environment = svsm_state_environment(svsm);
	svsm->state_status = state_open(&svsm->state, &environment);
	if (svsm->state_status != STATUS_OK) {
		log_write(LOG_ERROR, "state", "failed: %s: %s", status_name(svsm->state_status),
			  status_advice(svsm->state_status));
		if (svsm->options.on_failure == FAILURE_EXIT) {
			exit_state_failure(svsm->state_status);
		}
		return;
	}
	struct volume_info info;
	volume_info_get(svsm->state.mounted.volume, &info);
	const uint8_t *u = info.open.uuid;
	log_write(LOG_NOTICE, "state",
		  "mounted volume "
		  "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x"
		  " epoch=%lu sequence=%lu freshness=%s",
		  u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
		  u[13], u[14], u[15], info.epoch, info.sequence,
		  volume_freshness_name(info.freshness.freshness));
}

/* The ports of a device that has just been opened, with what came of that. */
static void open_ports(struct svsm *svsm, enum status opened)
{
	svsm->serial_status = opened;
	/* A benchmark has a port of its own, and no TPM. */
	if (opened == STATUS_OK && svsm->options.fio == FIO_NONE) {
		svsm->serial_status = vtpm_set_open_ports(svsm);
	}
	if (svsm->serial_status != STATUS_OK) {
		log_write(LOG_ERROR, "kernel", "service channel: %s: %s",
			  status_name(svsm->serial_status), status_advice(svsm->serial_status));
		return;
	}
	control_open(svsm);
}

/* A port that can no longer be written to comes back with a new start of its device. Until then it
 * is not read, and what has arrived by then is the first that is read behind it. */
static bool restart_stuck_serial(struct svsm *svsm)
{
	if (!vtpm_set_wants_restart(svsm)) {
		return false;
	}
	log_write(LOG_NOTICE, "kernel",
		  "service channel: started again, clients that left had used up a port");
	open_ports(svsm, virtio_serial_restart(&svsm->serial, RESTART_DRAIN_US));
	return true;
}

/* How long the next sleep of the main loop may be. */
static uint64_t idle_limit_us(const struct svsm *svsm)
{
	uint64_t at_us;
	if (svsm->serial_status != STATUS_OK || !vtpm_set_deadline(svsm, &at_us)) {
		return svsm->idle_tick.tick_us;
	}
	const uint64_t now_us = svsm->clock.now_us(svsm->clock.context);
	const uint64_t left_us = at_us > now_us ? at_us - now_us : 0;
	return left_us < svsm->idle_tick.tick_us ? left_us : svsm->idle_tick.tick_us;
}

static void sleep_until_interrupt(struct svsm *svsm, struct virtio_wait *wait)
{
	const uint64_t before = svsm->interrupts.device;
	virtio_wait_sleep(wait, idle_limit_us(svsm));
	idle_tick_slept(&svsm->idle_tick, svsm->interrupts.device != before);
}

/* Nothing was to be done in this turn. See virtio_wait.c about the order of acknowledging, looking
 * and sleeping; interrupts are off except within the sleep itself. */
static void idle(struct svsm *svsm, struct virtio_wait *wait)
{
	switch (virtio_wait_next(wait)) {
	case VIRTIO_WAIT_RELAX: svsm->clock.relax(svsm->clock.context); break;
	case VIRTIO_WAIT_ARM:
		if (svsm->serial_status == STATUS_OK) {
			virtio_serial_interrupts_want(&svsm->serial, true);
			virtio_serial_interrupt_ack(&svsm->serial);
		}
		break;
	case VIRTIO_WAIT_SLEEP:
		sleep_until_interrupt(svsm, wait);
		if (svsm->serial_status == STATUS_OK) {
			virtio_serial_interrupt_ack(&svsm->serial);
		}
		state_tend(&svsm->state);
		break;
	}
}

/* Work has come: no interrupt is needed to tell. */
static void idle_end(struct svsm *svsm, struct virtio_wait *wait)
{
	if (wait->is_armed && svsm->serial_status == STATUS_OK) {
		virtio_serial_interrupts_want(&svsm->serial, false);
	}
	virtio_wait_adapt(wait);
	idle_tick_worked(&svsm->idle_tick);
}

/* Take in what the device has. True: something happened to it. */
static bool look_after_serial(struct svsm *svsm)
{
	if (svsm->serial_status != STATUS_OK) {
		return false;
	}
	const enum status status = virtio_serial_poll(&svsm->serial);
	if (status != STATUS_OK) {
		log_write(LOG_ERROR, "kernel", "service channel lost: %s", status_name(status));
		svsm->serial_status = status;
		return true;
	}
	return restart_stuck_serial(svsm);
}

/* One turn over the ports: true if it did something. */
static bool serve_ports(struct svsm *svsm, bool *shutdown)
{
	if (look_after_serial(svsm)) {
		return true;
	}
	const bool worked = vtpm_set_turn(svsm);
	return (svsm->serial_status == STATUS_OK && control_step(svsm, shutdown)) || worked;
}

/* A disk that died is looked after before anybody goes on, but not under the feet of a program that
 * runs: its command has to end first, and to be refused if it needed the disk. */
static bool serve_turn(struct svsm *svsm, bool *shutdown)
{
	const bool worked = serve_ports(svsm, shutdown);
	if ((worked && !state_is_lost(&svsm->state)) || vtpm_set_is_busy(svsm)) {
		return worked;
	}
	return recovery_step(svsm) || worked;
}

/* The loop ends by a request to shut down; the machine is then left in order. */
static void serve(struct svsm *svsm)
{
	bool shutdown = false;
	while (!shutdown) {
		struct virtio_wait wait;
		virtio_wait_begin(&wait, &svsm->idle_policy, &svsm->clock);
		while (!serve_turn(svsm, &shutdown)) {
			idle(svsm, &wait);
		}
		idle_end(svsm, &wait);
	}
	vtpm_set_stop(svsm);
	state_close(&svsm->state);
	exit_machine(EXIT_ORDERLY);
}

/* On the guarded stack. */
static void boot_devices(void *argument)
{
	struct svsm *svsm = argument;
	require("interrupt controller", apic_init(&svsm->apic, &svsm->memory, &svsm->clock));
	start_sharedmem(svsm);
	start_devices(svsm);
	start_entropy(svsm);
	start_crypto(svsm);
	vtpm_set_init(svsm);
	open_ports(svsm, open_serial(svsm));
#if !HOLDFAST_PRODUCTION
	if (svsm->options.fio != FIO_NONE) {
		fio_service_run_and_exit(svsm);
	}
#endif
	open_state(svsm);
	require("seal", kernel_memory_seal(&svsm->memory));
#if !HOLDFAST_PRODUCTION
	if (svsm->options.panic[0] != '\0') {
		require("panic drill", panic_drill(svsm->options.panic));
		stop_boot("panic drill did not fault", STATUS_INVALID);
	}
	if (svsm->options.run_module[0] != '\0') {
		modules_run_and_exit(svsm);
	}
#endif
	require("TPMs", vtpm_set_start(svsm));
	serve(svsm);
}

/* Called by entry.S on stage2's stack. */
void kernel_main(const struct boot_params *params)
{
	struct svsm *svsm = &the_svsm;
	uint64_t word;
	/* Never returns, so changing the canary under it is harmless; every later call sees the
	 * new one. Without RDRAND it is poor, but start_entropy() decides whether we go on. */
	bool has_rdrand = (cpu_id(1, 0).ecx >> 30 & 1) != 0;
	svsm->cpu.percpu.canary = has_rdrand && cpu_rdrand(&word) ? word : cpu_tsc();
	console_init(&svsm->console, CONSOLE_PORT);
	log_set_sink(console_log, &svsm->console, LOG_DEBUG);
	cpu_init_early(&svsm->cpu, 0, svsm);
	require("boot parameters", boot_params_validate(params));
	memcpy(&svsm->params, params, sizeof(svsm->params));
	enum status options =
		options_parse(svsm->params.cmdline, HOLDFAST_PRODUCTION, &svsm->options);
	log_set_sink(console_log, &svsm->console, svsm->options.log);
	if (options != STATUS_OK) {
		log_write(LOG_ERROR, "kernel", "command line: '%s' is not known or has a bad value",
			  svsm->options.rejected);
		stop_boot("command line", options);
	}
	require("CPU", cpu_enable_features(&svsm->xcr0));
	require("memory", kernel_memory_init(&svsm->memory, &svsm->params));
	take_symbols(svsm);
	require("clock", tsc_clock_calibrate(&svsm->tsc, svsm->params.entered_at_tsc));
	svsm->clock = tsc_clock_port(&svsm->tsc);
	svsm->console.clock = &svsm->clock;
	print_banner(svsm);
	map_exception_stacks(svsm);
	uint64_t top;
	require("main stack", kernel_memory_map_stack(&svsm->memory, MAIN_STACK_PAGES, &top));
	stack_switch(top, boot_devices, svsm);
	cpu_stop();
}
