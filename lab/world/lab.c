/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the laboratory's programs and data are, and its event loop. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/world/lab.h"
#include "lab/world/machine.h"
#include "util/clock.h"

static const char *const host_names[] = { "host-a", "host-b" };
_Static_assert(sizeof(host_names) / sizeof(host_names[0]) == US_LAB_HOSTS, "a name for each host");

static const char *const manager_names[] = { "understudy", "qemu" };
_Static_assert(sizeof(manager_names) / sizeof(manager_names[0]) == US_LAB_MANAGERS,
	       "a name for each manager");

static const char *const hosts_names[] = { "netns", "vm" };
_Static_assert(sizeof(hosts_names) / sizeof(hosts_names[0]) == US_LAB_HOST_KINDS,
	       "a name for each kind of hosts");

const char *us_lab_host_kind_name(enum us_lab_host_kind hosts)
{
	return hosts_names[hosts];
}

const char *us_lab_manager_name(enum us_lab_manager manager)
{
	return manager_names[manager];
}

const char *us_lab_host_name(enum us_lab_host host)
{
	return host_names[host];
}

/* Built trees come first, so that a developer tests what was just compiled. */
static void find(char *path, size_t size, const char *self, const char *beside,
		 const char *installed)
{
	snprintf(path, size, "%s/%s", self, beside);
	if (access(path, R_OK))
		snprintf(path, size, "%s", installed);
}

static void find_data(char path[256], const char *source)
{
	snprintf(path, 256, "%s", access(source, R_OK) ? US_LAB_DATADIR : source);
}

/* The one of our own architecture has no suffix. */
static void find_beacon(struct us_lab *lab, const char *self)
{
	const char *arch = lab->options.machine->arch;
	char name[40] = "understudy-beacon", installed[200];

	if (strcmp(arch, "amd64"))
		snprintf(name, sizeof(name), "understudy-beacon-%s", arch);
	snprintf(installed, sizeof(installed), US_LAB_DATADIR "/%s", name);
	find(lab->beacon, sizeof(lab->beacon), self, name, installed);
}

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

FILE *us_lab_out(const struct us_lab *lab)
{
	if (lab->log)
		return lab->log;
	return lab->options.json && !strcmp(lab->options.json, "-") ? stderr : stdout;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct us_lab *lab = userdata;

	lab->interrupted = true;
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

/* A lab that is up is of its own kind, whatever was asked for; what was not chosen depends on it.
 */
static void complete(struct us_lab *lab)
{
	struct us_lab_options *options = &lab->options;
	bool are_vms;

	if (us_lab_machine_is_up(lab))
		options->hosts = US_LAB_HOST_KIND_MACHINE;
	are_vms = options->hosts == US_LAB_HOST_KIND_MACHINE;
	if (!options->primary)
		options->primary = are_vms ? US_LAB_MODEL_VF : "vmxnet3";
	if (!options->rate)
		options->rate = are_vms ? 50 : 1000;
	if (are_vms)
		options->accel = "kvm";
}

int us_lab_init(struct us_lab *lab, const struct us_lab_options *options)
{
	char self[200];
	ssize_t length;

	*lab = (struct us_lab){ .options = *options };
	snprintf(lab->dir, sizeof(lab->dir), "/run/understudy-lab/%s", options->name);

	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length < 0)
		return -errno;
	self[length] = 0;
	*strrchr(self, '/') = 0;
	find(lab->daemon, sizeof(lab->daemon), self, "../src/daemon/understudyd", "understudyd");
	find(lab->daemon_crash, sizeof(lab->daemon_crash), self, "../src/daemon/understudyd-crash", "");
	find(lab->cli, sizeof(lab->cli), self, "../src/cli/understudy", "understudy");
	find_beacon(lab, self);
	find_data(lab->data, US_LAB_SOURCE "/guest");
	find_data(lab->host_data, US_LAB_SOURCE "/hosts");
	complete(lab);

	return loop_new(lab);
}

void us_lab_deinit(struct us_lab *lab)
{
	lab->loop = sd_event_unref(lab->loop);
}

int us_lab_wait(struct us_lab *lab, bool (*done)(void *userdata), void *userdata,
		uint64_t timeout_usec)
{
	uint64_t deadline = us_now_usec() + timeout_usec, now;
	int r;

	while (!done(userdata)) {
		if (lab->interrupted || lab->is_over)
			return lab->interrupted ? -EINTR : -ECANCELED;
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
