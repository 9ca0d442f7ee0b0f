// SPDX-License-Identifier: MIT
/* For Eva: what cuts and checks foreign byte streams, on arbitrary bytes of every length. */
#include <__fc_builtin.h>

#include "kernel/control_line.h"
#include "kernel/options.h"
#include "kernel/user_elf.h"
#include "virtio/mmio_cmdline.h"
#include "virtio/virtio_pci_layout.h"
#include "vtpm/frame.h"
#include "vtpm/response.h"

#define BYTES_MAX 8192u

static uint8_t bytes[BYTES_MAX];
static char text[BYTES_MAX];

static void commands(void)
{
	static struct frame frame;
	uint64_t at_us;
	uint32_t size;
	size_t taken;
	frame_init(&frame, 0);
	while (Frama_C_nondet(0, 1)) {
		const size_t count = Frama_C_unsigned_long_interval(0, BYTES_MAX);
		const uint64_t now_us = Frama_C_unsigned_long_interval(0, UINT64_MAX);
		(void)frame_feed(&frame, bytes, count, now_us, &taken);
		(void)frame_poll(&frame, now_us);
		(void)frame_deadline(&frame, &at_us);
		(void)frame_set_generation(&frame, (uint32_t)Frama_C_nondet(0, 1));
		if (frame_command(&frame, &size) != NULL && Frama_C_nondet(0, 1)) {
			frame_release(&frame);
		}
	}
}

static void responses(void)
{
	const size_t size = Frama_C_unsigned_long_interval(0, BYTES_MAX);
	if (response_check(bytes, size) == STATUS_OK) {
		(void)response_code(bytes);
	}
}

static void lines(void)
{
	static struct control_line line;
	control_line_reset(&line);
	while (Frama_C_nondet(0, 1)) {
		(void)control_line_feed(&line, (char)Frama_C_interval(-128, 127),
					Frama_C_nondet(0, 1));
	}
}

static void configuration(void)
{
	static struct pci_bar bars[PCI_BARS];
	struct virtio_pci_layout layout;
	const char *complaint;
	Frama_C_make_unknown((char *)bars, sizeof(bars));
	(void)virtio_pci_layout_decode(bytes, bars, &layout, &complaint);
}

static void words(void)
{
	static struct kernel_options options;
	static struct mmio_cmdline_list list;
	text[BYTES_MAX - 1] = '\0';
	(void)options_parse(text, Frama_C_nondet(0, 1), &options);
	(void)mmio_cmdline_parse(text, &list);
}

static void programs(void)
{
	struct user_elf elf;
	(void)user_elf_decode(bytes, Frama_C_unsigned_long_interval(0, BYTES_MAX), &elf);
}

int main(void)
{
	Frama_C_make_unknown((char *)bytes, sizeof(bytes));
	Frama_C_make_unknown(text, sizeof(text));
	commands();
	responses();
	lines();
	configuration();
	words();
	programs();
	return 0;
}
