/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may hand frames off to a VM's guest: the source of the one migration that it receives. The
 * secret is told in the answer to Receive, and is worth nothing once that call is over. Pure, but
 * for the kernel's random numbers.
 */
#pragma once

#include <stdbool.h>

enum {
	US_ADMISSION_TEXT = 33, /* 128 bits in hexadecimal digits, with the NUL */
};

struct us_admission {
	char token[US_ADMISSION_TEXT]; /* "": nobody is admitted */
};

/* Draws another token. 0 or -errno; then nobody is admitted. */
int us_admission_grant(struct us_admission *admission);
void us_admission_revoke(struct us_admission *admission);
/* @token may be NULL. Takes as long for a wrong one as for the right one. */
bool us_admission_is_granted(const struct us_admission *admission, const char *token);
