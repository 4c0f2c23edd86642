/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "util/cleanup.h"
#include "util/file.h"

struct place {
	char folder[40], path[60], fresh[70];
};

static int setup(void **state)
{
	static struct place place;

	strcpy(place.folder, "/tmp/test-file-XXXXXX");
	if (!mkdtemp(place.folder))
		return -1;
	snprintf(place.path, sizeof(place.path), "%s/file", place.folder);
	snprintf(place.fresh, sizeof(place.fresh), "%s.new", place.path);
	*state = &place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	remove(place->path);
	return remove(place->folder); /* fails unless it is empty */
}

static int replace(struct place *place, const char *text)
{
	struct iovec part = { (char *)text, strlen(text) };

	return us_file_replace(place->path, &part, 1);
}

static void assert_text(struct place *place, const char *wanted)
{
	FILE *file = fopen(place->path, "re");
	char text[100] = "";

	assert_non_null(file);
	fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	assert_string_equal(text, wanted);
}

static void test_replace(void **state)
{
	assert_int_equal(replace(*state, "a long first text"), 0);
	assert_text(*state, "a long first text");
	assert_int_equal(replace(*state, "second"), 0);
	assert_text(*state, "second");
	assert_int_equal(replace(*state, ""), 0);
	assert_text(*state, "");
}

/* More than one call takes, and with nothing in every third. */
static void test_many_parts(void **state)
{
	enum {
		COUNT = 3 * IOV_MAX + 1,
	};
	struct place *place = *state;
	static struct iovec parts[COUNT];
	static char text[COUNT + 1];
	FILE *file;

	for (int i = 0; i < COUNT; i++)
		parts[i] = (struct iovec){ (char *)&"abc"[i % 3], i % 3 != 2 };
	assert_int_equal(us_file_replace(place->path, parts, COUNT), 0);
	file = fopen(place->path, "re");
	assert_non_null(file);
	assert_int_equal(fread(text, 1, COUNT, file), 2 * IOV_MAX + 1);
	fclose(file);
	for (int i = 0; i < 2 * IOV_MAX + 1; i++)
		assert_int_equal(text[i], "ab"[i % 2]);
}

/* What cannot be written changes nothing and leaves nothing. */
static void test_refused(void **state)
{
	struct place *place = *state;
	char folder[80];

	assert_int_equal(mkdir(place->path, 0700), 0);
	snprintf(folder, sizeof(folder), "%s/full", place->path);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(replace(place, "text"), -EISDIR);
	assert_int_equal(access(place->fresh, F_OK), -1);
	rmdir(folder);

	strcat(place->path, "/none/file");
	assert_int_equal(replace(place, "text"), -ENOENT);
	*strrchr(place->path, '/') = '\0';
	*strrchr(place->path, '/') = '\0';
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(test_replace),
		WITH_PLACE(test_many_parts),
		WITH_PLACE(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
