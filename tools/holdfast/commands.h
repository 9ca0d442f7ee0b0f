// SPDX-License-Identifier: MIT
/* The commands: rows of command_table run these. */
#pragma once

#include "base/status.h"
#include "tools/holdfast/options.h"
#include "tools/holdfast/report.h"

enum status image_create(const struct options *options, struct report *report);
enum status image_grow(const struct options *options, struct report *report);
enum status image_info(const struct options *options, struct report *report);
enum status image_ls(const struct options *options, struct report *report);
enum status image_cat(const struct options *options, struct report *report);
enum status image_put(const struct options *options, struct report *report);
enum status image_rm(const struct options *options, struct report *report);
enum status image_verify(const struct options *options, struct report *report);
enum status image_scrub(const struct options *options, struct report *report);
enum status image_export(const struct options *options, struct report *report);
enum status image_backup(const struct options *options, struct report *report);
enum status image_restore(const struct options *options, struct report *report);
enum status image_bench(const struct options *options, struct report *report);
/* Mount the image once, deciding to enrol it. */
enum status witness_enrol(const struct options *options, struct report *report);
enum status witness_init(const struct options *options, struct report *report);
enum status witness_show(const struct options *options, struct report *report);
enum status image_policy(const struct options *options, struct report *report);
enum status key_generate(const struct options *options, struct report *report);
enum status key_list(const struct options *options, struct report *report);
enum status key_add(const struct options *options, struct report *report);
enum status key_change(const struct options *options, struct report *report);
enum status key_remove(const struct options *options, struct report *report);
enum status tpm_serve(const struct options *options, struct report *report);
enum status tpm_status(const struct options *options, struct report *report);
enum status key_rotate(const struct options *options, struct report *report);
enum status authority_init(const struct options *options, struct report *report);
enum status authority_issue(const struct options *options, struct report *report);
enum status tpm_manufacture(const struct options *options, struct report *report);
enum status tpm_import(const struct options *options, struct report *report);
enum status tpm_list(const struct options *options, struct report *report);
enum status tpm_delete(const struct options *options, struct report *report);
enum status tpm_export(const struct options *options, struct report *report);
