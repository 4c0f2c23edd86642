/* SPDX-License-Identifier: BSD-3-Clause */
/* Rtnetlink messages to the types of net/netlink/types.h. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "net/netlink/decode.h"

bool us_decode_is_whole(const struct nlmsghdr *message, int left)
{
	/* libmnl reads the last attribute up to the next multiple of four. */
	return left >= (int)sizeof(*message) && message->nlmsg_len >= sizeof(*message) &&
	       message->nlmsg_len <= (unsigned int)left &&
	       MNL_ALIGN(message->nlmsg_len) <= (unsigned int)left;
}

struct table {
	const struct nlattr **attributes;
	uint16_t max;
};

static int collect(const struct nlattr *attribute, void *userdata)
{
	struct table *table = userdata;
	uint16_t type = mnl_attr_get_type(attribute);

	if (type <= table->max)
		table->attributes[type] = attribute;
	return MNL_CB_OK;
}

/* Finds the attributes behind @head bytes. False: the message is shorter. */
static bool parse(const struct nlmsghdr *message, size_t head, const struct nlattr **attributes,
		  uint16_t max)
{
	struct table table = { attributes, max };

	if (mnl_nlmsg_get_payload_len(message) < head)
		return false;
	mnl_attr_parse(message, head, collect, &table);
	return true;
}

/* Whether an attribute is there with at least @size bytes. */
static bool has(const struct nlattr *attribute, size_t size)
{
	return attribute && mnl_attr_get_payload_len(attribute) >= size;
}

static bool is_text(const struct nlattr *attribute, const char *text)
{
	return has(attribute, strlen(text) + 1) &&
	       memcmp(mnl_attr_get_payload(attribute), text, strlen(text) + 1) == 0;
}

static void copy_text(char *buffer, size_t size, const struct nlattr *attribute)
{
	int length = mnl_attr_get_payload_len(attribute);

	snprintf(buffer, size, "%.*s", length, (const char *)mnl_attr_get_payload(attribute));
}

/* The attributes follow the request's header (NETLINK_CAP_ACK) or the whole request. */
static void decode_text(const struct nlmsghdr *message, char *ret_text, size_t size)
{
	const struct nlattr *attributes[NLMSGERR_ATTR_MAX + 1] = { NULL };
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
	size_t offset = sizeof(*error);

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(message->nlmsg_flags & NLM_F_CAPPED)) {
		if (error->msg.nlmsg_len < sizeof(error->msg) ||
		    error->msg.nlmsg_len > message->nlmsg_len)
			return;
		offset += mnl_nlmsg_get_payload_len(&error->msg);
	}
	if (parse(message, offset, attributes, NLMSGERR_ATTR_MAX) && attributes[NLMSGERR_ATTR_MSG])
		copy_text(ret_text, size, attributes[NLMSGERR_ATTR_MSG]);
}

int us_decode_error(const struct nlmsghdr *message, char *ret_text, size_t size)
{
	const int *error = mnl_nlmsg_get_payload(message);
	size_t length = mnl_nlmsg_get_payload_len(message);

	ret_text[0] = '\0';
	if (message->nlmsg_type == NLMSG_ERROR && length >= sizeof(struct nlmsgerr))
		decode_text(message, ret_text, size);
	else if (message->nlmsg_type == NLMSG_ERROR || length < sizeof(*error))
		return -EBADMSG;
	return *error > 0 || *error < -4095 ? -EBADMSG : *error;
}

static bool is_off(const struct nlattr *attribute)
{
	return has(attribute, 1) && mnl_attr_get_u8(attribute) == 0;
}

/* IFLA_INFO_SLAVE_DATA of a bridge's port. */
static void decode_port(const struct nlattr *data, struct us_link *ret_link)
{
	const struct nlattr *attributes[IFLA_BRPORT_UNICAST_FLOOD + 1] = { NULL };
	struct table table = { attributes, IFLA_BRPORT_UNICAST_FLOOD };

	mnl_attr_parse_nested(data, collect, &table);
	ret_link->is_fixed = is_off(attributes[IFLA_BRPORT_LEARNING]) &&
			     is_off(attributes[IFLA_BRPORT_UNICAST_FLOOD]);
}

/* IFLA_LINKINFO: the kind of interface, and of its master. */
static void decode_info(const struct nlattr *info, struct us_link *ret_link)
{
	const struct nlattr *attributes[IFLA_INFO_SLAVE_DATA + 1] = { NULL };
	const struct nlattr *bridge[IFLA_BR_VLAN_FILTERING + 1] = { NULL };
	struct table table = { attributes, IFLA_INFO_SLAVE_DATA };
	struct table bridge_table = { bridge, IFLA_BR_VLAN_FILTERING };

	mnl_attr_parse_nested(info, collect, &table);
	ret_link->master_is_bridge = is_text(attributes[IFLA_INFO_SLAVE_KIND], "bridge");
	if (ret_link->master_is_bridge && attributes[IFLA_INFO_SLAVE_DATA])
		decode_port(attributes[IFLA_INFO_SLAVE_DATA], ret_link);
	ret_link->is_tun = is_text(attributes[IFLA_INFO_KIND], "tun");
	if (!is_text(attributes[IFLA_INFO_KIND], "bridge") || !attributes[IFLA_INFO_DATA])
		return;
	mnl_attr_parse_nested(attributes[IFLA_INFO_DATA], collect, &bridge_table);
	if (has(bridge[IFLA_BR_VLAN_FILTERING], 1))
		ret_link->filters_vlans = mnl_attr_get_u8(bridge[IFLA_BR_VLAN_FILTERING]) != 0;
}

bool us_decode_link(const struct nlmsghdr *message, struct us_link *ret_link)
{
	const struct nlattr *attributes[IFLA_MAX + 1] = { NULL };
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type != RTM_NEWLINK ||
	    !parse(message, sizeof(*head), attributes, IFLA_MAX) ||
	    !has(attributes[IFLA_IFNAME], 2) || !has(attributes[IFLA_MTU], 4))
		return false;

	*ret_link = (struct us_link){ .index = head->ifi_index,
				      .is_up = head->ifi_flags & IFF_UP,
				      .mtu = mnl_attr_get_u32(attributes[IFLA_MTU]) };
	copy_text(ret_link->name, sizeof(ret_link->name), attributes[IFLA_IFNAME]);
	if (has(attributes[IFLA_ADDRESS], sizeof(ret_link->mac)))
		memcpy(ret_link->mac, mnl_attr_get_payload(attributes[IFLA_ADDRESS]),
		       sizeof(ret_link->mac));
	if (has(attributes[IFLA_MASTER], 4))
		ret_link->master = mnl_attr_get_u32(attributes[IFLA_MASTER]);
	if (attributes[IFLA_LINKINFO])
		decode_info(attributes[IFLA_LINKINFO], ret_link);
	return true;
}

bool us_decode_traffic(const struct nlmsghdr *message, struct us_link_traffic *ret_traffic)
{
	const struct nlattr *attributes[IFLA_STATS_MAX + 1] = { NULL };
	struct rtnl_link_stats64 stats = { 0 };

	/* Newer kernels send a longer struct. */
	if (message->nlmsg_type != RTM_NEWSTATS ||
	    !parse(message, sizeof(struct if_stats_msg), attributes, IFLA_STATS_MAX) ||
	    !has(attributes[IFLA_STATS_LINK_64], offsetof(struct rtnl_link_stats64, multicast)))
		return false;
	memcpy(&stats, mnl_attr_get_payload(attributes[IFLA_STATS_LINK_64]),
	       offsetof(struct rtnl_link_stats64, multicast));
	*ret_traffic =
		(struct us_link_traffic){ stats.tx_packets, stats.tx_dropped, stats.rx_packets };
	return true;
}

static bool decode_entry(const struct nlmsghdr *message, struct us_fdb_entry *ret_entry)
{
	const struct nlattr *attributes[NDA_MAX + 1] = { NULL };
	const struct ndmsg *head = mnl_nlmsg_get_payload(message);

	if (!parse(message, sizeof(*head), attributes, NDA_MAX) || head->ndm_family != AF_BRIDGE ||
	    head->ndm_flags & NTF_SELF || !has(attributes[NDA_LLADDR], sizeof(ret_entry->mac)))
		return false;

	*ret_entry = (struct us_fdb_entry){ .port = head->ndm_ifindex,
					    .state = head->ndm_state,
					    .flags = head->ndm_flags };
	memcpy(ret_entry->mac, mnl_attr_get_payload(attributes[NDA_LLADDR]),
	       sizeof(ret_entry->mac));
	if (has(attributes[NDA_VLAN], 2))
		ret_entry->vlan = mnl_attr_get_u16(attributes[NDA_VLAN]);
	return true;
}

bool us_decode_fdb(const struct nlmsghdr *message, struct us_fdb_entry *ret_entry)
{
	return message->nlmsg_type == RTM_NEWNEIGH && decode_entry(message, ret_entry);
}

bool us_decode_fdb_change(const struct nlmsghdr *message, struct us_fdb_entry *ret_entry)
{
	return (message->nlmsg_type == RTM_NEWNEIGH || message->nlmsg_type == RTM_DELNEIGH) &&
	       decode_entry(message, ret_entry);
}

bool us_decode_link_change(const struct nlmsghdr *message, char ret_name[IF_NAMESIZE])
{
	const struct nlattr *attributes[IFLA_IFNAME + 1] = { NULL };

	if ((message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) ||
	    !parse(message, sizeof(struct ifinfomsg), attributes, IFLA_IFNAME) ||
	    !has(attributes[IFLA_IFNAME], 2))
		return false;
	copy_text(ret_name, IF_NAMESIZE, attributes[IFLA_IFNAME]);
	return true;
}
