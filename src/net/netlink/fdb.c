/* SPDX-License-Identifier: BSD-3-Clause */
/* The forwarding database of Linux bridges: requests and their answers. */
#include <errno.h>
#include <linux/neighbour.h>
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

struct search {
	const uint8_t *mac;
	struct us_fdb_entry *entries;
	size_t max, count;
};

static struct nlmsghdr *request_new(char *buffer, uint16_t type, const struct ndmsg *head,
				    const uint8_t *mac)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

	request->nlmsg_type = type;
	memcpy(mnl_nlmsg_put_extra_header(request, sizeof(*head)), head, sizeof(*head));
	if (mac)
		mnl_attr_put(request, NDA_LLADDR, 6, mac);
	return request;
}

static int change(uint16_t type, uint16_t flags, const struct us_fdb_entry *entry,
		  struct us_rtnl_error *ret_error)
{
	char buffer[US_RTNL_REQUEST_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct ndmsg head = { .ndm_family = AF_BRIDGE,
				    .ndm_ifindex = entry->port,
				    .ndm_state = entry->state,
				    .ndm_flags = entry->flags };
	struct nlmsghdr *request = request_new(buffer, type, &head, entry->mac);

	request->nlmsg_flags = flags;
	if (entry->vlan)
		mnl_attr_put_u16(request, NDA_VLAN, entry->vlan);
	return us_rtnl_exchange(request, NULL, NULL, ret_error);
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

/* Reads the whole table of a bridge; 0: of every bridge. */
static int dump(int bridge, mnl_cb_t each, void *userdata)
{
	char buffer[US_RTNL_REQUEST_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct ndmsg head = { .ndm_family = AF_BRIDGE };
	struct nlmsghdr *request = request_new(buffer, RTM_GETNEIGH, &head, NULL);

	request->nlmsg_flags = NLM_F_DUMP;
	if (bridge)
		mnl_attr_put_u32(request, NDA_MASTER, bridge);
	return us_rtnl_exchange(request, each, userdata, NULL);
}

static int on_entry(const struct nlmsghdr *message, void *userdata)
{
	struct search *search = userdata;
	struct us_fdb_entry entry;

	if (!us_decode_fdb(message, &entry) || memcmp(entry.mac, search->mac, 6) != 0)
		return MNL_CB_OK;
	if (search->count == search->max) {
		errno = ENOSPC;
		return MNL_CB_ERROR;
	}
	search->entries[search->count++] = entry;
	return MNL_CB_OK;
}

struct walk {
	void (*each)(void *userdata, const struct us_fdb_entry *entry);
	void *userdata;
	size_t count;
};

static int on_each(const struct nlmsghdr *message, void *userdata)
{
	struct walk *walk = userdata;
	struct us_fdb_entry entry;

	if (!us_decode_fdb(message, &entry))
		return MNL_CB_OK;
	if (walk->count++ == EACH_MAX) {
		errno = E2BIG;
		return MNL_CB_ERROR;
	}
	walk->each(walk->userdata, &entry);
	return MNL_CB_OK;
}

int us_fdb_each(int bridge, void (*each)(void *userdata, const struct us_fdb_entry *entry),
		void *userdata)
{
	struct walk walk = { .each = each, .userdata = userdata };

	return dump(bridge, on_each, &walk);
}

int us_fdb_get(const uint8_t mac[6], int bridge, struct us_fdb_entry *ret_entry,
	       struct us_rtnl_error *ret_error)
{
	char buffer[US_RTNL_REQUEST_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct ndmsg head = { .ndm_family = AF_BRIDGE, .ndm_flags = NTF_MASTER };
	struct nlmsghdr *request = request_new(buffer, RTM_GETNEIGH, &head, mac);
	struct search search = { .mac = mac, .entries = ret_entry, .max = 1 };
	int r;

	mnl_attr_put_u32(request, NDA_MASTER, bridge);
	r = us_rtnl_exchange(request, on_entry, &search, ret_error);
	return r < 0 ? r : search.count ? 0 : -ENOENT;
}

int us_fdb_find(const uint8_t mac[6], int bridge, struct us_fdb_entry *ret_entries, size_t max,
		size_t *ret_count)
{
	int r = 0;

	for (int i = 0; i < FIND_TRIES; i++) {
		struct search search = { .mac = mac, .entries = ret_entries, .max = max };

		r = dump(bridge, on_entry, &search);
		*ret_count = search.count;
		if (r != -EINTR && r != -ENOBUFS)
			break;
	}
	return r;
}
