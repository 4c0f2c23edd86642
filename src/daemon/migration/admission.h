/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The permission to hand off frames to a VM's guest. The source of the migration under way has it:
 * the reply to Receive contains a random token, and each call of Handoff must repeat it. The token
 * expires with the call Receive.
 */
#pragma once

#include <stdbool.h>

enum {
	US_ADMISSION_TEXT = 33, /* 128 bits in hexadecimal digits, with the NUL */
};

struct us_admission {
	char token[US_ADMISSION_TEXT]; /* "": nobody has the permission */
};

/* Makes a new token. 0 or -errno; then nobody has the permission. */
int us_admission_grant(struct us_admission *admission);
/* The token expires. */
void us_admission_revoke(struct us_admission *admission);
/*
 * Whether @token is the token. @token may be NULL. The time that it takes does not depend on the
 * bytes of @token.
 */
bool us_admission_is_granted(const struct us_admission *admission, const char *token);
