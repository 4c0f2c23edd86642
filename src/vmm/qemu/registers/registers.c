/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>

#include "vmm/qemu/registers/registers.h"
#include "vmm/qemu/qemu-private.h"

void us_qemu_registers_command(uint64_t address, char ret_command[64])
{
	snprintf(ret_command, 64, "xp /%dxb 0x%" PRIx64, US_REGISTERS_BYTES,
		 address + US_REGISTERS_OFFSET);
}

/* The connection answers in order: whatever is asked here is found out after what was read. */
static void confirm(struct us_qemu_registers *registers)
{
	us_qmp_poll_forget(&registers->place);
	us_qmp_poll_ask(registers->vmm->qmp, &registers->place);
}

static void on_content(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_qemu_registers *registers = userdata;

	/* What cannot be read has no driver, if it is there. */
	us_qemu_decode_registers(json_string_value(answer->value), &registers->read);
	registers->was_read = true;
	confirm(registers);
}

/* Each place has a question of its own, by its id: no late answer is taken for another's. */
static void move(struct us_qemu_registers *registers, uint64_t address)
{
	char command[64];

	us_qmp_poll_deinit(&registers->content);
	registers->was_read = false;
	registers->address = 0;
	if (!address)
		return;
	us_qemu_registers_command(address, command);
	if (us_qmp_poll_init(&registers->content, --registers->vmm->last_poll_id, on_content,
			     registers, "human-monitor-command", "{s:s}", "command-line",
			     command) == 0)
		registers->address = address;
}

static void on_place(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_qemu_registers *registers = userdata;
	uint64_t address = us_qemu_decode_registers_place(answer->value, registers->device);

	if (address != registers->address)
		move(registers, address);
	if (!address) {
		registers->changed(registers->userdata, NULL);
	} else if (registers->was_read) {
		registers->was_read = false;
		registers->changed(registers->userdata, &registers->read);
	} else {
		us_qemu_registers_ask(registers);
	}
}

void us_qemu_registers_ask(struct us_qemu_registers *registers)
{
	struct us_qmp_poll *poll = registers->address ? &registers->content : &registers->place;

	us_qmp_poll_ask(registers->vmm->qmp, poll);
}

void us_qemu_registers_forget(struct us_qemu_registers *registers)
{
	move(registers, 0);
	us_qmp_poll_forget(&registers->place);
}

int us_qemu_registers_init(struct us_qemu_registers *registers, struct us_vmm *vmm,
			   const char *device, us_qemu_registers_fn changed, void *userdata)
{
	*registers = (struct us_qemu_registers){
		.vmm = vmm,
		.device = device,
		.changed = changed,
		.userdata = userdata,
	};
	return us_qmp_poll_init(&registers->place, --vmm->last_poll_id, on_place, registers,
				"query-pci", NULL);
}

void us_qemu_registers_deinit(struct us_qemu_registers *registers)
{
	us_qmp_poll_deinit(&registers->content);
	us_qmp_poll_deinit(&registers->place);
}
