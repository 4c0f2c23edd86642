/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libvirt/commands.h"
#include "libvirt/domain-xml.h"
#include "libvirt/write-xml.h"
#include "libvirt/error.h"
#include "libvirt/migrate.h"
#include "libvirt/process.h"
#include "util/cleanup.h"

enum {
	ABORT_AGAIN_USEC = 50 * 1000,
};

/* A command that libvirt may need long for, so a thread runs it. */
struct request {
	struct us_lv_channel *channel;
	json_int_t id;
	json_t *arguments;
};

static void finish(struct request *request, json_t *value, const struct us_reason *reason)
{
	us_lv_channel_answer(request->channel, request->id, value, reason);
	json_decref(request->arguments);
	free(request);
}

/* ---- Inspection ---- */

static char *live_xml(struct us_lv_channel *channel, struct us_reason *reason)
{
	char *xml = virDomainGetXMLDesc(us_lv_channel_domain(channel), 0);

	if (!xml)
		us_lv_refuse(reason, "the domain's XML");
	return xml;
}

static json_t *inspect(struct us_lv_channel *channel, const json_t *arguments,
		       struct us_reason *reason)
{
	const char *id = json_string_value(json_object_get(arguments, "id"));
	char *xml = live_xml(channel, reason);
	json_t *standby = xml ? us_domain_xml_standby(xml, id ? id : "", reason) : NULL;

	free(xml);
	return standby;
}

static json_t *find_process(struct us_lv_channel *channel, const json_t *arguments,
			    struct us_reason *reason)
{
	return json_pack("{s:i}", "pid", (int)us_lv_process_of(us_lv_channel_domain(channel)));
}

/* ---- Attach ---- */

#define ALIAS "<alias name='ua-understudy-"

/*
 * libvirt notes the end of a device in a job, and gives up if another job lasts for 30 s. Then it
 * believes in a device that QEMU does not have, refuses another one of that alias, and may refuse
 * to migrate. A detach of its own corrects that. @alias NULL: of all primaries.
 */
static void forget_late(virDomainPtr domain, const char *xml, const char *alias)
{
	char name[128];

	for (const char *at = xml; (at = strstr(at, ALIAS)); at += strlen(ALIAS)) {
		if (sscanf(at, "<alias name='%127[^']'", name) == 1 &&
		    (!alias || strcmp(name, alias) == 0))
			virDomainDetachDeviceAlias(domain, name, VIR_DOMAIN_AFFECT_LIVE);
	}
}

static void attach(void *argument)
{
	struct request *request = argument;
	virDomainPtr domain = us_lv_channel_domain(request->channel);
	struct us_reason reason;
	char *xml, *device = NULL;
	int r = -1;

	us_lv_channel_wait_removed(request->channel);
	xml = live_xml(request->channel, &reason);
	if (xml)
		forget_late(domain, xml,
			    json_string_value(json_object_get(request->arguments, "id")));
	if (xml)
		device = us_domain_xml_primary(xml, request->arguments, &reason);
	if (device) {
		r = virDomainAttachDeviceFlags(domain, device, VIR_DOMAIN_AFFECT_LIVE);
		if (r < 0)
			us_lv_refuse(&reason, "the primary cannot be attached");
	}
	free(xml);
	free(device);
	finish(request, r == 0 ? json_object() : NULL, &reason);
}

/* ---- Migration ---- */

static json_t *check_settings(struct us_lv_channel *channel, const json_t *arguments,
			      struct us_reason *reason)
{
	bool is_encrypted;

	if (us_lv_migration_check(arguments, &is_encrypted, reason) != 0)
		return NULL;
	return json_pack("{s:b}", "encrypted", is_encrypted);
}

static void migrate(void *argument)
{
	struct request *request = argument;
	virDomainPtr domain = us_lv_channel_domain(request->channel);
	struct us_reason reason;
	bool is_encrypted;
	char *xml;
	int r = us_lv_migration_check(request->arguments, &is_encrypted, &reason);

	if (r == 0 && !us_lv_channel_begin_migration(request->channel))
		r = us_refuse(&reason, "a migration is under way");
	if (r != 0) {
		finish(request, NULL, &reason);
		return;
	}
	us_lv_channel_answer(request->channel, request->id, json_object(), NULL);
	us_lv_channel_wait_removed(request->channel);
	xml = live_xml(request->channel, &reason);
	if (xml) /* the primaries are hidden: QEMU has none */
		forget_late(domain, xml, NULL);
	free(xml);
	r = us_lv_migration_run(domain, request->arguments, &reason);
	us_lv_channel_end_migration(request->channel, r == 0 ? "completed" : "failed",
				    r == 0 ? NULL : &reason);
	json_decref(request->arguments);
	free(request);
}

static json_t *leave(struct us_lv_channel *channel, const json_t *arguments,
		     struct us_reason *reason)
{
	us_lv_channel_leave(channel);
	return json_object();
}

/* libvirt's migration goes on without the helper that began it. */
static bool is_migrating(struct us_lv_channel *channel)
{
	virTypedParameterPtr parameters = NULL;
	int operation = 0, count = 0, type = VIR_DOMAIN_JOB_NONE;

	if (us_lv_channel_is_migrating(channel))
		return true;
	if (virDomainGetJobStats(us_lv_channel_domain(channel), &type, &parameters, &count, 0) == 0)
		virTypedParamsGetInt(parameters, count, VIR_DOMAIN_JOB_OPERATION, &operation);
	virTypedParamsFree(parameters, count);
	return type != VIR_DOMAIN_JOB_NONE && operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT;
}

/* libvirt may not have begun yet, and refuses to abort near the end. */
static void abort_migration(void *argument)
{
	struct request *request = argument;

	while (is_migrating(request->channel)) {
		virDomainAbortJob(us_lv_channel_domain(request->channel));
		usleep(ABORT_AGAIN_USEC);
	}
	finish(request, json_object(), NULL);
}

/* ---- Dispatch ---- */

static const struct {
	const char *name;
	json_t *(*answer)(struct us_lv_channel *channel, const json_t *arguments,
			  struct us_reason *reason);
	void (*run)(void *request); /* in a thread */
} table[] = {
	{ "understudy-process", find_process, NULL },
	{ "understudy-inspect", inspect, NULL },
	{ "understudy-attach", NULL, attach },
	{ "understudy-check-settings", check_settings, NULL },
	{ "understudy-leave", leave, NULL },
	{ "understudy-migrate", NULL, migrate },
	{ "understudy-abort", NULL, abort_migration },
};

static void run_in_thread(struct us_lv_channel *channel, void (*run)(void *request),
			  const json_t *arguments, json_int_t id)
{
	struct request *request = malloc(sizeof(*request));
	struct us_reason reason;
	int r = -ENOMEM;

	if (request) {
		*request = (struct request){ channel, id, json_deep_copy(arguments) };
		r = us_lv_channel_run(channel, run, request);
	}
	if (r == 0)
		return;
	us_refuse(&reason, "%s", us_strerror(r));
	us_lv_channel_answer(channel, id, NULL, &reason);
	if (request)
		json_decref(request->arguments);
	free(request);
}

bool us_lv_command_run(struct us_lv_channel *channel, const char *command, const json_t *arguments,
		       json_int_t id)
{
	struct us_reason reason;

	for (size_t i = 0; i < US_ARRAY_LENGTH(table); i++) {
		if (strcmp(table[i].name, command) != 0)
			continue;
		if (table[i].run)
			run_in_thread(channel, table[i].run, arguments, id);
		else
			us_lv_channel_answer(channel, id,
					     table[i].answer(channel, arguments, &reason), &reason);
		return true;
	}
	return false;
}
