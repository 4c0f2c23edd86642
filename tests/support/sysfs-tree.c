/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/sysfs-tree.h"

char sysfs_tree_root[] = "/tmp/us-tree-XXXXXX";

int sysfs_tree_setup(void **state)
{
	strcpy(strrchr(sysfs_tree_root, '-') + 1, "XXXXXX");
	if (!mkdtemp(sysfs_tree_root))
		return -1;
	sysfs_tree_sh("mkdir -p dev/vfio sys/class/net sys/bus/pci/devices sys/bus/pci/drivers "
		      "sys/devices sys/kernel/iommu_groups");
	return 0;
}

int sysfs_tree_teardown(void **state)
{
	sysfs_tree_sh("cd /; rm -rf \"$OLDPWD\"");
	return 0;
}

void sysfs_tree_sh(const char *format, ...)
{
	char script[2048], command[2200];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(script, sizeof(script), format, arguments);
	va_end(arguments);
	snprintf(command, sizeof(command), "set -e; cd '%s'; %s", sysfs_tree_root, script);
	assert_int_equal(system(command), 0);
}

const char *sysfs_tree_path(void)
{
	static char path[sizeof(sysfs_tree_root) + 8];

	snprintf(path, sizeof(path), "%s/sys", sysfs_tree_root);
	return path;
}

void sysfs_tree_add_pf(const char *name, int count, const char *driver)
{
	sysfs_tree_sh("p=sys/devices/0000:5e:00.0; mkdir -p $p/net/%s sys/class/net/%s; "
		      "echo %d >$p/sriov_numvfs; echo 7 >$p/sriov_totalvfs; echo 1 "
		      ">$p/sriov_drivers_autoprobe; "
		      "ln -s ../../../devices/0000:5e:00.0 sys/class/net/%s/device",
		      name, name, count, name);
	for (int i = 0; i < count; i++)
		sysfs_tree_sh("v=0000:5e:00.%d; d=sys/devices/$v; g=sys/kernel/iommu_groups/%d; "
			      "mkdir -p $d $g/devices sys/bus/pci/drivers/%s; "
			      "ln -s ../../../devices/$v sys/bus/pci/devices/$v; "
			      "ln -s ../../kernel/iommu_groups/%d $d/iommu_group; "
			      "ln -s ../../../../devices/$v $g/devices/$v; touch dev/vfio/%d; "
			      "echo 0x020000 >$d/class; echo '(null)' >$d/driver_override; "
			      "ln -s ../0000:5e:00.0 $d/physfn; ln -s ../$v "
			      "sys/devices/0000:5e:00.0/virtfn%d; "
			      "ln -s ../../bus/pci/drivers/%s $d/driver",
			      i + 1, i + 1, driver, i + 1, i + 1, i, driver);
}
