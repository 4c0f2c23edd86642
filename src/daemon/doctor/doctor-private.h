/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the files of this room: diagnosis.c makes a diagnosis, finding.c its list of findings, and
 * each of the others is a part of it, which appends to that list.
 */
#pragma once

#include "daemon/doctor/doctor.h"
#include "util/cleanup.h"

struct us_doctor {
	struct us_doctor_config config;
	const struct us_doctor_handler *handler;
	void *userdata;
	struct us_list diagnoses; /* under way, of VMs */
};

/* ---- finding.c ---- */

enum us_finding_level {
	US_FINDING_OK,
	US_FINDING_WARNING, /* it works, but not as well as it could */
	US_FINDING_ERROR,
	US_FINDING_N
};

struct us_findings {
	json_t *array;	     /* Finding of the interface, in order */
	const char *subject; /* of what is appended: "host", or the name of a VM or a pair */
};

/* Appends a problem, and the next step: "" for none. */
void us_finding_add(struct us_findings *findings, enum us_finding_level level, const char *next,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));
#define us_find_ok(findings, ...) us_finding_add(findings, US_FINDING_OK, "", __VA_ARGS__)
#define us_find_warning(findings, ...) us_finding_add(findings, US_FINDING_WARNING, __VA_ARGS__)
#define us_find_error(findings, ...) us_finding_add(findings, US_FINDING_ERROR, __VA_ARGS__)

/* Appends the error that @reason tells; @r < 0: the words for that errno. */
void us_find_reason(struct us_findings *findings, int r, const struct us_reason *reason);

/* ---- The parts of a diagnosis ---- */

void us_doctor_find_host(const struct us_doctor *doctor, struct us_findings *findings);
void us_doctor_find_libvirt(const struct us_doctor *doctor, struct us_findings *findings);
void us_doctor_find_vm(const struct us_doctor *doctor, const struct us_host_vm *vm,
		       struct us_findings *findings);
/* The pair as far as the daemon and the host show it. */
void us_doctor_find_pair(const struct us_doctor *doctor, struct us_host_pair *pair,
			 struct us_findings *findings);
/* Whether undelivered frames can be taken from a stopped QEMU; @reason: NULL if they can. */
void us_doctor_find_stop_frames(struct us_findings *findings, const struct us_reason *reason);
/* The standby as QEMU describes it; @refusal: NULL if it did. */
void us_doctor_find_standby(const struct us_host_pair *pair, struct us_findings *findings,
			    const struct us_reason *refusal, const struct us_vmm_standby *standby);
