// SPDX-License-Identifier: MIT
/* microvm's device words. Input: the command line. */
#include "virtio/mmio_cmdline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "virtio/virtio_mmio.h"

#define WORD_BYTES_MAX 80u

static void list_check(const struct mmio_cmdline_list *list)
{
	FUZZ_REQUIRE(list->count <= MMIO_CMDLINE_DEVICES_MAX && list->complaint == NULL);
	for (size_t i = 0; i < list->count; i++) {
		const struct mmio_cmdline_device *device = &list->devices[i];
		FUZZ_REQUIRE(phys_range_valid(device->window));
		FUZZ_REQUIRE(device->window.size_bytes >= VIRTIO_MMIO_WINDOW_BYTES_MIN);
		FUZZ_REQUIRE(device->window.first.raw % 512 == 0);
		FUZZ_REQUIRE(device->irq <= MMIO_CMDLINE_IRQ_MAX ||
			     device->irq == MMIO_CMDLINE_IRQ_NONE);
		for (size_t j = 0; j < i; j++) {
			FUZZ_REQUIRE(!phys_range_overlaps(device->window, list->devices[j].window));
		}
	}
}

/* What was understood, written down the way QEMU does, is understood as the same. */
static void round_trip(const struct mmio_cmdline_list *list)
{
	static char text[MMIO_CMDLINE_DEVICES_MAX * WORD_BYTES_MAX + 1];
	struct mmio_cmdline_list again;
	size_t length = 0;
	text[0] = '\0';
	for (size_t i = 0; i < list->count; i++) {
		const struct mmio_cmdline_device *device = &list->devices[i];
		char irq[16] = "";
		if (device->irq != MMIO_CMDLINE_IRQ_NONE) {
			(void)snprintf(irq, sizeof(irq), ":%u", device->irq);
		}
		length += (size_t)snprintf(text + length, WORD_BYTES_MAX,
					   " virtio_mmio.device=%llu@0x%llx%s",
					   (unsigned long long)device->window.size_bytes,
					   (unsigned long long)device->window.first.raw, irq);
	}
	FUZZ_REQUIRE(mmio_cmdline_parse(text, &again) == STATUS_OK);
	FUZZ_REQUIRE(again.count == list->count);
	for (size_t i = 0; i < list->count; i++) {
		FUZZ_REQUIRE(again.devices[i].irq == list->devices[i].irq);
		FUZZ_REQUIRE(again.devices[i].window.first.raw ==
			     list->devices[i].window.first.raw);
		FUZZ_REQUIRE(again.devices[i].window.size_bytes ==
			     list->devices[i].window.size_bytes);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	struct mmio_cmdline_list list;
	char *text = fuzz_rest_text(&input);
	const enum status status = mmio_cmdline_parse(text, &list);
	if (status == STATUS_OK) {
		list_check(&list);
		round_trip(&list);
	} else {
		FUZZ_REQUIRE(status == STATUS_BAD_CONFIG || status == STATUS_TOO_LARGE);
		FUZZ_REQUIRE(list.count == 0 && list.complaint != NULL);
		FUZZ_REQUIRE(strstr(text, "virtio_mmio.device=") != NULL);
	}
	free(text);
	return 0;
}
