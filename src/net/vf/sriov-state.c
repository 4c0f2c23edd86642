/* SPDX-License-Identifier: BSD-3-Clause */
/* Attributes of VFs in rtnetlink messages. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "net/vf/sriov-state.h"
#include "util/mac.h"

/* Copies the struct out of an attribute, if it is whole. */
static bool take(const struct nlattr *attribute, void *ret_value, size_t size)
{
	if (mnl_attr_get_payload_len(attribute) < size)
		return false;
	memcpy(ret_value, mnl_attr_get_payload(attribute), size);
	return true;
}

static void take_vlans(const struct nlattr *list, struct us_sriov_state *state)
{
	const struct nlattr *attribute;
	struct ifla_vf_vlan_info info;

	mnl_attr_for_each_nested(attribute, list)
	{
		if (mnl_attr_get_type(attribute) != IFLA_VF_VLAN_INFO ||
		    !take(attribute, &info, sizeof(info)))
			continue;
		state->vlan = info.vlan;
		state->qos = info.qos;
		state->vlan_protocol = info.vlan_proto;
		return; /* no driver has more than one */
	}
}

static void take_attribute(const struct nlattr *attribute, struct us_sriov_state *state)
{
	struct ifla_vf_spoofchk spoof_check;
	struct ifla_vf_trust trust;
	struct ifla_vf_rate rate;

	switch (mnl_attr_get_type(attribute)) {
	case IFLA_VF_VLAN_LIST:
		take_vlans(attribute, state);
		break;
	case IFLA_VF_SPOOFCHK:
		if (take(attribute, &spoof_check, sizeof(spoof_check)))
			state->spoof_check = spoof_check.setting;
		break;
	case IFLA_VF_TRUST:
		if (take(attribute, &trust, sizeof(trust)))
			state->trust = trust.setting;
		break;
	case IFLA_VF_RATE:
		if (take(attribute, &rate, sizeof(rate))) {
			state->min_rate = rate.min_tx_rate;
			state->max_rate = rate.max_tx_rate;
		}
		break;
	}
}

/* One IFLA_VF_INFO. Its MAC attribute has the VF's index. */
static bool take_vf(const struct nlattr *info, unsigned index, struct us_sriov_state *ret_state)
{
	struct us_sriov_state state = { .spoof_check = US_SRIOV_UNKNOWN,
					.trust = US_SRIOV_UNKNOWN };
	const struct nlattr *attribute;
	struct ifla_vf_mac mac;
	bool found = false;

	mnl_attr_for_each_nested(attribute, info)
	{
		if (mnl_attr_get_type(attribute) != IFLA_VF_MAC) {
			take_attribute(attribute, &state);
		} else if (take(attribute, &mac, sizeof(mac)) && mac.vf == index) {
			memcpy(state.mac, mac.mac, sizeof(state.mac));
			found = true;
		}
	}
	if (found)
		*ret_state = state;
	return found;
}

bool us_sriov_state_decode(const struct nlmsghdr *message, unsigned index,
			   struct us_sriov_state *ret_state)
{
	const struct nlattr *attribute, *info;

	if (message->nlmsg_type != RTM_NEWLINK ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(struct ifinfomsg))
		return false;
	mnl_attr_for_each(attribute, message, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attribute) != IFLA_VFINFO_LIST)
			continue;
		mnl_attr_for_each_nested(
			info, attribute) if (take_vf(info, index, ret_state)) return true;
	}
	return false;
}

struct answer {
	unsigned index;
	struct us_sriov_state *state;
	bool found;
};

static int on_link(const struct nlmsghdr *message, void *userdata)
{
	struct answer *answer = userdata;

	answer->found |= us_sriov_state_decode(message, answer->index, answer->state);
	return MNL_CB_OK;
}

int us_sriov_get(int port, unsigned index, struct us_sriov_state *ret_state,
		 struct us_rtnl_error *ret_error)
{
	struct us_rtnl_request request = us_rtnl_link_request(RTM_GETLINK, AF_UNSPEC, port);
	struct answer answer = { index, ret_state, false };
	int r;

	mnl_attr_put_u32(&request.header, IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS);
	r = us_rtnl_exchange(&request.header, on_link, &answer, ret_error);
	if (r == 0 && !answer.found) {
		r = -ENODEV;
		if (ret_error)
			snprintf(ret_error->text, sizeof(ret_error->text), "the VF does not exist");
	}
	return r;
}

int us_sriov_set(int port, unsigned short attribute, const void *value, size_t size,
		 struct us_rtnl_error *ret_error)
{
	struct us_rtnl_request request = us_rtnl_link_request(RTM_SETLINK, AF_UNSPEC, port);
	struct nlattr *list, *info;

	list = mnl_attr_nest_start(&request.header, IFLA_VFINFO_LIST);
	info = mnl_attr_nest_start(&request.header, IFLA_VF_INFO);
	mnl_attr_put(&request.header, attribute, size, value);
	mnl_attr_nest_end(&request.header, info);
	mnl_attr_nest_end(&request.header, list);
	return us_rtnl_exchange(&request.header, NULL, NULL, ret_error);
}

int us_sriov_state_format(const struct us_sriov_state *state, char *ret_text, size_t size)
{
	int n = snprintf(ret_text, size, "%s/%u/%u/%u/%u/%u/%u/%u", us_mac_text(state->mac).text,
			 state->vlan, state->qos, state->vlan_protocol, state->min_rate,
			 state->max_rate, state->spoof_check, state->trust);

	return n < 0 || (size_t)n >= size ? -ENOBUFS : 0;
}

int us_sriov_state_parse(const char *text, struct us_sriov_state *ret_state)
{
	struct us_sriov_state state;
	const char *rest = us_mac_read(text, state.mac);
	int end = 0;

	if (!rest ||
	    sscanf(rest, "/%u/%u/%u/%u/%u/%u/%u%n", &state.vlan, &state.qos, &state.vlan_protocol,
		   &state.min_rate, &state.max_rate, &state.spoof_check, &state.trust, &end) != 7 ||
	    rest[end])
		return -EBADMSG;
	*ret_state = state;
	return 0;
}
