/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "svc/rule_log.h"

#include "base/log.h"
#include "mail/plan.h"
#include "svc/env.h"

void rule_log_notes(struct env *e, const struct log_context *context, const struct plan *plan)
{
	static const struct {
		const char *event, *outcome;
	} kinds[] = {
		[NOTE_FAILED] = { "rule.run", "failed" },
		[NOTE_CLEAR] = { "rule.encrypt", "not_encrypted" },
		[NOTE_RIGHT] = { "rule.file", "no_right" },
	};
	size_t n, more;
	const struct plan_note *notes = plan_notes(plan, &n, &more);

	for (size_t i = 0; i < n; i++) {
		if (notes[i].kind == NOTE_FAILED)
			env_count(e, COUNT_RULES_FAILED);
		LOG(context, LOG_WARNING, "RULE", kinds[notes[i].kind].event,
			log_span("account", notes[i].account), log_str("level", notes[i].level),
			log_span("reason", notes[i].text),
			log_str("outcome", kinds[notes[i].kind].outcome));
	}
	if (more)
		LOG(context, LOG_WARNING, "RULE", "rule.more", log_int("notes", (int64_t)more));
}
