/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "support/bench-daemon.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define PATIENCE_USEC (60 * US_USEC_PER_SEC)

void bench_fail(const char *what, int error)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(abs(error)));
	exit(1);
}

void bench_run_for(sd_event *loop, uint64_t usec)
{
	uint64_t end = us_now_usec() + usec, now;

	while ((now = us_now_usec()) < end)
		sd_event_run(loop, end - now);
}

void bench_run_until(sd_event *loop, bool (*done)(const void *userdata), const void *userdata,
		     const char *what)
{
	uint64_t end = us_now_usec() + PATIENCE_USEC;

	while (!done(userdata)) {
		if (us_now_usec() > end)
			bench_fail(what, ETIMEDOUT);
		if (sd_event_run(loop, 100 * US_USEC_PER_MSEC) < 0)
			bench_fail("the loop", EIO);
	}
}

/* ---- Process ---- */

void bench_daemon_init(struct bench_daemon *daemon, sd_event *loop, const char *program,
		       const char *dir)
{
	daemon->program = program;
	daemon->loop = loop;
	snprintf(daemon->dir, sizeof(daemon->dir), "%s", dir);
	if (!mkdtemp(daemon->dir))
		bench_fail(dir, errno);
}

void bench_daemon_address(const struct bench_daemon *daemon, char ret_address[80])
{
	snprintf(ret_address, 80, "unix:%s/control", daemon->dir);
}

void bench_daemon_start(struct bench_daemon *daemon)
{
	char address[80];
	const char *socket = address + strlen("unix:");
	const char *const argv[] = { daemon->program, "--socket",  socket,
				     "--state-dir",   daemon->dir, NULL };
	posix_spawn_file_actions_t actions;
	int r;

	bench_daemon_address(daemon, address);
	unlink(socket);
	posix_spawn_file_actions_init(&actions);
	if (daemon->log[0])
		posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, daemon->log,
						 O_WRONLY | O_CREAT | O_APPEND, 0644);
	r = posix_spawn(&daemon->pid, daemon->program, &actions, NULL, (char *const *)argv,
			environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		bench_fail(daemon->program, r);
	/* The socket exists shortly before the daemon listens on it. */
	for (uint64_t end = us_now_usec() + PATIENCE_USEC;; usleep(1000)) {
		r = us_client_new(&daemon->client, daemon->loop, address);
		if (r == 0)
			return;
		if ((r != -ENOENT && r != -ECONNREFUSED) || us_now_usec() > end ||
		    waitpid(daemon->pid, NULL, WNOHANG) > 0)
			bench_fail(address, r);
	}
}

void bench_daemon_end(struct bench_daemon *daemon)
{
	us_client_free(US_STEAL(daemon->client));
	if (daemon->pid <= 0)
		return;
	kill(daemon->pid, SIGTERM);
	waitpid(daemon->pid, NULL, 0);
	daemon->pid = 0;
}

void bench_daemon_remove(struct bench_daemon *daemon)
{
	static const char *const files[] = { "control", "state.json" };
	char path[100];

	bench_daemon_end(daemon);
	for (size_t i = 0; daemon->dir[0] && i < US_ARRAY_LENGTH(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", daemon->dir, files[i]);
		unlink(path);
	}
	rmdir(daemon->dir);
}

struct bench_usage bench_daemon_usage(const struct bench_daemon *daemon)
{
	struct bench_usage usage = { 0 };
	char path[60], line[200];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", daemon->pid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%lu", &usage.cpu_nsec) != 1)
		bench_fail(path, errno);
	fclose(file);
	snprintf(path, sizeof(path), "/proc/%d/status", daemon->pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		sscanf(line, "VmRSS: %ld", &usage.resident_kib);
		sscanf(line, "RssAnon: %ld", &usage.anonymous_kib);
	}
	if (file)
		fclose(file);
	return usage;
}

/* ---- Calls ---- */

struct call {
	bool is_answered;
	json_t *answer;
};

static void on_answer(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct call *call = userdata;
	const char *words = "";

	json_unpack((json_t *)parameters, "{s:s}", "message", &words);
	if (error) {
		fprintf(stderr, "bench: %s: %s\n", error, words);
		exit(1);
	}
	call->answer = json_incref((json_t *)parameters);
	call->is_answered = true;
}

static bool is_answered(const void *userdata)
{
	return ((const struct call *)userdata)->is_answered;
}

json_t *bench_daemon_call(struct bench_daemon *daemon, const char *method, json_t *parameters)
{
	struct call call = { 0 };
	int r = us_client_call(daemon->client, method, parameters, false, on_answer, &call);

	if (r < 0)
		bench_fail(method, r);
	bench_run_until(daemon->loop, is_answered, &call, method);
	return call.answer;
}
