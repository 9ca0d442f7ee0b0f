// SPDX-License-Identifier: MIT
/* crash_checker: confronts the volume with what disks, power cuts and hosts can do to it, state by
 * state, and demands that it never loses, mixes or invents anything. docs/testing.md says how to
 * read it; campaigns.h names what it tries. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/compiler.h"
#include "campaigns.h"
#include "ledger.h"
#include "rig.h"

#define JOBS_MAX        64u
#define PROGRESS_US     5000000u
#define EXIT_VIOLATIONS 1
#define EXIT_DIED       3
/* The number of sequences of up to three of n operations; checked when the checker starts. */
#define SEQUENCES(n) ((n) + (n) * (n) + (n) * (n) * (n))
#define STATE        VOLUME_PROFILE_STATE
#define BLOCK        VOLUME_PROFILE_BLOCK

static const struct campaign campaigns[] = {
	{"commits", "every torn subset of small commits, nested", campaign_commits_run, 256, 4,
	 STATE},
	{"checkpoints", "checkpoints and key changes, nested", campaign_checkpoints_run, 0, 4,
	 STATE},
	{"sequences", "all sequences of up to three operations", campaign_sequences_run,
	 SEQUENCES(12), 14, STATE},
	{"bits", "every bit of a small volume, flipped", campaign_bits_run, 512, 4, STATE},
	{"splice", "blocks exchanged, epochs spliced, lengths one off", campaign_splice_run, 0, 4,
	 STATE},
	{"mixes", "every mix of versions of blocks, forks too", campaign_mixes_run, 0, 4, STATE},
	{"faults", "the k-th operation fails, for every k", campaign_faults_run, 0, 3, STATE},
	{"lies", "the device lies at the k-th operation, for every k", campaign_lies_run, 0, 3,
	 STATE},
	{"store", "transactions over several objects", campaign_store_run, 0, 3, STATE},
	{"create", "crashes while a volume is made", campaign_create_run, 0, 1, STATE},
	{"grow", "a volume takes up more of its device", campaign_grow_run, 0, 3, STATE},
	{"witness", "crashes, rollbacks and forks before a witness", campaign_witness_run, 0, 4,
	 STATE},
	{"walk", "long random lives with crashes", campaign_walk_run, 0, 4, STATE},
	{"block-commits", "commits of a block device: inline, out of line, several records",
	 campaign_block_commits_run, 256, 4, BLOCK},
	{"block-checkpoints", "its checkpoints and key changes", campaign_checkpoints_run, 0, 4,
	 BLOCK},
	{"block-steps", "its checkpoints in the background, commits in between", campaign_steps_run,
	 0, 6, BLOCK},
	{"block-sequences", "all sequences of up to three of its operations",
	 campaign_sequences_run, SEQUENCES(12), 14, BLOCK},
	{"block-bits", "every bit of a small block device", campaign_bits_run, 512, 4, BLOCK},
	{"block-splice", "its blocks exchanged", campaign_splice_run, 0, 4, BLOCK},
	{"block-mixes", "mixes of its versions", campaign_mixes_run, 0, 4, BLOCK},
	{"block-faults", "its k-th operation fails", campaign_faults_run, 0, 3, BLOCK},
	{"block-lies", "its device lies", campaign_lies_run, 0, 3, BLOCK},
	{"block-create", "crashes while one is made", campaign_create_run, 0, 1, BLOCK},
	{"block-limits", "a full device, a full log, a full table", campaign_limits_run, 0, 2,
	 BLOCK},
	{"block-grow", "a block device takes up more of its device", campaign_grow_run, 0, 3,
	 BLOCK},
	{"block-witness", "a block device and its witness", campaign_witness_run, 0, 4, BLOCK},
	{"block-walk", "its long random lives", campaign_walk_run, 0, 4, BLOCK},
};
#define CAMPAIGNS ARRAY_COUNT(campaigns)

struct options {
	uint64_t states;
	uint64_t seconds;
	uint64_t seed;
	uint64_t jobs;
	const char *campaign; /* NULL: all. */
	bool first;
	bool replays;
	uint64_t replay_case;
	uint64_t replay_state;
};

/* Shared by all jobs. */
struct board {
	uint64_t states;
	struct tally tallies[CAMPAIGNS];
};

/* ---- Options ------------------------------------------------------------------------------- */

enum {
	KEY_STATES = 256,
	KEY_SECONDS,
	KEY_SEED,
	KEY_CAMPAIGN,
	KEY_STATE,
	KEY_JOBS,
	KEY_FIRST,
	KEY_LIST
};

static const struct argp_option option_table[] = {
	{"states", KEY_STATES, "N", 0, "Stop after N states", 0},
	{"seconds", KEY_SECONDS, "S", 0, "Stop after S seconds (60 if nothing else is said)", 0},
	{"seed", KEY_SEED, "S", 0, "Where the dice start (1)", 0},
	{"campaign", KEY_CAMPAIGN, "NAME", 0, "Run this campaign only", 0},
	{"state", KEY_STATE, "CASE.STATE", 0, "Replay: run one case up to this state, and log it",
	 0},
	{"jobs", KEY_JOBS, "N", 0, "Work in N processes (1)", 0},
	{"first", KEY_FIRST, NULL, 0, "Stop at the first violation", 0},
	{"list", KEY_LIST, NULL, 0, "List the campaigns", 0},
	{0},
};

static uint64_t number(struct argp_state *state, const char *text, uint64_t most)
{
	char *end = NULL;
	errno = 0;
	uint64_t value = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value > most) {
		argp_error(state, "'%s' is not a number up to %" PRIu64, text, most);
	}
	return value;
}

static void parse_replay(struct argp_state *state, struct options *options, char *text)
{
	char *dot = strchr(text, '.');
	if (dot == NULL) {
		argp_error(state, "'%s' is not CASE.STATE", text);
		return;
	}
	*dot = '\0';
	options->replays = true;
	options->replay_case = number(state, text, UINT64_MAX);
	options->replay_state = number(state, dot + 1, UINT64_MAX);
}

static void list(void)
{
	for (size_t i = 0; i < CAMPAIGNS; i++) {
		printf("%-18s %s\n", campaigns[i].name, campaigns[i].purpose);
	}
}

static void check_campaign(struct argp_state *state, const struct options *options)
{
	bool known = options->campaign == NULL;
	for (size_t i = 0; i < CAMPAIGNS; i++) {
		known = known || strcmp(options->campaign, campaigns[i].name) == 0;
	}
	if (!known) {
		argp_error(state, "no campaign '%s'; --list names them", options->campaign);
	}
	if (options->replays && options->campaign == NULL) {
		argp_error(state, "--state needs --campaign");
	}
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;
	switch (key) {
	case KEY_STATES: options->states = number(state, argument, UINT64_MAX); break;
	case KEY_SECONDS: options->seconds = number(state, argument, 10000000); break;
	case KEY_SEED: options->seed = number(state, argument, UINT64_MAX); break;
	case KEY_JOBS: options->jobs = number(state, argument, JOBS_MAX); break;
	case KEY_CAMPAIGN: options->campaign = argument; break;
	case KEY_STATE: parse_replay(state, options, argument); break;
	case KEY_FIRST: options->first = true; break;
	case KEY_LIST: list(); exit(0);
	case ARGP_KEY_ARG: argp_error(state, "unexpected '%s'", argument); break;
	case ARGP_KEY_END: check_campaign(state, options); break;
	default: return ARGP_ERR_UNKNOWN; /* Argp's own keys. */
	}
	return 0;
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse_option,
	.doc = "Crash, tamper with and break a simulated disk under the secure volume, and check "
	       "what it makes of it.\vExit status: 0 no violation, 1 a violation (each prints the "
	       "command that replays it), 3 the checker itself died.",
};

/* ---- Running ------------------------------------------------------------------------------- */

static bool is_wanted(const struct options *options, size_t campaign)
{
	return options->campaign == NULL ||
	       strcmp(options->campaign, campaigns[campaign].name) == 0;
}

/* The campaign that lags behind its share most. */
static size_t campaign_next(const struct options *options, const uint64_t *done)
{
	size_t best = CAMPAIGNS;
	for (size_t i = 0; i < CAMPAIGNS; i++) {
		if (is_wanted(options, i) &&
		    (best == CAMPAIGNS ||
		     done[i] * campaigns[best].share < done[best] * campaigns[i].share)) {
			best = i;
		}
	}
	return best;
}

/* Cases of one pass keep the seed; the next pass has the next seed, and goes on counting cases so
 * that the dice are others. */
static void work(const struct options *options, struct board *board, uint64_t job,
		 uint64_t deadline_us)
{
	struct checker checker;
	uint64_t cases[CAMPAIGNS] = {0};
	uint64_t done[CAMPAIGNS] = {0};
	checker_init(&checker);
	checker.deadline_us = deadline_us;
	checker.states_max = options->states;
	checker.states_now = &board->states;
	checker.stops_at_violation = options->first;
	while (!checker.stops) {
		size_t i = campaign_next(options, done);
		struct tally *tally = &board->tallies[i];
		checker_case_begin(&checker, &campaigns[i], tally, options->seed,
				   cases[i]++ * options->jobs + job);
		campaigns[i].run(&checker, checker.case_index);
		done[i] += checker.state + 1;
		if (!checker.stops) {
			__atomic_add_fetch(&tally->cases, 1, __ATOMIC_RELAXED);
		}
	}
	checker_fini(&checker);
}

static void replay(const struct options *options, struct board *board)
{
	struct checker checker;
	checker_init(&checker);
	checker.replay_state = options->replay_state;
	for (size_t i = 0; i < CAMPAIGNS; i++) {
		if (is_wanted(options, i)) {
			checker_case_begin(&checker, &campaigns[i], &board->tallies[i],
					   options->seed, options->replay_case);
			campaigns[i].run(&checker, checker.case_index);
			board->states += checker.state;
		}
	}
	checker_fini(&checker);
}

static uint64_t violations(const struct board *board)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < CAMPAIGNS; i++) {
		sum += board->tallies[i].violations;
	}
	return sum;
}

/* Wait for the jobs; say now and then how far they are. False: one died. */
static bool watch_jobs(struct board *board, uint64_t jobs, uint64_t started_us)
{
	bool good = true;
	uint64_t said_us = started_us;
	while (jobs > 0) {
		int status = 0;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		CHECK(pid >= 0);
		if (pid > 0) {
			good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
			jobs--;
			continue;
		}
		uint64_t now_us = checker_clock_us();
		if (now_us - said_us >= PROGRESS_US) {
			uint64_t states = __atomic_load_n(&board->states, __ATOMIC_RELAXED);
			said_us = now_us;
			fprintf(stderr,
				"%4" PRIu64 " s: %" PRIu64 " states, %" PRIu64 "/s, %" PRIu64
				" violations\n",
				(now_us - started_us) / 1000000, states,
				states * 1000000 / (now_us - started_us), violations(board));
		}
		(void)usleep(20000);
	}
	return good;
}

static bool run(const struct options *options, struct board *board, uint64_t started_us)
{
	uint64_t deadline_us = options->seconds == UINT64_MAX
				       ? UINT64_MAX
				       : started_us + options->seconds * 1000000;
	if (options->replays) {
		replay(options, board);
		return true;
	}
	for (uint64_t job = 0; job < options->jobs; job++) {
		(void)fflush(NULL);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			work(options, board, job, deadline_us);
			_exit(0);
		}
	}
	return watch_jobs(board, options->jobs, started_us);
}

/* For the summary of ./test. */
static void figure_leave(const struct board *board, uint64_t elapsed_us)
{
	const char *path = getenv("HOLDFAST_FIGURES");
	FILE *file = path == NULL ? NULL : fopen(path, "a");
	if (file == NULL) {
		return;
	}
	(void)fprintf(file,
		      "crash checker: %" PRIu64 " states, %" PRIu64 " violations, %" PRIu64
		      " states/s\n",
		      board->states, violations(board), board->states * 1000000 / (elapsed_us + 1));
	(void)fclose(file);
}

static void report(const struct options *options, const struct board *board, uint64_t elapsed_us)
{
	for (size_t i = 0; i < CAMPAIGNS; i++) {
		const struct tally *tally = &board->tallies[i];
		if (!is_wanted(options, i)) {
			continue;
		}
		printf("%-18s %10" PRIu64 " states %8" PRIu64 " cases", campaigns[i].name,
		       tally->states, tally->cases);
		if (campaigns[i].cases != 0) {
			printf(" (%" PRIu64 " %% of a pass)",
			       tally->cases * 100 / campaigns[i].cases);
		}
		printf("%s\n", tally->violations != 0 ? "  VIOLATED" : "");
	}
	printf("seed %" PRIu64 ", %" PRIu64 " jobs, %" PRIu64 ".%" PRIu64 " s, %" PRIu64
	       " states/s\n",
	       options->seed, options->jobs, elapsed_us / 1000000, elapsed_us / 100000 % 10,
	       board->states * 1000000 / (elapsed_us + 1));
	printf("%" PRIu64 " states, %" PRIu64 " violations\n", board->states, violations(board));
	figure_leave(board, elapsed_us);
}

int main(int argc, char **argv)
{
	struct options options = {
		.states = UINT64_MAX, .seconds = UINT64_MAX, .seed = 1, .jobs = 1};
	if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0) {
		return 2;
	}
	if (options.states == UINT64_MAX && options.seconds == UINT64_MAX) {
		options.seconds = 60;
	}
	if (options.jobs == 0) {
		options.jobs = 1;
	}
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(board != MAP_FAILED);
	for (size_t i = 0; i < CAMPAIGNS; i++) {
		CHECK(campaigns[i].run != campaign_sequences_run ||
		      campaigns[i].cases == campaign_sequences_cases(campaigns[i].profile));
	}
	uint64_t started_us = checker_clock_us();
	bool good = run(&options, board, started_us);
	report(&options, board, checker_clock_us() - started_us);
	if (!good) {
		fprintf(stderr, "crash_checker: a job died\n");
		return EXIT_DIED;
	}
	return violations(board) == 0 ? 0 : EXIT_VIOLATIONS;
}
