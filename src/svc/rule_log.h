/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

struct env;
struct log_context;
struct plan;

/* What is to be told about the scripts of a plan goes to the log. context may be NULL. */
void rule_log_notes(struct env *e, const struct log_context *context, const struct plan *plan);
