/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm/vmm.h: the monitor of a VM. It keeps the promises of the seam (each request is answered once,
 * events and answers are in order, a lost monitor is connected again). All else is a choice.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"
#include "vmm/libvirt/libvirt.h"

enum {
	REQUESTS_MAX = 64,
	PLUG_LATENCY_USEC = 4 * SIM_LATENCY_USEC,
	NEAR_USEC = 700 * 1000, /* before its stop a guest is near it */
	ADOPT_USEC = 3 * SIM_LATENCY_USEC,
	RECONNECT_USEC = 100 * 1000,
	RECONNECT_LATER_USEC = 1000 * 1000,
	COMMAND_USEC = 5 * 1000 * 1000,
	PLUG_USEC = 30 * 1000 * 1000,
};

enum kind {
	REQUEST_INSPECT,
	REQUEST_PLUG,
	REQUEST_UNPLUG,
	REQUEST_HAS,
	REQUEST_RESET,
	REQUEST_CONFIGURE,
	REQUEST_START,
	REQUEST_CANCEL,
	REQUEST_LISTEN,
	REQUEST_QUERY,
	REQUEST_LOCATE,
};

static const char *const kind_names[] = { "inspect", "plug",	  "unplug", "has",
					  "reset",   "configure", "start",  "cancel",
					  "listen",  "query",	  "locate" };

struct request {
	struct us_vmm *vm;
	unsigned connection;
	enum kind kind;
	unsigned pair;
	int to; /* the host to migrate to */
	bool is_answered, is_refused, is_done, is_called_off;
	int r;
	const char *why;
	us_vmm_done_fn done;
	us_vmm_standby_fn inspected;
	us_vmm_progress_fn queried;
	us_vmm_queue_fn located;
	us_vmm_listen_fn listening;
	void *userdata;
};

struct us_vmm {
	int host;
	us_vmm_event_fn report;
	void *userdata;
	bool is_freed, is_adopted, was_adopted, is_known_gone;
	unsigned connection; /* their number */
	uint64_t asked_due, told_due;
	enum us_vm_state state;
	enum us_transfer transfer;
	bool is_watched[SIM_PAIRS_MAX], is_told[SIM_PAIRS_MAX];
	enum us_guest guest[SIM_PAIRS_MAX];
	bool is_ok[SIM_PAIRS_MAX];
	struct request *requests[REQUESTS_MAX];
	unsigned request_count;
};

static const char *const addresses[] = { "tcp:A:4444", "tcp:B:4444" }; /* of waiting QEMUs */
static const char *const standbys[] = { "net0", "net1" };
static const char *const primaries[] = { "understudy-web0", "understudy-web1" };

static struct sim_qemu *qemu_of(const struct us_vmm *vm)
{
	return &sim.hosts[vm->host].qemu;
}

static int pair_of(const char *device)
{
	for (unsigned pair = 0; pair < SIM_PAIRS_MAX; pair++)
		if (!strcmp(device, standbys[pair]) || !strcmp(device, primaries[pair]))
			return pair;
	return -1;
}

/* ---- What the monitor says, in its order ---- */

static void emit(struct us_vmm *vm, struct us_vmm_event event)
{
	event.state = vm->state;
	event.transfer = vm->transfer;
	if (!vm->is_freed)
		vm->report(vm->userdata, &event);
}

enum news_kind { NEWS_TRACE, NEWS_RESET, NEWS_STATE, NEWS_TRANSFER, NEWS_DELETED, NEWS_LOOK };

struct news {
	struct us_vmm *vm;
	unsigned connection;
	enum news_kind kind;
	unsigned pair;
	const char *name;
	uint64_t sent_usec;
	bool by_guest;
	enum us_vm_state state;
	enum us_transfer transfer;
	enum us_guest guest;
	bool is_ok;
};

static void set_state(struct us_vmm *vm, enum us_vm_state state)
{
	if (vm->state == state)
		return;
	vm->state = state;
	emit(vm, (struct us_vmm_event){ .type = US_VMM_STATE });
}

static void set_guest(struct us_vmm *vm, unsigned pair, enum us_guest guest, bool is_ok)
{
	if (!vm->is_watched[pair] ||
	    (vm->is_told[pair] && vm->guest[pair] == guest && vm->is_ok[pair] == is_ok))
		return;
	vm->is_told[pair] = true;
	vm->guest[pair] = guest;
	vm->is_ok[pair] = is_ok;
	emit(vm, (struct us_vmm_event){ .type = US_VMM_GUEST,
					.guest = guest,
					.driver_ok = is_ok,
					.device = standbys[pair] });
}

static void tell_reset(struct us_vmm *vm, const struct news *news)
{
	emit(vm, (struct us_vmm_event){ .type = US_VMM_RESET,
					.by_guest = news->by_guest,
					.age_usec = sim.now_usec - news->sent_usec });
	for (unsigned pair = 0; pair < sim.config.pairs; pair++)
		set_guest(vm, pair, US_GUEST_NONE, false);
}

static void on_news(void *object, unsigned argument)
{
	const struct news *news = object;
	struct us_vmm *vm = news->vm;

	if (vm->is_freed || !vm->is_adopted || news->connection != vm->connection)
		return;
	switch (news->kind) {
	case NEWS_TRACE:
		emit(vm, (struct us_vmm_event){ .type = US_VMM_TRACE,
						.name = news->name,
						.age_usec = sim.now_usec - news->sent_usec });
		break;
	case NEWS_RESET:
		tell_reset(vm, news);
		break;
	case NEWS_STATE:
		set_state(vm, news->state);
		break;
	case NEWS_TRANSFER:
		if (vm->transfer == news->transfer)
			break;
		vm->transfer = news->transfer;
		emit(vm, (struct us_vmm_event){ .type = US_VMM_TRANSFER });
		break;
	case NEWS_DELETED:
		emit(vm, (struct us_vmm_event){ .type = US_VMM_DELETED,
						.device = primaries[news->pair] });
		break;
	case NEWS_LOOK:
		set_guest(vm, news->pair, news->guest, news->is_ok);
		break;
	}
}

/* When a message that is sent now arrives: after all earlier ones. */
static uint64_t told_due(struct us_vmm *vm, uint64_t delay_usec)
{
	uint64_t due = sim.now_usec + delay_usec;

	if (due < qemu_of(vm)->stuck_until)
		due = qemu_of(vm)->stuck_until;
	if (due < vm->told_due)
		due = vm->told_due;
	return vm->told_due = due;
}

static void tell(int host, struct news news)
{
	struct us_vmm *vm = sim.hosts[host].qemu.monitor;
	static const uint64_t delays[] = { SIM_LATENCY_USEC, 50 * 1000, 3 * 1000 * 1000 };
	struct news *kept;

	if (!vm || vm->is_freed)
		return;
	kept = sim_keep(sizeof(*kept));
	*kept = news;
	kept->vm = vm;
	kept->connection = vm->connection;
	kept->sent_usec = sim.now_usec;
	sim_at_host(host, told_due(vm, delays[sim_choose("event late", US_ARRAY_LENGTH(delays))]),
		    on_news, kept, 0);
}

void sim_monitor_trace(int host, const char *name)
{
	tell(host, (struct news){ .kind = NEWS_TRACE, .name = name });
}

void sim_monitor_reset(int host, bool by_guest)
{
	sim_monitor_trace(host, "RESET");
	tell(host, (struct news){ .kind = NEWS_RESET, .by_guest = by_guest });
	if (sim_choose("reset told twice", 2))
		tell(host, (struct news){ .kind = NEWS_RESET, .by_guest = by_guest });
}

void sim_monitor_state(int host)
{
	tell(host, (struct news){ .kind = NEWS_STATE, .state = sim.hosts[host].qemu.state });
}

void sim_monitor_transfer(int host)
{
	tell(host,
	     (struct news){ .kind = NEWS_TRANSFER, .transfer = sim.hosts[host].qemu.transfer });
}

void sim_monitor_deleted(int host, unsigned pair)
{
	tell(host, (struct news){ .kind = NEWS_DELETED, .pair = pair });
	if (sim_choose("deleted told twice", 2))
		tell(host, (struct news){ .kind = NEWS_DELETED, .pair = pair });
}

static void on_look(void *object, unsigned pair)
{
	struct us_vmm *vm = object;
	const struct sim_driver *driver = &sim.guest.drivers[pair];
	struct sim_qemu *qemu = qemu_of(vm);
	bool is_here = sim.guest.host == vm->host;

	if (qemu->monitor != vm)
		return;
	if (sim.now_usec < qemu->stuck_until) {
		sim_at(qemu->stuck_until, on_look, vm, pair);
		return;
	}
	tell(vm->host, (struct news){ .kind = NEWS_LOOK,
				      .pair = pair,
				      .guest = is_here ? driver->guest : US_GUEST_NONE,
				      .is_ok = is_here && driver->is_ok });
}

void sim_monitor_look(int host, unsigned pair, uint64_t delay_usec)
{
	struct us_vmm *vm = sim.hosts[host].qemu.monitor;

	if (vm)
		sim_at(sim.now_usec + delay_usec, on_look, vm, pair);
}

/* ---- Requests ---- */

static void forget(struct request *request)
{
	struct us_vmm *vm = request->vm;

	for (unsigned i = 0; i < vm->request_count; i++) {
		if (vm->requests[i] != request)
			continue;
		memmove(&vm->requests[i], &vm->requests[i + 1],
			(vm->request_count - i - 1) * sizeof(vm->requests[0]));
		vm->request_count--;
		return;
	}
}

static struct us_transfer_progress progress_of(const struct us_vmm *vm)
{
	const struct sim_qemu *qemu = qemu_of(vm);
	bool is_near = sim.config.is_near_early || (qemu->transfer == US_TRANSFER_ACTIVE &&
						    sim.now_usec + NEAR_USEC > qemu->stop_usec);

	return (struct us_transfer_progress){
		.transfer = qemu->transfer,
		.total_bytes = qemu->transfer == US_TRANSFER_ACTIVE ? 1000000000 : 0,
		.remaining_bytes = is_near ? 1000000 : 500000000,
		.bytes_per_sec = 100000000,
		.downtime_msec = 40,
		.error = "",
	};
}

static void answer(struct request *request, int r, const char *why)
{
	const struct us_reason *refusal;
	struct us_reason reason;
	struct us_transfer_progress progress;
	struct us_vmm_standby standby = { .mac = { 2, 0, 0, 0, 0, request->pair + 1 },
					  .queue_pairs = 1,
					  .mtu = 1500,
					  .offers_standby = true };

	if (request->is_answered || request->vm->is_freed)
		return;
	request->is_answered = true;
	forget(request);
	us_refuse(&reason, "%s", why ? why : us_strerror(r));
	refusal = r == 0 ? NULL : &reason;
	progress = progress_of(request->vm);
	if (request->inspected)
		request->inspected(request->userdata, r, refusal, r == 0 ? &standby : NULL);
	else if (request->queried)
		request->queried(request->userdata, r, refusal, r == 0 ? &progress : NULL);
	else if (request->located)
		request->located(request->userdata, NULL);
	else if (request->listening)
		request->listening(request->userdata, r, refusal,
				   r == 0 ? addresses[request->vm->host] : NULL);
	else if (request->done)
		request->done(request->userdata, r, refusal);
}

static void on_answer(void *object, unsigned argument)
{
	struct request *request = object;

	if (request->connection == request->vm->connection)
		answer(request, request->r, request->why);
}

static void on_timeout(void *object, unsigned argument)
{
	answer(object, -ETIMEDOUT, "it did not answer in time");
}

static int perform(struct request *request)
{
	struct us_vmm *vm = request->vm;
	struct sim_qemu *qemu = qemu_of(vm);

	switch (request->kind) {
	case REQUEST_PLUG:
		return sim_qemu_plug(vm->host, request->pair, &request->why);
	case REQUEST_UNPLUG:
		return sim_qemu_unplug(vm->host, request->pair, &request->why);
	case REQUEST_HAS:
		return qemu->has[request->pair] ? 0 : US_REFUSED;
	case REQUEST_RESET:
		if (sim.guest.host == vm->host)
			sim_guest_reset(false);
		return 0;
	case REQUEST_START:
		return sim_qemu_migrate(vm->host, request->to, &request->why);
	case REQUEST_CANCEL:
		sim_qemu_cancel(vm->host);
		return 0;
	case REQUEST_LISTEN:
		if (qemu->state != US_VM_INCOMING)
			return request->why = "not waiting for a guest", US_REFUSED;
		qemu->is_listening = true;
		return 0;
	default:
		return 0;
	}
}

static bool is_connected(const struct request *request)
{
	return !request->vm->is_freed && request->connection == request->vm->connection;
}

static void on_asked(void *object, unsigned argument)
{
	struct request *request = object;
	struct us_vmm *vm = request->vm;
	struct sim_qemu *qemu = qemu_of(vm);

	/* QEMU performs a request that it has received, also if the daemon has died since. */
	if (!qemu->is_alive || (request->kind == REQUEST_PLUG && !is_connected(request)))
		return;
	if (sim.now_usec < qemu->stuck_until) {
		sim_at(qemu->stuck_until, on_asked, request, 0);
		return;
	}
	sim_trace("QEMU %s: %s %u%s", sim.hosts[vm->host].name, kind_names[request->kind],
		  request->pair,
		  request->is_called_off ? ": called off"
		  : request->is_refused	 ? ": refused"
					 : "");
	qemu->configured += request->kind == REQUEST_CONFIGURE;
	request->is_done = true;
	if (request->is_called_off)
		request->r = US_REFUSED, request->why = "called off";
	else if (request->is_refused)
		request->r = US_REFUSED, request->why = "QEMU does not want to";
	else
		request->r = perform(request);
	sim_at_host(vm->host, told_due(vm, SIM_LATENCY_USEC), on_answer, request, 0);
}

static struct request *ask(struct us_vmm *vm, enum kind kind, int pair, void *userdata)
{
	struct request *request = sim_keep(sizeof(*request));
	uint64_t due = sim.now_usec + SIM_LATENCY_USEC;

	*request = (struct request){ .vm = vm,
				     .connection = vm->connection,
				     .kind = kind,
				     .pair = pair < 0 ? 0 : pair,
				     .userdata = userdata };
	if (!sim_is_alive())
		return request;
	if (vm->request_count == REQUESTS_MAX) {
		sim_break("no request without end", "%d requests to QEMU", REQUESTS_MAX);
		return request;
	}
	vm->requests[vm->request_count++] = request;
	if (kind != REQUEST_HAS && kind != REQUEST_QUERY && kind != REQUEST_INSPECT &&
	    kind != REQUEST_LOCATE)
		request->is_refused = sim_choose(kind_names[kind], 2) == 1;
	if (due < vm->asked_due)
		due = vm->asked_due;
	if (kind == REQUEST_PLUG) /* a few queries precede it, and other requests overtake it */
		due += PLUG_LATENCY_USEC;
	else
		vm->asked_due = due;
	sim_at(due, on_asked, request, 0);
	sim_at_host(vm->host, sim.now_usec + (kind == REQUEST_PLUG ? PLUG_USEC : COMMAND_USEC),
		    on_timeout, request, 0);
	return request;
}

static int ask_done(struct us_vmm *vm, enum kind kind, const char *device, us_vmm_done_fn done,
		    void *userdata)
{
	int pair = device ? pair_of(device) : 0;

	if (!vm->is_adopted)
		return -ENOTCONN;
	if (pair < 0)
		return -EINVAL;
	ask(vm, kind, pair, userdata)->done = done;
	return 0;
}

int us_vmm_inspect(struct us_vmm *vm, const char *device, us_vmm_standby_fn done, void *userdata)
{
	if (!vm->is_adopted)
		return -ENOTCONN;
	ask(vm, REQUEST_INSPECT, pair_of(device), userdata)->inspected = done;
	return 0;
}

int us_vmm_plug(struct us_vmm *vm, const struct us_plug *plug, us_vmm_done_fn done, void *userdata)
{
	unsigned pair = pair_of(plug->id);

	if (sim_is_alive() && !(vm->guest[pair] == US_GUEST_CAPABLE && vm->is_ok[pair]))
		sim_break("1: plug only for a present, capable session",
			  "the guest of web%u was last seen %s%s", pair,
			  us_guest_name(vm->guest[pair]), vm->is_ok[pair] ? ", OK" : "");
	/* The completion of the migration says it all. */
	if (sim_is_alive() && qemu_of(vm)->state == US_VM_MOVED &&
	    vm->transfer == US_TRANSFER_COMPLETED)
		sim_break("1: plug only for a present guest", "web%u's has moved", pair);
	return ask_done(vm, REQUEST_PLUG, plug->id, done, userdata);
}

/* A request that has not reached QEMU yet: it is reported as not received. */
static void call_off_plug(struct us_vmm *vm, unsigned pair)
{
	for (unsigned i = 0; i < vm->request_count; i++) {
		struct request *request = vm->requests[i];

		if (request->kind == REQUEST_PLUG && request->pair == pair && !request->is_done)
			request->is_called_off = true;
	}
}

int us_vmm_unplug(struct us_vmm *vm, const char *id, us_vmm_done_fn done, void *userdata)
{
	if (strncmp(id, "understudy-", 11) != 0)
		sim_break("5: the standby is never unplugged", "unplug of %s", id);
	call_off_plug(vm, pair_of(id));
	return ask_done(vm, REQUEST_UNPLUG, id, done, userdata);
}

int us_vmm_has_device(struct us_vmm *vm, const char *id, us_vmm_done_fn done, void *userdata)
{
	return ask_done(vm, REQUEST_HAS, id, done, userdata);
}

/* With ACPI hot-plug there is no delay. */
int us_vmm_query_unplug_delay(struct us_vmm *vm, const char *id, us_vmm_unplug_delay_fn done,
			      void *userdata)
{
	return -ENOTCONN;
}

int us_vmm_reset(struct us_vmm *vm, us_vmm_done_fn done, void *userdata)
{
	return ask_done(vm, REQUEST_RESET, NULL, done, userdata);
}

int us_vmm_configure_transfer(struct us_vmm *vm, const json_t *settings, us_vmm_settings_fn before,
			      us_vmm_done_fn done, void *userdata)
{
	int r = ask_done(vm, REQUEST_CONFIGURE, NULL, done, userdata);

	if (r == 0 && sim_is_alive())
		qemu_of(vm)->configures++;
	return r;
}

/* The simulated QEMU has no settings. */
int us_vmm_restore_transfer(struct us_vmm *vm, const json_t *before, us_vmm_done_fn done,
			    void *userdata)
{
	return -ENOTCONN;
}

int us_vmm_start_transfer(struct us_vmm *vm, const struct us_transfer_target *target,
			  us_vmm_done_fn done, void *userdata)
{
	if (!vm->is_adopted)
		return -ENOTCONN;
	if (sim_is_alive() && qemu_of(vm)->configured < qemu_of(vm)->configures)
		sim_break("a migration starts with its own settings", "%u of %u are set",
			  qemu_of(vm)->configured, qemu_of(vm)->configures);
	struct request *request = ask(vm, REQUEST_START, 0, userdata);

	request->done = done;
	request->to = strcmp(target->uri, addresses[0]) == 0 ? 0 : 1;
	return 0;
}

void us_vmm_finish_transfer(struct us_vmm *vmm)
{
}

int us_vmm_cancel_transfer(struct us_vmm *vm, us_vmm_done_fn done, void *userdata)
{
	return ask_done(vm, REQUEST_CANCEL, NULL, done, userdata);
}

int us_vmm_listen_transfer(struct us_vmm *vm, const char *address, us_vmm_listen_fn done,
			   void *userdata)
{
	if (!vm->is_adopted)
		return -ENOTCONN;
	ask(vm, REQUEST_LISTEN, 0, userdata)->listening = done;
	return 0;
}

void us_vmm_stop_listening(struct us_vmm *vm)
{
	if (sim_is_alive())
		qemu_of(vm)->is_listening = false;
}

int us_vmm_query_transfer(struct us_vmm *vm, us_vmm_progress_fn done, void *userdata)
{
	if (!vm->is_adopted)
		return -ENOTCONN;
	ask(vm, REQUEST_QUERY, 0, userdata)->queried = done;
	return 0;
}

int us_vmm_locate_queue(struct us_vmm *vm, const char *device, unsigned queue_pair,
			us_vmm_queue_fn done, void *userdata)
{
	if (!vm->is_adopted)
		return -ENOTCONN;
	ask(vm, REQUEST_LOCATE, pair_of(device), userdata)->located = done;
	return 0;
}

/* ---- The connection ---- */

static void connect_later(struct us_vmm *vm, uint64_t delay_usec);

static void fail_requests(struct us_vmm *vm)
{
	while (vm->request_count > 0 && !vm->is_freed)
		answer(vm->requests[0], -ECONNRESET, "the monitor is gone");
}

static void refuse(struct us_vmm *vm)
{
	bool is_news = !vm->is_known_gone;
	struct us_reason reason;

	us_refuse(&reason, "no QEMU listens there");
	vm->is_known_gone = true;
	vm->state = US_VM_GONE;
	if (vm->was_adopted)
		connect_later(vm, RECONNECT_LATER_USEC);
	if (vm->was_adopted && is_news)
		emit(vm, (struct us_vmm_event){
				 .type = US_VMM_LOST, .exited = true, .reason = &reason });
	else if (!vm->was_adopted)
		emit(vm, (struct us_vmm_event){
				 .type = US_VMM_REFUSED, .exited = true, .reason = &reason });
}

static void on_connected(void *object, unsigned connection)
{
	struct us_vmm *vm = object;
	struct sim_qemu *qemu = qemu_of(vm);

	if (vm->is_freed || vm->is_adopted || connection != vm->connection)
		return;
	if (!qemu->is_alive) {
		refuse(vm);
		return;
	}
	if (sim.now_usec < qemu->stuck_until) {
		sim_at_host(vm->host, qemu->stuck_until, on_connected, vm, connection);
		return;
	}
	qemu->monitor = vm;
	vm->is_adopted = vm->was_adopted = true;
	vm->is_known_gone = false;
	vm->state = qemu->state;
	vm->transfer = qemu->transfer;
	vm->asked_due = vm->told_due = 0;
	memset(vm->is_told, 0, sizeof(vm->is_told));
	emit(vm, (struct us_vmm_event){ .type = US_VMM_ADOPTED });
	for (unsigned pair = 0; pair < sim.config.pairs && !vm->is_freed; pair++)
		sim_monitor_look(vm->host, pair, SIM_LATENCY_USEC);
}

static void connect_later(struct us_vmm *vm, uint64_t delay_usec)
{
	sim_at_host(vm->host, sim.now_usec + delay_usec, on_connected, vm, vm->connection);
}

static void on_cut(void *object, unsigned connection)
{
	struct us_vmm *vm = object;
	struct us_reason reason;

	if (vm->is_freed || !vm->is_adopted || connection != vm->connection)
		return;
	vm->connection++;
	vm->is_adopted = false;
	vm->state = US_VM_UNKNOWN;
	vm->transfer = US_TRANSFER_NONE;
	fail_requests(vm);
	if (vm->is_freed)
		return;
	connect_later(vm, RECONNECT_USEC);
	us_refuse(&reason, "the monitor is gone");
	emit(vm, (struct us_vmm_event){ .type = US_VMM_LOST, .reason = &reason });
}

void sim_monitor_cut(int host)
{
	struct us_vmm *vm = sim.hosts[host].qemu.monitor;

	sim.hosts[host].qemu.monitor = NULL;
	if (vm)
		sim_at_host(host, sim.now_usec, on_cut, vm, vm->connection);
}

/* The simulated hosts have no libvirt. */
int us_libvirt_new(struct us_libvirt **ret_libvirt, sd_event *event, const char *program,
		   us_libvirt_report_fn report, void *userdata)
{
	*ret_libvirt = NULL;
	return 0;
}

void us_libvirt_free(struct us_libvirt *libvirt)
{
}

int us_vmm_new(struct us_vmm **ret_vm, sd_event *event, struct us_libvirt *libvirt,
	       const char *monitor_path, us_vmm_event_fn report, void *userdata)
{
	struct us_vmm *vm = sim_keep(sizeof(*vm));

	vm->host = sim.host;
	vm->report = report;
	vm->userdata = userdata;
	connect_later(vm, ADOPT_USEC);
	*ret_vm = vm;
	return 0;
}

void us_vmm_free(struct us_vmm *vm)
{
	if (!vm)
		return;
	vm->is_freed = true;
	if (qemu_of(vm)->monitor == vm)
		qemu_of(vm)->monitor = NULL;
}

void us_vmm_connect(struct us_vmm *vm)
{
	connect_later(vm, ADOPT_USEC);
}

bool us_vmm_is_adopted(const struct us_vmm *vm)
{
	return vm->is_adopted;
}

const char *us_vmm_version(const struct us_vmm *vm)
{
	return "8.2.0";
}

bool us_vmm_is_domain(const struct us_vmm *vmm)
{
	return false;
}

int us_vmm_pidfd(const struct us_vmm *vm)
{
	return 0;
}

int us_vmm_pid(const struct us_vmm *vm)
{
	return vm->is_adopted ? 1000 + vm->host : 0;
}

int us_vmm_track_guest(struct us_vmm *vm, const char *device)
{
	unsigned pair = pair_of(device);

	vm->is_watched[pair] = true;
	vm->is_told[pair] = false;
	if (vm->is_adopted)
		sim_monitor_look(vm->host, pair, SIM_LATENCY_USEC);
	return 0;
}

void us_vmm_untrack_guest(struct us_vmm *vm, const char *device)
{
	vm->is_watched[pair_of(device)] = false;
}
