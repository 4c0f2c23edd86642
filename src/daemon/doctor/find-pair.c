/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings about a pair: its standby, the switch behind it, its primary, its VF, and delays. */
#include <dirent.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "daemon/doctor/doctor-private.h"
#include "daemon/vf/vf.h"
#include "net/netlink/link.h"
#include "net/steer/steer.h"
#include "net/vf/sriov.h"
#include "pci/vfio.h"
#include "util/clock.h"

#define RECENT_USEC (600 * US_USEC_PER_SEC)

enum {
	DESCRIPTORS_MAX = 1024, /* of QEMU: read here, in the loop */
};

/* The number of vhost queues, from the first descriptors of QEMU; -1: they cannot be read. */
static int count_vhost(pid_t pid)
{
	char path[300], target[64];
	const struct dirent *entry;
	DIR *directory;
	int count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	directory = pid > 0 ? opendir(path) : NULL;
	if (!directory)
		return -1;
	for (int i = 0; i < DESCRIPTORS_MAX && (entry = readdir(directory)); i++) {
		ssize_t n = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

		target[n < 0 ? 0 : n] = '\0';
		count += strcmp(target, "/dev/vhost-net") == 0;
	}
	closedir(directory);
	return count;
}

/*
 * The bridge filters VLANs, so no frame is parked there. libvirt has it do so with
 * macTableManager='libvirt', and again whenever the network starts; of its ports, only libvirt
 * switches off both learning and flooding.
 */
static void find_filter(const struct us_link *port, const char *bridge,
			struct us_findings *findings)
{
	char next[200];

	snprintf(next, sizeof(next),
		 "ip link set %s type bridge vlan_filtering 0, or add the pair with --handover "
		 "low-latency",
		 bridge);
	if (port->is_fixed)
		us_find_warning(
			findings,
			"virsh net-edit: without macTableManager='libvirt'; then restart the "
			"network and the domain, or add the pair with --handover low-latency",
			"bridge %s is managed by libvirt (macTableManager='libvirt') and filters "
			"VLANs: no frame is parked there, and some are lost in each transition",
			bridge);
	else
		us_find_warning(findings, next,
				"bridge %s filters VLANs: no frame is parked there, and some are "
				"lost in each transition",
				bridge);
}

static void find_bridge(const struct us_host_pair *pair, const struct us_link *port,
			struct us_findings *findings)
{
	bool is_lossless = us_host_pair_spec(pair)->options.handover == US_HANDOVER_LOSSLESS;
	int vhost = count_vhost(us_vmm_pid(us_host_vm_vmm(us_host_vm_of(pair))));
	bool filters_vlans = false;
	char bridge[IF_NAMESIZE] = "?";

	if_indextoname(port->master, bridge);
	us_link_filters_vlans(port->master, &filters_vlans);
	if (filters_vlans && is_lossless)
		find_filter(port, bridge, findings);
	else
		us_find_ok(findings, "%s is %s on bridge %s%s", port->name,
			   port->is_tun ? "a tap" : "an interface", bridge,
			   vhost < 0 ? ""
			   : vhost   ? ", with vhost"
				     : ", without vhost");
}

static void find_port(const struct us_host_pair *pair, struct us_findings *findings)
{
	struct us_reason reason = { .text = "" };
	struct us_link port;
	char next[80];
	int r = us_link_get(us_host_pair_spec(pair)->port, &port, &reason);

	if (r != 0) {
		us_find_reason(findings, r, &reason);
		return;
	}
	snprintf(next, sizeof(next), "ip link set %s master BRIDGE", port.name);
	if (!port.master_is_bridge) {
		us_find_error(findings, next, "%s, behind the standby, is not a port of a bridge",
			      port.name);
		return;
	}
	snprintf(next, sizeof(next), "ip link set %s up", port.name);
	if (!port.is_up)
		us_find_error(findings, next,
			      "%s, behind the standby, is down: the guest has no network",
			      port.name);
	find_bridge(pair, &port, findings);
}

void us_doctor_find_stop_frames(struct us_findings *findings, const struct us_reason *reason)
{
	if (!reason)
		us_find_ok(findings, "at the stop of a migration: drain, undelivered frames are "
				     "taken from QEMU");
	else
		us_find_warning(findings, us_reason_next(reason),
				"at the stop of a migration: predict, frames are parked before it "
				"and arrive late: %.*s",
				(int)us_reason_problem_length(reason), reason->text);
}

/*
 * Whether the switch has the path of the engine. If somebody else changes the entry, it is set
 * again within milliseconds, so a recent change is reported, too.
 */
static void find_path(const struct us_host_pair *pair, struct us_findings *findings)
{
	static const char next[] = "bridge monitor fdb shows who changes it";
	const struct us_pair *engine = us_host_pair_engine(pair);
	struct us_steer *steer = us_host_pair_steer(pair);
	uint64_t changed_usec = us_host_pair_changed_usec(pair);
	uint64_t age_usec = us_now_usec() - changed_usec;
	enum us_path path;

	if (!steer || us_pair_is_steering(engine) || engine->config.mode == US_MODE_SEPARATE ||
	    us_steer_path(steer, &path) != 0)
		return;
	if (path != us_pair_path(engine))
		us_find_error(
			findings, next,
			"someone else changed the entry in the switch: it sends to path %s, not %s",
			us_path_name(path), us_path_name(us_pair_path(engine)));
	else if (changed_usec && age_usec < RECENT_USEC)
		us_find_warning(findings, next,
				"someone else changed the entry in the switch %" PRIu64
				" s ago: it was set to path %s again",
				age_usec / US_USEC_PER_SEC, us_path_name(path));
}

static void find_primary(const struct us_doctor *doctor, const struct us_host_pair *pair,
			 struct us_findings *findings)
{
	const struct us_pair *engine = us_host_pair_engine(pair);
	struct us_primary_spec spec = us_host_pair_spec(pair)->primary;
	struct us_reason reason = { .text = "" };
	struct us_vfio vfio;
	char next[160];
	int r;

	snprintf(next, sizeof(next), "understudy pair assign %s --primary SPEC",
		 us_host_pair_name(pair));
	if (!us_host_pair_has_primary(pair)) {
		us_find_warning(findings, next,
				"no primary is assigned: the guest uses the standby");
		return;
	}
	/* A reserved device is in use by this daemon or by the VM, which is right. */
	if (us_pair_is_reserved(engine) && spec.host[0])
		r = us_vfio_describe("/sys", spec.host, &vfio, &reason);
	else
		r = us_primary_spec_check(us_vms_pairs(doctor->config.vms), pair, &spec,
					  us_host_pair_spec(pair)->port, &reason);
	if (r != 0)
		us_find_reason(findings, r, &reason);
	else
		us_find_ok(findings, "the primary %s is usable", spec.text);
}

/* The settings of its VF in the card, and what the card cannot do. */
static void find_vf(const struct us_host_pair *pair, struct us_findings *findings)
{
	const char *pf = us_host_vf_pf(us_host_pair_vf(pair));
	struct us_reason reason = { .text = "" };
	struct us_sriov_status status;
	int r;

	if (!pf)
		return;
	r = us_sriov_get_status(us_host_vf_sriov(us_host_pair_vf(pair)), &status, &reason);
	if (r != 0) {
		us_find_reason(findings, r, &reason);
		return;
	}
	if (us_host_vf_group_is_in_use(us_host_pair_vf(pair)))
		us_find_warning(findings, "fuser -v /dev/vfio/* shows the process: end it",
				"VF %u of %s is hidden, but another process has it open: a VM may "
				"still use it",
				status.index, pf);
	if (!status.is_as_set)
		us_find_error(
			findings,
			"find the program that sets it; understudy hide and expose set it again",
			"VF %u of %s has the MAC address %s: another program has set it",
			status.index, pf, us_mac_text(status.mac).text);
	else if (status.cannot_listen)
		us_find_warning(
			findings,
			"check whether the PF's list of addresses is full: bridge fdb show dev PF",
			"VF %u of %s: the PF cannot listen for the guest's MAC address: frames are "
			"lost while the guest's driver starts and stops",
			status.index, pf);
	else
		us_find_ok(findings,
			   "VF %u of %s has the MAC address %s; answers to probes show whether the "
			   "guest uses it",
			   status.index, pf, us_mac_text(status.mac).text);
}

/* libvirt refuses it in words that do not name the step that is missing. */
static void find_migration(const struct us_host_pair *pair, struct us_findings *findings)
{
	const struct us_host_vm *vm = us_host_vm_of(pair);

	if (us_vmm_is_domain(us_host_vm_vmm(vm)) &&
	    us_primary_spec_is_vfio(&us_host_pair_spec(pair)->primary) &&
	    us_pair_primary(us_host_pair_engine(pair)) == US_PRIMARY_VISIBLE)
		us_find_ok(findings,
			   "libvirt refuses to migrate the domain while the guest has the VF: use "
			   "understudy migrate, or understudy prepare %s before virsh migrate",
			   us_host_vm_name(vm));
}

static void find_waits(const struct us_doctor *doctor, struct us_host_pair *pair,
		       struct us_findings *findings)
{
	const struct us_pair *engine = us_host_pair_engine(pair);
	const char *detail = us_host_pair_detail(pair);
	struct us_park_counts parked = { 0 };
	struct us_steer *steer = us_host_pair_steer(pair);
	unsigned unplug_timeouts, backoffs;
	uint64_t now = us_now_usec();

	doctor->handler->failures(doctor->userdata, pair, &unplug_timeouts, &backoffs);
	if (us_pair_is_unplug_overdue(engine))
		us_find_error(findings, "see the guest's log; a reset of the guest ends this",
			      "the guest has not released the primary (%u time-outs so far): its "
			      "VM cannot be migrated",
			      unplug_timeouts);
	if (us_pair_plug_after(engine) > now)
		us_find_warning(findings,
				"the guest's console shows why it resets or changes its driver",
				"in a back-off: the primary is shown again in %" PRIu64
				" s at the earliest (%u back-offs so far)",
				(us_pair_plug_after(engine) - now) / US_USEC_PER_SEC + 1, backoffs);
	if (us_pair_failure(engine) != US_CAUSE_READY)
		us_find_warning(findings, "", "the last expose failed: %s%s%s",
				us_cause_text(us_pair_failure(engine)), detail[0] ? ": " : "",
				detail);
	if (steer)
		us_steer_counts(steer, &parked);
	if (parked.overflowed || parked.undelivered)
		us_find_warning(
			findings, "--park-frames, --park-bytes and --park-time set the limits",
			"%" PRIu64 " of %" PRIu64 " parked frames were lost so far",
			parked.overflowed + parked.undelivered, parked.parked + parked.overflowed);
}

void us_doctor_find_pair(const struct us_doctor *doctor, struct us_host_pair *pair,
			 struct us_findings *findings)
{
	find_port(pair, findings);
	find_path(pair, findings);
	find_primary(doctor, pair, findings);
	find_vf(pair, findings);
	find_migration(pair, findings);
	find_waits(doctor, pair, findings);
}

void us_doctor_find_standby(const struct us_host_pair *pair, struct us_findings *findings,
			    const struct us_reason *refusal, const struct us_vmm_standby *standby)
{
	const struct us_pair_spec *spec = us_host_pair_spec(pair);
	struct us_link port = { 0 };
	char next[80];

	if (refusal) {
		us_find_error(findings, us_reason_next(refusal), "the standby %s: %.*s",
			      spec->standby, (int)us_reason_problem_length(refusal), refusal->text);
		return;
	}
	us_link_get(spec->port, &port, NULL);
	snprintf(next, sizeof(next), "ip link set %s mtu %u", spec->port, standby->mtu);
	if (!standby->offers_standby)
		us_find_error(findings, us_host_vm_standby_step(us_host_vm_of(pair)),
			      "the standby %s does not offer VIRTIO_NET_F_STANDBY", spec->standby);
	else if (standby->interface[0] && strcmp(standby->interface, spec->port) != 0)
		us_find_error(findings, "remove the pair and add it again with the right --port",
			      "the standby %s is behind %s, not %s", spec->standby,
			      standby->interface, spec->port);
	else if (memcmp(standby->mac, spec->mac, US_MAC_BYTES) != 0)
		us_find_error(findings, "remove the pair and add it again",
			      "the standby %s has another MAC address now: %s", spec->standby,
			      us_mac_text(standby->mac).text);
	else if (standby->mtu && port.index && standby->mtu != port.mtu)
		us_find_error(findings, next, "the standby %s announces MTU %u, %s has %u",
			      spec->standby, standby->mtu, spec->port, port.mtu);
	else
		us_find_ok(findings, "the standby %s offers STANDBY, MAC address %s", spec->standby,
			   us_mac_text(standby->mac).text);
}
