/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libvirt/process.h"
#include "util/cleanup.h"

/* Reads up to @size - 1 bytes of a file. Returns their number; 0 on failure. */
static size_t read_file(const char *path, char *buffer, size_t size)
{
	US_CLEANUP(us_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, length = 0;

	while (fd >= 0 && length < (ssize_t)size - 1 &&
	       (n = read(fd, buffer + length, size - 1 - length)) > 0)
		length += n;
	buffer[length] = '\0';
	return length;
}

/* Whether a process has the arguments "-uuid" and @uuid. */
static bool has_uuid(pid_t pid, const char *uuid)
{
	char path[64], line[128 * 1024];
	size_t length;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	length = read_file(path, line, sizeof(line));
	for (const char *word = line; word < line + length; word += strlen(word) + 1)
		if (strcmp(word, "-uuid") == 0 && word + 6 < line + length &&
		    strcmp(word + 6, uuid) == 0)
			return true;
	return false;
}

/* The directory of the pid files: beside the socket that the URI names, or the usual one. */
static void find_directory(virDomainPtr domain, char *buffer, size_t size)
{
	char *uri = virConnectGetURI(virDomainGetConnect(domain));
	const char *socket = uri ? strstr(uri, "socket=") : NULL;
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (socket && strrchr(socket, '/'))
		snprintf(buffer, size, "%.*s/qemu", (int)(strrchr(socket, '/') - socket - 7),
			 socket + 7);
	else if (uri && strstr(uri, "/session"))
		snprintf(buffer, size, "%s/libvirt/qemu/run", runtime ? runtime : "");
	else
		snprintf(buffer, size, "/run/libvirt/qemu");
	free(uri);
}

pid_t us_lv_process_of(virDomainPtr domain)
{
	char directory[256], path[512], text[32], uuid[VIR_UUID_STRING_BUFLEN];
	pid_t pid;

	find_directory(domain, directory, sizeof(directory));
	snprintf(path, sizeof(path), "%s/%s.pid", directory, virDomainGetName(domain));
	if (virDomainGetUUIDString(domain, uuid) < 0 || !read_file(path, text, sizeof(text)))
		return 0;
	pid = (pid_t)strtol(text, NULL, 10);
	return pid > 1 && has_uuid(pid, uuid) ? pid : 0;
}
