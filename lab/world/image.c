/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lab/world/image.h"
#include "lab/world/machine-command.h"
#include "lab/world/process.h"
#include "util/cleanup.h"

int us_lab_image_prepare(struct us_lab *lab, struct us_reason *reason)
{
	US_CLEANUP(us_freep) char *image = NULL;
	char script[300], dir[200];

	snprintf(dir, sizeof(dir), "%s", lab->dir);
	if (us_lab_has_machines(lab))
		us_lab_machine_shared_dir(lab, dir);
	mkdir(dir, 0755);
	snprintf(script, sizeof(script), "%s/make-image", lab->programs.guest_data);
	snprintf(lab->image.initrd, sizeof(lab->image.initrd), "%s/initrd", dir);
	image = us_lab_process_read_line(
		lab, NULL,
		(const char *const[]){ script, lab->programs.beacon, lab->image.initrd,
				       lab->options.guest, lab->options.machine->arch, NULL });
	if (!image || !strchr(image, '/')) {
		us_refuse(reason, "the guest's image cannot be made");
		return us_advise(reason, "see the messages of make-image above");
	}
	snprintf(lab->image.kernel, sizeof(lab->image.kernel), "%.200s/vmlinux", image);
	snprintf(lab->image.kernel_packed, sizeof(lab->image.kernel_packed), "%.200s/vmlinuz",
		 image);
	snprintf(lab->image.kernel_version, sizeof(lab->image.kernel_version), "%.63s",
		 strrchr(image, '/') + 1);
	return 0;
}
