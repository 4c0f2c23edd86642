/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The laboratory's network: two hosts and a client on one learning switch, each in a network
 * namespace or, for a host, in a machine. Every host has a bridge br0 with an uplink and, for each
 * of the guest's NICs, a persistent tap for the standby and one for the primary.
 */
#pragma once

#include "lab/world/lab.h"
#include "util/error.h"

#define US_LAB_NET_CLIENT "10.83.0.9"
#define US_LAB_NET_CLIENT_MAC "52:54:00:83:ff:09"
#define US_LAB_NET_NICS 2

/* The names and addresses of one of the guest's NICs. */
struct us_lab_net_nic {
	const char *pair, *standby, *standby_port, *primary_port;
	const char *mac, *address;
	const char *client; /* the client's address in the NIC's subnet */
	uint16_t port;	    /* of its beacon, UDP and TCP */
};
extern const struct us_lab_net_nic us_lab_net_nics[US_LAB_NET_NICS];

/* Deletes the namespaces, and makes them again with the switch and the bridges. */
int us_lab_net_up(struct us_lab *lab, struct us_reason *reason);
/* Deletes the namespaces that exist. */
void us_lab_net_down(struct us_lab *lab);
bool us_lab_net_is_up(const struct us_lab *lab);

/* The switch keeps sending frames for the first NIC to host-a, whatever it sees; or learns again.
 * Return the exit status of bridge(8), or a negative errno. */
int us_lab_net_switch_keep(struct us_lab *lab);
int us_lab_net_switch_learn(struct us_lab *lab);

/* Frames that the host sent out of @port (of a tap: frames to the guest), or a negative errno. */
int64_t us_lab_net_frames_out(const struct us_lab *lab, enum us_lab_host host, const char *port);
