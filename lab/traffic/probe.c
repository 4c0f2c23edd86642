/* SPDX-License-Identifier: BSD-3-Clause */
/* The prober's thread: sends frames at absolute times, and records the reports. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lab/traffic/probe-private.h"
#include "lab/world/net.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define LINGER_USEC (2 * US_USEC_PER_SEC)

static struct us_lab_probe_session *session_of(struct us_lab_probe *probe,
					       const struct us_lab_probe_report *report)
{
	struct us_lab_probe_session *session = &probe->sessions[probe->sessions_count];

	/* Newest first. Reports of an earlier boot may still arrive. */
	for (unsigned i = probe->sessions_count; i-- > 0;)
		if (probe->sessions[i].id == report->session)
			return &probe->sessions[i];
	if (probe->sessions_count == US_LAB_PROBE_SESSIONS)
		return NULL;
	probe->sessions_count++;
	*session = (struct us_lab_probe_session){ .id = report->session, .first = report->first };
	return session;
}

static void count_odd(struct us_lab_probe *probe, struct us_lab_probe_session *session,
		      const struct us_lab_probe_report *report)
{
	if ((report->duplicated <= session->duplicated &&
	     report->reordered <= session->reordered) ||
	    probe->odd_count == US_ARRAY_LENGTH(probe->odd))
		return;
	probe->odd[probe->odd_count++] =
		(struct us_lab_probe_odd){ report->highest,
					   report->duplicated - session->duplicated,
					   report->reordered - session->reordered };
	session->duplicated = report->duplicated;
	session->reordered = report->reordered;
}

static void record_report(struct us_lab_probe *probe, const struct us_lab_probe_report *report,
			  bool has_window)
{
	struct us_lab_probe_session *session = session_of(probe, report);
	uint64_t n = atomic_load(&probe->arrivals_count), oldest;

	if (!session || n == US_LAB_PROBE_RECORDS || report->highest > probe->sent)
		return;
	probe->arrivals[n] = (struct us_lab_probe_arrival){ .time_usec = us_now_usec(),
							    .guest_usec = report->sent_usec,
							    .delay_usec = US_LAB_PROBE_NO_DELAY,
							    .seq = report->seq,
							    .session = session - probe->sessions };
	atomic_store(&probe->arrivals_count, n + 1);
	atomic_store(&probe->reached, report->highest);
	if (report->highest > session->last)
		session->last = report->highest;
	count_odd(probe, session, report);
	if (!has_window)
		return;

	oldest = report->highest < US_LAB_PROBE_WINDOW ? 1
						       : report->highest - US_LAB_PROBE_WINDOW + 1;
	for (uint64_t seq = oldest; seq <= report->highest; seq++)
		if (report->window[seq % US_LAB_PROBE_WINDOW / 8] & 1u << seq % 8)
			probe->arrived[seq] = 1;
}

static void receive(struct us_lab_probe *probe)
{
	const ssize_t bare = offsetof(struct us_lab_probe_report, window);
	struct us_lab_probe_report report;
	ssize_t n;

	while ((n = recv(probe->socket, &report, sizeof(report), MSG_DONTWAIT)) >= bare)
		if (report.magic == US_LAB_PROBE_MAGIC && report.run == probe->run)
			record_report(probe, &report, n == sizeof(report));
}

static void send_due(struct us_lab_probe *probe, uint64_t *due_usec)
{
	struct us_lab_probe_frame frame = { .magic = US_LAB_PROBE_MAGIC,
					    .run = probe->run,
					    .report_interval_usec = probe->report_interval_usec };
	uint64_t now = us_now_usec();

	if (now > *due_usec + US_LAB_PROBE_CATCH_UP_USEC)
		*due_usec = now;
	for (; *due_usec <= now && probe->sent + 1 < US_LAB_PROBE_RECORDS;
	     *due_usec += probe->interval_usec) {
		frame.seq = ++probe->sent;
		probe->sent_usec[frame.seq] = us_now_usec();
		send(probe->socket, &frame, sizeof(frame), MSG_DONTWAIT);
	}
}

static bool is_settled(const struct us_lab_probe *probe)
{
	return probe->sessions_count == 0 ||
	       probe->sessions[probe->sessions_count - 1].last == probe->sent;
}

/* A real-time thread where allowed, because emulated guests use all CPU time that they get. */
static void *run(void *userdata)
{
	const struct sched_param priority = { .sched_priority = 1 };
	struct us_lab_probe *probe = userdata;
	const struct itimerspec interval = { .it_interval.tv_nsec = probe->interval_usec * 1000L,
					     .it_value.tv_nsec = 1 };
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

/* A socket stays in the namespace in which it was made. This thread returns to its own. */
int us_lab_probe_connect(const struct us_lab *lab, unsigned nic, int type)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(us_lab_net_nics[nic].port) };
	US_CLEANUP(us_closep) int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	US_CLEANUP(us_closep) int netns = -1;
	const struct timeval patience = { .tv_sec = 2 };
	int fd, bytes = 16 << 20;
	char name[64], path[100];

	snprintf(path, sizeof(path), "/run/netns/%s", us_lab_namespace(lab, "client", name));
	netns = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || netns < 0 || setns(netns, CLONE_NEWNET))
		return -errno;
	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (setns(own, CLONE_NEWNET))
		abort();
	if (type == SOCK_DGRAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	inet_pton(AF_INET, us_lab_net_nics[nic].address, &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

static void *records(size_t size)
{
	void *memory = mmap(NULL, US_LAB_PROBE_RECORDS * size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void forget(void *memory, size_t size)
{
	if (memory)
		munmap(memory, US_LAB_PROBE_RECORDS * size);
}

/* There is none from a guest that cannot be reached. */
static void fetch_log(struct us_lab_probe *probe)
{
	US_CLEANUP(us_closep) int fd = us_lab_probe_connect(probe->lab, probe->nic, SOCK_STREAM);
	const struct timeval patience = { .tv_sec = 5 };
	const char service = US_LAB_PROBE_LOG;
	size_t size = 0, limit = US_LAB_PROBE_RECORDS * sizeof(*probe->log);
	ssize_t n = 1;

	probe->log = fd < 0 ? NULL : records(sizeof(*probe->log));
	if (!probe->log || send(fd, &service, 1, 0) != 1)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while (n > 0 && size < limit) {
		n = recv(fd, (char *)probe->log + size, limit - size, 0);
		size += n > 0 ? n : 0;
	}
	probe->log_count = size / sizeof(*probe->log);
	for (size_t i = 0; i < probe->log_count; i++)
		if (probe->log[i].seq <= probe->sent)
			probe->arrived[probe->log[i].seq] = 1;
}

int us_lab_probe_start(struct us_lab_probe **ret_probe, const struct us_lab *lab, unsigned nic)
{
	struct us_lab_probe *probe = calloc(1, sizeof(*probe));
	int r = -ENOMEM;

	if (!probe)
		return r;
	probe->socket = -1;
	probe->run = us_now_usec();
	probe->interval_usec = US_USEC_PER_SEC / lab->options.rate;
	probe->report_interval_usec = probe->interval_usec > US_LAB_PROBE_REPORT_LEAST_USEC
					      ? probe->interval_usec
					      : US_LAB_PROBE_REPORT_LEAST_USEC;
	probe->lab = lab;
	probe->nic = nic;
	probe->sent_usec = records(sizeof(*probe->sent_usec));
	probe->arrived = records(sizeof(*probe->arrived));
	probe->delay_usec = records(sizeof(*probe->delay_usec));
	probe->arrivals = records(sizeof(*probe->arrivals));
	if (probe->sent_usec && probe->arrived && probe->delay_usec && probe->arrivals)
		r = probe->socket = us_lab_probe_connect(lab, nic, SOCK_DGRAM);
	if (r >= 0)
		r = -pthread_create(&probe->thread, NULL, run, probe);
	if (r) {
		us_lab_probe_free(probe);
		return r;
	}
	probe->running = true;
	*ret_probe = probe;
	return 0;
}

void us_lab_probe_stop(struct us_lab_probe *probe)
{
	if (!probe->running)
		return;
	atomic_store(&probe->stop, true);
	pthread_join(probe->thread, NULL);
	probe->running = false;
	fetch_log(probe);
}

void us_lab_probe_free(struct us_lab_probe *probe)
{
	us_lab_probe_stop(probe);
	us_close(probe->socket);
	forget(probe->sent_usec, sizeof(*probe->sent_usec));
	forget(probe->arrived, sizeof(*probe->arrived));
	forget(probe->delay_usec, sizeof(*probe->delay_usec));
	forget(probe->arrivals, sizeof(*probe->arrivals));
	forget(probe->log, sizeof(*probe->log));
	free(probe);
}
