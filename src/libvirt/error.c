/* SPDX-License-Identifier: BSD-3-Clause */
#include <libvirt/virterror.h>

#include "libvirt/error.h"

int us_lv_refuse(struct us_reason *reason, const char *what)
{
	const char *words = virGetLastErrorMessage();

	return us_refuse(reason, "%s: libvirt: \"%s\"", what, words ? words : "no error");
}
