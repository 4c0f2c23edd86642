/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a receive queue out of a process' memory. The process is this one, except where it has to
 * end. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/undelivered/receive-queue.h"
#include "util/clock.h"

enum {
	RING_SIZE = 4,
	DISPLACEMENT = 0x1000,
	PAGE = 4096,
};

static struct {
	struct vring_desc descriptors[RING_SIZE];
	struct {
		__virtio16 flags, idx;
		struct vring_used_elem ring[RING_SIZE];
	} used; /* struct vring_used */
	uint8_t buffer[sizeof(struct virtio_net_hdr_v1) + US_LAST_FRAME_BYTES];
} guest;

static sd_event *loop;
static struct us_last_frame last[2];
static bool is_read;

static void on_read(void *userdata, const struct us_last_frame *frames)
{
	memcpy(last, frames, sizeof(last));
	is_read = true;
}

static void run_for(uint64_t usec)
{
	uint64_t end = us_now_usec() + usec;

	while (!is_read && us_now_usec() < end)
		assert_true(sd_event_run(loop, 1000) >= 0);
}

static struct us_receive_queues *make(pid_t pid)
{
	const struct us_drain_process process = { (int)syscall(SYS_pidfd_open, pid, 0), pid };
	struct us_receive_queues *queues;
	struct us_reason reason;

	assert_int_equal(us_receive_queues_new(&queues, loop, &process, &reason), 0);
	close(process.pidfd);
	return queues;
}

static struct us_receive_queue place(void)
{
	return (struct us_receive_queue){ .used = (uintptr_t)&guest.used,
					  .descriptors = (uintptr_t)guest.descriptors,
					  .displacement = DISPLACEMENT,
					  .size = RING_SIZE };
}

/* Reads of process @pid; the second queue is one of which nothing is known. */
static void read_of(pid_t pid, struct us_receive_queue where)
{
	const struct us_receive_queue both[] = { where, { 0 } };
	struct us_receive_queues *queues = make(pid);

	is_read = false;
	assert_int_equal(us_receive_queues_read(queues, both, 2, on_read, NULL), 0);
	assert_int_equal(us_receive_queues_read(queues, both, 2, on_read, NULL), -EBUSY);
	run_for(10 * US_USEC_PER_SEC);
	assert_true(is_read);
	assert_false(last[1].has_index);
	us_receive_queues_free(queues);
}

static int begin(void **state)
{
	memset(&guest, 0, sizeof(guest));
	memset(guest.buffer + sizeof(struct virtio_net_hdr_v1), 0xab, US_LAST_FRAME_BYTES);
	guest.used.idx = 65535;
	guest.used.ring[65534 % RING_SIZE].id = 3;
	guest.descriptors[3].addr = (uintptr_t)guest.buffer - DISPLACEMENT;
	return sd_event_new(&loop);
}

static int end(void **state)
{
	loop = sd_event_unref(loop);
	return 0;
}

static void test_reads(void **state)
{
	read_of(getpid(), place());
	assert_true(last[0].has_index);
	assert_int_equal(last[0].index, 65535);
	assert_true(last[0].has_start);
	assert_memory_equal(last[0].start, guest.buffer + sizeof(struct virtio_net_hdr_v1),
			    US_LAST_FRAME_BYTES);
}

/* What a hostile guest or VMM may write. */
static void test_nonsense(void **state)
{
	struct us_receive_queue where = place();

	guest.used.ring[65534 % RING_SIZE].id = RING_SIZE;
	read_of(getpid(), place());
	assert_true(last[0].has_index && !last[0].has_start);
	guest.used.ring[65534 % RING_SIZE].id = 3;
	guest.descriptors[3].addr = UINT64_MAX - DISPLACEMENT - 5;
	read_of(getpid(), place());
	assert_true(last[0].has_index && !last[0].has_start);
	where.descriptors = UINT64_MAX;
	read_of(getpid(), where);
	assert_true(last[0].has_index && !last[0].has_start);
	where.used = UINT64_MAX;
	read_of(getpid(), where);
	assert_false(last[0].has_index);
}

static void test_ended(void **state)
{
	pid_t pid = fork();
	struct us_receive_queue where = place();
	struct us_receive_queues *queues;

	if (pid == 0)
		_exit(pause());
	queues = make(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	is_read = false;
	assert_int_equal(us_receive_queues_read(queues, &where, 1, on_read, NULL), 0);
	run_for(10 * US_USEC_PER_SEC);
	assert_true(is_read);
	assert_false(last[0].has_index);
	us_receive_queues_free(queues);
}

/*
 * ---- Memory whose reader waits: a file of a FUSE mount that answers no READ ----
 */

static void answer(int fuse, const struct fuse_in_header *question, int error, const void *bytes,
		   size_t size)
{
	struct fuse_out_header header = { .len = sizeof(header) + size,
					  .error = error,
					  .unique = question->unique };
	const struct iovec parts[] = { { &header, sizeof(header) }, { (void *)bytes, size } };

	assert_int_equal(writev(fuse, parts, 2), header.len);
}

/* The root of the file system is the file. A process of its own, because its end ends the wait. */
static _Noreturn void serve(int fuse)
{
	const struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
					    .minor = FUSE_KERNEL_MINOR_VERSION,
					    .max_write = 4096 };
	const struct fuse_attr_out attributes = {
		.attr = { .ino = 1, .size = PAGE, .mode = S_IFREG | 0444, .nlink = 1 }
	};
	const struct fuse_open_out opened = { 0 };
	union {
		struct fuse_in_header header;
		uint8_t bytes[FUSE_MIN_READ_BUFFER];
	} question;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(fuse, &question, sizeof(question)) > 0) {
		if (question.header.opcode == FUSE_INIT)
			answer(fuse, &question.header, 0, &init, sizeof(init));
		else if (question.header.opcode == FUSE_GETATTR)
			answer(fuse, &question.header, 0, &attributes, sizeof(attributes));
		else if (question.header.opcode == FUSE_OPEN)
			answer(fuse, &question.header, 0, &opened, sizeof(opened));
		else if (question.header.opcode != FUSE_READ)
			answer(fuse, &question.header, -ENOSYS, NULL, 0);
	}
	_exit(0);
}

/* Returns NULL without the permission. The end of *@ret_server ends the wait. */
static void *map_trap(pid_t *ret_server)
{
	char file[] = "/tmp/understudy-trap-XXXXXX", options[80];
	int fd = mkstemp(file), fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	void *page = MAP_FAILED;
	struct stat info;

	close(fd);
	snprintf(options, sizeof(options), "fd=%d,rootmode=100444,user_id=0,group_id=0", fuse);
	if (fuse >= 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("trap", file, "fuse", 0, options) == 0) {
		*ret_server = fork();
		if (*ret_server == 0)
			serve(fuse);
		close(fuse);
		fd = open(file, O_RDONLY | O_CLOEXEC);
		assert_int_equal(fstat(fd, &info), 0); /* the kernel learns its size */
		page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
		close(fd);
		umount2(file, MNT_DETACH);
	}
	unlink(file);
	return page == MAP_FAILED ? NULL : page;
}

/* The loop goes on, and the process is given no second thread. */
static void test_memory_that_blocks(void **state)
{
	const struct us_drain_process process = { -1, getpid() };
	struct us_receive_queue where = place();
	struct us_receive_queues *queues, *second;
	struct us_reason reason;
	pid_t server = 0;
	void *page = map_trap(&server);

	if (!page)
		skip(); /* not root, or a kernel without FUSE */
	where.used = (uintptr_t)page;
	queues = make(getpid());
	is_read = false;
	assert_int_equal(us_receive_queues_read(queues, &where, 1, on_read, NULL), 0);
	run_for(100 * 1000);
	assert_false(is_read);
	us_receive_queues_free(queues);
	assert_true(us_receive_queues_new(&second, loop, &process, &reason) == US_REFUSED);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	while (us_receive_queues_new(&second, loop, &process, &reason) == US_REFUSED)
		assert_true(sd_event_run(loop, 1000) >= 0);
	us_receive_queues_free(second);
	assert_false(is_read);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reads, begin, end),
		cmocka_unit_test_setup_teardown(test_nonsense, begin, end),
		cmocka_unit_test_setup_teardown(test_ended, begin, end),
		cmocka_unit_test_setup_teardown(test_memory_that_blocks, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
