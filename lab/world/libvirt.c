/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/world/libvirt.h"
#include "lab/world/process.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define READY_TIMEOUT_USEC (60 * US_USEC_PER_SEC)
#define RECORD "libvirt"

static const char *directory(const struct us_lab *lab, enum us_lab_host host,
			     char path[US_LAB_PATH])
{
	return us_lab_host_path(lab, host, "libvirt", path);
}

const char *us_lab_libvirt_path(const struct us_lab *lab, enum us_lab_host host, const char *name,
				char path[US_LAB_PATH])
{
	char base[US_LAB_PATH];

	if (us_lab_has_machines(lab))
		snprintf(path, US_LAB_PATH, US_LAB_LIBVIRT_DIR "/%s", name);
	else
		snprintf(path, US_LAB_PATH, "%.160s/lib/lab/%.25s", directory(lab, host, base),
			 name);
	return path;
}

const char *us_lab_libvirt_uri(const struct us_lab *lab, enum us_lab_host host,
			       char uri[US_LAB_LIBVIRT_URI])
{
	char base[US_LAB_PATH];

	if (us_lab_has_machines(lab))
		snprintf(uri, US_LAB_LIBVIRT_URI, "qemu:///system");
	else
		snprintf(uri, US_LAB_LIBVIRT_URI, "qemu+unix:///system?socket=%s/run/libvirt-sock",
			 directory(lab, host, base));
	return uri;
}

const char *us_lab_libvirt_target(const struct us_lab *lab, enum us_lab_host host,
				  char uri[US_LAB_LIBVIRT_URI])
{
	if (!us_lab_has_machines(lab))
		return us_lab_libvirt_uri(lab, host, uri);
	snprintf(uri, US_LAB_LIBVIRT_URI, "qemu+tcp://10.83.0.%d/system", host + 1);
	return uri;
}

/* `virsh` with @words, which end with NULL. */
static void fill_in(const struct us_lab *lab, enum us_lab_host host, const char *const words[],
		    char uri[US_LAB_LIBVIRT_URI], const char *argv[20])
{
	size_t n = 4;

	memcpy(argv, (const char *[]){ "virsh", "-q", "-c", us_lab_libvirt_uri(lab, host, uri) },
	       n * sizeof(*argv));
	while (*words && n < 19)
		argv[n++] = *words++;
	argv[n] = NULL;
}

int us_lab_libvirt_virsh(const struct us_lab *lab, enum us_lab_host host, const char *const words[])
{
	char uri[US_LAB_LIBVIRT_URI];
	const char *argv[20];

	fill_in(lab, host, words, uri, argv);
	return us_lab_process_run(lab, us_lab_host_name(host), argv);
}

int us_lab_libvirt_virsh_start(const struct us_lab *lab, enum us_lab_host host, const char *record,
			       const char *const words[], pid_t *ret_pid)
{
	char uri[US_LAB_LIBVIRT_URI];
	const char *argv[20];

	fill_in(lab, host, words, uri, argv);
	return us_lab_process_start(lab, us_lab_host_name(host), record, argv, ret_pid);
}

struct starting {
	struct us_lab *lab;
	enum us_lab_host host;
	pid_t pid;
};

static bool is_ready_or_gone(void *userdata)
{
	struct starting *starting = userdata;
	char base[US_LAB_PATH], socket[US_LAB_PATH + 40];

	snprintf(socket, sizeof(socket), "%s/run/libvirt-sock",
		 directory(starting->lab, starting->host, base));
	return us_lab_process_has_ended(starting->pid) ||
	       (access(socket, F_OK) == 0 &&
		us_lab_libvirt_virsh(starting->lab, starting->host,
				     (const char *const[]){ "list", NULL }) == 0);
}

/* It stays while the machine runs. */
static int start_in_machine(struct us_lab *lab, enum us_lab_host host, struct us_reason *reason)
{
	const char *name = us_lab_host_name(host);
	const char *const argv[] = { "understudy-host-libvirt", lab->dir, name, NULL };

	if (!us_lab_process_run(lab, name, argv))
		return 0;
	us_refuse(reason, "libvirtd on %s did not get ready", name);
	return us_advise(reason, "see the messages of host-libvirt above");
}

int us_lab_libvirt_start(struct us_lab *lab, enum us_lab_host host, struct us_reason *reason)
{
	struct starting starting = { .lab = lab, .host = host };
	char script[300], base[US_LAB_PATH], owner[20], record[40];
	const char *name = us_lab_host_name(host);
	const char *const argv[] = { script, "run", directory(lab, host, base), name, owner, NULL };
	const struct us_lab_process_spec spec = { .argv = argv,
						  .place = name,
						  .record = record,
						  .stdout_fd = -1,
						  .extra_fd = -1,
						  .adopts = true };
	int r;

	if (us_lab_has_machines(lab))
		return start_in_machine(lab, host, reason);
	/* A lab that stays has no owner. */
	snprintf(owner, sizeof(owner), "%d", lab->is_transient ? getpid() : 0);
	snprintf(script, sizeof(script), "%s/libvirt-host", lab->programs.host_data);
	us_lab_host_record(host, RECORD, record);
	r = us_lab_process_spawn(lab, &spec, &starting.pid);
	if (!r)
		r = us_lab_poll(lab, is_ready_or_gone, &starting, READY_TIMEOUT_USEC);
	if (!r && !us_lab_process_has_ended(starting.pid))
		return 0;
	us_refuse(reason, "libvirtd on %s did not get ready", name);
	return us_advise(reason, "see %s/%s.log; Debian's package is libvirt-daemon-system",
			 lab->dir, record);
}

void us_lab_libvirt_end(struct us_lab *lab)
{
	char script[300], base[US_LAB_PATH], record[40];

	snprintf(script, sizeof(script), "%s/libvirt-host", lab->programs.host_data);
	for (int host = 0; host < US_LAB_HOSTS; host++) {
		const char *const argv[] = { script, "end", directory(lab, host, base), NULL };

		if (access(base, F_OK))
			continue;
		us_lab_process_end(lab, us_lab_host_record(host, RECORD, record));
		us_lab_process_run(lab, NULL, argv);
	}
}

/* The shell prints nothing if there is no such file. */
static const char *const pid_script = "cat \"$0\" 2>/dev/null";

pid_t us_lab_libvirt_domain_pid(const struct us_lab *lab, enum us_lab_host host)
{
	char base[US_LAB_PATH], path[US_LAB_PATH + 40];
	const char *const argv[] = { "sh", "-c", pid_script, path, NULL };
	US_CLEANUP(us_freep) char *text = NULL;

	if (us_lab_has_machines(lab))
		strcpy(path, "/run/libvirt/qemu/web.pid");
	else
		snprintf(path, sizeof(path), "%s/run/qemu/web.pid", directory(lab, host, base));
	text = us_lab_process_read_line(lab, us_lab_host_name(host), argv);
	return text ? atoi(text) : 0;
}

void us_lab_libvirt_domain_kill(const struct us_lab *lab, enum us_lab_host host)
{
	char pid[20];
	const char *const argv[] = { "kill", pid, NULL };

	snprintf(pid, sizeof(pid), "%d", us_lab_libvirt_domain_pid(lab, host));
	if (strcmp(pid, "0"))
		us_lab_process_run(lab, us_lab_host_name(host), argv);
}
