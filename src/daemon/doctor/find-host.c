/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings about the host: the daemon's privileges and limits, and what others left behind. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "daemon/doctor/doctor-private.h"
#include "daemon/vf/vf.h"
#include "net/netlink/fdb.h"
#include "net/park/park-tap.h"
#include "net/steer/steer.h"
#include "util/optional-string.h"

enum {
	STRAYS_MAX = 8, /* reported one by one */
	FILES_PER_VM = 8,
};

static const struct {
	unsigned bit;
	const char *name;
	enum us_finding_level level;
	const char *without;
} capabilities[] = {
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN", US_FINDING_ERROR, "the switch cannot be steered" },
	{ CAP_NET_RAW, "CAP_NET_RAW", US_FINDING_ERROR,
	  "it cannot be observed whether a guest uses its primary, so none stays visible" },
	{ CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE", US_FINDING_WARNING,
	  "monitors of VMs that belong to other users cannot be opened" },
	{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE", US_FINDING_WARNING,
	  "at a migration frames are parked before the guest stops (predict), and not drained "
	  "after it" },
};

static void find_capabilities(struct us_findings *findings)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
	bool has_all = true;
	char next[160];

	syscall(SYS_capget, &head, data);
	for (size_t i = 0; i < US_ARRAY_LENGTH(capabilities); i++) {
		if (data[0].effective & (1u << capabilities[i].bit))
			continue;
		has_all = false;
		snprintf(next, sizeof(next),
			 "run it with its own unit, or add %s to CapabilityBoundingSet= of that "
			 "unit",
			 capabilities[i].name);
		us_finding_add(findings, capabilities[i].level, next, "understudyd lacks %s: %s",
			       capabilities[i].name, capabilities[i].without);
	}
	if (has_all)
		us_find_ok(findings,
			   "understudyd has all capabilities that it needs, also for drain");
}

static void find_kernel(struct us_findings *findings)
{
	US_CLEANUP(us_closep) int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	int error = errno;
	struct utsname system = { 0 };
	unsigned major = 0, minor = 0;

	uname(&system);
	sscanf(system.release, "%u.%u", &major, &minor);
	if (major < 5 || (major == 5 && minor < 10))
		us_find_error(findings, "boot Linux 5.10 or later",
			      "Linux %s does not support the bridge entries that are needed",
			      system.release);
	if (fd < 0)
		us_find_error(findings,
			      error == ENOENT ? "modprobe tun"
					      : "allow it in the unit: DeviceAllow=/dev/net/tun rw",
			      "/dev/net/tun: %s: no frame can be parked, some are lost in each "
			      "transition",
			      us_strerror(error));
	else if (major > 5 || minor >= 10)
		us_find_ok(
			findings,
			"Linux %s: frames can be parked, and bridge entries stay as they are set",
			system.release);
}

static void find_files(const struct us_doctor *doctor, struct us_findings *findings)
{
	struct rlimit limit = { 0 };
	const struct us_host_vm *vm;
	unsigned vms = 0;
	const char *unsaved = doctor->handler->unsaved(doctor->userdata);
	char next[300];

	us_vms_for_each (vm, doctor->config.vms)
		vms++;
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < 64 + FILES_PER_VM * (rlim_t)vms)
		us_find_warning(findings, "raise LimitNOFILE= of the unit",
				"understudyd can open %lu files, which are few for %u VMs",
				(unsigned long)limit.rlim_cur, vms);
	snprintf(next, sizeof(next), "make room in %.200s", us_optional_text(unsaved));
	if (unsaved)
		us_find_error(findings, next,
			      "the state file cannot be written: after a restart, VMs and pairs "
			      "are forgotten");
}

static void find_parked(const struct us_pairs *pairs, struct us_findings *findings)
{
	const struct us_park_budget *parked = us_pairs_park_budget(pairs);

	if (parked->overflowed > 0)
		us_find_warning(findings, "--park-memory of understudyd(8) sets the limit",
				"%" PRIu64 " frames were lost because the parked frames of all "
				"pairs had reached %" PRIu64 " MiB",
				parked->overflowed, parked->limit >> 20);
	else
		us_find_ok(findings,
			   "the limit for the parked frames of all pairs is %" PRIu64
			   " MiB, and their maximum was %" PRIu64,
			   parked->limit >> 20, (parked->used_max + (1 << 20) - 1) >> 20);
}

/* ---- Strays: entries and taps that belong to no pair of this daemon ---- */

struct strays {
	const struct us_pairs *pairs;
	struct us_findings *findings;
	size_t count;
};

static void find_stray(void *userdata, const struct us_fdb_entry *entry)
{
	struct strays *strays = userdata;
	const struct us_mac_text mac = us_mac_text(entry->mac);
	char port[IF_NAMESIZE] = "?", next[160];

	if (!(entry->state & NUD_NOARP) || !(entry->flags & NTF_STICKY) || entry->vlan ||
	    us_pairs_find_mac(strays->pairs, entry->mac) || ++strays->count > STRAYS_MAX)
		return;
	if_indextoname(entry->port, port);
	snprintf(next, sizeof(next),
		 "bridge fdb del %s dev %s master, or attach its VM and add its pair again",
		 mac.text, port);
	us_find_warning(strays->findings, next,
			"frames for %s are steered to %s, but no pair here has that address: an "
			"understudyd that forgot its pairs has left the entry, or somebody has "
			"made it by hand",
			mac.text, port);
}

static bool is_our_park(const struct us_pairs *pairs, unsigned index)
{
	const struct us_host_pair *pair;

	us_pairs_for_each (pair, pairs) {
		struct us_steer *steer = us_host_pair_steer(pair);

		if (steer && us_steer_park(steer) &&
		    us_park_tap(us_steer_park(steer))->index == (int)index)
			return true;
	}
	return false;
}

static void find_strays(const struct us_pairs *pairs, struct us_findings *findings)
{
	struct strays strays = { .pairs = pairs, .findings = findings };
	struct if_nameindex *names = if_nameindex();
	int r = us_fdb_each(0, find_stray, &strays);

	for (struct if_nameindex *each = names; each && each->if_index; each++) {
		if (strncmp(each->if_name, US_PARK_TAP_PREFIX, strlen(US_PARK_TAP_PREFIX)) != 0 ||
		    is_our_park(pairs, each->if_index))
			continue;
		strays.count++;
		us_find_warning(findings,
				"fuser -v /dev/net/tun shows its process: end a second understudyd",
				"%s is a park tap of another process", each->if_name);
	}
	if_freenameindex(names);
	if (strays.count > STRAYS_MAX)
		us_find_warning(findings, "", "… %zu strays in all", strays.count);
	if (r < 0)
		us_find_warning(findings, "ask again",
				"the entries of the bridges cannot be read: %s", us_strerror(r));
	else if (!strays.count)
		us_find_ok(findings, "nothing was left behind on the bridges");
}

static void find_orphan(void *userdata, const struct us_reserved *reserved, const char *reason)
{
	us_find_warning(userdata,
			"end its VM, or attach it and add the pair again; understudyd tries again "
			"by itself",
			"vfio %s: stays reserved for pair %s, with its settings: %s",
			reserved->address, reserved->pair, reason);
}

void us_doctor_find_host(const struct us_doctor *doctor, struct us_findings *findings)
{
	find_capabilities(findings);
	find_kernel(findings);
	find_files(doctor, findings);
	us_orphans_each(doctor->config.vfs, find_orphan, findings);
	find_parked(us_vms_pairs(doctor->config.vms), findings);
	find_strays(us_vms_pairs(doctor->config.vms), findings);
	us_doctor_find_libvirt(doctor, findings);
}
