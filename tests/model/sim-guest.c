/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest: its drivers, its acknowledgements, and the devices that it uses. */
#include "sim.h"

enum {
	ACKNOWLEDGE_USEC = 60 * 1000,
	RESET_USEC = 20 * 1000, /* from a reset to the completion of unplugs */
	JOIN_USEC = 150 * 1000,
	POLL_USEC = 1750 * 1000, /* the interval of observations, for changes without an event */
};

static struct sim_qemu *qemu(void)
{
	return sim.guest.host < 0 ? NULL : &sim.hosts[sim.guest.host].qemu;
}

bool sim_guest_is_capable(unsigned pair)
{
	const struct sim_driver *driver = &sim.guest.drivers[pair];

	return driver->guest == US_GUEST_CAPABLE && driver->is_ok;
}

/* ---- The primary ---- */

static void on_joined(void *object, unsigned joining)
{
	struct sim_driver *driver = object;
	unsigned pair = driver - sim.guest.drivers;

	if (driver->joining != joining || !sim.guest.joins)
		return;
	driver->is_joined = true;
	sim_trace("the guest uses the primary of web%u", pair);
	sim_net_look(pair);
}

void sim_guest_look(unsigned pair)
{
	struct sim_driver *driver = &sim.guest.drivers[pair];
	bool can_join = qemu() && qemu()->has[pair] && sim_guest_is_capable(pair);

	if (driver->is_joined && can_join)
		return;
	driver->joining++;
	if (driver->is_joined) {
		driver->is_joined = false;
		sim_net_look(pair);
	}
	if (can_join)
		sim_at(sim.now_usec + JOIN_USEC, on_joined, driver, driver->joining);
}

static void gone(unsigned pair)
{
	qemu()->has[pair] = qemu()->unplugging[pair] = false;
	sim_trace("the primary of web%u is out of the VM on %s", pair,
		  sim.hosts[sim.guest.host].name);
	sim_guest_look(pair);
	sim_monitor_deleted(sim.guest.host, pair);
}

static void on_acknowledge(void *object, unsigned pair)
{
	if (sim.guest.acknowledges && sim.guest.is_booted && qemu() && qemu()->unplugging[pair] &&
	    qemu()->has[pair])
		gone(pair);
}

void sim_guest_asked(void)
{
	for (unsigned pair = 0; pair < sim.config.pairs; pair++)
		if (qemu() && qemu()->unplugging[pair])
			sim_at(sim.now_usec + ACKNOWLEDGE_USEC, on_acknowledge, NULL, pair);
}

/* ---- The drivers ---- */

void sim_guest_drive(unsigned pair, enum us_guest guest, bool is_ok, bool is_announced)
{
	struct sim_driver *driver = &sim.guest.drivers[pair];

	if (!qemu() || qemu()->is_stopped)
		return;
	sim.guest.is_booted = true;
	sim_guest_asked();
	if (driver->guest == guest && driver->is_ok == is_ok)
		return;
	sim_trace("the guest's driver of web%u: %s%s", pair, us_guest_name(guest),
		  is_ok ? ", OK" : "");
	driver->guest = guest;
	driver->is_ok = is_ok;
	sim_guest_look(pair);
	sim_monitor_look(sim.guest.host, pair,
			 is_announced && !sim_choose("negotiation not announced", 2)
				 ? SIM_LATENCY_USEC
				 : POLL_USEC);
}

static void on_reset(void *object, unsigned pair)
{
	if (qemu() && qemu()->unplugging[pair] && qemu()->has[pair])
		gone(pair);
}

static void on_boot(void *object, unsigned boots)
{
	if (boots != sim.guest.boots)
		return;
	for (unsigned pair = 0; pair < sim.config.pairs; pair++)
		sim_guest_drive(pair, US_GUEST_CAPABLE, true, true);
}

void sim_guest_reset(bool by_guest)
{
	if (!qemu() || qemu()->is_stopped)
		return;
	sim_trace("the machine is reset%s", by_guest ? "" : ", by the host");
	sim.guest.is_booted = false;
	for (unsigned pair = 0; pair < sim.config.pairs; pair++) {
		sim.guest.drivers[pair].guest = US_GUEST_NONE;
		sim.guest.drivers[pair].is_ok = false;
		sim_guest_look(pair);
		if (qemu()->unplugging[pair])
			sim_at(sim.now_usec + RESET_USEC, on_reset, NULL, pair);
	}
	sim_monitor_reset(sim.guest.host, by_guest);
	sim.guest.boots++;
	if (sim.guest.boot_usec)
		sim_at(sim.now_usec + sim.guest.boot_usec, on_boot, NULL, sim.guest.boots);
}
