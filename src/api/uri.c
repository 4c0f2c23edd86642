/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "api/uri.h"
#include "util/name.h"

#define UNIX_PREFIX "unix:"
#define SSH_PREFIX "ssh://"

struct reading {
	const char *text; /* the whole name, for the reason */
	struct us_uri *uri;
	struct us_reason *reason;
};

#define REFUSE(reading, format, ...)                                                               \
	us_refuse((reading)->reason, "%.200s: " format, (reading)->text, ##__VA_ARGS__)

static int copy(char *target, size_t size, const char *text, size_t length)
{
	if (length >= size)
		return US_REFUSED;
	memcpy(target, text, length);
	target[length] = '\0';
	return 0;
}

static bool is_name(const char *text)
{
	return text[0] && text[0] != '-' && !text[strspn(text, US_NAME_CHARACTERS)];
}

static int read_path(const struct reading *reading, const char *path)
{
	size_t length = strlen(path), size = sizeof(reading->uri->path);

	reading->uri->type = US_URI_UNIX;
	if (length == 0 || copy(reading->uri->path, size, path, length) != 0)
		return REFUSE(reading, "the path of a socket has 1 to %zu characters", size - 1);
	return 0;
}

/* @what is "a user" or "a host". */
static int read_name(const struct reading *reading, const char *what, char *target, size_t size,
		     const char *text, size_t length)
{
	if (copy(target, size, text, length) == 0 && is_name(target))
		return 0;
	return REFUSE(reading,
		      "%s has up to %zu letters, digits, '.', '_' and '-', and begins with no '-'",
		      what, size - 1);
}

static bool is_ipv6(const char *text)
{
	struct in6_addr address;
	char bare[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "%");

	return copy(bare, sizeof(bare), text, length) == 0 &&
	       inet_pton(AF_INET6, bare, &address) == 1 &&
	       (!text[length] || is_name(text + length + 1));
}

/* The rest behind the host: nothing, or ":PORT". */
static int read_port(const struct reading *reading, const char *text)
{
	unsigned long port;
	char *end;

	if (!*text)
		return 0;
	port = strtoul(text + 1, &end, 10);
	if (text[0] != ':' || text[1] < '0' || text[1] > '9' || *end || port < 1 || port > 65535)
		return REFUSE(reading, "\"%.20s\" is no port: \":PORT\", from 1 to 65535", text);
	reading->uri->port = port;
	return 0;
}

static int read_ipv6(const struct reading *reading, const char *text)
{
	struct us_uri *uri = reading->uri;
	size_t length = strcspn(text, "]");

	uri->is_ipv6 = true;
	if (!text[length] || copy(uri->host, sizeof(uri->host), text, length) != 0 ||
	    !is_ipv6(uri->host))
		return REFUSE(reading, "in brackets belongs an IPv6 address: ssh://[fd00::2]:22");
	return read_port(reading, text + length + 1);
}

static int read_host(const struct reading *reading, const char *text)
{
	size_t length = strcspn(text, ":"), size = sizeof(reading->uri->host);
	int r;

	if (text[0] == '[')
		return read_ipv6(reading, text + 1);
	if (text[length] && strchr(text + length + 1, ':'))
		return REFUSE(reading, "an IPv6 address is written in brackets: ssh://[fd00::2]");
	r = read_name(reading, "a host", reading->uri->host, size, text, length);
	return r == 0 ? read_port(reading, text + length) : r;
}

int us_uri_parse(const char *text, struct us_uri *ret_uri, struct us_reason *reason)
{
	const struct reading reading = { text, ret_uri, reason };
	const char *at;
	int r = 0;

	*ret_uri = (struct us_uri){ .type = US_URI_SSH };
	if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
		return read_path(&reading, text + strlen(UNIX_PREFIX));
	if (strncmp(text, SSH_PREFIX, strlen(SSH_PREFIX)) != 0)
		return us_refuse(reason, "%.200s is no host: " US_URI_FORMS, text);
	text += strlen(SSH_PREFIX);
	at = strchr(text, '@');
	if (at)
		r = read_name(&reading, "a user", ret_uri->user, sizeof(ret_uri->user), text,
			      at - text);
	return r == 0 ? read_host(&reading, at ? at + 1 : text) : r;
}
