/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/vmm.h"

static const char *const transfer_names[] = {
	[US_TRANSFER_NONE] = "none",	       [US_TRANSFER_ACTIVE] = "active",
	[US_TRANSFER_COMPLETED] = "completed", [US_TRANSFER_FAILED] = "failed",
	[US_TRANSFER_CANCELLED] = "cancelled",
};
_Static_assert(US_ARRAY_LENGTH(transfer_names) == US_TRANSFER_N, "a name for each");

const char *us_transfer_name(enum us_transfer transfer)
{
	return transfer_names[transfer];
}
