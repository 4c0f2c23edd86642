/* SPDX-License-Identifier: BSD-3-Clause */
/* The prober's thread: sends by absolute deadlines, records what comes back. See probe.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lab/probe.h"
#include "lab/probe-record.h"
#include "lab/probe-wire.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define LINGER_USEC (2 * US_USEC_PER_SEC)

static struct us_probe_session *session_of(struct us_probe *probe,
					   const struct us_probe_report *report)
{
	struct us_probe_session *session = &probe->sessions[probe->sessions_count];

	/* Newest first: frames of an earlier boot may still be on their way. */
	for (unsigned i = probe->sessions_count; i-- > 0;)
		if (probe->sessions[i].id == report->session)
			return &probe->sessions[i];
	if (probe->sessions_count == US_PROBE_SESSIONS)
		return NULL;
	probe->sessions_count++;
	*session = (struct us_probe_session){ .id = report->session, .first = report->first };
	return session;
}

static void record_report(struct us_probe *probe, const struct us_probe_report *report)
{
	struct us_probe_session *session = session_of(probe, report);
	uint64_t n = atomic_load(&probe->arrivals_count), oldest;

	if (!session || n == US_PROBE_RECORDS || report->highest > probe->sent)
		return;
	probe->arrivals[n] =
		(struct us_probe_arrival){ us_now_usec(), report->seq, session - probe->sessions };
	atomic_store(&probe->arrivals_count, n + 1);

	oldest = report->highest < US_PROBE_WINDOW ? 1 : report->highest - US_PROBE_WINDOW + 1;
	for (uint64_t seq = oldest; seq <= report->highest; seq++)
		if (report->window[seq % US_PROBE_WINDOW / 8] & 1u << seq % 8)
			probe->arrived[seq] = 1;
	if (report->highest > session->last)
		session->last = report->highest;

	if ((report->duplicated > session->duplicated || report->reordered > session->reordered) &&
	    probe->odd_count < US_ARRAY_LENGTH(probe->odd)) {
		probe->odd[probe->odd_count++] =
			(struct us_probe_odd){ report->highest,
					       report->duplicated - session->duplicated,
					       report->reordered - session->reordered };
		session->duplicated = report->duplicated;
		session->reordered = report->reordered;
	}
}

static void receive(struct us_probe *probe)
{
	struct us_probe_report report;

	while (recv(probe->socket, &report, sizeof(report), MSG_DONTWAIT) == sizeof(report))
		if (report.magic == US_PROBE_MAGIC && report.run == probe->run)
			record_report(probe, &report);
}

static void send_due(struct us_probe *probe, uint64_t *due_usec)
{
	struct us_probe_frame frame = { .magic = US_PROBE_MAGIC, .run = probe->run };
	uint64_t now = us_now_usec();

	if (now > *due_usec + US_PROBE_CATCH_UP_USEC)
		*due_usec = now;
	for (; *due_usec <= now && probe->sent + 1 < US_PROBE_RECORDS;
	     *due_usec += US_PROBE_INTERVAL_USEC) {
		frame.seq = ++probe->sent;
		probe->sent_usec[frame.seq] = us_now_usec();
		send(probe->socket, &frame, sizeof(frame), MSG_DONTWAIT);
	}
}

static bool is_settled(const struct us_probe *probe)
{
	return probe->sessions_count == 0 ||
	       probe->sessions[probe->sessions_count - 1].last == probe->sent;
}

/* A real-time thread where we may: emulated guests take every CPU they can get. */
static void *run(void *userdata)
{
	const struct itimerspec interval = { .it_interval.tv_nsec = US_PROBE_INTERVAL_USEC * 1000,
					     .it_value.tv_nsec = 1 };
	const struct sched_param priority = { .sched_priority = 1 };
	struct us_probe *probe = userdata;
	US_CLEANUP(us_closep) int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct pollfd fds[2] = { { .fd = probe->socket, .events = POLLIN },
				 { .fd = timer, .events = POLLIN } };
	uint64_t due_usec = us_now_usec(), stopped_usec = 0, expirations;

	pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority);
	timerfd_settime(timer, 0, &interval, NULL);
	while (!stopped_usec ||
	       (us_now_usec() < stopped_usec + LINGER_USEC && !is_settled(probe))) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			receive(probe);
		if (fds[1].revents && read(timer, &expirations, sizeof(expirations)) > 0 &&
		    !stopped_usec)
			send_due(probe, &due_usec);
		if (!stopped_usec && atomic_load(&probe->stop))
			stopped_usec = us_now_usec();
	}
	return NULL;
}

/* A socket stays in the namespace in which it was made; we come back to our own. */
static int open_socket(const struct us_lab *lab, unsigned nic)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(us_net_nics[nic].port) };
	US_CLEANUP(us_closep) int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	US_CLEANUP(us_closep) int netns = -1;
	int fd, bytes = 16 << 20;
	char name[64], path[100];

	snprintf(path, sizeof(path), "/run/netns/%s", us_net_namespace(lab, "client", name));
	netns = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || netns < 0 || setns(netns, CLONE_NEWNET))
		return -errno;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (setns(own, CLONE_NEWNET))
		abort();
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	inet_pton(AF_INET, us_net_nics[nic].address, &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		return -errno;
	}
	return fd;
}

static void *records(size_t size)
{
	void *memory = mmap(NULL, US_PROBE_RECORDS * size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int us_probe_start(struct us_probe **ret_probe, const struct us_lab *lab, unsigned nic)
{
	struct us_probe *probe = calloc(1, sizeof(*probe));
	int r = -ENOMEM;

	if (!probe)
		return r;
	probe->socket = -1;
	probe->run = us_now_usec();
	probe->sent_usec = records(sizeof(*probe->sent_usec));
	probe->arrived = records(sizeof(*probe->arrived));
	probe->arrivals = records(sizeof(*probe->arrivals));
	if (probe->sent_usec && probe->arrived && probe->arrivals)
		r = probe->socket = open_socket(lab, nic);
	if (r >= 0)
		r = -pthread_create(&probe->thread, NULL, run, probe);
	if (r) {
		us_probe_free(probe);
		return r;
	}
	probe->running = true;
	*ret_probe = probe;
	return 0;
}

void us_probe_stop(struct us_probe *probe)
{
	if (!probe->running)
		return;
	atomic_store(&probe->stop, true);
	pthread_join(probe->thread, NULL);
	probe->running = false;
}

void us_probe_free(struct us_probe *probe)
{
	us_probe_stop(probe);
	us_close(probe->socket);
	if (probe->sent_usec)
		munmap(probe->sent_usec, US_PROBE_RECORDS * sizeof(*probe->sent_usec));
	if (probe->arrived)
		munmap(probe->arrived, US_PROBE_RECORDS * sizeof(*probe->arrived));
	if (probe->arrivals)
		munmap(probe->arrivals, US_PROBE_RECORDS * sizeof(*probe->arrivals));
	free(probe);
}

uint64_t us_probe_heard(const struct us_probe *probe)
{
	return atomic_load(&probe->arrivals_count);
}
