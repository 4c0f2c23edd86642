/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lab/scenario/steps.h"
#include "lab/traffic/tcp.h"
#include "lab/world/models.h"
#include "util/clock.h"

#define LIMIT_USEC (60 * US_USEC_PER_SEC)

void us_do_start(struct us_run *run, const struct us_lab_vm_options *options)
{
	struct us_lab_vm_options full = *options;
	struct us_reason reason = { .text = "" };
	int r;

	if (us_run_has_failed(run))
		return;
	full.nics = run->nics;
	us_run_say(run, "%s: starting the guest's QEMU%s", us_lab_host_name(full.host),
		   full.incoming ? ", waiting for a migration" : "");
	r = us_lab_vm_start(run->stage->vms[full.host], &full, &reason);
	if (r)
		us_run_fail(run, "%s", r > 0 ? reason.text : us_strerror(r));
}

void us_do_stop(struct us_run *run, enum us_lab_host host)
{
	us_lab_vm_stop(run->stage->vms[host]);
}

void us_do_start_probes(struct us_run *run)
{
	for (unsigned nic = 0; !us_run_has_failed(run) && nic < run->nics; nic++) {
		int r = us_lab_probe_start(&run->probes[nic], run->lab, nic);

		if (r)
			us_run_fail(run, "cannot probe: %s", us_strerror(r));
	}
	if (run->options.slow_switch_sec && !us_run_has_failed(run))
		us_lab_net_switch_keep(run->lab);
	us_expect_heard(run);
	if (run->options.tcp && !us_run_has_failed(run) && us_lab_tcp_start(&run->tcp, run->lab))
		us_run_fail(run, "the guest does not accept TCP connections");
}

static void collect(const char *argv[32], va_list list)
{
	size_t n = 0;

	while (n < 31 && (argv[n] = va_arg(list, const char *)))
		n++;
	argv[n] = NULL;
}

void us_do_understudy(struct us_run *run, enum us_lab_host host, ...)
{
	struct us_reason reason = { .text = "" };
	char words[300] = "";
	const char *argv[32];
	va_list list;

	va_start(list, host);
	collect(argv, list);
	va_end(list);
	if (us_run_has_failed(run))
		return;
	for (size_t i = 0; argv[i]; i++)
		snprintf(words + strlen(words), sizeof(words) - strlen(words), " %s", argv[i]);
	us_run_say(run, "%s: understudy%s", us_lab_host_name(host), words);
	if (us_lab_cli_run(run->lab, host, argv, NULL, &reason))
		us_run_fail(run, "%s", reason.text);
}

void us_do_start_command(struct us_run *run, enum us_lab_host host, const char *const argv[],
			 void (*on_line)(struct us_lab_cli *cli, json_t *line))
{
	struct us_lab_cli *command = &run->stage->command;
	int r;

	if (us_run_has_failed(run))
		return;
	us_lab_cli_deinit(command);
	r = us_lab_cli_start(command, run->lab, host, on_line, run, argv);
	if (r)
		us_run_fail(run, "cannot run understudy: %s", us_strerror(r));
}

void us_do_qmp(struct us_run *run, enum us_lab_host host, const char *command, json_t *arguments)
{
	struct us_reason reason = { .text = "" };

	if (us_run_has_failed(run))
		json_decref(arguments);
	else if (us_lab_vm_command(run->stage->vms[host], command, arguments, NULL, &reason))
		us_run_fail(run, "%s", reason.text);
}

void us_do_attach(struct us_run *run, enum us_lab_host host, const char *mode, bool hold)
{
	char text[US_LAB_VM_ATTACH_TEXT], standby[20], spec[100];
	const char *argv[6];

	us_lab_vm_attach_arguments(run->lab, host, text, argv);
	us_do_understudy(run, host, "vm", "attach", "web", text, NULL);
	for (unsigned i = 0; i < run->nics; i++)
		us_do_understudy(run, host, "pair", "add", us_lab_net_nics[i].pair, "--vm", "web",
				 "--standby", us_lab_vm_standby(run->lab, i, standby), "--port",
				 us_lab_net_nics[i].standby_port, "--primary",
				 us_lab_model_spec(run->lab, i, spec), "--mode",
				 mode ? mode : "combined", "--unused", run->stage->unused,
				 hold ? "--hold" : NULL, NULL);
}

void us_do_prepare_destination(struct us_run *run, enum us_lab_host host, const char *mode)
{
	us_do_start(run, &(struct us_lab_vm_options){ .host = host, .incoming = true });
	if (!us_lab_has_libvirt(run->lab)) /* a domain arrives with its pairs */
		us_do_attach(run, host, mode, false);
}

/* On hold at first, so that the probe measures the whole expose. */
void us_do_reach_primary(struct us_run *run, const char *mode)
{
	us_do_start(run, &(struct us_lab_vm_options){ .host = US_LAB_HOST_A });
	us_do_attach(run, US_LAB_HOST_A, mode, true);
	us_expect_console(run, US_LAB_HOST_A, "guest: ready");
	us_expect_status_of_all(run, US_LAB_HOST_A, "guest", "capable");
	us_do_start_probes(run);
	us_run_begin_steady(run, "standby");
	us_expect_traffic(run, US_LAB_HOST_A, "web0-s");

	us_run_begin_transition(run, "expose", "expose");
	for (unsigned nic = 0; nic < run->nics; nic++)
		us_do_understudy(run, US_LAB_HOST_A, "expose", us_lab_net_nics[nic].pair, NULL);
	us_expect_status_of_all(run, US_LAB_HOST_A, "primary", "visible");
	us_expect_status_of_all(run, US_LAB_HOST_A, "path", "primary");
	for (unsigned nic = 0; nic < run->nics; nic++)
		us_expect_traffic(run, US_LAB_HOST_A, us_lab_net_nics[nic].primary_port);
	us_run_begin_steady(run, "primary");
	us_expect_traffic(run, US_LAB_HOST_A, us_lab_net_nics[0].primary_port);
	us_expect_heard(run);
}

void us_do_reach_primary_by(struct us_run *run, void (*expose)(struct us_run *run))
{
	us_do_start(run, &(struct us_lab_vm_options){ .host = US_LAB_HOST_A });
	us_expect_console(run, US_LAB_HOST_A, US_LAB_GUEST_READY);
	us_do_start_probes(run);
	us_run_begin_steady(run, "standby");
	us_expect_traffic(run, US_LAB_HOST_A, us_lab_net_nics[0].standby_port);

	us_run_begin_transition(run, "expose", "expose");
	expose(run);
	us_run_begin_steady(run, "primary");
	us_expect_traffic(run, US_LAB_HOST_A, us_lab_net_nics[0].primary_port);
}

void us_do_in_guest(struct us_run *run, enum us_lab_host host, const char *command)
{
	int r;

	if (us_run_has_failed(run))
		return;
	us_run_say(run, "guest: %s", command);
	r = us_lab_vm_guest_run(run->stage->vms[host], command, LIMIT_USEC);
	if (r)
		us_run_fail(run, "the guest's \"%s\" ended with status %d", command, r);
}

void us_do_type(struct us_run *run, enum us_lab_host host, const char *command)
{
	if (!us_run_has_failed(run))
		us_lab_vm_guest_type(run->stage->vms[host], command);
}

void us_do_reboot(struct us_run *run, enum us_lab_host host)
{
	if (us_run_has_failed(run))
		return;
	us_run_say(run, "guest: reboot");
	us_lab_vm_guest_reboot(run->stage->vms[host]);
}

void us_do_read_downtime(struct us_run *run, enum us_lab_host host)
{
	struct us_reason reason;
	json_t *answer = NULL;

	if (us_run_has_failed(run) ||
	    us_lab_vm_command(run->stage->vms[host], "query-migrate", NULL, &answer, &reason))
		return;
	json_unpack(answer, "{s:I}", "downtime", &run->downtime_ms);
	json_decref(answer);
}
