/* SPDX-License-Identifier: BSD-3-Clause */
/* Settings of a VF on its PF: changed, verified by reading them back, and restored. */
#include <errno.h>
#include <linux/if_link.h>
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
	bool is_shown, is_mac_set, cannot_listen;
	uint8_t mac[6];	       /* the guest's */
	uint8_t hidden_mac[6]; /* while the VF is hidden */
	uint8_t set_mac[6];    /* the last one that was set */
	struct us_sriov_state original;
};

static int refuse(const struct us_sriov *sriov, const char *problem, const char *detail,
		  struct us_reason *reason)
{
	return us_refuse(reason, "interface %s: VF %u: %s: %s", sriov->port, sriov->index, problem,
			 detail);
}

/*
 * Whether to try again what returned @r, after a pause: no event reports the end of a VF's reset.
 * It is short.
 */
static bool try_again(int r, int *tries)
{
	const struct timespec pause = { .tv_nsec = US_SRIOV_PAUSE_USEC * 1000 };

	if ((r != -EAGAIN && r != US_SRIOV_AGAIN) || ++*tries == US_SRIOV_TRIES)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

static int set_blocking(int port, unsigned short attribute, const void *value, size_t size,
			struct us_rtnl_error *error)
{
	int r, tries = 0;

	do {
		r = us_sriov_set(port, attribute, value, size, error);
	} while (try_again(r, &tries));
	return r;
}

/* Many cards reset a VF when its address is set, even to the present one. */
static int set_mac(struct us_sriov *sriov, int port, const uint8_t mac[6], struct us_reason *reason)
{
	struct ifla_vf_mac value = { .vf = sriov->index };
	struct us_sriov_state state;
	struct us_rtnl_error error;
	int r = us_sriov_get(port, sriov->index, &state, &error);

	memcpy(value.mac, mac, sizeof(sriov->mac));
	if (r == 0 && memcmp(state.mac, mac, sizeof(state.mac)) != 0) {
		r = us_sriov_set(port, IFLA_VF_MAC, &value, sizeof(value), &error);
		if (r == 0)
			r = us_sriov_get(port, sriov->index, &state, &error);
	}
	if (r < 0)
		refuse(sriov, "its MAC address cannot be set", error.text, reason);
	if (r < 0)
		return r == -EAGAIN ? US_SRIOV_AGAIN : US_REFUSED;
	if (memcmp(state.mac, mac, sizeof(state.mac)) != 0)
		return refuse(sriov, "its MAC address cannot be set",
			      "the PF accepted it but has another", reason);
	memcpy(sriov->set_mac, mac, sizeof(sriov->set_mac));
	sriov->is_mac_set = true;
	return 0;
}

/* Made of the PF's last three bytes and the VF's number: as unique on a network as the PF's. */
static void make_hidden_mac(struct us_sriov *sriov, const struct us_link *port)
{
	sriov->hidden_mac[0] = 0x02;
	memcpy(sriov->hidden_mac + 1, port->mac + 3, 3);
	sriov->hidden_mac[4] = sriov->index >> 8;
	sriov->hidden_mac[5] = sriov->index;
}

static int find(struct us_sriov *sriov, const char *original, struct us_reason *reason)
{
	struct us_rtnl_error error;
	struct us_link link;
	int r = us_link_get(sriov->port, &link, reason);

	if (r != 0)
		return r;
	make_hidden_mac(sriov, &link);
	if (us_sriov_get(link.index, sriov->index, &sriov->original, &error) < 0)
		return refuse(sriov, "the PF does not describe it", error.text, reason);
	if (original && original[0] && us_sriov_state_parse(original, &sriov->original) < 0)
		return refuse(sriov, "its original settings", "the record is malformed", reason);
	return 0;
}

int us_sriov_new(struct us_sriov **ret_sriov, const struct us_sriov_config *config,
		 const char *original, struct us_reason *reason)
{
	US_CLEANUP(us_freep) struct us_sriov *sriov = calloc(1, sizeof(*sriov));
	int r;

	if (!sriov)
		return -ENOMEM;
	snprintf(sriov->port, sizeof(sriov->port), "%s", config->port);
	sriov->index = config->index;
	sriov->has_representor = config->has_representor;
	memcpy(sriov->mac, config->mac, sizeof(sriov->mac));
	r = find(sriov, original, reason);
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
	return us_sriov_state_format(&sriov->original, ret_text, size);
}

bool us_sriov_set_shown(struct us_sriov *sriov, bool is_shown)
{
	bool is_new = sriov->is_shown != is_shown;

	sriov->is_shown = is_shown;
	return is_new;
}

static int set_listening(struct us_sriov *sriov, int port, bool on, struct us_reason *reason)
{
	struct us_rtnl_error error;
	int r = us_fdb_listen(sriov->mac, port, on, &error);

	if (on)
		sriov->cannot_listen = r == -EOPNOTSUPP || r == -ENOMEM || r == -ENOSPC;
	if (r == 0 || r == -EOPNOTSUPP || r == -ENOMEM || r == -ENOSPC)
		return 0;
	return refuse(sriov, "the PF cannot listen for its MAC address", error.text, reason);
}

/* The new receiver gets the MAC address before the old one loses it, so no frame is lost. */
int us_sriov_steer(struct us_sriov *sriov, enum us_sriov_target target, struct us_reason *reason)
{
	bool has_mac = sriov->has_representor || sriov->is_shown || target == US_SRIOV_GUEST;
	bool listens = !sriov->has_representor && target == US_SRIOV_BRIDGE;
	struct us_link pf;
	int r = us_link_get(sriov->port, &pf, reason);

	if (r == 0 && listens)
		r = set_listening(sriov, pf.index, true, reason);
	if (r == 0)
		r = set_mac(sriov, pf.index, has_mac ? sriov->mac : sriov->hidden_mac, reason);
	if (r == 0 && !listens)
		r = set_listening(sriov, pf.index, false, reason);
	return r;
}

int us_sriov_steer_blocking(struct us_sriov *sriov, enum us_sriov_target target,
			    struct us_reason *reason)
{
	int r, tries = 0;

	do {
		r = us_sriov_steer(sriov, target, reason);
	} while (try_again(r, &tries));
	return r == US_SRIOV_AGAIN ? US_REFUSED : r;
}

int us_sriov_get_status(const struct us_sriov *sriov, struct us_sriov_status *ret_status,
			struct us_reason *reason)
{
	struct us_sriov_state now;
	struct us_rtnl_error error;
	struct us_link pf;
	int r = us_link_get(sriov->port, &pf, reason);

	if (r != 0)
		return r;
	if (us_sriov_get(pf.index, sriov->index, &now, &error) < 0)
		return refuse(sriov, "the PF does not describe it", error.text, reason);
	*ret_status = (struct us_sriov_status){
		.is_as_set = !sriov->is_mac_set || memcmp(now.mac, sriov->set_mac, 6) == 0,
		.cannot_listen = sriov->cannot_listen,
		.index = sriov->index,
	};
	memcpy(ret_status->mac, now.mac, sizeof(now.mac));
	return 0;
}

/*
 * All settings but the MAC address. Sets only those that differ: a driver without a setting reports
 * none, and would refuse it.
 */
static int set_all_but_mac(const struct us_sriov *sriov, int port,
			   const struct us_sriov_state *wanted, struct us_rtnl_error *error)
{
	const struct ifla_vf_vlan vlan = { sriov->index, wanted->vlan, wanted->qos };
	const struct ifla_vf_rate rate = { sriov->index, wanted->min_rate, wanted->max_rate };
	const struct ifla_vf_spoofchk spoof_check = { sriov->index, wanted->spoof_check };
	const struct ifla_vf_trust trust = { sriov->index, wanted->trust };
	struct us_sriov_state now;
	int r = us_sriov_get(port, sriov->index, &now, error);

	if (r == 0 && (now.vlan != wanted->vlan || now.qos != wanted->qos))
		r = set_blocking(port, IFLA_VF_VLAN, &vlan, sizeof(vlan), error);
	if (r == 0 && (now.min_rate != wanted->min_rate || now.max_rate != wanted->max_rate))
		r = set_blocking(port, IFLA_VF_RATE, &rate, sizeof(rate), error);
	if (r == 0 && now.spoof_check != wanted->spoof_check)
		r = set_blocking(port, IFLA_VF_SPOOFCHK, &spoof_check, sizeof(spoof_check), error);
	if (r == 0 && now.trust != wanted->trust)
		r = set_blocking(port, IFLA_VF_TRUST, &trust, sizeof(trust), error);
	return r;
}

static bool equals_but_mac(const struct us_sriov_state *state, const struct us_sriov_state *wanted)
{
	return state->vlan == wanted->vlan && state->qos == wanted->qos &&
	       state->min_rate == wanted->min_rate && state->max_rate == wanted->max_rate &&
	       state->spoof_check == wanted->spoof_check && state->trust == wanted->trust;
}

static void override(uint32_t *value, int setting)
{
	if (setting >= 0)
		*value = setting;
}

int us_sriov_apply_settings(struct us_sriov *sriov, const struct us_sriov_settings *settings,
			    struct us_reason *reason)
{
	struct us_sriov_state wanted = sriov->original, now;
	struct us_rtnl_error error = { "the PF accepted them but has others" };
	struct us_link pf;
	int r = us_link_get(sriov->port, &pf, reason);

	if (r != 0)
		return r;
	override(&wanted.vlan, settings->vlan);
	override(&wanted.qos, settings->qos);
	override(&wanted.min_rate, settings->min_rate);
	override(&wanted.max_rate, settings->max_rate);
	override(&wanted.spoof_check, settings->spoof_check);
	override(&wanted.trust, settings->trust);
	if (set_all_but_mac(sriov, pf.index, &wanted, &error) < 0 ||
	    us_sriov_get(pf.index, sriov->index, &now, &error) < 0 ||
	    !equals_but_mac(&now, &wanted))
		return refuse(sriov, "the settings of its pool cannot be applied", error.text,
			      reason);
	return 0;
}

int us_sriov_put_back(struct us_sriov *sriov, struct us_reason *reason)
{
	struct us_rtnl_error error = { "" };
	struct us_link pf = { .index = 0 };
	int tries = 0, r;

	do {
		r = us_link_get(sriov->port, &pf, reason);
		if (r == 0)
			r = set_mac(sriov, pf.index, sriov->original.mac, reason);
	} while (try_again(r, &tries));
	if (r == 0)
		r = set_listening(sriov, pf.index, false, reason);
	if (r != 0)
		return r < 0 ? r : US_REFUSED;
	if (set_all_but_mac(sriov, pf.index, &sriov->original, &error) < 0)
		return refuse(sriov, "its original settings are not all restored", error.text,
			      reason);
	return 0;
}
