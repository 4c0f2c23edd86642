/* SPDX-License-Identifier: BSD-3-Clause */
#include <syslog.h>

#include "daemon/migration/migration-private.h"
#include "daemon/migration/stop-method.h"
#include "net/undelivered/drain.h"

static const char *const method_names[] = {
	[US_STOP_METHOD_NONE] = NULL,
	[US_STOP_METHOD_DRAIN] = "drain",
	[US_STOP_METHOD_PREDICT] = "predict",
};
_Static_assert(US_ARRAY_LENGTH(method_names) == US_STOP_METHOD_N, "a name for each method");

const char *us_stop_method_name(enum us_stop_method method)
{
	return method_names[method];
}

static void predict(struct us_host_pair *pair, enum us_stop_method before,
		    const struct us_reason *reason)
{
	pair->migration->method = US_STOP_METHOD_PREDICT;
	if (before != US_STOP_METHOD_PREDICT)
		us_log(LOG_WARNING,
		       "%s: at a migration frames will be parked before the stop, as "
		       "predicted, and not drained after it: %s",
		       pair->spec.name, reason->text);
}

void us_stop_method_choose(struct us_host_pair *pair)
{
	struct us_drain_process process = us_host_vm_process(pair->vm);
	enum us_stop_method before = pair->migration->method;
	struct us_reason reason = { .text = "" };

	pair->migration->method = US_STOP_METHOD_NONE;
	if (process.pid <= 0 || !pair->engine.config.can_park)
		return;
	if (us_drain_check(&process, &reason) == 0)
		pair->migration->method = US_STOP_METHOD_DRAIN;
	else
		predict(pair, before, &reason);
}

static void on_queues(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_pair *pair = userdata;

	if (r != 0)
		predict(pair, pair->migration->method, reason);
}

void us_stop_method_prepare(struct us_host_pair *pair)
{
	struct us_pair_migration *migration = pair->migration;
	struct us_drain_process process = us_host_vm_process(pair->vm);
	struct us_reason reason = { .text = "" };
	int r;

	us_stop_method_choose(pair);
	if (migration->method != US_STOP_METHOD_DRAIN || migration->drain)
		return;
	r = us_drain_new(&migration->drain, pair->vm->daemon->loop, &process, pair->spec.port,
			 on_queues, pair, &reason);
	if (r < 0)
		us_refuse(&reason, "%s", us_strerror(r));
	if (r != 0)
		predict(pair, migration->method, &reason);
}

void us_stop_method_settle(struct us_host_pair *pair)
{
	struct us_pair_migration *migration = pair->migration;
	struct us_reason reason;

	if (migration->method != US_STOP_METHOD_DRAIN ||
	    (migration->drain && us_drain_is_ready(migration->drain)))
		return;
	us_refuse(&reason, "the search for the queues among QEMU's descriptors has not ended");
	predict(pair, migration->method, &reason);
}

enum us_stop_method us_stop_method_of_pair(const struct us_host_pair *pair)
{
	return pair->migration->method;
}

enum us_stop_method us_stop_method_of_vm(const struct us_host_vm *vm)
{
	enum us_stop_method method = US_STOP_METHOD_NONE;
	const struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link)
		if (pair->migration->method > method)
			method = pair->migration->method;
	return method;
}
