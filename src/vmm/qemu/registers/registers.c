/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "vmm/qemu/registers/registers.h"
#include "vmm/qemu/registers/guest-memory.h"

struct us_qemu_registers {
	struct us_qmp *qmp; /* of the last reading */
	int64_t *last_poll_id;
	const char *device;
	us_qemu_registers_fn changed;
	void *userdata;
	struct us_qmp_poll place;   /* query-pci */
	struct us_qmp_poll content; /* "xp"; not prepared while `address` is 0 */
	uint64_t address;	    /* of the common configuration; 0: nowhere, or not known */
	bool was_read;		    /* `read` is valid, and its place is to be confirmed */
	struct us_virtio_registers read;
	bool has_negotiated; /* by the event, and the driver is still the same */
	bool is_final;	     /* FEATURES_OK was seen since */
};

/* QEMU answers in order, so the answer to this question is newer than what was read. */
static void confirm(struct us_qemu_registers *registers)
{
	us_qmp_poll_forget(&registers->place);
	us_qmp_poll_ask(registers->qmp, &registers->place);
}

static void on_content(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_qemu_registers *registers = userdata;

	/* Registers that cannot be read have no driver, if they are still there. */
	us_qemu_decode_registers(json_string_value(answer->value), &registers->read);
	registers->was_read = true;
	confirm(registers);
}

/* Each place has a poll with an id of its own, so no late answer is taken for another place's. */
static void move(struct us_qemu_registers *registers, uint64_t address)
{
	char command[US_QEMU_MEMORY_COMMAND_SIZE];

	us_qmp_poll_deinit(&registers->content);
	registers->was_read = false;
	registers->address = 0;
	if (!address)
		return;
	us_qemu_registers_command(address, command);
	if (us_qmp_poll_init(&registers->content, --*registers->last_poll_id, on_content, registers,
			     "human-monitor-command", "{s:s}", "command-line", command) == 0)
		registers->address = address;
}

/*
 * The event comes while the driver negotiates, before FEATURES_OK. It is void once FEATURES_OK has
 * come and gone, or no driver is there.
 */
static void report(struct us_qemu_registers *registers, const struct us_virtio_registers *read)
{
	bool is_final = read->status & US_VIRTIO_FEATURES_OK, driver_ok;
	enum us_guest guest;

	if (!read->status || (registers->is_final && !is_final))
		registers->has_negotiated = false;
	registers->is_final = is_final;
	guest = us_qemu_decode_driver(read, registers->has_negotiated, &driver_ok);
	registers->changed(registers->userdata, guest, driver_ok,
			   registers->has_negotiated || us_qemu_decode_shows_standby(read));
}

static void on_place(void *userdata, const struct us_qmp_answer *answer)
{
	static const struct us_virtio_registers nowhere;
	struct us_qemu_registers *registers = userdata;
	uint64_t address = us_qemu_decode_registers_place(answer->value, registers->device);

	if (address != registers->address)
		move(registers, address);
	if (!address) {
		report(registers, &nowhere); /* no driver can run */
	} else if (registers->was_read) {
		registers->was_read = false;
		report(registers, &registers->read);
	} else {
		us_qemu_registers_ask(registers, registers->qmp);
	}
}

void us_qemu_registers_ask(struct us_qemu_registers *registers, struct us_qmp *qmp)
{
	registers->qmp = qmp;
	us_qmp_poll_ask(qmp, registers->address ? &registers->content : &registers->place);
}

void us_qemu_registers_forget(struct us_qemu_registers *registers)
{
	registers->has_negotiated = registers->is_final = false;
	move(registers, 0);
	us_qmp_poll_forget(&registers->place);
}

void us_qemu_registers_negotiated(struct us_qemu_registers *registers)
{
	registers->has_negotiated = true;
	registers->is_final = false;
}

bool us_qemu_registers_has_negotiated(const struct us_qemu_registers *registers)
{
	return registers->has_negotiated;
}

int us_qemu_registers_new(struct us_qemu_registers **ret_registers, int64_t *last_poll_id,
			  const char *device, us_qemu_registers_fn changed, void *userdata)
{
	struct us_qemu_registers *registers = malloc(sizeof(*registers));
	int r;

	if (!registers)
		return -ENOMEM;
	*registers = (struct us_qemu_registers){
		.last_poll_id = last_poll_id,
		.device = device,
		.changed = changed,
		.userdata = userdata,
	};
	r = us_qmp_poll_init(&registers->place, --*last_poll_id, on_place, registers, "query-pci",
			     NULL);
	if (r < 0) {
		free(registers);
		return r;
	}
	*ret_registers = registers;
	return 0;
}

void us_qemu_registers_free(struct us_qemu_registers *registers)
{
	if (!registers)
		return;
	us_qmp_poll_deinit(&registers->content);
	us_qmp_poll_deinit(&registers->place);
	free(registers);
}
