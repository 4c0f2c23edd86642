/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lab/world/models.h"
#include "lab/world/net.h"
#include "lab/world/process.h"
#include "util/cleanup.h"

/*
 * The PCI devices of `-device help`, except for those that cannot be a primary: net_failover does
 * not accept a virtio-net device (its netdev's parent is not a PCI device), pvrdma alone is no
 * Ethernet device, and rocker is a switch. Linux's drivers tulip and e100 (i825…) crash:
 * net_failover opens its slave inside register_netdev(), before their probe has set up what open
 * needs (seen with Linux 6.1).
 */
static bool is_primary(const char *line, char name[64])
{
	static const char *const others[] = { "virtio", "pvrdma", "rocker", "tulip", "i82" };

	if (sscanf(line, "name \"%63[^\"]\", bus PCI", name) != 1 || !strstr(line, "bus PCI"))
		return false;
	for (size_t i = 0; i < US_ARRAY_LENGTH(others); i++)
		if (!strncmp(name, others[i], strlen(others[i])))
			return false;
	return true;
}

static int check_model(const char *qemu, const char *model, struct us_reason *reason)
{
	const char *const argv[] = { qemu, "-device", "help", NULL };
	const struct us_lab nowhere = { .is_transient = true };
	US_CLEANUP(us_freep) char *help = us_lab_process_read(&nowhere, NULL, argv);
	char list[400] = "", name[64], *line, *state, *section;

	section = help ? strstr(help, "Network devices:") : NULL;
	if (!section) {
		us_refuse(reason, "%s -device help lists no network devices", qemu);
		return us_advise(reason, "choose another --qemu");
	}
	strtok_r(section, "\n", &state);
	while ((line = strtok_r(NULL, "\n", &state)) && !strncmp(line, "name ", 5)) {
		if (!is_primary(line, name))
			continue;
		if (!strcmp(name, model))
			return 0;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), " %s", name);
	}
	if (!*list)
		return us_refuse(reason, "%s emulates no NIC that can be a primary", qemu);
	us_refuse(reason, "%s cannot be a primary in this QEMU", model);
	return us_advise(reason, "choose one of%s", list);
}

const char *us_lab_model_spec(const struct us_lab *lab, unsigned nic, char buffer[100])
{
	if (us_lab_has_machines(lab))
		snprintf(buffer, 100, "pool:lab");
	else
		snprintf(buffer, 100, "emulated:%.50s,port=%.20s", lab->options.primary,
			 us_lab_net_nics[nic].primary_port);
	return buffer;
}

int us_lab_model_check(const struct us_lab *lab, const char *model, struct us_reason *reason)
{
	bool is_vf = !strcmp(model, US_LAB_MODEL_VF);

	if (!is_vf && !us_lab_has_machines(lab))
		return check_model(lab->emulator.program, model, reason);
	if (is_vf && us_lab_has_machines(lab))
		return 0;
	if (is_vf) {
		us_refuse(reason, "only host machines have VFs");
		return us_advise(reason, "choose --hosts vm");
	}
	us_refuse(reason, "the primary of host machines is a VF");
	return us_advise(reason, "choose --primary vfio");
}
