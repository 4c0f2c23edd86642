/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings about libvirt on this host: whether its domains can be adopted. */
#include <string.h>
#include <unistd.h>

#include "daemon/doctor/doctor-private.h"
#include "util/clock.h"
#include "vmm/libvirt/libvirt.h"

/* systemd may start libvirtd for the connection. */
#define CONNECT_USEC (5 * US_USEC_PER_SEC)

static void find_status(void *userdata, const struct us_libvirt_status *status)
{
	struct us_findings *findings = userdata;

	if (status->version[0])
		us_find_ok(findings, "libvirt %s answers at %s", status->version, status->uri);
	else if (status->problem)
		us_find_warning(findings, us_reason_next(status->problem), "libvirt: %.*s",
				(int)us_reason_problem_length(status->problem),
				status->problem->text);
	else if (status->is_running && us_now_usec() - status->started_usec < CONNECT_USEC)
		us_find_ok(findings, "libvirt is being connected at %s", status->uri);
	else if (status->is_running)
		us_find_warning(findings,
				"virsh -c URI list shows whether it hangs: restart libvirtd, or "
				"virtqemud",
				"libvirt does not answer at %s", status->uri);
	else
		us_find_warning(findings, "journalctl -u understudyd",
				"the helper for %s has ended", status->uri);
}

static void count(void *userdata, const struct us_libvirt_status *status)
{
	++*(unsigned *)userdata;
}

/* libvirt itself is here: its domains are missed. */
static bool has_libvirtd(void)
{
	return access("/run/libvirt/libvirt-sock", F_OK) == 0 ||
	       access("/run/libvirt/virtqemud-sock", F_OK) == 0;
}

/* The daemon looked for the helper when it started. */
static void find_helper(const char *program, struct us_findings *findings)
{
	if (access(program, X_OK) == 0)
		us_find_warning(findings, "systemctl restart understudyd",
				"domains of libvirt are not adopted: %s came after the daemon",
				program);
	else if (has_libvirtd())
		us_find_warning(findings,
				"install the package understudy-libvirt; then systemctl restart "
				"understudyd",
				"domains of libvirt are not adopted: there is no %s", program);
}

void us_doctor_find_libvirt(const struct us_doctor *doctor, struct us_findings *findings)
{
	unsigned helpers = 0;

	us_libvirt_each(doctor->config.libvirt, count, &helpers);
	us_libvirt_each(doctor->config.libvirt, find_status, findings);
	if (!helpers && strcmp(doctor->config.libvirt_uri, "none") != 0)
		find_helper(us_libvirt_program(doctor->config.libvirt), findings);
}
