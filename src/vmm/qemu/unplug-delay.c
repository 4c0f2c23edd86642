/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The unplug delay of a device, by the hot-plug handler of its bus: the port itself means native
 * PCIe hot-plug, any other object ACPI hot-plug.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/request.h"

enum {
	/* Linux's pciehp waits 5 s after the attention button, which QEMU presses with a delay. */
	NATIVE_USEC = 4800 * 1000,
};

struct question {
	struct us_qemu_request *request;
	char bus[]; /* the bus, as a path in QEMU's object tree */
};

static void finish(struct us_qemu_request *request, int r, const struct us_reason *reason,
		   uint64_t delay_usec)
{
	if (us_qemu_request_is_wanted(request))
		request->done.unplug_delay(request->userdata, r, reason, delay_usec);
	us_qemu_request_free(request);
}

static void fail(struct us_qemu_request *request, int r, const char *text)
{
	struct us_reason reason;

	us_refuse(&reason, "%s", text);
	finish(request, r, &reason, 0);
}

static void on_handler(void *userdata, const struct us_qmp_answer *answer)
{
	struct question *question = userdata;
	const char *handler = json_string_value(answer->value);
	const char *slash = strrchr(question->bus, '/');
	size_t port = slash - question->bus;
	/* The host bridge of an s390x also handles its own bus, but releases a device at once. */
	bool is_native = handler && strlen(handler) == port &&
			 strncmp(handler, question->bus, port) == 0 &&
			 strncmp(handler, "/machine/peripheral", 19) == 0;

	finish(question->request, answer->r, answer->reason,
	       answer->r == 0 && is_native ? NATIVE_USEC : 0);
	free(question);
}

static void on_bus(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_qemu_request *request = userdata;
	const char *bus = json_string_value(answer->value);
	struct question *question;
	int r;

	if (answer->r) {
		finish(request, answer->r, answer->reason, 0);
		return;
	}
	if (!bus || !strchr(bus, '/')) {
		fail(request, US_REFUSED, "QEMU does not tell its bus");
		return;
	}
	question = malloc(sizeof(*question) + strlen(bus) + 1);
	if (!question) {
		fail(request, -ENOMEM, us_strerror(ENOMEM));
		return;
	}
	question->request = request;
	strcpy(question->bus, bus);
	r = us_qmp_call(request->vmm->qmp, on_handler, question, "qom-get", "{s:s, s:s}", "path",
			bus, "property", "hotplug-handler");
	if (r == 0)
		return;
	free(question);
	fail(request, r, us_strerror(r));
}

int us_vmm_query_unplug_delay(struct us_vmm *vmm, const char *id, us_vmm_unplug_delay_fn done,
			      void *userdata)
{
	struct us_qemu_request *request;
	int r = us_qemu_request_begin(vmm, id, done, userdata, &request);

	if (r < 0)
		return r;
	return us_qemu_request_made(request,
				    us_qemu_get_property(vmm, id, "parent_bus", on_bus, request));
}
