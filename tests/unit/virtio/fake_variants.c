// SPDX-License-Identifier: MIT
/* The kinds of queues that tests are run with: what a driver does must not depend on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/virtio/fake_device.h"

#define EXTRAS (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX)

static const struct {
	const char *name;
	uint64_t features;
} variants[] = {
	{"split", 0},
	{"split-events-tables", EXTRAS},
	{"split-in-order", EXTRAS | VIRTIO_F_IN_ORDER},
	{"packed", VIRTIO_F_RING_PACKED},
	{"packed-events-tables", VIRTIO_F_RING_PACKED | EXTRAS},
	{"packed-in-order", VIRTIO_F_RING_PACKED | EXTRAS | VIRTIO_F_IN_ORDER},
};

uint64_t fake_ring_features;

/* HOLDFAST_LAYOUT=split or =packed: only those; for tests/guards. */
static bool is_wanted(const char *name)
{
	const char *wanted = getenv("HOLDFAST_LAYOUT");
	return wanted == NULL || strncmp(name, wanted, strlen(wanted)) == 0;
}

static int run(const struct CMUnitTest *tests, size_t count, size_t first, size_t end)
{
	int failed = 0;
	for (size_t i = first; i < end; i++) {
		if (!is_wanted(variants[i].name)) {
			continue;
		}
		fake_ring_features = variants[i].features;
		(void)fprintf(stderr, "variant: %s\n", variants[i].name);
		failed += _cmocka_run_group_tests(variants[i].name, tests, count, NULL, NULL);
	}
	fake_ring_features = 0;
	return failed;
}

int fake_run_variants(const struct CMUnitTest *tests, size_t count)
{
	return run(tests, count, 0, ARRAY_COUNT(variants));
}

int fake_run_layout(const struct CMUnitTest *tests, size_t count, bool packed)
{
	const size_t half = ARRAY_COUNT(variants) / 2;
	return run(tests, count, packed ? half : 0, packed ? ARRAY_COUNT(variants) : half);
}
