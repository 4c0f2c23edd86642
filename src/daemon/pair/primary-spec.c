/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a SPEC, and checks what does not depend on other pairs. */
#include <string.h>

#include "daemon/pair/spec.h"
#include "net/netlink/link.h"

/* Cuts @text, "MODEL,port=IFNAME[,mac=MAC]", into its words. */
static int parse_emulated(char *text, struct us_primary_spec *spec, struct us_reason *reason)
{
	char *rest = NULL, *word = strtok_r(text, ",", &rest);

	if (!word || !us_name_is_valid(word) || strlen(word) >= sizeof(spec->model)) {
		us_refuse(reason, "primary %s: it names no model of a NIC", spec->text);
		return us_advise(reason, "emulated:MODEL,port=IFNAME");
	}
	strcpy(spec->model, word);
	while ((word = strtok_r(NULL, ",", &rest))) {
		if (strncmp(word, "port=", 5) == 0 && strlen(word + 5) < sizeof(spec->port)) {
			strcpy(spec->port, word + 5);
		} else if (strncmp(word, "mac=", 4) == 0 &&
			   us_mac_parse(word + 4, spec->mac) == 0) {
			spec->has_mac = true;
		} else {
			us_refuse(reason, "primary %s: \"%s\" is not understood", spec->text, word);
			return us_advise(reason, "emulated:MODEL,port=IFNAME[,mac=MAC]");
		}
	}
	if (spec->port[0])
		return 0;
	us_refuse(reason, "primary %s: it names no tap", spec->text);
	return us_advise(reason, "emulated:%s,port=IFNAME", spec->model);
}

int us_primary_spec_parse(const char *text, struct us_primary_spec *ret_spec,
			  struct us_reason *reason)
{
	char copy[sizeof(ret_spec->text)];

	*ret_spec = (struct us_primary_spec){ 0 };
	if (strlen(text) >= sizeof(ret_spec->text)) {
		us_refuse(reason, "primary: a SPEC of %zu characters is too long", strlen(text));
		return us_advise(reason, "pool:NAME, vfio:ADDRESS or emulated:MODEL,port=IFNAME");
	}
	strcpy(ret_spec->text, text);
	strcpy(copy, text);

	if (strncmp(copy, "emulated:", 9) == 0)
		return parse_emulated(copy + 9, ret_spec, reason);
	strcpy(ret_spec->model, "vfio-pci");
	if (strncmp(copy, "pool:", 5) == 0 && copy[5] &&
	    strlen(copy + 5) < sizeof(ret_spec->pool)) {
		strcpy(ret_spec->pool, copy + 5);
		return 0;
	}
	if (strncmp(copy, "vfio:", 5) == 0 && strlen(copy + 5) < sizeof(ret_spec->host)) {
		strcpy(ret_spec->host, copy + 5);
		return 0;
	}
	us_refuse(reason, "primary %s: it names no pool, VFIO device or emulated NIC", text);
	return us_advise(reason, "pool:NAME, vfio:ADDRESS as in vfio:0000:5e:00.2, or "
				 "emulated:MODEL,port=IFNAME");
}

bool us_primary_spec_is_vfio(const struct us_primary_spec *spec)
{
	return spec->pool[0] || spec->host[0];
}

int us_primary_spec_check_mac(const struct us_primary_spec *spec, const char *pair_name,
			      const uint8_t mac[US_MAC_BYTES], struct us_reason *reason)
{
	if (!spec->has_mac || memcmp(spec->mac, mac, US_MAC_BYTES) == 0)
		return 0;
	us_refuse(reason,
		  "pair %s: the primary's MAC %s is not the standby's %s: the guest would not join "
		  "them",
		  pair_name, us_mac_text(spec->mac).text, us_mac_text(mac).text);
	return us_advise(reason, "give it the standby's");
}

int us_primary_spec_check_port(const struct us_primary_spec *spec, const char *standby_port,
			       struct us_reason *reason)
{
	struct us_link standby, primary;
	int r;

	if (!standby_port[0])
		return 0;
	r = us_link_get(standby_port, &standby, reason);
	if (r == 0)
		r = us_link_get(spec->port, &primary, reason);
	if (r != 0)
		return r;
	if (primary.index == standby.index) {
		us_refuse(reason, "primary %s: %s is the standby's own port", spec->text,
			  standby_port);
		return us_advise(reason, "name another");
	}
	if (!primary.master || primary.master != standby.master) {
		us_refuse(reason, "primary %s: %s is no port of the bridge that %s is in",
			  spec->text, spec->port, standby_port);
		return us_advise(reason, "ip link set %s master BRIDGE", spec->port);
	}
	if (primary.mtu == standby.mtu)
		return 0;
	us_refuse(reason,
		  "primary %s: MTU %u of %s is not MTU %u of %s: the guest would not join "
		  "them",
		  spec->text, primary.mtu, spec->port, standby.mtu, standby_port);
	return us_advise(reason, "set both to the same");
}

int us_port_resolve(char port[IF_NAMESIZE], struct us_reason *reason)
{
	struct us_link link;
	int r = us_link_get(port, &link, reason);

	if (r == 0)
		memcpy(port, link.name, IF_NAMESIZE);
	return r;
}
