/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/sysfs-tree.h"
#include "support/exclusive-group.h"
#include "util/cleanup.h"

static int master_fd = -1, vmm_fd = -1;

bool exclusive_group_init(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (geteuid() != 0 || syscall(SYS_capget, &head, data) < 0)
		return false;
	data[0].effective &= ~(1u << CAP_SYS_ADMIN);
	signal(SIGHUP, SIG_IGN); /* a terminal may become ours when it is opened */
	return syscall(SYS_capset, &head, data) == 0;
}

void exclusive_group_new(void)
{
	master_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(master_fd >= 0);
	grantpt(master_fd);
	assert_int_equal(unlockpt(master_fd), 0);
	sysfs_tree_sh("ln -sf %s dev/vfio/1", exclusive_group_path());
}

void exclusive_group_free(void)
{
	exclusive_group_close();
	master_fd = us_close(master_fd);
}

const char *exclusive_group_path(void)
{
	return ptsname(master_fd);
}

void exclusive_group_open(void)
{
	vmm_fd = open(exclusive_group_path(), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(vmm_fd >= 0);
	assert_int_equal(ioctl(vmm_fd, TIOCEXCL), 0);
}

void exclusive_group_close(void)
{
	if (vmm_fd >= 0)
		ioctl(vmm_fd, TIOCNXCL);
	vmm_fd = us_close(vmm_fd);
}
