/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lab/world/daemon.h"
#include "lab/world/image.h"
#include "lab/world/libvirt.h"
#include "lab/world/life.h"
#include "lab/world/machine.h"
#include "lab/world/net.h"
#include "lab/world/process.h"

/* The build tree comes first, so that a developer tests what was just compiled. */
static void find(char path[256], const char *self, const char *beside, const char *installed)
{
	snprintf(path, 256, "%s/%s", self, beside);
	if (access(path, R_OK))
		snprintf(path, 256, "%s", installed);
}

static void find_data(char path[256], const char *source)
{
	snprintf(path, 256, "%s", access(source, R_OK) ? US_LAB_DATADIR : source);
}

/* The beacon of amd64 has no suffix. */
static void find_beacon(struct us_lab *lab, const char *self)
{
	const char *arch = lab->options.machine->arch;
	char name[40] = "understudy-beacon", installed[200];

	if (strcmp(arch, "amd64"))
		snprintf(name, sizeof(name), "understudy-beacon-%s", arch);
	snprintf(installed, sizeof(installed), US_LAB_DATADIR "/%s", name);
	find(lab->programs.beacon, self, name, installed);
}

static int find_programs(struct us_lab *lab)
{
	struct us_lab_programs *programs = &lab->programs;
	char self[200];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length < 0)
		return -errno;
	self[length] = 0;
	*strrchr(self, '/') = 0;
	find(programs->daemon, self, "../src/daemon/understudyd", "understudyd");
	find(programs->daemon_crash, self, "../src/daemon/understudyd-crash", "");
	find(programs->cli, self, "../src/cli/understudy", "understudy");
	find(programs->libvirt, self, "../src/libvirt/understudy-libvirt", "");
	find_beacon(lab, self);
	find_data(programs->guest_data, US_LAB_SOURCE "/guest");
	find_data(programs->host_data, US_LAB_SOURCE "/hosts");
	return 0;
}

/* The kind of a lab that is up overrides the options; defaults depend on the kind. */
static void complete(struct us_lab *lab)
{
	struct us_lab_options *options = &lab->options;
	bool are_vms;

	if (us_lab_machine_is_up(lab))
		options->hosts = US_LAB_HOST_KIND_MACHINE;
	are_vms = us_lab_has_machines(lab);
	if (!options->primary)
		options->primary = are_vms ? US_LAB_MODEL_VF : "vmxnet3";
	if (!options->rate)
		options->rate = are_vms ? 50 : 1000;
	if (are_vms)
		options->accel = "kvm";
}

int us_lab_init(struct us_lab *lab, const struct us_lab_options *options)
{
	int r = us_lab_open(lab, options);

	if (!r)
		r = find_programs(lab);
	if (!r)
		complete(lab);
	return r;
}

static void lock_path(const struct us_lab *lab, char path[160])
{
	snprintf(path, 160, "%s.lock", lab->dir);
}

int us_lab_lock(const struct us_lab *lab, struct us_reason *reason)
{
	char path[160];
	int fd, r;

	if (geteuid()) {
		us_refuse(reason, "the lab makes network namespaces and taps");
		return us_advise(reason, "run it as root");
	}
	r = us_lab_directories(lab);
	if (r)
		return r;
	lock_path(lab, path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		us_refuse(reason, "lab %s is in use by another understudy-lab", lab->options.name);
		return us_advise(reason, "wait for it, or choose another --name");
	}
	return 0;
}

void us_lab_end(struct us_lab *lab)
{
	us_lab_libvirt_end(lab);
	us_lab_process_end_all(lab, "");
	us_lab_net_down(lab);
}

void us_lab_end_run(struct us_lab *lab)
{
	char record[40];

	if (!us_lab_has_machines(lab)) {
		us_lab_end(lab);
		return;
	}
	for (int host = 0; host < US_LAB_HOSTS; host++) {
		us_lab_process_end(lab, us_lab_host_record(host, US_LAB_RECORD_QEMU, record));
		us_lab_process_end(lab, us_lab_host_record(host, US_LAB_RECORD_DAEMON, record));
	}
	us_lab_machine_fetch_logs(lab);
}

static void down(struct us_lab *lab)
{
	const char *const remove[] = { "rm", "-rf", "--", lab->dir, NULL };

	us_lab_end(lab);
	us_lab_process_run(lab, NULL, remove);
}

void us_lab_remove(struct us_lab *lab)
{
	char path[160];

	down(lab);
	lock_path(lab, path);
	unlink(path);
}

bool us_lab_is_up(const struct us_lab *lab)
{
	bool is_up = us_lab_net_is_up(lab);
	char record[40];

	for (int host = 0; is_up && host < US_LAB_HOSTS; host++)
		is_up = us_lab_process_is_alive(
			lab, us_lab_host_record(host, US_LAB_RECORD_DAEMON, record), NULL);
	return is_up;
}

static int up_hosts(struct us_lab *lab, struct us_reason *reason)
{
	int r;

	down(lab);
	r = us_lab_directories(lab);
	if (!r)
		r = us_lab_image_prepare(lab, reason);
	if (!r)
		r = us_lab_net_up(lab, reason);
	if (!r && us_lab_has_machines(lab))
		r = us_lab_machine_boot(lab, reason);
	return r;
}

int us_lab_up(struct us_lab *lab, struct us_reason *reason)
{
	bool needs_daemons =
		!lab->is_transient || lab->options.manager == US_LAB_MANAGER_UNDERSTUDY;
	bool are_machines_up = lab->is_transient && us_lab_machine_is_up(lab);
	int r;

	if (are_machines_up)
		us_lab_end_run(lab);
	r = are_machines_up ? us_lab_image_prepare(lab, reason) : up_hosts(lab, reason);
	if (!r && us_lab_has_machines(lab))
		r = us_lab_machine_reset(lab, reason);
	for (int host = 0; !r && us_lab_has_libvirt(lab) && host < US_LAB_HOSTS; host++)
		r = us_lab_libvirt_start(lab, host, reason);
	for (int host = 0; !r && needs_daemons && host < US_LAB_HOSTS; host++)
		r = us_lab_daemon_start(lab, host, reason);
	return r;
}
