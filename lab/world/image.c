/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's image: guest/make-image makes it, this runs it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lab/world/machine.h"
#include "lab/world/proc.h"
#include "util/cleanup.h"

int us_lab_image_prepare(struct us_lab *lab, struct us_reason *reason)
{
	US_CLEANUP(us_freep) char *image = NULL;
	char script[300], dir[200];

	snprintf(dir, sizeof(dir), "%s", lab->dir);
	if (lab->options.hosts == US_LAB_HOST_KIND_MACHINE)
		us_lab_machine_shared_dir(lab, dir);
	mkdir(dir, 0755);
	snprintf(script, sizeof(script), "%s/make-image", lab->data);
	snprintf(lab->initrd, sizeof(lab->initrd), "%s/initrd", dir);
	image = us_lab_process_read(lab, NULL,
			     (const char *const[]){ script, lab->beacon, lab->initrd,
						    lab->options.guest, lab->options.machine->arch,
						    NULL });
	if (!image || !strchr(image, '/'))
		return us_refuse(
			reason, "the guest's image cannot be made: see what make-image said above");
	image[strcspn(image, "\n")] = 0;
	snprintf(lab->kernel, sizeof(lab->kernel), "%.200s/vmlinux", image);
	snprintf(lab->kernel_packed, sizeof(lab->kernel_packed), "%.200s/vmlinuz", image);
	snprintf(lab->kernel_version, sizeof(lab->kernel_version), "%.63s",
		 strrchr(image, '/') + 1);
	return 0;
}
