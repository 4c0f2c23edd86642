/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/world/kernel-crash.h"
#include "lab/world/machine.h"
#include "lab/world/machine-health.h"
#include "lab/world/process.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define CHECK_USEC (US_USEC_PER_SEC / 2)
#define SILENCE_USEC (30 * US_USEC_PER_SEC)

struct us_lab_machine_health {
	struct us_lab *lab;
	enum us_lab_host host;
	us_lab_machine_failure_fn fn;
	void *userdata;
	int console; /* the file of its output */
	struct us_lab_kernel_crash kernel;
	int beats;	    /* a line each second from a program in the machine */
	uint64_t beat_usec; /* time of the latest */
	int monitor;	    /* of the emulator, once it was asked for a dump */
	bool has_failed;
	sd_event_source *beat_source, *check_source;
};

static void report(struct us_lab_machine_health *health, const char *line)
{
	health->has_failed = true;
	health->fn(health->userdata, health->host, line);
}

static void on_kernel(void *userdata, const char *line)
{
	report(userdata, line);
}

static void read_console(struct us_lab_machine_health *health)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(health->console, bytes, sizeof(bytes))) > 0)
		us_lab_kernel_crash_feed(&health->kernel, bytes, n, on_kernel, health);
}

/* Why the machine no longer works, or NULL. */
static const char *find_failure(const struct us_lab_machine_health *health)
{
	char name[40];

	if (!us_lab_process_is_alive(health->lab, us_lab_host_record(health->host, "machine", name),
				     NULL))
		return "its emulator has ended";
	if (!us_lab_process_is_alive(health->lab, us_lab_host_record(health->host, "ssh", name),
				     NULL))
		return "the connection to it has ended";
	if (us_now_usec() - health->beat_usec > SILENCE_USEC)
		return "its programs have not been heard from for 30 s";
	return NULL;
}

static int on_check(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct us_lab_machine_health *health = userdata;
	const char *why;

	read_console(health);
	why = health->has_failed ? NULL : find_failure(health);
	if (why) {
		report(health, why);
		health->monitor = us_lab_machine_dump(health->lab, health->host);
	}
	sd_event_source_set_time_relative(source, CHECK_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_beat(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct us_lab_machine_health *health = userdata;
	char bytes[256];

	if (read(fd, bytes, sizeof(bytes)) > 0)
		health->beat_usec = us_now_usec();
	else
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

static int start(struct us_lab_machine_health *health)
{
	static const char *const argv[] = { "sh", "-c", "while echo; do sleep 1; done", NULL };
	sd_event *loop = health->lab->loop;
	char path[US_LAB_PATH], name[40];
	pid_t pid;
	int r;

	us_lab_machine_console_path(health->lab, health->host, path);
	health->console = open(path, O_RDONLY | O_CLOEXEC);
	if (health->console < 0 || lseek(health->console, 0, SEEK_END) < 0)
		return -errno;
	r = us_lab_process_pipe(health->lab, us_lab_host_name(health->host),
				us_lab_host_record(health->host, "beats", name), argv, &pid,
				&health->beats);
	if (r)
		return r;
	r = sd_event_add_io(loop, &health->beat_source, health->beats, EPOLLIN, on_beat, health);
	if (r >= 0)
		r = sd_event_add_time_relative(loop, &health->check_source, CLOCK_MONOTONIC,
					       CHECK_USEC, 0, on_check, health);
	return r < 0 ? r : 0;
}

int us_lab_machine_health_new(struct us_lab_machine_health **ret_health, struct us_lab *lab,
			      enum us_lab_host host, us_lab_machine_failure_fn fn, void *userdata)
{
	struct us_lab_machine_health *health = calloc(1, sizeof(*health));
	int r;

	if (!health)
		return -ENOMEM;
	*health = (struct us_lab_machine_health){ .lab = lab,
						  .host = host,
						  .fn = fn,
						  .userdata = userdata,
						  .console = -1,
						  .beats = -1,
						  .monitor = -1,
						  .beat_usec = us_now_usec() };
	r = start(health);
	if (r)
		health = us_lab_machine_health_free(health);
	*ret_health = health;
	return r;
}

struct us_lab_machine_health *us_lab_machine_health_free(struct us_lab_machine_health *health)
{
	char name[40];

	if (!health)
		return NULL;
	sd_event_source_disable_unref(health->check_source);
	sd_event_source_disable_unref(health->beat_source);
	if (health->has_failed) /* without a connection, the next run boots the machine again */
		us_lab_process_end(health->lab, us_lab_host_record(health->host, "ssh", name));
	us_lab_process_end(health->lab, us_lab_host_record(health->host, "beats", name));
	us_close(health->console);
	us_close(health->beats);
	us_close(health->monitor);
	free(health);
	return NULL;
}
