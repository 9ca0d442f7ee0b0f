// SPDX-License-Identifier: MIT
/* Lines, sections, keys. What a key means is in one table. */
#include "fio/job.h"

#include <string.h>

#include "base/format.h"
#include "base/units.h"
#include "fio/number.h"

#define DEPTH_DEFAULT 1u
#define SEED_DEFAULT  0x89abcdefull

struct parse {
	const struct fio_variables *variables;
	struct fio_jobs *jobs;
	struct fio_refusal *refusal;
	struct fio_job global;   /* What the next section begins with. */
	struct fio_job *section; /* NULL: none has begun. */
};

static enum status refuse(struct parse *parse, enum status status, const char *what,
			  const char *about)
{
	(void)format_text(parse->refusal->text, sizeof(parse->refusal->text), "%s '%s'", what,
			  about);
	return status;
}

/* Index of the first `c`, or of the end. */
static size_t find(const char *text, char c)
{
	size_t at = 0;
	while (text[at] != '\0' && text[at] != c) {
		at++;
	}
	return at;
}

/* ---- Values -------------------------------------------------------------------------------- */

static enum status take_rw(struct fio_job *job, const char *value)
{
	for (enum fio_rw rw = FIO_READ; rw <= FIO_RANDRW; rw++) {
		if (strcmp(value, fio_rw_name(rw)) == 0) {
			job->rw = rw;
			return STATUS_OK;
		}
	}
	if (strcmp(value, "readwrite") == 0) {
		job->rw = FIO_RW;
		return STATUS_OK;
	}
	return STATUS_UNSUPPORTED;
}

static enum status block_parse(const char *value, uint32_t *block_bytes)
{
	uint64_t bytes = 0;
	enum status status = fio_size_parse(value, &bytes);
	if (status == STATUS_OK && (bytes == 0 || bytes > FIO_BLOCK_BYTES_MAX)) {
		status = STATUS_BAD_CONFIG;
	}
	if (status == STATUS_OK && bytes % BLOCK_BYTES != 0) {
		status = STATUS_UNSUPPORTED;
	}
	*block_bytes = (uint32_t)bytes;
	return status;
}

static enum status take_block(struct fio_job *job, const char *value)
{
	enum status status = block_parse(value, &job->block_bytes);
	job->block_bytes_max = job->block_bytes;
	return status;
}

/* "4k-128k". fio draws multiples of the least, and so does the runner. */
static enum status take_block_range(struct fio_job *job, const char *value)
{
	char least[FIO_LINE_BYTES];
	const size_t dash = find(value, '-');
	if (value[dash] == '\0') {
		return STATUS_BAD_CONFIG;
	}
	memcpy(least, value, dash);
	least[dash] = '\0';
	enum status status = block_parse(least, &job->block_bytes);
	if (status == STATUS_OK) {
		status = block_parse(value + dash + 1, &job->block_bytes_max);
	}
	if (status == STATUS_OK && job->block_bytes_max < job->block_bytes) {
		status = STATUS_BAD_CONFIG;
	}
	if (status == STATUS_OK && job->block_bytes_max % job->block_bytes != 0) {
		status = STATUS_UNSUPPORTED;
	}
	return status;
}

/* A whole number from `least` to `most`. */
static enum status number_take(const char *value, uint64_t least, uint64_t most, uint32_t *number)
{
	uint64_t all = 0;
	enum status status = fio_size_parse(value, &all);
	if (status != STATUS_OK || all < least || all > most) {
		return STATUS_BAD_CONFIG;
	}
	*number = (uint32_t)all;
	return STATUS_OK;
}

static enum status take_depth(struct fio_job *job, const char *value)
{
	return number_take(value, 1, FIO_DEPTH_MAX, &job->depth);
}

static enum status take_batch(struct fio_job *job, const char *value)
{
	return number_take(value, 1, FIO_DEPTH_MAX, &job->batch_submit);
}

static enum status take_complete_max(struct fio_job *job, const char *value)
{
	return number_take(value, 1, FIO_DEPTH_MAX, &job->batch_complete_max);
}

/* At least one completion is waited for when the depth is reached; nothing else is offered. */
static enum status take_complete_min(struct fio_job *job, const char *value)
{
	uint32_t number = 0;
	(void)job;
	enum status status = number_take(value, 0, FIO_DEPTH_MAX, &number);
	return status == STATUS_OK && number > 1 ? STATUS_UNSUPPORTED : status;
}

static enum status take_size(struct fio_job *job, const char *value)
{
	return fio_size_parse(value, &job->size_bytes);
}

static enum status take_offset(struct fio_job *job, const char *value)
{
	return fio_size_parse(value, &job->offset_bytes);
}

static enum status take_runtime(struct fio_job *job, const char *value)
{
	return fio_time_parse(value, &job->runtime_us);
}

static enum status take_ramp(struct fio_job *job, const char *value)
{
	return fio_time_parse(value, &job->ramp_us);
}

static enum status flag_take(const char *value, bool *flag)
{
	uint32_t number = 1; /* A bare key is a set flag. */
	enum status status = value[0] == '\0' ? STATUS_OK : number_take(value, 0, 1, &number);
	*flag = number != 0;
	return status;
}

static enum status take_time_based(struct fio_job *job, const char *value)
{
	return flag_take(value, &job->is_time_based);
}

static enum status take_wall(struct fio_job *job, const char *value)
{
	return flag_take(value, &job->is_walled_off);
}

static enum status take_read_percent(struct fio_job *job, const char *value)
{
	return number_take(value, 0, 100, &job->read_percent);
}

static enum status take_write_percent(struct fio_job *job, const char *value)
{
	uint32_t writes = 0;
	enum status status = number_take(value, 0, 100, &writes);
	job->read_percent = 100 - writes;
	return status;
}

static enum status take_flush(struct fio_job *job, const char *value)
{
	return number_take(value, 0, UINT32_MAX, &job->flush_every);
}

static enum status take_distribution(struct fio_job *job, const char *value)
{
	static const char zipf[] = "zipf:";
	if (strcmp(value, "random") == 0) {
		job->zipf_milli = 0;
		return STATUS_OK;
	}
	if (strlen(value) < sizeof(zipf) - 1 || memcmp(value, zipf, sizeof(zipf) - 1) != 0) {
		return STATUS_UNSUPPORTED;
	}
	enum status status = fio_milli_parse(value + sizeof(zipf) - 1, &job->zipf_milli);
	/* At 1 the sum that the distribution is made from changes its form; fio refuses it too. */
	bool is_sane = job->zipf_milli >= 100 && job->zipf_milli <= 5000 && job->zipf_milli != 1000;
	return status == STATUS_OK && !is_sane ? STATUS_BAD_CONFIG : status;
}

static enum status take_seed(struct fio_job *job, const char *value)
{
	return fio_size_parse(value, &job->seed);
}

static enum status take_verify(struct fio_job *job, const char *value)
{
	job->is_verified = strcmp(value, "crc32c") == 0;
	bool is_known = job->is_verified || strcmp(value, "0") == 0 || strcmp(value, "none") == 0;
	return is_known ? STATUS_OK : STATUS_UNSUPPORTED;
}

/* Only what is done here anyway: verification reads back, and ends at the first fault. */
static enum status take_one(struct fio_job *job, const char *value)
{
	bool flag = false;
	(void)job;
	enum status status = flag_take(value, &flag);
	return status == STATUS_OK && !flag ? STATUS_UNSUPPORTED : status;
}

static enum status take_copies(struct fio_job *job, const char *value)
{
	uint32_t number = 0;
	(void)job;
	enum status status = number_take(value, 1, UINT32_MAX, &number);
	/* A job for each CPU, and there is one. */
	return status == STATUS_OK && number > 1 ? STATUS_UNSUPPORTED : status;
}

/* How an operating system does it, or how fio reports it. */
static enum status pass_over(struct fio_job *job, const char *value)
{
	(void)job;
	(void)value;
	return STATUS_OK;
}

static const struct key {
	const char *name;
	enum status (*take)(struct fio_job *job, const char *value);
} keys[] = {
	{"rw", take_rw},
	{"readwrite", take_rw},
	{"bs", take_block},
	{"blocksize", take_block},
	{"bsrange", take_block_range},
	{"blocksize_range", take_block_range},
	{"iodepth", take_depth},
	{"iodepth_batch", take_batch},
	{"iodepth_batch_submit", take_batch},
	{"iodepth_batch_complete", take_complete_min},
	{"iodepth_batch_complete_min", take_complete_min},
	{"iodepth_batch_complete_max", take_complete_max},
	{"size", take_size},
	{"offset", take_offset},
	{"runtime", take_runtime},
	{"ramp_time", take_ramp},
	{"time_based", take_time_based},
	{"stonewall", take_wall},
	{"rwmixread", take_read_percent},
	{"rwmixwrite", take_write_percent},
	{"fsync", take_flush},
	{"fdatasync", take_flush},
	{"random_distribution", take_distribution},
	{"randseed", take_seed},
	{"verify", take_verify},
	{"verify_fatal", take_one},
	{"do_verify", take_one},
	{"numjobs", take_copies},
	{"filename", pass_over},
	{"direct", pass_over},
	{"ioengine", pass_over},
	{"thread", pass_over},
	{"norandommap", pass_over},
	{"randrepeat", pass_over},
	{"random_generator", pass_over},
	{"clocksource", pass_over},
	{"disable_slat", pass_over},
	{"percentile_list", pass_over},
	{"group_reporting", pass_over},
	{"name", pass_over},
	{"description", pass_over},
};

/* ---- Lines --------------------------------------------------------------------------------- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cut blanks at both ends, in place. */
static char *trim(char *text)
{
	while (is_space(*text)) {
		text++;
	}
	size_t length = strlen(text);
	while (length > 0 && is_space(text[length - 1])) {
		text[--length] = '\0';
	}
	return text;
}

static const char *variable_value(const struct parse *parse, const char *name, size_t length)
{
	for (size_t i = 0; i < parse->variables->count; i++) {
		const struct fio_variable *variable = &parse->variables->all[i];
		if (strlen(variable->name) == length && memcmp(variable->name, name, length) == 0) {
			return variable->value;
		}
	}
	return NULL;
}

/* Copy a value with ${NAME} replaced. */
static enum status expand(struct parse *parse, const char *value, char out[FIO_LINE_BYTES])
{
	size_t used = 0;
	for (const char *at = value; *at != '\0';) {
		const char *piece = at;
		size_t length = 1;
		const char *end = at[0] == '$' && at[1] == '{' ? at + find(at, '}') : NULL;
		if (end != NULL && *end == '}') {
			piece = variable_value(parse, at + 2, (size_t)(end - at) - 2);
			if (piece == NULL) {
				return refuse(parse, STATUS_BAD_CONFIG, "no value for", at);
			}
			length = strlen(piece);
			at = end + 1;
		} else {
			at++;
		}
		if (used + length >= FIO_LINE_BYTES) {
			return refuse(parse, STATUS_BAD_CONFIG, "line too long", value);
		}
		memcpy(out + used, piece, length);
		used += length;
	}
	out[used] = '\0';
	return STATUS_OK;
}

static enum status section_begin(struct parse *parse, char *line)
{
	size_t length = strlen(line);
	if (length < 3 || line[length - 1] != ']' || length - 2 >= FIO_NAME_BYTES) {
		return refuse(parse, STATUS_BAD_CONFIG, "not a section", line);
	}
	line[length - 1] = '\0';
	if (strcmp(line + 1, "global") == 0) {
		parse->section = &parse->global;
		return STATUS_OK;
	}
	if (parse->jobs->count == FIO_JOBS_MAX) {
		return refuse(parse, STATUS_TOO_LARGE, "more jobs than are offered", line + 1);
	}
	parse->section = &parse->jobs->jobs[parse->jobs->count++];
	*parse->section = parse->global;
	memcpy(parse->section->name, line + 1, length - 1);
	return STATUS_OK;
}

static enum status key_take(struct parse *parse, char *line)
{
	char value[FIO_LINE_BYTES];
	char *equals = line + find(line, '=');
	const bool has_value = *equals == '=';
	*equals = '\0';
	const char *name = trim(line);
	if (parse->section == NULL) {
		return refuse(parse, STATUS_BAD_CONFIG, "before any section", name);
	}
	enum status status = expand(parse, has_value ? trim(equals + 1) : "", value);
	if (status != STATUS_OK) {
		return status;
	}
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		if (strcmp(keys[i].name, name) == 0) {
			status = keys[i].take(parse->section, value);
			return status == STATUS_OK ? status : refuse(parse, status, name, value);
		}
	}
	return refuse(parse, STATUS_UNSUPPORTED, "unknown key", name);
}

static enum status line_take(struct parse *parse, char *line)
{
	char *text = trim(line);
	if (text[0] == '\0' || text[0] == ';' || text[0] == '#') {
		return STATUS_OK;
	}
	return text[0] == '[' ? section_begin(parse, text) : key_take(parse, text);
}

enum status fio_jobs_parse(const char *text, size_t size_bytes,
			   const struct fio_variables *variables, struct fio_jobs *jobs,
			   struct fio_refusal *refusal)
{
	struct parse parse = {
		.variables = variables,
		.jobs = jobs,
		.refusal = refusal,
		.global = {.rw = FIO_READ,
			   .block_bytes = BLOCK_BYTES,
			   .block_bytes_max = BLOCK_BYTES,
			   .depth = DEPTH_DEFAULT,
			   .batch_submit = 1,
			   .batch_complete_max = 1,
			   .read_percent = 50,
			   .seed = SEED_DEFAULT},
	};
	jobs->count = 0;
	*refusal = (struct fio_refusal){.line = 0};
	for (size_t at = 0; at < size_bytes;) {
		char line[FIO_LINE_BYTES];
		size_t length = 0;
		refusal->line++;
		while (at + length < size_bytes && text[at + length] != '\n') {
			length++;
		}
		if (length >= sizeof(line)) {
			return refuse(&parse, STATUS_BAD_CONFIG, "line too long", "");
		}
		memcpy(line, text + at, length);
		line[length] = '\0';
		at += length + 1;
		enum status status = line_take(&parse, line);
		if (status != STATUS_OK) {
			return status;
		}
	}
	return jobs->count > 0 ? STATUS_OK : refuse(&parse, STATUS_BAD_CONFIG, "no job", "");
}

const char *fio_rw_name(enum fio_rw rw)
{
	switch (rw) {
	case FIO_READ: return "read";
	case FIO_WRITE: return "write";
	case FIO_RANDREAD: return "randread";
	case FIO_RANDWRITE: return "randwrite";
	case FIO_RW: return "rw";
	case FIO_RANDRW: return "randrw";
	}
	return "";
}

bool fio_rw_writes(enum fio_rw rw)
{
	return rw != FIO_READ && rw != FIO_RANDREAD;
}

bool fio_rw_is_random(enum fio_rw rw)
{
	return rw == FIO_RANDREAD || rw == FIO_RANDWRITE || rw == FIO_RANDRW;
}
