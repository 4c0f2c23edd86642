/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "lab/world/platform.h"
#include "util/cleanup.h"

/* The clock and mitigation settings shorten the boot of an emulated guest. */
#define QUIET "quiet panic=-1 nokaslr mitigations=off"
#define QUIET_X86 "console=ttyS0 tsc=reliable no_timer_check " QUIET

static const struct us_lab_platform platforms[] = {
	{
		.name = "q35",
		.arch = "amd64",
		.qemu = "qemu-system-x86_64",
		.kernel_arguments = QUIET_X86,
		.has_ports = true,
		.has_bios = true,
	},
	{
		.name = "pc",
		.arch = "amd64",
		.qemu = "qemu-system-x86_64",
		.kernel_arguments = QUIET_X86,
		.has_bios = true,
	},
	{
		.name = "virt",
		.arch = "arm64",
		.qemu = "qemu-system-aarch64",
		.cpu = "cortex-a57",
		.kernel_arguments = "console=ttyAMA0 " QUIET,
		.hotplug = "native",
		.has_ports = true,
	},
	{
		.name = "s390-ccw-virtio",
		.arch = "s390x",
		.qemu = "qemu-system-s390x",
		.kernel_arguments = "console=ttysclp0 " QUIET,
		.hotplug = "zpci",
		.is_ccw = true,
	},
};

const struct us_lab_platform *us_lab_platform_find(const char *name)
{
	for (size_t i = 0; i < US_ARRAY_LENGTH(platforms); i++)
		if (!strcmp(platforms[i].name, name))
			return &platforms[i];
	return NULL;
}
