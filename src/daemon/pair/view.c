/* SPDX-License-Identifier: BSD-3-Clause */
/* Access to pairs, for the other rooms. */
#include <string.h>

#include "daemon/pair/pair-private.h"

/* ---- All of them ---- */

struct us_host_pair *us_pairs_next(const struct us_pairs *pairs, const struct us_host_pair *pair)
{
	const struct us_list *link = pair ? &pair->of_host : &pairs->list;

	return link->next == &pairs->list
		       ? NULL
		       : US_CONTAINER_OF(link->next, struct us_host_pair, of_host);
}

struct us_host_pair *us_pairs_find(const struct us_pairs *pairs, const char *name)
{
	struct us_host_pair *pair;

	us_pairs_for_each (pair, pairs)
		if (strcmp(pair->spec.name, name) == 0)
			return pair;
	return NULL;
}

struct us_host_pair *us_pairs_find_mac(const struct us_pairs *pairs,
				       const uint8_t mac[US_MAC_BYTES])
{
	struct us_host_pair *pair;

	us_pairs_for_each (pair, pairs)
		if (memcmp(pair->spec.mac, mac, US_MAC_BYTES) == 0)
			return pair;
	return NULL;
}

const struct us_park_budget *us_pairs_park_budget(const struct us_pairs *pairs)
{
	return &pairs->park_budget;
}

struct us_host_pair *us_pair_vm_next(const struct us_pair_vm *vm, const struct us_host_pair *pair)
{
	const struct us_list *link = pair ? &pair->link : &vm->pairs;

	return link->next == &vm->pairs ? NULL
					: US_CONTAINER_OF(link->next, struct us_host_pair, link);
}

/* ---- One ---- */

const struct us_pair_spec *us_host_pair_spec(const struct us_host_pair *pair)
{
	return &pair->spec;
}

const char *us_host_pair_name(const struct us_host_pair *pair)
{
	return pair->spec.name;
}

const char *us_host_pair_device(const struct us_host_pair *pair)
{
	return pair->device;
}

const struct us_pair *us_host_pair_engine(const struct us_host_pair *pair)
{
	return &pair->engine;
}

struct us_pair_vm *us_host_pair_vm(const struct us_host_pair *pair)
{
	return pair->vm;
}

struct us_pair_slots *us_host_pair_slots(struct us_host_pair *pair)
{
	return &pair->slots;
}

struct us_steer *us_host_pair_steer(const struct us_host_pair *pair)
{
	return pair->steer;
}

struct us_park *us_host_pair_park(const struct us_host_pair *pair)
{
	bool is_parked = pair->steer && us_pair_path(&pair->engine) == US_PATH_PARKED;

	return is_parked ? us_steer_park(pair->steer) : NULL;
}

struct us_host_vf *us_host_pair_vf(const struct us_host_pair *pair)
{
	return pair->vf;
}

const char *us_host_pair_detail(const struct us_host_pair *pair)
{
	return us_optional_text(pair->detail);
}

const char *us_host_pair_original_entry(const struct us_host_pair *pair)
{
	return pair->has_original_entry ? pair->original_entry : NULL;
}

uint64_t us_host_pair_changed_usec(const struct us_host_pair *pair)
{
	return pair->changed_usec;
}

bool us_host_pair_wants_primary(const struct us_host_pair *pair)
{
	return pair->engine.facts.assigned || pair->assign_next;
}

bool us_host_pair_has_primary(const struct us_host_pair *pair)
{
	return pair->spec.primary.text[0] && (us_host_pair_wants_primary(pair) ||
					      us_pair_primary(&pair->engine) != US_PRIMARY_ABSENT);
}
