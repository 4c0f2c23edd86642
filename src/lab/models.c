/* SPDX-License-Identifier: BSD-3-Clause */
/* Which NIC models can be a primary: the PCI ones that this QEMU offers and Linux drives. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lab/proc.h"
#include "util/cleanup.h"

/*
 * Of `-device help` these do not count, by the beginnings of their names: virtio-net cannot be
 * joined (its netdev's parent is not a PCI device), pvrdma is no Ethernet device by itself, rocker
 * is a switch. Linux's tulip and e100 (i825…) crash when they are joined: net_failover opens its
 * slave inside register_netdev(), before their probe has made what open needs (seen with 6.1).
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

int us_models_check(const char *qemu, const char *model, struct us_reason *reason)
{
	const char *const argv[] = { qemu, "-device", "help", NULL };
	const struct us_lab nowhere = { .transient = true };
	US_CLEANUP(us_freep) char *help = us_proc_read(&nowhere, NULL, argv);
	char list[400] = "", name[64], *line, *state, *section;

	section = help ? strstr(help, "Network devices:") : NULL;
	if (!section)
		return us_refuse(reason, "%s -device help lists no network devices: is it QEMU?",
				 qemu);
	strtok_r(section, "\n", &state);
	while ((line = strtok_r(NULL, "\n", &state)) && !strncmp(line, "name ", 5)) {
		if (!is_primary(line, name))
			continue;
		if (!strcmp(name, model))
			return 0;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), " %s", name);
	}
	return us_refuse(reason, "%s cannot be a primary in this QEMU: choose one of%s", model,
			 list);
}
