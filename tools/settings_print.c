/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/* Prints the settings table, a row a line with tabs between, for tools/gen-settings-doc. */

#include "store/settings.h"

#include <stdio.h>

static const char *const type_names[] = {
	[CONF_NUMBER] = "number",
	[CONF_BOOL] = "bool",
	[CONF_CHOICE] = "choice",
	[CONF_TEXT] = "text",
};

int main(void)
{
	for (size_t i = 0; i < settings_n_rows; i++) {
		const struct conf_row *r = &settings_rows[i];

		printf("%s\t%s\t%s\t%llu\t%llu\t%s\t", r->key, type_names[r->type], r->fallback,
			(unsigned long long)r->min, (unsigned long long)r->max,
			r->unit ? r->unit : "");
		for (size_t k = 0; r->choices && r->choices[k]; k++)
			printf("%s%s", k ? " " : "", r->choices[k]);
		printf("\t%s\n", r->help);
	}
	return fflush(stdout) ? 1 : 0;
}
