/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* Answers requests: octets in, octets out. The process around it is keyd/keyd.h. */

#include "keyd/kek.h"
#include "keyd/protocol.h"

struct keyd;

/* Takes the keys over from *kek. */
struct keyd *keyd_new(enum keyd_role role, struct kek *kek);
struct keyd *keyd_free(struct keyd *k);
CLEANUP_POINTER(struct keyd, keyd_free)

/* Writes the reply to `message` (KEYD_MESSAGE_MAX octets at `out`). MALFORMED: nobody who follows the
 * table sends this, so the process should end. A fault is a failure of keyd itself. Thread-safe. */
enum keyd_answer_outcome { KEYD_ANSWER_E_MALFORMED = 1 };
int keyd_answer(struct keyd *k, struct span message, uint8_t *out, size_t *ret_n) MUST_CHECK;

/* Forgets users' keys that were not used for too long. */
void keyd_expire(struct keyd *k);
