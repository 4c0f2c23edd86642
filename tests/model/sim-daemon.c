/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemons: started, killed, their log and their disk. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/state/state-private.h"
#include "sim.h"
#include "util/crash-point.h"
#include "util/file.h"
#include "util/log.h"

struct sim sim = { .host = -1 };
unsigned (*sim_choose)(const char *what, unsigned count);

/* ---- The log ---- */

static void print(const char *who, const char *text)
{
	char line[1100];

	snprintf(line, sizeof(line), "%8llu.%03llu %s%s%s",
		 (unsigned long long)(sim.now_usec / US_USEC_PER_SEC),
		 (unsigned long long)(sim.now_usec / US_USEC_PER_MSEC % 1000), who, *who ? " " : "",
		 text);
	if (sim.is_traced)
		puts(line);
	if (sim.log)
		sim.log(line);
}

void us_log(int priority, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	if (!sim_is_alive())
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	sim_check_line(sim.host, text);
	print(sim.hosts[sim.host].name, text);
}

void sim_log(const char *format, ...)
{
	char text[1024];
	va_list arguments;

	if (!sim.is_traced && !sim.log)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	print("-", text);
}

void sim_trace(const char *format, ...)
{
	void (*log)(const char *line) = sim.log;
	char text[1024];
	va_list arguments;

	if (!sim.is_traced)
		return;
	sim.log = NULL;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	print("   ", text);
	sim.log = log;
}

/* ---- The disk: one file for each, state.json ---- */

static json_t **file_of(const char *path)
{
	return &sim.hosts[path[0] - 'A'].disk;
}

/* The saved text of each VM is the one that would be written now. */
static void check_kept(struct us_daemon *daemon)
{
	struct us_host_vm *vm;

	us_vms_for_each (vm, daemon->vms) {
		char *fresh = us_state_vm_text(daemon->state, vm);
		const char *kept = us_host_vm_slots(vm)->saved_text;

		if (kept && strcmp(kept, fresh) != 0)
			sim_break("what is saved is what is", "%s, not %s", kept, fresh);
		free(fresh);
	}
}

int us_file_replace(const char *path, const struct iovec *parts, size_t count)
{
	json_t **file = file_of(path);
	char *text = NULL;
	size_t size = 0;
	FILE *memory;

	if (!sim_is_alive())
		return 0;
	check_kept(&sim.hosts[sim.host].daemon);
	memory = open_memstream(&text, &size);
	for (size_t i = 0; i < count; i++)
		fwrite(parts[i].iov_base, 1, parts[i].iov_len, memory);
	fclose(memory);
	json_decref(*file);
	*file = json_loadb(text, size, 0, NULL);
	free(text);
	return 0;
}

json_t *json_load_file(const char *path, size_t flags, json_error_t *error)
{
	return json_deep_copy(*file_of(path));
}

int access(const char *path, int mode)
{
	return *file_of(path) ? 0 : -1;
}

/* ---- Life ---- */

struct us_host_vm *sim_host_vm(int host)
{
	return sim.hosts[host].is_up ? us_vms_find(sim.hosts[host].daemon.vms, "web") : NULL;
}

const struct us_host_pair *sim_pair(int host, unsigned pair)
{
	char name[] = { 'w', 'e', 'b', '0' + pair, '\0' };

	return sim.hosts[host].is_up ? us_pairs_find(sim.hosts[host].daemon.pairs, name) : NULL;
}

void sim_daemon_start(int index)
{
	struct sim_host *host = &sim.hosts[index];

	if (host->is_up)
		return;
	sim_log("understudyd starts on %s", host->name);
	sim.host = index;
	host->is_up = true;
	memset(host->was_reserved, 0, sizeof(host->was_reserved));
	host->daemon =
		(struct us_daemon){ .state_dir = host->name, .migrations.address = host->name };
	us_daemon_init(&host->daemon);
	us_state_load(host->daemon.state);
	sim.host = -1;
	if (host->is_dying)
		sim_daemon_kill(index);
}

/* The daemon was killed, so the rest of its actions has no effect. */
void sim_daemon_kill(int index)
{
	struct sim_host *host = &sim.hosts[index];

	if (!host->is_up)
		return;
	host->is_dying = true;
	sim_log("understudyd on %s is killed", host->name);
	sim.host = index;
	us_daemon_deinit(&host->daemon);
	sim_net_abandon(index);
	sim.host = -1;
	host->is_up = host->is_dying = false;
	us_list_init(&host->timers);
	sim_wire_cut(index);
}

void us_crash_point(const char *where, const char *what, const char *which)
{
	char name[64];

	if (!sim_is_alive() || (!sim.crash_in && !sim.crash_at))
		return;
	if (sim.crash_at) {
		snprintf(name, sizeof(name), "%s:%s%s%s", where, what, which ? "-" : "",
			 which ? which : "");
		if (strcmp(name, sim.crash_at) != 0)
			return;
		sim.crash_at = NULL;
	} else if (--sim.crash_in > 0) {
		return;
	}
	sim_trace("crash at %s:%s", where, what);
	sim.hosts[sim.host].is_dying = true;
}

/* ---- The scene ---- */

static unsigned choose_well(const char *what, unsigned count)
{
	return 0;
}

static void add_pair(int host, unsigned pair)
{
	char name[] = { 'w', 'e', 'b', '0' + pair, '\0' },
	     standby[] = { 'n', 'e', 't', '0' + pair, 0 };
	char port[] = { 's', 't', 'd', '0' + pair, '\0' };
	char primary[] = "emulated:e1000e,port=prm0";

	primary[sizeof(primary) - 2] += pair;
	sim_call(host, "AddPair",
		 json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "vm", "web", "name", name,
			   "standby", standby, "port", port, "primary", primary, "mode",
			   us_mode_name(sim.config.mode), "handover",
			   sim.config.is_lossless ? "lossless" : "low_latency"));
}

static void populate(int host)
{
	sim_daemon_start(host);
	sim_call(host, "AttachVm", json_pack("{s:s, s:s}", "name", "web", "qmp", "/qmp"));
	while (!sim_host_vm(host) || !us_vmm_is_adopted(us_host_vm_vmm(sim_host_vm(host))))
		sim_step(US_NEVER - 1);
	for (unsigned pair = 0; pair < sim.config.pairs; pair++) {
		add_pair(host, pair);
		while (!sim_pair(host, pair))
			sim_step(US_NEVER - 1);
	}
}

void sim_begin(const struct sim_config *config)
{
	unsigned (*choose)(const char *what, unsigned count) = sim_choose;
	void (*log)(const char *line) = sim.log;
	bool is_traced = sim.is_traced;

	sim = (struct sim){
		.config = *config,
		.host = -1,
		.prepared = -1,
		.transfer_usec = US_USEC_PER_SEC,
		.guest = { .host = 0, .is_booted = true, .acknowledges = true, .joins = true },
		.hosts = { { .name = "A" }, { .name = "B" } },
	};
	for (int host = 0; host < SIM_HOSTS; host++)
		us_list_init(&sim.hosts[host].timers);
	sim_qemu_start(0, US_VM_RUNNING);
	sim_qemu_start(1, US_VM_INCOMING);
	sim_choose = choose_well;
	for (int host = 0; host < SIM_HOSTS; host++)
		populate(host);
	while (sim_step(US_USEC_PER_SEC))
		;
	sim_choose = choose;
	sim.log = log;
	sim.is_traced = is_traced;
}

void sim_end(void)
{
	for (int host = 0; host < SIM_HOSTS; host++) {
		sim_daemon_kill(host);
		json_decref(sim.hosts[host].disk);
	}
	/* Messages on their way own memory, and nobody receives them any more. */
	sim.log = NULL;
	sim.is_traced = false;
	sim_choose = choose_well;
	while (sim_step(US_NEVER - 1))
		;
	sim_loop_end();
}
