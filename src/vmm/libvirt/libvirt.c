/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/list.h"
#include "util/stream.h"
#include "util/timer.h"
#include "vmm/libvirt/libvirt.h"
#include "vmm/libvirt/spawn.h"

#define PREFIX "libvirt:"

enum {
	REPORT_BYTES_MAX = 256 * 1024,
	BACKLOG_BYTES_MAX = 256 * 1024,
	AGAIN_USEC = 1000 * 1000,  /* from the end of a helper to the next start */
	LINGER_USEC = 1000 * 1000, /* from the last user's end to the helper's own */
};

struct request {
	struct us_list link;
	json_int_t id;
	us_libvirt_done_fn done;
	void *userdata;
};

struct helper {
	struct us_list link;
	struct us_list requests; /* not answered yet */
	struct us_libvirt *libvirt;
	struct us_stream *control; /* NULL while it does not run */
	struct us_timer timer;	   /* to start it again, or to end it */
	unsigned users;
	bool is_watched;
	pid_t pid;
	uint64_t started_usec;
	char version[24];	  /* of libvirt; "": it is not connected, … */
	struct us_reason problem; /* … because of this; "": not known */
	char uri[];
};

struct us_libvirt {
	sd_event *loop;
	const char *program;
	us_libvirt_report_fn report;
	void *userdata;
	struct us_list helpers;
	json_int_t last_id; /* of a request */
};

/* ---- The process ---- */

static void on_line(void *userdata, char *text, size_t length);
static void on_closed(void *userdata, int error);

static void answer(struct request *request, int r, const struct us_reason *reason)
{
	us_list_remove(&request->link);
	request->done(request->userdata, r, reason);
	free(request);
}

static void note_status(struct helper *helper, const char *version, struct us_reason problem)
{
	snprintf(helper->version, sizeof(helper->version), "%s", version);
	helper->problem = problem;
}

/* It holds nothing: nothing is lost if it ends at once, with an ssh(1) that it has started. */
static void stop(struct helper *helper)
{
	struct us_reason reason;
	struct request *request;

	us_stream_free(US_STEAL(helper->control));
	note_status(helper, "", (struct us_reason){ .text = "" });
	us_refuse(&reason, "the helper for libvirt has ended");
	us_list_for_each (request, &helper->requests, link)
		answer(request, -ECONNRESET, &reason);
	if (helper->pid <= 0)
		return;
	us_libvirt_kill(helper->libvirt->loop, helper->pid);
	helper->pid = 0;
}

static int start(struct helper *helper)
{
	static const struct us_stream_handler handler = { .message = on_line, .closed = on_closed };
	const struct us_stream_limits limits = { REPORT_BYTES_MAX, BACKLOG_BYTES_MAX };
	int fd, r = us_libvirt_spawn(helper->libvirt->program, helper->uri, &helper->pid, &fd);

	if (r < 0)
		return r;
	helper->started_usec = us_now_usec();
	r = us_stream_new(&helper->control, helper->libvirt->loop, fd, '\n', limits, &handler,
			  helper);
	if (r < 0)
		stop(helper);
	return r;
}

static void helper_free(struct helper *helper)
{
	stop(helper);
	us_timer_deinit(&helper->timer);
	us_list_remove(&helper->link);
	free(helper);
}

static bool is_needed(const struct helper *helper)
{
	return helper->is_watched || helper->users > 0 || !us_list_is_empty(&helper->requests);
}

static void on_timer(void *userdata)
{
	struct helper *helper = userdata;

	if (!is_needed(helper)) {
		helper_free(helper);
		return;
	}
	if (helper->control || start(helper) == 0)
		return;
	stop(helper);
	us_timer_set(&helper->timer, us_now_usec() + AGAIN_USEC);
}

static void on_closed(void *userdata, int error)
{
	struct helper *helper = userdata;

	stop(helper);
	us_timer_set(&helper->timer, us_now_usec() + AGAIN_USEC);
}

/* ---- Reports ---- */

static enum us_libvirt_state state_of(const char *name)
{
	if (strcmp(name, "running") == 0)
		return US_LIBVIRT_RUNNING;
	return strcmp(name, "incoming") == 0 ? US_LIBVIRT_INCOMING : US_LIBVIRT_STOPPED;
}

/* "problem" and "next_at" of @message. Returns US_REFUSED, or 0 if it has none. */
static int read_problem(const json_t *message, struct us_reason *ret_reason)
{
	const char *problem = json_string_value(json_object_get(message, "problem"));
	json_int_t next_at = json_integer_value(json_object_get(message, "next_at"));

	*ret_reason = (struct us_reason){ .text = "" };
	if (!problem)
		return 0;
	us_refuse(ret_reason, "%s", problem);
	if (next_at > 0 && next_at < (json_int_t)strlen(ret_reason->text))
		ret_reason->next_at = next_at;
	return US_REFUSED;
}

static void on_status(struct helper *helper, const json_t *message)
{
	struct us_reason problem;

	read_problem(message, &problem);
	note_status(helper, json_string_value(json_object_get(message, "libvirt")), problem);
}

static void on_answer(struct helper *helper, const json_t *message)
{
	json_int_t id = json_integer_value(json_object_get(message, "answer"));
	struct us_reason reason;
	struct request *request;
	int r = read_problem(message, &reason);

	us_list_for_each (request, &helper->requests, link)
		if (request->id == id)
			answer(request, r, &reason);
}

static void on_line(void *userdata, char *text, size_t length)
{
	struct helper *helper = userdata;
	US_CLEANUP(json_decrefp) json_t *message = json_loadb(text, length, 0, NULL);
	struct us_libvirt_report report = { .uri = helper->uri };
	const char *state = NULL;

	if (json_object_get(message, "answer")) {
		on_answer(helper, message);
		return;
	}
	if (json_is_string(json_object_get(message, "libvirt"))) {
		on_status(helper, message);
		return;
	}
	if (!message ||
	    json_unpack(message, "{s:s, s:s, s?o, s?s}", "domain", &report.domain, "state", &state,
			"pairs", &report.pairs, "problem", &report.problem) < 0)
		return;
	report.state = state_of(state);
	helper->libvirt->report(helper->libvirt->userdata, &report);
}

/* ---- Helpers ---- */

static struct helper *find(struct us_libvirt *libvirt, const char *uri, size_t length)
{
	struct helper *helper;

	us_list_for_each (helper, &libvirt->helpers, link)
		if (strncmp(helper->uri, uri, length) == 0 && !helper->uri[length])
			return helper;
	return NULL;
}

static int helper_new(struct us_libvirt *libvirt, const char *uri, size_t length,
		      struct helper **ret_helper)
{
	struct helper *helper = calloc(1, sizeof(*helper) + length + 1);
	int r;

	if (!helper)
		return -ENOMEM;
	memcpy(helper->uri, uri, length);
	helper->libvirt = libvirt;
	us_list_init(&helper->requests);
	us_list_append(&libvirt->helpers, &helper->link);
	r = us_timer_init(&helper->timer, libvirt->loop, on_timer, helper);
	if (r >= 0)
		r = start(helper);
	if (r < 0) {
		helper_free(helper);
		return r;
	}
	*ret_helper = helper;
	return 0;
}

int us_libvirt_watch(struct us_libvirt *libvirt, const char *uri)
{
	struct helper *helper = find(libvirt, uri, strlen(uri));
	int r = helper ? 0 : helper_new(libvirt, uri, strlen(uri), &helper);

	if (r == 0)
		helper->is_watched = true;
	return r;
}

void us_libvirt_each(const struct us_libvirt *libvirt,
		     void (*each)(void *userdata, const struct us_libvirt_status *status),
		     void *userdata)
{
	const struct helper *helper;

	us_list_for_each (helper, &libvirt->helpers, link)
		each(userdata, &(struct us_libvirt_status){
				       .uri = helper->uri,
				       .is_running = helper->control,
				       .started_usec = helper->started_usec,
				       .version = helper->version,
				       .problem = helper->problem.text[0] ? &helper->problem : NULL,
			       });
}

const char *us_libvirt_program(const struct us_libvirt *libvirt)
{
	return libvirt->program;
}

/* ---- Channels ---- */

int us_libvirt_address(char *buffer, size_t size, const char *uri, const char *domain)
{
	int length = snprintf(buffer, size, PREFIX "%s#%s", uri, domain);

	return length >= 0 && (size_t)length < size ? 0 : -ENAMETOOLONG;
}

const char *us_libvirt_domain_of(const char *address)
{
	const char *hash = strrchr(address, '#');

	return strncmp(address, PREFIX, strlen(PREFIX)) == 0 && hash ? hash + 1 : NULL;
}

/* The helper of the domain at @address; NULL: there is none. */
static struct helper *find_by_address(struct us_libvirt *libvirt, const char *address)
{
	const char *domain = us_libvirt_domain_of(address), *uri = address + strlen(PREFIX);

	return libvirt && domain ? find(libvirt, uri, domain - 1 - uri) : NULL;
}

bool us_libvirt_use(struct us_libvirt *libvirt, const char *address)
{
	struct helper *helper = find_by_address(libvirt, address);

	if (helper)
		helper->users++;
	return helper;
}

void us_libvirt_unuse(struct us_libvirt *libvirt, const char *address)
{
	struct helper *helper = find_by_address(libvirt, address);

	/* From the loop: the caller may be a handler of the helper's own. */
	if (--helper->users == 0 && !us_timer_is_set(&helper->timer))
		us_timer_set(&helper->timer, us_now_usec() + LINGER_USEC);
}

static int send_open(struct helper *helper, const char *domain, int fd)
{
	US_CLEANUP(json_decrefp) json_t *message = json_pack("{s:s}", "open", domain);
	US_CLEANUP(us_freep) char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;

	return text ? us_stream_send_fd(helper->control, text, strlen(text), fd) : -ENOMEM;
}

int us_libvirt_open(struct us_libvirt *libvirt, const char *address, int *ret_fd)
{
	const char *domain = us_libvirt_domain_of(address), *uri = address + strlen(PREFIX);
	size_t length = domain ? (size_t)(domain - 1 - uri) : 0;
	struct helper *helper;
	int pair[2], r = 0;

	if (!libvirt || !domain)
		return -EOPNOTSUPP;
	helper = find(libvirt, uri, length);
	if (!helper)
		r = helper_new(libvirt, uri, length, &helper);
	if (r < 0)
		return r == -ENOENT ? -EOPNOTSUPP : r;
	if (!helper->control)
		return -EAGAIN;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	r = send_open(helper, domain, pair[1]);
	us_close(pair[1]);
	if (r < 0)
		us_close(pair[0]);
	else
		*ret_fd = pair[0];
	return r;
}

/* ---- Requests ---- */

static int send_request(struct helper *helper, const char *name, const json_t *arguments,
			json_int_t id)
{
	US_CLEANUP(json_decrefp)
	json_t *message = json_pack("{s:I, s:O}", "id", id, name, arguments);
	US_CLEANUP(us_freep) char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;

	return text ? us_stream_send(helper->control, text, strlen(text)) : -ENOMEM;
}

int us_libvirt_request(struct us_libvirt *libvirt, const char *uri, const char *name,
		       const json_t *arguments, us_libvirt_done_fn done, void *userdata)
{
	struct helper *helper = find(libvirt, uri, strlen(uri));
	struct request *request;
	int r;

	if (!helper)
		return -EOPNOTSUPP;
	if (!helper->control)
		return -ECONNRESET;
	request = malloc(sizeof(*request));
	if (!request)
		return -ENOMEM;
	*request = (struct request){ .id = ++libvirt->last_id, .done = done, .userdata = userdata };
	r = send_request(helper, name, arguments, request->id);
	if (r < 0)
		free(request);
	else
		us_list_append(&helper->requests, &request->link);
	return r;
}

/* ---- Life ---- */

int us_libvirt_new(struct us_libvirt **ret_libvirt, sd_event *loop, const char *program,
		   us_libvirt_report_fn report, void *userdata)
{
	struct us_libvirt *libvirt = malloc(sizeof(*libvirt));

	if (!libvirt)
		return -ENOMEM;
	*libvirt = (struct us_libvirt){
		.loop = loop, .program = program, .report = report, .userdata = userdata
	};
	us_list_init(&libvirt->helpers);
	*ret_libvirt = libvirt;
	return 0;
}

void us_libvirt_free(struct us_libvirt *libvirt)
{
	struct helper *helper;

	if (!libvirt)
		return;
	us_list_for_each (helper, &libvirt->helpers, link)
		helper_free(helper);
	free(libvirt);
}
