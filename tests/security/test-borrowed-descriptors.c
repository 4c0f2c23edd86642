/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The owner of a VM decides which files its QEMU has open: a file of a FUSE mount that never
 * answers a flush, so that closing a copy blocks for ever; more descriptors than the daemon looks
 * at; a blocking tap. QEMU may exit at any time. None of these blocks the loop, and no other
 * process is mistaken for the VM's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/undelivered/drain.h"
#include "support/process.h"
#include "support/testbed.h"
#include "util/cleanup.h"

enum {
	MANY = 18 * 1000, /* more than the daemon looks at */
	LIMIT_SEC = 20,	  /* then SIGALRM ends a test that hangs */
};

static sd_event *loop;
static struct us_reason told;
static bool is_done;
static int result;
static unsigned int turns; /* of the loop */

static unsigned int closed_in_loop; /* queues of taps */

/* Replaces the library's function. */
int close(int fd)
{
	struct ifreq request;

	if (gettid() == getpid() && ioctl(fd, TUNGETIFF, &request) == 0)
		closed_in_loop++;
	return syscall(SYS_close, fd);
}

/* ---- A file system that answers no flush ---- */

static void answer(int fd, const struct fuse_in_header *in, int error, const void *body,
		   size_t length)
{
	struct fuse_out_header out = { .len = sizeof(out) + (error ? 0 : length),
				       .error = error,
				       .unique = in->unique };
	const struct iovec parts[] = { { &out, sizeof(out) },
				       { (void *)body, error ? 0 : length } };

	if (writev(fd, parts, 2) < 0 && errno != ENOENT)
		_exit(1);
}

static void serve_one(int fd, const struct fuse_in_header *in)
{
	const struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
					    .minor = FUSE_KERNEL_MINOR_VERSION,
					    .max_write = 4096 };
	const struct fuse_attr file = { .ino = 2, .mode = S_IFREG | 0600, .nlink = 1 };
	const struct fuse_attr root = { .ino = 1, .mode = S_IFDIR | 0700, .nlink = 1 };
	const struct fuse_entry_out entry = { .nodeid = 2, .attr = file };
	const struct fuse_attr_out attr = { .attr = in->nodeid == 1 ? root : file };
	const struct fuse_open_out opened = { .fh = 1 };

	if (in->opcode == FUSE_INIT)
		answer(fd, in, 0, &init, sizeof(init));
	else if (in->opcode == FUSE_LOOKUP)
		answer(fd, in, 0, &entry, sizeof(entry));
	else if (in->opcode == FUSE_GETATTR)
		answer(fd, in, 0, &attr, sizeof(attr));
	else if (in->opcode == FUSE_OPEN)
		answer(fd, in, 0, &opened, sizeof(opened));
	else if (in->opcode != FUSE_FLUSH && in->opcode != FUSE_FORGET)
		answer(fd, in, -ENOSYS, NULL, 0);
}

static pid_t serve(int fd)
{
	static union {
		struct fuse_in_header in;
		char bytes[65536];
	} request;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		ssize_t n = read(fd, request.bytes, sizeof(request));
		if (n < 0 && errno != EINTR && errno != EAGAIN && errno != ENOENT)
			_exit(1);
		if (n >= (ssize_t)sizeof(request.in))
			serve_one(fd, &request.in);
	}
}

/* ---- The VM's process ---- */

static void open_tap(short flags)
{
	struct ifreq request = { .ifr_name = "drained", .ifr_flags = IFF_TAP | IFF_NO_PI };
	int tap = open("/dev/net/tun", O_RDWR | flags);

	if (tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0)
		_exit(1);
}

/* The tap goes with its last descriptor; a thread closes those of a drain. */
static void end_vmm(pid_t pid)
{
	process_end(pid);
	while (if_nametoindex("drained"))
		assert_true(sd_event_run(loop, UINT64_MAX) >= 0);
}

/* ---- The daemon's side ---- */

static struct us_drain_process process_of(pid_t pid)
{
	return (struct us_drain_process){ .pidfd = syscall(SYS_pidfd_open, pid, 0), .pid = pid };
}

static void on_done(void *userdata, int r, const struct us_reason *reason)
{
	told = *reason;
	is_done = true;
	result = r;
}

static int on_turn(sd_event_source *source, void *userdata)
{
	turns++;
	return 0;
}

static int finish(void)
{
	sd_event_source *turn = NULL;

	turns = 0;
	assert_true(sd_event_add_defer(loop, &turn, on_turn, NULL) >= 0);
	assert_true(sd_event_source_set_priority(turn, SD_EVENT_PRIORITY_IDLE) >= 0);
	assert_true(sd_event_source_set_enabled(turn, SD_EVENT_ON) >= 0);
	while (!is_done)
		assert_true(sd_event_run(loop, UINT64_MAX) >= 0);
	is_done = false;
	sd_event_source_disable_unref(turn);
	return result;
}

static int look(const struct us_drain_process *process, struct us_drain **ret_drain)
{
	int r = us_drain_new(ret_drain, loop, process, "drained", on_done, NULL, &told);

	return r == 0 ? finish() : r;
}

/* ---- Descriptors that block ---- */

static void furnish_with_fuse(const void *argument)
{
	close(0);
	if (open("/mnt/file", O_RDONLY) != 0)
		_exit(1);
	open_tap(O_NONBLOCK);
	for (int i = 0; i < 100; i++)
		if (open("/mnt/file", O_RDONLY) < 0)
			_exit(1);
}

static void test_files_that_block_whoever_closes_them(void **state)
{
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	struct us_drain *drain = NULL;
	struct us_drain_process process;
	char options[80];
	pid_t server, pid;

	if (fuse < 0)
		skip();
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	assert_int_equal(mount("hostile", "/mnt", "fuse", MS_NODEV | MS_NOSUID, options), 0);
	server = serve(fuse);
	fuse = us_close(fuse); /* or nobody's end would end it */
	pid = process_start(furnish_with_fuse, NULL);
	process = process_of(pid);
	assert_int_equal(us_drain_check(&process, &told), 0);
	assert_int_equal(look(&process, &drain), 0);
	assert_int_equal(us_drain_read(drain, on_done, NULL), 0);
	assert_int_equal(finish(), 0);
	us_drain_free(drain);
	close(process.pidfd);
	process_end(server); /* first: the VM's process flushes, too */
	end_vmm(pid);
	assert_int_equal(umount2("/mnt", MNT_DETACH), 0);
}

static void furnish_with_blocking_tap(const void *argument)
{
	open_tap(0);
}

static void test_a_tap_that_blocks(void **state)
{
	pid_t pid = process_start(furnish_with_blocking_tap, NULL);
	struct us_drain_process process = process_of(pid);
	struct us_drain *drain = NULL;

	assert_int_equal(look(&process, &drain), 0);
	assert_int_equal(us_drain_read(drain, on_done, NULL), 0);
	assert_int_equal(finish(), 0);
	us_drain_free(drain);
	close(process.pidfd);
	end_vmm(pid);
}

static void test_a_vmm_that_ended(void **state)
{
	pid_t pid = process_start(furnish_with_blocking_tap, NULL);
	struct us_drain_process process = process_of(pid);
	struct us_drain *drain = NULL;

	assert_int_equal(look(&process, &drain), 0);
	close(process.pidfd);
	kill(pid, SIGKILL);
	closed_in_loop = 0;
	us_drain_free(drain);
	assert_int_equal(closed_in_loop, 0);
	end_vmm(pid);
}

/* ---- Many ---- */

static void open_many(void)
{
	int null = open("/dev/null", O_RDONLY);
	for (int i = 0; i < MANY; i++)
		if (dup(null) < 0)
			_exit(1);
}

static void furnish_with_many(const void *argument)
{
	open_tap(O_NONBLOCK);
	open_many();
}

static void furnish_with_many_first(const void *argument)
{
	open_many();
	open_tap(O_NONBLOCK);
}

/* The loop keeps running: the test counts its turns and measures no time. */
static void test_many_descriptors(void **state)
{
	struct us_drain_process process;
	struct us_drain *drain = NULL;
	struct rlimit limit;
	pid_t pid;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < MANY + 100)
		skip();
	limit.rlim_cur = MANY + 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	pid = process_start(furnish_with_many, NULL);
	process = process_of(pid);
	assert_int_equal(look(&process, &drain), 0);
	assert_true(turns > 10);
	us_drain_free(US_STEAL(drain));
	close(process.pidfd);
	end_vmm(pid);

	pid = process_start(furnish_with_many_first, NULL);
	process = process_of(pid);
	assert_int_equal(look(&process, &drain), US_REFUSED);
	assert_non_null(strstr(told.text, "among its first 16384 descriptors"));
	assert_true(turns > 10);
	us_drain_free(drain);
	close(process.pidfd);
	end_vmm(pid);
}

/* ---- Another process ---- */

static void furnish_with_nothing(const void *argument)
{
}

/* The process has ended, and another one has its number. */
static void test_a_number_that_is_anothers(void **state)
{
	pid_t ended = process_start(furnish_with_nothing, NULL),
	      other = process_start(furnish_with_blocking_tap, NULL);
	struct us_drain_process process = process_of(ended);
	struct us_drain *drain = NULL;

	process_end(ended);
	process.pid = other;
	assert_int_equal(us_drain_check(&process, &told), US_REFUSED);
	assert_int_equal(look(&process, &drain), US_REFUSED);
	assert_non_null(strstr(told.text, "No such process"));
	close(process.pidfd);
	process_end(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_that_block_whoever_closes_them),
		cmocka_unit_test(test_a_tap_that_blocks),
		cmocka_unit_test(test_a_vmm_that_ended),
		cmocka_unit_test(test_many_descriptors),
		cmocka_unit_test(test_a_number_that_is_anothers),
	};

	if (!testbed_enter() || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return TESTBED_SKIP;
	assert_true(sd_event_new(&loop) >= 0);
	alarm(LIMIT_SEC);
	return cmocka_run_group_tests_name("borrowed-descriptors", tests, NULL, NULL);
}
