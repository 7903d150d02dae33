/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * A plain main for fuzz targets: runs each file named on the command line, and each file of each
 * folder named there, through the target. So a corpus is an ordinary test, and a crash found by the
 * fuzzer is replayed without it. Finding no file at all is an error: such a run would prove nothing.
 */

#include "base/alloc.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned n_run;

static int run_file(const char *path, size_t size)
{
	uint8_t *data = alloc_zero(size);
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(data, 1, size, f) : 0;

	if (f)
		(void)fclose(f);
	if (n != size) {
		perror(path);
		free(data);
		return 1;
	}
	/* An exact allocation, so that reading one octet too far is seen. */
	data = alloc_resize(data, n);
	(void)LLVMFuzzerTestOneInput(data, n);
	free(data);
	n_run++;
	return 0;
}

static int run_path(const char *path)
{
	struct dirent **names = NULL;
	struct stat st;
	int n, failed = 0;

	if (stat(path, &st)) {
		perror(path);
		return 1;
	}
	if (!S_ISDIR(st.st_mode))
		return run_file(path, (size_t)st.st_size);
	n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			char *below = alloc_format("%s/%s", path, names[i]->d_name);

			failed |= run_path(below);
			free(below);
		}
		free(names[i]);
	}
	free(names);
	return failed;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= run_path(argv[i]);
	if (n_run == 0) {
		(void)fprintf(stderr, "%s: no input file\n", argv[0]);
		return 1;
	}
	printf("%u inputs\n", n_run);
	return failed;
}
