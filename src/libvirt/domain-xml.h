/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libvirt's XML of a domain (https://libvirt.org/formatdomain.html): what the helper reads from it.
 * Pure: text in, values out.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "util/error.h"

/* The namespace of Understudy's element in the <metadata> of a domain. */
#define US_DECLARATION_URI "urn:understudy:pairs:1"

enum {
	US_DECLARED_PAIRS_MAX = 64, /* of one domain */
};

/*
 * Reads the <interface> whose alias is @id: {"mac", "interface" (the tap), "queues", "mtu" (0: not
 * set), "failover" (it has <teaming type='persistent'/>), "bus"}. Returns NULL with @reason if
 * there is none, or if it is no virtio-net device.
 */
json_t *us_domain_xml_standby(const char *xml, const char *id, struct us_reason *reason);

/*
 * Whether the <interface> with the alias @id can be a standby: it is virtio and has <teaming
 * type='persistent'/>. libvirt gives aliases to a domain when it starts; before, netN is the
 * interface number N that has no alias of its own. Returns 0 or US_REFUSED.
 */
int us_domain_xml_check_standby(const char *xml, const char *id, bool is_running,
				struct us_reason *reason);

/*
 * Reads a declaration, the element <pairs> of US_DECLARATION_URI: an array of objects, one for each
 * <pair>, with its attributes as texts. Returns NULL with @reason if it is no valid declaration.
 */
json_t *us_domain_xml_pairs(const char *xml, struct us_reason *reason);

/* The number of the bus behind the PCI controller with the alias @id; -1: there is none. */
int us_domain_xml_bus(const char *xml, const char *id);
