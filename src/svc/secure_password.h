/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The Secure Mail Password as text: the form in which it goes to keyd, and how hard it is to guess.
 * Pure; nothing of it is kept.
 */

#include "base/err.h"
#include "base/secret.h"

enum { SECURE_PASSWORD_CHARACTERS = 100, SECURE_PASSWORD_OCTETS = 1024 };

/* A word or phrase in any language, so that it is the same from every keyboard (RFC 8265
 * section 4.2.2, OpaqueString): spaces of all kinds are one, letters are composed (NFC). Differing
 * from there nothing is refused but control characters and what is no character: what a person can
 * type may be a password. Characters are what a person sees as one (UAX #29). With why. */
enum secure_password_outcome { SECURE_PASSWORD_E_REFUSED = 1 };
int secure_password_prepare(struct span text, struct secret *ret_prepared,
	struct why *why) MUST_CHECK;

/*
 * An estimate: the number of tries somebody needs who knows how people choose, as a power of two.
 * Words count as such, whatever they are; what repeats, runs along the alphabet or the keyboard, or
 * is a year or one of the passwords that everybody tries, counts next to nothing; so does what is known
 * of the account, backwards and in disguise ("al1ce") too. It is an upper bound for what it does not know:
 * other names, birthdays, lines of songs.
 */
enum strength {
	STRENGTH_VERY_WEAK,
	STRENGTH_WEAK,
	STRENGTH_FAIR,
	STRENGTH_GOOD,
	STRENGTH_STRONG,
};
struct password_strength {
	enum strength strength;
	unsigned bits;
	const char *label; /* "very weak", "weak", "fair", "good", "strong" */
	const char *text;  /* what that means, one sentence */
};

/* prepared: of secure_password_prepare. known: what anybody knows of whose it is, UTF-8: addresses, the name
 * that is shown. */
struct password_strength password_strength_of(struct span prepared, const struct span *known,
	size_t n_known);
