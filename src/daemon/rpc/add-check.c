/* SPDX-License-Identifier: BSD-3-Clause */
/* The checks of AddPair: whether a pair can be added to a VM of this host. They change nothing. */
#include <linux/neighbour.h>
#include <net/if.h>
#include <string.h>

#include "daemon/rpc/rpc-private.h"
#include "net/netlink/fdb.h"
#include "net/netlink/link.h"
#include "net/steer/steer.h"

/* ---- Other pairs ---- */

static int check_against(const struct us_add_request *request, const struct us_host_pair *pair,
			 struct us_reason *reason)
{
	const struct us_pair_spec *spec = &request->spec, *other = us_host_pair_spec(pair);

	if (strcmp(other->name, spec->name) == 0) {
		us_refuse(reason, "pair %s: there is one already", other->name);
		return us_advise(reason, "choose another name");
	}
	if (us_host_pair_has_primary(pair) && !us_primary_spec_is_vfio(&other->primary) &&
	    strcmp(other->primary.port, spec->port) == 0) {
		us_refuse(reason, "pair %s: %s is on the primary's side of pair %s", spec->name,
			  spec->port, other->name);
		return us_advise(reason, "name the standby's own interface");
	}
	if (strcmp(other->port, spec->port) == 0 ||
	    (us_host_vm_of(pair) == request->vm && strcmp(other->standby, spec->standby) == 0)) {
		us_refuse(reason, "pair %s: pair %s has that standby", spec->name, other->name);
		return us_advise(reason, "remove it first");
	}
	return 0;
}

static int check_unique(const struct us_add_request *request, struct us_reason *reason)
{
	const struct us_host_pair *pair;
	int r = 0;

	us_pairs_for_each (pair, request->pairs)
		if (r == 0)
			r = check_against(request, pair, reason);
	return r;
}

/* ---- The MAC address: QEMU could claim anybody's ---- */

/*
 * Refused if the bridge has seen the address at a port of another guest. The guest of an incoming
 * VM is still beyond this host. A static entry was made on purpose, and steering handles it.
 */
static int check_in_use(const struct us_add_request *request, const char *text,
			const uint8_t mac[US_MAC_BYTES], struct us_reason *reason)
{
	const struct us_pair_spec *spec = &request->spec;
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
	    (!other.is_tun && us_host_vm_facts(request->vm)->state == US_VM_INCOMING))
		return 0;
	us_refuse(reason, "pair %s: MAC address %s is in use at %s", spec->name, text, name);
	return us_advise(
		reason, "give the VM another, or, if that is over, bridge fdb del %s dev %s master",
		text, name);
}

static int check_mac(const struct us_add_request *request, const struct us_vmm_standby *standby,
		     struct us_reason *reason)
{
	static const uint8_t none[US_MAC_BYTES] = { 0 };
	const struct us_pair_spec *spec = &request->spec;
	const struct us_host_pair *other;
	const struct us_mac_text found = us_mac_text(standby->mac);

	if (standby->mac[0] & 1 || memcmp(standby->mac, none, US_MAC_BYTES) == 0) {
		us_refuse(reason, "pair %s: %s has MAC address %s, which is none of one device",
			  spec->name, spec->standby, found.text);
		return us_advise(reason, "give the VM another");
	}
	if (request->has_mac && memcmp(standby->mac, request->mac, US_MAC_BYTES) != 0) {
		us_refuse(reason, "pair %s: %s has MAC address %s, not %s", spec->name,
			  spec->standby, found.text, us_mac_text(request->mac).text);
		return us_advise(reason, "start the VM with the right one, or name it: --mac %s",
				 found.text);
	}
	other = us_pairs_find_mac(request->pairs, standby->mac);
	if (other) {
		us_refuse(reason, "pair %s: pair %s has MAC address %s", spec->name,
			  us_host_pair_name(other), found.text);
		return us_advise(reason, "give the VM another, or remove that pair first");
	}
	return check_in_use(request, found.text, standby->mac, reason);
}

/* ---- The standby ---- */

static int check_mtu(const struct us_add_request *request, const struct us_vmm_standby *standby,
		     struct us_reason *reason)
{
	const struct us_pair_spec *spec = &request->spec;
	struct us_link port;
	int r = us_link_get(spec->port, &port, reason);

	if (r != 0 || !standby->mtu || standby->mtu == port.mtu)
		return r;
	us_refuse(reason, "pair %s: %s announces MTU %u to the guest, %s has MTU %u", spec->name,
		  spec->standby, standby->mtu, spec->port, port.mtu);
	return us_advise(reason, "set both to the same");
}

int us_add_check_standby(const struct us_add_request *request, const struct us_vmm_standby *standby,
			 struct us_reason *reason)
{
	const struct us_pair_spec *spec = &request->spec;
	int r;

	if (!standby->offers_standby) {
		us_refuse(reason, "pair %s: %s does not offer VIRTIO_NET_F_STANDBY", spec->name,
			  spec->standby);
		return us_advise(reason, "%s", us_host_vm_standby_step(request->vm));
	}
	if (standby->interface[0] && strcmp(standby->interface, spec->port) != 0) {
		us_refuse(reason, "pair %s: %s is behind %s, not %s", spec->name, spec->standby,
			  standby->interface, spec->port);
		return us_advise(reason, "--port %s", standby->interface);
	}
	r = us_primary_spec_check_mac(&spec->primary, spec->name, standby->mac, reason);
	if (r == 0)
		r = check_mtu(request, standby, reason);
	if (r == 0)
		r = check_unique(request, reason);
	return r == 0 ? check_mac(request, standby, reason) : r;
}

/* ---- The host ---- */

int us_add_check_host(struct us_add_request *request, struct us_reason *reason)
{
	struct us_pair_spec *spec = &request->spec;
	struct us_steer_config config = { .standby_port = spec->port };
	struct us_steer *steer = NULL;
	int r;

	if (!spec->port[0]) {
		us_refuse(reason, "pair %s: the standby's port is not known", spec->name);
		return us_advise(reason, "--port IFNAME");
	}
	r = us_port_resolve(spec->port, reason);

	if (r == 0)
		r = check_unique(request, reason);
	if (r == 0 && spec->primary.text[0] && !spec->is_declared)
		r = us_primary_spec_check(request->pairs, NULL, &spec->primary, spec->port, reason);
	if (r != 0)
		return r;
	/* Made and abandoned: this shows whether there is a switch behind the port. */
	r = us_steer_new_bridge(&steer, &config, reason);
	if (r == 0)
		us_steer_abandon(steer);
	return r;
}
