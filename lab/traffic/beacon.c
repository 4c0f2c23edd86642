/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest's end of the probe: receives frames on a UDP port, sends numbered reports to their
 * sender, and serves TCP on the port of the same number. Runs in the guest, linked statically:
 * `beacon PORT`.
 */
#include <endian.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lab/traffic/probe-wire.h"
#include "util/clock.h"

#define LOG_ENTRIES (1u << 21)
#define BATCH 64

struct beacon {
	int socket, listener;
	struct sockaddr_in client; /* the latest sender; port 0: none yet */
	struct us_lab_probe_report report;
	uint64_t begin_usec, window_due_usec;
	uint32_t interval_usec;
	size_t log_count;
};

/* Unused pages use no memory. */
static struct us_lab_probe_entry entries[LOG_ENTRIES];

static bool window_test_and_set(uint8_t *window, uint64_t seq)
{
	uint8_t *byte = &window[seq % US_LAB_PROBE_WINDOW / 8], bit = 1u << seq % 8;
	bool was = *byte & bit;

	*byte |= bit;
	return was;
}

static void window_advance(struct us_lab_probe_report *report, uint64_t seq)
{
	if (seq - report->highest >= US_LAB_PROBE_WINDOW)
		memset(report->window, 0, sizeof(report->window));
	else
		for (uint64_t n = report->highest + 1; n <= seq; n++)
			report->window[n % US_LAB_PROBE_WINDOW / 8] &= ~(1u << n % 8);
	report->highest = seq;
}

static void run_begin(struct us_lab_probe_report *report, const struct us_lab_probe_frame *frame)
{
	*report = (struct us_lab_probe_report){
		.magic = US_LAB_PROBE_MAGIC,
		.run = frame->run,
		.session = report->session,
		.seq = report->seq,
		.highest = frame->seq - 1,
		.first = frame->seq,
	};
}

static void record_arrival(struct beacon *beacon, const struct us_lab_probe_frame *frame)
{
	struct us_lab_probe_report *report = &beacon->report;

	if (frame->run != report->run) {
		run_begin(report, frame);
		beacon->interval_usec = frame->report_interval_usec;
		beacon->log_count = 0;
	}
	if (beacon->log_count < LOG_ENTRIES)
		entries[beacon->log_count++] = (struct us_lab_probe_entry){
			htole32(frame->seq),
			htole32(us_now_usec() - beacon->begin_usec),
		};
	if (frame->seq > report->highest)
		window_advance(report, frame->seq);
	else if (report->highest - frame->seq >= US_LAB_PROBE_WINDOW)
		return;
	else
		report->reordered++;
	if (window_test_and_set(report->window, frame->seq)) {
		report->duplicated++;
		report->reordered--;
	}
}

static void receive_frame(struct beacon *beacon, struct us_lab_probe_frame *frame,
			  const struct sockaddr_in *from)
{
	frame->magic = le32toh(frame->magic);
	frame->run = le32toh(frame->run);
	frame->seq = le64toh(frame->seq);
	frame->report_interval_usec = le32toh(frame->report_interval_usec);
	if (frame->magic != US_LAB_PROBE_MAGIC || frame->seq == 0 || !frame->report_interval_usec)
		return;
	beacon->client = *from;
	record_arrival(beacon, frame);
}

/* In batches, because a system call is expensive on an emulated CPU. */
static void receive(struct beacon *beacon)
{
	static struct us_lab_probe_frame frames[BATCH];
	static struct sockaddr_in from[BATCH];
	static struct iovec data[BATCH];
	static struct mmsghdr messages[BATCH];
	int n;

	for (size_t i = 0; i < BATCH; i++) {
		data[i] = (struct iovec){ &frames[i], sizeof(frames[i]) };
		messages[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
						       .msg_namelen = sizeof(from[i]),
						       .msg_iov = &data[i],
						       .msg_iovlen = 1 };
	}
	n = recvmmsg(beacon->socket, messages, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		if (messages[i].msg_len == sizeof(frames[i]))
			receive_frame(beacon, &frames[i], &from[i]);
}

/* A report that cannot be sent counts as lost; it is not sent again. */
static void send_report(const struct beacon *beacon, size_t size)
{
	static struct us_lab_probe_report wire;
	const struct us_lab_probe_report *report = &beacon->report;

	memcpy(&wire, report, size);
	wire.magic = htole32(report->magic);
	wire.run = htole32(report->run);
	wire.session = htole64(report->session);
	wire.seq = htole64(report->seq);
	wire.sent_usec = htole64(report->sent_usec);
	wire.highest = htole64(report->highest);
	wire.first = htole64(report->first);
	wire.duplicated = htole32(report->duplicated);
	wire.reordered = htole32(report->reordered);
	sendto(beacon->socket, &wire, size, MSG_DONTWAIT, (struct sockaddr *)&beacon->client,
	       sizeof(beacon->client));
}

static void send_due(struct beacon *beacon, uint64_t *due_usec)
{
	uint64_t now = us_now_usec();

	if (now > *due_usec + US_LAB_PROBE_CATCH_UP_USEC)
		*due_usec = now;
	for (; *due_usec <= now; *due_usec += beacon->interval_usec) {
		size_t size = offsetof(struct us_lab_probe_report, window);

		if (now >= beacon->window_due_usec) {
			size = sizeof(beacon->report);
			beacon->window_due_usec = now + US_LAB_PROBE_WINDOW_USEC;
		}
		beacon->report.seq++;
		beacon->report.sent_usec = us_now_usec() - beacon->begin_usec;
		send_report(beacon, size);
	}
}

static void send_all(int fd, const void *data, size_t size)
{
	ssize_t n;

	for (; size > 0; data = (const char *)data + n, size -= n) {
		n = send(fd, data, size, MSG_NOSIGNAL);
		if (n <= 0)
			return;
	}
}

/* One process for each connection, so that the log it sends is a snapshot. */
static void serve(struct beacon *beacon)
{
	static char buffer[65536];
	int fd = accept4(beacon->listener, NULL, NULL, SOCK_CLOEXEC);
	char service = 0;
	ssize_t n;

	if (fd < 0 || fork() != 0) {
		close(fd);
		return;
	}
	recv(fd, &service, 1, 0);
	if (service == US_LAB_PROBE_LOG)
		send_all(fd, entries, beacon->log_count * sizeof(*entries));
	else
		while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0)
			if (service == US_LAB_PROBE_ECHO)
				send_all(fd, buffer, n);
	_exit(0);
}

static int open_socket(int type, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), bytes = 8 << 20;

	/* Large, because an emulated CPU may empty a buffer of the default size too slowly. */
	if (type == SOCK_DGRAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    (type == SOCK_STREAM && listen(fd, 8))) {
		perror("beacon");
		exit(1);
	}
	return fd;
}

static void interval_set(int timer, uint32_t interval_usec)
{
	const struct itimerspec interval = { .it_interval.tv_nsec = interval_usec * 1000L,
					     .it_value.tv_nsec = 1 };

	timerfd_settime(timer, 0, &interval, NULL);
}

int main(int argc, char **argv)
{
	struct beacon beacon = { .report.magic = US_LAB_PROBE_MAGIC, .begin_usec = us_now_usec() };
	uint64_t due_usec = us_now_usec(), expirations;
	struct pollfd fds[3] = { { .events = POLLIN }, { .events = POLLIN }, { .events = POLLIN } };
	uint32_t interval_usec = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: beacon PORT\n");
		return 2;
	}
	signal(SIGCHLD, SIG_IGN);
	beacon.socket = fds[0].fd = open_socket(SOCK_DGRAM, atoi(argv[1]));
	beacon.listener = fds[2].fd = open_socket(SOCK_STREAM, atoi(argv[1]));
	fds[1].fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	while (getrandom(&beacon.report.session, sizeof(beacon.report.session), GRND_INSECURE) < 0)
		;

	for (;;) {
		if (poll(fds, 3, -1) < 0)
			continue;
		if (fds[0].revents)
			receive(&beacon);
		if (beacon.interval_usec != interval_usec) {
			interval_usec = beacon.interval_usec;
			interval_set(fds[1].fd, interval_usec);
		}
		if (fds[1].revents && read(fds[1].fd, &expirations, sizeof(expirations)) > 0)
			send_due(&beacon, &due_usec);
		if (fds[2].revents)
			serve(&beacon);
	}
}
