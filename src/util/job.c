/* SPDX-License-Identifier: BSD-3-Clause */
/* One detached thread for each job, because there are few jobs. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "util/cleanup.h"
#include "util/job.h"

struct us_job {
	us_job_fn run, done;
	void *userdata;
	int wake_fd;
	sd_event_source *source;
};

static void job_free(struct us_job *job)
{
	sd_event_source_disable_unref(job->source);
	us_close(job->wake_fd);
	free(job);
}

static void *job_thread(void *userdata)
{
	struct us_job *job = userdata;
	int fd = job->wake_fd;

	job->run(job->userdata);
	eventfd_write(fd, 1);
	return NULL;
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct us_job *job = userdata;
	us_job_fn done = job->done;
	void *of = job->userdata;

	job_free(job);
	done(of);
	return 0;
}

int us_job_start(sd_event *loop, us_job_fn run, us_job_fn done, void *userdata)
{
	struct us_job *job = calloc(1, sizeof(*job));
	pthread_t thread;
	int r;

	if (!job)
		return -ENOMEM;
	*job = (struct us_job){ .run = run, .done = done, .userdata = userdata };
	job->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = job->wake_fd < 0 ? -errno : 0;
	if (r >= 0)
		r = sd_event_add_io(loop, &job->source, job->wake_fd, EPOLLIN, on_wake, job);
	if (r >= 0)
		r = -pthread_create(&thread, NULL, job_thread, job);
	if (r == 0)
		pthread_detach(thread);
	else
		job_free(job);
	return r;
}
