/* SPDX-License-Identifier: BSD-3-Clause */
/* Boots host machines and connects to them. See machine.h. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/ctl.h"
#include "lab/machine.h"
#include "lab/proc.h"
#include "lab/vm.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define BOOT_TIMEOUT_USEC (300 * US_USEC_PER_SEC)

struct booting {
	const struct us_lab *lab;
	enum us_lab_host host;
	pid_t pid;
};

bool us_machine_is_up(const struct us_lab *lab)
{
	return us_proc_is_alive(lab, "host-a-ssh", NULL) &&
	       us_proc_is_alive(lab, "host-b-ssh", NULL);
}

static bool has_booted(void *userdata)
{
	const struct booting *booting = userdata;
	char path[200], line[200];
	bool is_ready = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.boot", booting->lab->dir,
		 us_lab_host_name(booting->host));
	file = fopen(path, "re");
	while (file && !is_ready && fgets(line, sizeof(line), file))
		is_ready = strstr(line, "host: ready");
	if (file)
		fclose(file);
	return is_ready || us_proc_has_ended(booting->pid);
}

static bool is_connected(void *userdata)
{
	const struct booting *booting = userdata;
	char path[200];

	us_machine_connection(booting->lab, us_lab_host_name(booting->host), path);
	return access(path, F_OK) == 0 || us_proc_has_ended(booting->pid);
}

static int start(struct booting *booting, const char *what, const char *const argv[])
{
	char record[40];
	struct us_proc_spec spec = {
		.argv = argv, .place = "switch", .record = record, .stdout_fd = -1, .extra_fd = -1
	};

	snprintf(record, sizeof(record), "%s-%s", us_lab_host_name(booting->host), what);
	return us_proc_spawn(booting->lab, &spec, &booting->pid);
}

static int start_machine(struct booting *booting)
{
	const struct us_lab *lab = booting->lab;
	char script[300], number[10], qemu[256];
	const char *argv[] = { script, lab->host_image, lab->dir, us_lab_host_name(booting->host),
			       number, NULL, NULL };

	snprintf(script, sizeof(script), "%s/host-machine", lab->host_data);
	snprintf(number, sizeof(number), "%d", booting->host + 1);
	snprintf(qemu, sizeof(qemu), "%s", lab->qemu);
	if (*qemu == '/') /* one of this machine's is to run there */
		argv[5] = dirname(qemu);
	return start(booting, "machine", argv);
}

/* The daemon and the console listen there, the lab for its monitor here. */
static int start_connection(struct booting *booting)
{
	const struct us_lab *lab = booting->lab;
	enum us_lab_host host = booting->host;
	char control[200], key[210], daemon[300], console[410], monitor[410], address[40],
		path[200];
	const char *const argv[] = { "ssh",
				     "-F/dev/null",
				     "-qNTM",
				     "-S",
				     control,
				     "-i",
				     key,
				     "-oStrictHostKeyChecking=no",
				     "-oUserKnownHostsFile=/dev/null",
				     "-oBatchMode=yes",
				     "-oStreamLocalBindUnlink=yes",
				     "-oExitOnForwardFailure=yes",
				     /* Or a machine that hangs would be waited for. */
				     "-oServerAliveInterval=10",
				     "-oServerAliveCountMax=6",
				     "-L",
				     daemon,
				     "-L",
				     console,
				     "-R",
				     monitor,
				     address,
				     NULL };

	us_machine_connection(lab, us_lab_host_name(host), control);
	us_machine_shared(lab, path);
	snprintf(key, sizeof(key), "%s/key", path);
	us_ctl_socket(lab, host, path);
	snprintf(daemon, sizeof(daemon), "%s:/run/understudy/control", path);
	us_vm_console_path(lab, host, path);
	snprintf(console, sizeof(console), "%s:%s", path, path);
	us_vm_monitor_path(lab, host, path);
	snprintf(monitor, sizeof(monitor), "%s:%s", path, path);
	snprintf(address, sizeof(address), "root@10.85.%d.2", host + 1);
	return start(booting, "ssh", argv);
}

static int wait_for(struct us_lab *lab, struct booting *booting, bool (*is_done)(void *userdata),
		    struct us_reason *reason)
{
	const char *host = us_lab_host_name(booting->host);
	int r = us_lab_poll(lab, is_done, booting, BOOT_TIMEOUT_USEC);

	if (!r && us_proc_has_ended(booting->pid))
		r = -ECHILD;
	if (r)
		return us_refuse(reason,
				 "%s does not come up (%s): see %s/%s-machine.log, %s-ssh.log",
				 host, us_strerror(r), lab->dir, host, host);
	return 0;
}

/* Both at once: each has a processor to itself, if there are two. */
static int start_both(struct us_lab *lab, int (*start_one)(struct booting *booting),
		      bool (*is_done)(void *userdata), struct us_reason *reason)
{
	struct booting both[US_LAB_HOSTS];
	int r = 0;

	for (int host = 0; !r && host < US_LAB_HOSTS; host++) {
		both[host] = (struct booting){ lab, host, 0 };
		r = start_one(&both[host]);
	}
	for (int host = 0; !r && host < US_LAB_HOSTS; host++)
		r = wait_for(lab, &both[host], is_done, reason);
	return r;
}

static int make_image(struct us_lab *lab, struct us_reason *reason)
{
	char script[300];
	const char *const argv[] = { script, lab->daemon, lab->cli, lab->kernel, lab->dir, NULL };
	US_CLEANUP(us_freep) char *image = NULL;

	snprintf(script, sizeof(script), "%s/make-host-image", lab->host_data);
	image = us_proc_read(lab, NULL, argv);
	if (!image || !*image)
		return us_refuse(reason, "the image of the host machines cannot be made: see what "
					 "make-host-image said above");
	image[strcspn(image, "\n")] = 0;
	snprintf(lab->host_image, sizeof(lab->host_image), "%.250s", image);
	return 0;
}

int us_machine_boot(struct us_lab *lab, struct us_reason *reason)
{
	int r = make_image(lab, reason);

	if (!r)
		r = start_both(lab, start_machine, has_booted, reason);
	return r ? r : start_both(lab, start_connection, is_connected, reason);
}
