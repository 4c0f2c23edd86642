/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Domains that are expected: libvirt makes a domain at the destination when its migration begins,
 * but the primaries are reserved before. Until then the VM and its pairs stand for the domain; they
 * are as the source describes them. If the migration fails, they are removed.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "daemon/migration/migration-private.h"
#include "net/netlink/link.h"
#include "util/name.h"
#include "vmm/libvirt/libvirt.h"

enum {
	EXPECTED_MAX = 32, /* at a time: a source may name domains that never come */
	PAIRS_MAX = 64,	   /* of one, as in a declaration */
};

/*
 * Whether this host can give it the primary: a pool of this host's, a device that is free, or a tap
 * on a bridge, which an emulated one may take, as any other interface may not.
 */
static int check_primary(struct us_pairs *pairs, struct us_primary_spec *spec,
			 struct us_reason *reason)
{
	struct us_link port;
	int r;

	if (!spec->text[0])
		return 0;
	if (!us_primary_spec_is_vfio(spec)) {
		r = us_link_get_bridge_port(spec->port, &port, reason);
		if (r != 0)
			return r;
		if (!port.is_tun)
			return us_refuse(reason, "primary %s: %s is no tap", spec->text,
					 spec->port);
	}
	return us_primary_spec_check(pairs, NULL, spec, "", reason);
}

static int add_pair(struct us_host_vm *vm, struct us_vms *vms, const json_t *wanted,
		    struct us_reason *reason)
{
	const struct us_pair_start start = { .hold = false };
	struct us_pair_spec spec;
	struct us_reason cause;
	int r = us_pair_spec_read(wanted, "queues", &spec, &cause);

	spec.port[0] = '\0'; /* libvirt tells it when the domain is here */
	if (r == 0)
		r = check_primary(us_vms_pairs(vms), &spec.primary, &cause);
	if (r != 0)
		return r < 0 ? r : us_refuse_because(reason, &cause, "a pair of the source");
	if (us_pairs_find(us_vms_pairs(vms), spec.name))
		us_refuse(reason, "there is a pair %s already", spec.name);
	else if (us_pairs_find_mac(us_vms_pairs(vms), spec.mac))
		us_refuse(reason, "pair %s: another pair here has its MAC address", spec.name);
	else
		return us_host_vm_add_pair(vm, &spec, &start);
	return us_advise(reason, "remove it at the destination");
}

static int make_vm(struct us_host_vm **ret_vm, const struct us_migrations *common, const char *name,
		   struct us_reason *reason)
{
	char address[PATH_MAX];
	int r;

	if (!us_name_is_valid(name))
		return us_refuse(reason, "vm %.40s: is no name of a VM", name);
	r = us_libvirt_address(address, sizeof(address), common->libvirt_uri, name);
	if (r == 0)
		r = us_host_vm_new(ret_vm, common->vms, name, address);
	if (r < 0)
		return r;
	us_host_vm_set_automatic(*ret_vm);
	us_host_vm_expect(*ret_vm);
	return 0;
}

static int check_limits(const struct us_migrations *common, const json_t *pairs,
			struct us_reason *reason)
{
	const struct us_host_vm *vm;
	unsigned count = 0;

	us_vms_for_each (vm, common->vms)
		count += us_host_vm_facts(vm)->is_expected;
	if (count >= EXPECTED_MAX) {
		us_refuse(reason, "%u domains are expected here already", count);
		return us_advise(reason, "try again when one of them has arrived");
	}
	if (json_array_size(pairs) > PAIRS_MAX)
		return us_refuse(reason, "the source's domain has over %d pairs", PAIRS_MAX);
	return 0;
}

/* libvirt needs a moment to say that it has the domain no more. A guest may be back before. */
static bool is_away(const struct us_pair_vm *vm)
{
	return vm->state == US_VM_GONE || vm->has_left;
}

int us_migration_expect(const struct us_migrations *common, const json_t *parameters,
			struct us_host_vm **ret_vm, struct us_reason *reason)
{
	const char *name = json_string_value(json_object_get(parameters, "vm"));
	const json_t *pairs = json_object_get(parameters, "pairs"), *pair;
	size_t i;
	int r;

	*ret_vm = us_vms_find(common->vms, name);
	if (!json_is_true(json_object_get(parameters, "domain")))
		return 0;
	if (*ret_vm) {
		if (us_vmm_is_domain(us_host_vm_vmm(*ret_vm)) && is_away(us_host_vm_facts(*ret_vm)))
			us_host_vm_expect(*ret_vm);
		return 0;
	}
	if (strcmp(common->libvirt_uri, "none") == 0)
		return us_refuse(reason, "vm %s: this host's understudyd adopts no domains", name);
	r = check_limits(common, pairs, reason);
	if (r == 0)
		r = make_vm(ret_vm, common, name, reason);
	if (r != 0)
		return r;
	json_array_foreach (pairs, i, pair)
		if (r == 0)
			r = add_pair(*ret_vm, common->vms, pair, reason);
	if (r != 0)
		us_host_vm_free(US_STEAL(*ret_vm));
	return r;
}
