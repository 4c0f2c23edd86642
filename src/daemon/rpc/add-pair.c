/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AddPair: everything is checked before anything is changed. What this host knows is checked at
 * once; then the VM is asked about the standby, and the pair is made when its answer is good.
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/rpc/permissions.h"
#include "net/netlink/fdb.h"
#include "net/netlink/link.h"
#include "net/steer/bridge.h"

struct us_pair_request {
	struct us_list link;
	struct us_daemon *daemon;
	struct us_host_vm *vm;
	struct us_call *call; /* NULL once its client went away: the pair is made all the same */
	struct us_pair_spec spec;
	bool hold;
	bool has_mac; /* the caller has named the standby's MAC */
	uint8_t mac[US_MAC_BYTES];
};

static void add_free(struct us_pair_request *add)
{
	us_list_remove(&add->link);
	free(add);
}
US_DEFINE_CLEANUP(struct us_pair_request *, add_free)

static void on_gone(void *userdata, struct us_call *call)
{
	((struct us_pair_request *)userdata)->call = NULL;
}

static void fail(struct us_pair_request *add, const char *why)
{
	if (add->call)
		us_call_fail(US_STEAL(add->call), "Refused", "%s", why);
}

/* ---- What the VM says ---- */

static int check_mtu(const struct us_pair_request *add, const struct us_vmm_standby *standby,
		     struct us_reason *reason)
{
	struct us_link port;
	int r = us_link_get(add->spec.port, &port, reason);

	if (r == 0 && standby->mtu && standby->mtu != port.mtu)
		return us_refuse(reason,
				 "pair %s: %s announces MTU %u to the guest, %s has MTU %u: "
				 "set both to the same",
				 add->spec.name, add->spec.standby, standby->mtu, add->spec.port,
				 port.mtu);
	return r;
}

static const struct us_host_pair *pair_with_mac(const struct us_daemon *daemon,
						const uint8_t mac[US_MAC_BYTES])
{
	const struct us_host_vm *vm;
	const struct us_host_pair *pair;

	us_list_for_each (vm, &daemon->vms, link)
		us_list_for_each (pair, &vm->pairs, link)
			if (memcmp(pair->spec.mac, mac, US_MAC_BYTES) == 0)
				return pair;
	return NULL;
}

/*
 * Whether the bridge has seen it at a port that is not the pair's. A guest that is still elsewhere
 * is beyond this host. What is static somebody made, and steering sees to it.
 */
static int check_in_use(const struct us_pair_request *add, const char *text,
			const uint8_t mac[US_MAC_BYTES], struct us_reason *reason)
{
	const struct us_pair_spec *spec = &add->spec;
	char name[IF_NAMESIZE] = "?";
	struct us_fdb_entry entry;
	struct us_link port, other;
	int r = us_link_get(spec->port, &port, reason);

	if (r != 0)
		return r;
	r = us_fdb_get(mac, port.master, &entry, NULL);
	if (r != 0 || entry.port == port.index || entry.state & (NUD_NOARP | NUD_PERMANENT) ||
	    !if_indextoname(entry.port, name) || strcmp(name, spec->primary.port) == 0 ||
	    us_link_get(name, &other, NULL) != 0 ||
	    (!other.is_tun && add->vm->state == US_VM_INCOMING))
		return 0;
	return us_refuse(
		reason,
		"pair %s: MAC address %s is in use at %s: give the VM another, or, if that "
		"is over, bridge fdb del %s dev %s master",
		spec->name, text, name, text, name);
}

/* QEMU could claim anybody's. */
static int check_mac(const struct us_pair_request *add, const struct us_vmm_standby *standby,
		     struct us_reason *reason)
{
	static const uint8_t none[US_MAC_BYTES] = { 0 };
	const struct us_pair_spec *spec = &add->spec;
	const struct us_host_pair *other;
	char found[US_MAC_TEXT_SIZE], wanted[US_MAC_TEXT_SIZE];

	us_mac_text(standby->mac, found);
	us_mac_text(add->mac, wanted);
	if (standby->mac[0] & 1 || memcmp(standby->mac, none, US_MAC_BYTES) == 0)
		return us_refuse(
			reason,
			"pair %s: %s has MAC address %s, which is none of one device: give "
			"the VM another",
			spec->name, spec->standby, found);
	if (add->has_mac && memcmp(standby->mac, add->mac, US_MAC_BYTES) != 0)
		return us_refuse(reason,
				 "pair %s: %s has MAC address %s, not %s: start the VM with the "
				 "right one, or name it: --mac %s",
				 spec->name, spec->standby, found, wanted, found);
	other = pair_with_mac(add->daemon, standby->mac);
	if (other)
		return us_refuse(reason,
				 "pair %s: pair %s has MAC address %s: give the VM another, or "
				 "remove that pair first",
				 spec->name, other->spec.name, found);
	return check_in_use(add, found, standby->mac, reason);
}

static int check_standby(const struct us_pair_request *add, const struct us_vmm_standby *standby,
			 struct us_reason *reason)
{
	const struct us_pair_spec *spec = &add->spec;
	int r;

	if (!standby->offers_standby)
		return us_refuse(reason,
				 "pair %s: %s does not offer VIRTIO_NET_F_STANDBY: start the "
				 "VM with failover=on for it",
				 spec->name, spec->standby);
	if (standby->interface[0] && strcmp(standby->interface, spec->port) != 0)
		return us_refuse(reason, "pair %s: %s is behind %s, not %s: --port %s", spec->name,
				 spec->standby, standby->interface, spec->port, standby->interface);
	r = us_primary_spec_check_mac(&spec->primary, spec->name, standby->mac, reason);
	return r == 0 ? check_mtu(add, standby, reason) : r;
}

static int check_unique(const struct us_pair_request *add, struct us_reason *reason)
{
	struct us_host_vm *vm;
	struct us_host_pair *other;

	us_list_for_each (vm, &add->daemon->vms, link) {
		us_list_for_each (other, &vm->pairs, link) {
			if (strcmp(other->spec.name, add->spec.name) == 0)
				return us_refuse(reason,
						 "pair %s: there is one already: choose "
						 "another name",
						 other->spec.name);
			if (us_host_pair_has_primary(other) &&
			    !us_primary_spec_is_vfio(&other->spec.primary) &&
			    strcmp(other->spec.primary.port, add->spec.port) == 0)
				return us_refuse(reason,
						 "pair %s: %s is on the primary's side of pair "
						 "%s: name the standby's own interface",
						 add->spec.name, add->spec.port, other->spec.name);
			if (strcmp(other->spec.port, add->spec.port) == 0 ||
			    (vm == add->vm && strcmp(other->spec.standby, add->spec.standby) == 0))
				return us_refuse(reason,
						 "pair %s: pair %s has that standby: remove "
						 "it first",
						 add->spec.name, other->spec.name);
		}
	}
	return 0;
}

static void on_standby(void *userdata, int r, const struct us_reason *refusal,
		       const struct us_vmm_standby *standby)
{
	US_CLEANUP(add_freep) struct us_pair_request *add = userdata;
	const struct us_pair_start start = { .hold = add->hold, .is_inspected = true };
	struct us_reason reason = { .text = "" };
	struct us_host_pair *pair;

	if (r != 0) {
		us_refuse_because(&reason, refusal, "pair %s", add->spec.name);
		fail(add, reason.text);
		return;
	}
	r = check_standby(add, standby, &reason);
	if (r == 0)
		r = check_unique(add, &reason); /* again: others may have come meanwhile */
	if (r == 0)
		r = check_mac(add, standby, &reason);
	if (r == 0) {
		memcpy(add->spec.mac, standby->mac, US_MAC_BYTES);
		add->spec.mtu = standby->mtu;
		add->spec.queue_pairs = standby->queue_pairs;
		r = us_host_pair_new(&pair, add->vm, &add->spec, &start);
	}
	if (r != 0) {
		fail(add, r < 0 ? us_strerror(r) : reason.text);
		return;
	}
	us_state_save_vm(add->vm); /* before it is answered */
	if (add->call)
		us_call_reply(US_STEAL(add->call), NULL);
}

/* ---- What the caller says ---- */

static int copy_text(char *target, size_t size, const json_t *parameters, const char *name,
		     struct us_reason *reason)
{
	const char *text = json_string_value(json_object_get(parameters, name));

	if (!text)
		return 0;
	if (strlen(text) >= size)
		return us_refuse(reason, "%s: longer than %zu characters", name, size - 1);
	strcpy(target, text);
	return 0;
}

static int read_mode(struct us_pair_request *add, const json_t *parameters,
		     struct us_reason *reason)
{
	const char *text = json_string_value(json_object_get(parameters, "mode"));
	int mode = text ? us_mode_from_name(text) : US_MODE_COMBINED;

	if (mode < 0)
		return us_refuse(reason, "mode %s: separate, coupled or combined", text);
	add->spec.mode = mode;
	return 0;
}

static int read_mac(struct us_pair_request *add, const json_t *parameters, struct us_reason *reason)
{
	const char *text = json_string_value(json_object_get(parameters, "mac"));

	add->has_mac = text;
	if (text && us_mac_parse(text, add->mac) < 0)
		return us_refuse(reason,
				 "mac %.40s: is no MAC address: write it like "
				 "52:54:00:12:34:56",
				 text);
	return 0;
}

static int read_parameters(struct us_pair_request *add, const json_t *parameters,
			   struct us_reason *reason)
{
	struct us_pair_spec *spec = &add->spec;
	const char *primary = json_string_value(json_object_get(parameters, "primary"));
	int r = copy_text(spec->name, sizeof(spec->name), parameters, "name", reason);

	if (r == 0 && !us_name_is_valid(spec->name))
		r = us_refuse(reason,
			      "pair \"%s\": a name starts with a letter and has letters, "
			      "digits, '.', '_' and '-'",
			      spec->name);
	if (r == 0)
		r = copy_text(spec->standby, sizeof(spec->standby), parameters, "standby", reason);
	if (r == 0)
		r = copy_text(spec->port, sizeof(spec->port), parameters, "port", reason);
	if (r == 0)
		r = copy_text(spec->group, sizeof(spec->group), parameters, "group", reason);
	if (r == 0)
		r = copy_text(spec->bus, sizeof(spec->bus), parameters, "bus", reason);
	if (r == 0)
		r = read_mac(add, parameters, reason);
	if (r == 0)
		r = read_mode(add, parameters, reason);
	if (r == 0)
		r = us_pair_options_read(parameters, &spec->options, reason);
	if (r == 0 && primary)
		r = us_primary_spec_parse(primary, &spec->primary, reason);
	add->hold = json_is_true(json_object_get(parameters, "hold"));
	return r;
}

static int check_host(struct us_pair_request *add, struct us_reason *reason)
{
	struct us_pair_spec *spec = &add->spec;
	struct us_steer_config config = { .standby_port = spec->port };
	struct us_steer *steer = NULL;
	int r = us_port_resolve(spec->port, reason);

	if (r == 0)
		r = check_unique(add, reason);
	if (r == 0 && spec->primary.text[0])
		r = us_primary_spec_check(add->daemon, NULL, &spec->primary, spec->port, reason);
	if (r != 0)
		return r;
	/* Made and forgotten: whether there is a switch behind the standby. */
	r = us_steer_new_bridge(&steer, &config, reason);
	if (r == 0)
		us_steer_abandon(steer);
	return r;
}

void us_rpc_add_pair(struct us_daemon *daemon, struct us_call *call, const json_t *parameters)
{
	const char *vm_name = json_string_value(json_object_get(parameters, "vm"));
	struct us_host_vm *vm = us_daemon_vm(daemon, vm_name);
	struct us_pair_request *add = calloc(1, sizeof(*add));
	struct us_reason reason = { .text = "" };
	int r;

	if (!add || !vm || !us_vmm_is_adopted(vm->vmm)) {
		free(add);
		if (!vm)
			us_call_fail(call, "NoSuchVm",
				     "vm %s: not attached: understudy vm attach %s "
				     "--qmp PATH",
				     vm_name, vm_name);
		else
			us_call_fail(call, "Refused", "vm %s cannot be asked now: %s", vm_name,
				     us_optional_text(vm->problem));
		return;
	}
	add->daemon = daemon;
	add->vm = vm;
	add->call = call;
	us_list_init(&add->link);
	r = read_parameters(add, parameters, &reason);
	if (r == 0)
		r = us_allow_primary(daemon->config_path, us_call_uid(call), &add->spec.primary,
				     &reason);
	if (r == 0)
		r = check_host(add, &reason);
	if (r == 0)
		r = us_vmm_inspect(vm->vmm, add->spec.standby, on_standby, add);
	if (r == -EINVAL)
		r = us_refuse(&reason,
			      "pair %s: \"%s\" is no device's id: name the virtio-net device "
			      "by its id=",
			      add->spec.name, add->spec.standby);
	if (r != 0) {
		fail(add, r < 0 ? us_strerror(r) : reason.text);
		add_free(add);
		return;
	}
	us_call_on_gone(call, on_gone, add);
	us_list_append(&vm->adds, &add->link);
}

void us_rpc_cancel_adds(struct us_host_vm *vm)
{
	struct us_pair_request *add;

	us_list_for_each (add, &vm->adds, link) {
		fail(add, "the VM was detached");
		add_free(add);
	}
}
