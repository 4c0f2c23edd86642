/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest's end of the probe: answers whoever sends frames to its UDP port with a numbered
 * report each millisecond. Runs in the guest, linked statically: `beacon PORT`.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lab/probe-wire.h"
#include "util/clock.h"

struct beacon {
	int socket;
	struct sockaddr_in client; /* port 0: nobody has asked yet */
	struct us_probe_report report;
};

static bool window_test_and_set(uint8_t *window, uint64_t seq)
{
	uint8_t *byte = &window[seq % US_PROBE_WINDOW / 8], bit = 1u << seq % 8;
	bool was = *byte & bit;

	*byte |= bit;
	return was;
}

static void window_advance(struct us_probe_report *report, uint64_t seq)
{
	if (seq - report->highest >= US_PROBE_WINDOW)
		memset(report->window, 0, sizeof(report->window));
	else
		for (uint64_t n = report->highest + 1; n <= seq; n++)
			report->window[n % US_PROBE_WINDOW / 8] &= ~(1u << n % 8);
	report->highest = seq;
}

static void run_begin(struct us_probe_report *report, const struct us_probe_frame *frame)
{
	*report = (struct us_probe_report){
		.magic = US_PROBE_MAGIC,
		.run = frame->run,
		.session = report->session,
		.seq = report->seq,
		.highest = frame->seq - 1,
		.first = frame->seq,
	};
}

static void arrived(struct us_probe_report *report, const struct us_probe_frame *frame)
{
	if (frame->run != report->run)
		run_begin(report, frame);
	if (frame->seq > report->highest)
		window_advance(report, frame->seq);
	else if (report->highest - frame->seq >= US_PROBE_WINDOW)
		return;
	else
		report->reordered++;
	if (window_test_and_set(report->window, frame->seq)) {
		report->duplicated++;
		report->reordered--;
	}
}

static void receive(struct beacon *beacon)
{
	socklen_t size = sizeof(beacon->client);
	struct us_probe_frame frame;
	struct sockaddr_in from;

	while (recvfrom(beacon->socket, &frame, sizeof(frame), MSG_DONTWAIT,
			(struct sockaddr *)&from, &size) == sizeof(frame)) {
		if (frame.magic != US_PROBE_MAGIC || frame.seq == 0)
			continue;
		beacon->client = from;
		arrived(&beacon->report, &frame);
	}
}

/* What cannot be sent is as lost as what is lost on the way: nothing is retried. */
static void send_due(struct beacon *beacon, uint64_t *due_usec)
{
	uint64_t now = us_now_usec();

	if (now > *due_usec + US_PROBE_CATCH_UP_USEC)
		*due_usec = now;
	for (; *due_usec <= now; *due_usec += US_PROBE_INTERVAL_USEC) {
		beacon->report.seq++;
		sendto(beacon->socket, &beacon->report, sizeof(beacon->report), MSG_DONTWAIT,
		       (struct sockaddr *)&beacon->client, sizeof(beacon->client));
	}
}

static int open_socket(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = 8 << 20;

	/* The path is measured, not how fast an emulated CPU empties a default buffer. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		perror("beacon");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	const struct itimerspec interval = { .it_interval.tv_nsec = US_PROBE_INTERVAL_USEC * 1000,
					     .it_value.tv_nsec = 1 };
	struct beacon beacon = { .report.magic = US_PROBE_MAGIC };
	uint64_t due_usec = us_now_usec(), expirations;
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };

	if (argc != 2) {
		fprintf(stderr, "usage: beacon PORT\n");
		return 2;
	}
	beacon.socket = fds[0].fd = open_socket(atoi(argv[1]));
	fds[1].fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	timerfd_settime(fds[1].fd, 0, &interval, NULL);
	while (getrandom(&beacon.report.session, sizeof(beacon.report.session), GRND_INSECURE) < 0)
		;

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			receive(&beacon);
		if (fds[1].revents && read(fds[1].fd, &expirations, sizeof(expirations)) > 0 &&
		    beacon.client.sin_port)
			send_due(&beacon, &due_usec);
	}
}
