/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * Old mail of accounts, encrypted in the background: one message at a time of each account in turn,
 * on one thread of env->blocking. How far it has come is committed with each message, so it goes on
 * after a restart; it can be paused, and what is encrypted stays so. It needs certificates only.
 */

struct encryption;
struct env;

struct encryption *encryption_new(struct env *e);

/* env->blocking has ended. */
struct encryption *encryption_free(struct encryption *n);

/* Goes on with what is running, if it does not already: after a start or resume, and from time to
 * time. */
void encryption_tend(struct env *e);

/* What is under way ends behind the message it is at. */
void encryption_stop(struct env *e);
