/* SPDX-License-Identifier: BSD-3-Clause */
/* The server over its real socket: what clients may do, and what becomes of those who do else. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <cmocka.h>

#include "api/interface.h"
#include "api/peer.h"
#include "api/server.h"
#include "harness.h"
#include "util/unix-socket.h"

#define CONTROL "org.understudy.Control."
#define SERVICE "org.varlink.service."
#define CALL(method) "{\"method\":\"" method "\"}"
#define CALL_WITH(method, parameters) "{\"method\":\"" method "\",\"parameters\":" parameters "}"
#define STATUS "{\"parameters\":{\"version\":\"v\",\"vms\":0,\"pairs\":0,\"since_usec\":1}}"

enum {
	NOBODY = 65534,
	GROUP = 54321, /* a number that no real group needs to have */
};

/* What the handlers below saw. */
static struct {
	struct us_call *held; /* of ListPairs and Monitor */
	size_t calls, gone;
	char dropped[128];
	char order[32]; /* a letter for each call of the last two methods */
} seen;

static void handle_status(void *userdata, struct us_call *call, const json_t *parameters)
{
	seen.calls++;
	us_call_reply(call, json_pack("{s:s, s:i, s:i, s:i}", "version", "v", "vms", 0, "pairs", 0,
				      "since_usec", 1));
}

static void on_gone(void *userdata, struct us_call *call)
{
	assert_ptr_equal(call, seen.held);
	seen.held = NULL;
	seen.gone++;
}

static void handle_hold_on(void *userdata, struct us_call *call, const json_t *parameters)
{
	assert_null(seen.held);
	seen.held = call;
	seen.calls++;
	us_call_on_gone(call, on_gone, NULL);
}

static void handle_detach(void *userdata, struct us_call *call, const json_t *parameters)
{
	const char *name = json_string_value(json_object_get(parameters, "name"));
	struct us_reason reason;

	seen.calls++;
	us_refuse(&reason, "%s: \"%s\"", name, "\xff");
	us_advise(&reason, "see vm list");
	if (strcmp(name, "b") == 0)
		us_call_fail(call, "NoSuchVm", "%s", reason.text);
	else
		us_call_fail_with(call, "NoSuchVm", strcmp(name, "a") ? -ENOMEM : US_REFUSED,
				  &reason);
}

static void note(char letter, struct us_call *call)
{
	seen.order[strlen(seen.order)] = letter;
	us_call_reply(call, NULL);
}

static void handle_receive(void *userdata, struct us_call *call, const json_t *parameters)
{
	note('R', call);
}

static void handle_prepare(void *userdata, struct us_call *call, const json_t *parameters)
{
	note('p', call);
}

static const struct us_method methods[] = {
	{ "GetStatus", false, handle_status },
	{ "ListPairs", false, handle_hold_on },
	{ "Monitor", false, handle_hold_on },
	{ "DetachVm", true, handle_detach },
	{ "Receive", US_METHOD_CHANGES | US_METHOD_FOR_PEER | US_METHOD_BETWEEN_DAEMONS,
	  handle_receive },
	{ "Prepare", US_METHOD_CHANGES, handle_prepare },
	{ NULL, false, NULL },
};

static void on_dropped(void *userdata, pid_t pid, uid_t uid, const char *why)
{
	snprintf(seen.dropped, sizeof(seen.dropped), "%s", why);
}

static struct us_server *serve(struct place *place)
{
	struct us_server *server = NULL;
	struct us_reason reason = { 0 };

	memset(&seen, 0, sizeof(seen));
	assert_int_equal(
		us_server_new(&server, place->loop, place->path, -1, methods, NULL, &reason), 0);
	us_server_on_drop(server, on_dropped);
	return server;
}

static bool is_held(void *userdata)
{
	return seen.held;
}

static bool has_gone(void *userdata)
{
	return seen.gone;
}

static void test_answers(void **state)
{
	static const struct {
		const char *call, *answer;
	} cases[] = {
		{ CALL(CONTROL "GetStatus"), STATUS },
		{ CALL(SERVICE "GetInfo"),
		  "{\"parameters\":{\"vendor\":\"Understudy\",\"product\":\"understudyd\"," },
		{ CALL_WITH(SERVICE "GetInterfaceDescription",
			    "{\"interface\":\"org.understudy.Control\"}"),
		  "{\"parameters\":{\"description\":\"# SPDX" },
		{ CALL_WITH(SERVICE "GetInterfaceDescription", "{\"interface\":\"a.b\"}"),
		  "{\"error\":\"" SERVICE
		  "InterfaceNotFound\",\"parameters\":{\"interface\":\"a.b\"}}" },
		{ CALL("a.b.C"), "{\"error\":\"" SERVICE "InterfaceNotFound\",\"parameters\":"
				 "{\"interface\":\"a.b\"}}" },
		{ CALL("plain"), "{\"error\":\"" SERVICE "InterfaceNotFound\",\"parameters\":"
				 "{\"interface\":\"plain\"}}" },
		{ CALL(CONTROL "Nothing"),
		  "{\"error\":\"" SERVICE "MethodNotFound\",\"parameters\":"
		  "{\"method\":\"" CONTROL "Nothing\"}}" },
		{ CALL_WITH(CONTROL "Finish", "{\"vm\":\"a\"}"),
		  "{\"error\":\"" SERVICE "MethodNotImplemented\",\"parameters\":"
		  "{\"method\":\"" CONTROL "Finish\"}}" },
		{ "{\"method\":\"" CONTROL "GetStatus\",\"upgrade\":true}",
		  "{\"error\":\"" SERVICE "MethodNotImplemented\"" },
		{ CALL(CONTROL "DetachVm"), "{\"error\":\"" SERVICE "InvalidParameter\","
					    "\"parameters\":{\"parameter\":\"name\"}}" },
		{ CALL_WITH(CONTROL "GetStatus", "{\"x\":1}"),
		  "{\"error\":\"" SERVICE "InvalidParameter\","
		  "\"parameters\":{\"parameter\":\"x\"}}" },
		{ CALL_WITH(CONTROL "DetachVm", "{\"name\":\"a\"}"),
		  "{\"error\":\"" CONTROL "NoSuchVm\",\"parameters\":"
		  "{\"message\":\"a: \\\"?\\\": see vm list\",\"next\":\"see vm list\"}}" },
		{ CALL_WITH(CONTROL "DetachVm", "{\"name\":\"b\"}"),
		  "{\"error\":\"" CONTROL "NoSuchVm\",\"parameters\":"
		  "{\"message\":\"b: \\\"?\\\": see vm list\"}}" },
		{ CALL_WITH(CONTROL "DetachVm", "{\"name\":\"c\"}"),
		  "{\"error\":\"" CONTROL "NoSuchVm\",\"parameters\":"
		  "{\"message\":\"Cannot allocate memory\"}}" },
	};
	struct us_server *server = serve(*state);
	struct raw raw;

	raw_connect(&raw, *state);
	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		const char *answer;

		raw_call(&raw, cases[i].call);
		answer = raw_receive(&raw);
		if (strncmp(answer, cases[i].answer, strlen(cases[i].answer)) != 0)
			fail_msg("%s: %s", cases[i].call, answer);
	}
	raw_close(&raw);
	us_server_free(server);
}

/* What is served is the text of the file, to the byte. */
static void test_description(void **state)
{
	struct us_server *server = serve(*state);
	US_CLEANUP(json_decrefp) json_t *answer = NULL;
	struct raw raw;

	raw_connect(&raw, *state);
	raw_call(&raw, CALL_WITH(SERVICE "GetInterfaceDescription",
				 "{\"interface\":\"org.understudy.Control\"}"));
	answer = json_loads(raw_receive(&raw), 0, NULL);
	assert_string_equal(json_string_value(json_object_get(json_object_get(answer, "parameters"),
							      "description")),
			    us_control_interface_text);
	raw_close(&raw);
	us_server_free(server);
}

/* Calls that arrive together, in whatever pieces, are begun one by one and answered in order. */
static void test_pipelining(void **state)
{
	static const char calls[] = CALL(CONTROL "ListPairs") "\0" CALL(
		CONTROL "GetStatus") "\0" CALL(CONTROL "Nothing") "\0" CALL(CONTROL "GetStatus");
	struct us_server *server = serve(*state);
	struct raw raw;

	raw_connect(&raw, *state);
	raw_send(&raw, calls, 30);
	raw_send(&raw, calls + 30, sizeof(calls) - 30);
	place_run(*state, is_held, NULL);
	assert_int_equal(seen.calls, 1);
	us_call_reply(US_STEAL(seen.held), json_pack("{s:[]}", "pairs"));
	/* Nothing is begun from inside an answer. */
	assert_int_equal(seen.calls, 1);
	assert_string_equal(raw_receive(&raw), "{\"parameters\":{\"pairs\":[]}}");
	assert_string_equal(raw_receive(&raw), STATUS);
	assert_non_null(strstr(raw_receive(&raw), "MethodNotFound"));
	assert_string_equal(raw_receive(&raw), STATUS);
	raw_close(&raw);
	us_server_free(server);
}

static void test_too_many_waiting(void **state)
{
	struct us_server *server = serve(*state);
	struct raw raw;

	raw_connect(&raw, *state);
	raw_call(&raw, CALL(CONTROL "ListPairs"));
	for (size_t i = 0; i < 65; i++)
		raw_call(&raw, CALL(CONTROL "GetStatus"));
	raw_wait_end(&raw);
	assert_string_equal(seen.dropped, "sent more calls than may wait");
	assert_int_equal(seen.gone, 1);
	assert_int_equal(seen.calls, 1);
	raw_close(&raw);
	us_server_free(server);
}

static void test_more(void **state)
{
	struct us_server *server = serve(*state);
	struct raw raw;

	raw_connect(&raw, *state);
	raw_call(&raw, CALL(CONTROL "Monitor"));
	place_run(*state, is_held, NULL);
	assert_false(us_call_wants_more(seen.held));
	us_call_fail(US_STEAL(seen.held), "Refused", "only with more");
	assert_non_null(strstr(raw_receive(&raw), "Refused"));

	raw_call(&raw, "{\"method\":\"" CONTROL "Monitor\",\"more\":true}");
	place_run(*state, is_held, NULL);
	assert_true(us_call_wants_more(seen.held));
	us_call_continue(seen.held, json_pack("{s:i}", "n", 1));
	us_call_continue(seen.held, NULL);
	us_call_reply(US_STEAL(seen.held), NULL);
	assert_string_equal(raw_receive(&raw), "{\"parameters\":{\"n\":1},\"continues\":true}");
	assert_string_equal(raw_receive(&raw), "{\"parameters\":{},\"continues\":true}");
	assert_string_equal(raw_receive(&raw), "{\"parameters\":{}}");
	raw_close(&raw);
	us_server_free(server);
}

static void test_oneway(void **state)
{
	struct us_server *server = serve(*state);
	struct raw raw;

	raw_connect(&raw, *state);
	raw_call(&raw, "{\"method\":\"" CONTROL "GetStatus\",\"oneway\":true}");
	raw_call(&raw, "{\"method\":\"" CONTROL "Monitor\",\"oneway\":true,\"more\":true}");
	place_run(*state, is_held, NULL);
	assert_false(us_call_wants_more(seen.held));
	us_call_reply(US_STEAL(seen.held), NULL);
	raw_call(&raw, CALL("a.B"));
	assert_non_null(strstr(raw_receive(&raw), "InterfaceNotFound"));
	assert_int_equal(seen.calls, 2);
	raw_close(&raw);
	us_server_free(server);
}

static void test_gone(void **state)
{
	struct us_server *server = serve(*state);
	struct raw raw;

	raw_connect(&raw, *state);
	raw_call(&raw, CALL(CONTROL "ListPairs"));
	place_run(*state, is_held, NULL);
	raw_close(&raw);
	place_run(*state, has_gone, NULL);
	assert_int_equal(us_server_counts(server)->connected, 0);
	assert_string_equal(seen.dropped, "");

	/* The server's end is the end of every call, too. */
	raw_connect(&raw, *state);
	raw_call(&raw, CALL(CONTROL "ListPairs"));
	place_run(*state, is_held, NULL);
	us_server_free(server);
	assert_int_equal(seen.gone, 2);
	raw_wait_end(&raw);
	raw_close(&raw);
}

static void test_slow_reader(void **state)
{
	struct us_server *server = serve(*state);
	char text[10000];
	struct raw raw;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	raw_connect(&raw, *state);
	raw_call(&raw, "{\"method\":\"" CONTROL "Monitor\",\"more\":true}");
	place_run(*state, is_held, NULL);
	assert_int_equal(us_call_backlog(seen.held), 0);
	/* Without the loop nobody reads. Whoever minds the backlog can stop in time … */
	while (us_call_backlog(seen.held) < 1024 * 1024)
		us_call_continue(seen.held, json_pack("{s:s}", "line", text));
	assert_string_equal(seen.dropped, "");
	/* … and whoever does not loses that client. */
	for (size_t i = 0; i < 1000; i++)
		us_call_continue(seen.held, json_pack("{s:s}", "line", text));
	place_run(*state, has_gone, NULL);
	assert_string_equal(seen.dropped, "does not read its answers");
	assert_int_equal(us_server_counts(server)->connected, 0);
	raw_close(&raw);
	us_server_free(server);
}

/* Breaking the protocol costs that client its connection, and nobody else anything. */
static bool was_dropped(void *userdata)
{
	return seen.dropped[0];
}

static void test_bad_clients(void **state)
{
	static char flood[200 * 1024], full[64 * 1024 + 1];
	static const struct {
		const char *data;
		size_t length;
		const char *dropped;
	} cases[] = {
		{ "nonsense", 9, "sent something that is no Varlink call" },
		{ "", 1, "sent something that is no Varlink call" },
		{ "{}", 3, "sent something that is no Varlink call" },
		{ "\xff\xfe", 3, "sent something that is no Varlink call" },
		{ "{\"method\":\"a.B\",\"parameters\":7}", 32,
		  "sent something that is no Varlink call" },
		{ full, sizeof(full), "sent something that is no Varlink call" },
		{ flood, sizeof(flood), "sent a message of more than 128 KiB" },
	};
	struct us_server *server = serve(*state);
	struct raw good;

	memset(flood, '[', sizeof(flood));
	memset(full, ' ', sizeof(full) - 1);
	raw_connect(&good, *state);
	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		struct raw bad;

		seen.dropped[0] = '\0';
		raw_connect(&bad, *state);
		raw_send(&bad, cases[i].data, cases[i].length);
		raw_wait_end(&bad);
		raw_close(&bad);
		place_run(*state, was_dropped, NULL);
		assert_string_equal(seen.dropped, cases[i].dropped);
		raw_call(&good, CALL(CONTROL "GetStatus"));
		assert_string_equal(raw_receive(&good), STATUS);
		assert_int_equal(us_server_counts(server)->connected, 1);
	}
	raw_close(&good);
	us_server_free(server);
}

/* A broken call that had to wait for its turn. */
static void test_bad_waiting(void **state)
{
	struct us_server *server = serve(*state);
	struct raw raw;

	raw_connect(&raw, *state);
	raw_call(&raw, CALL(CONTROL "ListPairs"));
	raw_call(&raw, "nonsense");
	raw_call(&raw, CALL(CONTROL "GetStatus"));
	place_run(*state, is_held, NULL);
	us_call_reply(US_STEAL(seen.held), NULL);
	raw_wait_end(&raw);
	place_run(*state, was_dropped, NULL);
	assert_string_equal(seen.dropped, "sent something that is no Varlink call");
	assert_int_equal(seen.calls, 1);
	raw_close(&raw);
	us_server_free(server);
}

/* ---- Other users ---- */

static void become(uid_t uid, gid_t group)
{
	if (setgroups(1, &group) < 0 || setgid(NOBODY) < 0 || setuid(uid) < 0)
		_exit(99);
}

/* In a child: connects, blocking. */
static int connect_or_exit(const char *path)
{
	int fd;

	if (us_connect_unix(path, &fd) < 0 || fcntl(fd, F_SETFL, 0) < 0)
		_exit(98);
	return fd;
}

/* In a child: asks and returns whether the answer has @part in it. */
static bool ask(int fd, const char *call, const char *part)
{
	char answer[1024] = "";
	size_t length = 0;

	/* One that is dropped at once may see it here already: that is no answer either. */
	if (send(fd, call, strlen(call) + 1, MSG_NOSIGNAL) < 0)
		return false;
	while (!memchr(answer, '\0', length)) {
		ssize_t n = read(fd, answer + length, sizeof(answer) - 1 - length);

		if (n <= 0)
			return false;
		length += n;
	}
	return strstr(answer, part);
}

static void test_permission(void **state)
{
	struct place *place = *state;
	struct us_server *server;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	server = serve(place);
	pid = fork();
	if (pid == 0) {
		int fd;

		become(NOBODY, NOBODY);
		fd = connect_or_exit(place->path);
		if (!ask(fd, CALL_WITH(CONTROL "DetachVm", "{\"name\":\"a\"}"),
			 "NotAllowed\",\"parameters\":{\"message\":\"DetachVm is not allowed"))
			_exit(1);
		_exit(ask(fd, CALL(CONTROL "GetStatus"), STATUS) ? 0 : 2);
	}
	assert_int_equal(place_run_child(place, pid), 0);
	assert_int_equal(seen.calls, 1);
	us_server_free(server);
}

/* One user may not take every place. */
static void test_crowd_of_one_user(void **state)
{
	struct place *place = *state;
	struct us_server *server;
	struct raw raw;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	server = serve(place);
	pid = fork();
	if (pid == 0) {
		become(NOBODY, NOBODY);
		for (size_t i = 0; i < 16; i++)
			if (!ask(connect_or_exit(place->path), CALL(CONTROL "GetStatus"), STATUS))
				_exit(1);
		_exit(ask(connect_or_exit(place->path), CALL(CONTROL "GetStatus"), STATUS) ? 2 : 0);
	}
	assert_int_equal(place_run_child(place, pid), 0);
	assert_string_equal(seen.dropped, "too many clients of this user");
	raw_connect(&raw, place);
	raw_call(&raw, CALL(CONTROL "GetStatus"));
	assert_string_equal(raw_receive(&raw), STATUS);
	raw_close(&raw);
	us_server_free(server);
}

static void test_groups(void **state)
{
	int pair[2], listening = -1, fd;
	struct place *place = *state;
	struct us_peer peer;
	pid_t pid;
	char byte;

	if (geteuid() != 0)
		skip();
	listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* An abstract address: nothing to permit, nothing to remove. */
	assert_int_equal(
		bind(listening, &(struct sockaddr){ .sa_family = AF_UNIX }, sizeof(sa_family_t)),
		0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		struct sockaddr_storage address;
		socklen_t length = sizeof(address);

		become(NOBODY, GROUP);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (getsockname(listening, (struct sockaddr *)&address, &length) < 0 ||
		    connect(fd, (struct sockaddr *)&address, length) < 0)
			_exit(1);
		/* Credentials are those at the connect: stay until they were read. */
		close(pair[0]);
		_exit(read(pair[1], &byte, 1) == 0 ? 0 : 2);
	}
	close(pair[1]);
	fd = accept(listening, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(us_peer_read(&peer, fd, GROUP), 0);
	assert_int_equal(peer.uid, NOBODY);
	assert_int_equal(peer.pid, pid);
	assert_true(peer.may_change);
	assert_int_equal(us_peer_read(&peer, fd, NOBODY), 0);
	assert_true(peer.may_change); /* the primary group counts as well */
	assert_int_equal(us_peer_read(&peer, fd, GROUP + 1), 0);
	assert_false(peer.may_change);
	assert_int_equal(us_peer_read(&peer, fd, (gid_t)-1), 0);
	assert_false(peer.may_change);
	close(pair[0]);
	assert_int_equal(place_run_child(place, pid), 0);
	close(fd);
	close(listening);
}

static void test_many_clients(void **state)
{
	enum { MANY = 512 };
	struct rlimit limit;
	struct us_server *server;
	struct raw *raws, late;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < 2 * MANY + 64 || geteuid() != 0)
		skip();
	server = serve(*state);
	raws = calloc(MANY, sizeof(*raws));
	assert_non_null(raws);
	for (size_t i = 0; i < MANY; i++) {
		raw_connect(&raws[i], *state);
		raw_call(&raws[i], CALL(CONTROL "GetStatus"));
		assert_string_equal(raw_receive(&raws[i]), STATUS);
	}
	assert_int_equal(us_server_counts(server)->connected, MANY);
	raw_connect(&late, *state);
	raw_wait_end(&late);
	raw_close(&late);
	assert_string_equal(seen.dropped, "too many clients");
	for (size_t i = 0; i < MANY; i++)
		raw_close(&raws[i]);
	free(raws);
	us_server_free(server);
}

/* Out of descriptors, the server rests instead of spinning, and goes on when there are some. */
static void test_no_descriptor(void **state)
{
	struct place *place = *state;
	struct us_server *server = serve(place);
	struct rlimit limit, none;
	struct raw raw;

	raw_connect(&raw, place);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_true(sd_event_run(place->loop, UINT64_MAX) > 0);
	assert_int_equal(sd_event_run(place->loop, 0), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(us_server_counts(server)->connected, 0);
	raw_call(&raw, CALL(CONTROL "GetStatus"));
	assert_string_equal(raw_receive(&raw), STATUS);
	raw_close(&raw);
	us_server_free(server);
}

/* ---- The socket ---- */

static void test_socket(void **state)
{
	struct place *place = *state;
	struct us_server *server = serve(place), *second = NULL;
	struct us_reason reason = { 0 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat status;
	int fd;

	assert_int_equal(stat(place->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0666);
	/* One that somebody listens on stays his … */
	assert_int_equal(
		us_server_new(&second, place->loop, place->path, -1, methods, NULL, &reason),
		US_REFUSED);
	assert_non_null(strstr(reason.text, "another understudyd serves here: stop it first"));
	us_server_free(server);
	assert_int_equal(stat(place->path, &status), -1);

	/* … a stale one is replaced … */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(address.sun_path, place->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	us_server_free(serve(place));

	/* … and what is no socket is left alone. */
	fd = open(place->path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(
		us_server_new(&second, place->loop, place->path, -1, methods, NULL, &reason),
		US_REFUSED);
	assert_non_null(strstr(reason.text, "is no socket"));
	assert_int_equal(stat(place->path, &status), 0);
}

/* A socket from outside is used as it is, and left where it was. */
static void test_activation(void **state)
{
	struct place *place = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct us_server *server = NULL;
	struct stat status;
	struct raw raw;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, place->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(us_server_new(&server, place->loop, NULL, fd, methods, NULL, NULL), 0);
	raw_connect(&raw, place);
	raw_call(&raw, CALL(CONTROL "GetStatus"));
	assert_string_equal(raw_receive(&raw), STATUS);
	raw_close(&raw);
	us_server_free(server);
	assert_int_equal(stat(place->path, &status), 0);
}

static bool has_six(void *userdata)
{
	return strlen(seen.order) == 6;
}

/* A connection that a guest's arrival waits for goes before all other clients. */
static void test_other_host_first(void **state)
{
	static const char receive[] = CALL_WITH(CONTROL "Receive", "{\"vm\":\"a\",\"pairs\":[]}");
	static const char prepare[] = CALL_WITH(CONTROL "Prepare", "{\"vm\":\"a\"}");
	struct us_server *server = serve(*state);
	struct raw host, client;

	raw_connect(&client, *state);
	raw_connect(&host, *state);
	raw_call(&host, receive);
	raw_receive(&host);
	raw_call(&client, prepare);
	raw_receive(&client);
	memset(seen.order, 0, sizeof(seen.order));
	for (int i = 0; i < 3; i++) {
		raw_call(&client, prepare);
		raw_call(&host, receive);
	}
	place_run(*state, has_six, NULL);
	assert_string_equal(seen.order, "RRRppp");
	raw_close(&client);
	raw_close(&host);
	us_server_free(server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers),	  TEST(test_description),
		TEST(test_pipelining),	  TEST(test_too_many_waiting),
		TEST(test_more),	  TEST(test_oneway),
		TEST(test_gone),	  TEST(test_slow_reader),
		TEST(test_bad_clients),	  TEST(test_bad_waiting),
		TEST(test_permission),	  TEST(test_crowd_of_one_user),
		TEST(test_groups),	  TEST(test_many_clients),
		TEST(test_no_descriptor), TEST(test_socket),
		TEST(test_activation),	  TEST(test_other_host_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
