/* SPDX-License-Identifier: BSD-3-Clause */
/* How a migration saves the frames that QEMU has not delivered when it stops a pair's guest. */
#include "daemon/migration/migration-private.h"
#include "net/undelivered/drain.h"
#include "util/log.h"

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

const char *us_migration_stop_method(const struct us_host_pair *pair)
{
	return method_names[us_migration_of_pair(pair)->method];
}

static void predict(struct us_host_pair *pair, const struct us_reason *reason)
{
	enum us_stop_method *method = &us_migration_of_pair(pair)->method;

	if (*method != US_STOP_METHOD_PREDICT)
		us_log(LOG_WARNING,
		       "%s: migrations park frames before the predicted stop, and do not drain "
		       "QEMU's tap after it: %s",
		       us_host_pair_name(pair), reason->text);
	*method = US_STOP_METHOD_PREDICT;
}

/* By permission alone, which is cheap. Logs once that draining is refused. */
static void choose(struct us_host_pair *pair)
{
	struct us_drain_process process = us_host_vm_process(us_host_vm_of(pair));
	struct us_pair_migration *migration = us_migration_of_pair(pair);
	struct us_reason reason = { .text = "" };

	if (process.pid <= 0 || !us_migration_is_lossless(pair))
		migration->method = US_STOP_METHOD_NONE;
	else if (us_drain_check(&process, &reason) == 0)
		migration->method = US_STOP_METHOD_DRAIN;
	else
		predict(pair, &reason);
}

void us_migration_pair_adopted(void *userdata, struct us_host_pair *pair)
{
	choose(pair);
	us_arrival_port_known(pair);
}

static void on_queues(void *userdata, int r, const struct us_reason *reason)
{
	if (r != 0)
		predict(userdata, reason);
}

void us_stop_method_prepare(struct us_host_pair *pair)
{
	struct us_pair_migration *migration = us_migration_of_pair(pair);
	struct us_drain_process process = us_host_vm_process(us_host_vm_of(pair));
	struct us_reason reason = { .text = "" };
	int r;

	choose(pair);
	if (migration->method != US_STOP_METHOD_DRAIN || migration->drain)
		return;
	r = us_drain_new(&migration->drain, us_host_vm_loop(us_host_vm_of(pair)), &process,
			 us_host_pair_spec(pair)->port, on_queues, pair, &reason);
	if (r < 0)
		us_refuse(&reason, "%s", us_strerror(r));
	if (r != 0)
		predict(pair, &reason);
}

void us_stop_method_settle(struct us_host_pair *pair)
{
	struct us_pair_migration *migration = us_migration_of_pair(pair);
	struct us_reason reason;

	if (migration->method != US_STOP_METHOD_DRAIN ||
	    (migration->drain && us_drain_is_ready(migration->drain)))
		return;
	us_refuse(&reason, "the search for the tap among QEMU's descriptors takes too long");
	predict(pair, &reason);
}

enum us_stop_method us_stop_method_of_vm(const struct us_host_vm *vm)
{
	enum us_stop_method method = US_STOP_METHOD_NONE;
	const struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm)
		if (us_migration_of_pair(pair)->method > method)
			method = us_migration_of_pair(pair)->method;
	return method;
}
