/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The estimate cuts the password into pieces from the left and adds up what each is worth: the
 * longest piece that people choose instead of thinking (a common password, a sequence, a
 * repetition, a year), else a run of letters, else one character. A piece that looks like a word is
 * worth one of ten thousand, its first capital another bit. The limits between the labels come from
 * what keyd's scrypt costs: a third of a second and 128 MiB, so that a rack of a thousand
 * processors makes three thousand tries a second.
 */

#include "svc/secure_password.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <unigbrk.h>
#include <uninorm.h>
#include <unistr.h>

static int refuse(struct why *why, const char *text)
{
	why_set(why, "%s", text);
	return SECURE_PASSWORD_E_REFUSED;
}

/* Control characters, halves of surrogate pairs, line and paragraph separators, noncharacters. */
static bool is_no_character(ucs4_t c)
{
	return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cs |
							   UC_CATEGORY_MASK_Zl |
							   UC_CATEGORY_MASK_Zp) ||
	       (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
}

/* RFC 8265 section 4.2.2, rule 2: any other space is a space. */
static bool map_spaces(struct span text, struct secret *out, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n;) {
		ucs4_t c;

		i += (size_t)u8_mbtouc(&c, text.p + i, text.n - i);
		if (is_no_character(c))
			return false;
		if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Zs))
			c = ' ';
		n += (size_t)u8_uctomb(out->p + n, c, 6);
	}
	*ret_n = n;
	return true;
}

static size_t count_characters(struct span text)
{
	const uint8_t *p = text.p, *end = text.p + text.n;
	size_t n = 0;

	while (p && p < end) {
		p = u8_grapheme_next(p, end);
		n++;
	}
	return n;
}

int secure_password_prepare(struct span text, struct secret *ret_prepared, struct why *why)
{
	CLEANUP(secret_done) struct secret mapped = {};
	uint8_t *normal;
	size_t n, n_normal = 0;
	bool fits;

	if (text.n == 0)
		return refuse(why, "the Secure Mail Password is empty");
	if (text.n > SECURE_PASSWORD_OCTETS || !span_is_utf8(text))
		return refuse(why,
			"a Secure Mail Password is text of at most 100 characters, in UTF-8");
	mapped = secret_new(text.n + 8);
	if (!map_spaces(text, &mapped, &n))
		return refuse(why, "a Secure Mail Password has no control characters");
	/* RFC 8265 section 4.2.2, rule 4. */
	normal = u8_normalize(UNINORM_NFC, mapped.p, n, NULL, &n_normal);
	if (!normal)
		return refuse(why, "the Secure Mail Password could not be read");
	fits = n_normal <= SECURE_PASSWORD_OCTETS &&
	       count_characters(span_of(normal, n_normal)) <= SECURE_PASSWORD_CHARACTERS;
	if (fits)
		*ret_prepared = secret_copy(span_of(normal, n_normal));
	explicit_bzero(normal, n_normal);
	free(normal);
	return fits ? 0 : refuse(why, "a Secure Mail Password has at most 100 characters");
}

/* What is tried first, in lower case. A piece is worth log2 of about as many as there are. */
static const char *const common[] = {
	"password",
	"passwort",
	"passwd",
	"kennwort",
	"geheim",
	"secret",
	"schatz",
	"hallo",
	"hello",
	"welcome",
	"willkommen",
	"admin",
	"administrator",
	"root",
	"guest",
	"login",
	"letmein",
	"master",
	"qwerty",
	"qwertz",
	"azerty",
	"asdf",
	"yxcv",
	"zxcv",
	"wasd",
	"iloveyou",
	"monkey",
	"dragon",
	"football",
	"fussball",
	"baseball",
	"superman",
	"batman",
	"sunshine",
	"princess",
	"shadow",
	"michael",
	"daniel",
	"thomas",
	"andrea",
	"stefan",
	"alexander",
	"charlie",
	"jordan",
	"hunter",
	"summer",
	"sommer",
	"winter",
	"spring",
	"herbst",
	"autumn",
	"januar",
	"january",
	"dezember",
	"december",
	"monday",
	"montag",
	"freitag",
	"friday",
	"sonntag",
	"sunday",
	"berlin",
	"hamburg",
	"muenchen",
	"london",
	"office",
	"computer",
	"internet",
	"server",
	"mail",
	"email",
	"outlook",
	"signet",
	"smime",
	"changeme",
	"default",
	"test",
	"temp",
	"demo",
	"user",
	"love",
	"liebe",
	"mama",
	"papa",
	"baby",
	"angel",
	"engel",
	"money",
	"trustno1",
	"starwars",
	"pokemon",
	"abc123",
	"passw0rd",
	"p@ssw0rd",
	"p@ssword",
};

static const char *const keyboard[] = { "1234567890", "qwertyuiop", "qwertzuiop", "asdfghjkl",
	"zxcvbnm", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn" };

enum {
	COMMON_BITS = 7,
	SEQUENCE_BITS = 4,
	YEAR_BITS = 6,
	WORD_BITS = 13,
	WORD_LETTERS = 12,
	IDEOGRAPH_BITS = 9,
	LEAST_RUN = 3
};

struct text {
	ucs4_t *p; /* as typed */
	ucs4_t *lower;
	size_t n;
};

/* Octets of a piece and what it is worth; n 0: there is none here. */
struct piece {
	size_t n;
	double bits;
};

static double log2_of(size_t n)
{
	double bits = 0;

	for (; n > 1; n /= 2)
		bits += 1;
	return bits;
}

static bool is_upper_at(const struct text *t, size_t i)
{
	return t->p[i] != t->lower[i];
}

static struct piece common_at(const struct text *t, size_t i)
{
	struct piece best = {};

	for (size_t k = 0; k < sizeof common / sizeof common[0]; k++) {
		size_t n = strlen(common[k]), j = 0;

		while (j < n && i + j < t->n && t->lower[i + j] == (ucs4_t)common[k][j])
			j++;
		if (j == n && n > best.n)
			best = (struct piece){ n, COMMON_BITS + is_upper_at(t, i) };
	}
	return best;
}

/* The same again, or one up or down: "aaaa", "abcd", "4321". */
static struct piece run_at(const struct text *t, size_t i)
{
	struct piece best = {};

	for (int step = -1; step <= 1; step++) {
		size_t n = 1;

		while (i + n < t->n && t->lower[i + n] == t->lower[i + n - 1] + (ucs4_t)step)
			n++;
		if (n >= LEAST_RUN && n > best.n)
			best = (struct piece){ n, SEQUENCE_BITS + log2_of(n) };
	}
	return best;
}

static struct piece keyboard_at(const struct text *t, size_t i)
{
	struct piece best = {};

	for (size_t k = 0; k < sizeof keyboard / sizeof keyboard[0]; k++) {
		const char *row = keyboard[k];
		const char *at = t->lower[i] < 128 && t->lower[i] ? strchr(row, (int)t->lower[i])
								  : NULL;
		size_t n = 0;

		while (at && at[n] && i + n < t->n && t->lower[i + n] == (ucs4_t)at[n])
			n++;
		if (n > LEAST_RUN && n > best.n)
			best = (struct piece){ n, SEQUENCE_BITS + log2_of(n) };
	}
	return best;
}

static struct piece year_at(const struct text *t, size_t i)
{
	bool digits = i + 4 <= t->n;

	for (size_t k = 0; digits && k < 4; k++)
		digits = t->p[i + k] >= '0' && t->p[i + k] <= '9';
	if (!digits ||
		!((t->p[i] == '1' && t->p[i + 1] == '9') || (t->p[i] == '2' && t->p[i + 1] == '0')))
		return (struct piece){};
	return (struct piece){ 4, YEAR_BITS };
}

static bool is_ideograph(ucs4_t c)
{
	return c >= 0x2E80 && uc_is_property_ideographic(c);
}

static bool is_letter(ucs4_t c)
{
	return uc_is_alpha(c) && !is_ideograph(c);
}

static bool is_vowel(ucs4_t c)
{
	/* Beyond ASCII it is taken for one: an accent is mostly on a vowel, and a guess errs to the
	 * weaker side. */
	return c >= 128 || (c && strchr("aeiouy", (int)c));
}

/* Whether letters can be spoken, as those of a word can. */
static bool is_word(const struct text *t, size_t i, size_t n)
{
	size_t consonants = 0, vowels = 0;
	bool any = n < LEAST_RUN;

	for (size_t k = i; k < i + n; k++) {
		bool vowel = is_vowel(t->lower[k]);

		vowels = vowel ? vowels + 1 : 0;
		consonants = vowel ? 0 : consonants + 1;
		any = any || vowel;
		if (consonants > 4 || (vowels > 3 && t->lower[k] < 128))
			return false;
	}
	return any;
}

static struct piece letters_at(const struct text *t, size_t i)
{
	size_t n = 0, n_upper = 0;
	double each = 4.2, bits;

	while (i + n < t->n && is_letter(t->p[i + n])) {
		n_upper += is_upper_at(t, i + n);
		n++;
	}
	if (n_upper > 1 && n_upper < n)
		each += 1;
	bits = each * (double)n;
	if (is_word(t, i, n) && n_upper <= 1 + (n_upper == n) * n) {
		double word = WORD_BITS + (n_upper > 0);

		/* Longer than one word: two without a space between them. */
		if (n > WORD_LETTERS)
			word += WORD_BITS * (double)(n - WORD_LETTERS) / 8;
		if (word < bits)
			bits = word;
	}
	return (struct piece){ n, bits };
}

static struct piece character_at(const struct text *t, size_t i)
{
	ucs4_t c = t->p[i];

	if (c >= '0' && c <= '9')
		return (struct piece){ 1, 3.3 };
	if (c == ' ')
		return (struct piece){ 1, 0.5 };
	return (struct piece){ 1, is_ideograph(c) ? IDEOGRAPH_BITS : 4.5 };
}

static struct piece piece_at(const struct text *t, size_t i)
{
	static struct piece (*const kinds[])(const struct text *, size_t) = { common_at, run_at,
		keyboard_at, year_at };
	struct piece best = {};

	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		struct piece piece = kinds[k](t, i);

		if (piece.n > best.n)
			best = piece;
	}
	if (best.n == 0)
		best = is_letter(t->p[i]) ? letters_at(t, i) : character_at(t, i);
	return best;
}

static double count_bits(const struct text *t)
{
	double bits = 0;

	for (size_t i = 0; i < t->n;) {
		struct piece piece = piece_at(t, i);
		bool again = i >= piece.n && piece.n >= LEAST_RUN &&
			     memcmp(&t->lower[i], &t->lower[i - piece.n],
				     piece.n * sizeof *t->lower) == 0;

		/* What was just said is no news. */
		bits += again ? 1 : piece.bits;
		i += piece.n;
	}
	return bits;
}

static struct password_strength grade(unsigned bits)
{
	static const struct {
		unsigned below;
		const char *label, *text;
	} grades[] = {
		[STRENGTH_VERY_WEAK] = { 22, "very weak",
			"who has a copy of the server's disk finds it"
			" within the hour" },
		[STRENGTH_WEAK] = { 32, "weak",
			"who has a copy of the server's disk finds it within"
			" weeks" },
		[STRENGTH_FAIR] = { 42, "fair",
			"who has a copy of the server's disk and much money finds"
			" it within years" },
		[STRENGTH_GOOD] = { 60, "good", "too much work for nearly everybody" },
		[STRENGTH_STRONG] = { UINT32_MAX, "strong", "nobody finds it by trying" },
	};
	enum strength s = STRENGTH_VERY_WEAK;

	while (bits >= grades[s].below)
		s++;
	return (struct password_strength){ s, bits, grades[s].label, grades[s].text };
}

struct password_strength password_strength_of(struct span prepared)
{
	CLEANUP(secret_done) struct secret typed = secret_new(prepared.n * sizeof(ucs4_t) + 4);
	CLEANUP(secret_done) struct secret lower = secret_new(prepared.n * sizeof(ucs4_t) + 4);
	struct text t = { (ucs4_t *)(void *)typed.p, (ucs4_t *)(void *)lower.p, 0 };

	for (size_t i = 0; i < prepared.n;) {
		i += (size_t)u8_mbtouc(&t.p[t.n], prepared.p + i, prepared.n - i);
		t.lower[t.n] = uc_tolower(t.p[t.n]);
		t.n++;
	}
	return grade((unsigned)count_bits(&t));
}
