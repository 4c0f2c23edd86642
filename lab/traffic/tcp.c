/* SPDX-License-Identifier: BSD-3-Clause */
/* The thread that uses two TCP connections and samples their state. */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lab/traffic/probe.h"
#include "lab/traffic/probe-wire.h"
#include "lab/traffic/tcp.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define SAMPLE_USEC (5 * US_USEC_PER_MSEC)
#define SAMPLES_MAX (1u << 17) /* about 11 minutes */
#define DIP_USEC (500 * US_USEC_PER_MSEC)

struct sample {
	uint64_t time_usec, acked_bytes, retransmitted, responses;
	uint32_t slowest_response_usec; /* since the previous sample, with one still awaited */
};

struct us_lab_tcp {
	pthread_t thread;
	bool running;
	atomic_bool stop;
	int bulk, echo;
	uint64_t asked_usec; /* 0: no request is under way */
	size_t answered_bytes;
	uint64_t responses;
	uint32_t slowest_usec;
	struct sample *samples;
	size_t count;
};

static const char request[100] = "request";

static void take_sample(struct us_lab_tcp *tcp, uint64_t now)
{
	struct sample *sample = &tcp->samples[tcp->count];
	struct tcp_info bulk = {}, echo = {};
	socklen_t size = sizeof(bulk);

	if (tcp->count == SAMPLES_MAX)
		return;
	getsockopt(tcp->bulk, IPPROTO_TCP, TCP_INFO, &bulk, &size);
	size = sizeof(echo);
	getsockopt(tcp->echo, IPPROTO_TCP, TCP_INFO, &echo, &size);
	if (tcp->asked_usec && now - tcp->asked_usec > tcp->slowest_usec)
		tcp->slowest_usec = now - tcp->asked_usec;
	*sample = (struct sample){ now, bulk.tcpi_bytes_acked,
				   bulk.tcpi_total_retrans + echo.tcpi_total_retrans,
				   tcp->responses, tcp->slowest_usec };
	tcp->slowest_usec = 0;
	tcp->count++;
}

static void send_request(struct us_lab_tcp *tcp, uint64_t now)
{
	tcp->answered_bytes = 0;
	if (send(tcp->echo, request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    sizeof(request))
		tcp->asked_usec = now;
}

static void receive_response(struct us_lab_tcp *tcp)
{
	char buffer[sizeof(request)];
	ssize_t n = recv(tcp->echo, buffer, sizeof(buffer), MSG_DONTWAIT);
	uint64_t took_usec = us_now_usec() - tcp->asked_usec;

	tcp->answered_bytes += n > 0 ? n : 0;
	if (tcp->answered_bytes < sizeof(request))
		return;
	if (took_usec > tcp->slowest_usec)
		tcp->slowest_usec = took_usec;
	tcp->responses++;
	tcp->asked_usec = 0;
}

static void *run(void *userdata)
{
	static const char bulk[16384];
	const struct itimerspec interval = { .it_interval.tv_nsec = SAMPLE_USEC * 1000,
					     .it_value.tv_nsec = 1 };
	struct us_lab_tcp *tcp = userdata;
	US_CLEANUP(us_closep) int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct pollfd fds[3] = { { .fd = tcp->bulk, .events = POLLOUT },
				 { .fd = tcp->echo, .events = POLLIN },
				 { .fd = timer, .events = POLLIN } };
	uint64_t expirations;

	timerfd_settime(timer, 0, &interval, NULL);
	while (!atomic_load(&tcp->stop)) {
		if (poll(fds, 3, -1) < 0)
			continue;
		if ((fds[0].revents | fds[1].revents) & (POLLERR | POLLHUP))
			break;
		if (fds[0].revents)
			send(tcp->bulk, bulk, sizeof(bulk), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (fds[1].revents)
			receive_response(tcp);
		if (fds[2].revents && read(timer, &expirations, sizeof(expirations)) > 0) {
			take_sample(tcp, us_now_usec());
			if (!tcp->asked_usec)
				send_request(tcp, us_now_usec());
		}
	}
	return NULL;
}

static int open_stream(const struct us_lab *lab, enum us_lab_probe_service service)
{
	unsigned pace = US_LAB_TCP_BYTES_PER_SEC;
	int fd = us_lab_probe_connect(lab, 0, SOCK_STREAM), bytes = 256 << 10, yes = 1;
	char byte = service;

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &pace, sizeof(pace));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1) {
		close(fd);
		return -ECONNRESET;
	}
	return fd;
}

int us_lab_tcp_start(struct us_lab_tcp **ret_tcp, const struct us_lab *lab)
{
	struct us_lab_tcp *tcp = calloc(1, sizeof(*tcp));
	int r = -ENOMEM;

	if (!tcp)
		return r;
	tcp->echo = -1;
	tcp->samples = calloc(SAMPLES_MAX, sizeof(*tcp->samples));
	r = tcp->bulk = open_stream(lab, US_LAB_PROBE_SINK);
	if (r >= 0)
		r = tcp->echo = open_stream(lab, US_LAB_PROBE_ECHO);
	if (r >= 0)
		r = tcp->samples ? -pthread_create(&tcp->thread, NULL, run, tcp) : -ENOMEM;
	if (r) {
		us_lab_tcp_free(tcp);
		return r;
	}
	tcp->running = true;
	*ret_tcp = tcp;
	return 0;
}

void us_lab_tcp_stop(struct us_lab_tcp *tcp)
{
	if (!tcp || !tcp->running)
		return;
	atomic_store(&tcp->stop, true);
	pthread_join(tcp->thread, NULL);
	tcp->running = false;
}

void us_lab_tcp_free(struct us_lab_tcp *tcp)
{
	if (!tcp)
		return;
	us_lab_tcp_stop(tcp);
	us_close(tcp->bulk);
	us_close(tcp->echo);
	free(tcp->samples);
	free(tcp);
}

/* Bytes acknowledged in @usec from sample @i on, or UINT64_MAX if the samples end before. */
static uint64_t bytes_after(const struct us_lab_tcp *tcp, size_t i, uint64_t usec)
{
	for (size_t j = i; j < tcp->count; j++)
		if (tcp->samples[j].time_usec >= tcp->samples[i].time_usec + usec)
			return tcp->samples[j].acked_bytes - tcp->samples[i].acked_bytes;
	return UINT64_MAX;
}

void us_lab_tcp_count(const struct us_lab_tcp *tcp, uint64_t from_usec, uint64_t until_usec,
		      struct us_lab_tcp_count *ret_count)
{
	const struct sample *first = NULL, *last = NULL, *progress = NULL;
	uint64_t lowest = US_LAB_TCP_BYTES_PER_SEC * DIP_USEC / US_USEC_PER_SEC;
	const uint64_t full = lowest;

	*ret_count = (struct us_lab_tcp_count){};
	for (size_t i = 0; i < tcp->count; i++) {
		const struct sample *now = &tcp->samples[i];
		uint64_t bytes;

		if (now->time_usec < from_usec || now->time_usec >= until_usec)
			continue;
		first = first ?: now;
		if (!progress || now->acked_bytes > progress->acked_bytes)
			progress = now;
		else if (now->time_usec - progress->time_usec > ret_count->stall_usec)
			ret_count->stall_usec = now->time_usec - progress->time_usec;
		if (now->slowest_response_usec > ret_count->slowest_response_usec)
			ret_count->slowest_response_usec = now->slowest_response_usec;
		bytes = bytes_after(tcp, i, DIP_USEC);
		lowest = bytes < lowest ? bytes : lowest;
		last = now;
	}
	if (!first)
		return;
	ret_count->bytes = last->acked_bytes - first->acked_bytes;
	ret_count->retransmitted = last->retransmitted - first->retransmitted;
	ret_count->responses = last->responses - first->responses;
	ret_count->lowest_percent = lowest * 100 / full;
}
