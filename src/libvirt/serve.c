/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/socket.h>

#include "libvirt/channel-private.h"
#include "libvirt/error.h"
#include "libvirt/host.h"
#include "libvirt/serve.h"

enum {
	LINE_BYTES_MAX = 1024 * 1024,
	REPEATS = 3, /* of a query that events cross */
};

static us_lv_command_fn run_command;

void us_lv_serve_commands(us_lv_command_fn run)
{
	run_command = run;
}

/* ---- Commands ---- */

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

static bool is_query(const char *command)
{
	return strncmp(command, "query-", 6) == 0 || strncmp(command, "x-query-", 8) == 0 ||
	       strncmp(command, "qom-", 4) == 0;
}

/* What libvirt's job on the domain does; VIR_DOMAIN_JOB_OPERATION_UNKNOWN: there is none. */
static int job_operation(virDomainPtr domain)
{
	int operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN, count = 0, type;
	virTypedParameterPtr parameters = NULL;

	if (virDomainGetJobStats(domain, &type, &parameters, &count, 0) == 0)
		virTypedParamsGetInt(parameters, count, VIR_DOMAIN_JOB_OPERATION, &operation);
	virTypedParamsFree(parameters, count);
	return operation;
}

/*
 * Whether the guest has left. libvirt also saves, dumps and snapshots a guest by a migration of
 * QEMU's. After a dump it goes on; until then libvirt knows no cause why it is paused.
 */
static bool has_moved(virDomainPtr domain)
{
	int state, cause;

	if (virDomainGetState(domain, &state, &cause, 0) < 0)
		return true;
	if (state == VIR_DOMAIN_SHUTOFF)
		return cause != VIR_DOMAIN_SHUTOFF_SAVED;
	return (state == VIR_DOMAIN_PAUSED && cause == VIR_DOMAIN_PAUSED_MIGRATION) ||
	       job_operation(domain) == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT;
}

/* A guest that is written to a file seems to QEMU to have moved to another host. It has not. */
static void correct_status(struct us_lv_channel *channel, json_t *answer)
{
	json_t *value = json_object_get(answer, "return");
	const char *status = json_string_value(json_object_get(value, "status"));

	if (status &&
	    (strcmp(status, "postmigrate") == 0 || strcmp(status, "finish-migrate") == 0) &&
	    !has_moved(channel->domain))
		json_object_set_new(value, "status", json_string("paused"));
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
		before = us_lv_channel_state(channel).events;
		json_decref(answer);
		answer = pass(channel, text, &reason);
		if (strcmp(command, "query-status") == 0)
			correct_status(channel, answer); /* libvirt may be slow to answer it */
		if (!is_query(command) || before == us_lv_channel_state(channel).events)
			break;
	}
	if (answer) {
		json_object_set_new(answer, "id", json_integer(id));
		us_lv_channel_send(channel, answer);
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
	if (channel->state.has_left && strcmp(command, "query-status") == 0) {
		value = json_pack("{s:s, s:b}", "status", "postmigrate", "running", 0);
	} else if (strcmp(command, "query-migrate") == 0) {
		value = json_deep_copy(channel->failure);
	}
	pthread_mutex_unlock(&channel->lock);
	return value;
}

/* Whether the domain has stopped, and the daemon wants nothing more of it. */
static bool is_over(struct us_lv_channel *channel)
{
	const struct us_lv_channel_state state = us_lv_channel_state(channel);

	return state.must_end && !state.is_migrating && !state.has_left;
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
	else if (us_lv_channel_state(channel).is_incoming)
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
	channel->state.is_incoming = waits_for_guest(channel->domain);
	pthread_mutex_unlock(&channel->lock);
	if (us_lv_channel_state(channel).is_incoming)
		version = host_version();
	else if ((answer = pass(channel, "{\"execute\":\"query-version\"}", reason)))
		version = json_incref(json_object_get(answer, "return"));
	json_decref(answer);
	if (!version)
		return US_REFUSED;
	us_lv_channel_send(channel,
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
		us_lv_channel_send(
			channel,
			us_lv_error_json(is_absent ? "DeviceNotFound" : "GenericError", &reason));
	free(line);
	shutdown(channel->fd, SHUT_RDWR);
	us_lv_channel_unref(channel);
	return NULL;
}

void us_lv_serve_domain(const char *domain, int fd)
{
	struct us_lv_channel *channel = us_lv_channel_new(domain, fd);

	if (channel && us_lv_start_thread(serve, channel) < 0)
		us_lv_channel_unref(channel);
}
