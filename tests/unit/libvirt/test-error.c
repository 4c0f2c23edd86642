/* SPDX-License-Identifier: BSD-3-Clause */
/* The next steps after refusals of libvirt, whose words these are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "libvirt/error.h"
#include "util/cleanup.h"

static const struct {
	int code;
	const char *words;
	const char *next; /* a part of the step; NULL: none is known */
} refusals[] = {
	{ VIR_ERR_INTERNAL_ERROR,
	  "internal error: cannot update AppArmor profile "
	  "'libvirt-c7bea85c-862b-4457-9e49-158607b3bee8'",
	  "/etc/apparmor.d/local/abstractions/libvirt-qemu" },
	{ VIR_ERR_INTERNAL_ERROR,
	  "internal error: Child process (/usr/lib/libvirt/virt-aa-helper -r -u libvirt-c7be) "
	  "unexpected exit status 1: virt-aa-helper: error: skipped restricted file",
	  "/etc/apparmor.d/local/abstractions/libvirt-qemu" },
	{ VIR_ERR_SYSTEM_ERROR,
	  "unable to set security context 'system_u:object_r:svirt_image_t:s0:c1,c2' on "
	  "'/dev/vfio/12': Permission denied",
	  "ausearch" },
	{ VIR_ERR_SYSTEM_ERROR, "SELinux policy denies access", "ausearch" },
	{ VIR_ERR_INTERNAL_ERROR,
	  "internal error: unable to execute QEMU command 'device_add': vfio 0000:5e:00.2: failed "
	  "to "
	  "open /dev/vfio/12: Permission denied",
	  "whether AppArmor or SELinux denies it" },
	{ VIR_ERR_SYSTEM_ERROR,
	  "cannot limit locked memory of process 812 to 1610612736: Operation not permitted",
	  "whether AppArmor or SELinux denies it" },
	{ VIR_ERR_OPERATION_DENIED,
	  "operation forbidden: read only access prevents virConnectDomainQemuMonitorEventRegister",
	  "read-write socket" },
	{ VIR_ERR_NO_SUPPORT,
	  "this function is not supported by the connection driver: "
	  "virConnectDomainQemuMonitorEventRegister",
	  "qemu:///system" },
	{ VIR_ERR_AUTH_FAILED, "authentication failed: access denied", "without a password" },
	{ VIR_ERR_OPERATION_INVALID,
	  "Requested operation is not valid: PCI device 0000:5e:00.2 is in use by domain db",
	  NULL },
	{ VIR_ERR_INTERNAL_ERROR, NULL, NULL },
};

static void next_steps(void **state)
{
	for (size_t i = 0; i < US_ARRAY_LENGTH(refusals); i++) {
		const char *next = us_lv_next_step(refusals[i].code, refusals[i].words);

		if (!refusals[i].next)
			assert_null(next);
		else if (!next || !strstr(next, refusals[i].next))
			fail_msg("\"%s\": %s", refusals[i].words, next ? next : "no next step");
	}
}

static void drop_error(void *userdata, virErrorPtr error)
{
}

/* libvirt's own words, and the step after them. */
static void quoted(void **state)
{
	virConnectPtr host = virConnectOpenReadOnly("test:///default");
	struct us_reason reason;

	virSetErrorFunc(NULL, drop_error);
	assert_non_null(host);
	assert_null(virDomainCreateXML(host, "<domain/>", 0));
	assert_int_equal(us_lv_refuse(&reason, "the primary cannot be attached"), US_REFUSED);
	assert_string_equal(reason.text,
			    "the primary cannot be attached: libvirt: \"operation forbidden: read "
			    "only access prevents virDomainCreateXML\": connect to libvirt's "
			    "read-write socket as root");
	assert_int_equal(strncmp(us_reason_next(&reason), "connect to", strlen("connect to")), 0);
	virConnectClose(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_steps),
		cmocka_unit_test(quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
