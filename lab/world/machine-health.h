/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a host machine still works: its kernel reports no crash on the console, its emulator
 * runs, and a program in it is heard from.
 */
#pragma once

#include "lab/world/lab.h"

struct us_lab_machine_health;

/* @line: why the machine no longer works; in later calls, lines of its console. */
typedef void (*us_lab_machine_failure_fn)(void *userdata, enum us_lab_host host, const char *line);

int us_lab_machine_health_new(struct us_lab_machine_health **ret_health, struct us_lab *lab,
			      enum us_lab_host host, us_lab_machine_failure_fn fn, void *userdata);
/* Ends the connection to a machine that failed, so the next run boots both again. Returns NULL. */
struct us_lab_machine_health *us_lab_machine_health_free(struct us_lab_machine_health *health);
