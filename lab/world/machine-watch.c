/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a host machine still works: what its kernel says on the console, whether its emulator
 * lives, and whether a program that runs there is heard. See machine.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/world/kernel-watch.h"
#include "lab/world/machine.h"
#include "lab/world/proc.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define LOOK_USEC (US_USEC_PER_SEC / 2)
#define SILENCE_USEC (30 * US_USEC_PER_SEC)

struct us_lab_machine_health {
	struct us_lab *lab;
	enum us_lab_host host;
	us_lab_machine_failure_fn fn;
	void *userdata;
	int console; /* the file it is written to */
	struct us_lab_kernel_crash kernel;
	int beats; /* what the program there prints */
	uint64_t heard_usec;
	int monitor; /* its emulator's, once it is asked what became of the machine */
	bool is_dead;
	sd_event_source *beat_source, *look_source;
};

static const char *record(const struct us_lab_machine_health *watch, const char *what, char name[40])
{
	snprintf(name, 40, "%s-%s", us_lab_host_name(watch->host), what);
	return name;
}

static void say(struct us_lab_machine_health *watch, const char *line)
{
	watch->is_dead = true;
	watch->fn(watch->userdata, watch->host, line);
}

static void on_kernel(void *userdata, const char *line)
{
	say(userdata, line);
}

static void read_console(struct us_lab_machine_health *watch)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(watch->console, bytes, sizeof(bytes))) > 0)
		us_lab_kernel_crash_feed(&watch->kernel, bytes, n, on_kernel, watch);
}

/* Why it no longer works, or NULL. */
static const char *why_dead(const struct us_lab_machine_health *watch)
{
	char name[40];

	if (!us_lab_process_is_alive(watch->lab, record(watch, "machine", name), NULL))
		return "its emulator ended";
	if (!us_lab_process_is_alive(watch->lab, record(watch, "ssh", name), NULL))
		return "the connection to it ended";
	if (us_now_usec() - watch->heard_usec > SILENCE_USEC)
		return "nothing that runs on it is heard any more";
	return NULL;
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct us_lab_machine_health *watch = userdata;
	const char *why;

	read_console(watch);
	why = watch->is_dead ? NULL : why_dead(watch);
	if (why) {
		say(watch, why);
		watch->monitor = us_lab_machine_dump(watch->lab, watch->host);
	}
	sd_event_source_set_time_relative(source, LOOK_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_beat(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct us_lab_machine_health *watch = userdata;
	char bytes[256];

	if (read(fd, bytes, sizeof(bytes)) > 0)
		watch->heard_usec = us_now_usec();
	else
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

static int start_beats(struct us_lab_machine_health *watch)
{
	static const char *const argv[] = { "sh", "-c", "while echo; do sleep 1; done", NULL };
	char name[40];
	struct us_lab_process_spec spec = { .argv = argv,
				     .place = us_lab_host_name(watch->host),
				     .record = record(watch, "beats", name),
				     .extra_fd = -1 };
	int pipes[2], r;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	watch->beats = pipes[0];
	spec.stdout_fd = pipes[1];
	r = us_lab_process_spawn(watch->lab, &spec, &pid);
	close(pipes[1]);
	return r;
}

static int start(struct us_lab_machine_health *watch)
{
	sd_event *loop = watch->lab->loop;
	char path[200];
	int r;

	us_lab_machine_console_path(watch->lab, watch->host, path);
	watch->console = open(path, O_RDONLY | O_CLOEXEC);
	if (watch->console < 0 || lseek(watch->console, 0, SEEK_END) < 0)
		return -errno;
	r = start_beats(watch);
	if (r)
		return r;
	r = sd_event_add_io(loop, &watch->beat_source, watch->beats, EPOLLIN, on_beat, watch);
	if (r >= 0)
		r = sd_event_add_time_relative(loop, &watch->look_source, CLOCK_MONOTONIC,
					       LOOK_USEC, 0, on_look, watch);
	return r < 0 ? r : 0;
}

int us_lab_machine_health_new(struct us_lab_machine_health **ret_watch, struct us_lab *lab,
			 enum us_lab_host host, us_lab_machine_failure_fn fn, void *userdata)
{
	struct us_lab_machine_health *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	*watch = (struct us_lab_machine_health){ .lab = lab,
					    .host = host,
					    .fn = fn,
					    .userdata = userdata,
					    .console = -1,
					    .beats = -1,
					    .monitor = -1,
					    .heard_usec = us_now_usec() };
	r = start(watch);
	if (r)
		watch = us_lab_machine_health_free(watch);
	*ret_watch = watch;
	return r;
}

struct us_lab_machine_health *us_lab_machine_health_free(struct us_lab_machine_health *watch)
{
	char name[40];

	if (!watch)
		return NULL;
	sd_event_source_disable_unref(watch->look_source);
	sd_event_source_disable_unref(watch->beat_source);
	if (watch->is_dead) /* the next run boots it anew, and nobody waits for this one */
		us_lab_process_end(watch->lab, record(watch, "ssh", name));
	us_lab_process_end(watch->lab, record(watch, "beats", name));
	us_close(watch->console);
	us_close(watch->beats);
	us_close(watch->monitor);
	free(watch);
	return NULL;
}
