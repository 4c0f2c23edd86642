/* SPDX-License-Identifier: BSD-3-Clause */
/* Scenarios of one host: showing and hiding a primary while the guest runs. */
#include <stdio.h>

#include "lab/scenario/scenarios-private.h"
#include "lab/scenario/steps.h"
#include "lab/world/models.h"

#define A US_LAB_HOST_A

/* Without any further command, the pair exposes its primary. */
void us_scenario_expose(struct us_run *run)
{
	us_do_start(run, &(struct us_lab_vm_options){ .host = A });
	us_do_attach(run, A, NULL, false);
	us_expect_console(run, A, "guest: boot, 1 nics");
	us_expect_console(run, A, US_LAB_GUEST_READY);
	us_do_start_probes(run);
	us_run_begin_phase(run, "expose");
	us_expect_status(run, A, "web0", "guest", "capable");
	us_expect_status(run, A, "web0", "driver_ok", "true");
	us_expect_status(run, A, "web0", "primary", "visible");
	us_expect_status(run, A, "web0", "path", "primary");
	us_run_begin_phase(run, "primary");
	us_expect_traffic(run, A, "web0-p");
	us_expect_heard(run);
}

void us_scenario_hide(struct us_run *run)
{
	us_do_reach_primary(run, NULL);

	us_run_begin_transition(run, "hide", "hide");
	us_do_understudy(run, A, "hide", "web0", NULL);
	us_expect_hidden(run, A);
	us_expect_traffic(run, A, "web0-s");
	us_run_begin_steady(run, "hidden");
	us_expect_traffic(run, A, "web0-s");

	us_run_begin_transition(run, "expose again", "expose");
	us_do_understudy(run, A, "expose", "web0", NULL);
	us_expect_status(run, A, "web0", "primary", "visible");
	us_expect_status(run, A, "web0", "path", "primary");
	us_expect_traffic(run, A, "web0-p");
	us_run_begin_steady(run, "primary again");
	us_expect_traffic(run, A, "web0-p");
	us_expect_heard(run);
}

void us_scenario_hold(struct us_run *run)
{
	uint64_t since = us_lab_timeline_now();

	us_do_start(run, &(struct us_lab_vm_options){ .host = A });
	us_do_attach(run, A, NULL, true);
	us_expect_console(run, A, US_LAB_GUEST_READY);
	us_expect_status(run, A, "web0", "guest", "capable");
	us_expect_status(run, A, "web0", "driver_ok", "true");
	us_do_start_probes(run);

	us_run_begin_steady(run, "held");
	us_expect_status(run, A, "web0", "primary", "hidden");
	us_expect_traffic(run, A, "web0-s");
	us_expect_never(run, A, "web0", "exposing", since);
	us_expect_never(run, A, "web0", "visible", since);

	us_run_begin_transition(run, "expose", "expose");
	us_do_understudy(run, A, "expose", "web0", NULL);
	us_expect_status(run, A, "web0", "primary", "visible");
	us_expect_status(run, A, "web0", "path", "primary");
	us_expect_traffic(run, A, "web0-p");
	us_expect_heard(run);

	us_run_begin_transition(run, "hide", "hide");
	us_do_understudy(run, A, "hide", "web0", NULL);
	us_expect_hidden(run, A);
	us_expect_traffic(run, A, "web0-s");
	us_expect_heard(run);

	us_run_begin_steady(run, "held again");
	since = us_lab_timeline_now();
	us_expect_traffic(run, A, "web0-s");
	us_expect_never(run, A, "web0", "exposing", since);

	us_run_begin_transition(run, "expose again", "expose");
	us_do_understudy(run, A, "expose", "web0", NULL);
	us_expect_status(run, A, "web0", "path", "primary");
	us_expect_traffic(run, A, "web0-p");
}

/* The standby's driver, not the primary's: as when a module is reloaded or DPDK takes the device.
 */
void us_scenario_unbind(struct us_run *run)
{
	us_do_reach_primary(run, NULL);

	us_run_begin_phase(run, "unbind");
	us_do_in_guest(run, A,
		       "cd /sys/bus/virtio/drivers/virtio_net && v=$(echo virtio*) && "
		       "echo $v >unbind");
	us_expect_status(run, A, "web0", "guest", "none");
	us_expect_hidden(run, A);

	us_run_begin_phase(run, "bind");
	us_do_in_guest(run, A, "echo $v >bind && net-up");
	us_expect_exposed(run, A);
	us_run_begin_phase(run, "primary again");
	us_expect_traffic(run, A, "web0-p");
	us_expect_heard(run);
}

void us_scenario_late_pair(struct us_run *run)
{
	char standby[20], spec[100], text[US_LAB_VM_ATTACH_TEXT];
	const char *attach[6];

	us_lab_vm_attach_arguments(run->lab, A, text, attach);
	us_lab_vm_standby(run->lab, 0, standby);
	us_do_start(run, &(struct us_lab_vm_options){ .host = A });
	us_expect_console(run, A, US_LAB_GUEST_READY);
	us_do_start_probes(run);

	us_run_begin_steady(run, "no primary");
	us_do_understudy(run, A, attach[0], attach[1], attach[2], attach[3], NULL);
	us_do_understudy(run, A, "pair", "add", "web0", "--vm", "web", "--standby", standby,
			 "--port", "web0-s", NULL);
	us_expect_status(run, A, "web0", "guest", "capable");
	us_expect_status(run, A, "web0", "primary", "absent");
	us_expect_traffic(run, A, "web0-s");

	us_run_begin_transition(run, "assign", "expose");
	us_do_understudy(run, A, "pair", "assign", "web0", "--primary",
			 us_lab_model_spec(run->lab, 0, spec), NULL);
	us_expect_status(run, A, "web0", "primary", "visible");
	us_expect_status(run, A, "web0", "path", "primary");
	us_expect_traffic(run, A, "web0-p");

	us_run_begin_transition(run, "remove", "hide");
	us_do_understudy(run, A, "pair", "remove", "web0", NULL);
	us_expect_traffic(run, A, "web0-s");
	us_expect_heard(run);

	us_run_begin_transition(run, "add to a running VM", "expose");
	us_do_understudy(run, A, "pair", "add", "web0", "--vm", "web", "--standby", standby,
			 "--port", "web0-s", "--primary", us_lab_model_spec(run->lab, 0, spec),
			 NULL);
	us_expect_status(run, A, "web0", "primary", "visible");
	us_expect_status(run, A, "web0", "path", "primary");
	us_expect_traffic(run, A, "web0-p");
	us_expect_heard(run);
}

void us_scenario_two_nics(struct us_run *run)
{
	const struct us_lab_event *hiding, *hidden;
	uint64_t since;

	run->nics = 2;
	us_do_reach_primary(run, NULL);

	us_run_begin_transition(run, "hide both", "hide");
	since = us_lab_timeline_now();
	us_do_understudy(run, A, "prepare", "web", NULL);
	us_expect_status_of_all(run, A, "primary", "hidden");
	us_expect_status_of_all(run, A, "path", "standby");
	for (unsigned one = 0; one < 2; one++) {
		char from[40], to[40];

		snprintf(from, sizeof(from), "web%u: visible → hiding", one);
		snprintf(to, sizeof(to), "web%u: hiding → hidden", 1 - one);
		hiding = us_expect_event(run, since, A, "move", from);
		hidden = us_expect_event(run, since, A, "move", to);
		if (hiding && hidden && hiding->time_usec > hidden->time_usec)
			us_run_fail(run, "not in parallel: %s only after %s", from, to);
	}
	us_expect_traffic(run, A, "web0-s");
	us_expect_traffic(run, A, "web1-s");

	us_run_begin_transition(run, "show both", "expose");
	us_do_understudy(run, A, "finish", "web", NULL);
	us_expect_status_of_all(run, A, "primary", "visible");
	us_expect_status_of_all(run, A, "path", "primary");
	us_expect_traffic(run, A, "web0-p");
	us_expect_traffic(run, A, "web1-p");
	us_expect_heard(run);
}
