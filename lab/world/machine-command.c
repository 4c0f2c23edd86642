/* SPDX-License-Identifier: BSD-3-Clause */
/* How a command is run in a host machine, by the connection to it. See machine.h. */
#include <stdio.h>
#include <string.h>

#include "lab/world/machine.h"
#include "util/cleanup.h"

bool us_lab_is_machine(const struct us_lab *lab, const char *place)
{
	return lab->options.hosts == US_LAB_HOST_KIND_MACHINE && place && !strncmp(place, "host-", 5);
}

void us_lab_machine_shared_dir(const struct us_lab *lab, char path[200])
{
	snprintf(path, 200, "%s/shared", lab->dir);
}

void us_lab_machine_connection_path(const struct us_lab *lab, const char *place, char path[200])
{
	snprintf(path, 200, "%s/%s.ssh", lab->dir, place);
}

/* As one word of a shell. */
static size_t quote(char *buffer, size_t size, const char *word)
{
	size_t n = 0;

	buffer[n++] = '\'';
	for (; *word && n + 7 < size; word++)
		n += snprintf(buffer + n, size - n, *word == '\'' ? "'\\''" : "%c", *word);
	return n + snprintf(buffer + n, size - n, "' ");
}

void us_lab_machine_command(const struct us_lab *lab, const char *place, const char *record,
			const char *const argv[], const char *ret_argv[US_LAB_MACHINE_ARGUMENTS],
			char buffer[US_LAB_MACHINE_COMMAND])
{
	char path[200];
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
