/* SPDX-License-Identifier: BSD-3-Clause */
/* What rtnetlink messages are decoded to: interfaces, their counters, and FDB entries. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A network interface of this host (RTM_GETLINK). */
struct us_link {
	int index;
	int master; /* index of the bridge that it is a port of, 0: of none */
	bool master_is_bridge;
	bool is_up;
	bool filters_vlans; /* it is a bridge that does */
	bool is_fixed;	    /* as a port it neither learns addresses nor is flooded */
	bool is_tun;	    /* a tap, which counts a frame as sent when the VM has read it */
	uint32_t mtu;
	uint8_t mac[6];
	char name[IF_NAMESIZE];
};

/* Counters of an interface (RTM_GETSTATS), in frames since it was made. */
struct us_link_traffic {
	uint64_t sent, dropped, received;
};

/* An entry of a bridge's forwarding database. */
struct us_fdb_entry {
	uint8_t mac[6];
	int port;	/* index of the interface that frames go to */
	uint16_t vlan;	/* 0: the entry for frames without a VLAN */
	uint16_t state; /* NUD_PERMANENT: the host's own; NUD_NOARP: static; otherwise learned */
	uint8_t flags;	/* NTF_STICKY and others */
};
