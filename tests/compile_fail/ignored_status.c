// SPDX-License-Identifier: MIT
/* expect: (unused-result|ignoring return value) */
#include "virtio/virtio_serial.h"

/* A status that nobody looks at is a silent failure. */
void compile_case(struct virtio_serial *serial);

void compile_case(struct virtio_serial *serial)
{
#ifdef MISUSE
	virtio_serial_poll(serial);
#else
	if (virtio_serial_poll(serial) != STATUS_OK) {
		virtio_serial_close(serial);
	}
#endif
}
