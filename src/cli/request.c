/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls the daemon and waits; a failure becomes one line and an exit code. */
#include <errno.h>
#include <signal.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "api/uri.h"
#include "cli/cli.h"
#include "understudy/client.h"
#include "util/printable.h"

enum {
	CROWD_PAUSE_MSEC = 10,
	CROWD_TRIES = 500,
};

US_DEFINE_CLEANUP(struct us_client *, us_client_free)

struct run {
	const struct us_cli *cli;
	const struct us_cli_request *request;
	sd_event *loop;
};

void us_cli_print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	putchar('\n');
	fflush(stdout);
}

const char *us_cli_json_text(const json_t *object, const char *name, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : otherwise;
}

bool us_cli_json_is(const json_t *object, const char *name, const char *text)
{
	return strcmp(us_cli_json_text(object, name, ""), text) == 0;
}

json_int_t us_cli_json_number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

/* Makes all strings in @value safe for a terminal. */
static void make_printable(json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_string(value)) {
		US_CLEANUP(us_freep) char *text = strdup(json_string_value(value));

		if (!text)
			abort();
		us_make_printable(text);
		json_string_set(value, text);
	}
	json_array_foreach (value, i, member)
		make_printable(member);
	json_object_foreach (value, key, member)
		make_printable(member);
}

/* Replaces what the caller got before. */
static void give(json_t **ret_value, json_t *value)
{
	json_decref(*ret_value);
	*ret_value = value;
}

static void hand_over(const struct run *run, const json_t *parameters)
{
	const struct us_cli_request *request = run->request;
	US_CLEANUP(json_decrefp) json_t *reply = json_deep_copy(parameters);

	if (!run->cli->json && !request->raw)
		make_printable(reply);
	if (request->ret_reply) {
		give(request->ret_reply, US_STEAL(reply));
	} else if (run->cli->json) {
		us_cli_print_json(request->json_member
					  ? json_object_get(reply, request->json_member)
					  : reply);
	} else if (request->reply) {
		request->reply(request->userdata, reply);
	}
}

/* Errors of the interface have a message; those of Varlink name a parameter or a method. */
static enum us_exit report_error(const struct run *run, const char *error, const json_t *parameters)
{
	const struct us_cli *cli = run->cli;
	const char *message = us_cli_json_text(parameters, "message", NULL);
	const char *parameter = us_cli_json_text(parameters, "parameter", NULL);

	if (run->request->ret_error) {
		give(run->request->ret_error,
		     json_pack("{s:s, s:s}", "error", error, "message", message ? message : ""));
		return US_EXIT_FAILED;
	}
	if (cli->json) {
		json_t *value = json_pack("{s:s, s:O}", "error", error, "parameters", parameters);

		us_cli_print_json(value);
		json_decref(value);
	}
	if (strcmp(error, "org.understudy.Disconnected") == 0 &&
	    !json_is_true(json_object_get(parameters, "answered")))
		return us_cli_fail(cli, US_EXIT_NO_DAEMON, "no answer from %s", message);
	if (message)
		return us_cli_fail(cli, US_EXIT_FAILED, "%s", message);
	if (parameter)
		return us_cli_fail(cli, US_EXIT_FAILED, "%s: the value of %s is not valid",
				   cli->host, parameter);
	return us_cli_fail(cli, US_EXIT_FAILED,
			   "%s answered %s: compare `understudy --version` here and there",
			   cli->host, error);
}

static void on_answer(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct run *run = userdata;

	if (error) {
		sd_event_exit(run->loop, report_error(run, error, parameters));
		return;
	}
	hand_over(run, parameters);
	if (!more)
		sd_event_exit(run->loop, US_EXIT_DONE);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct run *run = userdata;

	run->request->interrupted(run->request->userdata);
	return sd_event_exit(run->loop, US_EXIT_FAILED);
}

static int catch_signals(struct run *run)
{
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	r = sd_event_add_signal(run->loop, NULL, SIGINT, on_signal, run);
	return r < 0 ? r : sd_event_add_signal(run->loop, NULL, SIGTERM, on_signal, run);
}

/* With too many clients, the socket refuses for a moment, and nothing tells when to try again. */
static int connect_client(struct us_client **ret_client, sd_event *loop, const char *host)
{
	const struct timespec pause = { .tv_nsec = CROWD_PAUSE_MSEC * 1000 * 1000 };
	int r = us_client_new(ret_client, loop, host);

	for (int i = 0; r == -EAGAIN && i < CROWD_TRIES; i++) {
		nanosleep(&pause, NULL);
		r = us_client_new(ret_client, loop, host);
	}
	return r;
}

enum us_exit us_cli_request_run(const struct us_cli *cli, const struct us_cli_request *request)
{
	US_CLEANUP(sd_event_unrefp) sd_event *loop = NULL;
	US_CLEANUP(us_client_freep) struct us_client *client = NULL;
	struct run run = { .cli = cli, .request = request };
	US_CLEANUP(json_decrefp) json_t *parameters = request->parameters;
	struct us_reason reason;
	struct us_uri uri;
	int r;

	if (us_uri_parse(cli->host, &uri, &reason) != 0)
		return us_cli_usage(cli, "%s", reason.text);
	r = sd_event_new(&loop);
	run.loop = loop;
	if (r >= 0 && request->interrupted)
		r = catch_signals(&run);
	if (r >= 0) {
		r = connect_client(&client, loop, cli->host);
		if (r < 0) {
			if (!request->ret_error)
				return us_cli_no_daemon(cli, r);
			give(request->ret_error,
			     json_pack("{s:i, s:s}", "errno", r, "message", us_strerror(r)));
			return US_EXIT_NO_DAEMON;
		}
		r = us_client_call(client, request->method, US_STEAL(parameters), request->more,
				   on_answer, &run);
	}
	if (r >= 0)
		r = sd_event_loop(loop);
	if (r < 0)
		return us_cli_fail(cli, US_EXIT_FAILED, "%s: %s", cli->host, us_strerror(r));
	return r;
}

enum us_exit us_cli_call(struct us_cli *cli, const char *method, json_t *parameters,
			 void (*print)(void *userdata, const json_t *reply))
{
	const struct us_cli_request request = {
		.method = method,
		.parameters = parameters,
		.reply = print,
		.userdata = cli,
	};

	return us_cli_request_run(cli, &request);
}
