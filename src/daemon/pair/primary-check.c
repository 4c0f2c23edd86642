/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether this host can give a pair the primary that a SPEC names. */
#include <string.h>

#include "daemon/pair/pair-private.h"
#include "pci/vfio.h"

static bool is_claimed_by(const struct us_primary_spec *spec, const struct us_host_pair *other)
{
	const struct us_primary_spec *taken = &other->spec.primary;

	if (!us_primary_spec_is_vfio(spec) && strcmp(spec->port, other->spec.port) == 0)
		return true;
	if (!us_host_pair_has_primary(other))
		return false;
	if (us_primary_spec_is_vfio(spec))
		return spec->host[0] && strcmp(spec->host, taken->host) == 0;
	return !us_primary_spec_is_vfio(taken) && strcmp(spec->port, taken->port) == 0;
}

/* The pair, other than @pair, that has the same device or port; NULL: none. */
static const struct us_host_pair *claimed_by(const struct us_pairs *pairs,
					     const struct us_host_pair *pair,
					     const struct us_primary_spec *spec)
{
	const struct us_host_pair *other;

	us_pairs_for_each (other, pairs)
		if (other != pair && is_claimed_by(spec, other))
			return other;
	return NULL;
}

/* An orphan may still be in the VM of the pair that is added: it need not be free. */
static int check_vfio(const struct us_pairs *pairs, struct us_primary_spec *spec,
		      struct us_reason *reason)
{
	struct us_vfio vfio;
	int r = us_orphans_have(pairs->config.vfs, spec->host)
			? us_vfio_describe("/sys", spec->host, &vfio, reason)
			: us_vfio_check("/sys", spec->host, &vfio, reason);

	if (r != 0)
		return r;
	if (!vfio.physical_port[0])
		return us_refuse(reason,
				 "primary %s: it is no VF of a NIC that this host drives: "
				 "its traffic cannot be steered",
				 spec->text);
	strcpy(spec->port, vfio.representor[0] ? vfio.representor : vfio.physical_port);
	return 0;
}

int us_primary_spec_check(struct us_pairs *pairs, const struct us_host_pair *pair,
			  struct us_primary_spec *spec, const char *standby_port,
			  struct us_reason *reason)
{
	const struct us_host_pair *other;
	struct us_pool pool;
	int r = 0;

	if (!spec->host[0] && !spec->pool[0])
		r = us_port_resolve(spec->port, reason);
	if (r != 0)
		return r;
	other = claimed_by(pairs, pair, spec);
	if (other) {
		us_refuse(reason, "primary %s: pair %s has it", spec->text, other->spec.name);
		return us_advise(reason, "name another, or remove that pair first");
	}
	if (spec->pool[0]) /* the device and its port are known once it is reserved */
		return us_vfs_find_pool(pairs->config.vfs, spec->pool, &pool, reason);
	if (spec->host[0])
		r = check_vfio(pairs, spec, reason);
	return r == 0 ? us_primary_spec_check_port(spec, standby_port, reason) : r;
}
