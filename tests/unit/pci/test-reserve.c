/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reservations: which pair gets a VF, which is refused and why, and after a restart. The devices
 * are plain files, bound to vfio-pci already: the kernel's part of binding is not tested here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "pci/reserve.h"
#include "support/reserved-vf.h"
#include "support/sysfs-tree.h"

enum {
	VFS = 4,
};

static int setup(void **state)
{
	int r = sysfs_tree_setup(state);

	if (r == 0)
		sysfs_tree_add_pf("eth7", VFS, "vfio-pci");
	return r;
}

static int reserve(const char *pair, struct us_reserved *ret_reserved, struct us_reason *reason)
{
	struct us_reserve_request request = reserved_vf_request(pair);

	return reserved_vf_reserve(&request, ret_reserved, reason);
}

static void assert_reserved(const char *pair, const char *address)
{
	struct us_reserved reserved;
	struct us_reason reason = { .text = "" };

	if (reserve(pair, &reserved, &reason) != 0)
		fail_msg("%s", reason.text);
	assert_string_equal(reserved.address, address);
	assert_string_equal(reserved.port, "eth7");
	assert_string_equal(reserved.former, "vfio-pci");
	assert_int_equal(reserved.index, address[strlen(address) - 1] - '1');
}

static void assert_refused(const char *pair, const char *words)
{
	struct us_reserved reserved;
	struct us_reason reason = { .text = "" };

	assert_int_equal(reserve(pair, &reserved, &reason), US_REFUSED);
	assert_string_equal(reason.text, words);
}

static void test_each_has_one(void **state)
{
	assert_reserved("a", "0000:5e:00.1");
	assert_reserved("b", "0000:5e:00.2");
	assert_reserved("c", "0000:5e:00.3");
	assert_reserved("d", "0000:5e:00.4");
	assert_refused("e", "pool fast: none of its 4 VFs is free; the last: vfio 0000:5e:00.4: is "
			    "reserved for pair d of /run/one: name another device");
}

/* After a restart the pair has the same one. */
static void test_again(void **state)
{
	struct us_reserved found;

	assert_reserved("a", "0000:5e:00.1");
	assert_reserved("b", "0000:5e:00.2");
	assert_int_equal(us_reserved_find(reserved_vf_records(), "/run/one", "b", &found), 0);
	assert_string_equal(found.address, "0000:5e:00.2");
	assert_string_equal(found.pool, "fast");
	assert_int_equal(found.index, 1);
	assert_int_equal(us_reserved_find(reserved_vf_records(), "/run/two", "b", &found), -ENOENT);
	assert_reserved("b", "0000:5e:00.2");
	assert_reserved("a", "0000:5e:00.1");
}

static void test_return(void **state)
{
	struct us_reserve_request request = reserved_vf_request("a");
	struct us_reserve_wait wait = { .usec = 0 };
	struct us_reserved found;
	struct us_reason reason = { .text = "" };

	assert_reserved("a", "0000:5e:00.1");
	assert_int_equal(us_reserved_find(reserved_vf_records(), "/run/one", "a", &found), 0);
	snprintf(found.original, sizeof(found.original), "some words of the PF");
	assert_int_equal(us_record_replace(reserved_vf_records(), &found), 0);
	memset(&found, 0, sizeof(found));
	assert_int_equal(us_reserved_find(reserved_vf_records(), "/run/one", "a", &found), 0);
	assert_string_equal(found.original, "some words of the PF");

	assert_int_equal(us_reserved_return(&request, &found, &wait, &reason), 0);
	assert_int_equal(us_reserved_find(reserved_vf_records(), "/run/one", "a", &found), -ENOENT);
	assert_reserved("b", "0000:5e:00.1");
}

/* Somebody's network interface is up; it belongs to a bridge; it is somewhere else; … */
static void test_in_use(void **state)
{
	sysfs_tree_sh("for n in 1 2 3 4; do rm sys/devices/0000:5e:00.$n/driver; "
		      "mkdir -p sys/bus/pci/drivers/ixgbevf; "
		      "ln -s ../../bus/pci/drivers/ixgbevf sys/devices/0000:5e:00.$n/driver; done; "
		      "mkdir -p sys/devices/0000:5e:00.4/net/v4; echo 0x1003 "
		      ">sys/devices/0000:5e:00.4/net/v4/flags");
	assert_refused("a",
		       "pool fast: none of its 4 VFs is free; the last: vfio 0000:5e:00.4: its "
		       "interface v4 is up: ip link set v4 down");
	sysfs_tree_sh("echo 0x1002 >sys/devices/0000:5e:00.4/net/v4/flags; "
		      "ln -s ../../br0 sys/devices/0000:5e:00.4/net/v4/master");
	assert_refused("a",
		       "pool fast: none of its 4 VFs is free; the last: vfio 0000:5e:00.4: its "
		       "interface v4 belongs to another: ip link set v4 nomaster");
	sysfs_tree_sh("rm -r sys/devices/0000:5e:00.4/net/v4");
	assert_refused("a",
		       "pool fast: none of its 4 VFs is free; the last: vfio 0000:5e:00.4: is "
		       "bound to ixgbevf without an interface here: may be in use: if nobody uses "
		       "it, bind it to vfio-pci");
	sysfs_tree_sh("rm sys/devices/0000:5e:00.4/driver; echo uio_pci_generic "
		      ">sys/devices/0000:5e:00.4/driver_override");
	assert_refused("a", "pool fast: none of its 4 VFs is free; the last: vfio 0000:5e:00.4: is "
			    "meant for uio_pci_generic (driver_override): name another device");
}

/* A refused reservation leaves neither a record nor a driver_override. */
static void test_refused_leaves_nothing(void **state)
{
	sysfs_tree_sh("rm sys/devices/0000:5e:00.*/driver");
	assert_refused("a",
		       "pool fast: none of its 4 VFs is free; the last: vfio 0000:5e:00.4: "
		       "vfio-pci does not bind it: modprobe vfio-pci, and switch the IOMMU on");
	sysfs_tree_sh("test -z \"$(ls -A reserved)\"; for n in 1 2 3 4; do "
		      "test -z \"$(head -n 1 sys/devices/0000:5e:00.$n/driver_override)\"; done");
}

static void test_skips_what_is_taken(void **state)
{
	sysfs_tree_sh("rm dev/vfio/1");
	assert_reserved("a", "0000:5e:00.2");
	sysfs_tree_sh("test ! -e reserved/0000:5e:00.1");
}

static void test_record_of_nobody(void **state)
{
	sysfs_tree_sh(
		"mkdir reserved; for n in 1 2 3 4; do echo nonsense >reserved/0000:5e:00.$n; done");
	assert_refused("a",
		       "pool fast: none of its 4 VFs is free; the last: vfio 0000:5e:00.4: its "
		       "record is malformed: remove the record");
}

/* ---- Many at once ---- */

struct contender {
	pthread_t thread;
	char pair[8];
	struct us_reserved reserved;
	int r;
};

static void *contend(void *userdata)
{
	struct contender *contender = userdata;
	struct us_reserve_request request = reserved_vf_request(contender->pair);
	struct us_reason reason;
	int fd = -1;

	contender->r = us_reserve(&request, &contender->reserved, &fd, &reason);
	us_close(fd);
	return NULL;
}

static void test_many_at_once(void **state)
{
	struct contender contenders[16];
	unsigned seen = 0, count = 0;

	for (int i = 0; i < 16; i++) {
		snprintf(contenders[i].pair, sizeof(contenders[i].pair), "p%d", i);
		assert_int_equal(
			pthread_create(&contenders[i].thread, NULL, contend, &contenders[i]), 0);
	}
	for (int i = 0; i < 16; i++) {
		pthread_join(contenders[i].thread, NULL);
		assert_true(contenders[i].r == 0 || contenders[i].r == US_REFUSED);
		if (contenders[i].r)
			continue;
		count++;
		seen |= 1u << contenders[i].reserved.index;
	}
	assert_int_equal(count, VFS);
	assert_int_equal(seen, (1u << VFS) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_has_one, setup, sysfs_tree_teardown),
		cmocka_unit_test_setup_teardown(test_again, setup, sysfs_tree_teardown),
		cmocka_unit_test_setup_teardown(test_return, setup, sysfs_tree_teardown),
		cmocka_unit_test_setup_teardown(test_in_use, setup, sysfs_tree_teardown),
		cmocka_unit_test_setup_teardown(test_refused_leaves_nothing, setup,
						sysfs_tree_teardown),
		cmocka_unit_test_setup_teardown(test_skips_what_is_taken, setup,
						sysfs_tree_teardown),
		cmocka_unit_test_setup_teardown(test_record_of_nobody, setup, sysfs_tree_teardown),
		cmocka_unit_test_setup_teardown(test_many_at_once, setup, sysfs_tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
