/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "vmm/qemu/decode-state.h"
#include "vmm/qmp/message.h"

enum us_vm_state us_qemu_decode_run_state(const json_t *status, enum us_transfer transfer)
{
	const char *name = json_string_value(json_object_get(status, "status"));

	if (!name)
		return US_VM_RUNNING;
	if (strcmp(name, "inmigrate") == 0)
		return US_VM_INCOMING;
	if (strcmp(name, "postmigrate") == 0)
		return US_VM_MOVED;
	/* QEMU reports the migration as completed shortly before it sets `postmigrate`. */
	if (strcmp(name, "finish-migrate") == 0 && transfer == US_TRANSFER_COMPLETED)
		return US_VM_MOVED;
	return US_VM_RUNNING;
}

bool us_qemu_decode_running(const json_t *status)
{
	return json_is_true(json_object_get(status, "running"));
}

enum us_transfer us_qemu_decode_transfer(const json_t *status)
{
	const char *name = json_string_value(status);

	if (!name)
		return US_TRANSFER_NONE;
	for (enum us_transfer transfer = 0; transfer < US_TRANSFER_N; transfer++)
		if (strcmp(name, us_transfer_name(transfer)) == 0)
			return transfer;
	return US_TRANSFER_ACTIVE;
}

void us_qemu_decode_progress(const json_t *answer, struct us_transfer_progress *ret_progress)
{
	const json_t *ram = json_object_get(answer, "ram");
	const json_t *downtime = json_object_get(answer, "downtime");
	const char *error = json_string_value(json_object_get(answer, "error-desc"));
	double mbps = json_number_value(json_object_get(ram, "mbps"));
	double dirty = (double)us_json_uint64(json_object_get(ram, "dirty-pages-rate")) *
		       (double)us_json_uint64(json_object_get(ram, "page-size"));

	*ret_progress = (struct us_transfer_progress){
		.transfer = us_qemu_decode_transfer(json_object_get(answer, "status")),
		.transferred_bytes = us_json_uint64(json_object_get(ram, "transferred")),
		.remaining_bytes = us_json_uint64(json_object_get(ram, "remaining")),
		.total_bytes = us_json_uint64(json_object_get(ram, "total")),
		.bytes_per_sec = mbps > 0 && mbps < 1e12 ? (uint64_t)(mbps * 1e6 / 8) : 0,
		.dirty_bytes_per_sec = dirty < 1e18 ? (uint64_t)dirty : 0,
		.downtime_msec = us_json_uint64(
			downtime ? downtime : json_object_get(answer, "expected-downtime")),
	};
	if (error)
		snprintf(ret_progress->error, sizeof(ret_progress->error), "%s", error);
}

int us_qemu_decode_listen_uri(const json_t *answer, char *ret_uri, size_t size)
{
	const json_t *address = json_array_get(json_object_get(answer, "socket-address"), 0);
	const char *host = json_string_value(json_object_get(address, "host"));
	const char *port = json_string_value(json_object_get(address, "port"));
	int length;

	if (!host || !port)
		return US_REFUSED;
	length = snprintf(ret_uri, size, strchr(host, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s", host,
			  port);
	return length > 0 && (size_t)length < size ? 0 : US_REFUSED;
}
