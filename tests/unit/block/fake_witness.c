// SPDX-License-Identifier: MIT
#include "fake_witness.h"

#include <string.h>

static bool marks_equal(const struct witness_mark *a, const struct witness_mark *b)
{
	return a->sequence == b->sequence &&
	       memcmp(a->anchor, b->anchor, WITNESS_ANCHOR_BYTES) == 0;
}

/* True: this call is the one that fails in the given way. */
static bool fails(const struct fake_witness *fake, enum fake_witness_failure failure)
{
	return fake->is_silent ? failure == FAKE_WITNESS_BEFORE
			       : fake->fail_at != 0 && fake->calls == fake->fail_at &&
					 fake->failure == failure;
}

static enum status answer(const struct fake_witness *fake, enum status status)
{
	return fails(fake, FAKE_WITNESS_AFTER) ? STATUS_TIMEOUT : status;
}

static enum status fake_look(struct fake_witness *fake, struct witness_mark *mark)
{
	if (!fake->knows) {
		return answer(fake, STATUS_NOT_FOUND);
	}
	enum status status = answer(fake, STATUS_OK);
	if (status == STATUS_OK) {
		*mark = fake->lie != NULL ? *fake->lie : fake->mark;
	}
	return status;
}

static enum status fake_peek(void *context, const uint8_t uuid[WITNESS_UUID_BYTES],
			     struct witness_mark *mark)
{
	struct fake_witness *fake = context;
	(void)uuid;
	fake->calls++;
	fake->peeks++;
	return fails(fake, FAKE_WITNESS_BEFORE) ? fake->silence : fake_look(fake, mark);
}

static enum status fake_open(void *context, const uint8_t uuid[WITNESS_UUID_BYTES],
			     struct witness_mark *mark, uint64_t *token)
{
	struct fake_witness *fake = context;
	(void)uuid;
	fake->calls++;
	fake->opens++;
	if (fails(fake, FAKE_WITNESS_BEFORE)) {
		return fake->silence;
	}
	fake->fence++;
	enum status status = fake_look(fake, mark);
	if (status == STATUS_OK) {
		*token = fake->fence;
	}
	return status;
}

static enum status set(struct fake_witness *fake, uint64_t token, const struct witness_mark *from,
		       const struct witness_mark *to, bool must_be_later)
{
	if (!fake->has_no_fence && token != fake->fence) {
		return answer(fake, STATUS_FORK);
	}
	if (marks_equal(&fake->mark, to)) {
		return answer(fake, STATUS_OK);
	}
	if (!marks_equal(&fake->mark, from) || (must_be_later && to->sequence <= from->sequence)) {
		return answer(fake, STATUS_FORK);
	}
	fake->mark = *to;
	return answer(fake, STATUS_OK);
}

static enum status fake_advance(void *context, const uint8_t uuid[WITNESS_UUID_BYTES],
				uint64_t token, const struct witness_mark *from,
				const struct witness_mark *to)
{
	struct fake_witness *fake = context;
	(void)uuid;
	fake->calls++;
	fake->advances++;
	if (fake->before_advance != NULL) {
		fake->before_advance(fake->before_advance_context);
	}
	return fails(fake, FAKE_WITNESS_BEFORE) ? fake->silence : set(fake, token, from, to, true);
}

static enum status fake_replace(void *context, const uint8_t uuid[WITNESS_UUID_BYTES],
				uint64_t token, const struct witness_mark *from,
				const struct witness_mark *to)
{
	struct fake_witness *fake = context;
	(void)uuid;
	fake->calls++;
	fake->replacements++;
	return fails(fake, FAKE_WITNESS_BEFORE) ? fake->silence : set(fake, token, from, to, false);
}

static enum status fake_enrol(void *context, const uint8_t uuid[WITNESS_UUID_BYTES],
			      const struct witness_mark *mark, uint64_t *token)
{
	struct fake_witness *fake = context;
	(void)uuid;
	fake->calls++;
	fake->enrolments++;
	if (fails(fake, FAKE_WITNESS_BEFORE)) {
		return fake->silence;
	}
	if (fake->knows) {
		return answer(fake, STATUS_EXISTS);
	}
	fake->knows = true;
	fake->mark = *mark;
	*token = ++fake->fence;
	return answer(fake, STATUS_OK);
}

void fake_witness_init(struct fake_witness *fake)
{
	static const struct witness_ops ops = {
		.peek = fake_peek,
		.open = fake_open,
		.advance = fake_advance,
		.enrol = fake_enrol,
		.replace = fake_replace,
	};
	*fake = (struct fake_witness){.port = {.ops = &ops, .context = fake},
				      .silence = STATUS_TIMEOUT};
}

void fake_witness_fail_at(struct fake_witness *fake, uint64_t k, enum fake_witness_failure failure)
{
	fake->calls = 0;
	fake->fail_at = k;
	fake->failure = failure;
}
