/* SPDX-License-Identifier: BSD-3-Clause */
/* How a command is run in a host machine: over the machine's one ssh connection. */
#pragma once

#include "lab/world/lab.h"

#define US_LAB_MACHINE_ARGUMENTS 12
#define US_LAB_MACHINE_COMMAND 8000

/* The control socket of the connection to @place, for `ssh -S`. */
void us_lab_machine_connection_path(const struct us_lab *lab, const char *place,
				    char path[US_LAB_PATH]);
/* The directory that the machines and we share, at the same path. */
void us_lab_machine_shared_dir(const struct us_lab *lab, char path[US_LAB_PATH]);

/*
 * Fills @ret_argv, which ends with NULL, with the ssh command that runs @argv in @place; @buffer
 * holds its text. @record: the name of a long-lived process, which ends with our ssh; NULL for a
 * short command, which reads no input.
 */
void us_lab_machine_command(const struct us_lab *lab, const char *place, const char *record,
			    const char *const argv[],
			    const char *ret_argv[US_LAB_MACHINE_ARGUMENTS],
			    char buffer[US_LAB_MACHINE_COMMAND]);
