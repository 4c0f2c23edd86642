/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "util/stream.h"
#include "util/timer.h"
#include "vmm/qmp/qmp.h"

enum {
	/* The commands that may wait for a peer that does not read, because it is stopped */
	BACKLOG_BYTES = 1024 * 1024,
};

struct command {
	struct us_list link;
	int64_t id;
	uint64_t deadline_usec;
	us_qmp_answer_fn answer;
	void *userdata;
	char name[]; /* for reasons */
};

enum phase {
	PHASE_GREETING,
	PHASE_NEGOTIATING,
	PHASE_READY,
	PHASE_OVER,
};

struct us_qmp {
	struct us_stream *stream;
	struct us_timer timer; /* for the earliest deadline */
	struct us_list commands;
	struct us_qmp_polls polls;
	int64_t last_id; /* of a command */
	enum phase phase;
	unsigned references; /* of callbacks that run */
	bool freed;	     /* by the owner; the memory goes with the last reference */
	struct us_qmp_version version;
	const struct us_qmp_handler *handler;
	void *userdata;
};

/* ---- Life: a reference is held during a callback, because it may free the client ---- */

static void ref(struct us_qmp *qmp)
{
	qmp->references++;
}

static void unref(struct us_qmp *qmp)
{
	if (--qmp->references == 0 && qmp->freed)
		free(qmp);
}

static void answer_command(struct command *command, const struct us_qmp_answer *answer)
{
	us_list_remove(&command->link);
	if (command->answer)
		command->answer(command->userdata, answer);
	free(command);
}

/* The peer will answer no more. */
static void answer_all(struct us_qmp *qmp, const struct us_reason *reason)
{
	const struct us_qmp_answer answer = { .r = -ECONNRESET, .reason = reason };

	while (!us_list_is_empty(&qmp->commands))
		answer_command(US_CONTAINER_OF(qmp->commands.next, struct command, link), &answer);
	us_qmp_polls_forget(&qmp->polls);
}

/* Ends the connection. */
static void end(struct us_qmp *qmp, int error, const struct us_reason *reason)
{
	if (qmp->phase == PHASE_OVER)
		return;
	qmp->phase = PHASE_OVER;
	us_stream_free(US_STEAL(qmp->stream));
	us_timer_deinit(&qmp->timer);

	ref(qmp);
	answer_all(qmp, reason);
	if (!qmp->freed)
		qmp->handler->closed(qmp->userdata, error, reason);
	unref(qmp);
}

static void end_because(struct us_qmp *qmp, int error, const char *text)
{
	struct us_reason reason;

	us_refuse(&reason, "%s", text);
	end(qmp, error, &reason);
}

static void end_not_qmp(struct us_qmp *qmp)
{
	struct us_reason reason;

	us_refuse(&reason, "the peer does not speak QMP");
	us_advise(&reason, "name the socket of QEMU's -qmp option");
	end(qmp, -EPROTO, &reason);
}

/* ---- Deadlines ---- */

static void set_timer(struct us_qmp *qmp, uint64_t deadline_usec)
{
	if (!us_timer_is_set(&qmp->timer) || qmp->timer.due_usec > deadline_usec)
		us_timer_set(&qmp->timer, deadline_usec);
}

static void time_out(struct command *command)
{
	struct us_reason reason;

	us_refuse(&reason, "QEMU did not answer %s in time", command->name);
	us_advise(&reason, "is its process stopped or busy?");
	answer_command(command, &(struct us_qmp_answer){ .r = -ETIMEDOUT, .reason = &reason });
}

static struct command *find_overdue(struct us_qmp *qmp, uint64_t now_usec, uint64_t *ret_next)
{
	struct command *command;

	*ret_next = UINT64_MAX;
	us_list_for_each (command, &qmp->commands, link) {
		if (command->deadline_usec <= now_usec)
			return command;
		if (command->deadline_usec < *ret_next)
			*ret_next = command->deadline_usec;
	}
	return NULL;
}

static void on_timer(void *userdata)
{
	struct us_qmp *qmp = userdata;
	struct command *command;
	uint64_t next;

	if (qmp->phase != PHASE_READY) {
		end_because(qmp, -ETIMEDOUT, "no greeting");
		return;
	}
	ref(qmp);
	/* A callback may end, free or add commands, so search from the start each time. */
	while ((command = find_overdue(qmp, us_now_usec(), &next)))
		time_out(command);
	if (qmp->phase != PHASE_OVER && next != UINT64_MAX)
		set_timer(qmp, next);
	unref(qmp);
}

/* ---- Messages ---- */

static struct command *find_command(struct us_qmp *qmp, int64_t id)
{
	struct command *command;

	us_list_for_each (command, &qmp->commands, link)
		if (command->id == id)
			return command;
	return NULL;
}

static void handle_answer(struct us_qmp *qmp, const struct us_qmp_message *message, uint64_t hash)
{
	struct us_qmp_poll *poll = us_qmp_polls_find(&qmp->polls, message->id);
	struct command *command = find_command(qmp, message->id);
	struct us_qmp_answer answer = { .value = message->value };
	struct us_reason reason;

	if (message->kind == US_QMP_ERROR) {
		answer.r = us_refuse(&reason, "QEMU refused %s: \"%s\"",
				     command ? command->name : "the query", message->words);
		answer.reason = &reason;
		answer.words = message->words;
		answer.not_found = strcmp(message->class, "DeviceNotFound") == 0;
	}
	if (poll) {
		us_qmp_poll_answered(poll, hash);
		poll->changed(poll->userdata, &answer);
	} else if (command) {
		answer_command(command, &answer);
	} else if (!message->has_id || message->id > qmp->last_id ||
		   message->id < qmp->polls.lowest_id) {
		end_because(qmp, -EPROTO, "QEMU answered what was never asked");
	}
	/* Otherwise it came after its deadline. */
}

static void handle_event(struct us_qmp *qmp, const struct us_qmp_message *message)
{
	uint64_t now = us_clock_usec(CLOCK_REALTIME);
	struct us_qmp_event event = { .name = message->name, .data = message->value };

	if (message->sent_usec && message->sent_usec < now)
		event.age_usec = now - message->sent_usec;
	qmp->handler->event(qmp->userdata, &event);
}

static void on_negotiated(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_qmp *qmp = userdata;

	if (answer->r == -ECONNRESET)
		return;
	if (answer->r) {
		end(qmp, -EPROTO, answer->reason);
		return;
	}
	us_timer_stop(&qmp->timer);
	qmp->phase = PHASE_READY;
	qmp->handler->ready(qmp->userdata, &qmp->version);
}

static void handle_greeting(struct us_qmp *qmp, const struct us_qmp_message *message)
{
	qmp->version = (struct us_qmp_version){ message->major, message->minor, message->micro };
	qmp->phase = PHASE_NEGOTIATING;
	if (us_qmp_call(qmp, on_negotiated, qmp, "qmp_capabilities", NULL) < 0)
		end_because(qmp, -ENOMEM, us_strerror(ENOMEM));
}

static void handle_message(struct us_qmp *qmp, const struct us_qmp_message *message, uint64_t hash)
{
	switch (message->kind) {
	case US_QMP_GREETING:
		if (qmp->phase != PHASE_GREETING)
			break;
		handle_greeting(qmp, message);
		return;
	case US_QMP_ERROR:
		if (qmp->phase == PHASE_GREETING) {
			end_because(qmp,
				    strcmp(message->class, "DeviceNotFound") == 0 ? -EHOSTDOWN
										  : -EAGAIN,
				    message->words);
			return;
		}
		handle_answer(qmp, message, hash);
		return;
	case US_QMP_RETURN:
		if (qmp->phase == PHASE_GREETING)
			break;
		handle_answer(qmp, message, hash);
		return;
	case US_QMP_EVENT:
		if (qmp->phase == PHASE_READY)
			handle_event(qmp, message);
		return;
	case US_QMP_INVALID:
		break;
	}
	end_not_qmp(qmp);
}

static void on_message(void *userdata, char *text, size_t length)
{
	struct us_qmp *qmp = userdata;
	struct us_qmp_message message;
	uint64_t hash = 0;

	if (us_qmp_polls_match(&qmp->polls, text, length, &hash))
		return;
	ref(qmp);
	us_qmp_message_init(&message, text, length);
	handle_message(qmp, &message, hash);
	us_qmp_message_deinit(&message);
	unref(qmp);
}

static void on_closed(void *userdata, int error)
{
	if (error == -EBADMSG)
		end_not_qmp(userdata);
	else if (error == -EMSGSIZE)
		end_because(userdata, error, "QEMU sent a line of over 1 MiB");
	else
		end_because(userdata, error,
			    error ? us_strerror(error) : "QEMU closed its monitor");
}

static const struct us_stream_handler stream_handler = {
	.message = on_message,
	.closed = on_closed,
};

/* ---- Requests ---- */

static int send_command(struct us_qmp *qmp, struct command *command, const char *text, int fd)
{
	int r = 0;

	us_list_append(&qmp->commands, &command->link);
	set_timer(qmp, command->deadline_usec);
	if (fd >= 0)
		r = us_stream_send_fd(qmp->stream, text, strlen(text), fd);
	else
		us_stream_send(qmp->stream, text, strlen(text));
	/* On any other failure the stream ends, and the command is answered with the others. */
	if (r != -EAGAIN)
		return 0;
	us_list_remove(&command->link);
	free(command);
	return r;
}

int us_qmp_call_with(struct us_qmp *qmp, uint64_t timeout_usec, int fd, us_qmp_answer_fn answer,
		     void *userdata, const char *name, const char *format, ...)
{
	US_CLEANUP(us_freep) char *text = NULL;
	struct command *command;
	va_list arguments;
	int r;

	assert(qmp->phase != PHASE_GREETING);
	if (qmp->phase == PHASE_OVER)
		return -ENOTCONN;
	va_start(arguments, format);
	r = us_qmp_message_make(&text, qmp->last_id + 1, name, format, arguments);
	va_end(arguments);
	if (r < 0)
		return r;
	command = malloc(sizeof(*command) + strlen(name) + 1);
	if (!command)
		return -ENOMEM;
	*command = (struct command){
		.id = ++qmp->last_id,
		.deadline_usec = us_now_usec() + timeout_usec,
		.answer = answer,
		.userdata = userdata,
	};
	strcpy(command->name, name);
	return send_command(qmp, command, text, fd);
}

void us_qmp_poll_ask(struct us_qmp *qmp, struct us_qmp_poll *poll)
{
	if (qmp->phase == PHASE_READY && us_qmp_polls_ask(&qmp->polls, poll))
		us_stream_send(qmp->stream, poll->text, poll->length);
}

/* ---- Construction ---- */

bool us_qmp_version_is_older(const struct us_qmp_version *version, unsigned major, unsigned minor)
{
	return version->major < major || (version->major == major && version->minor < minor);
}

int us_qmp_new(struct us_qmp **ret_qmp, sd_event *loop, int fd,
	       const struct us_qmp_handler *handler, void *userdata)
{
	const struct us_stream_limits limits = { US_QMP_MESSAGE_BYTES, BACKLOG_BYTES };
	struct us_qmp *qmp = calloc(1, sizeof(*qmp));
	int r;

	if (!qmp) {
		us_close(fd);
		return -ENOMEM;
	}
	qmp->handler = handler;
	qmp->userdata = userdata;
	us_list_init(&qmp->commands);
	us_qmp_polls_init(&qmp->polls);
	r = us_stream_new(&qmp->stream, loop, fd, '\n', limits, &stream_handler, qmp);
	if (r >= 0)
		r = us_timer_init(&qmp->timer, loop, on_timer, qmp);
	if (r < 0) {
		us_qmp_free(qmp);
		return r;
	}
	us_timer_set(&qmp->timer, us_now_usec() + US_QMP_GREETING_USEC);
	*ret_qmp = qmp;
	return 0;
}

void us_qmp_free(struct us_qmp *qmp)
{
	if (!qmp || qmp->freed)
		return;
	qmp->freed = true;
	ref(qmp);
	end_because(qmp, -ECONNRESET, "the monitor was detached");
	unref(qmp);
}
