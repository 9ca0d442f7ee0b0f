// SPDX-License-Identifier: MIT
#include "tools/holdfast/tpm_process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tools/holdfast/tpm_library.h"
#include "vtpm/response.h"

/* An RSA key takes a second, and ten if luck is bad; this is for a library that does not end. */
#define CHILD_SECONDS_MAX 120u

struct tpm_exchange *tpm_exchange_make(void)
{
	void *memory = mmap(NULL, sizeof(struct tpm_exchange), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return memory != MAP_FAILED ? memory : NULL;
}

void tpm_exchange_free(struct tpm_exchange *exchange)
{
	if (exchange != NULL) {
		secure_zero(exchange, sizeof(*exchange));
		(void)munmap(exchange, sizeof(*exchange));
	}
}

/* ---- In the child -------------------------------------------------------------------------- */

/* The child computes and ends. It dies with its parent, and after a while by itself. */
static void confine(void)
{
	const struct rlimit cpu = {.rlim_cur = CHILD_SECONDS_MAX, .rlim_max = CHILD_SECONDS_MAX};
	const struct rlimit nothing = {.rlim_cur = 0, .rlim_max = 0};
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)setrlimit(RLIMIT_CPU, &cpu);
	(void)setrlimit(RLIMIT_FSIZE, &nothing);
	(void)signal(SIGALRM, SIG_DFL);
	(void)alarm(2 * CHILD_SECONDS_MAX);
	(void)close(STDIN_FILENO);
	(void)close(STDOUT_FILENO);
	(void)close_range(STDERR_FILENO + 1, ~0u, 0);
}

static enum status execute_fixed(struct tpm_client *client, const char *step,
				 const uint8_t command[TPM_STARTUP_BYTES])
{
	const uint8_t *response = NULL;
	size_t response_bytes = 0;
	client->step = step;
	if (!client->execute(client->context, command, TPM_STARTUP_BYTES, &response,
			     &response_bytes) ||
	    response_check(response, response_bytes) != STATUS_OK) {
		return STATUS_BAD_USER;
	}
	client->response_code = response_code(response);
	return client->response_code == TPM_RC_SUCCESS ? STATUS_OK : STATUS_FAULTED;
}

static enum status live(struct tpm_exchange *exchange, struct tpm_client *client, tpm_work work,
			void *context)
{
	enum status status = tpm_library_power_on(exchange->state, exchange->state_bytes);
	if (status == STATUS_INVALID) {
		(void)snprintf(exchange->detail, sizeof(exchange->detail),
			       "It does not accept this state: damaged, or a later libtpms wrote "
			       "it.");
	}
	if (status == STATUS_OK) {
		status = execute_fixed(client, "Startup", tpm_startup_clear);
	}
	if (status == STATUS_OK && work != NULL) {
		status = work(context, client, exchange);
	}
	if (status == STATUS_OK) {
		status = execute_fixed(client, "Shutdown", tpm_shutdown_clear);
	}
	return status == STATUS_OK ? tpm_library_power_off(exchange->state, sizeof(exchange->state),
							   &exchange->state_bytes)
				   : status;
}

NORETURN static void child(struct tpm_exchange *exchange, tpm_work work, void *context)
{
	struct tpm_client client = {.execute = tpm_library_execute, .step = "power on"};
	confine();
	exchange->status = live(exchange, &client, work, context);
	(void)snprintf(exchange->step, sizeof(exchange->step), "%s", client.step);
	exchange->response_code = client.response_code;
	_exit(0);
}

/* ---- In the parent ------------------------------------------------------------------------- */

/* `end` is what waitpid(2) gave. */
static enum status judge_end(int end, struct report *report)
{
	if (WIFEXITED(end) && WEXITSTATUS(end) == 0) {
		return STATUS_OK;
	}
	if (WIFEXITED(end) && WEXITSTATUS(end) == TPM_LIBRARY_EXIT_NO_ENTROPY) {
		return STATUS_NO_ENTROPY;
	}
	if (WIFSIGNALED(end) && (WTERMSIG(end) == SIGXCPU || WTERMSIG(end) == SIGALRM)) {
		return report_note(report, STATUS_TIMEOUT, "libtpms", "It did not end in %u s.",
				   CHILD_SECONDS_MAX);
	}
	return report_note(report, STATUS_FAULTED, "libtpms",
			   "It crashed on this state: the state is damaged.");
}

static enum status judge_exchange(struct tpm_exchange *exchange, struct report *report)
{
	exchange->step[sizeof(exchange->step) - 1] = '\0';
	exchange->detail[sizeof(exchange->detail) - 1] = '\0';
	if (exchange->status > STATUS_OK || exchange->status <= -STATUS_COUNT) {
		exchange->status = STATUS_FAULTED; /* Not a status at all. */
	}
	if (exchange->status == STATUS_OK &&
	    (exchange->state_bytes == 0 || exchange->state_bytes > sizeof(exchange->state))) {
		exchange->status = STATUS_FAULTED;
	}
	if (exchange->status == STATUS_OK || exchange->status == STATUS_NO_MEMORY) {
		return exchange->status;
	}
	if (exchange->detail[0] != '\0') {
		return report_note(report, exchange->status, "libtpms", "%s", exchange->detail);
	}
	return report_note(report, exchange->status, "libtpms", "%s failed (TPM_RC 0x%x).",
			   exchange->step, exchange->response_code);
}

enum status tpm_process_run(struct tpm_exchange *exchange, tpm_work work, void *context,
			    struct report *report)
{
	int end = 0;
	pid_t ended;
	exchange->status = STATUS_FAULTED;
	(void)fflush(stdout);
	const pid_t pid = fork();
	if (pid == 0) {
		child(exchange, work, context);
	}
	if (pid < 0) {
		return report_note(report, STATUS_NO_MEMORY, "libtpms", "Cannot fork: %s.",
				   strerror(errno));
	}
	do {
		ended = waitpid(pid, &end, 0);
	} while (ended < 0 && errno == EINTR);
	if (ended != pid) {
		return report_note(report, STATUS_IO, "libtpms", "Cannot wait: %s.",
				   strerror(errno));
	}
	enum status status = judge_end(end, report);
	return status == STATUS_OK ? judge_exchange(exchange, report) : status;
}
