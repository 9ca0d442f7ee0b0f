// SPDX-License-Identifier: MIT
/* Job files: what is taken, and what is refused with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "fio/job.h"

static const struct fio_variable variables[] = {{"DEV", "/dev/vda"}, {"SIZE", "1g"}};
static const struct fio_variables environment = {variables, ARRAY_COUNT(variables)};

static enum status parse(const char *text, struct fio_jobs *jobs, struct fio_refusal *refusal)
{
	return fio_jobs_parse(text, strlen(text), &environment, jobs, refusal);
}

static void test_sections_inherit_from_global(void **state)
{
	struct fio_jobs jobs;
	struct fio_refusal refusal;
	(void)state;
	assert_int_equal(parse("; a comment\n"
			       "[global]\n"
			       "filename=${DEV}\nioengine=io_uring\ndirect=1\n"
			       "size=${SIZE}\ntime_based=1\nruntime=5\nramp_time=1\nstonewall\n"
			       "\n"
			       "[rr4k-qd32]\n"
			       "  rw = randread \r\n"
			       "bs=4k\niodepth=32\niodepth_batch_submit=16\n"
			       "iodepth_batch_complete_min=1\niodepth_batch_complete_max=32\n"
			       "[mix]\nrw=randrw\nrwmixread=70\nbs=128K\nfdatasync=8\n"
			       "random_distribution=zipf:1.1\nrandseed=99\nverify=crc32c\n"
			       "[sizes]\nbsrange=4k-128k\n",
			       &jobs, &refusal),
			 STATUS_OK);
	assert_int_equal(jobs.count, 3);
	assert_int_equal(jobs.jobs[2].block_bytes, 4096);
	assert_int_equal(jobs.jobs[2].block_bytes_max, 131072);
	const struct fio_job *read = &jobs.jobs[0];
	assert_string_equal(read->name, "rr4k-qd32");
	assert_int_equal(read->rw, FIO_RANDREAD);
	assert_int_equal(read->block_bytes, 4096);
	assert_int_equal(read->depth, 32);
	assert_int_equal(read->batch_submit, 16);
	assert_int_equal(read->batch_complete_max, 32);
	assert_true(read->size_bytes == UINT64_C(1) << 30);
	assert_int_equal(read->runtime_us, 5000000);
	assert_int_equal(read->ramp_us, 1000000);
	assert_true(read->is_time_based && read->is_walled_off);
	const struct fio_job *mix = &jobs.jobs[1];
	assert_int_equal(mix->rw, FIO_RANDRW);
	assert_int_equal(mix->read_percent, 70);
	assert_int_equal(mix->block_bytes, 131072);
	assert_int_equal(mix->block_bytes_max, 131072);
	assert_int_equal(mix->depth, 1);
	assert_int_equal(mix->flush_every, 8);
	assert_int_equal(mix->zipf_milli, 1100);
	assert_int_equal(mix->seed, 99);
	assert_true(mix->is_verified);
	assert_int_equal(mix->runtime_us, 5000000);
}

static void test_refusals_name_their_line(void **state)
{
	static const struct {
		const char *text;
		enum status status;
		uint32_t line;
	} rows[] = {
		{"", STATUS_BAD_CONFIG, 0},
		{"[global]\nbs=4k\n", STATUS_BAD_CONFIG, 2},
		{"bs=4k\n", STATUS_BAD_CONFIG, 1},
		{"[a]\nrw=randread\nfrobnicate=1\n", STATUS_UNSUPPORTED, 3},
		{"[a]\nrw=sideways\n", STATUS_UNSUPPORTED, 2},
		{"[a]\nbs=512\n", STATUS_UNSUPPORTED, 2},
		{"[a]\nbs=0\n", STATUS_BAD_CONFIG, 2},
		{"[a]\nbs=2m\n", STATUS_BAD_CONFIG, 2},
		{"[a]\nbsrange=4k\n", STATUS_BAD_CONFIG, 2},
		{"[a]\nbsrange=16k-4k\n", STATUS_BAD_CONFIG, 2},
		{"[a]\nbsrange=4k-2m\n", STATUS_BAD_CONFIG, 2},
		{"[a]\nbsrange=512-4k\n", STATUS_UNSUPPORTED, 2},
		{"[a]\nbsrange=8k-12k\n", STATUS_UNSUPPORTED, 2},
		{"[a]\niodepth=0\n", STATUS_BAD_CONFIG, 2},
		{"[a]\niodepth=257\n", STATUS_BAD_CONFIG, 2},
		{"[a]\niodepth_batch_complete_min=2\n", STATUS_UNSUPPORTED, 2},
		{"[a]\nnumjobs=2\n", STATUS_UNSUPPORTED, 2},
		{"[a]\nrwmixread=101\n", STATUS_BAD_CONFIG, 2},
		{"[a]\nrandom_distribution=pareto:0.9\n", STATUS_UNSUPPORTED, 2},
		{"[a]\nrandom_distribution=zipf:1.0\n", STATUS_BAD_CONFIG, 2},
		{"[a]\nverify=md5\n", STATUS_UNSUPPORTED, 2},
		{"[a]\nverify_fatal=0\n", STATUS_UNSUPPORTED, 2},
		{"[a]\nsize=${NOTHING}\n", STATUS_BAD_CONFIG, 2},
		{"[a\n", STATUS_BAD_CONFIG, 1},
		{"[]\n", STATUS_BAD_CONFIG, 1},
		{"[a-name-that-is-longer-than-any-that-is-taken]\n", STATUS_BAD_CONFIG, 1},
		{"[a]\n\n\nruntime=soon\n", STATUS_BAD_CONFIG, 4},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct fio_jobs jobs;
		struct fio_refusal refusal;
		assert_int_equal(parse(rows[i].text, &jobs, &refusal), rows[i].status);
		assert_int_equal(refusal.line, rows[i].line);
		assert_int_not_equal(refusal.text[0], '\0');
	}
}

static void test_limits(void **state)
{
	struct fio_jobs jobs;
	struct fio_refusal refusal;
	char text[FIO_LINE_BYTES * 4];
	(void)state;
	/* One job too many. */
	text[0] = '\0';
	for (size_t i = 0; i <= FIO_JOBS_MAX; i++) {
		memcpy(text + 4 * i, "[a]\n", 5);
	}
	assert_int_equal(parse(text, &jobs, &refusal), STATUS_TOO_LARGE);
	assert_int_equal(refusal.line, FIO_JOBS_MAX + 1);
	/* A line too long, and one that becomes too long. */
	memset(text, 'x', sizeof(text));
	assert_int_equal(fio_jobs_parse(text, sizeof(text), &environment, &jobs, &refusal),
			 STATUS_BAD_CONFIG);
	memcpy(text, "[a]\nname=", 9);
	for (size_t i = 0; i < 40; i++) {
		memcpy(text + 9 + 6 * i, "${DEV}", 6);
	}
	text[9 + 240] = '\0';
	assert_int_equal(parse(text, &jobs, &refusal), STATUS_BAD_CONFIG);
	/* Bytes that are no text. */
	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] = (char)(i * 37);
	}
	assert_int_not_equal(fio_jobs_parse(text, sizeof(text), &environment, &jobs, &refusal),
			     STATUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections_inherit_from_global),
		cmocka_unit_test(test_refusals_name_their_line),
		cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
