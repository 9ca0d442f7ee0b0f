// SPDX-License-Identifier: MIT
/* What kernel/vtpm_service.c stands on, without ring 3 and a disk: a program that does what a test
 * told it to, in order, and a state that is fine or lost. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/svsm.h"

/* What the program does with the time that it gets. */
enum fake_act {
	FAKE_WAITS,          /* Asks for its first command. */
	FAKE_ANSWERS,        /* With `code`, and `parameter_count` bytes of value `parameter`. */
	FAKE_LIES,           /* A response whose size is not what it says. */
	FAKE_EXITS,          /* With `code`. */
	FAKE_CRASHES,        /* STATUS_FAULTED. */
	FAKE_LOSES_DISK,     /* It answers, but the disk was given up meanwhile. */
	FAKE_DIES_WITH_DISK, /* It crashes, and so did the disk. */
	FAKE_NOT_LOADED,     /* There is no memory for it. */
};

struct fake_step {
	enum fake_act act;
	uint32_t code;
	size_t parameter_count;
	uint8_t parameter;
};

#define FAKE_STEPS_MAX     16u
#define FAKE_ARGUMENT_SIZE 64u

struct fake_program {
	struct fake_step steps[FAKE_STEPS_MAX];
	size_t step_count;
	size_t step_index;
	/* What was done to it. */
	size_t loads;
	size_t unloads;
	size_t kills;
	size_t runs;
	struct process_environment environment; /* Of the latest load. */
	char arguments[8][FAKE_ARGUMENT_SIZE];
	size_t argument_count;
	struct service_message message; /* The latest; its bytes are not kept. */
	uint32_t command;               /* Its code, of a command. */
	bool was_cancelled;             /* When it began. */
	/* The platform around it. */
	bool is_lost;
	enum status condition;
	enum status entropy;
	/* Called at each fiber_yield() of the service's loop; when it returns false the loop is
	 * left for the test. */
	bool (*at_yield)(struct vtpm_service *service);
};

extern struct fake_program fake;
extern struct svsm fake_svsm;

/* Nothing scripted, everything well. */
void fake_reset(void);
void fake_then(enum fake_act act);
void fake_then_answer(uint32_t code, size_t parameter_count, uint8_t parameter);
void fake_then_exit(int code);

/* Was the latest program started with this argument? */
bool fake_has_argument(const char *argument);

/* TPM 0, whose program has started and waits for its first command. */
struct vtpm_service *fake_service_up(void);

/* The loop of the service, until `at_yield` (NULL: at once) ends it. */
void fake_service_run(struct vtpm_service *service, bool (*at_yield)(struct vtpm_service *service));
