/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/testbed.h"
#include "util/clock.h"

const uint8_t guest_mac[6] = { 0x02, 0, 0, 0, 0, 0x01 };

bool testbed_enter(void)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) != 0)
		return false;
	/* Names of namespaces are files that all would share. */
	mkdir("/run/netns", 0755);
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", "/run/netns", "tmpfs", 0, NULL) == 0;
}

void testbed_run(const char *format, ...)
{
	char command[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

void testbed_read(char *ret_text, size_t size, const char *format, ...)
{
	char command[256];
	va_list arguments;
	FILE *pipe;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	ret_text[fread(ret_text, 1, size - 1, pipe)] = '\0';
	pclose(pipe);
}

int testbed_tap(const char *name, const char *bridge)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	assert_true(fd >= 0);
	strcpy(request.ifr_name, name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	if (bridge)
		testbed_run("ip link set %s master %s", name, bridge);
	testbed_run("ip link set %s up", name);
	/* The kernel lets a port forward only a while later, and tells nobody. */
	if (bridge)
		testbed_run(
			"until bridge link show dev %s | grep -q forwarding; do sleep 0.01; done",
			name);
	return fd;
}

size_t testbed_next(int tap, uint8_t *ret_frame, size_t size, int timeout_msec)
{
	uint64_t end_usec = us_now_usec() + timeout_msec * US_USEC_PER_MSEC;

	for (;;) {
		struct pollfd ready = { .fd = tap, .events = POLLIN };
		uint64_t now_usec = us_now_usec();
		ssize_t length;
		int left_msec = now_usec < end_usec ? (end_usec - now_usec) / US_USEC_PER_MSEC : 0;

		if (poll(&ready, 1, left_msec) != 1)
			return 0;
		length = read(tap, ret_frame, size);
		if (length >= 14 && memcmp(ret_frame, guest_mac, 6) == 0)
			return length;
	}
}
