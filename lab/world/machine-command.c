/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "lab/world/machine-command.h"
#include "util/cleanup.h"

void us_lab_machine_shared_dir(const struct us_lab *lab, char path[US_LAB_PATH])
{
	snprintf(path, US_LAB_PATH, "%s/shared", lab->dir);
}

void us_lab_machine_connection_path(const struct us_lab *lab, const char *place,
				    char path[US_LAB_PATH])
{
	snprintf(path, US_LAB_PATH, "%s/%s.ssh", lab->dir, place);
}

/* Appends @word and a space to a shell command, quoted as one word. */
static size_t quote(char *buffer, size_t size, const char *word)
{
	size_t n = 0;

	buffer[n++] = '\'';
	for (; *word && n + 7 < size; word++)
		n += snprintf(buffer + n, size - n, *word == '\'' ? "'\\''" : "%c", *word);
	return n + snprintf(buffer + n, size - n, "' ");
}

void us_lab_machine_command(const struct us_lab *lab, const char *place, const char *record,
			    const char *const argv[],
			    const char *ret_argv[US_LAB_MACHINE_ARGUMENTS],
			    char buffer[US_LAB_MACHINE_COMMAND])
{
	char path[US_LAB_PATH];
	size_t n, size = US_LAB_MACHINE_COMMAND;
	const char *const ssh[] = { "ssh",    "-F/dev/null", record ? "-qT" : "-qTn",
				    "-S",     buffer,	     "-oProxyCommand=false",
				    "machine" };

	us_lab_machine_connection_path(lab, place, path);
	n = snprintf(buffer, size, "%s", path) + 1;
	memcpy(ret_argv, ssh, sizeof(ssh));
	ret_argv[US_ARRAY_LENGTH(ssh)] = buffer + n;
	ret_argv[US_ARRAY_LENGTH(ssh) + 1] = NULL;
	if (record)
		n += snprintf(buffer + n, size - n, "exec understudy-host-run %s ", record);
	for (; *argv && n + 8 < size; argv++)
		n += quote(buffer + n, size - n, *argv);
}
