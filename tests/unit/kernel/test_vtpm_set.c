// SPDX-License-Identifier: MIT
/* Several TPMs beside each other: which there are, who gets a turn, when a port may be started
 * again, and what becomes of them all when the disk dies (kernel/recovery.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/exit.h"
#include "kernel/recovery.h"
#include "kernel/svsm.h"

static struct svsm svsm;

/* What the set and the recovery stand on, and what was done to it. */
static struct {
	const char *objects[4]; /* Of the store. */
	enum status list;       /* How its list ends. */
	size_t lists;
	uint32_t no_port;      /* Bit N: TPM N has none. */
	uint32_t stuck_ports;  /* Bit N: port number N is stuck. */
	uint32_t loud;         /* Bit N: part of a command has arrived at TPM N. */
	uint32_t loud_control; /* Bit N: of a message for its platform; bit 31: of a line. */
	uint64_t now_us;
	uint64_t deadlines[VTPM_COUNT_MAX]; /* 0: none. */
	enum status stack;
	size_t stacks;
	size_t fibers;
	size_t turns[VTPM_COUNT_MAX];
	size_t turns_to_stop;
	/* Recovery. */
	bool is_lost;
	bool still_lost; /* After an attempt. */
	bool has_doubt;
	enum status recovers;
	size_t attempts;
	uint32_t again;
	uint32_t ended;
	enum status cause;
	enum status exit;
} fake;

static uint64_t now_us(void *context)
{
	(void)context;
	return fake.now_us;
}

static void reset(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(&svsm, 0, sizeof(svsm));
	fake.turns_to_stop = 1;
	svsm.clock.now_us = now_us;
	svsm.state.mounted.volume = (struct volume *)&svsm; /* Not looked into. */
	vtpm_set_init(&svsm);
}

static uint32_t bit(const struct vtpm_service *service)
{
	return 1u << service->instance;
}

void vtpm_service_init(struct vtpm_service *service, struct svsm *owner, uint32_t instance)
{
	*service = (struct vtpm_service){.svsm = owner, .instance = instance};
	instance_names_make(instance, &service->names);
}

void vtpm_service_run(void *service)
{
	(void)service;
}

enum status vtpm_service_open_port(struct vtpm_service *service)
{
	service->port_open = (fake.no_port & bit(service)) == 0;
	service->port = 10 + service->instance;
	return service->port_open ? STATUS_OK : STATUS_NO_DEVICE;
}

void tpm_control_open(struct vtpm_service *service)
{
	service->control.open = true;
	service->control.port = 20 + service->instance;
}

bool vtpm_service_is_quiet(const struct vtpm_service *service)
{
	return (fake.loud & bit(service)) == 0;
}

bool tpm_control_is_quiet(struct vtpm_service *service)
{
	return (fake.loud_control & bit(service)) == 0;
}

bool control_is_quiet(const struct svsm *owner)
{
	(void)owner;
	return fake.loud_control >> 31 == 0;
}

bool vtpm_service_deadline(const struct vtpm_service *service, uint64_t *at_us)
{
	*at_us = fake.deadlines[service->instance];
	return *at_us != 0;
}

void vtpm_service_start_again(struct vtpm_service *service)
{
	fake.again |= bit(service);
}

void vtpm_service_end(struct vtpm_service *service, enum status cause)
{
	fake.ended |= bit(service);
	fake.cause = cause;
}

bool virtio_serial_port_is_stuck(struct virtio_serial *serial, uint32_t port)
{
	(void)serial;
	return (fake.stuck_ports >> port & 1) != 0;
}

enum status store_list(struct store *store, store_visit visit, void *context)
{
	(void)store;
	fake.lists++;
	for (size_t i = 0; i < ARRAY_COUNT(fake.objects) && fake.objects[i] != NULL; i++) {
		struct store_object_info info = {0};
		const size_t size = strlen(fake.objects[i]) + 1;
		assert_true(size <= sizeof(info.name));
		memcpy(info.name, fake.objects[i], size);
		assert_int_equal(visit(context, &info), STATUS_OK);
	}
	return fake.list;
}

enum status kernel_memory_map_stack(struct kernel_memory *memory, size_t page_count, uint64_t *top)
{
	(void)memory;
	assert_true(page_count > 0);
	fake.stacks++;
	*top = 0x1000 * fake.stacks;
	return fake.stack;
}

void fiber_init(struct fiber *fiber, uint64_t stack_top, void (*run)(void *), void *argument)
{
	(void)argument;
	assert_ptr_equal(run, vtpm_service_run);
	fiber->rsp = stack_top;
	fake.fibers++;
}

void fiber_resume(struct fiber *fiber)
{
	struct vtpm_service *service =
		(struct vtpm_service *)((uint8_t *)fiber - offsetof(struct vtpm_service, fiber));
	assert_int_not_equal(fiber->rsp, 0);
	assert_false(service->stopped);
	fake.turns[service->instance]++;
	service->worked = service->instance == 1;
	service->stopped = service->stopping && fake.turns[service->instance] >= fake.turns_to_stop;
}

void state_look(struct state *state, const struct clock *clock)
{
	(void)state;
	(void)clock;
}

bool state_is_lost(const struct state *state)
{
	(void)state;
	return fake.is_lost;
}

enum status state_recover(struct state *state, const struct state_environment *environment)
{
	(void)state;
	(void)environment;
	fake.attempts++;
	fake.is_lost = fake.still_lost;
	return fake.recovers;
}

struct state_environment svsm_state_environment(struct svsm *owner)
{
	(void)owner;
	return (struct state_environment){0};
}

void volume_info_get(const struct volume *volume, struct volume_info *info)
{
	(void)volume;
	*info = (struct volume_info){0};
}

bool volume_recall_has_doubt(const struct volume_recall *recall)
{
	(void)recall;
	return fake.has_doubt;
}

/* It does not return in the kernel: nothing comes behind it. */
static jmp_buf left;

void exit_state_failure(enum status status)
{
	fake.exit = status;
	longjmp(left, 1);
}

/* Which TPMs there are. */

static void with_objects(const char *first, const char *second, const char *third)
{
	fake.objects[0] = first;
	fake.objects[1] = second;
	fake.objects[2] = third;
}

static void test_the_tpms_of_the_store(void **state)
{
	(void)state;
	reset();
	with_objects("vtpm.permall", "vtpm3.permall", "vtpm1.permall");
	assert_int_equal(vtpm_set_start(&svsm), STATUS_OK);
	assert_int_equal(svsm.vtpms.count, 3);
	assert_int_equal(svsm.vtpms.services[1].instance, 1);
	assert_int_equal(svsm.vtpms.services[2].instance, 3);
	assert_int_equal(fake.fibers, 3);
}

/* TPM 0 is served all the same: it says why there is none. */
static void test_no_others_without_a_volume(void **state)
{
	(void)state;
	reset();
	with_objects("vtpm1.permall", NULL, NULL);
	svsm.state_status = STATUS_TAMPER;
	assert_int_equal(vtpm_set_start(&svsm), STATUS_OK);
	assert_int_equal(fake.lists, 0);
	assert_int_equal(svsm.vtpms.count, 1);
	reset();
	with_objects("vtpm1.permall", NULL, NULL);
	svsm.state.mounted.volume = NULL; /* Ephemeral. */
	assert_int_equal(vtpm_set_start(&svsm), STATUS_OK);
	assert_int_equal(fake.lists, 0);
}

/* Half a list is not who there is. */
static void test_no_others_of_a_list_that_failed(void **state)
{
	(void)state;
	reset();
	with_objects("vtpm1.permall", NULL, NULL);
	fake.list = STATUS_AUTH_META;
	assert_int_equal(vtpm_set_start(&svsm), STATUS_OK);
	assert_int_equal(svsm.vtpms.count, 1);
}

static void test_a_tpm_without_a_port_is_not_started(void **state)
{
	(void)state;
	reset();
	with_objects("vtpm1.permall", "vtpm2.permall", NULL);
	fake.no_port = 1u << 1;
	assert_int_equal(vtpm_set_start(&svsm), STATUS_OK);
	assert_int_equal(fake.fibers, 2);
	assert_false(vtpm_set_turn(&svsm)); /* Only TPM 1 would have work. */
	assert_int_equal(fake.turns[0], 1);
	assert_int_equal(fake.turns[1], 0);
	assert_int_equal(fake.turns[2], 1);
}

static void test_no_stack_is_an_error(void **state)
{
	(void)state;
	reset();
	fake.stack = STATUS_NO_MEMORY;
	assert_int_equal(vtpm_set_start(&svsm), STATUS_NO_MEMORY);
	assert_int_equal(fake.fibers, 0);
}

static void start_three(void)
{
	reset();
	with_objects("vtpm1.permall", "vtpm2.permall", NULL);
	assert_int_equal(vtpm_set_open_ports(&svsm), STATUS_OK);
	assert_int_equal(vtpm_set_start(&svsm), STATUS_OK);
	assert_int_equal(svsm.vtpms.count, 3);
}

static void test_only_tpm_0_has_to_have_its_port(void **state)
{
	(void)state;
	start_three();
	fake.no_port = 1u << 1;
	assert_int_equal(vtpm_set_open_ports(&svsm), STATUS_OK);
	fake.no_port = 1u << 0;
	assert_int_equal(vtpm_set_open_ports(&svsm), STATUS_NO_DEVICE);
}

/* Turns. */

static void test_everybody_has_a_turn(void **state)
{
	(void)state;
	start_three();
	assert_true(vtpm_set_turn(&svsm));
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(fake.turns[i], 1);
	}
	assert_false(vtpm_set_is_busy(&svsm));
	svsm.vtpms.services[2].busy = true;
	assert_true(vtpm_set_is_busy(&svsm));
}

static void test_the_earliest_deadline(void **state)
{
	(void)state;
	uint64_t at_us = 0;
	start_three();
	assert_false(vtpm_set_deadline(&svsm, &at_us));
	fake.deadlines[0] = 500;
	fake.deadlines[1] = 300;
	fake.deadlines[2] = 400;
	assert_true(vtpm_set_deadline(&svsm, &at_us));
	assert_int_equal(at_us, 300);
}

/* A new start of the device breaks into what is on its way in every port. */
static void test_a_stuck_port_waits_for_the_others_commands(void **state)
{
	(void)state;
	start_three();
	assert_false(vtpm_set_wants_restart(&svsm));
	fake.stuck_ports = 1u << 21; /* Of TPM 1's platform. */
	assert_true(vtpm_set_wants_restart(&svsm));
	fake.loud = 1u << 2;
	assert_false(vtpm_set_wants_restart(&svsm));
	fake.loud = 0;
	svsm.vtpms.services[0].busy = true;
	assert_false(vtpm_set_wants_restart(&svsm));
	/* Commands end. */
	fake.now_us += 3600u * 1000000u;
	assert_false(vtpm_set_wants_restart(&svsm));
	svsm.vtpms.services[0].busy = false;
	assert_true(vtpm_set_wants_restart(&svsm));
}

static void test_a_stuck_port_waits_a_while_for_messages(void **state)
{
	(void)state;
	const uint32_t parts[] = {1u << 1, 1u << 31};
	start_three();
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		fake.stuck_ports = 1u << 11;
		fake.loud_control = parts[i];
		assert_false(vtpm_set_wants_restart(&svsm));
		fake.now_us += 1900000;
		assert_false(vtpm_set_wants_restart(&svsm));
		fake.now_us += 200000;
		assert_true(vtpm_set_wants_restart(&svsm));
		/* The next one waits as long again. */
		assert_false(vtpm_set_wants_restart(&svsm));
		fake.stuck_ports = 0;
		assert_false(vtpm_set_wants_restart(&svsm));
		fake.now_us += 3000000;
		fake.stuck_ports = 1u << 11;
		assert_false(vtpm_set_wants_restart(&svsm));
		fake.loud_control = 0;
		assert_true(vtpm_set_wants_restart(&svsm));
	}
}

static void test_a_stop_waits_for_all(void **state)
{
	(void)state;
	start_three();
	fake.turns_to_stop = 4;
	vtpm_set_stop(&svsm);
	for (size_t i = 0; i < 3; i++) {
		assert_true(svsm.vtpms.services[i].stopped);
		assert_int_equal(fake.turns[i], 4);
	}
}

/* Recovery. */

static void test_a_disk_that_lives_is_left_alone(void **state)
{
	(void)state;
	start_three();
	assert_false(recovery_step(&svsm));
	assert_int_equal(fake.attempts, 0);
}

static void test_only_what_was_cut_short_starts_again(void **state)
{
	(void)state;
	start_three();
	fake.is_lost = true;
	svsm.vtpms.services[1].suspended = true;
	assert_true(recovery_step(&svsm));
	assert_int_equal(fake.attempts, 1);
	assert_int_equal(fake.again, 1u << 1);
	assert_int_equal(fake.ended, 0);
}

/* A write was on the way, and nobody knows whether it arrived: all have to read again. */
static void test_with_doubt_all_start_again(void **state)
{
	(void)state;
	start_three();
	fake.is_lost = true;
	fake.has_doubt = true;
	assert_true(recovery_step(&svsm));
	assert_int_equal(fake.again, 7);
}

static void test_an_attempt_that_may_be_repeated_ends_nobody(void **state)
{
	(void)state;
	start_three();
	fake.is_lost = fake.still_lost = true;
	fake.recovers = STATUS_TIMEOUT;
	assert_true(recovery_step(&svsm));
	assert_int_equal(fake.ended, 0);
	assert_int_equal(fake.again, 0);
	assert_true(recovery_step(&svsm));
	assert_int_equal(fake.attempts, 2);
}

static void test_the_last_attempt_ends_all(void **state)
{
	(void)state;
	start_three();
	fake.is_lost = true;
	fake.recovers = STATUS_ROLLBACK;
	assert_true(recovery_step(&svsm));
	assert_int_equal(fake.ended, 7);
	assert_int_equal(fake.cause, STATUS_ROLLBACK);
	assert_int_equal(fake.again, 0);
	assert_int_equal(fake.exit, STATUS_OK);
}

static void test_and_the_machine_if_that_was_chosen(void **state)
{
	(void)state;
	start_three();
	svsm.options.on_failure = FAILURE_EXIT;
	fake.is_lost = true;
	fake.recovers = STATUS_ROLLBACK;
	if (setjmp(left) == 0) {
		(void)recovery_step(&svsm);
		fail_msg("it went on");
	}
	assert_int_equal(fake.exit, STATUS_ROLLBACK);
	assert_int_equal(fake.ended, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_tpms_of_the_store),
		cmocka_unit_test(test_no_others_without_a_volume),
		cmocka_unit_test(test_no_others_of_a_list_that_failed),
		cmocka_unit_test(test_a_tpm_without_a_port_is_not_started),
		cmocka_unit_test(test_no_stack_is_an_error),
		cmocka_unit_test(test_only_tpm_0_has_to_have_its_port),
		cmocka_unit_test(test_everybody_has_a_turn),
		cmocka_unit_test(test_the_earliest_deadline),
		cmocka_unit_test(test_a_stuck_port_waits_for_the_others_commands),
		cmocka_unit_test(test_a_stuck_port_waits_a_while_for_messages),
		cmocka_unit_test(test_a_stop_waits_for_all),
		cmocka_unit_test(test_a_disk_that_lives_is_left_alone),
		cmocka_unit_test(test_only_what_was_cut_short_starts_again),
		cmocka_unit_test(test_with_doubt_all_start_again),
		cmocka_unit_test(test_an_attempt_that_may_be_repeated_ends_nobody),
		cmocka_unit_test(test_the_last_attempt_ends_all),
		cmocka_unit_test(test_and_the_machine_if_that_was_chosen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
