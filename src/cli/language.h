/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/*
 * The language that people are spoken to: English in the sources, others in catalogues (po/). A text
 * goes through gettext() where it is printed; one in a table is MARKED there, so that it is found. A
 * program that does not choose a language speaks English.
 */

#include <libintl.h>

#define MARKED(text) text

/* Chooses the language that the environment asks for (LANGUAGE, LC_ALL, LC_MESSAGES, LANG). */
void language_choose(void);
