/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <unistd.h>

#include "load/load-vm-private.h"
#include "util/clock.h"

struct load_instance *load_other(struct load_vm *vm)
{
	return &vm->instances[!vm->here->side];
}

json_t *load_instance_pair_json(const struct load_instance *instance)
{
	const struct load_vm *vm = instance->vm;
	char name[20], of[20], port[20], spec[60];

	snprintf(name, sizeof(name), "p%u", vm->index);
	snprintf(of, sizeof(of), "v%u", vm->index);
	snprintf(port, sizeof(port), "s%u", instance->qemu.port);
	snprintf(spec, sizeof(spec), "emulated:vmxnet3,port=p%u", instance->qemu.port);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", name, "vm", of, "standby",
			 "net0", "port", port, "primary", spec, "mode",
			 vm->is_mover ? "combined" : "coupled");
}

json_t *load_instance_vm_json(const struct load_instance *instance)
{
	json_t *parameters = load_name_json(instance->vm, "name", 'v');

	json_object_set_new(parameters, "qmp", json_string(instance->path));
	return parameters;
}

void load_instance_start_qemu(struct load_instance *instance, const char *status)
{
	struct load *load = instance->vm->load;
	int r = bench_qemu_open(&instance->qemu, instance->path,
				load->host.taps[instance->qemu.port]);

	if (r < 0)
		bench_fail(instance->path, r);
	instance->qemu.guest = BENCH_GUEST_NONE;
	instance->qemu.has_primary = false;
	instance->qemu.status = status;
}

void load_instance_end_qemu(struct load_instance *instance)
{
	us_timer_stop(&instance->eject);
	bench_qemu_close(&instance->qemu);
	unlink(instance->path);
}

void load_instance_answer_probes(struct load_instance *instance)
{
	const struct bench_qemu *qemu = &instance->qemu;

	bench_host_answer(&instance->vm->load->host, qemu->port,
			  qemu->has_primary && qemu->guest == BENCH_GUEST_CAPABLE);
}
