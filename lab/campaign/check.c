/* SPDX-License-Identifier: BSD-3-Clause */
/* Which managers, VMMs, hosts and scenarios go together. */
#include <string.h>

#include "lab/campaign/campaign-private.h"
#include "lab/fault/fault.h"
#include "lab/world/life.h"

static int check_libvirt(const struct us_campaign *campaign, const struct us_scenario *scenario,
			 struct us_reason *reason)
{
	if (strcmp(campaign->lab->options.machine->name, "q35")) {
		us_refuse(reason, "the lab runs libvirt with a q35");
		return us_advise(reason, "leave out --machine");
	}
	if (us_fault_of(scenario) || !strcmp(scenario->name, "coupled")) {
		us_refuse(reason, "%s: not possible with libvirt", scenario->name);
		return us_advise(reason, "leave out --vmm");
	}
	return 0;
}

static int check_qemu(const struct us_campaign *campaign, const struct us_scenario *scenario,
		      struct us_reason *reason)
{
	if (us_lab_has_libvirt(campaign->lab)) {
		us_refuse(reason, "the lab starts the QEMUs that manage their failover themselves");
		return us_advise(reason, "leave out --vmm, or choose --manager libvirt-teaming");
	}
	if (!scenario->run_qemu) {
		us_refuse(reason, "%s: not possible with QEMU's own failover", scenario->name);
		return us_advise(reason, "choose expose, hide, migrate or migrate-fail");
	}
	if (strcmp(campaign->lab->options.machine->name, "q35")) {
		us_refuse(reason, "QEMU's own failover accepts PCIe primaries only");
		return us_advise(reason, "choose --machine q35");
	}
	return 0;
}

/* libvirt refuses <teaming type='transient'/> in any <interface> but that of a PCI device. */
static int check_teaming(const struct us_campaign *campaign, const struct us_scenario *scenario,
			 struct us_reason *reason)
{
	if (!us_lab_has_machines(campaign->lab)) {
		us_refuse(reason, "libvirt's teaming accepts no emulated primary, only a VF");
		return us_advise(reason, "choose --hosts vm --vmm libvirt, or --manager qemu");
	}
	if (!us_lab_has_libvirt(campaign->lab)) {
		us_refuse(reason, "libvirt's teaming needs libvirt");
		return us_advise(reason, "choose --vmm libvirt");
	}
	if (!scenario->run_teaming) {
		us_refuse(reason, "%s: not possible with libvirt's teaming", scenario->name);
		return us_advise(reason, "choose expose, hide, migrate or migrate-fail");
	}
	return 0;
}

int us_campaign_check(const struct us_campaign *campaign, enum us_lab_manager manager,
		      const struct us_scenario *scenario, struct us_reason *reason)
{
	int r = us_lab_has_libvirt(campaign->lab) ? check_libvirt(campaign, scenario, reason) : 0;

	if (r)
		return r;
	if (us_fault_of(scenario))
		return us_campaign_check_fault(campaign, reason);
	if (manager == US_LAB_MANAGER_TEAMING)
		return check_teaming(campaign, scenario, reason);
	return manager == US_LAB_MANAGER_QEMU ? check_qemu(campaign, scenario, reason) : 0;
}

enum us_lab_manager us_campaign_peer(const struct us_campaign *campaign)
{
	return us_lab_has_libvirt(campaign->lab) ? US_LAB_MANAGER_TEAMING : US_LAB_MANAGER_QEMU;
}

int us_campaign_check_both(const struct us_campaign *campaign, enum us_lab_manager peer,
			   const struct us_scenario *scenario, struct us_reason *reason)
{
	if (us_lab_is_up(campaign->lab)) {
		us_refuse(reason, "a comparison raises labs of its own, and %s is up",
			  campaign->lab->options.name);
		return us_advise(reason, "run understudy-lab down, or choose another --name");
	}
	return us_campaign_check(campaign, peer, scenario, reason);
}
