/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings about a pair's VF: whether the card has its settings, and what the card cannot do. */
#include "daemon/doctor/doctor-private.h"
#include "daemon/vf/vf.h"
#include "net/vf/sriov.h"

#define ADD(level, next, ...)                                                                      \
	us_finding_add(findings, US_FINDING_##level, us_host_pair_name(pair), next, __VA_ARGS__)

void us_doctor_find_vf(const struct us_host_pair *pair, struct us_list *findings)
{
	const char *pf = us_host_vf_pf(us_host_pair_vf(pair));
	struct us_reason reason = { .text = "" };
	struct us_sriov_status status;
	char mac[US_MAC_TEXT_SIZE];
	int r;

	if (!pf)
		return;
	r = us_sriov_get_status(us_host_vf_sriov(us_host_pair_vf(pair)), &status, &reason);
	if (r != 0) {
		us_finding_add_reason(findings, US_FINDING_ERROR, us_host_pair_name(pair), r,
				      &reason);
		return;
	}
	us_mac_text(status.mac, mac);
	if (us_host_vf_group_is_in_use(us_host_pair_vf(pair)))
		ADD(WARNING, "fuser -v /dev/vfio/* shows the process: end it",
		    "VF %u of %s is hidden, but another process has it open: a VM may still use it",
		    status.index, pf);
	if (!status.is_as_set)
		ADD(ERROR, "find the program that sets it; understudy hide and expose set it again",
		    "VF %u of %s has the MAC address %s: another program has set it", status.index,
		    pf, mac);
	else if (status.cannot_listen)
		ADD(WARNING,
		    "check whether the PF's list of addresses is full: bridge fdb show dev PF",
		    "VF %u of %s: the PF cannot listen for the guest's MAC address: frames are "
		    "lost "
		    "while the guest's driver starts and stops",
		    status.index, pf);
	else
		ADD(OK, "",
		    "VF %u of %s has the MAC address %s; answers to probes show whether the guest "
		    "uses it",
		    status.index, pf, mac);
}
