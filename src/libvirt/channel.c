/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "libvirt/channel.h"
#include "libvirt/error.h"
#include "libvirt/host.h"
#include "util/list.h"

enum {
	LINE_BYTES_MAX = 1024 * 1024,
	REMOVAL_SEC = 10, /* from QEMU's event until libvirt has cleaned up: 20 to 40 ms measured */
	SEND_SEC = 5,	  /* a daemon that reads nothing for so long loses the channel */
	REPEATS = 3,	  /* of a query that events cross */
};

struct removal {
	struct us_list link;
	char alias[];
};

struct us_lv_channel {
	struct us_list link;
	char *name;	     /* of the domain */
	virDomainPtr domain; /* since the greeting */
	FILE *input;
	int fd;

	/* Protected by the lock */
	unsigned references;
	unsigned events;	 /* that were sent */
	bool is_incoming;	 /* libvirt waits for the guest, and refuses commands meanwhile */
	bool is_migrating;	 /* by understudy-migrate */
	bool has_left;		 /* the guest: the channel ends when the daemon knows that */
	bool must_end;		 /* once the migration has ended */
	json_t *failure;	 /* query-migrate of the last one, if it failed before QEMU's own */
	struct us_list removals; /* devices that QEMU has removed and libvirt still knows */
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

static struct us_list channels = { &channels, &channels };
static pthread_mutex_t channels_lock = PTHREAD_MUTEX_INITIALIZER;
static us_lv_command_fn run_command;

void us_lv_channel_set_commands(us_lv_command_fn run)
{
	run_command = run;
}

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

static void unref(struct us_lv_channel *channel)
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

/* With channels_lock held. */
static struct us_lv_channel *find(const char *domain)
{
	struct us_lv_channel *channel;

	us_list_for_each (channel, &channels, link)
		if (strcmp(channel->name, domain) == 0)
			return channel;
	return NULL;
}

static struct us_lv_channel *find_ref(const char *domain)
{
	struct us_lv_channel *channel;

	pthread_mutex_lock(&channels_lock);
	channel = find(domain);
	if (channel)
		channel->references++;
	pthread_mutex_unlock(&channels_lock);
	return channel;
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
	for (size_t at = 0; at < length && sent >= 0; at += sent)
		sent = send(channel->fd, text + at, length - at, MSG_NOSIGNAL);
	if (!text || sent < 0)
		shutdown(channel->fd, SHUT_RDWR);
	free(text);
}

static void send_message(struct us_lv_channel *channel, json_t *message)
{
	pthread_mutex_lock(&channel->lock);
	send_line(channel, message);
	pthread_mutex_unlock(&channel->lock);
}

static json_t *error_json(const char *class, const struct us_reason *reason)
{
	return json_pack("{s:{s:s, s:s}}", "error", "class", class, "desc", reason->text);
}

void us_lv_channel_answer(struct us_lv_channel *channel, json_int_t id, json_t *value,
			  const struct us_reason *reason)
{
	json_t *answer =
		value ? json_pack("{s:o}", "return", value) : error_json("GenericError", reason);

	if (answer)
		json_object_set_new(answer, "id", json_integer(id));
	send_message(channel, answer);
}

/* ---- Events ---- */

/* With the lock held. */
static void send_event(struct us_lv_channel *channel, const char *name, long long seconds,
		       unsigned micros, json_t *data)
{
	channel->events++;
	send_line(channel,
		  json_pack("{s:s, s:o*, s:{s:I, s:I}}", "event", name, "data", data, "timestamp",
			    "seconds", (json_int_t)seconds, "microseconds", (json_int_t)micros));
}

/* The end of QEMU's migration is not the end of libvirt's. With the lock held. */
static bool is_hidden(const struct us_lv_channel *channel, const char *name, const json_t *data)
{
	const char *status = json_string_value(json_object_get(data, "status"));

	return channel->is_migrating && strcmp(name, "MIGRATION") == 0 && status &&
	       (strcmp(status, "completed") == 0 || strcmp(status, "failed") == 0 ||
		strcmp(status, "cancelled") == 0);
}

/* With the lock held. */
static void expect_removal(struct us_lv_channel *channel, const json_t *data)
{
	const char *alias = json_string_value(json_object_get(data, "device"));
	struct removal *removal = alias ? malloc(sizeof(*removal) + strlen(alias) + 1) : NULL;

	if (!removal || strncmp(alias, "ua-understudy-", 14) != 0) {
		free(removal);
		return;
	}
	strcpy(removal->alias, alias);
	us_list_append(&channel->removals, &removal->link);
}

void us_lv_channel_event(const char *domain, const char *name, long long seconds, unsigned micros,
			 const char *text)
{
	struct us_lv_channel *channel = find_ref(domain);
	json_t *data = channel && text ? json_loads(text, 0, NULL) : NULL;

	if (!channel)
		return;
	pthread_mutex_lock(&channel->lock);
	if (strcmp(name, "DEVICE_DELETED") == 0)
		expect_removal(channel, data);
	if (strcmp(name, "RESUME") == 0)
		channel->is_incoming = false;
	if (is_hidden(channel, name, data))
		json_decref(data);
	else
		send_event(channel, name, seconds, micros, data);
	pthread_mutex_unlock(&channel->lock);
	unref(channel);
}

void us_lv_channel_removed(const char *domain, const char *alias)
{
	struct us_lv_channel *channel = find_ref(domain);
	struct removal *removal;

	if (!channel)
		return;
	pthread_mutex_lock(&channel->lock);
	us_list_for_each (removal, &channel->removals, link)
		if (strcmp(removal->alias, alias) == 0)
			forget_removal(removal);
	pthread_cond_broadcast(&channel->changed);
	pthread_mutex_unlock(&channel->lock);
	unref(channel);
}

void us_lv_channel_wait_removed(struct us_lv_channel *channel)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += REMOVAL_SEC;
	pthread_mutex_lock(&channel->lock);
	while (!us_list_is_empty(&channel->removals) &&
	       pthread_cond_timedwait(&channel->changed, &channel->lock, &until) == 0)
		;
	pthread_mutex_unlock(&channel->lock);
}

/* ---- The end ---- */

static void end(struct us_lv_channel *channel)
{
	pthread_mutex_lock(&channel->lock);
	channel->must_end = true;
	if (!channel->is_migrating && !channel->has_left)
		shutdown(channel->fd, SHUT_RDWR);
	pthread_mutex_unlock(&channel->lock);
}

void us_lv_channel_stopped(const char *domain)
{
	struct us_lv_channel *channel = find_ref(domain);

	if (!channel)
		return;
	end(channel);
	unref(channel);
}

void us_lv_channel_end_all(void)
{
	struct us_lv_channel *channel;

	pthread_mutex_lock(&channels_lock);
	us_list_for_each (channel, &channels, link)
		end(channel);
	pthread_mutex_unlock(&channels_lock);
}

/* ---- Migration ---- */

bool us_lv_channel_begin_migration(struct us_lv_channel *channel)
{
	bool is_free;

	pthread_mutex_lock(&channel->lock);
	is_free = !channel->is_migrating;
	channel->is_migrating = true;
	json_decref(US_STEAL(channel->failure));
	pthread_mutex_unlock(&channel->lock);
	return is_free;
}

bool us_lv_channel_is_migrating(struct us_lv_channel *channel)
{
	bool is;

	pthread_mutex_lock(&channel->lock);
	is = channel->is_migrating;
	pthread_mutex_unlock(&channel->lock);
	return is;
}

void us_lv_channel_end_migration(struct us_lv_channel *channel, const char *status,
				 const struct us_reason *reason)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	pthread_mutex_lock(&channel->lock);
	channel->is_migrating = false;
	channel->has_left = !reason;
	if (reason)
		channel->failure =
			json_pack("{s:s, s:s}", "status", status, "error-desc", reason->text);
	send_event(channel, "MIGRATION", now.tv_sec, now.tv_nsec / 1000,
		   json_pack("{s:s}", "status", status));
	if (channel->must_end && !channel->has_left)
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
	unref(job->channel);
	free(job);
	return NULL;
}

static int start_thread(void *(*run)(void *argument), void *argument)
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
	r = start_thread(run_job, job);
	if (r < 0) {
		unref(channel);
		free(job);
	}
	return r;
}

/* ---- Commands ---- */

virDomainPtr us_lv_channel_domain(struct us_lv_channel *channel)
{
	return channel->domain;
}

/* Sends @text to QEMU. Returns its answer, or NULL with @reason. */
static json_t *pass(struct us_lv_channel *channel, const char *text, struct us_reason *reason)
{
	char *result = NULL;
	json_t *answer;

	if (virDomainQemuMonitorCommand(channel->domain, text, &result, 0) < 0)
		us_lv_refuse(reason, "no answer from QEMU");
	answer = result ? json_loads(result, 0, NULL) : NULL;
	if (result && !answer)
		us_refuse(reason, "QEMU's answer is not JSON");
	free(result);
	return answer;
}

static unsigned count_events(struct us_lv_channel *channel)
{
	unsigned events;

	pthread_mutex_lock(&channel->lock);
	events = channel->events;
	pthread_mutex_unlock(&channel->lock);
	return events;
}

static bool is_query(const char *command)
{
	return strncmp(command, "query-", 6) == 0 || strncmp(command, "x-query-", 8) == 0 ||
	       strncmp(command, "qom-", 4) == 0;
}

static void pass_command(struct us_lv_channel *channel, const char *command,
			 const json_t *arguments, json_int_t id)
{
	json_t *whole = json_pack("{s:s, s:O*}", "execute", command, "arguments", arguments);
	char *text = whole ? json_dumps(whole, JSON_COMPACT) : NULL;
	struct us_reason reason;
	json_t *answer = NULL;
	unsigned before;

	us_refuse(&reason, "%s", us_strerror(ENOMEM));
	for (int i = 0; text && i < REPEATS; i++) {
		before = count_events(channel);
		json_decref(answer);
		answer = pass(channel, text, &reason);
		if (!is_query(command) || before == count_events(channel))
			break;
	}
	if (answer) {
		json_object_set_new(answer, "id", json_integer(id));
		send_message(channel, answer);
	} else {
		us_lv_channel_answer(channel, id, NULL, &reason);
	}
	json_decref(whole);
	free(text);
}

/*
 * While libvirt waits for the guest, its monitor commands wait for the end of that job. These are
 * answered from what is known. Returns NULL with @reason for any other command.
 */
static json_t *answer_incoming(const char *command, struct us_reason *reason)
{
	if (strcmp(command, "query-status") == 0)
		return json_pack("{s:s, s:b}", "status", "inmigrate", "running", 0);
	if (strcmp(command, "query-migrate") == 0 ||
	    strcmp(command, "migrate-set-capabilities") == 0)
		return json_object();
	us_refuse(reason, "libvirt waits for the guest's arrival");
	return NULL;
}

/*
 * What this channel knows better than QEMU: how libvirt's migration failed, and that the guest has
 * left, whose QEMU libvirt has ended. NULL: QEMU is to be asked.
 */
static json_t *answer_migration(struct us_lv_channel *channel, const char *command)
{
	json_t *value = NULL;

	pthread_mutex_lock(&channel->lock);
	if (channel->has_left && strcmp(command, "query-status") == 0) {
		value = json_pack("{s:s, s:b}", "status", "postmigrate", "running", 0);
		channel->has_left = false;
	} else if (strcmp(command, "query-migrate") == 0) {
		value = json_deep_copy(channel->failure);
	}
	pthread_mutex_unlock(&channel->lock);
	return value;
}

/* After that answer, a domain that has stopped has nothing more to say. */
static bool is_over(struct us_lv_channel *channel)
{
	bool is;

	pthread_mutex_lock(&channel->lock);
	is = channel->must_end && !channel->is_migrating && !channel->has_left;
	pthread_mutex_unlock(&channel->lock);
	return is;
}

static bool is_incoming(struct us_lv_channel *channel)
{
	bool is;

	pthread_mutex_lock(&channel->lock);
	is = channel->is_incoming;
	pthread_mutex_unlock(&channel->lock);
	return is;
}

static void handle(struct us_lv_channel *channel, const char *command, const json_t *arguments,
		   json_int_t id)
{
	struct us_reason reason;
	json_t *value;

	if (strcmp(command, "qmp_capabilities") == 0)
		us_lv_channel_answer(channel, id, json_object(), NULL);
	else if (run_command(channel, command, arguments, id))
		return;
	else if (is_incoming(channel))
		us_lv_channel_answer(channel, id, answer_incoming(command, &reason), &reason);
	else if ((value = answer_migration(channel, command)))
		us_lv_channel_answer(channel, id, value, NULL);
	else
		pass_command(channel, command, arguments, id);
}

/* ---- The greeting ---- */

/*
 * Whether libvirt still starts the domain, or it waits for its guest to arrive: libvirt's monitor
 * commands wait for the end of that, which is RESUME. So seems a source, too, whose guest has just
 * been stopped; its end or its RESUME follows at once. (The job's statistics would tell them apart,
 * but libvirt answers only when the job of a destination is over.)
 */
static bool waits_for_guest(virDomainPtr domain)
{
	int state, cause;

	if (virDomainGetState(domain, &state, &cause, 0) < 0)
		return false;
	if (state == VIR_DOMAIN_PAUSED)
		return cause == VIR_DOMAIN_PAUSED_MIGRATION ||
		       cause == VIR_DOMAIN_PAUSED_STARTING_UP;
	return state == VIR_DOMAIN_NOSTATE || state == VIR_DOMAIN_SHUTOFF;
}

/* Of the host's QEMU: the domain's own cannot be asked while it waits for the guest. */
static json_t *host_version(void)
{
	unsigned long version = us_lv_host_version();

	return json_pack("{s:{s:i, s:i, s:i}}", "qemu", "major", (int)(version / 1000000), "minor",
			 (int)(version / 1000 % 1000), "micro", (int)(version % 1000));
}

/* Finds the running domain; *@ret_is_absent: libvirt says that there is none. */
static int find_domain(struct us_lv_channel *channel, bool *ret_is_absent, struct us_reason *reason)
{
	virConnectPtr connection = us_lv_host_get(reason);

	if (!connection)
		return US_REFUSED;
	channel->domain = virDomainLookupByName(connection, channel->name);
	if (!channel->domain && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN) {
		virConnectClose(connection);
		return us_lv_refuse(reason, "the domain cannot be found");
	}
	virConnectClose(connection); /* the domain keeps it */
	*ret_is_absent = true;
	if (!channel->domain) {
		us_refuse(reason, "libvirt has no domain %s", channel->name);
		return us_advise(reason, "virsh list --all shows all domains");
	}
	*ret_is_absent = virDomainIsActive(channel->domain) == 0;
	if (!*ret_is_absent)
		return 0;
	us_refuse(reason, "the domain is not running");
	return us_advise(reason, "virsh start %s", channel->name);
}

static int greet(struct us_lv_channel *channel, bool *ret_is_absent, struct us_reason *reason)
{
	json_t *answer = NULL, *version = NULL;
	int r = find_domain(channel, ret_is_absent, reason);

	if (r != 0)
		return r;
	pthread_mutex_lock(&channel->lock);
	channel->is_incoming = waits_for_guest(channel->domain);
	pthread_mutex_unlock(&channel->lock);
	if (is_incoming(channel))
		version = host_version();
	else if ((answer = pass(channel, "{\"execute\":\"query-version\"}", reason)))
		version = json_incref(json_object_get(answer, "return"));
	json_decref(answer);
	if (!version)
		return US_REFUSED;
	send_message(channel,
		     json_pack("{s:{s:o, s:[]}}", "QMP", "version", version, "capabilities"));
	return 0;
}

/* ---- The thread ---- */

static void handle_line(struct us_lv_channel *channel, const char *line)
{
	json_t *message = json_loads(line, 0, NULL), *arguments = NULL;
	const char *command = NULL;
	json_int_t id = 0;

	if (message && json_unpack(message, "{s:s, s?o, s:I}", "execute", &command, "arguments",
				   &arguments, "id", &id) == 0)
		handle(channel, command, arguments, id);
	else
		shutdown(channel->fd, SHUT_RDWR);
	json_decref(message);
}

static void *serve(void *userdata)
{
	struct us_lv_channel *channel = userdata;
	struct us_reason reason;
	bool is_absent = false;
	size_t capacity = 0;
	char *line = NULL;
	ssize_t length;

	if (greet(channel, &is_absent, &reason) == 0)
		while ((length = getline(&line, &capacity, channel->input)) > 0 &&
		       length < LINE_BYTES_MAX && !is_over(channel))
			handle_line(channel, line);
	else
		send_message(channel,
			     error_json(is_absent ? "DeviceNotFound" : "GenericError", &reason));
	free(line);
	shutdown(channel->fd, SHUT_RDWR);
	unref(channel);
	return NULL;
}

void us_lv_channel_open(const char *domain, int fd)
{
	const struct timeval limit = { .tv_sec = SEND_SEC };
	struct us_lv_channel *channel = calloc(1, sizeof(*channel));

	if (!channel) {
		us_close(fd);
		return;
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
	if (!channel->name || !channel->input || start_thread(serve, channel) < 0)
		unref(channel);
}
