/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the daemon finds when it looks at its host, or at a VM, for what could keep a primary from
 * being shown or hidden: findings, each with the next step. Changes nothing.
 */
#pragma once

#include "daemon/daemon.h"

enum us_level {
	US_LEVEL_OK,
	US_LEVEL_WARNING, /* it works, but not as it could */
	US_LEVEL_ERROR,
	US_LEVEL_N
};

/*
 * Appends a Finding to @findings. @about is "host", a VM's or a pair's name. @next is the next
 * step; "" where there is nothing to do, or where the text ends with it, as refusals do.
 */
void us_finding_add(json_t *findings, enum us_level level, const char *about, const char *next,
		    const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same for the words of a refusal, which end with the next step. */
void us_finding_add_reason(json_t *findings, enum us_level level, const char *about, int r,
			   const char *words);

/* diagnose-host.c, diagnose-pair.c, diagnose-vf.c: what can be seen at once. */
void us_doctor_find_host(const struct us_daemon *daemon, json_t *findings);
void us_doctor_find_pair(const struct us_host_pair *pair, json_t *findings);
void us_doctor_find_vf(const struct us_host_pair *pair, json_t *findings);
/* Whether what QEMU has not read at a stop can be had; @r and @reason as of us_drain_new().
 */
void us_doctor_find_stop_frames(const struct us_host_pair *pair, json_t *findings, int r,
				const struct us_reason *reason);
/* … and when QEMU has answered about the standby; @refusal is NULL if it told what it is. */
void us_doctor_find_standby(const struct us_host_pair *pair, json_t *findings,
			    const struct us_reason *refusal, const struct us_vmm_standby *standby);

/* diagnose.c: answers Diagnose. */
void us_doctor_diagnose(struct us_daemon *daemon, struct us_host_vm *vm, struct us_call *call);
void us_doctor_cancel_all(struct us_host_vm *vm);
