/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/world/cli.h"
#include "lab/world/process.h"
#include "util/clock.h"

#define COMMAND_TIMEOUT_USEC (60 * US_USEC_PER_SEC)

static void on_line(void *userdata, char *text, size_t length)
{
	struct us_lab_cli *cli = userdata;
	json_t *line = json_loadb(text, length, 0, NULL);

	if (!line) {
		if (length)
			snprintf(cli->error, sizeof(cli->error), "%s", text);
		return;
	}
	json_decref(cli->last);
	cli->last = json_incref(line);
	if (cli->on_line)
		cli->on_line(cli, line);
	json_decref(line);
}

static void on_closed(void *userdata, int error)
{
	struct us_lab_cli *cli = userdata;

	us_stream_free(US_STEAL(cli->output));
}

static int on_exit_status(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	struct us_lab_cli *cli = userdata;

	cli->status = info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
	cli->has_exited = true;
	return 0;
}

int us_lab_cli_start(struct us_lab_cli *cli, struct us_lab *lab, enum us_lab_host host,
		     void (*on_line_)(struct us_lab_cli *cli, json_t *line), void *userdata,
		     const char *const argv[])
{
	static const struct us_stream_handler handler = { on_line, on_closed };
	char path[US_LAB_PATH], target[210];
	const char *full[40] = { lab->programs.cli, "-H", target, "--json" };
	struct us_lab_process_spec spec = { .argv = full, .extra_fd = -1, .errors_too = true };
	int sockets[2], r;

	*cli = (struct us_lab_cli){
		.lab = lab, .host = host, .on_line = on_line_, .userdata = userdata
	};
	us_lab_host_path(lab, host, US_LAB_SOCKET_DAEMON, path);
	snprintf(target, sizeof(target), "unix:%s", path);
	for (size_t i = 0; argv[i] && i + 5 < US_ARRAY_LENGTH(full); i++)
		full[4 + i] = argv[i];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	spec.stdout_fd = sockets[1];
	r = us_lab_process_spawn(lab, &spec, &cli->pid);
	close(sockets[1]);
	if (r) {
		close(sockets[0]);
		return r;
	}
	r = sd_event_add_child(lab->loop, &cli->child, cli->pid, WEXITED, on_exit_status, cli);
	if (r < 0)
		return r;
	return us_stream_new(&cli->output, lab->loop, sockets[0], '\n',
			     (struct us_stream_limits){ 1 << 20, 1 << 20 }, &handler, cli);
}

bool us_lab_cli_is_done(const struct us_lab_cli *cli)
{
	return cli->has_exited && !cli->output;
}

static bool is_done(void *userdata)
{
	return us_lab_cli_is_done(userdata);
}

int us_lab_cli_wait(struct us_lab_cli *cli, uint64_t timeout_usec, struct us_reason *reason)
{
	int r = us_lab_wait(cli->lab, is_done, cli, timeout_usec);

	if (r)
		return us_refuse(reason, "understudy on %s has not ended: %s",
				 us_lab_host_name(cli->host), us_strerror(r));
	if (cli->status == 0)
		return 0;
	return us_refuse(reason, "%s: exit status %d: %s", us_lab_host_name(cli->host), cli->status,
			 cli->error);
}

void us_lab_cli_deinit(struct us_lab_cli *cli)
{
	if (cli->pid > 0 && !cli->has_exited)
		kill(cli->pid, SIGTERM);
	cli->child = sd_event_source_disable_unref(cli->child);
	if (cli->pid > 0 && !cli->has_exited)
		waitpid(cli->pid, NULL, 0);
	us_stream_free(US_STEAL(cli->output));
	json_decref(US_STEAL(cli->last));
	cli->pid = 0;
}

int us_lab_cli_run(struct us_lab *lab, enum us_lab_host host, const char *const argv[],
		   json_t **ret_output, struct us_reason *reason)
{
	struct us_lab_cli cli;
	int r = us_lab_cli_start(&cli, lab, host, NULL, NULL, argv);

	if (!r)
		r = us_lab_cli_wait(&cli, COMMAND_TIMEOUT_USEC, reason);
	if (!r && ret_output)
		*ret_output = json_incref(cli.last);
	us_lab_cli_deinit(&cli);
	return r;
}
