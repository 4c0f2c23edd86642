/* SPDX-License-Identifier: BSD-3-Clause */
/* The forwarding database of Linux bridges: requests and their answers. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "net/netlink/decode.h"
#include "net/netlink/fdb.h"

enum {
	FIND_TRIES = 3, /* of a dump that a change overtakes */
	/* A guest can make a bridge learn a million entries; a dump of these takes half a minute.
	 */
	EACH_MAX = 32768,
};

/* Entries for one MAC address are kept; each one of all is reported. */
struct search {
	const uint8_t *mac; /* NULL: all entries */
	struct us_fdb_entry *entries;
	void (*each)(void *userdata, const struct us_fdb_entry *entry);
	void *userdata;
	size_t max, count;
};

static int change(uint16_t type, uint16_t flags, const struct us_fdb_entry *entry,
		  struct us_rtnl_error *ret_error)
{
	const struct ndmsg head = { .ndm_family = AF_BRIDGE,
				    .ndm_ifindex = entry->port,
				    .ndm_state = entry->state,
				    .ndm_flags = entry->flags };
	struct us_rtnl_request request = us_rtnl_request(type, &head, sizeof(head));

	request.header.nlmsg_flags = flags;
	mnl_attr_put(&request.header, NDA_LLADDR, sizeof(entry->mac), entry->mac);
	if (entry->vlan)
		mnl_attr_put_u16(&request.header, NDA_VLAN, entry->vlan);
	return us_rtnl_exchange(&request.header, NULL, NULL, ret_error);
}

int us_fdb_put(const struct us_fdb_entry *entry, struct us_rtnl_error *ret_error)
{
	struct us_fdb_entry wanted = *entry;

	wanted.flags |= NTF_MASTER;
	return change(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &wanted, ret_error);
}

int us_fdb_delete(const uint8_t mac[6], int port, uint16_t vlan)
{
	struct us_fdb_entry entry = { .port = port, .vlan = vlan, .flags = NTF_MASTER };

	memcpy(entry.mac, mac, sizeof(entry.mac));
	return change(RTM_DELNEIGH, 0, &entry, NULL);
}

int us_fdb_listen(const uint8_t mac[6], int port, bool on, struct us_rtnl_error *ret_error)
{
	struct us_fdb_entry entry = { .port = port, .state = NUD_PERMANENT, .flags = NTF_SELF };
	int r;

	memcpy(entry.mac, mac, sizeof(entry.mac));
	r = change(on ? RTM_NEWNEIGH : RTM_DELNEIGH, on ? NLM_F_CREATE : 0, &entry, ret_error);
	return r == (on ? -EEXIST : -ENOENT) ? 0 : r;
}

static int on_entry(const struct nlmsghdr *message, void *userdata)
{
	struct search *search = userdata;
	struct us_fdb_entry entry;

	if (!us_decode_fdb(message, &entry) ||
	    (search->mac && memcmp(entry.mac, search->mac, sizeof(entry.mac)) != 0))
		return MNL_CB_OK;
	if (search->count == search->max) {
		errno = search->mac ? ENOSPC : E2BIG;
		return MNL_CB_ERROR;
	}
	if (search->mac)
		search->entries[search->count] = entry;
	else
		search->each(search->userdata, &entry);
	search->count++;
	return MNL_CB_OK;
}

/* Reads the whole table of a bridge; 0: of every bridge. */
static int dump(int bridge, struct search *search)
{
	const struct ndmsg head = { .ndm_family = AF_BRIDGE };
	struct us_rtnl_request request = us_rtnl_request(RTM_GETNEIGH, &head, sizeof(head));

	request.header.nlmsg_flags = NLM_F_DUMP;
	if (bridge)
		mnl_attr_put_u32(&request.header, NDA_MASTER, bridge);
	return us_rtnl_exchange(&request.header, on_entry, search, NULL);
}

int us_fdb_each(int bridge, void (*each)(void *userdata, const struct us_fdb_entry *entry),
		void *userdata)
{
	struct search search = { .each = each, .userdata = userdata, .max = EACH_MAX };

	return dump(bridge, &search);
}

int us_fdb_get(const uint8_t mac[6], int bridge, struct us_fdb_entry *ret_entry,
	       struct us_rtnl_error *ret_error)
{
	const struct ndmsg head = { .ndm_family = AF_BRIDGE, .ndm_flags = NTF_MASTER };
	struct us_rtnl_request request = us_rtnl_request(RTM_GETNEIGH, &head, sizeof(head));
	struct search search = { .mac = mac, .entries = ret_entry, .max = 1 };
	int r;

	mnl_attr_put(&request.header, NDA_LLADDR, 6, mac);
	mnl_attr_put_u32(&request.header, NDA_MASTER, bridge);
	r = us_rtnl_exchange(&request.header, on_entry, &search, ret_error);
	return r < 0 ? r : search.count ? 0 : -ENOENT;
}

int us_fdb_find(const uint8_t mac[6], int bridge, struct us_fdb_entry *ret_entries, size_t max,
		size_t *ret_count)
{
	int r = 0;

	for (int i = 0; i < FIND_TRIES; i++) {
		struct search search = { .mac = mac, .entries = ret_entries, .max = max };

		r = dump(bridge, &search);
		*ret_count = search.count;
		if (r != -EINTR && r != -ENOBUFS)
			break;
	}
	return r;
}
