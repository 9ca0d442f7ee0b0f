// SPDX-License-Identifier: MIT
#include "tests/unit/kernel/fake_program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "kernel/modules.h"

struct fake_program fake;
struct svsm fake_svsm;
static jmp_buf left;

void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(&fake_svsm, 0, sizeof(fake_svsm));
	fake.condition = STATUS_OK;
}

void fake_then(enum fake_act act)
{
	assert_true(fake.step_count < FAKE_STEPS_MAX);
	fake.steps[fake.step_count++] = (struct fake_step){.act = act};
}

void fake_then_answer(uint32_t code, size_t parameter_count, uint8_t parameter)
{
	fake_then(FAKE_ANSWERS);
	fake.steps[fake.step_count - 1].code = code;
	fake.steps[fake.step_count - 1].parameter_count = parameter_count;
	fake.steps[fake.step_count - 1].parameter = parameter;
}

void fake_then_exit(int code)
{
	fake_then(FAKE_EXITS);
	fake.steps[fake.step_count - 1].code = (uint32_t)code;
}

bool fake_has_argument(const char *argument)
{
	for (size_t i = 0; i < fake.argument_count; i++) {
		if (strcmp(fake.arguments[i], argument) == 0) {
			return true;
		}
	}
	return false;
}

void fake_service_run(struct vtpm_service *service, bool (*at_yield)(struct vtpm_service *service))
{
	fake.at_yield = at_yield;
	if (setjmp(left) == 0) {
		vtpm_service_run(service);
	}
}

struct vtpm_service *fake_service_up(void)
{
	static struct vtpm_service service;
	vtpm_service_init(&service, &fake_svsm, 0);
	fake_then(FAKE_WAITS);
	fake_service_run(&service, NULL);
	assert_int_equal(service.status, STATUS_OK);
	assert_true(service.powered);
	return &service;
}

/* What vtpm_service.c calls. */

void fiber_yield(struct fiber *fiber)
{
	struct vtpm_service *service =
		(struct vtpm_service *)((uint8_t *)fiber - offsetof(struct vtpm_service, fiber));
	if (fake.at_yield == NULL || !fake.at_yield(service)) {
		longjmp(left, 1);
	}
}

enum status random_fill(struct random *random, uint8_t *out, size_t size_bytes)
{
	static uint8_t next = 1;
	(void)random;
	memset(out, fake.entropy == STATUS_OK ? next++ : 0, size_bytes);
	return fake.entropy;
}

bool state_is_lost(const struct state *state)
{
	(void)state;
	return fake.is_lost;
}

enum status state_condition(const struct state *state)
{
	(void)state;
	return fake.condition;
}

struct process_environment modules_process_environment(struct svsm *svsm, struct store *store)
{
	(void)svsm;
	return (struct process_environment){.store = store};
}

enum status modules_load(struct svsm *svsm, struct process *process,
			 const struct process_environment *environment, const char *name,
			 const char *const arguments[], size_t argument_count)
{
	(void)svsm;
	assert_string_equal(name, VTPM_MODULE_NAME);
	assert_int_equal(process->state, PROCESS_EMPTY);
	fake.loads++;
	fake.environment = *environment;
	fake.argument_count = argument_count;
	for (size_t i = 0; i < argument_count; i++) {
		const size_t size = strlen(arguments[i]) + 1;
		assert_true(size <= FAKE_ARGUMENT_SIZE);
		memcpy(fake.arguments[i], arguments[i], size);
	}
	if (fake.step_index < fake.step_count &&
	    fake.steps[fake.step_index].act == FAKE_NOT_LOADED) {
		fake.step_index++;
		return STATUS_NO_MEMORY;
	}
	*process = (struct process){.environment = *environment, .state = PROCESS_READY};
	return STATUS_OK;
}

static void answer(struct process *process, const struct fake_step *step, uint32_t size_bytes)
{
	struct process_channel *channel = &process->channel;
	const size_t sent = TPM_HEADER_BYTES + step->parameter_count;
	memset(channel->response, step->parameter, sent);
	bytes_store_be16(channel->response, TPM_ST_NO_SESSIONS);
	bytes_store_be32(channel->response + 2, size_bytes);
	bytes_store_be32(channel->response + 6, step->code);
	channel->response_size_bytes = sent;
	process->state = PROCESS_WAITING;
}

static void note_message(const struct process *process)
{
	const struct process_channel *channel = &process->channel;
	fake.was_cancelled = process->cancelled;
	if (channel->command_size_bytes > 0) {
		assert_int_equal(service_message_decode(channel->command,
							channel->command_size_bytes, &fake.message),
				 STATUS_OK);
		fake.command = fake.message.size_bytes >= TPM_HEADER_BYTES
				       ? command_code(fake.message.bytes)
				       : 0;
	}
}

static void lose_disk(void)
{
	fake.is_lost = true;
	fake.condition = STATUS_TIMEOUT;
}

static void crash(struct process *process)
{
	process->state = PROCESS_DEAD;
	process->death = (struct process_death){.status = STATUS_FAULTED};
}

void process_run(struct process *process, uint64_t timeout_us)
{
	assert_true(timeout_us > 0);
	assert_true(process->state == PROCESS_READY || process->state == PROCESS_WAITING);
	assert_true(fake.step_index < fake.step_count);
	const struct fake_step *step = &fake.steps[fake.step_index++];
	fake.runs++;
	note_message(process);
	switch (step->act) {
	case FAKE_WAITS: process->state = PROCESS_WAITING; break;
	case FAKE_LOSES_DISK:
		lose_disk();
		answer(process, step, TPM_HEADER_BYTES);
		break;
	case FAKE_ANSWERS:
		answer(process, step, (uint32_t)(TPM_HEADER_BYTES + step->parameter_count));
		break;
	case FAKE_LIES: answer(process, step, TPM_HEADER_BYTES + 1); break;
	case FAKE_EXITS:
		process->state = PROCESS_DEAD;
		process->death = (struct process_death){.exit_code = (int)step->code};
		break;
	case FAKE_DIES_WITH_DISK:
		lose_disk();
		crash(process);
		break;
	case FAKE_CRASHES: crash(process); break;
	case FAKE_NOT_LOADED: fail_msg("it was loaded"); break;
	}
}

void process_unload(struct process *process)
{
	fake.unloads++;
	process->state = PROCESS_EMPTY;
}

void process_kill(struct process *process, const struct process_death *death)
{
	fake.kills++;
	process->state = PROCESS_DEAD;
	process->death = *death;
}

bool tpm_control_step(struct vtpm_service *service)
{
	(void)service;
	return false;
}

void tpm_control_tick(void *service)
{
	(void)service;
}

bool vtpm_service_step(struct vtpm_service *service)
{
	(void)service;
	return false;
}
