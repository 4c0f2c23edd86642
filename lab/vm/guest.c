/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/vm/guest.h"
#include "lab/vm/vm.h"
#include "lab/world/cli.h"
#include "lab/world/life.h"
#include "lab/world/models.h"
#include "lab/world/net.h"
#include "lab/world/process.h"

int us_lab_guest_start(struct us_lab *lab, struct us_reason *reason)
{
	const struct us_lab_net_nic *nic = &us_lab_net_nics[0];
	char text[US_LAB_VM_ATTACH_TEXT], standby[20], spec[100];
	const char *attach[6];
	const char *const pair[] = { "pair",	  "add",    nic->pair,
				     "--vm",	  "web",    "--standby",
				     standby,	  "--port", nic->standby_port,
				     "--primary", spec,	    NULL };
	struct us_lab_vm *vm = NULL;
	int r;

	lab->options.manager = US_LAB_MANAGER_UNDERSTUDY; /* a run may have set another one */
	us_lab_vm_attach_arguments(lab, US_LAB_HOST_A, text, attach);
	us_lab_vm_standby(lab, 0, standby);
	us_lab_model_spec(lab, 0, spec);
	r = us_lab_vm_new(&vm, lab, NULL, NULL);
	if (!r)
		r = us_lab_vm_start(vm, &(struct us_lab_vm_options){ .nics = 1 }, reason);
	if (!r)
		r = us_lab_cli_run(lab, US_LAB_HOST_A, attach, NULL, reason);
	if (!r)
		r = us_lab_cli_run(lab, US_LAB_HOST_A, pair, NULL, reason);
	if (vm)
		us_lab_vm_disown(vm);
	us_lab_vm_free(vm);
	return r;
}

void us_lab_guest_end(struct us_lab *lab)
{
	static const char *const detach[] = { "vm", "detach", "web", NULL };
	char record[40];

	for (int host = 0; host < US_LAB_HOSTS; host++) {
		us_lab_host_record(host, US_LAB_RECORD_QEMU, record);
		if (!us_lab_process_is_alive(lab, record, NULL))
			continue;
		us_lab_cli_run(lab, host, detach, NULL, NULL);
		us_lab_process_end(lab, record);
	}
}
