/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * How a function of ours says how it went:
 *
 *   r < 0   a fault (a negated errno). Nobody matches on it; it travels up to the session, task or
 *           process boundary, which logs it once and gives the protocol's "temporary failure".
 *   r == 0  done.
 *   r > 0   an outcome of this one function, from the enum declared right above it. Its caller
 *           handles it, or folds it into a fault.
 *
 * Out parameters are written only when the result is 0.
 */

#define MUST_CHECK __attribute__((warn_unused_result))

/* Frees the variable's value when it goes out of scope: CLEANUP(buf_done) struct buf b = {}; */
#define CLEANUP(destructor) __attribute__((cleanup(destructor)))

/* Makes x_freep, the form CLEANUP wants, from a destructor that takes a pointer. */
#define CLEANUP_POINTER(type, destructor)                                                          \
	static inline void destructor##p(type **p)                                                 \
	{                                                                                          \
		destructor(*p);                                                                    \
	}

/* Hands a pointer over: the variable is NULL afterwards, so its cleanup does nothing. */
#define TAKE(pointer)                                                                              \
	({                                                                                         \
		typeof(pointer) *take_from_ = &(pointer);                                          \
		typeof(pointer) take_value_ = *take_from_;                                         \
		*take_from_ = NULL;                                                                \
		take_value_;                                                                       \
	})

/* A result that says "not done": never 0, which the compiler cannot see through err_trace and then
 * believes that out parameters may be used unwritten. */
static inline int err_not_done(int r)
{
	if (r == 0)
		__builtin_unreachable();
	return r;
}

/* Returns upward on anything but success; an outcome the caller did not expect becomes a fault. */
#define TRY(call)                                                                                  \
	do {                                                                                       \
		int try_r_ = (call);                                                               \
		if (try_r_)                                                                        \
			return err_not_done(err_trace(try_r_, #call, __func__, __LINE__));         \
	} while (0)

/* Turns an unexpected outcome (r > 0) into -EPROTO; a fault stays what it is. */
int err_fold(int r) MUST_CHECK;

/* TRY's other half: records where a fault passed by. The newest trace of the calling thread can be
 * read with err_last_trace until the next fault. Returns err_fold(r). */
int err_trace(int r, const char *call, const char *function, int line) MUST_CHECK;

/* "function:line call" for each step of the calling thread's last fault, innermost first. Never
 * NULL; valid until the thread's next fault. */
const char *err_last_trace(void);

/* A new fault from an errno value, with its place recorded: return err_fault(ENOMEM, "open %s"). */
int err_fault_at(int error, const char *what, const char *function, int line) MUST_CHECK;
#define err_fault(error, what) err_not_done(err_fault_at((error), (what), __func__, __LINE__))

/* The reason of an outcome in words, for whoever asks "why?". One sentence without a full stop that
 * says what is wrong and, where it can, what to do. */
struct why {
	char text[512];
};

/* Sets the reason; why may be NULL. */
void why_set(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
