// SPDX-License-Identifier: MIT
/* Development builds: the kernel as a storage benchmark. With holdfast.fio=raw or =volume it runs
 * the jobs of the fw_cfg file opt/org.holdfast/fio on the first disk instead of serving a TPM,
 * writes fio's JSON to the port org.holdfast.fio, and ends. What a raw job reads and writes stays
 * in shared pages, as it does where an application has its pages mapped for the device, unless the
 * job is verified, or needs more than 4 MiB of them, or with holdfast.fio=raw-copied. The log says
 * how each job was run. */
#pragma once

#include "base/compiler.h"

/* What its disk borrows beyond the usual: 1 MiB in flight that is copied, 4 MiB that is not, and
 * the tables of a deeper queue. */
#define FIO_SERVICE_DATA_PAGES   256u
#define FIO_SERVICE_LENT_PAGES   1024u
#define FIO_SERVICE_SHARED_PAGES (FIO_SERVICE_DATA_PAGES + FIO_SERVICE_LENT_PAGES + 64u)

#if !HOLDFAST_PRODUCTION

struct svsm;

/* Orderly if every job went well; otherwise the machine ends as after a failed ring-3 test, and the
 * console says why. */
NORETURN void fio_service_run_and_exit(struct svsm *svsm);

#endif
