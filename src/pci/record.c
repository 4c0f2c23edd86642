/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A record is a file with the name of the device's address. Each line is a word and its value. It
 * appears whole: by link(2), which fails if there is one, or by rename(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "pci/record.h"

enum {
	RECORD_SIZE = 1024,
};

static void path_of(const char *directory, const char *name, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/%s", directory, name);
}

/* ---- Its text ---- */

#define PLACE(member)                                                                              \
	offsetof(struct us_reserved, member), sizeof(((struct us_reserved *)NULL)->member)

static const struct {
	const char *word;
	size_t at, size; /* of its text in struct us_reserved */
} texts[] = {
	{ "owner", PLACE(owner) },    { "pair", PLACE(pair) },
	{ "pool", PLACE(pool) },      { "former", PLACE(former) },
	{ "port", PLACE(port) },      { "representor", PLACE(representor) },
	{ "found", PLACE(original) },
};

static int write_text(int fd, const struct us_reserved *reserved)
{
	char text[RECORD_SIZE];
	size_t used = 0;

	for (size_t i = 0; i < US_ARRAY_LENGTH(texts); i++)
		used += snprintf(text + used, sizeof(text) - used, "%s %s\n", texts[i].word,
				 (const char *)reserved + texts[i].at);
	used += snprintf(text + used, sizeof(text) - used, "index %d\nnode-owner %" PRId64 "\n",
			 reserved->index, reserved->node_owner);
	if (write(fd, text, used) != (ssize_t)used)
		return errno ? -errno : -EIO;
	return 0;
}

static void read_line(const char *line, struct us_reserved *reserved)
{
	for (size_t i = 0; i < US_ARRAY_LENGTH(texts); i++) {
		size_t length = strlen(texts[i].word);

		if (strncmp(line, texts[i].word, length) == 0 && line[length] == ' ')
			snprintf((char *)reserved + texts[i].at, texts[i].size, "%s",
				 line + length + 1);
	}
	sscanf(line, "index %d", &reserved->index);
	sscanf(line, "node-owner %" SCNd64, &reserved->node_owner);
}

/* ---- Its file ---- */

/* A file with a name that is no address. Its creator removes it again. */
static int write_fresh(const char *directory, const struct us_reserved *reserved,
		       char ret_path[PATH_MAX])
{
	US_CLEANUP(us_closep) int fd = -1;
	int r;

	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return -errno;
	path_of(directory, ".XXXXXX", ret_path);
	fd = mkostemp(ret_path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write_text(fd, reserved);
	if (r == 0 && fchmod(fd, 0644) < 0)
		r = -errno;
	if (r < 0)
		unlink(ret_path);
	return r;
}

/* @place is link(2) or rename(2). */
static int write_record(const char *directory, const struct us_reserved *reserved,
			int (*place)(const char *fresh, const char *path))
{
	char fresh[PATH_MAX], path[PATH_MAX];
	int r = write_fresh(directory, reserved, fresh);

	if (r < 0)
		return r;
	path_of(directory, reserved->address, path);
	r = place(fresh, path) < 0 ? -errno : 0;
	if (r < 0 || place == link)
		unlink(fresh);
	return r;
}

int us_record_make(const char *directory, const struct us_reserved *reserved)
{
	return write_record(directory, reserved, link);
}

int us_record_replace(const char *directory, const struct us_reserved *reserved)
{
	return write_record(directory, reserved, rename);
}

int us_record_read(const char *directory, const char *address, struct us_reserved *ret_reserved)
{
	US_CLEANUP(us_closep) int fd = -1;
	char path[PATH_MAX], text[RECORD_SIZE], *rest = NULL, *line;
	ssize_t length;

	*ret_reserved = (struct us_reserved){ .index = -1, .node_owner = -1 };
	if (!us_pci_is_address(address))
		return -EBADMSG;
	path_of(directory, address, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = read(fd, text, sizeof(text) - 1);
	if (length < 0)
		return -errno;
	text[length] = '\0';
	strcpy(ret_reserved->address, address);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		read_line(line, ret_reserved);
	return ret_reserved->owner[0] && ret_reserved->pair[0] ? 0 : -EBADMSG;
}

int us_record_remove(const char *directory, const char *address)
{
	char path[PATH_MAX];

	path_of(directory, address, path);
	return unlink(path) < 0 ? -errno : 0;
}
