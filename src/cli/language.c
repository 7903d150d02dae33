/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * gettext(3) takes a language from LANGUAGE, but from no variable at all while the locale is "C"; and
 * setlocale(3) leaves that in place where the locale that is asked for was not generated, as on a
 * small Debian, which has C.UTF-8 only. So there C.UTF-8 is taken, which is as good for messages, and
 * LANGUAGE is set to the locale's name. Only messages are translated: numbers and times stay as they
 * are, and the output is always UTF-8.
 */

#include "cli/language.h"

#include "base/alloc.h"
#include "base/err.h"

#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As POSIX orders them: XBD 8.2. */
static const char *wanted_locale(void)
{
	static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = getenv(names[i]);

		if (value && value[0])
			return value;
	}
	return NULL;
}

static bool is_plain(const char *locale)
{
	return strcmp(locale, "C") == 0 || strcmp(locale, "POSIX") == 0;
}

static void choose_locale(void)
{
	const char *wanted = wanted_locale(), *language = getenv("LANGUAGE");
	bool has_language = language && language[0];

	if (wanted && is_plain(wanted))
		return;
	if (wanted && setlocale(LC_MESSAGES, wanted))
		return;
	if (!wanted && !has_language)
		return;
	if (setlocale(LC_MESSAGES, "C.UTF-8") && !has_language)
		(void)setenv("LANGUAGE", wanted, true);
}

/* Beside the program while it lies where it was built, else where it is installed. The folder's name;
 * the caller frees. */
static char *catalogues(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	CLEANUP(alloc_freep) char *beside = NULL;

	if (n <= 0)
		return alloc_string(SIGNET_LOCALEDIR);
	path[n] = 0;
	*strrchr(path, '/') = 0;
	beside = alloc_format("%s/po", path);
	return access(beside, R_OK | X_OK) == 0 ? TAKE(beside) : alloc_string(SIGNET_LOCALEDIR);
}

void language_choose(void)
{
	CLEANUP(alloc_freep) char *folder = catalogues();

	choose_locale();
	(void)bindtextdomain("signet", folder);
	(void)bind_textdomain_codeset("signet", "UTF-8");
	(void)textdomain("signet");
}
