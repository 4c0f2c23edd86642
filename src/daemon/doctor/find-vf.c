/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings about a pair's VF: whether the card has its settings, and what the card cannot do. */
#include "daemon/doctor/doctor-private.h"
#include "daemon/vf/vf.h"
#include "net/vf/sriov.h"

void us_doctor_find_vf(const struct us_host_pair *pair, struct us_findings *findings)
{
	const char *pf = us_host_vf_pf(us_host_pair_vf(pair));
	struct us_reason reason = { .text = "" };
	struct us_sriov_status status;
	int r;

	if (!pf)
		return;
	r = us_sriov_get_status(us_host_vf_sriov(us_host_pair_vf(pair)), &status, &reason);
	if (r != 0) {
		us_find_reason(findings, r, &reason);
		return;
	}
	if (us_host_vf_group_is_in_use(us_host_pair_vf(pair)))
		us_find_warning(findings, "fuser -v /dev/vfio/* shows the process: end it",
				"VF %u of %s is hidden, but another process has it open: a VM may "
				"still use it",
				status.index, pf);
	if (!status.is_as_set)
		us_find_error(
			findings,
			"find the program that sets it; understudy hide and expose set it again",
			"VF %u of %s has the MAC address %s: another program has set it",
			status.index, pf, us_mac_text(status.mac).text);
	else if (status.cannot_listen)
		us_find_warning(
			findings,
			"check whether the PF's list of addresses is full: bridge fdb show dev PF",
			"VF %u of %s: the PF cannot listen for the guest's MAC address: frames are "
			"lost while the guest's driver starts and stops",
			status.index, pf);
	else
		us_find_ok(findings,
			   "VF %u of %s has the MAC address %s; answers to probes show whether the "
			   "guest uses it",
			   status.index, pf, us_mac_text(status.mac).text);
}
