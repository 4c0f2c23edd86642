/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies the descriptors of a process that are queues of the tap, and empties these. Changes no
 * flag and no setting of a descriptor, because the VMM shares them.
 *
 * While a thread runs, it alone uses the drain. An abandoned drain is freed when its thread ends,
 * if it ever does.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "net/undelivered/drain.h"
#include "util/file.h"
#include "util/job.h"
#include "util/list.h"

enum {
	FRAME_BYTES = 65536 + 64, /* the largest GSO frame and its header */
	FRAMES_MAX = 16384,	  /* of all queues: a tap's queue is far shorter */
	BYTES_MAX = 32 * 1024 * 1024,
	QUEUES_MAX = 64,
	DESCRIPTORS_MAX = 16384, /* looked at: mostly those that were opened first */
	LINES_MAX = 16,		 /* of a descriptor's fdinfo */
	TUN_MAJOR = 10,		 /* /dev/net/tun */
	TUN_MINOR = 200,
};

struct waiting {
	struct us_list link;
	int queue;
	struct us_frame frame;
	uint8_t bytes[];
};

struct us_drain {
	struct us_list link; /* in running, while a thread works on it; otherwise empty */
	sd_event *loop;
	struct us_drain_process process; /* owns a copy of the pidfd */
	char interface[IF_NAMESIZE];
	int fds[QUEUES_MAX];
	size_t count;
	struct us_list frames;
	size_t frame_count, bytes;
	int r;
	struct us_reason reason;
	bool is_abandoned;
	us_drain_done_fn done;
	void *userdata;
};

static struct us_list running = { &running, &running };

/* ---- In the thread ---- */

static int pidfd_getfd(int pidfd, int fd)
{
	return syscall(SYS_pidfd_getfd, pidfd, fd, 0);
}

static int advise(int error, struct us_reason *reason)
{
	if (error == EPERM || error == EACCES)
		us_advise(reason, "give understudyd CAP_SYS_PTRACE");
	return US_REFUSED;
}

static int refuse_process(const struct us_drain_process *process, int error,
			  struct us_reason *reason)
{
	us_refuse(reason, "process %d: its descriptors cannot be listed: %s", (int)process->pid,
		  us_strerror(error));
	return advise(error, reason);
}

bool us_drain_process_has_ended(const struct us_drain_process *process)
{
	struct pollfd ended = { .fd = process->pidfd, .events = POLLIN };

	return poll(&ended, 1, 0) != 0;
}

/* Files that are opened in the directory belong to the same process, even if its number is reused.
 */
static int open_process(const struct us_drain_process *process, struct us_reason *reason)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)process->pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && !us_drain_process_has_ended(process))
		return fd;
	refuse_process(process, fd < 0 && errno != ENOENT ? errno : ESRCH, reason);
	us_close(fd);
	return -1;
}

/*
 * Whether descriptor @fd of the process claims to be a queue of the tap: its fdinfo says
 * "iff:\tNAME". Reading fdinfo does not touch the file itself. A negative errno: no permission.
 */
static int claims_queue(int directory, const char *fd, const char *interface)
{
	int info_fd = openat(directory, fd, O_RDONLY | O_CLOEXEC);
	US_CLEANUP(fclosep) FILE *info = info_fd >= 0 ? fdopen(info_fd, "r") : NULL;
	char line[128], name[IF_NAMESIZE];

	if (!info)
		return errno == EACCES || errno == EPERM ? -errno : 0;
	for (int i = 0; i < LINES_MAX && fgets(line, sizeof(line), info); i++)
		if (sscanf(line, "iff: %15s", name) == 1)
			return strcmp(name, interface) == 0;
	return 0;
}

/* The number may stand for another file by now. Nothing else is done to a file that is no tap. */
static bool is_queue(int fd, const char *interface)
{
	struct ifreq request = { 0 };
	struct statx info;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &info) == 0 &&
	       S_ISCHR(info.stx_mode) && info.stx_rdev_major == TUN_MAJOR &&
	       info.stx_rdev_minor == TUN_MINOR && ioctl(fd, TUNGETIFF, &request) == 0 &&
	       strncmp(request.ifr_name, interface, IF_NAMESIZE) == 0;
}

/* Copies the descriptor if it is a queue. A negative errno: no permission. */
static int copy(struct us_drain *drain, int directory, const char *number)
{
	int fd, r = claims_queue(directory, number, drain->interface);

	if (r <= 0)
		return r;
	fd = pidfd_getfd(drain->process.pidfd, atoi(number));
	if (fd < 0)
		return errno == EBADF ? 0 : -errno;
	if (is_queue(fd, drain->interface))
		drain->fds[drain->count++] = fd;
	else
		us_close(fd);
	return 0;
}

static int find_queues(struct us_drain *drain, DIR *directory)
{
	const struct dirent *entry;
	size_t seen = 0;
	int r = 0;

	while (r == 0 && drain->count < QUEUES_MAX && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		if (seen++ == DESCRIPTORS_MAX)
			break;
		r = copy(drain, dirfd(directory), entry->d_name);
	}
	if (drain->count > 0)
		return 0;
	if (r < 0) {
		us_refuse(&drain->reason, "process %d: a queue of %s cannot be read: %s",
			  (int)drain->process.pid, drain->interface, us_strerror(r));
		return advise(-r, &drain->reason);
	}
	return us_refuse(&drain->reason, "process %d has no queue of %s open%s",
			 (int)drain->process.pid, drain->interface,
			 seen > DESCRIPTORS_MAX ? " among its first 16384 descriptors" : "");
}
_Static_assert(DESCRIPTORS_MAX == 16384, "as in the refusal");

static void search(void *userdata)
{
	struct us_drain *drain = userdata;
	int fd = open_process(&drain->process, &drain->reason);
	US_CLEANUP(closedirp) DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;

	drain->r = directory ? find_queues(drain, directory) : US_REFUSED;
}

/* Bytes of virtio-net header before each frame, as the VMM has set them. 0: none. */
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

/* The descriptor may be a blocking one: the VMM has set its flags. */
static ssize_t read_frame(int tap, uint8_t *bytes)
{
	const struct iovec part = { .iov_base = bytes, .iov_len = FRAME_BYTES };
	struct pollfd poll_tap = { .fd = tap, .events = POLLIN };
	ssize_t n = preadv2(tap, &part, 1, -1, RWF_NOWAIT);

	if (n >= 0 || errno != EOPNOTSUPP)
		return n;
	/* Older kernels: poll first. A VMM that reads in between blocks this thread only. */
	if (poll(&poll_tap, 1, 0) != 1 || !(poll_tap.revents & POLLIN))
		return -1;
	return read(tap, bytes, FRAME_BYTES);
}

static bool keep(struct us_drain *drain, int queue, const struct virtio_net_hdr *header,
		 const uint8_t *bytes, size_t length)
{
	struct waiting *waiting = malloc(sizeof(*waiting) + length);

	if (!waiting)
		return false;
	waiting->queue = queue;
	waiting->frame = (struct us_frame){ *header, waiting->bytes, length };
	memcpy(waiting->bytes, bytes, length);
	us_list_append(&drain->frames, &waiting->link);
	drain->frame_count++;
	drain->bytes += length;
	return true;
}

static void read_queue(struct us_drain *drain, int queue, uint8_t *buffer)
{
	size_t header = header_bytes(drain->fds[queue]);

	while (drain->frame_count < FRAMES_MAX && drain->bytes < BYTES_MAX) {
		struct virtio_net_hdr net_header = { 0 };
		ssize_t n = read_frame(drain->fds[queue], buffer);

		if (n <= (ssize_t)header)
			break;
		if (header)
			memcpy(&net_header, buffer, sizeof(net_header));
		if (!keep(drain, queue, &net_header, buffer + header, n - header))
			break;
	}
}

static void read_all(void *userdata)
{
	struct us_drain *drain = userdata;
	US_CLEANUP(us_freep) uint8_t *buffer = malloc(FRAME_BYTES);

	for (size_t i = 0; buffer && i < drain->count; i++)
		read_queue(drain, i, buffer);
	drain->r = buffer ? 0 : us_refuse(&drain->reason, "%s", us_strerror(ENOMEM));
}

/* ---- In the loop ---- */

static void forget_frames(struct us_drain *drain)
{
	struct waiting *waiting;

	us_list_for_each (waiting, &drain->frames, link) {
		us_list_remove(&waiting->link);
		free(waiting);
	}
	drain->frame_count = drain->bytes = 0;
}

static void close_queues(void *userdata)
{
	const struct us_drain *drain = userdata;

	for (size_t i = 0; i < drain->count; i++)
		us_close(drain->fds[i]);
}

/*
 * If the VMM has ended, these are the last descriptors of its tap. The kernel needs a while to
 * remove a queue, so a thread closes them.
 */
static void destroy(struct us_drain *drain)
{
	forget_frames(drain);
	us_close(drain->process.pidfd);
	if (drain->count > 0 && us_job_start(drain->loop, close_queues, free, drain) == 0)
		return;
	close_queues(drain);
	free(drain);
}

static void on_ended(void *userdata)
{
	struct us_drain *drain = userdata;
	struct us_reason reason = drain->reason; /* done() may free the drain */

	us_list_remove(&drain->link);
	if (drain->is_abandoned)
		destroy(drain);
	else
		drain->done(drain->userdata, drain->r, &reason);
}

static int start(struct us_drain *drain, us_job_fn run, us_drain_done_fn done, void *userdata)
{
	int r;

	drain->done = done;
	drain->userdata = userdata;
	drain->reason = (struct us_reason){ .text = "" };
	r = us_job_start(drain->loop, run, on_ended, drain);
	if (r < 0)
		return r;
	us_list_append(&running, &drain->link);
	return 0;
}

/* A process that blocks one thread is not given another one. */
static bool is_blocked(pid_t pid)
{
	const struct us_drain *drain;

	us_list_for_each (drain, &running, link)
		if (drain->is_abandoned && drain->process.pid == pid)
			return true;
	return false;
}

/* The kernel checks the permission first. No process can have the descriptor INT_MAX. */
int us_drain_check(const struct us_drain_process *process, struct us_reason *reason)
{
	US_CLEANUP(us_closep) int directory = -1;

	if (process->pidfd < 0)
		return refuse_process(process, ESRCH, reason);
	if (pidfd_getfd(process->pidfd, INT_MAX) < 0 && errno != EBADF)
		return refuse_process(process, errno, reason);
	directory = open_process(process, reason);
	return directory >= 0 ? 0 : US_REFUSED;
}

int us_drain_new(struct us_drain **ret_drain, sd_event *loop,
		 const struct us_drain_process *process, const char *interface,
		 us_drain_done_fn done, void *userdata, struct us_reason *reason)
{
	struct us_drain *drain;
	int r = us_drain_check(process, reason);

	if (r != 0)
		return r;
	if (is_blocked(process->pid))
		return us_refuse(reason,
				 "process %d: one of its descriptors blocks: an earlier look-up "
				 "has not ended",
				 (int)process->pid);
	drain = calloc(1, sizeof(*drain));
	if (!drain)
		return -ENOMEM;
	drain->loop = loop;
	us_list_init(&drain->frames);
	us_list_init(&drain->link);
	snprintf(drain->interface, sizeof(drain->interface), "%s", interface);
	drain->process.pid = process->pid;
	drain->process.pidfd = fcntl(process->pidfd, F_DUPFD_CLOEXEC, 0);
	r = drain->process.pidfd < 0 ? -errno : start(drain, search, done, userdata);
	if (r < 0) {
		destroy(drain);
		return r;
	}
	*ret_drain = drain;
	return 0;
}

void us_drain_free(struct us_drain *drain)
{
	if (!drain)
		return;
	drain->is_abandoned = true;
	if (us_list_is_empty(&drain->link))
		destroy(drain);
}

bool us_drain_is_ready(const struct us_drain *drain)
{
	return us_list_is_empty(&drain->link) && drain->count > 0;
}

int us_drain_read(struct us_drain *drain, us_drain_done_fn done, void *userdata)
{
	return us_drain_is_ready(drain) ? start(drain, read_all, done, userdata) : -EBUSY;
}

void us_drain_each(struct us_drain *drain, us_drain_fn each, void *userdata)
{
	struct waiting *waiting;

	if (!us_list_is_empty(&drain->link))
		return;
	us_list_for_each (waiting, &drain->frames, link)
		each(userdata, waiting->queue, &waiting->frame);
	forget_frames(drain);
}
