/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The present VFs of a pool. Creates VFs where the pool says so and a PF has none. A PF with VFs
 * keeps their number, because the kernel can change it only after removing all of them.
 */
#include <string.h>

#include "pci/pools.h"

struct visit {
	const char *sysfs;
	const struct us_pool *pool;
	us_pool_vf_fn each;
	void *userdata;
	struct us_reason *reason;
};

static unsigned read_number(const char *device, const char *name)
{
	char text[16];

	return us_sysfs_read(device, name, text, sizeof(text)) == 0 ? strtoul(text, NULL, 10) : 0;
}

/* Without autoprobe, so that the host's own driver does not bind each new VF for an instant. */
static int create(const char *device, unsigned number)
{
	char before[8], text[16];
	int r;

	us_sysfs_read(device, "sriov_drivers_autoprobe", before, sizeof(before));
	us_sysfs_write(device, "sriov_drivers_autoprobe", "0");
	snprintf(text, sizeof(text), "%u", number);
	r = us_sysfs_write(device, "sriov_numvfs", text);
	if (strcmp(before, "1") == 0)
		us_sysfs_write(device, "sriov_drivers_autoprobe", "1");
	return r;
}

static int create_where_none(const struct visit *visit, const char *pf, const char *device)
{
	const char *pool = visit->pool->name;
	unsigned total = read_number(device, "sriov_totalvfs"), wanted = visit->pool->create;
	int r;

	if (total == 0) {
		us_refuse(visit->reason, "pool %s: %s: cannot have VFs", pool, pf);
		return us_advise(visit->reason, "name another PF");
	}
	if (read_number(device, "sriov_numvfs") > 0)
		return 0;
	if (wanted == 0) {
		us_refuse(visit->reason, "pool %s: %s: has no VFs", pool, pf);
		return us_advise(visit->reason,
				 "\"create N\" in the pool, or echo N "
				 ">/sys/class/net/%s/device/sriov_numvfs",
				 pf);
	}
	if (wanted > total)
		return us_refuse(visit->reason, "pool %s: create %u: %s can have %u VFs", pool,
				 wanted, pf, total);
	r = create(device, wanted);
	return r < 0 ? us_refuse(visit->reason, "pool %s: %s: its VFs cannot be created: %s", pool,
				 pf, us_strerror(r))
		     : 0;
}

static int visit_pf(const struct visit *visit, const char *pf)
{
	char device[PATH_MAX], name[32], address[US_PCI_ADDRESS_SIZE];
	int r;

	snprintf(device, sizeof(device), "%s/class/net/%s/device", visit->sysfs, pf);
	if (access(device, F_OK) < 0)
		return us_refuse(visit->reason, "pool %s: %s: is not an interface of a PCI device",
				 visit->pool->name, pf);
	r = create_where_none(visit, pf, device);
	for (unsigned i = 0; r == 0; i++) {
		snprintf(name, sizeof(name), "virtfn%u", i);
		us_sysfs_link(device, name, address, sizeof(address));
		if (!address[0])
			break;
		r = visit->each(address, visit->userdata);
	}
	return r;
}

/* VFs may have inherited the alias. Only a PF can have VFs. */
static bool is_pf_on(const char *interfaces, const char *name, const char *label)
{
	char directory[PATH_MAX], text[256];

	return snprintf(directory, sizeof(directory), "%s/%s", interfaces, name) < PATH_MAX &&
	       us_sysfs_read(directory, "ifalias", text, sizeof(text)) == 0 &&
	       strcmp(text, label) == 0 &&
	       us_sysfs_read(directory, "device/sriov_totalvfs", text, sizeof(text)) == 0;
}

static int visit_network(const struct visit *visit, const char *label)
{
	US_CLEANUP(closedirp) DIR *interfaces = NULL;
	const struct dirent *entry;
	char path[PATH_MAX];
	bool found = false;
	int r = 0;

	snprintf(path, sizeof(path), "%s/class/net", visit->sysfs);
	interfaces = opendir(path);
	while (r == 0 && interfaces && (entry = readdir(interfaces))) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= IF_NAMESIZE ||
		    !is_pf_on(path, entry->d_name, label))
			continue;
		found = true;
		r = visit_pf(visit, entry->d_name);
	}
	if (r != 0 || found)
		return r;
	us_refuse(visit->reason, "pool %s: no PF is on network %s", visit->pool->name, label);
	return us_advise(visit->reason, "ip link set PF alias %s", label);
}

int us_pool_each(const char *sysfs, const struct us_pool *pool, us_pool_vf_fn each, void *userdata,
		 struct us_reason *reason)
{
	const struct visit visit = { sysfs, pool, each, userdata, reason };
	int r = 0;

	for (size_t i = 0; i < pool->count && r == 0; i++) {
		const struct us_pool_source *source = &pool->sources[i];

		if (source->type == US_POOL_VF)
			r = each(source->value, userdata);
		else if (source->type == US_POOL_PF)
			r = visit_pf(&visit, source->value);
		else
			r = visit_network(&visit, source->value);
	}
	return r;
}
