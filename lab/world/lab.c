/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lab/world/lab.h"
#include "util/clock.h"

int us_lab_directories(const struct us_lab *lab)
{
	char path[160];

	if (mkdir("/run/understudy-lab", 0755) && errno != EEXIST)
		return -errno;
	if (mkdir(lab->dir, 0755) && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof(path), "%s/pids", lab->dir);
	return mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct us_lab *lab = userdata;

	lab->is_interrupted = true;
	return 0;
}

static int loop_new(struct us_lab *lab)
{
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);

	r = sd_event_new(&lab->loop);
	if (r >= 0)
		r = sd_event_add_signal(lab->loop, NULL, SIGINT, on_signal, lab);
	if (r >= 0)
		r = sd_event_add_signal(lab->loop, NULL, SIGTERM, on_signal, lab);
	if (r >= 0)
		r = sd_event_add_signal(lab->loop, NULL, SIGHUP, on_signal, lab);
	return r < 0 ? r : 0;
}

int us_lab_open(struct us_lab *lab, const struct us_lab_options *options)
{
	*lab = (struct us_lab){ .options = *options, .output = stdout };
	snprintf(lab->dir, sizeof(lab->dir), "/run/understudy-lab/%s", options->name);
	return loop_new(lab);
}

void us_lab_close(struct us_lab *lab)
{
	lab->loop = sd_event_unref(lab->loop);
}

bool us_lab_has_machines(const struct us_lab *lab)
{
	return lab->options.hosts == US_LAB_HOST_KIND_MACHINE;
}

bool us_lab_has_libvirt(const struct us_lab *lab)
{
	return lab->options.vmm == US_LAB_VMM_LIBVIRT;
}

bool us_lab_is_machine(const struct us_lab *lab, const char *place)
{
	return us_lab_has_machines(lab) && place && !strncmp(place, "host-", 5);
}

const char *us_lab_namespace(const struct us_lab *lab, const char *place, char buffer[64])
{
	snprintf(buffer, 64, "%.40s-%.20s", lab->options.name, place);
	return buffer;
}

const char *us_lab_host_path(const struct us_lab *lab, enum us_lab_host host, const char *suffix,
			     char path[US_LAB_PATH])
{
	snprintf(path, US_LAB_PATH, "%s/%s.%s", lab->dir, us_lab_host_name(host), suffix);
	return path;
}

const char *us_lab_host_record(enum us_lab_host host, const char *what, char name[40])
{
	snprintf(name, 40, "%s-%s", us_lab_host_name(host), what);
	return name;
}

int us_lab_wait(struct us_lab *lab, bool (*done)(void *userdata), void *userdata,
		uint64_t timeout_usec)
{
	uint64_t deadline = us_now_usec() + timeout_usec, now;
	int r;

	while (!done(userdata)) {
		if (lab->is_interrupted || lab->is_cancelled)
			return lab->is_interrupted ? -EINTR : -ECANCELED;
		now = us_now_usec();
		if (now >= deadline)
			return -ETIMEDOUT;
		r = sd_event_run(lab->loop, deadline - now);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool never(void *userdata)
{
	return false;
}

void us_lab_sleep(struct us_lab *lab, uint64_t usec)
{
	us_lab_wait(lab, never, NULL, usec);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	return 0;
}

int us_lab_poll(struct us_lab *lab, bool (*done)(void *), void *userdata, uint64_t timeout_usec)
{
	uint64_t end = us_now_usec() + timeout_usec;
	int r;

	do {
		sd_event_source *timer = NULL;

		sd_event_add_time_relative(lab->loop, &timer, CLOCK_MONOTONIC,
					   50 * US_USEC_PER_MSEC, 0, on_tick, NULL);
		r = us_lab_wait(lab, done, userdata, 60 * US_USEC_PER_MSEC);
		sd_event_source_disable_unref(timer);
	} while (r == -ETIMEDOUT && us_now_usec() < end);
	return r;
}
