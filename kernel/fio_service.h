// SPDX-License-Identifier: MIT
/* Development builds: the kernel as a storage benchmark. With holdfast.fio=raw or =volume it runs
 * the jobs of the fw_cfg file opt/org.holdfast/fio on the first disk instead of serving a TPM,
 * writes fio's JSON to the port org.holdfast.fio, and ends. */
#pragma once

#include "base/compiler.h"

/* What its disk borrows beyond the usual: 1 MiB in flight, and the tables of a deeper queue. */
#define FIO_SERVICE_DATA_PAGES   256u
#define FIO_SERVICE_SHARED_PAGES (FIO_SERVICE_DATA_PAGES + 64u)

#if !HOLDFAST_PRODUCTION

struct svsm;

/* Orderly if every job went well; otherwise the machine ends as after a failed ring-3 test, and the
 * console says why. */
NORETURN void fio_service_run_and_exit(struct svsm *svsm);

#endif
