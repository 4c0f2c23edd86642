/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same transitions with QEMU's own failover, for comparison: the same hosts, guest, taps and
 * probes, but no understudyd, and bridges that learn. The primary names its standby
 * (failover_pair_id), so QEMU plugs it at the negotiation, unplugs it for a migration
 * (wait-unplug), and plugs it again if the migration fails. For transitions that QEMU does not
 * have, such as hiding, the lab deletes and adds the device, as a management layer would. QEMU
 * would undo this: it creates the primary again at the next negotiation.
 *
 * The management layer also has to set the VF's MAC address on the PF. The lab sets it at the times
 * that lose the fewest frames: to the guest's address when QEMU plugs the primary, before the
 * guest's driver reads it; to another address once the primary is gone, because until then the card
 * sends the guest's frames to the VF.
 */
#include <string.h>

#include "lab/scenario/scenarios-private.h"
#include "lab/scenario/steps.h"
#include "lab/world/machine.h"

#define A US_LAB_HOST_A
#define B US_LAB_HOST_B
#define UNUSED_MAC "02:00:00:00:00:01"
#define URI "tcp:10.83.0.2:49152"

static void do_qmp(struct us_run *run, enum us_lab_host host, const char *command,
		   json_t *arguments)
{
	if (!us_run_has_failed(run))
		us_run_say(run, "%s: QMP %s", us_lab_host_name(host), command);
	us_do_qmp(run, host, command, arguments);
}

/* No effect with an emulated primary, behind a bridge that learns. */
static void do_set_vf(struct us_run *run, enum us_lab_host host, const char *mac)
{
	if (!us_lab_has_machines(run->lab) || us_run_has_failed(run))
		return;
	us_run_say(run, "%s: ip link set pf vf 0 mac %s", us_lab_host_name(host), mac);
	if (us_lab_machine_set_vf_mac(run->lab, host, mac))
		us_run_fail(run, "the VF's MAC address cannot be set: see ip's message above");
}

static json_t *primary(const struct us_lab *lab)
{
	const struct us_lab_net_nic *nic = &us_lab_net_nics[0];

	if (us_lab_has_machines(lab))
		return json_pack("{s:s,s:s,s:s,s:s,s:s}", "driver", "vfio-pci", "id", "primary0",
				 "host", lab->machines.vf, "bus", US_LAB_VM_PRIMARY_BUS,
				 "failover_pair_id", nic->standby);
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "driver", lab->options.primary, "id",
			 "primary0", "netdev", "host-primary0", "mac", nic->mac, "bus",
			 US_LAB_VM_PRIMARY_BUS, "romfile", "", "failover_pair_id", nic->standby);
}

static void do_expose(struct us_run *run)
{
	do_set_vf(run, A, us_lab_net_nics[0].mac);
	do_qmp(run, A, "device_add", primary(run->lab));
	us_expect_traffic(run, A, "web0-p");
}

void us_scenario_qemu_expose(struct us_run *run)
{
	uint64_t since = us_lab_timeline_now();

	us_do_start(run, &(struct us_lab_vm_options){ .host = A, .is_paired = true });
	us_expect_console(run, A, "guest: boot, 1 nics");
	us_expect_event(run, since, A, "FAILOVER_NEGOTIATED", NULL);
	do_set_vf(run, A, us_lab_net_nics[0].mac);
	us_expect_console(run, A, US_LAB_GUEST_READY);
	us_do_start_probes(run);
	us_run_begin_phase(run, "expose");
	us_expect_traffic(run, A, "web0-p");
	us_run_begin_phase(run, "primary");
	us_expect_traffic(run, A, "web0-p");
	us_expect_heard(run);
}

void us_scenario_qemu_hide(struct us_run *run)
{
	uint64_t since;

	us_do_reach_primary_by(run, do_expose);
	since = us_lab_timeline_now();
	us_run_begin_transition(run, "hide", "hide");
	do_qmp(run, A, "device_del", json_pack("{s:s}", "id", "primary0"));
	us_expect_event(run, since, A, "DEVICE_DELETED", "primary0");
	do_set_vf(run, A, UNUSED_MAC);
	us_expect_traffic(run, A, "web0-s");
	us_run_begin_steady(run, "hidden");
	us_expect_traffic(run, A, "web0-s");

	us_run_begin_transition(run, "expose again", "expose");
	do_expose(run);
	us_run_begin_steady(run, "primary again");
	us_expect_traffic(run, A, "web0-p");
	us_expect_heard(run);
}

static void do_migrate(struct us_run *run)
{
	us_do_start(run,
		    &(struct us_lab_vm_options){ .host = B, .incoming = true, .is_paired = true });
	do_qmp(run, B, "migrate-incoming", json_pack("{s:s}", "uri", URI));
}

void us_scenario_qemu_migrate(struct us_run *run)
{
	uint64_t since;

	us_do_reach_primary_by(run, do_expose);
	do_migrate(run);
	since = us_lab_timeline_now();
	us_run_begin_transition(run, "migrate", "migrate");
	do_qmp(run, A, "migrate", json_pack("{s:s}", "uri", URI));
	us_expect_event(run, since, A, "MIGRATION", "active");
	do_set_vf(run, A, UNUSED_MAC);
	us_expect_event(run, since, B, "FAILOVER_NEGOTIATED", NULL);
	do_set_vf(run, B, us_lab_net_nics[0].mac);
	us_expect_event(run, since, A, "MIGRATION", "completed");
	us_expect_event(run, since, B, "RESUME", NULL);
	us_do_read_downtime(run, US_LAB_HOST_A);

	us_run_begin_transition(run, "expose there", "migrate");
	us_expect_settled(run, B, "web0-p");
	us_run_begin_steady(run, "primary there");
	us_expect_traffic(run, B, "web0-p");
	us_expect_heard(run);
}

void us_scenario_qemu_migrate_fail(struct us_run *run)
{
	uint64_t since;

	us_do_reach_primary_by(run, do_expose);
	do_migrate(run);
	do_qmp(run, A, "migrate-set-parameters", json_pack("{s:i}", "max-bandwidth", 2000000));
	since = us_lab_timeline_now();
	us_run_begin_transition(run, "migrate", "migrate-fail");
	do_qmp(run, A, "migrate", json_pack("{s:s}", "uri", URI));
	us_expect_event(run, since, A, "MIGRATION", "active");
	do_set_vf(run, A, UNUSED_MAC);
	us_expect_traffic(run, A, "web0-s");

	us_run_begin_transition(run, "fail", "migrate-fail");
	us_run_say(run, "host-b: QEMU is ended");
	us_do_stop(run, B);
	us_expect_event(run, since, A, "MIGRATION", "failed");
	do_set_vf(run, A, us_lab_net_nics[0].mac);
	us_expect_settled(run, A, "web0-p");
	us_run_begin_steady(run, "primary again");
	us_expect_traffic(run, A, "web0-p");
	us_expect_heard(run);
}
