/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a VMM could use a device, by the kernel's rules: its user may open the group's node, and
 * it may lock all of its guest's memory.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "pci/vfio.h"

/* Besides the guest's memory: memory of other devices, which is mapped for this one. */
#define LOCKED_BESIDE_BYTES (UINT64_C(1) << 30)

struct process {
	uid_t uid;
	gid_t gid;
	uint64_t capabilities;
	char groups[512]; /* " 4 27 " */
};

static int read_process(pid_t pid, struct process *ret_process)
{
	US_CLEANUP(fclosep) FILE *file = NULL;
	char path[64], line[600];
	unsigned uid, gid;

	*ret_process = (struct process){ .uid = -1, .gid = -1 };
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		/* The second of four is the effective one. */
		if (sscanf(line, "Uid: %*u %u", &uid) == 1)
			ret_process->uid = uid;
		else if (sscanf(line, "Gid: %*u %u", &gid) == 1)
			ret_process->gid = gid;
		else if (strncmp(line, "Groups:", 7) == 0)
			snprintf(ret_process->groups, sizeof(ret_process->groups), " %.500s",
				 line + 7);
		else
			sscanf(line, "CapEff: %" SCNx64, &ret_process->capabilities);
	}
	return 0;
}

static bool is_capable(const struct process *process, int capability)
{
	return process->capabilities & UINT64_C(1) << capability;
}

static bool is_in_group(const struct process *process, gid_t gid)
{
	const char *rest = process->groups;
	int length;
	unsigned one;

	for (; sscanf(rest, "%u%n", &one, &length) == 1; rest += length)
		if (one == gid)
			return true;
	return process->gid == gid;
}

static bool may_open(const struct process *process, const struct stat *node)
{
	unsigned shift = process->uid == node->st_uid	      ? 6
			 : is_in_group(process, node->st_gid) ? 3
							      : 0;

	return is_capable(process, CAP_DAC_OVERRIDE) || (node->st_mode >> shift & 6) == 6;
}

static int admit_to_node(const char *path, const struct stat *node, const struct process *process,
			 const char *address, struct us_reason *reason)
{
	if (may_open(process, node))
		return 0;
	if ((node->st_mode & 0600) == 0600 && chown(path, process->uid, -1) == 0)
		return 0;
	us_refuse(reason, "vfio %s: the VMM, user %u, may not open %s", address,
		  (unsigned)process->uid, path);
	return us_advise(reason, "chown %u %s", (unsigned)process->uid, path);
}

/* A VMM that claims more than the host has could lock all of the host's memory. */
static int check_memory(uint64_t bytes, const char *address, struct us_reason *reason)
{
	uint64_t host_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);

	if (bytes <= host_bytes && bytes <= UINT64_MAX - LOCKED_BESIDE_BYTES)
		return 0;
	return us_refuse(reason,
			 "vfio %s: the VMM claims that its guest has %" PRIu64
			 " MiB, this host has %" PRIu64 " MiB: cannot lock that much",
			 address, bytes >> 20, host_bytes >> 20);
}

static int admit_to_lock(pid_t pid, const struct process *process, uint64_t bytes,
			 const char *address, struct us_reason *reason)
{
	struct rlimit limit, raised;
	uint64_t needed = bytes + LOCKED_BESIDE_BYTES;
	int r = check_memory(bytes, address, reason);

	if (r != 0 || bytes == 0 || is_capable(process, CAP_IPC_LOCK))
		return r;
	if (prlimit(pid, RLIMIT_MEMLOCK, NULL, &limit) < 0)
		return us_refuse(reason, "vfio %s: the VMM's limit of locked memory: %s", address,
				 us_strerror(errno));
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed)
		return 0;
	raised.rlim_cur = raised.rlim_max = needed;
	if (limit.rlim_max > raised.rlim_max)
		raised.rlim_max = limit.rlim_max;
	if (prlimit(pid, RLIMIT_MEMLOCK, &raised, NULL) == 0)
		return 0;
	us_refuse(reason,
		  "vfio %s: the VMM may lock %" PRIu64 " MiB, its guest has %" PRIu64 " MiB",
		  address, (uint64_t)limit.rlim_cur >> 20, bytes >> 20);
	return us_advise(reason, "prlimit --pid %d --memlock=%" PRIu64, (int)pid,
			 (uint64_t)raised.rlim_cur);
}

static int find_node(const char *sysfs, const char *address, char ret_path[PATH_MAX],
		     struct stat *ret_node, struct us_reason *reason)
{
	char group[32];

	us_pci_directory(sysfs, address, ret_path);
	us_sysfs_link(ret_path, "iommu_group", group, sizeof(group));
	snprintf(ret_path, PATH_MAX, "%s/../dev/vfio/%s", sysfs, group);
	if (stat(ret_path, ret_node) < 0)
		return us_refuse(reason, "vfio %s: %s: %s", address, ret_path, us_strerror(errno));
	return 0;
}

int us_vfio_node_owner(const char *sysfs, const char *address, int64_t *ret_owner,
		       struct us_reason *reason)
{
	char path[PATH_MAX];
	struct stat node;
	int r = find_node(sysfs, address, path, &node, reason);

	if (r == 0)
		*ret_owner = node.st_uid;
	return r;
}

/* A node that is gone has no owner to restore; the kernel makes the next one anew. */
int us_vfio_node_restore(const char *sysfs, const char *address, uid_t owner,
			 struct us_reason *reason)
{
	char path[PATH_MAX];
	struct stat node;

	if (find_node(sysfs, address, path, &node, NULL) != 0 || node.st_uid == owner ||
	    chown(path, owner, -1) == 0)
		return 0;
	us_refuse(reason, "vfio %s: %s still belongs to the VMM: %s", address, path,
		  us_strerror(errno));
	return us_advise(reason, "chown %u %s", (unsigned)owner, path);
}

int us_vfio_admit(const char *sysfs, const char *address, pid_t pid, uint64_t memory_bytes,
		  struct us_reason *reason)
{
	char path[PATH_MAX];
	struct process process;
	struct stat node;
	int r = read_process(pid, &process);

	if (r < 0)
		return us_refuse(reason, "vfio %s: the VMM, process %d: %s", address, (int)pid,
				 us_strerror(r));
	r = find_node(sysfs, address, path, &node, reason);
	if (r == 0)
		r = admit_to_node(path, &node, &process, address, reason);
	return r == 0 ? admit_to_lock(pid, &process, memory_bytes, address, reason) : r;
}
