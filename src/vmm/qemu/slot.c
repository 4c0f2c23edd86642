/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/decode.h"
#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/slot.h"

enum {
	/* For so long a slot is not handed out again, unless it is given back or used. */
	CLAIM_USEC = 30 * 1000 * 1000,
	/* QEMU is asked about each port. A machine has at most so many PCI buses. */
	PORTS_MAX = 256,
};

struct claim {
	struct us_list link;
	uint64_t until_usec;
	char bus[];
};

struct port {
	struct us_list link;
	struct survey *survey;
	bool is_hot_pluggable, is_taken;
	char *bus;  /* its name; NULL until it is known */
	char *path; /* of the port, in QEMU's object tree */
};

/* One search: asks for the names of the ports, then for each port whether it is free. */
struct survey {
	struct us_qemu_request request; /* without a callback of its own */
	const char *wanted;		/* the name of a bus; NULL: any */
	us_qemu_slot_fn found;
	struct us_list ports;
	unsigned port_count;
	bool has_root_bus;  /* a root bus supports hot-plug */
	bool has_free_slot; /* on that bus */
};

/* QEMU's containers of the devices that were added */
#define WITH_IDS "/machine/peripheral"
#define WITHOUT_IDS "/machine/peripheral-anon"

/* The root buses of machines without ports: `pc` and s390x */
#define ROOT_BUS "pci.0"
static const char *const root_buses[] = { "/machine/i440fx/" ROOT_BUS,
					  "/machine/s390-pcihost/" ROOT_BUS };

/* ---- Claims ---- */

static void free_claim(struct claim *claim)
{
	us_list_remove(&claim->link);
	free(claim);
}

static bool is_claimed(struct us_vmm *vmm, const char *bus)
{
	uint64_t now = us_now_usec();
	struct claim *claim;
	bool found = false;

	us_list_for_each (claim, &vmm->claims, link) {
		if (claim->until_usec <= now)
			free_claim(claim);
		else
			found = found || strcmp(claim->bus, bus) == 0;
	}
	return found;
}

static int claim_bus(struct us_vmm *vmm, const char *bus)
{
	struct claim *claim;

	us_vmm_return_slot(vmm, bus);
	claim = malloc(sizeof(*claim) + strlen(bus) + 1);
	if (!claim)
		return -ENOMEM;
	claim->until_usec = us_now_usec() + CLAIM_USEC;
	strcpy(claim->bus, bus);
	us_list_append(&vmm->claims, &claim->link);
	return 0;
}

void us_vmm_return_slot(struct us_vmm *vmm, const char *bus)
{
	struct claim *claim;

	us_list_for_each (claim, &vmm->claims, link)
		if (strcmp(claim->bus, bus) == 0)
			free_claim(claim);
}

void us_qemu_slot_free_all(struct us_vmm *vmm)
{
	while (!us_list_is_empty(&vmm->claims))
		free_claim(US_CONTAINER_OF(vmm->claims.next, struct claim, link));
}

/* ---- The end of a survey ---- */

static void release_survey(struct us_qemu_request *request)
{
	struct survey *survey = US_CONTAINER_OF(request, struct survey, request);
	struct port *port;

	us_list_for_each (port, &survey->ports, link) {
		free(port->bus);
		free(port->path);
		free(port);
	}
}

/* Refuses the bus that was named only if it certainly cannot take a device. */
static int choose_wanted(struct survey *survey, struct us_qemu_slot *ret_slot)
{
	struct us_reason *reason = &survey->request.reason;
	struct port *port;

	*ret_slot = (struct us_qemu_slot){ .bus = survey->wanted };
	us_list_for_each (port, &survey->ports, link) {
		if (!port->bus || strcmp(port->bus, survey->wanted) != 0)
			continue;
		ret_slot->is_port = true;
		if (!port->is_hot_pluggable)
			us_refuse(reason, "bus %s does not support hot-plug", port->bus);
		else if (port->is_taken)
			us_refuse(reason, "bus %s has a device already", port->bus);
		else
			continue;
		return us_advise(reason, "choose another port");
	}
	return 0;
}

static int choose_any(struct survey *survey, struct us_qemu_slot *ret_slot)
{
	struct us_vmm *vmm = survey->request.vmm;
	struct us_reason *reason = &survey->request.reason;
	struct port *port;

	us_list_for_each (port, &survey->ports, link)
		if (port->bus && port->is_hot_pluggable && !port->is_taken &&
		    !is_claimed(vmm, port->bus)) {
			*ret_slot = (struct us_qemu_slot){ .bus = port->bus, .is_port = true };
			return claim_bus(vmm, port->bus);
		}
	if (survey->has_root_bus && survey->has_free_slot) {
		*ret_slot = (struct us_qemu_slot){ .bus = ROOT_BUS };
		return 0;
	}
	if (survey->has_root_bus)
		return us_refuse(reason, "no free slot on " ROOT_BUS);
	us_refuse(reason, "no free hot-pluggable PCIe port");
	if (vmm->domain)
		return us_advise(reason, "virsh edit: one more <controller type='pci' "
					 "model='pcie-root-port'/>; then shut the domain down and "
					 "start it");
	return us_advise(reason, "start the VM with one more pcie-root-port");
}

static void answered(struct survey *survey)
{
	struct us_qemu_request *request = &survey->request;
	struct us_qemu_slot slot = { 0 };
	int r = request->r;

	if (--request->unanswered > 0)
		return;
	if (r == 0)
		r = survey->wanted ? choose_wanted(survey, &slot) : choose_any(survey, &slot);
	if (r < 0)
		us_qemu_request_note(request, r, NULL);
	survey->found(request->userdata, r, r ? &request->reason : NULL, r ? NULL : &slot);
	us_qemu_request_free(request);
}

/* ---- Questions ---- */

static void ask(struct survey *survey, us_qmp_answer_fn answer, void *userdata, const char *command,
		const char *path, const char *property)
{
	us_qemu_request_sent(&survey->request,
			     us_qmp_call(survey->request.vmm->qmp, answer, userdata, command,
					 "{s:s, s:s*}", "path", path, "property", property));
}

/* A failure of the connection ends the survey; a missing object does not. */
static void note(struct survey *survey, const struct us_qmp_answer *answer)
{
	if (answer->r < 0)
		us_qemu_request_note(&survey->request, answer->r, answer->reason);
}

static void on_bus_handler(void *userdata, const struct us_qmp_answer *answer)
{
	struct port *port = userdata;
	const char *handler = json_string_value(answer->value);

	note(port->survey, answer);
	port->is_hot_pluggable = handler && *handler;
	answered(port->survey);
}

static void on_bus_children(void *userdata, const struct us_qmp_answer *answer)
{
	struct port *port = userdata;

	note(port->survey, answer);
	port->is_taken = answer->r != 0 || us_qemu_decode_bus_is_taken(answer->value);
	answered(port->survey);
}

static void ask_bus(struct port *port, const char *bus)
{
	char path[3 * US_DEVICE_NAME_MAX];

	port->bus = strdup(bus);
	if (!port->bus)
		us_qemu_request_note(&port->survey->request, -ENOMEM, NULL);
	snprintf(path, sizeof(path), "%s/%s", port->path, bus);
	ask(port->survey, on_bus_handler, port, "qom-get", path, "hotplug-handler");
	ask(port->survey, on_bus_children, port, "qom-list", path, NULL);
}

static void on_anonymous_port(void *userdata, const struct us_qmp_answer *answer)
{
	struct port *port = userdata;
	const char *bus = us_qemu_decode_port_bus(answer->value);

	note(port->survey, answer);
	if (bus && strlen(bus) < US_DEVICE_NAME_MAX && strcmp(bus, "pcie.0") != 0)
		ask_bus(port, bus);
	answered(port->survey);
}

static struct port *add_port(struct survey *survey, const char *container, const char *name)
{
	struct port *port = calloc(1, sizeof(*port));

	if (port && asprintf(&port->path, "%s/%s", container, name) < 0) {
		free(port);
		port = NULL;
	}
	if (!port) {
		us_qemu_request_note(&survey->request, -ENOMEM, NULL);
		return NULL;
	}
	port->survey = survey;
	survey->port_count++;
	us_list_append(&survey->ports, &port->link);
	return port;
}

/* Asks about each port in a container of devices. A port with an id has a bus of that name. */
static void list_ports(struct survey *survey, const struct us_qmp_answer *answer,
		       const char *container, bool has_ids)
{
	const json_t *entry;
	struct port *port;
	size_t i;

	note(survey, answer);
	json_array_foreach ((json_t *)answer->value, i, entry) {
		const char *name = json_string_value(json_object_get(entry, "name"));

		if (survey->port_count == PORTS_MAX)
			break;
		if (!name || strlen(name) >= US_DEVICE_NAME_MAX || !us_qemu_decode_is_port(entry))
			continue;
		if (has_ids && survey->wanted && strcmp(survey->wanted, name) != 0)
			continue;
		port = add_port(survey, container, name);
		if (port && has_ids)
			ask_bus(port, name);
		else if (port)
			ask(survey, on_anonymous_port, port, "qom-list", port->path, NULL);
	}
	answered(survey);
}

static void on_named(void *userdata, const struct us_qmp_answer *answer)
{
	list_ports(userdata, answer, WITH_IDS, true);
}

static void on_anonymous(void *userdata, const struct us_qmp_answer *answer)
{
	list_ports(userdata, answer, WITHOUT_IDS, false);
}

static void on_root_handler(void *userdata, const struct us_qmp_answer *answer)
{
	struct survey *survey = userdata;
	const char *handler = json_string_value(answer->value);

	note(survey, answer);
	survey->has_root_bus = survey->has_root_bus || (handler && *handler);
	answered(survey);
}

static void on_pci(void *userdata, const struct us_qmp_answer *answer)
{
	struct survey *survey = userdata;

	note(survey, answer);
	survey->has_free_slot = us_qemu_decode_has_free_slot(answer->value);
	answered(survey);
}

static void ask_root_bus(struct survey *survey)
{
	for (size_t i = 0; i < US_ARRAY_LENGTH(root_buses); i++)
		ask(survey, on_root_handler, survey, "qom-get", root_buses[i], "hotplug-handler");
	us_qemu_request_sent(&survey->request, us_qmp_call(survey->request.vmm->qmp, on_pci, survey,
							   "query-pci", NULL));
}

int us_qemu_slot_find(struct us_vmm *vmm, const char *bus, us_qemu_slot_fn found, void *userdata)
{
	int r;
	struct survey *survey =
		us_qemu_request_new(vmm, NULL, sizeof(*survey), (us_vmm_done_fn)NULL, userdata, &r);

	if (!survey)
		return r;
	survey->request.release = release_survey;
	survey->wanted = bus;
	survey->found = found;
	us_list_init(&survey->ports);
	ask(survey, on_named, survey, "qom-list", WITH_IDS, NULL);
	ask(survey, on_anonymous, survey, "qom-list", WITHOUT_IDS, NULL);
	if (!bus)
		ask_root_bus(survey);
	return us_qemu_request_asked(&survey->request);
}

static void on_found(void *userdata, int r, const struct us_reason *reason,
		     const struct us_qemu_slot *slot)
{
	struct us_qemu_request *request = userdata;

	if (us_qemu_request_is_wanted(request))
		request->done.slot(request->userdata, r, reason, slot ? slot->bus : NULL);
	us_qemu_request_free(request);
}

int us_vmm_find_slot(struct us_vmm *vmm, us_vmm_slot_fn done, void *userdata)
{
	int r;
	struct us_qemu_request *request =
		us_qemu_request_new(vmm, NULL, sizeof(*request), done, userdata, &r);

	if (!request)
		return r;
	return us_qemu_request_made(request, us_qemu_slot_find(vmm, NULL, on_found, request));
}
