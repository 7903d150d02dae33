/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * The estimate is the cheapest way to put the password together out of pieces: what everybody knows of
 * the account, what people choose instead of thinking (a common password, a sequence, a repetition, a
 * year), runs of letters, single characters. Letters that could be a word are worth one of ten
 * thousand, its first capital another bit; it is not looked up in a dictionary, so made-up words count as
 * words, too. The limits between the labels come from what keyd's scrypt costs: a third of a second and
 * 128 MiB, so that a rack of a thousand processors makes three thousand tries a second.
 */

#include "svc/secure_password.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"

#include <math.h>
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
};

static const char *const keyboard[] = { "1234567890", "qwertyuiop", "qwertzuiop", "asdfghjkl",
	"zxcvbnm", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn" };

/* Letters that hardly ever follow one in words of English, German, French, Spanish, Italian, Dutch and
 * Polish: those of less than four in ten thousand of the pairs in their programs' translations, but "pf". */
static const char *const rare_after[] = { "", "ghkmnpqvwxz", "gnqvwx", "gkqvx", "", "ghjkmnpqvwxyz",
	"fjkpqvxyz", "bcdfghjkmpqsvwxyz", "h", "bcfghjlmpqrtvwxyz", "bcdfgjmnpqvxyz", "hjqrwxz",
	"fghjkqrtvwxyz", "qwx", "q", "bdgjkmnqvwxz", "abcdefghijklmnopqrstvwxyz", "jqx", "bqvx",
	"bgjqx", "hq", "bcdfghjklmnpqrtuvwxyz", "bcdfghjklmpqtvwxz", "bdfghjklmnoqrsuvwxyz",
	"dghqvxyz", "bcdfghjlpqrstvx" };

enum {
	KNOWN_BITS = 3,
	COMMON_BITS = 7,
	SEQUENCE_BITS = 4,
	YEAR_BITS = 6,
	WORD_BITS = 13,
	WORD_LETTERS = 12, /* longer ones are two */
	LETTERS_MOST = 48, /* that are looked at as one */
	SHORT_WORD_LETTERS = 3,
	SHORT_WORD_BITS = 10,
	LETTERS_PER_RARE = 6, /* a word may hold one rare pair for so many */
	IDEOGRAPH_BITS = 9,
	LEAST_RUN = 3,
	KNOWN_MAX = 64
};

struct text {
	ucs4_t *p; /* as typed */
	ucs4_t *lower;
	size_t n;
	struct span known[KNOWN_MAX]; /* words, UTF-8 in lower case */
	size_t n_known;
};

/* Characters of a piece and what it is worth; n 0: there is none here. */
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

/* What stands for a letter where somebody wants to be clever. */
static bool is_disguised(ucs4_t c, ucs4_t letter)
{
	static const char *const disguises[] = { "a4@", "b8", "e3", "g9", "i1!", "l1", "o0", "s5$",
		"t7", "z2" };

	for (size_t k = 0; k < sizeof disguises / sizeof disguises[0]; k++) {
		if (letter == (ucs4_t)disguises[k][0])
			return c && c < 128 && strchr(disguises[k] + 1, (int)c);
	}
	return false;
}

/* Whether the word stands there, forwards or backwards; *ret_n: its characters, *ret_disguised: some are
 * others that look like them. */
static bool is_word_at(const struct text *t, size_t i, struct span word, bool backwards, size_t *ret_n,
	bool *ret_disguised)
{
	const uint8_t *at = backwards ? word.p + word.n : word.p;
	size_t n = 0;

	*ret_disguised = false;
	while (backwards ? at > word.p : at < word.p + word.n) {
		ucs4_t c;

		if (backwards)
			at = u8_prev(&c, at, word.p);
		else
			at += u8_mbtouc(&c, at, (size_t)(word.p + word.n - at));
		if (!at || i + n >= t->n)
			return false;
		if (t->lower[i + n] != c) {
			if (!is_disguised(t->lower[i + n], c))
				return false;
			*ret_disguised = true;
		}
		n++;
	}
	*ret_n = n;
	return n > 0;
}

static void better(struct piece *best, size_t n, double bits)
{
	if (n > best->n)
		*best = (struct piece){ n, bits };
}

static struct piece common_at(const struct text *t, size_t i)
{
	struct piece best = {};
	bool disguised;
	size_t n;

	for (size_t k = 0; k < sizeof common / sizeof common[0]; k++) {
		if (is_word_at(t, i, span_str(common[k]), false, &n, &disguised))
			better(&best, n, COMMON_BITS + is_upper_at(t, i) + disguised);
	}
	return best;
}

/* Name and addresses of whose password it is. */
static struct piece known_at(const struct text *t, size_t i)
{
	struct piece best = {};
	bool disguised;
	size_t n;

	for (size_t k = 0; k < t->n_known; k++) {
		if (is_word_at(t, i, t->known[k], false, &n, &disguised))
			better(&best, n, KNOWN_BITS + is_upper_at(t, i) + disguised);
		if (is_word_at(t, i, t->known[k], true, &n, &disguised))
			better(&best, n, KNOWN_BITS + 1 + is_upper_at(t, i) + disguised);
	}
	return best;
}

/* What was just said is no news. */
static struct piece again_at(const struct text *t, size_t i)
{
	for (size_t n = i < t->n - i ? i : t->n - i; n >= LEAST_RUN; n--) {
		if (memcmp(&t->lower[i], &t->lower[i - n], n * sizeof *t->lower) == 0)
			return (struct piece){ n, 1 };
	}
	return (struct piece){};
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

static bool is_rare(ucs4_t c, ucs4_t next)
{
	return c >= 'a' && c <= 'z' && next >= 'a' && next <= 'z' &&
		strchr(rare_after[c - 'a'], (int)next);
}

/* Whether letters could be a word. */
static bool is_word(const struct text *t, size_t i, size_t n)
{
	size_t n_rare = 0;
	bool spoken = n < LEAST_RUN;

	for (size_t k = i; k < i + n; k++) {
		spoken = spoken || is_vowel(t->lower[k]);
		n_rare += k > i && is_rare(t->lower[k - 1], t->lower[k]);
	}
	return spoken && n_rare <= n / LETTERS_PER_RARE;
}

/* n letters. */
static double letters_bits(const struct text *t, size_t i, size_t n)
{
	size_t n_upper = 0;
	double each = 4.2, bits;

	for (size_t k = i; k < i + n; k++)
		n_upper += is_upper_at(t, k);
	if (n_upper > 1 && n_upper < n)
		each += 1;
	bits = each * (double)n;
	if (is_word(t, i, n) && n_upper <= 1 + (n_upper == n) * n) {
		double word = (n > SHORT_WORD_LETTERS ? WORD_BITS : SHORT_WORD_BITS) + (n_upper > 0);

		/* Longer than one word: two without a space between them. */
		if (n > WORD_LETTERS)
			word += WORD_BITS * (double)(n - WORD_LETTERS) / 8;
		if (word < bits)
			bits = word;
	}
	return bits;
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

static struct piece (*const kinds[])(const struct text *, size_t) = { known_at, common_at, again_at,
	run_at, keyboard_at, year_at };
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void cheaper(double *bits, double by)
{
	if (by < *bits)
		*bits = by;
}

/* bits[i]: of what is in front of i, the cheapest way. Pieces of any kind begin at i; letters go on to
 * the end of their run, or to where another piece begins. */
static void pieces_from(const struct text *t, size_t i, double *bits, const bool *begins)
{
	size_t n = 0;

	for (size_t k = 0; k < KINDS; k++) {
		struct piece piece = kinds[k](t, i);

		if (piece.n)
			cheaper(&bits[i + piece.n], bits[i] + piece.bits);
	}
	if (!is_letter(t->p[i])) {
		cheaper(&bits[i + 1], bits[i] + character_at(t, i).bits);
		return;
	}
	while (n < LETTERS_MOST && i + n < t->n && is_letter(t->p[i + n])) {
		n++;
		if (n == LETTERS_MOST || i + n == t->n || begins[i + n] || !is_letter(t->p[i + n]))
			cheaper(&bits[i + n], bits[i] + letters_bits(t, i, n));
	}
}

static double count_bits(const struct text *t)
{
	double *bits = alloc_array(NULL, t->n + 1, sizeof *bits);
	bool *begins = alloc_array(NULL, t->n + 1, sizeof *begins);
	double all;

	bits[0] = 0;
	for (size_t i = 0; i < t->n; i++) {
		bits[i + 1] = HUGE_VAL;
		begins[i] = false;
		for (size_t k = 0; k < KINDS && !begins[i]; k++)
			begins[i] = kinds[k](t, i).n > 0;
	}
	for (size_t i = 0; i < t->n; i++)
		pieces_from(t, i, bits, begins);
	all = bits[t->n];
	explicit_bzero(bits, (t->n + 1) * sizeof *bits);
	explicit_bzero(begins, (t->n + 1) * sizeof *begins);
	free(bits);
	free(begins);
	return all;
}

static void know(struct text *t, struct span word)
{
	if (word.n >= LEAST_RUN && t->n_known < KNOWN_MAX)
		t->known[t->n_known++] = word;
}

/* The whole, the parts around "@", and words of three octets and more, in lower case. */
static void add_known(struct text *t, struct arena *a, struct span text)
{
	CLEANUP(buf_done) struct buf lower = {};
	struct span all, rest, word;

	for (size_t i = 0; i < text.n;) {
		uint8_t octets[6];
		ucs4_t c;

		i += (size_t)u8_mbtouc(&c, text.p + i, text.n - i);
		buf_add(&lower, span_of(octets, (size_t)u8_uctomb(octets, uc_tolower(c), 6)));
	}
	all = arena_span(a, buf_span(&lower));
	know(t, all);
	for (rest = all; rest.n;) {
		word = span_cut(&rest, '@');
		know(t, word);
	}
	for (size_t i = 0, start = 0; i <= all.n; i++) {
		if (i < all.n && (all.p[i] >= 128 || octet_is_alpha(all.p[i]) || octet_is_digit(all.p[i])))
			continue;
		know(t, span_of(all.p + start, i - start));
		start = i + 1;
	}
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

struct password_strength password_strength_of(struct span prepared, const struct span *known,
	size_t n_known)
{
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(secret_done) struct secret typed = secret_new(prepared.n * sizeof(ucs4_t) + 4);
	CLEANUP(secret_done) struct secret lower = secret_new(prepared.n * sizeof(ucs4_t) + 4);
	struct text t = { (ucs4_t *)(void *)typed.p, (ucs4_t *)(void *)lower.p, 0, {}, 0 };

	for (size_t i = 0; i < prepared.n;) {
		i += (size_t)u8_mbtouc(&t.p[t.n], prepared.p + i, prepared.n - i);
		t.lower[t.n] = uc_tolower(t.p[t.n]);
		t.n++;
	}
	for (size_t i = 0; i < n_known; i++)
		add_known(&t, &arena, known[i]);
	return grade((unsigned)count_bits(&t));
}
