/* SPDX-License-Identifier: BSD-3-Clause */
/* Replays a corpus: a plain main for a fuzz target, so that every test run includes it. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads the file into memory of exactly its size, so that a sanitizer sees the edge. */
static int replay(const char *directory, const char *name)
{
	char path[4096];
	uint8_t *data;
	long size;
	FILE *file;
	int r = -1;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "rb");
	if (!file)
		return -1;
	if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0) {
		rewind(file);
		data = malloc(size ? size : 1);
		if (data && fread(data, 1, size, file) == (size_t)size)
			r = LLVMFuzzerTestOneInput(data, size);
		free(data);
	}
	fclose(file);
	return r;
}

int main(int argc, char **argv)
{
	DIR *directory = argc == 2 ? opendir(argv[1]) : NULL;
	struct dirent *entry;
	unsigned count = 0;

	if (!directory) {
		fprintf(stderr, "usage: %s CORPUS_DIRECTORY\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		if (replay(argv[1], entry->d_name) != 0) {
			fprintf(stderr, "%s: cannot be replayed\n", entry->d_name);
			return 1;
		}
		count++;
	}
	closedir(directory);
	printf("%u inputs replayed\n", count);
	return count == 0;
}
