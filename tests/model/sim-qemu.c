/* SPDX-License-Identifier: BSD-3-Clause */
/* QEMU on each host: devices, and a migration from one to the other. */
#include <string.h>

#include "sim.h"

enum {
	BEFORE_STOP_USEC = 30 * 1000, /* from the stop until the guest runs at the destination */
	SLOW_USEC = 45 * 1000 * 1000,
};

static int other(int host)
{
	return 1 - host;
}

static struct sim_qemu *qemu_of(int host)
{
	return &sim.hosts[host].qemu;
}

/* ---- Devices ---- */

int sim_qemu_plug(int host, unsigned pair, const char **ret_why)
{
	struct sim_qemu *qemu = qemu_of(host);

	if (qemu->transfer == US_TRANSFER_ACTIVE)
		return *ret_why = "not allowed while migrating", US_REFUSED;
	if (qemu->has[pair])
		return *ret_why = "Duplicate device ID", US_REFUSED;
	qemu->has[pair] = true;
	qemu->unplugging[pair] = false;
	sim_guest_look(pair);
	return 0;
}

int sim_qemu_unplug(int host, unsigned pair, const char **ret_why)
{
	struct sim_qemu *qemu = qemu_of(host);

	if (!qemu->has[pair]) { /* the monitor reports an acknowledgement nevertheless */
		sim_monitor_deleted(host, pair);
		return 0;
	}
	if (qemu->transfer == US_TRANSFER_ACTIVE)
		return *ret_why = "not allowed while migrating", US_REFUSED;
	qemu->unplugging[pair] = true;
	sim_guest_asked();
	return 0;
}

/* ---- Migration ---- */

static void end_transfer(int host, enum us_transfer transfer)
{
	struct sim_qemu *qemu = qemu_of(host);
	struct sim_qemu *to = qemu_of(other(host));

	qemu->transfer = transfer;
	qemu->transfers++;
	sim_trace("QEMU %s: migration %s", sim.hosts[host].name, us_transfer_name(transfer));
	sim_monitor_state(host);
	sim_monitor_transfer(host);
	if (transfer == US_TRANSFER_COMPLETED)
		return;
	if (qemu->is_stopped) {
		qemu->is_stopped = false;
		sim_monitor_trace(host, "RESUME");
	}
	if (to->is_alive && to->state == US_VM_INCOMING)
		sim_qemu_end(other(host)); /* as QEMU does when its source is gone */
}

static void on_end(void *object, unsigned transfers)
{
	int host = (struct sim_host *)object - sim.hosts;
	struct sim_qemu *from = qemu_of(host), *to = qemu_of(other(host));

	if (from->transfers != transfers || from->transfer != US_TRANSFER_ACTIVE)
		return;
	if (!to->is_alive || to->state != US_VM_INCOMING || sim_choose("fails after the stop", 2)) {
		end_transfer(host, US_TRANSFER_FAILED);
		return;
	}
	to->state = US_VM_RUNNING;
	from->state = US_VM_MOVED;
	from->is_stopped = false;
	sim.guest.host = other(host);
	sim_trace("the guest runs on %s", sim.hosts[other(host)].name);
	end_transfer(host, US_TRANSFER_COMPLETED);
	sim_monitor_trace(other(host), "RESUME");
	sim_monitor_state(other(host));
	for (unsigned pair = 0; pair < sim.config.pairs; pair++) {
		sim_monitor_look(other(host), pair, SIM_LATENCY_USEC);
		sim_guest_look(pair);
	}
}

static void on_stop(void *object, unsigned transfers)
{
	int host = (struct sim_host *)object - sim.hosts;
	struct sim_qemu *from = qemu_of(host);

	if (from->transfers != transfers || from->transfer != US_TRANSFER_ACTIVE)
		return;
	if (sim_choose("fails before the stop", 2)) {
		end_transfer(host, US_TRANSFER_FAILED);
		return;
	}
	from->is_stopped = true;
	sim_trace("QEMU %s: the guest stands still", sim.hosts[host].name);
	sim_monitor_trace(host, "STOP");
	sim_at(sim.now_usec + BEFORE_STOP_USEC, on_end, object, transfers);
}

const char *us_transfer_name(enum us_transfer transfer)
{
	static const char *const names[] = { "none", "active", "completed", "failed", "cancelled" };

	return names[transfer];
}

int sim_qemu_migrate(int host, int to, const char **ret_why)
{
	struct sim_qemu *qemu = qemu_of(host);
	uint64_t usec = sim_choose("transfer slow", 2) ? SLOW_USEC : sim.transfer_usec;

	if (qemu->transfer == US_TRANSFER_ACTIVE || qemu->state != US_VM_RUNNING)
		return *ret_why = "not in this state", US_REFUSED;
	for (unsigned pair = 0; pair < sim.config.pairs; pair++)
		if (qemu->has[pair] && sim.config.mode != US_MODE_SEPARATE)
			sim_break("3: no migration while a primary is in the VM", "web%u is, on %s",
				  pair, sim.hosts[host].name);
	qemu->transfer = US_TRANSFER_ACTIVE;
	qemu->stop_usec = sim.now_usec + usec;
	qemu->transfers++;
	sim_monitor_transfer(host);
	if (to == host || !qemu_of(to)->is_listening)
		sim_at(sim.now_usec, on_end, &sim.hosts[host], qemu->transfers);
	else
		sim_at(sim.now_usec + usec, on_stop, &sim.hosts[host], qemu->transfers);
	return 0;
}

void sim_qemu_cancel(int host)
{
	if (qemu_of(host)->transfer == US_TRANSFER_ACTIVE)
		end_transfer(host, US_TRANSFER_CANCELLED);
}

/* ---- Life ---- */

void sim_qemu_start(int host, enum us_vm_state state)
{
	struct sim_qemu *qemu = qemu_of(host);

	if (qemu->is_alive)
		sim_qemu_end(host);
	if (sim.prepared == host)
		sim.prepared = -1;
	sim_trace("QEMU %s: started, %s", sim.hosts[host].name, us_vm_state_name(state));
	*qemu = (struct sim_qemu){ .is_alive = true,
				   .state = state,
				   .starts = qemu->starts + 1,
				   .transfers = qemu->transfers + 1 };
	if (state == US_VM_RUNNING)
		sim.guest.host = host;
}

void sim_qemu_end(int host)
{
	struct sim_qemu *qemu = qemu_of(host), *peer = qemu_of(other(host));
	bool was_active = qemu->transfer == US_TRANSFER_ACTIVE;

	if (!qemu->is_alive)
		return;
	sim_trace("QEMU %s: ends", sim.hosts[host].name);
	qemu->is_alive = qemu->is_stopped = qemu->is_listening = false;
	qemu->stuck_until = 0;
	qemu->transfer = US_TRANSFER_NONE;
	qemu->transfers++;
	memset(qemu->has, 0, sizeof(qemu->has));
	sim_monitor_cut(host);
	if (sim.guest.host == host) {
		sim.guest.host = -1;
		for (unsigned pair = 0; pair < sim.config.pairs; pair++)
			sim_guest_look(pair);
	}
	if (was_active && peer->is_alive && peer->state == US_VM_INCOMING)
		sim_qemu_end(other(host));
	else if (peer->transfer == US_TRANSFER_ACTIVE)
		end_transfer(other(host), US_TRANSFER_FAILED);
}

void sim_qemu_stuck(int host, uint64_t usec)
{
	sim_trace("QEMU %s: does not answer for %u ms", sim.hosts[host].name,
		  (unsigned)(usec / US_USEC_PER_MSEC));
	/* A QEMU that waits to end keeps its place before the next one. */
	if (qemu_of(host)->stuck_until < sim.now_usec + usec)
		qemu_of(host)->stuck_until = sim.now_usec + usec;
}
