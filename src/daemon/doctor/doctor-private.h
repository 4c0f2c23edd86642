/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of a diagnosis, for the files of this room: each appends to a list of findings. */
#pragma once

#include "daemon/doctor/doctor.h"
#include "daemon/doctor/finding.h"

struct us_doctor {
	struct us_vms *vms;
	struct us_vfs *vfs;
	const struct us_doctor_handler *handler;
	void *userdata;
	struct us_list diagnoses; /* under way, of VMs */
};

void us_doctor_find_host(const struct us_doctor *doctor, struct us_list *findings);
/* The pair as far as the daemon and the host show it. */
void us_doctor_find_pair(const struct us_doctor *doctor, struct us_host_pair *pair,
			 struct us_list *findings);
/* Its VF, if it has one. */
void us_doctor_find_vf(const struct us_host_pair *pair, struct us_list *findings);
/* Whether undelivered frames can be taken from a stopped QEMU; @reason: NULL if they can. */
void us_doctor_find_stop_frames(const struct us_host_pair *pair, struct us_list *findings,
				const struct us_reason *reason);
/* The standby as QEMU describes it; @refusal: NULL if it did. */
void us_doctor_find_standby(const struct us_host_pair *pair, struct us_list *findings,
			    const struct us_reason *refusal, const struct us_vmm_standby *standby);
