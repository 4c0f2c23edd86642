/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reserved VF that a process still has open keeps its settings and its driver. Once it is closed,
 * all original settings are restored.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pci/reserve.h"
#include "support/exclusive-group.h"
#include "support/process.h"
#include "support/reserved-vf.h"
#include "support/sysfs-tree.h"
#include "util/clock.h"
#include "util/file.h"

enum {
	OPERATOR = 4711,
	VMM = 65534,
};

static unsigned restores;
static char restored_as[US_RESERVED_ORIGINAL_SIZE];

static int restore(const struct us_reserved *reserved, struct us_reason *reason)
{
	restores++;
	snprintf(restored_as, sizeof(restored_as), "%s", reserved->original);
	return 0;
}

static int setup(void **state)
{
	int r = sysfs_tree_setup(state);

	if (r != 0)
		return r;
	sysfs_tree_add_pf("eth7", 1, "vfio-pci");
	exclusive_group_new();
	restores = 0;
	return 0;
}

static int teardown(void **state)
{
	exclusive_group_free();
	return sysfs_tree_teardown(state);
}

static struct us_reserve_request request_of(const char *pair)
{
	struct us_reserve_request request = reserved_vf_request(pair);

	request.restore = restore;
	return request;
}

/* Reserved for a pair, with its original settings; the daemon has closed the group. */
static struct us_reserved reserve(pid_t vmm)
{
	struct us_reserve_request request = request_of("a");
	struct us_reserved reserved;
	struct us_reason reason = { .text = "" };

	request.vmm = vmm;
	if (reserved_vf_reserve(&request, &reserved, &reason) != 0)
		fail_msg("%s", reason.text);
	strcpy(reserved.original, "vlan 100");
	assert_int_equal(us_record_replace(reserved_vf_records(), &reserved), 0);
	assert_int_equal(us_reserved_find(reserved_vf_records(), "/run/one", "a", &reserved), 0);
	return reserved;
}

static int give_back(const struct us_reserved *reserved, uint64_t usec, struct us_reason *reason)
{
	struct us_reserve_request request = request_of("a");
	struct us_reserve_wait wait = { .usec = usec };

	return us_reserved_return(&request, reserved, &wait, reason);
}

static void assert_busy(const struct us_reserved *reserved)
{
	struct us_reserved still;
	struct us_reason reason = { .text = "" };

	assert_int_equal(give_back(reserved, 0, &reason), US_REFUSED);
	assert_string_equal(reason.text,
			    "vfio 0000:5e:00.1: group 1 is in use by another process: take it "
			    "from that VM, or name another device");
	assert_int_equal(restores, 0);
	assert_int_equal(us_reserved_find(reserved_vf_records(), "/run/one", "a", &still), 0);
	assert_memory_equal(&still, reserved, sizeof(still));
}

static void assert_returned(const struct us_reserved *reserved)
{
	struct us_reserved still;
	struct us_reason reason = { .text = "" };

	assert_int_equal(give_back(reserved, US_RESERVE_WAIT_USEC, &reason), 0);
	assert_int_equal(restores, 1);
	assert_string_equal(restored_as, "vlan 100");
	assert_int_equal(us_reserved_find(reserved_vf_records(), "/run/one", "a", &still), -ENOENT);
}

static void test_settings_stay_while_guest_owns_it(void **state)
{
	struct us_reserved reserved = reserve(0);

	exclusive_group_open();
	assert_busy(&reserved);
	exclusive_group_close();
	assert_returned(&reserved);
}

/* A device in use is not bound to another driver: that would wait for the VMM. */
static void test_driver_stays_while_guest_owns_it(void **state)
{
	struct us_reserved reserved = reserve(0);

	sysfs_tree_sh("mkdir sys/bus/pci/drivers/igbvf");
	strncpy(reserved.former, "igbvf", sizeof(reserved.former));
	assert_int_equal(us_record_replace(reserved_vf_records(), &reserved), 0);
	exclusive_group_open();
	assert_busy(&reserved);
	sysfs_tree_sh("test ! -e sys/bus/pci/drivers/igbvf/bind; "
		      "test \"$(cat sys/devices/0000:5e:00.1/driver_override)\" = '(null)'");
}

/* A missing node proves nothing while a VFIO driver has the device: it may be hidden from us. */
static void test_settings_stay_if_it_cannot_be_known(void **state)
{
	struct us_reserved reserved = reserve(0);
	struct us_reason reason;

	sysfs_tree_sh("rm dev/vfio/1");
	assert_int_equal(give_back(&reserved, 0, &reason), US_REFUSED);
	assert_int_equal(restores, 0);
	/* In the middle of an unbind the driver is gone, and the guest still has the device. */
	sysfs_tree_sh("ln -s %s dev/vfio/1; rm sys/devices/0000:5e:00.1/driver",
		      exclusive_group_path());
	exclusive_group_open();
	assert_busy(&reserved);
	/* No VFIO driver, and no node: nobody can have it open. */
	sysfs_tree_sh("rm dev/vfio/1; mkdir sys/bus/pci/drivers/igbvf; "
		      "ln -s ../../bus/pci/drivers/igbvf sys/devices/0000:5e:00.1/driver");
	assert_returned(&reserved);
}

/* A VF that is gone has nothing to restore: its number may belong to another VF. */
static void test_device_gone(void **state)
{
	struct us_reserved reserved = reserve(0), still;

	sysfs_tree_sh("rm sys/bus/pci/devices/0000:5e:00.1");
	assert_int_equal(give_back(&reserved, 0, NULL), 0);
	assert_int_equal(restores, 0);
	assert_int_equal(us_reserved_find(reserved_vf_records(), "/run/one", "a", &still), -ENOENT);
}

/* ---- One at a time ---- */

struct returning {
	const struct us_reserved *reserved;
	struct us_reserve_wait wait;
	int r;
};

static void *return_thread(void *userdata)
{
	struct returning *returning = userdata;
	struct us_reserve_request request = request_of("a");

	returning->r = us_reserved_return(&request, returning->reserved, &returning->wait, NULL);
	return NULL;
}

/* A new reservation ends the return that waits: nothing is changed from then on. */
static void test_return_ends_when_wanted_again(void **state)
{
	struct us_reserved reserved = reserve(0), still;
	struct returning returning = { .reserved = &reserved,
				       .wait = { .usec = 3600 * US_USEC_PER_SEC } };
	pthread_t thread;

	exclusive_group_open();
	assert_int_equal(pthread_create(&thread, NULL, return_thread, &returning), 0);
	assert_true(us_reserve_wait_end(&returning.wait));
	exclusive_group_close();
	pthread_join(thread, NULL);
	assert_int_equal(returning.r, -ECANCELED);
	assert_int_equal(restores, 0);
	assert_int_equal(us_reserved_find(reserved_vf_records(), "/run/one", "a", &still), 0);

	assert_returned(&reserved); /* a completed return cannot be ended */
	assert_int_equal(restores, 1);
}

static void test_return_that_is_too_late(void **state)
{
	struct us_reserved reserved = reserve(0);
	struct us_reserve_request request = request_of("a");
	struct us_reserve_wait wait = { .usec = 0 };

	assert_int_equal(us_reserved_return(&request, &reserved, &wait, NULL), 0);
	assert_false(us_reserve_wait_end(&wait));
}

/* A pair does not touch a record that belongs to another pair now. */
static void test_return_of_what_is_anothers(void **state)
{
	struct us_reserved reserved = reserve(0), other = reserved, still;

	strcpy(other.pair, "b");
	assert_int_equal(us_record_replace(reserved_vf_records(), &other), 0);
	assert_int_equal(give_back(&reserved, 0, NULL), 0);
	assert_int_equal(restores, 0);
	assert_int_equal(us_reserved_find(reserved_vf_records(), "/run/one", "b", &still), 0);
}

/* ---- Permissions of a VMM ---- */

/* Of another user, without capabilities. */
static void become_vmm(const void *locked)
{
	const rlim_t *limit = locked;

	if (setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ *limit, *limit }) < 0 || setgid(VMM) < 0 ||
	    setuid(VMM) < 0)
		_exit(1);
}

static void assert_node(uid_t owner, mode_t mode)
{
	struct stat node;

	assert_int_equal(stat(exclusive_group_path(), &node), 0);
	assert_int_equal(node.st_uid, owner);
	assert_int_equal(node.st_mode & 07777, mode);
}

static void test_node_owner_is_restored(void **state)
{
	pid_t vmm = process_start(become_vmm, &(const rlim_t){ 0 });
	struct us_reserved reserved;

	assert_int_equal(chown(exclusive_group_path(), OPERATOR, 0), 0);
	assert_int_equal(chmod(exclusive_group_path(), 0600), 0);
	reserved = reserve(vmm);
	assert_node(VMM, 0600);
	assert_int_equal(reserved.node_owner, OPERATOR);
	exclusive_group_open();
	assert_busy(&reserved);
	assert_node(VMM, 0600);
	exclusive_group_close();
	assert_returned(&reserved);
	assert_node(OPERATOR, 0600);
	process_end(vmm);
}

/* After a restart and a new reservation, the node's original owner is still known. */
static void test_node_owner_after_restart(void **state)
{
	pid_t vmm = process_start(become_vmm, &(const rlim_t){ 0 });
	struct us_reserved reserved;

	assert_int_equal(chown(exclusive_group_path(), OPERATOR, 0), 0);
	reserve(vmm);
	reserved = reserve(vmm);
	assert_returned(&reserved);
	assert_node(OPERATOR, 0600);
	process_end(vmm);
}

/* A refused reservation does not leave the node to the VMM. */
static void test_node_owner_after_refusal(void **state)
{
	struct us_reserve_request request = request_of("a");
	struct us_reserved reserved;
	struct us_reason reason;
	int fd = -1;

	request.vmm = process_start(become_vmm, &(const rlim_t){ 0 });
	request.memory_bytes = UINT64_MAX;
	assert_int_equal(chown(exclusive_group_path(), OPERATOR, 0), 0);
	assert_int_equal(chmod(exclusive_group_path(), 0600), 0);
	assert_int_equal(us_reserve(&request, &reserved, &fd, &reason), US_REFUSED);
	assert_node(OPERATOR, 0600);
	request.memory_bytes = 0;
	assert_int_equal(chmod(exclusive_group_path(), 0400), 0);
	assert_int_equal(us_reserve(&request, &reserved, &fd, &reason), US_REFUSED);
	assert_node(OPERATOR, 0400);
	process_end(request.vmm);
}

/* From /proc, which everybody may read; prlimit(2) needs a privilege for other processes. */
static uint64_t limit_of(pid_t pid)
{
	US_CLEANUP(fclosep) FILE *file = NULL;
	char path[64], line[200];
	uint64_t limit = 0;

	snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (limit == 0 && fgets(line, sizeof(line), file))
		sscanf(line, "Max locked memory %" SCNu64, &limit);
	return limit;
}

static bool has_capability(int capability)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	assert_int_equal(syscall(SYS_capget, &head, data), 0);
	return data[0].effective & 1u << capability;
}

/* The limit becomes the guest's memory and a gigabyte. A VMM that claims too much is refused. */
static void test_locked_memory_is_what_the_guest_has(void **state)
{
	const uint64_t mib = 1024 * 1024;
	const uint64_t host = (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	const uint64_t lies[] = { UINT64_MAX, UINT64_MAX - mib, UINT64_C(1) << 63, host + mib };
	pid_t vmm = process_start(become_vmm, &(const rlim_t){ 4 * mib });
	struct us_reason reason;

	for (size_t i = 0; i < US_ARRAY_LENGTH(lies); i++) {
		assert_int_equal(
			us_vfio_admit(sysfs_tree_path(), "0000:5e:00.1", vmm, lies[i], &reason),
			US_REFUSED);
		assert_non_null(strstr(reason.text, "the VMM claims that its guest has"));
		assert_int_equal(limit_of(vmm), 4 * mib);
	}
	if (has_capability(CAP_SYS_RESOURCE)) { /* needed to raise a limit */
		assert_int_equal(
			us_vfio_admit(sysfs_tree_path(), "0000:5e:00.1", vmm, 64 * mib, NULL), 0);
		assert_int_equal(limit_of(vmm), (64 + 1024) * mib);
		assert_int_equal(
			us_vfio_admit(sysfs_tree_path(), "0000:5e:00.1", vmm, 32 * mib, NULL), 0);
		assert_int_equal(limit_of(vmm), (64 + 1024) * mib);
	} else {
		print_message("without CAP_SYS_RESOURCE no limit can be raised\n");
	}
	process_end(vmm);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(test_settings_stay_while_guest_owns_it),
		IN_TREE(test_driver_stays_while_guest_owns_it),
		IN_TREE(test_settings_stay_if_it_cannot_be_known),
		IN_TREE(test_device_gone),
		IN_TREE(test_return_ends_when_wanted_again),
		IN_TREE(test_return_that_is_too_late),
		IN_TREE(test_return_of_what_is_anothers),
	};
	const struct CMUnitTest vmm_tests[] = {
		IN_TREE(test_node_owner_is_restored),
		IN_TREE(test_node_owner_after_restart),
		IN_TREE(test_node_owner_after_refusal),
		IN_TREE(test_locked_memory_is_what_the_guest_has),
	};

	if (!exclusive_group_init())
		return 77;
	return cmocka_run_group_tests_name("vf-kept", tests, NULL, NULL) +
	       cmocka_run_group_tests_name("vf-vmm", vmm_tests, NULL, NULL);
}
