/* SPDX-License-Identifier: BSD-3-Clause */
/* A VF's settings on its PF: changed, proved by reading them back, and put back. */
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net/netlink/fdb.h"
#include "net/netlink/link.h"
#include "net/vf/sriov-state.h"
#include "net/vf/sriov.h"

struct us_sriov {
	char port[IF_NAMESIZE];
	unsigned index;
	bool has_representor;
	bool is_shown, is_told, cannot_listen;
	uint8_t mac[6], dummy[6], told[6]; /* the last: that it is to have now */
	struct us_sriov_state found;
};

static int refuse(const struct us_sriov *sriov, const char *what, const char *words,
		  struct us_reason *reason)
{
	return us_refuse(reason, "interface %s: VF %u: %s: %s", sriov->port, sriov->index, what,
			 words);
}

/* Nothing tells when a VF's reset is over, but that it ends soon. */
static void pause_for_reset(void)
{
	const struct timespec pause = { .tv_nsec = US_SRIOV_PAUSE_USEC * 1000 };

	nanosleep(&pause, NULL);
}

static int set_waiting(int port, unsigned short attribute, const void *value, size_t size,
		       struct us_rtnl_error *words)
{
	int r = us_sriov_set(port, attribute, value, size, words);

	for (int i = 1; i < US_SRIOV_TRIES && r == -EAGAIN; i++) {
		pause_for_reset();
		r = us_sriov_set(port, attribute, value, size, words);
	}
	return r;
}

/* Setting it resets the VF of many a card, also to what it is. */
static int set_mac(struct us_sriov *sriov, int port, const uint8_t mac[6], struct us_reason *reason)
{
	struct ifla_vf_mac value = { .vf = sriov->index };
	struct us_sriov_state state;
	struct us_rtnl_error words;
	int r = us_sriov_get(port, sriov->index, &state, &words);

	memcpy(value.mac, mac, sizeof(sriov->mac));
	if (r == 0 && memcmp(state.mac, mac, sizeof(state.mac)) != 0) {
		r = us_sriov_set(port, IFLA_VF_MAC, &value, sizeof(value), &words);
		if (r == 0)
			r = us_sriov_get(port, sriov->index, &state, &words);
	}
	if (r < 0)
		refuse(sriov, "its MAC address cannot be set", words.text, reason);
	if (r < 0)
		return r == -EAGAIN ? US_SRIOV_AGAIN : US_REFUSED;
	if (memcmp(state.mac, mac, sizeof(state.mac)) != 0)
		return refuse(sriov, "its MAC address cannot be set",
			      "the PF took it but has another", reason);
	memcpy(sriov->told, mac, sizeof(sriov->told));
	sriov->is_told = true;
	return 0;
}

static int get_port(const struct us_sriov *sriov, int *ret_port, struct us_reason *reason)
{
	struct us_link link;
	int r = us_link_get(sriov->port, &link, reason);

	if (r == 0)
		*ret_port = link.index;
	return r;
}

/* The last bytes of the PF's address and the VF's number: unique on a network, like the PF's. */
static void make_dummy(struct us_sriov *sriov, const struct us_link *port)
{
	sriov->dummy[0] = 0x02;
	memcpy(sriov->dummy + 1, port->mac + 3, 3);
	sriov->dummy[4] = sriov->index >> 8;
	sriov->dummy[5] = sriov->index;
}

static int find(struct us_sriov *sriov, const char *found, struct us_reason *reason)
{
	struct us_rtnl_error words;
	struct us_link link;
	int r = us_link_get(sriov->port, &link, reason);

	if (r != 0)
		return r;
	make_dummy(sriov, &link);
	if (us_sriov_get(link.index, sriov->index, &sriov->found, &words) < 0)
		return refuse(sriov, "the PF does not show it", words.text, reason);
	if (found && found[0] && us_sriov_state_parse(found, &sriov->found) < 0)
		return refuse(sriov, "what was found", "its record makes no sense", reason);
	return 0;
}

int us_sriov_new(struct us_sriov **ret_sriov, const struct us_sriov_config *config,
		 const char *found, struct us_reason *reason)
{
	US_CLEANUP(us_freep) struct us_sriov *sriov = calloc(1, sizeof(*sriov));
	int r;

	if (!sriov)
		return -ENOMEM;
	snprintf(sriov->port, sizeof(sriov->port), "%s", config->port);
	sriov->index = config->index;
	sriov->has_representor = config->has_representor;
	memcpy(sriov->mac, config->mac, sizeof(sriov->mac));
	r = find(sriov, found, reason);
	if (r == 0)
		*ret_sriov = US_STEAL(sriov);
	return r;
}

void us_sriov_free(struct us_sriov *sriov)
{
	free(sriov);
}

int us_sriov_save(const struct us_sriov *sriov, char *ret_text, size_t size)
{
	return us_sriov_state_format(&sriov->found, ret_text, size);
}

bool us_sriov_set_shown(struct us_sriov *sriov, bool is_shown)
{
	bool is_new = sriov->is_shown != is_shown;

	sriov->is_shown = is_shown;
	return is_new;
}

static int have_listen(struct us_sriov *sriov, int port, bool on, struct us_reason *reason)
{
	struct us_rtnl_error words;
	int r = us_fdb_listen(sriov->mac, port, on, &words);

	if (on)
		sriov->cannot_listen = r == -EOPNOTSUPP || r == -ENOMEM || r == -ENOSPC;
	if (r == 0 || r == -EOPNOTSUPP || r == -ENOMEM || r == -ENOSPC)
		return 0;
	return refuse(sriov, "the PF cannot be told to listen for its MAC address", words.text,
		      reason);
}

/* At no time nobody gets what is for the MAC: who is to listen does before the other one stops. */
int us_sriov_steer(struct us_sriov *sriov, enum us_sriov_target to, struct us_reason *reason)
{
	bool has_mac = sriov->has_representor || sriov->is_shown || to == US_SRIOV_GUEST;
	bool listens = !sriov->has_representor && to == US_SRIOV_BRIDGE;
	int port, r = get_port(sriov, &port, reason);

	if (r == 0 && listens)
		r = have_listen(sriov, port, true, reason);
	if (r == 0)
		r = set_mac(sriov, port, has_mac ? sriov->mac : sriov->dummy, reason);
	if (r == 0 && !listens)
		r = have_listen(sriov, port, false, reason);
	return r;
}

int us_sriov_steer_blocking(struct us_sriov *sriov, enum us_sriov_target to,
			    struct us_reason *reason)
{
	int r = us_sriov_steer(sriov, to, reason);

	for (int i = 1; i < US_SRIOV_TRIES && r == US_SRIOV_AGAIN; i++) {
		pause_for_reset();
		r = us_sriov_steer(sriov, to, reason);
	}
	return r == US_SRIOV_AGAIN ? US_REFUSED : r;
}

int us_sriov_status(const struct us_sriov *sriov, struct us_sriov_status *ret_look,
		    struct us_reason *reason)
{
	struct us_sriov_state now;
	struct us_rtnl_error words;
	int port, r = get_port(sriov, &port, reason);

	if (r != 0)
		return r;
	if (us_sriov_get(port, sriov->index, &now, &words) < 0)
		return refuse(sriov, "the PF does not show it", words.text, reason);
	*ret_look = (struct us_sriov_status){
		.is_as_set = !sriov->is_told || memcmp(now.mac, sriov->told, 6) == 0,
		.cannot_listen = sriov->cannot_listen,
		.index = sriov->index,
	};
	memcpy(ret_look->mac, now.mac, sizeof(now.mac));
	return 0;
}

/*
 * All but the MAC. Only what is to change: a driver that cannot do a thing shows none, and would
 * refuse it.
 */
static int set_rest(const struct us_sriov *sriov, int port, const struct us_sriov_state *wanted,
		    struct us_rtnl_error *words)
{
	const struct ifla_vf_vlan vlan = { sriov->index, wanted->vlan, wanted->qos };
	const struct ifla_vf_rate rate = { sriov->index, wanted->min_rate, wanted->max_rate };
	const struct ifla_vf_spoofchk spoof_check = { sriov->index, wanted->spoof_check };
	const struct ifla_vf_trust trust = { sriov->index, wanted->trust };
	struct us_sriov_state now;
	int r = us_sriov_get(port, sriov->index, &now, words);

	if (r == 0 && (now.vlan != wanted->vlan || now.qos != wanted->qos))
		r = set_waiting(port, IFLA_VF_VLAN, &vlan, sizeof(vlan), words);
	if (r == 0 && (now.min_rate != wanted->min_rate || now.max_rate != wanted->max_rate))
		r = set_waiting(port, IFLA_VF_RATE, &rate, sizeof(rate), words);
	if (r == 0 && now.spoof_check != wanted->spoof_check)
		r = set_waiting(port, IFLA_VF_SPOOFCHK, &spoof_check, sizeof(spoof_check), words);
	if (r == 0 && now.trust != wanted->trust)
		r = set_waiting(port, IFLA_VF_TRUST, &trust, sizeof(trust), words);
	return r;
}

static bool has_rest(const struct us_sriov_state *state, const struct us_sriov_state *wanted)
{
	return state->vlan == wanted->vlan && state->qos == wanted->qos &&
	       state->min_rate == wanted->min_rate && state->max_rate == wanted->max_rate &&
	       state->spoof_check == wanted->spoof_check && state->trust == wanted->trust;
}

static void choose(uint32_t *value, int setting)
{
	if (setting >= 0)
		*value = setting;
}

int us_sriov_apply_settings(struct us_sriov *sriov, const struct us_sriov_settings *settings,
			    struct us_reason *reason)
{
	struct us_sriov_state wanted = sriov->found, now;
	struct us_rtnl_error words = { "the PF took them but has others" };
	int port, r = get_port(sriov, &port, reason);

	if (r != 0)
		return r;
	choose(&wanted.vlan, settings->vlan);
	choose(&wanted.qos, settings->qos);
	choose(&wanted.min_rate, settings->min_rate);
	choose(&wanted.max_rate, settings->max_rate);
	choose(&wanted.spoof_check, settings->spoof_check);
	choose(&wanted.trust, settings->trust);
	if (set_rest(sriov, port, &wanted, &words) < 0 ||
	    us_sriov_get(port, sriov->index, &now, &words) < 0 || !has_rest(&now, &wanted))
		return refuse(sriov, "the settings of its pool cannot be made", words.text, reason);
	return 0;
}

int us_sriov_put_back(struct us_sriov *sriov, struct us_reason *reason)
{
	struct us_rtnl_error words = { "" };
	int port = 0, r = get_port(sriov, &port, reason);

	if (r == 0)
		r = set_mac(sriov, port, sriov->found.mac, reason);
	for (int i = 1; i < US_SRIOV_TRIES && r == US_SRIOV_AGAIN; i++) {
		pause_for_reset();
		r = set_mac(sriov, port, sriov->found.mac, reason);
	}
	if (r == 0)
		r = have_listen(sriov, port, false, reason);
	if (r != 0)
		return r < 0 ? r : US_REFUSED;
	if (set_rest(sriov, port, &sriov->found, &words) < 0)
		return refuse(sriov, "not all is as it was found", words.text, reason);
	return 0;
}
