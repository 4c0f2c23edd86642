/* SPDX-License-Identifier: BSD-3-Clause */
/* The client against a real server, against none, and against one that speaks nonsense. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "api/server.h"
#include "harness.h"
#include "understudy/client.h"

struct answers {
	size_t count, more;
	char error[128], message[200];
	json_int_t last; /* "n" of the last reply */
	bool answered;	 /* of a disconnection */
	struct us_client *free_from_here;
};

static struct us_call *held;

static void forget_held(void *userdata, struct us_call *call)
{
	held = NULL;
}

static void handle_hold_on(void *userdata, struct us_call *call, const json_t *parameters)
{
	held = call;
	us_call_on_gone(call, forget_held, NULL);
}

static void handle_status(void *userdata, struct us_call *call, const json_t *parameters)
{
	us_call_reply(call, json_pack("{s:i}", "n", 7));
}

static void handle_detach(void *userdata, struct us_call *call, const json_t *parameters)
{
	us_call_fail(call, "NoSuchVm", "no VM is named %s",
		     json_string_value(json_object_get(parameters, "name")));
}

static void handle_monitor(void *userdata, struct us_call *call, const json_t *parameters)
{
	for (int i = 1; i <= 3 && us_call_wants_more(call); i++)
		us_call_continue(call, json_pack("{s:i}", "n", i));
	us_call_reply(call, json_pack("{s:i}", "n", 4));
}

static const struct us_method methods[] = {
	{ "GetStatus", false, handle_status },
	{ "ListPairs", false, handle_hold_on },
	{ "Monitor", false, handle_monitor },
	{ "DetachVm", true, handle_detach },
	{ NULL, false, NULL },
};

static void on_answer(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct answers *answers = userdata;
	const char *message = json_string_value(json_object_get(parameters, "message"));

	answers->count++;
	answers->more += more;
	answers->last = json_integer_value(json_object_get(parameters, "n"));
	answers->answered = json_is_true(json_object_get(parameters, "answered"));
	snprintf(answers->error, sizeof(answers->error), "%s", error ? error : "");
	snprintf(answers->message, sizeof(answers->message), "%s", message ? message : "");
	us_client_free(US_STEAL(answers->free_from_here));
}

static bool has_answer(void *userdata)
{
	return ((struct answers *)userdata)->count > 0;
}

static bool has_four(void *userdata)
{
	return ((struct answers *)userdata)->count == 4;
}

static bool is_held(void *userdata)
{
	return held;
}

static struct us_server *serve(struct place *place)
{
	struct us_server *server = NULL;

	assert_int_equal(us_server_new(&server, place->loop, place->path, -1, methods, NULL, NULL),
			 0);
	return server;
}

static struct us_client *connect_client(struct place *place)
{
	struct us_client *client = NULL;
	char host[128];

	snprintf(host, sizeof(host), "unix:%s", place->path);
	assert_int_equal(us_client_new(&client, place->loop, host), 0);
	return client;
}

static void test_calls(void **state)
{
	struct us_server *server = serve(*state);
	struct us_client *client = connect_client(*state);
	struct answers status = { 0 }, detach = { 0 }, monitor = { 0 };

	/* All at once; each answer finds its call. */
	assert_int_equal(us_client_call(client, "GetStatus", NULL, false, on_answer, &status), 0);
	assert_int_equal(us_client_call(client, "DetachVm", json_pack("{s:s}", "name", "a"), false,
					on_answer, &detach),
			 0);
	assert_int_equal(us_client_call(client, "Monitor", NULL, true, on_answer, &monitor), 0);
	place_run(*state, has_four, &monitor);
	assert_int_equal(status.count, 1);
	assert_int_equal(status.last, 7);
	assert_string_equal(status.error, "");
	assert_string_equal(detach.error, "org.understudy.Control.NoSuchVm");
	assert_string_equal(detach.message, "no VM is named a");
	assert_int_equal(monitor.more, 3);
	assert_int_equal(monitor.last, 4);
	us_client_free(client);
	us_server_free(server);
}

static void test_freed_from_an_answer(void **state)
{
	struct us_server *server = serve(*state);
	struct us_client *client = connect_client(*state);
	struct answers first = { .free_from_here = client }, second = { 0 };

	assert_int_equal(us_client_call(client, "Monitor", NULL, true, on_answer, &first), 0);
	assert_int_equal(us_client_call(client, "GetStatus", NULL, false, on_answer, &second), 0);
	place_run(*state, has_answer, &first);
	while (us_server_counts(server)->connected > 0)
		assert_true(sd_event_run(((struct place *)*state)->loop, UINT64_MAX) > 0);
	assert_int_equal(first.count, 1);
	assert_int_equal(second.count, 0);
	us_server_free(server);
}

/* The daemon ends: everyone who waits is told, in order, until somebody frees the client. */
static void test_disconnected(void **state)
{
	struct us_server *server = serve(*state);
	struct us_client *client = connect_client(*state);
	struct answers answers[4] = { 0 };

	assert_int_equal(us_client_call(client, "GetStatus", NULL, false, on_answer, &answers[0]),
			 0);
	for (size_t i = 1; i < 4; i++)
		assert_int_equal(
			us_client_call(client, "ListPairs", NULL, false, on_answer, &answers[i]),
			0);
	place_run(*state, is_held, NULL);
	answers[2].free_from_here = client;
	us_server_free(server);
	place_run(*state, has_answer, &answers[2]);
	assert_string_equal(answers[1].error, "org.understudy.Disconnected");
	assert_non_null(strstr(answers[1].message, "the daemon closed the connection"));
	assert_true(answers[1].answered);
	assert_int_equal(answers[3].count, 0);
}

static void test_call_after_the_end(void **state)
{
	struct us_server *server = serve(*state);
	struct us_client *client = connect_client(*state);
	struct answers answers = { 0 };

	assert_int_equal(us_client_call(client, "ListPairs", NULL, false, on_answer, &answers), 0);
	us_server_free(server);
	place_run(*state, has_answer, &answers);
	assert_false(answers.answered);
	assert_int_equal(us_client_call(client, "GetStatus", NULL, false, on_answer, &answers),
			 -EPIPE);
	assert_int_equal(answers.count, 1);
	us_client_free(client);
}

static void test_hosts(void **state)
{
	static const char *const bad[] = {
		"",
		"unix",
		"/run/x",
		"ssh:host",
		"ssh://",
		"ssh://-oX=y",
		"ssh://root@-oX",
		"ssh://-l@host",
		"ssh://a b",
		"ssh://host/path",
		"ssh://@host",
		"ssh://host\nx",
		"tcp:host:1",
	};
	struct place *place = *state;
	struct us_client *client = NULL;
	char host[128];

	for (size_t i = 0; i < US_ARRAY_LENGTH(bad); i++)
		assert_int_equal(us_client_new(&client, place->loop, bad[i]), -EINVAL);
	snprintf(host, sizeof(host), "unix:%s", place->path);
	assert_int_equal(us_client_new(&client, place->loop, host), -ENOENT);
	assert_null(client);
}

/* Something listens, but it is no understudyd. */
static void test_nonsense(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 400 Bad Request",
		"[]",
		"{\"parameters\":{},\"continues\":true}",
	};
	struct place *place = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listening = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, place->path);
	assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listening, 1), 0);
	for (size_t i = 0; i < US_ARRAY_LENGTH(answers); i++) {
		struct us_client *client = connect_client(place);
		struct answers seen = { 0 };
		int fd = accept(listening, NULL, NULL);

		assert_int_equal(us_client_call(client, "GetStatus", NULL, false, on_answer, &seen),
				 0);
		assert_int_equal(write(fd, answers[i], strlen(answers[i]) + 1),
				 strlen(answers[i]) + 1);
		place_run(place, has_answer, &seen);
		assert_non_null(strstr(seen.message, "is it an understudyd?"));
		assert_false(seen.answered);
		us_client_free(client);
		close(fd);
	}
	close(listening);
}

/* ---- Through ssh: the program that stands for it here does what the far side would ---- */

static void put_ssh(struct place *place, const char *script, char *path, size_t size)
{
	FILE *out;

	snprintf(path, size, "%s/ssh", place->directory);
	out = fopen(path, "we");
	assert_non_null(out);
	fprintf(out, "#!/bin/sh\n%s\n", script);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

static void test_ssh_ends(void **state)
{
	static const struct {
		const char *script, *message;
	} cases[] = {
		{ "exit 3", "ssh://there: no understudyd runs there" },
		{ "exit 127", "ssh://there: understudy is not installed there" },
		{ "exit 255", "ssh://there: ssh could not connect" },
		{ "kill -9 $$", "ssh://there: ssh was killed" },
		{ "exit 0", "ssh://there: the connection through ssh ended" },
		/* What it was told to do, and nothing else. */
		{ "[ \"$*\" = '-o BatchMode=yes -o UpdateHostKeys=no -T there understudy proxy' ] "
		  "&& exit 3",
		  "no understudyd runs there" },
	};
	struct place *place = *state;
	US_CLEANUP(us_freep) char *path = strdup(getenv("PATH"));
	char all[8192], script[128];

	snprintf(all, sizeof(all), "%s:%s", place->directory, path);
	setenv("PATH", all, true);
	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		struct us_client *client = NULL;
		struct answers answers = { 0 };

		put_ssh(place, cases[i].script, script, sizeof(script));
		assert_int_equal(us_client_new(&client, place->loop, "ssh://there"), 0);
		us_client_call(client, "GetStatus", NULL, false, on_answer, &answers);
		place_run(place, has_answer, &answers);
		assert_string_equal(answers.error, "org.understudy.Disconnected");
		assert_non_null(strstr(answers.message, cases[i].message));
		us_client_free(client);
	}
	setenv("PATH", path, true);
	unlink(script);
}

/* A client that goes takes its ssh along. */
static void test_ssh_is_ended(void **state)
{
	struct place *place = *state;
	US_CLEANUP(us_freep) char *path = strdup(getenv("PATH"));
	struct us_client *client = NULL;
	char all[8192], script[128];
	int pipe_fds[2];
	char byte;

	snprintf(all, sizeof(all), "%s:%s", place->directory, path);
	setenv("PATH", all, true);
	/* It holds the pipe's end for as long as it lives. */
	assert_int_equal(pipe(pipe_fds), 0);
	put_ssh(place, "exec cat >/dev/null", script, sizeof(script));
	assert_int_equal(us_client_new(&client, place->loop, "ssh://there"), 0);
	close(pipe_fds[1]);
	us_client_free(client);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 0);
	close(pipe_fds[0]);
	setenv("PATH", path, true);
	unlink(script);
}

static pid_t read_pid(const struct place *place)
{
	char path[300];
	int pid = 0;
	FILE *in = NULL;

	snprintf(path, sizeof(path), "%s/pid", place->directory);
	while (!in || fscanf(in, "%d", &pid) != 1) { /* ssh has not begun to run */
		if (in)
			fclose(in);
		in = fopen(path, "re");
	}
	fclose(in);
	unlink(path);
	return pid;
}

/* Holds @pid: killed, it is not collected before this process ends. Its end of the pipe is @ready.
 */
static pid_t hold_process(pid_t pid)
{
	int ready[2];
	pid_t holder;
	char byte;

	assert_int_equal(pipe(ready), 0);
	holder = fork();
	if (holder == 0) {
		if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		waitpid(holder, NULL, 0);
		holder = -1;
	}
	close(ready[0]);
	return holder;
}

static bool is_collected(void *userdata)
{
	return kill(*(pid_t *)userdata, 0) < 0 && errno == ESRCH;
}

/* A killed process may end late: nobody waits for it, and it is collected all the same. */
static void test_ssh_that_does_not_end(void **state)
{
	struct place *place = *state;
	US_CLEANUP(us_freep) char *path = strdup(getenv("PATH"));
	struct us_client *client = NULL;
	char all[8192], script[128], words[400];
	pid_t ssh, holder;

	snprintf(all, sizeof(all), "%s:%s", place->directory, path);
	setenv("PATH", all, true);
	snprintf(words, sizeof(words), "echo $$ >%s/pid; exec cat >/dev/null", place->directory);
	put_ssh(place, words, script, sizeof(script));
	assert_int_equal(us_client_new(&client, place->loop, "ssh://there"), 0);
	ssh = read_pid(place);
	holder = hold_process(ssh);
	if (holder < 0) {
		us_client_free(client);
		skip(); /* ptrace is not permitted */
	}
	us_client_free(client);
	assert_int_equal(kill(ssh, 0), 0);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	place_run(place, is_collected, &ssh);
	setenv("PATH", path, true);
	unlink(script);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_calls),
		TEST(test_freed_from_an_answer),
		TEST(test_disconnected),
		TEST(test_call_after_the_end),
		TEST(test_hosts),
		TEST(test_nonsense),
		TEST(test_ssh_ends),
		TEST(test_ssh_is_ended),
		TEST(test_ssh_that_does_not_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
