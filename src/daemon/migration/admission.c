/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/migration/migration-private.h"

int us_admission_grant(struct us_admission *admission)
{
	uint8_t bytes[(US_ADMISSION_TEXT - 1) / 2];

	us_admission_revoke(admission);
	/* getrandom(2) never returns fewer bytes than these, if it succeeds. */
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return errno ? -errno : -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(admission->token + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

void us_admission_revoke(struct us_admission *admission)
{
	memset(admission->token, 0, sizeof(admission->token));
}

bool us_admission_is_granted(const struct us_admission *admission, const char *token)
{
	char differs = 0;

	if (!admission->token[0] || !token || strlen(token) != sizeof(admission->token) - 1)
		return false;
	for (size_t i = 0; i < sizeof(admission->token); i++)
		differs |= token[i] ^ admission->token[i];
	return !differs;
}
