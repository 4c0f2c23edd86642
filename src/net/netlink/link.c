/* SPDX-License-Identifier: BSD-3-Clause */
/* Interfaces of this host. Caches nothing: indices change when taps are made anew. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "net/netlink/decode.h"
#include "net/netlink/link.h"
#include "net/netlink/rtnl.h"

enum {
	ALT_IFNAME_SIZE = 128, /* ALTIFNAMSIZ of the kernel */
};

static int on_link(const struct nlmsghdr *message, void *userdata)
{
	us_decode_link(message, userdata);
	return MNL_CB_OK;
}

/* Asks for @name, NULL: for @index. */
static int ask(const char *name, int index, struct us_link *ret_link, struct us_rtnl_error *error)
{
	struct us_rtnl_request request = us_rtnl_link_request(RTM_GETLINK, AF_UNSPEC, index);
	struct us_link link = { .index = 0 };
	int r;

	if (name)
		mnl_attr_put_strz(&request.header,
				  strlen(name) < IF_NAMESIZE ? IFLA_IFNAME : IFLA_ALT_IFNAME, name);
	mnl_attr_put_u32(&request.header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = us_rtnl_exchange(&request.header, on_link, &link, error);
	if (r < 0 || link.index == 0)
		return r < 0 ? r : -ENODEV;
	*ret_link = link;
	return 0;
}

int us_link_get(const char *name, struct us_link *ret_link, struct us_reason *reason)
{
	struct us_rtnl_error error = { "" };
	int r;

	if (!name[0] || strlen(name) >= ALT_IFNAME_SIZE)
		return us_refuse(reason, "interface \"%.40s\": is no valid name", name);
	r = ask(name, 0, ret_link, &error);
	if (r == -ENODEV) {
		us_refuse(reason, "interface %s: does not exist", name);
		return us_advise(reason, "create it, or name another one");
	}
	/* These say nothing about the interface. */
	if (r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS || r == -ETIMEDOUT)
		return r;
	if (r < 0)
		return us_refuse(reason, "interface %s: the kernel does not describe it: %s", name,
				 error.text);
	return 0;
}

int us_link_get_bridge_port(const char *name, struct us_link *ret_link, struct us_reason *reason)
{
	int r = us_link_get(name, ret_link, reason);

	if (r != 0 || ret_link->master_is_bridge)
		return r;
	us_refuse(reason, "interface %s: is not a bridge port", name);
	return us_advise(reason, "add it to a bridge");
}

int us_link_filters_vlans(int index, bool *ret_filters)
{
	struct us_link link;
	int r = ask(NULL, index, &link, NULL);

	if (r == 0)
		*ret_filters = link.filters_vlans;
	return r;
}

struct ports {
	int bridge;
	void (*each)(void *userdata, const struct us_link *port);
	void *userdata;
};

static int on_port(const struct nlmsghdr *message, void *userdata)
{
	const struct ports *ports = userdata;
	struct us_link link;

	if (us_decode_link(message, &link) && link.master == ports->bridge)
		ports->each(ports->userdata, &link);
	return MNL_CB_OK;
}

int us_link_each_port(int bridge, void (*each)(void *userdata, const struct us_link *port),
		      void *userdata)
{
	struct us_rtnl_request request = us_rtnl_link_request(RTM_GETLINK, AF_UNSPEC, 0);
	struct ports ports = { bridge, each, userdata };

	request.header.nlmsg_flags = NLM_F_DUMP;
	mnl_attr_put_u32(&request.header, IFLA_MASTER, bridge);
	mnl_attr_put_u32(&request.header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return us_rtnl_exchange(&request.header, on_port, &ports, NULL);
}

static int on_stats(const struct nlmsghdr *message, void *userdata)
{
	us_decode_traffic(message, userdata);
	return MNL_CB_OK;
}

int us_link_get_traffic(int index, struct us_link_traffic *ret_traffic)
{
	const struct if_stats_msg head = { .ifindex = index,
					   .filter_mask =
						   IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64) };
	struct us_rtnl_request request = us_rtnl_request(RTM_GETSTATS, &head, sizeof(head));

	return us_rtnl_exchange(&request.header, on_stats, ret_traffic, NULL);
}
