/* SPDX-License-Identifier: BSD-3-Clause */
/* Drains the tap of a process that has it open and does not read it, like a stopped VMM. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/undelivered/drain.h"
#include "support/process.h"
#include "util/cleanup.h"

#define FRAMES 20

static void add_queue(int header_bytes, short flags)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | flags };
	int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	strcpy(request.ifr_name, "drained");
	if (tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0 ||
	    (header_bytes && ioctl(tap, TUNSETVNETHDRSZ, &header_bytes) < 0))
		_exit(1);
}

struct vmm {
	int queues, header_bytes;
};

/* The VMM opens queues of the tap and stands still. */
static void open_queues(const void *argument)
{
	const struct vmm *vmm = argument;
	short flags =
		(vmm->queues > 1 ? IFF_MULTI_QUEUE : 0) | (vmm->header_bytes ? IFF_VNET_HDR : 0);

	for (int i = 0; i < vmm->queues; i++)
		add_queue(vmm->header_bytes, flags);
}

static pid_t stopped_vmm(int queues, int header_bytes)
{
	return process_start(open_queues, &(struct vmm){ queues, header_bytes });
}

static sd_event *loop;

/* The tap goes with its last descriptor; a thread closes those of a drain. */
static void end(pid_t pid)
{
	process_end(pid);
	while (if_nametoindex("drained"))
		assert_true(sd_event_run(loop, UINT64_MAX) >= 0);
}

static void send_frames(void)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = ETH_ALEN };
	struct ifreq request = { 0 };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	uint8_t frame[64] = { 0x52, 0x54, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 2, 0x88, 0xb5 };

	strcpy(request.ifr_name, "drained");
	assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &request), 0);
	request.ifr_flags |= IFF_UP;
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	to.sll_ifindex = if_nametoindex("drained");
	for (int i = 0; i < FRAMES; i++) {
		frame[14] = i;
		assert_int_equal(
			sendto(fd, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)),
			sizeof(frame));
	}
	close(fd);
}

struct taken {
	int count, in_order;
};

static void take(void *userdata, int queue, const struct us_frame *frame)
{
	struct taken *taken = userdata;

	if (frame->length != 64 || frame->bytes[12] != 0x88 || frame->bytes[13] != 0xb5)
		return; /* the kernel's own frame (IPv6 autoconfiguration) */
	taken->in_order += frame->bytes[14] == taken->count;
	taken->count++;
}

static struct us_reason told;
static bool is_done;
static int result;

static void on_done(void *userdata, int r, const struct us_reason *reason)
{
	told = *reason;
	is_done = true;
	result = r;
}

static struct us_drain_process process_of(pid_t pid)
{
	return (struct us_drain_process){ .pidfd = syscall(SYS_pidfd_open, pid, 0), .pid = pid };
}

/* Runs the loop until on_done() is called; returns its result. */
static int finish(void)
{
	while (!is_done)
		assert_true(sd_event_run(loop, UINT64_MAX) >= 0);
	is_done = false;
	return result;
}

/* Looks the queues up; 0 or US_REFUSED with the reason in `told`. */
static int look(const struct us_drain_process *process, const char *interface,
		struct us_drain **ret_drain)
{
	int r = us_drain_new(ret_drain, loop, process, interface, on_done, NULL, &told);

	return r == 0 ? finish() : r;
}

static void drain(int queues, int header_bytes, bool one_flow)
{
	pid_t pid = stopped_vmm(queues, header_bytes);
	struct us_drain_process process = process_of(pid);
	struct us_drain *drain = NULL;
	struct taken taken = { 0 };
	struct us_reason reason = { .text = "" };

	send_frames();
	assert_int_equal(us_drain_check(&process, &reason), 0);
	assert_int_equal(us_drain_new(&drain, loop, &process, "drained", on_done, NULL, &reason),
			 0);
	assert_false(us_drain_is_ready(drain));
	assert_int_equal(finish(), 0);
	assert_true(us_drain_is_ready(drain));
	/* Frames that came before the read count, also those after the look-up. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(us_drain_read(drain, on_done, NULL), 0);
		assert_int_equal(finish(), 0);
		us_drain_each(drain, take, &taken);
		assert_int_equal(taken.count, FRAMES); /* once taken, they are gone */
	}
	if (one_flow)
		assert_int_equal(taken.in_order, FRAMES);
	us_drain_free(drain);
	us_close(process.pidfd);
	end(pid);
}

static void test_plain(void **state)
{
	drain(1, 0, true);
}

static void test_headers(void **state)
{
	drain(1, sizeof(struct virtio_net_hdr), true);
	drain(1, sizeof(struct virtio_net_hdr_mrg_rxbuf), true);
}

static void test_multiqueue(void **state)
{
	drain(4, sizeof(struct virtio_net_hdr_mrg_rxbuf), false);
}

static void test_refused(void **state)
{
	pid_t pid = stopped_vmm(1, 0);
	struct us_drain_process process = process_of(pid);
	struct us_drain *drain = NULL;

	assert_int_equal(look(&process, "other", &drain), US_REFUSED);
	assert_non_null(strstr(told.text, "no queue of other"));
	assert_false(us_drain_is_ready(drain));
	us_drain_free(US_STEAL(drain));
	end(pid);
	assert_int_equal(look(&process, "drained", &drain), US_REFUSED);
	assert_non_null(strstr(told.text, "No such process"));
	us_close(process.pidfd);
	process.pidfd = -1;
	assert_int_equal(us_drain_check(&process, &told), US_REFUSED);
	assert_null(drain);
}

/* An abandoned look-up calls nobody. Once it has ended, the process can be looked up again. */
static void test_given_up(void **state)
{
	pid_t pid = stopped_vmm(1, 0);
	struct us_drain_process process = process_of(pid);
	struct us_drain *drain = NULL;

	assert_int_equal(us_drain_new(&drain, loop, &process, "drained", on_done, NULL, &told), 0);
	us_drain_free(US_STEAL(drain));
	assert_int_equal(look(&process, "drained", &drain), US_REFUSED);
	assert_non_null(strstr(told.text, "has not ended"));
	assert_true(sd_event_run(loop, UINT64_MAX) > 0);
	assert_int_equal(look(&process, "drained", &drain), 0);
	us_drain_free(drain);
	us_close(process.pidfd);
	end(pid);
}

static void free_it(void *userdata, int r, const struct us_reason *reason)
{
	struct us_drain **drain = userdata;

	us_drain_free(US_STEAL(*drain));
	on_done(NULL, r, reason);
}

static void test_freed_when_told(void **state)
{
	pid_t pid = stopped_vmm(1, 0);
	struct us_drain_process process = process_of(pid);
	struct us_drain *drain = NULL;

	assert_int_equal(us_drain_new(&drain, loop, &process, "other", free_it, &drain, &told), 0);
	assert_int_equal(finish(), US_REFUSED);
	assert_non_null(strstr(told.text, "no queue of other"));
	assert_null(drain);
	us_close(process.pidfd);
	end(pid);
}

/* Another user's process, without CAP_SYS_PTRACE. */
static void test_no_privilege(void **state)
{
	struct us_reason reason = { .text = "" };
	pid_t pid = stopped_vmm(1, 0), child;
	struct us_drain_process process = process_of(pid);
	struct us_drain *drain;
	int status;

	child = fork();
	if (child == 0) {
		if (prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE) < 0 || setresuid(0, 65534, 65534) < 0)
			_exit(2);
		if (us_drain_check(&process, &reason) != US_REFUSED ||
		    us_drain_new(&drain, loop, &process, "drained", on_done, NULL, &reason) !=
			    US_REFUSED)
			_exit(1);
		_exit(strstr(reason.text, "CAP_SYS_PTRACE") ? 0 : 3);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	us_close(process.pidfd);
	end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_multiqueue),	cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_privilege),	cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_freed_when_told),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
		return 77;
	assert_true(sd_event_new(&loop) >= 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
