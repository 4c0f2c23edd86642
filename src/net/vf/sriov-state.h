/* SPDX-License-Identifier: BSD-3-Clause */
/* The settings of one VF on its PF (IFLA_VFINFO_LIST of RTM_GETLINK): decoded, set, and as text. */
#pragma once

#include "net/netlink/rtnl.h"

enum {
	US_SRIOV_UNKNOWN = UINT32_MAX, /* the driver does not report it */
	US_SRIOV_TEXT_SIZE = 96,
};

struct us_sriov_state {
	uint8_t mac[6];
	uint32_t vlan, qos, vlan_protocol; /* the last in network byte order */
	uint32_t min_rate, max_rate;	   /* Mbit/s, 0: no limit */
	uint32_t spoof_check, trust;	   /* 0, 1 or US_SRIOV_UNKNOWN */
};

/* Decodes an RTM_NEWLINK; any bytes may come in. False: it has nothing about the VF. */
bool us_sriov_state_decode(const struct nlmsghdr *message, unsigned index,
			   struct us_sriov_state *ret_state);

/* @port is the index of the PF's interface. 0, -ENODEV: no such VF, or another negative errno. */
int us_sriov_get(int port, unsigned index, struct us_sriov_state *ret_state,
		 struct us_rtnl_error *ret_error);

/* Sets @attribute, an IFLA_VF_..., to its struct, which begins with the VF's index. */
int us_sriov_set(int port, unsigned short attribute, const void *value, size_t size,
		 struct us_rtnl_error *ret_error);

/* -ENOBUFS: @size is too small; US_SRIOV_TEXT_SIZE is enough. -EBADMSG: the text is malformed. */
int us_sriov_state_format(const struct us_sriov_state *state, char *ret_text, size_t size);
int us_sriov_state_parse(const char *text, struct us_sriov_state *ret_state);
