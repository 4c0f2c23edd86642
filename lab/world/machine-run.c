/* SPDX-License-Identifier: BSD-3-Clause */
/* Host machines that are up, during runs: their state, clocks, logs, and the VF. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "lab/world/machine.h"
#include "lab/world/machine-command.h"
#include "lab/world/process.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* The greatest time that the machine was ahead of us when we read a time that it printed. */
static int64_t read_ahead(FILE *stream)
{
	int64_t seconds, usec, ahead = INT64_MIN;
	char line[60];

	while (fgets(line, sizeof(line), stream)) {
		if (sscanf(line, "%" SCNd64 ".%" SCNd64, &seconds, &usec) != 2)
			continue;
		usec += seconds * (int64_t)US_USEC_PER_SEC - us_clock_usec(CLOCK_REALTIME);
		if (usec > ahead)
			ahead = usec;
	}
	return ahead == INT64_MIN ? 0 : ahead;
}

/* A printed time is read later, never earlier, so the greatest lead is the best estimate. */
static int read_clock(struct us_lab *lab, enum us_lab_host host)
{
	static const char *const argv[] = {
		"bash", "-c", "for i in {1..10}; do echo $EPOCHREALTIME; sleep 0.05; done", NULL
	};
	FILE *stream;
	pid_t pid;
	int fd, r;

	r = us_lab_process_pipe(lab, us_lab_host_name(host), NULL, argv, &pid, &fd);
	if (r)
		return r;
	stream = fdopen(fd, "r");
	lab->machines.ahead_usec[host] = read_ahead(stream);
	fclose(stream);
	waitpid(pid, NULL, 0);
	return 0;
}

uint64_t us_lab_machine_to_our_time(const struct us_lab *lab, enum us_lab_host host,
				    uint64_t time_usec)
{
	uint64_t now = us_clock_usec(CLOCK_REALTIME);

	if (!us_lab_has_machines(lab))
		return time_usec;
	time_usec -= lab->machines.ahead_usec[host];
	return time_usec < now ? time_usec : now;
}

int us_lab_machine_read_clocks(struct us_lab *lab)
{
	int r = 0;

	for (int host = 0; !r && us_lab_has_machines(lab) && host < US_LAB_HOSTS; host++)
		r = read_clock(lab, host);
	return r;
}

int us_lab_machine_reset(struct us_lab *lab, struct us_reason *reason)
{
	char queues[10];
	const char *const argv[] = { "understudy-host-begin", queues,
				     us_lab_manager_name(lab->options.manager),
				     us_lab_vmm_name(lab->options.vmm), NULL };

	snprintf(queues, sizeof(queues), "%u", lab->options.queues);
	for (int host = 0; host < US_LAB_HOSTS; host++) {
		US_CLEANUP(us_freep)
		char *vf = us_lab_process_read_line(lab, us_lab_host_name(host), argv);

		if (!vf) {
			us_lab_machine_show_console(lab, host);
			us_refuse(reason, "%s: understudy-host-begin failed",
				  us_lab_host_name(host));
			return us_advise(reason, "see its messages above");
		}
		snprintf(lab->machines.vf, sizeof(lab->machines.vf), "%s", vf);
	}
	return 0;
}

void us_lab_machine_fetch_logs(struct us_lab *lab)
{
	char command[300], shared[200];
	const char *const argv[] = { "sh", "-c", command, NULL };

	us_lab_machine_shared_dir(lab, shared);
	snprintf(command, sizeof(command), "cd %s && cp ../*.log . 2>/dev/null", shared);
	for (int host = 0; host < US_LAB_HOSTS; host++)
		us_lab_process_run(lab, us_lab_host_name(host), argv);
}

int us_lab_machine_set_vf_mac(struct us_lab *lab, enum us_lab_host host, const char *mac)
{
	const char *const argv[] = { "ip", "link", "set", "pf", "vf", "0", "mac", mac, NULL };

	return us_lab_process_run(lab, us_lab_host_name(host), argv);
}
