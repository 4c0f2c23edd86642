/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looks a process's descriptors up by name, borrows those that are queues of the tap, and reads
 * them empty. Their flags and settings are the VMM's too: none is changed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "net/drain.h"
#include "util/cleanup.h"

enum {
	FRAME_BYTES = 65536 + 64, /* the largest GSO frame and its header */
	FRAMES_MAX = 16384,	  /* per queue: a tap's longest queue is far shorter */
	QUEUES_MAX = 256,
};

static int pidfd_open(pid_t pid)
{
	return syscall(SYS_pidfd_open, pid, 0);
}

static int pidfd_getfd(int pidfd, int fd)
{
	return syscall(SYS_pidfd_getfd, pidfd, fd, 0);
}

/*
 * Whether descriptor @fd of the process is a queue of the tap: fdinfo says "iff:\tNAME". A
 * negative errno if that may not be read.
 */
static int is_queue(pid_t pid, const char *fd, const char *interface)
{
	char path[288], line[128], name[IF_NAMESIZE];
	bool found = false;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", (int)pid, fd);
	info = fopen(path, "re");
	if (!info)
		return errno == EACCES || errno == EPERM ? -errno : 0;
	while (!found && fgets(line, sizeof(line), info))
		found = sscanf(line, "iff: %15s", name) == 1 && strcmp(name, interface) == 0;
	fclose(info);
	return found;
}

/* Bytes of virtio-net header before each frame; the VMM chose them. 0: none. */
static size_t header_bytes(int tap)
{
	struct ifreq request = { 0 };
	int bytes = sizeof(struct virtio_net_hdr);

	if (ioctl(tap, TUNGETIFF, &request) < 0 || !(request.ifr_flags & IFF_VNET_HDR))
		return 0;
	if (ioctl(tap, TUNGETVNETHDRSZ, &bytes) < 0 || bytes < (int)sizeof(struct virtio_net_hdr))
		return sizeof(struct virtio_net_hdr);
	return bytes;
}

/* The descriptor's flags are the VMM's too, so it may be a blocking one: ask before reading. */
static bool has_frame(int tap)
{
	struct pollfd poll_tap = { .fd = tap, .events = POLLIN };

	return poll(&poll_tap, 1, 0) == 1 && (poll_tap.revents & POLLIN);
}

static void drain_queue(int tap, int queue, us_drain_fn each, void *userdata)
{
	static uint8_t buffer[FRAME_BYTES];
	size_t header = header_bytes(tap);

	for (size_t count = 0; count < FRAMES_MAX && has_frame(tap); count++) {
		struct virtio_net_hdr net_header = { 0 };
		ssize_t n = read(tap, buffer, sizeof(buffer));

		if (n <= (ssize_t)header)
			break;
		if (header)
			memcpy(&net_header, buffer, sizeof(net_header));
		each(userdata, queue, &net_header, buffer + header, n - header);
	}
}

static const char *next_step(int error)
{
	return error == EPERM || error == EACCES ? ": give understudyd CAP_SYS_PTRACE" : "";
}

/* The process's own descriptors for the tap. Returns how many, or -1 with the reason. */
static int borrow_queues(pid_t pid, const char *interface, int *ret_fds, struct us_reason *reason)
{
	US_CLEANUP(us_closep) int pidfd = pidfd_open(pid);
	char path[64];
	const struct dirent *entry;
	int count = 0, error = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	directory = pidfd >= 0 ? opendir(path) : NULL;
	if (!directory) {
		us_refuse(reason, "process %d: its descriptors cannot be looked at: %s%s", (int)pid,
			  us_strerror(errno), next_step(errno));
		return -1;
	}
	while (count < QUEUES_MAX && !error && (entry = readdir(directory))) {
		int r = entry->d_name[0] != '.' ? is_queue(pid, entry->d_name, interface) : 0;

		if (r > 0) {
			ret_fds[count] = pidfd_getfd(pidfd, atoi(entry->d_name));
			r = ret_fds[count] < 0 ? -errno : 0;
			count += r == 0;
		}
		error = -r;
	}
	closedir(directory);
	if (error)
		us_refuse(reason, "process %d: a queue of %s cannot be read: %s%s", (int)pid,
			  interface, us_strerror(error), next_step(error));
	return error && !count ? -1 : count;
}

static int refuse_none(pid_t pid, const char *interface, struct us_reason *reason)
{
	return us_refuse(reason, "process %d has no queue of %s open", (int)pid, interface);
}

bool us_drain_is_permitted(pid_t pid)
{
	US_CLEANUP(us_closep) int pidfd = pidfd_open(pid);
	US_CLEANUP(us_closep) int fd = pidfd >= 0 ? pidfd_getfd(pidfd, 0) : -1;
	US_CLEANUP(us_closep) int directory = -1;
	char path[64];

	/* It may well have closed that one: permission is looked at first. */
	if (pidfd < 0 || (fd < 0 && errno != EBADF))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return directory >= 0;
}

int us_drain_check(pid_t pid, const char *interface, struct us_reason *reason)
{
	int fds[QUEUES_MAX];
	int queues = borrow_queues(pid, interface, fds, reason);

	for (int i = 0; i < queues; i++)
		us_close(fds[i]);
	if (queues < 0)
		return US_REFUSED;
	return queues > 0 ? 0 : refuse_none(pid, interface, reason);
}

int us_drain_tap(pid_t pid, const char *interface, us_drain_fn each, void *userdata,
		 struct us_reason *reason)
{
	int fds[QUEUES_MAX];
	int queues = borrow_queues(pid, interface, fds, reason);

	for (int i = 0; i < queues; i++) {
		drain_queue(fds[i], i, each, userdata);
		us_close(fds[i]);
	}
	if (queues < 0)
		return US_REFUSED;
	if (queues == 0)
		return refuse_none(pid, interface, reason);
	return 0;
}
