/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/world/machine-command.h"
#include "lab/world/process.h"
#include "util/cleanup.h"
#include "util/error.h"

#define END_POLITELY_MSEC 3000
#define PREFERRED_NICE (-10)

/* Field 22 of proc_pid_stat(5). The command in field 2 can contain any character, also ")". */
static unsigned long long start_time(pid_t pid)
{
	unsigned long long ticks = 0;
	char path[40], text[1024];
	ssize_t length;
	char *c;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = 0;
	c = strrchr(text, ')');
	for (int field = 2; c && field < 22; field++)
		c = strchr(c + 1, ' ');
	if (c)
		sscanf(c, " %llu", &ticks);
	return ticks;
}

static void record_path(const struct us_lab *lab, const char *record, char path[200])
{
	snprintf(path, 200, "%.127s/pids/%.60s", lab->dir, record);
}

static int record_write(const struct us_lab *lab, const char *record)
{
	char path[200];
	FILE *file;

	record_path(lab, record, path);
	file = fopen(path, "we");
	if (!file)
		return -errno;
	fprintf(file, "%d %llu\n", getpid(), start_time(getpid()));
	return fclose(file) ? -errno : 0;
}

static int open_log(const struct us_lab *lab, const char *record)
{
	char path[200];

	snprintf(path, sizeof(path), "%.127s/%.60s.log", lab->dir, record);
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

/*
 * A process on a machine ends at the end of its input, and ssh passes its own input on. So the
 * input must not end while either side runs: it is a pipe whose reading end is opened for writing,
 * too.
 */
static int open_input(const struct us_lab *lab, const struct us_lab_process_spec *spec)
{
	char path[40];
	int pipes[2];

	if (!us_lab_is_machine(lab, spec->place))
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (pipe2(pipes, O_CLOEXEC))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pipes[0]);
	return open(path, O_RDWR | O_CLOEXEC);
}

void us_lab_process_raise_priority(void)
{
	FILE *autogroup = fopen("/proc/self/autogroup", "we");

	setpriority(PRIO_PROCESS, 0, PREFERRED_NICE);
	if (autogroup) {
		fprintf(autogroup, "%d", PREFERRED_NICE);
		fclose(autogroup);
	}
}

static void redirect(const struct us_lab *lab, const struct us_lab_process_spec *spec, int log)
{
	if (log >= 0) {
		dup2(open_input(lab, spec), STDIN_FILENO);
		dup2(log, STDOUT_FILENO);
		dup2(log, STDERR_FILENO);
	}
	if (spec->stdout_fd >= 0)
		dup2(spec->stdout_fd, STDOUT_FILENO);
	if (spec->errors_too)
		dup2(spec->stdout_fd, STDERR_FILENO);
	if (spec->extra_fd == US_LAB_PROCESS_EXTRA_FD)
		fcntl(spec->extra_fd, F_SETFD, 0);
	else if (spec->extra_fd >= 0)
		dup2(spec->extra_fd, US_LAB_PROCESS_EXTRA_FD);
}

/* Runs the command in its place; returns only if that fails. */
static void execute(const struct us_lab *lab, const struct us_lab_process_spec *spec)
{
	const char *argv[90] = { "ip", "netns", "exec" };
	char netns[64], command[US_LAB_MACHINE_COMMAND];
	size_t n = 0;

	if (us_lab_is_machine(lab, spec->place)) {
		us_lab_machine_command(lab, spec->place, spec->record, spec->argv, argv, command);
	} else {
		if (spec->place) {
			argv[3] = us_lab_namespace(lab, spec->place, netns);
			n = 4;
		}
		for (size_t i = 0; spec->argv[i] && n < US_ARRAY_LENGTH(argv) - 1; i++)
			argv[n++] = spec->argv[i];
		argv[n] = NULL;
	}
	execvp(argv[0], (char *const *)argv);
	fprintf(stderr, "%s: %s\n", argv[0], us_strerror(errno));
}

/* Runs in the child process. */
static void __attribute__((noreturn))
run_child(const struct us_lab *lab, const struct us_lab_process_spec *spec, pid_t parent)
{
	sigset_t none;
	int log = -1;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (lab->is_transient || !spec->record) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(127);
	}
	if (spec->record) {
		setsid();
		us_lab_process_raise_priority();
		if (record_write(lab, spec->record) || (log = open_log(lab, spec->record)) < 0)
			_exit(127);
	}
	if (spec->adopts)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	redirect(lab, spec, log);
	execute(lab, spec);
	_exit(127);
}

int us_lab_process_spawn(const struct us_lab *lab, const struct us_lab_process_spec *spec,
			 pid_t *ret_pid)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		run_child(lab, spec, parent);
	*ret_pid = pid;
	return 0;
}

int us_lab_process_start(const struct us_lab *lab, const char *place, const char *record,
			 const char *const argv[], pid_t *ret_pid)
{
	const struct us_lab_process_spec spec = {
		.argv = argv, .place = place, .record = record, .stdout_fd = -1, .extra_fd = -1
	};

	return us_lab_process_spawn(lab, &spec, ret_pid);
}

int us_lab_process_pipe(const struct us_lab *lab, const char *place, const char *record,
			const char *const argv[], pid_t *ret_pid, int *ret_fd)
{
	struct us_lab_process_spec spec = {
		.argv = argv, .place = place, .record = record, .extra_fd = -1
	};
	int pipes[2], r;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	spec.stdout_fd = pipes[1];
	r = us_lab_process_spawn(lab, &spec, ret_pid);
	close(pipes[1]);
	if (r)
		close(pipes[0]);
	else
		*ret_fd = pipes[0];
	return r;
}

bool us_lab_process_has_ended(pid_t pid)
{
	siginfo_t info = {};

	waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT);
	return info.si_pid;
}

static int wait_status(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int us_lab_process_run(const struct us_lab *lab, const char *place, const char *const argv[])
{
	pid_t pid = -1;
	int r = us_lab_process_start(lab, place, NULL, argv, &pid);

	return r ? r : wait_status(pid);
}

char *us_lab_process_read(const struct us_lab *lab, const char *place, const char *const argv[])
{
	US_CLEANUP(us_freep) char *text = NULL;
	size_t size = 0;
	FILE *stream;
	pid_t pid;
	int fd;

	if (us_lab_process_pipe(lab, place, NULL, argv, &pid, &fd))
		return NULL;
	stream = fdopen(fd, "r");
	if (getdelim(&text, &size, 0, stream) < 0 && text)
		*text = 0;
	fclose(stream);
	return wait_status(pid) == 0 ? US_STEAL(text) : NULL;
}

char *us_lab_process_read_line(const struct us_lab *lab, const char *place,
			       const char *const argv[])
{
	char *text = us_lab_process_read(lab, place, argv);

	if (text)
		text[strcspn(text, "\n")] = 0;
	return text;
}

/* A pidfd of the recorded process, or -1 if it has ended, even if its PID is in use again. */
static int record_open(const struct us_lab *lab, const char *record, pid_t *ret_pid)
{
	unsigned long long ticks = 0;
	char path[200];
	pid_t pid = 0;
	FILE *file;
	int fd, n;

	record_path(lab, record, path);
	file = fopen(path, "re");
	if (!file)
		return -1;
	n = fscanf(file, "%d %llu", &pid, &ticks);
	fclose(file);
	if (n != 2 || pid <= 0)
		return -1;
	fd = pidfd_open(pid, 0);
	if (fd >= 0 && start_time(pid) != ticks)
		fd = us_close(fd);
	if (ret_pid)
		*ret_pid = pid;
	return fd;
}

bool us_lab_process_is_alive(const struct us_lab *lab, const char *record, pid_t *ret_pid)
{
	US_CLEANUP(us_closep) int fd = record_open(lab, record, ret_pid);
	struct pollfd ended = { .fd = fd, .events = POLLIN };

	return fd >= 0 && poll(&ended, 1, 0) == 0;
}

void us_lab_process_end(const struct us_lab *lab, const char *record)
{
	US_CLEANUP(us_closep) int fd = -1;
	struct pollfd ended = { .events = POLLIN };
	char path[200];
	pid_t pid = 0;

	fd = record_open(lab, record, &pid);
	if (fd >= 0) {
		ended.fd = fd;
		pidfd_send_signal(fd, SIGTERM, NULL, 0);
		if (poll(&ended, 1, END_POLITELY_MSEC) == 0) {
			pidfd_send_signal(fd, SIGKILL, NULL, 0);
			poll(&ended, 1, -1);
		}
		waitpid(pid, NULL, WNOHANG);
	}
	record_path(lab, record, path);
	unlink(path);
}

void us_lab_process_end_all(const struct us_lab *lab, const char *prefix)
{
	struct dirent *entry;
	char path[200];
	DIR *dir;

	record_path(lab, "", path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && !strncmp(entry->d_name, prefix, strlen(prefix)))
			us_lab_process_end(lab, entry->d_name);
	if (dir)
		closedir(dir);
}
