/* SPDX-License-Identifier: BSD-3-Clause */
/* The VFIO check against a tree of files that looks like sysfs, in a directory of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pci/vfio.h"

static char root[] = "/tmp/us-vfio-XXXXXX";

/* Runs a shell in the tree; fails the test if that fails. */
static void sh(const char *script)
{
	char command[2048];

	snprintf(command, sizeof(command), "set -e; cd '%s'; %s", root, script);
	assert_int_equal(system(command), 0);
}

/* Group 12: a VF of eth7's card, another VF with no driver, and the bridge above them. */
static int setup(void **state)
{
	strcpy(strrchr(root, '-') + 1, "XXXXXX");
	if (!mkdtemp(root))
		return -1;
	sh("mkdir -p dev/vfio sys/kernel/iommu_groups/12/devices sys/bus/pci/devices "
	   "sys/devices/pf/net/eth7 sys/drivers/vfio-pci sys/drivers/ixgbevf sys/drivers/pcieport; "
	   "touch dev/vfio/12; "
	   "for d in 0000:5e:00.2 0000:5e:00.3 0000:5d:00.0; do "
	   " mkdir sys/devices/$d; ln -s ../../../devices/$d sys/bus/pci/devices/$d; "
	   " ln -s ../../kernel/iommu_groups/12 sys/devices/$d/iommu_group; "
	   " ln -s ../../../../devices/$d sys/kernel/iommu_groups/12/devices/$d; "
	   " echo 0x020000 > sys/devices/$d/class; done; "
	   "echo 0x060400 > sys/devices/0000:5d:00.0/class; "
	   "ln -s ../../drivers/pcieport sys/devices/0000:5d:00.0/driver; "
	   "ln -s ../../drivers/vfio-pci sys/devices/0000:5e:00.2/driver; "
	   "ln -s ../pf sys/devices/0000:5e:00.2/physfn");
	return 0;
}

static int teardown(void **state)
{
	sh("cd /; rm -rf \"$OLDPWD\"");
	return 0;
}

static int check(const char *address, struct us_vfio *ret_vfio, struct us_reason *reason)
{
	char sysfs[64];

	snprintf(sysfs, sizeof(sysfs), "%s/sys", root);
	return us_vfio_check(sysfs, address, ret_vfio, reason);
}

static void assert_refused(const char *address, const char *words)
{
	struct us_vfio vfio;
	struct us_reason reason = { .text = "" };

	assert_int_equal(check(address, &vfio, &reason), US_REFUSED);
	assert_string_equal(reason.text, words);
}

static void test_usable(void **state)
{
	struct us_vfio vfio;
	struct us_reason reason = { .text = "" };

	if (check("0000:5e:00.2", &vfio, &reason) != 0)
		fail_msg("%s", reason.text);
	assert_string_equal(vfio.address, "0000:5e:00.2");
	assert_string_equal(vfio.physical_port, "eth7");
}

static void test_vendor_driver_and_no_vf(void **state)
{
	struct us_vfio vfio;

	sh("mkdir sys/drivers/mlx5_vfio_pci; cd sys/devices/0000:5e:00.2; rm physfn; "
	   "ln -sfn ../../drivers/mlx5_vfio_pci driver");
	assert_int_equal(check("0000:5e:00.2", &vfio, NULL), 0);
	assert_string_equal(vfio.physical_port, "");
}

static void test_no_address(void **state)
{
	static const char *const bad[] = { "",
					   "5e:00.2",
					   "0000:5e:00.9",
					   "0000:5e:20.0",
					   "0000:5e:00.2/..",
					   "../../../etc",
					   "0000:5E:00.2" };
	struct us_vfio vfio;
	struct us_reason reason;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(check(bad[i], &vfio, &reason), US_REFUSED);
		assert_non_null(strstr(reason.text, "is no PCI address"));
	}
}

static void test_not_bound(void **state)
{
	assert_refused("0000:5e:00.4",
		       "vfio 0000:5e:00.4: the device does not exist: see lspci -D");
	assert_refused("0000:5e:00.3",
		       "vfio 0000:5e:00.3: is bound to no driver: bind it to vfio-pci");
	sh("ln -sfn ../../drivers/ixgbevf sys/devices/0000:5e:00.2/driver");
	assert_refused("0000:5e:00.2",
		       "vfio 0000:5e:00.2: is bound to ixgbevf: bind it to vfio-pci");
}

static void test_group_not_viable(void **state)
{
	sh("ln -sfn ../../drivers/ixgbevf sys/devices/0000:5e:00.3/driver");
	assert_refused("0000:5e:00.2",
		       "vfio 0000:5e:00.2: group 12 is not viable: 0000:5e:00.3 in it is bound to "
		       "ixgbevf: bind all of group 12 to vfio-pci");
}

static void test_no_group(void **state)
{
	sh("rm dev/vfio/12");
	assert_refused("0000:5e:00.2",
		       "vfio 0000:5e:00.2: /dev/vfio/12: No such file or directory: load vfio-pci, "
		       "and let understudyd open the file");
	sh("rm sys/devices/0000:5e:00.2/iommu_group");
	assert_refused("0000:5e:00.2",
		       "vfio 0000:5e:00.2: is in no IOMMU group: switch the IOMMU on");
}

/* In switchdev mode the VF has a port on the host: of the same switch, with the VF's number. */
static void test_representor(void **state)
{
	struct us_vfio vfio;
	struct us_reason reason = { .text = "" };

	sh("mkdir -p sys/class/net/eth7 sys/class/net/eth8 sys/class/net/eth9 sys/class/net/eth10; "
	   "ln -s ../0000:5e:00.3 sys/devices/pf/virtfn0; ln -s ../0000:5e:00.2 "
	   "sys/devices/pf/virtfn1; cd sys/class/net; "
	   "echo 5e > eth7/phys_switch_id; echo p0 > eth7/phys_port_name; "
	   "echo 5e > eth8/phys_switch_id; echo pf0vf0 > eth8/phys_port_name; "
	   "echo 66 > eth9/phys_switch_id; echo pf0vf1 > eth9/phys_port_name; "
	   "echo 5e > eth10/phys_switch_id; echo pf0vf1 > eth10/phys_port_name");
	assert_int_equal(check("0000:5e:00.2", &vfio, &reason), 0);
	assert_int_equal(vfio.index, 1);
	assert_string_equal(vfio.representor, "eth10");
	sh("rm sys/class/net/eth7/phys_switch_id"); /* legacy mode */
	assert_int_equal(check("0000:5e:00.2", &vfio, &reason), 0);
	assert_string_equal(vfio.representor, "");
}

/* Bus Master Enable in the command register; false if that cannot be read. */
static void test_started(void **state)
{
	char sysfs[64];

	snprintf(sysfs, sizeof(sysfs), "%s/sys", root);
	assert_false(us_vfio_is_started(sysfs, "0000:5e:00.2"));
	sh("printf '\\206\\200\\312\\020\\003\\004' >sys/devices/0000:5e:00.2/config");
	assert_false(us_vfio_is_started(sysfs, "0000:5e:00.2"));
	sh("printf '\\206\\200\\312\\020\\004\\000' >sys/devices/0000:5e:00.2/config");
	assert_true(us_vfio_is_started(sysfs, "0000:5e:00.2"));
	sh("printf '\\206\\200' >sys/devices/0000:5e:00.2/config");
	assert_false(us_vfio_is_started(sysfs, "0000:5e:00.2"));
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(test_usable),		IN_TREE(test_vendor_driver_and_no_vf),
		IN_TREE(test_no_address),	IN_TREE(test_not_bound),
		IN_TREE(test_group_not_viable), IN_TREE(test_no_group),
		IN_TREE(test_representor),	IN_TREE(test_started),
	};

	return cmocka_run_group_tests_name("vfio", tests, NULL, NULL);
}
