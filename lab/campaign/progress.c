/* SPDX-License-Identifier: BSD-3-Clause */
/* The lock protects the whole struct, and is held while a line is written. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lab/campaign/progress.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define LINE_MAX_BYTES 400
#define COLUMNS_DEFAULT 80
#define ERASE "\r\033[K"

struct us_progress {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t end;
	bool has_thread, has_ended;
	int fd, log_fd;
	uint64_t begin_usec;
	char text[200];
	const char *detail; /* or NULL: the log's last line */
	off_t log_begin;    /* size of the log when the step began */
};

static void copy_ascii(char *target, size_t length, const char *source)
{
	size_t i;

	for (i = 0; i < length && source[i]; i++)
		target[i] = source[i] >= ' ' && source[i] < 127 ? source[i] : '?';
	target[i] = 0;
}

void us_progress_format(char *line, size_t size, size_t columns, const char *text,
			const char *detail, uint64_t elapsed_sec)
{
	char time[30];
	size_t room = columns < size ? columns : size - 1, rest;

	rest = snprintf(time, sizeof(time), " (%llu s)", (unsigned long long)elapsed_sec);
	copy_ascii(line, room, text);
	if (*detail && strlen(line) + 2 + rest < room) {
		strcat(line, ": ");
		copy_ascii(line + strlen(line), room - rest - strlen(line), detail);
	}
	if (strlen(line) + rest <= room)
		strcat(line, time);
}

/* Reads the last line after @begin that is not empty, without leading spaces. */
static void read_last_line(int fd, off_t begin, char line[LINE_MAX_BYTES])
{
	off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	ssize_t length;
	char *last;

	if (end - begin >= LINE_MAX_BYTES)
		begin = end - LINE_MAX_BYTES + 1;
	length = end > begin ? pread(fd, line, end - begin, begin) : 0;

	line[length > 0 ? length : 0] = 0;
	for (length = strlen(line); length > 0 && strchr(" \n\r", line[length - 1]); length--)
		line[length - 1] = 0;
	last = strrchr(line, '\n');
	last = last ? last + 1 : line;
	last += strspn(last, " ");
	memmove(line, last, strlen(last) + 1);
}

static size_t columns_of(int fd)
{
	struct winsize size;

	return !ioctl(fd, TIOCGWINSZ, &size) && size.ws_col > 20 ? size.ws_col : COLUMNS_DEFAULT;
}

/* Leaves the last column free, because the cursor stays on the line. */
static void draw(struct us_progress *progress)
{
	char line[LINE_MAX_BYTES], last[LINE_MAX_BYTES] = "";
	const char *detail = progress->detail;

	if (!progress->text[0])
		return;
	if (!detail) {
		read_last_line(progress->log_fd, progress->log_begin, last);
		detail = last;
	}
	us_progress_format(line, sizeof(line), columns_of(progress->fd) - 1, progress->text, detail,
			   (us_now_usec() - progress->begin_usec) / US_USEC_PER_SEC);
	dprintf(progress->fd, ERASE "%s", line);
}

static void *redraw(void *userdata)
{
	struct us_progress *progress = userdata;
	struct timespec next;

	pthread_mutex_lock(&progress->lock);
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!progress->has_ended) {
		draw(progress);
		next.tv_sec++;
		while (!progress->has_ended &&
		       pthread_cond_timedwait(&progress->end, &progress->lock, &next) != ETIMEDOUT)
			;
	}
	pthread_mutex_unlock(&progress->lock);
	return NULL;
}

int us_progress_new(struct us_progress **ret_progress, int fd, const char *log, bool is_plain)
{
	struct us_progress *progress = calloc(1, sizeof(*progress));
	pthread_condattr_t attributes;

	if (!progress)
		return -ENOMEM;
	progress->fd = fd;
	progress->log_fd = log ? open(log, O_RDONLY | O_CLOEXEC) : -1;
	progress->begin_usec = us_now_usec();
	pthread_mutex_init(&progress->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&progress->end, &attributes);
	pthread_condattr_destroy(&attributes);
	progress->has_thread = !is_plain && isatty(fd) &&
			       !pthread_create(&progress->thread, NULL, redraw, progress);
	*ret_progress = progress;
	return 0;
}

struct us_progress *us_progress_free(struct us_progress *progress)
{
	if (!progress)
		return NULL;
	if (progress->has_thread) {
		pthread_mutex_lock(&progress->lock);
		progress->has_ended = true;
		pthread_cond_signal(&progress->end);
		pthread_mutex_unlock(&progress->lock);
		pthread_join(progress->thread, NULL);
		dprintf(progress->fd, ERASE);
	}
	pthread_cond_destroy(&progress->end);
	pthread_mutex_destroy(&progress->lock);
	us_close(progress->log_fd);
	free(progress);
	return NULL;
}

void us_progress_step(struct us_progress *progress, unsigned step, unsigned steps, const char *text)
{
	pthread_mutex_lock(&progress->lock);
	snprintf(progress->text, sizeof(progress->text), "Demo %u/%u: %s", step, steps, text);
	progress->detail = NULL;
	progress->log_begin = progress->log_fd >= 0 ? lseek(progress->log_fd, 0, SEEK_END) : 0;
	if (progress->has_thread)
		draw(progress);
	else
		dprintf(progress->fd, "%s\n", progress->text);
	pthread_mutex_unlock(&progress->lock);
}

void us_progress_detail(struct us_progress *progress, const char *text)
{
	pthread_mutex_lock(&progress->lock);
	progress->detail = text;
	if (progress->has_thread)
		draw(progress);
	pthread_mutex_unlock(&progress->lock);
}
