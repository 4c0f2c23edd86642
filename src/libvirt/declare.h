/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes declarations: the daemon's requests that change the metadata of a domain, running or not.
 *
 * A change is made in the definition of a persistent domain and, if it runs, in the live domain. A
 * refused change leaves both as they were. One request changes domains at a time.
 */
#pragma once

#include <jansson.h>

/* Carries out the request @message of the daemon (control.h), which it takes, in a thread. */
void us_lv_declare(json_t *message);
