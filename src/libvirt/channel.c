/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "libvirt/channel-private.h"

enum {
	REMOVAL_SEC = 10, /* from QEMU's event until libvirt has cleaned up: 20 to 40 ms measured */
	REMOVALS_MAX = 64, /* QEMU may claim as many as it likes */
	SEND_SEC = 5,	   /* a daemon that reads nothing for so long loses the channel */
};

struct removal {
	struct us_list link;
	char alias[];
};

static struct us_list channels = { &channels, &channels };
static pthread_mutex_t channels_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- Life ---- */

static void forget_removal(struct removal *removal)
{
	us_list_remove(&removal->link);
	free(removal);
}

static void destroy(struct us_lv_channel *channel)
{
	struct removal *removal;

	us_list_for_each (removal, &channel->removals, link)
		forget_removal(removal);
	json_decref(channel->failure);
	pthread_cond_destroy(&channel->changed);
	pthread_mutex_destroy(&channel->lock);
	if (channel->input)
		fclose(channel->input);
	else
		us_close(channel->fd);
	if (channel->domain)
		virDomainFree(channel->domain);
	free(channel->name);
	free(channel);
}

void us_lv_channel_unref(struct us_lv_channel *channel)
{
	bool is_last;

	pthread_mutex_lock(&channels_lock);
	is_last = --channel->references == 0;
	if (is_last)
		us_list_remove(&channel->link);
	pthread_mutex_unlock(&channels_lock);
	if (is_last)
		destroy(channel);
}

/*
 * Calls @visit for each channel of @domain; NULL: for all. A domain has several for a while: an
 * old one, which the daemon has given up, stays until the last of its calls to libvirt returns.
 */
static void for_each(const char *domain, void (*visit)(struct us_lv_channel *channel, void *data),
		     void *data)
{
	struct us_lv_channel *channel;

	pthread_mutex_lock(&channels_lock);
	us_list_for_each (channel, &channels, link)
		if (!domain || strcmp(channel->name, domain) == 0)
			visit(channel, data);
	pthread_mutex_unlock(&channels_lock);
}

struct us_lv_channel_state us_lv_channel_state(struct us_lv_channel *channel)
{
	struct us_lv_channel_state state;

	pthread_mutex_lock(&channel->lock);
	state = channel->state;
	pthread_mutex_unlock(&channel->lock);
	return state;
}

/* ---- Sending ---- */

/* With the lock held. A daemon that does not read loses the channel. */
static void send_line(struct us_lv_channel *channel, json_t *message)
{
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	size_t length = text ? strlen(text) : 0;
	ssize_t sent = 0;

	json_decref(message);
	if (text)
		text[length++] = '\n';
	for (size_t at = 0; at < length && sent >= 0 && !channel->is_closed; at += sent)
		sent = send(channel->fd, text + at, length - at, MSG_NOSIGNAL);
	if (!text || sent < 0) {
		channel->is_closed = true;
		shutdown(channel->fd, SHUT_RDWR);
	}
	free(text);
}

void us_lv_channel_send(struct us_lv_channel *channel, json_t *message)
{
	pthread_mutex_lock(&channel->lock);
	send_line(channel, message);
	pthread_mutex_unlock(&channel->lock);
}

json_t *us_lv_error_json(const char *class, const struct us_reason *reason)
{
	return json_pack("{s:{s:s, s:s}}", "error", "class", class, "desc", reason->text);
}

void us_lv_channel_answer(struct us_lv_channel *channel, json_int_t id, json_t *value,
			  const struct us_reason *reason)
{
	json_t *answer = value ? json_pack("{s:o}", "return", value)
			       : us_lv_error_json("GenericError", reason);

	if (answer)
		json_object_set_new(answer, "id", json_integer(id));
	us_lv_channel_send(channel, answer);
}

/* ---- Events ---- */

/* With the lock held. */
static void send_event(struct us_lv_channel *channel, const char *name, long long seconds,
		       unsigned micros, json_t *data)
{
	channel->state.events++;
	send_line(channel,
		  json_pack("{s:s, s:o*, s:{s:I, s:I}}", "event", name, "data", data, "timestamp",
			    "seconds", (json_int_t)seconds, "microseconds", (json_int_t)micros));
}

/* The end of QEMU's migration is not the end of libvirt's. With the lock held. */
static bool is_hidden(const struct us_lv_channel *channel, const char *name, const json_t *data)
{
	const char *status = json_string_value(json_object_get(data, "status"));

	return channel->state.is_migrating && strcmp(name, "MIGRATION") == 0 && status &&
	       (strcmp(status, "completed") == 0 || strcmp(status, "failed") == 0 ||
		strcmp(status, "cancelled") == 0);
}

/* Whether libvirt's word on the removal of @alias is to be waited for. With the lock held. */
static bool is_expectable(const struct us_lv_channel *channel, const char *alias)
{
	const struct removal *removal;
	unsigned count = 0;

	us_list_for_each (removal, &channel->removals, link)
		if (strcmp(removal->alias, alias) == 0 || ++count >= REMOVALS_MAX)
			return false;
	return strncmp(alias, "ua-understudy-", strlen("ua-understudy-")) == 0;
}

/* With the lock held. */
static void expect_removal(struct us_lv_channel *channel, const json_t *data)
{
	const char *alias = json_string_value(json_object_get(data, "device"));
	struct removal *removal = NULL;

	if (alias && is_expectable(channel, alias))
		removal = malloc(sizeof(*removal) + strlen(alias) + 1);
	if (!removal)
		return;
	strcpy(removal->alias, alias);
	us_list_append(&channel->removals, &removal->link);
}

struct event {
	const char *name;
	long long seconds;
	unsigned micros;
	json_t *data;
};

static void pass_event(struct us_lv_channel *channel, void *data)
{
	const struct event *event = data;

	pthread_mutex_lock(&channel->lock);
	if (strcmp(event->name, "DEVICE_DELETED") == 0)
		expect_removal(channel, event->data);
	if (strcmp(event->name, "RESUME") == 0)
		channel->state.is_incoming = false;
	if (!channel->is_closed && !is_hidden(channel, event->name, event->data))
		send_event(channel, event->name, event->seconds, event->micros,
			   json_incref(event->data));
	pthread_mutex_unlock(&channel->lock);
}

void us_lv_channel_event(const char *domain, const char *name, long long seconds, unsigned micros,
			 const char *text)
{
	struct event event = { name, seconds, micros, text ? json_loads(text, 0, NULL) : NULL };

	for_each(domain, pass_event, &event);
	json_decref(event.data);
}

static void note_removed(struct us_lv_channel *channel, void *alias)
{
	struct removal *removal;

	pthread_mutex_lock(&channel->lock);
	us_list_for_each (removal, &channel->removals, link)
		if (strcmp(removal->alias, alias) == 0)
			forget_removal(removal);
	pthread_cond_broadcast(&channel->changed);
	pthread_mutex_unlock(&channel->lock);
}

void us_lv_channel_removed(const char *domain, const char *alias)
{
	for_each(domain, note_removed, (void *)alias);
}

void us_lv_channel_wait_removed(struct us_lv_channel *channel)
{
	struct removal *removal;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += REMOVAL_SEC;
	pthread_mutex_lock(&channel->lock);
	while (!us_list_is_empty(&channel->removals) &&
	       pthread_cond_timedwait(&channel->changed, &channel->lock, &until) == 0)
		;
	/* libvirt never knew these: the next one does not wait for them as well. */
	us_list_for_each (removal, &channel->removals, link)
		forget_removal(removal);
	pthread_mutex_unlock(&channel->lock);
}

/* ---- The end ---- */

static void end(struct us_lv_channel *channel, void *data)
{
	pthread_mutex_lock(&channel->lock);
	channel->state.must_end = true;
	if (!channel->state.is_migrating && !channel->state.has_left)
		shutdown(channel->fd, SHUT_RDWR);
	pthread_mutex_unlock(&channel->lock);
}

void us_lv_channel_stopped(const char *domain)
{
	for_each(domain, end, NULL);
}

void us_lv_channel_end_all(void)
{
	for_each(NULL, end, NULL);
}

/* ---- Migration ---- */

bool us_lv_channel_begin_migration(struct us_lv_channel *channel)
{
	bool is_free;

	pthread_mutex_lock(&channel->lock);
	is_free = !channel->state.is_migrating;
	channel->state.is_migrating = true;
	json_decref(US_STEAL(channel->failure));
	pthread_mutex_unlock(&channel->lock);
	return is_free;
}

bool us_lv_channel_is_migrating(struct us_lv_channel *channel)
{
	return us_lv_channel_state(channel).is_migrating;
}

void us_lv_channel_end_migration(struct us_lv_channel *channel, const char *status,
				 const struct us_reason *reason)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	pthread_mutex_lock(&channel->lock);
	channel->state.is_migrating = false;
	channel->state.has_left = !reason;
	if (reason)
		channel->failure =
			json_pack("{s:s, s:s}", "status", status, "error-desc", reason->text);
	send_event(channel, "MIGRATION", now.tv_sec, now.tv_nsec / 1000,
		   json_pack("{s:s}", "status", status));
	if (channel->state.must_end && !channel->state.has_left)
		shutdown(channel->fd, SHUT_RDWR);
	pthread_mutex_unlock(&channel->lock);
}

void us_lv_channel_leave(struct us_lv_channel *channel)
{
	pthread_mutex_lock(&channel->lock);
	channel->state.has_left = false;
	if (channel->state.must_end)
		shutdown(channel->fd, SHUT_RDWR);
	pthread_mutex_unlock(&channel->lock);
}

/* ---- Jobs ---- */

struct job {
	struct us_lv_channel *channel;
	void (*run)(void *argument);
	void *argument;
};

static void *run_job(void *argument)
{
	struct job *job = argument;

	job->run(job->argument);
	us_lv_channel_unref(job->channel);
	free(job);
	return NULL;
}

int us_lv_start_thread(void *(*run)(void *argument), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attributes, run, argument);
	pthread_attr_destroy(&attributes);
	return -r;
}

int us_lv_channel_run(struct us_lv_channel *channel, void (*run)(void *argument), void *argument)
{
	struct job *job = malloc(sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	*job = (struct job){ channel, run, argument };
	pthread_mutex_lock(&channels_lock);
	channel->references++;
	pthread_mutex_unlock(&channels_lock);
	r = us_lv_start_thread(run_job, job);
	if (r < 0) {
		us_lv_channel_unref(channel);
		free(job);
	}
	return r;
}

virDomainPtr us_lv_channel_domain(struct us_lv_channel *channel)
{
	return channel->domain;
}

struct us_lv_channel *us_lv_channel_new(const char *domain, int fd)
{
	const struct timeval limit = { .tv_sec = SEND_SEC };
	struct us_lv_channel *channel = calloc(1, sizeof(*channel));

	if (!channel) {
		us_close(fd);
		return NULL;
	}
	us_list_init(&channel->removals);
	pthread_mutex_init(&channel->lock, NULL);
	pthread_cond_init(&channel->changed, NULL);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	channel->fd = fd;
	channel->references = 1;
	channel->name = strdup(domain);
	channel->input = fdopen(fd, "r");
	pthread_mutex_lock(&channels_lock);
	us_list_append(&channels, &channel->link);
	pthread_mutex_unlock(&channels_lock);
	if (channel->name && channel->input)
		return channel;
	us_lv_channel_unref(channel);
	return NULL;
}
