/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steering by a Linux bridge: one FDB entry for the MAC address that is static (never ages) and
 * sticky (does not move when the address is seen at another port).
 *
 * Owns the entries for one MAC address from the first change on. They point to one port at any
 * time. Looks interfaces up by name at each call, because taps are renamed and made anew.
 *
 * VLANs: for an entry without a VLAN the kernel adds one for every VLAN of the port, and its
 * acknowledgement stands for all of them. A move to a port in fewer VLANs leaves entries at the
 * old port, so each move deletes them.
 *
 * Only static entries are put back. A learned entry needs no restoring: without ours, the bridge
 * floods until it has learned the address again.
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <string.h>

#include "net/netlink/fdb.h"
#include "net/park/park-tap.h"
#include "net/steer/steer.h"
#include "net/steer/switch.h"
#include "util/mac.h"

enum {
	ORIGINALS_MAX = 32, /* static entries of one MAC address, one per VLAN */
};

/* A static entry from before our first change. */
struct original {
	char port[IF_NAMESIZE];
	struct us_fdb_entry entry; /* without the port's index, which can change */
};

struct bridge {
	struct us_steer_switch base;
	bool is_changed; /* entries of ours may be there */
	struct original *originals;
	size_t original_count; /* mostly 0 */
};

static struct bridge *bridge_of(const struct us_steer_switch *base)
{
	return US_CONTAINER_OF(base, struct bridge, base);
}

static void bridge_free(struct us_steer_switch *base)
{
	struct bridge *bridge = bridge_of(base);

	free(bridge->originals);
	free(bridge);
}

/* ---- Ports ---- */

static int check_ports(const struct us_link *standby, const struct us_link *primary,
		       struct us_reason *reason)
{
	if (standby->master == primary->master)
		return 0;
	us_refuse(reason, "interfaces %s and %s: are ports of different bridges", standby->name,
		  primary->name);
	return us_advise(reason, "add both to the same bridge");
}

static int make_park(const struct us_link *standby, uint32_t queue_frames, int *ret_fd,
		     struct us_link *ret_tap, struct us_reason *reason)
{
	bool filters_vlans = false;
	int r = us_link_filters_vlans(standby->master, &filters_vlans);

	if (r == 0 && filters_vlans)
		return us_refuse(reason, "interface %s: its bridge filters VLANs: cannot park",
				 standby->name);
	return r ? r : us_park_tap_new(standby, queue_frames, ret_fd, ret_tap, reason);
}

/* ---- The entries before our first change ---- */

static bool is_ours(const struct us_fdb_entry *entry)
{
	return (entry->state & NUD_NOARP) && (entry->flags & NTF_STICKY);
}

static int keep(struct bridge *bridge, const struct original *originals, size_t count)
{
	struct original *copy = calloc(count + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	memcpy(copy, originals, sizeof(*originals) * count);
	free(bridge->originals);
	bridge->originals = copy;
	bridge->original_count = count;
	return 0;
}

/* Records one static entry. The host's own address cannot be steered. */
static int add_original(struct bridge *bridge, const struct us_fdb_entry *entry,
			struct original *originals, size_t *count, struct us_reason *reason)
{
	struct original *original = &originals[*count];

	if (entry->state & NUD_PERMANENT) {
		us_refuse(reason, "MAC address %s: belongs to this host itself",
			  us_mac_text(bridge->base.mac).text);
		return us_advise(reason, "give the pair another address");
	}
	if (!(entry->state & NUD_NOARP) || !if_indextoname(entry->port, original->port))
		return 0;
	/* A pair that was abandoned has left it: nobody else directs to a primary's port so. */
	if (is_ours(entry) && strcmp(original->port, bridge->base.primary) == 0) {
		bridge->is_changed = true;
		return 0;
	}
	original->entry = *entry;
	original->entry.flags &= ~NTF_MASTER;
	(*count)++;
	return 0;
}

/* All entries for the MAC address; without VLAN filtering there is one, which needs no dump. */
static int read_entries(const struct bridge *bridge, int index, struct us_fdb_entry *ret_entries,
			size_t *ret_count)
{
	bool filters_vlans = false;
	int r = us_link_filters_vlans(index, &filters_vlans);

	if (r < 0)
		return r;
	if (filters_vlans)
		return us_fdb_find(bridge->base.mac, index, ret_entries, ORIGINALS_MAX, ret_count);
	r = us_fdb_get(bridge->base.mac, index, ret_entries, NULL);
	*ret_count = r == 0;
	return r == -ENOENT ? 0 : r;
}

/* @port is any port of the bridge. */
static int remember(struct us_steer_switch *base, const struct us_link *port,
		    struct us_reason *reason)
{
	struct bridge *bridge = bridge_of(base);
	struct us_fdb_entry entries[ORIGINALS_MAX];
	struct original originals[ORIGINALS_MAX];
	size_t count = 0, original_count = 0;
	int r = read_entries(bridge, port->master, entries, &count);

	if (r == -ENOSPC)
		return us_refuse(reason, "bridge of %s: more than %d entries for one MAC address",
				 base->standby, ORIGINALS_MAX);
	if (r < 0)
		return us_refuse(reason, "bridge of %s: its FDB cannot be read: %s", base->standby,
				 us_strerror(r));
	for (size_t i = 0; i < count && r == 0; i++)
		r = add_original(bridge, &entries[i], originals, &original_count, reason);
	return r ? r : keep(bridge, originals, original_count);
}

/* ---- Our entry ---- */

static int direct(struct us_steer_switch *base, const struct us_link *port,
		  struct us_reason *reason)
{
	struct us_fdb_entry entry = { .port = port->index,
				      .state = NUD_NOARP,
				      .flags = NTF_STICKY };
	struct us_rtnl_error error;
	struct bridge *bridge = bridge_of(base);
	int r = bridge->is_changed ? 0 : remember(base, port, reason);

	if (r != 0)
		return r;
	memcpy(entry.mac, base->mac, sizeof(entry.mac));
	bridge->is_changed = true;
	if (us_fdb_put(&entry, &error) < 0)
		return us_refuse(reason, "interface %s: the bridge refused the FDB entry: %s",
				 port->name, error.text);
	return 0;
}

static int verify(const struct us_steer_switch *base, const struct us_link *port,
		  struct us_reason *reason)
{
	struct us_fdb_entry entry;
	struct us_rtnl_error error;

	if (us_fdb_get(base->mac, port->master, &entry, &error) < 0)
		return us_refuse(reason, "interface %s: the bridge refused the FDB entry: %s",
				 port->name, error.text);
	if (entry.port != port->index || !is_ours(&entry))
		return us_refuse(reason,
				 "interface %s: the bridge accepted the FDB entry but has another",
				 port->name);
	return 0;
}

/* The kernel has deleted the entries of a port that is gone. */
static void clear(const struct us_steer_switch *base, const char *name)
{
	int index = name[0] ? if_nametoindex(name) : 0;

	if (index)
		us_fdb_delete(base->mac, index, 0);
}

static int put_back(struct us_steer_switch *base, struct us_reason *reason)
{
	struct bridge *bridge = bridge_of(base);
	struct us_rtnl_error error;

	if (!bridge->is_changed)
		return 0;
	clear(base, base->standby);
	clear(base, base->primary);
	bridge->is_changed = false;
	for (size_t i = 0; i < bridge->original_count; i++) {
		const struct original *original = &bridge->originals[i];
		struct us_fdb_entry entry = original->entry;

		entry.port = if_nametoindex(original->port);
		if (entry.port && us_fdb_put(&entry, &error) < 0)
			return us_refuse(
				reason, "interface %s: its original FDB entry was not restored: %s",
				original->port, error.text);
	}
	return 0;
}

/* An interface that is gone is one without an index. */
static int find_or_none(const char *name, struct us_link *ret_port)
{
	int r = name[0] ? us_link_get(name, ret_port, NULL) : US_REFUSED;

	if (r > 0)
		*ret_port = (struct us_link){ .index = 0 };
	return r < 0 ? r : 0;
}

static int get_path(const struct us_steer_switch *base, int park, enum us_path *ret_path)
{
	struct us_link standby, primary;
	struct us_fdb_entry entry;
	int r;

	*ret_path = US_PATH_NONE;
	r = find_or_none(base->standby, &standby);
	if (r == 0)
		r = find_or_none(base->primary, &primary);
	if (r < 0 || (!standby.master && !primary.master))
		return r;
	r = us_fdb_get(base->mac, standby.master ? standby.master : primary.master, &entry, NULL);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!is_ours(&entry))
		return 0;
	if (entry.port == park)
		*ret_path = US_PATH_PARKED;
	else if (entry.port == standby.index)
		*ret_path = US_PATH_STANDBY;
	else if (entry.port == primary.index)
		*ret_path = US_PATH_PRIMARY;
	return 0;
}

/* ---- The original entries as text ---- */

static int save(const struct us_steer_switch *base, char *ret_text, size_t size)
{
	const struct bridge *bridge = bridge_of(base);
	size_t used = 0;

	if (size == 0)
		return -ENOBUFS;
	ret_text[0] = '\0';
	for (size_t i = 0; i < bridge->original_count; i++) {
		const struct original *original = &bridge->originals[i];
		int n = snprintf(ret_text + used, size - used, "%s%s/%u/%x/%x", i ? " " : "",
				 original->port, original->entry.vlan, original->entry.state,
				 original->entry.flags);

		if (n < 0 || (size_t)n >= size - used)
			return -ENOBUFS;
		used += n;
	}
	return 0;
}

static int restore(struct us_steer_switch *base, const char *text)
{
	struct original originals[ORIGINALS_MAX];
	size_t count = 0;
	int used = 0;

	for (; *text; text += used) {
		unsigned int vlan, state, flags;

		if (count == ORIGINALS_MAX ||
		    sscanf(text, " %15[^/ ]/%u/%x/%x%n", originals[count].port, &vlan, &state,
			   &flags, &used) != 4 ||
		    vlan > 4094 || state > UINT16_MAX || flags > UINT8_MAX)
			return -EBADMSG;
		originals[count].entry =
			(struct us_fdb_entry){ .vlan = vlan, .state = state, .flags = flags };
		memcpy(originals[count++].entry.mac, base->mac, US_MAC_BYTES);
	}
	if (keep(bridge_of(base), originals, count) < 0)
		return -ENOMEM;
	bridge_of(base)->is_changed = true;
	return 0;
}

static const struct us_steer_ops bridge_ops = {
	.free = bridge_free,
	.find_port = us_link_get_bridge_port,
	.check_ports = check_ports,
	.remember = remember,
	.make_park = make_park,
	.direct = direct,
	.verify = verify,
	.clear = clear,
	.put_back = put_back,
	.get_path = get_path,
	.save = save,
	.restore = restore,
};

int us_steer_new_bridge(struct us_steer **ret_steer, const struct us_steer_config *config,
			struct us_reason *reason)
{
	struct bridge *bridge = calloc(1, sizeof(*bridge));

	if (!bridge)
		return -ENOMEM;
	bridge->base.ops = &bridge_ops;
	return us_steer_new(ret_steer, config, &bridge->base, reason);
}
