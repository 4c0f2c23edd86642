/* SPDX-License-Identifier: BSD-3-Clause */
/* The host, the daemon on it, and what they are for one input. */
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "fuzz/scene.h"
#include "net/netlink/fdb.h"

enum {
	SKIPPED = 77,
	STEPS_MAX = 5000, /* of the loop, for one input: more would be a livelock */
};

const uint8_t us_scene_macs[2][US_MAC_BYTES] = {
	{ 0x52, 0x54, 0, 0, 0, 1 },
	{ 0x52, 0x54, 0, 0, 0, 2 },
};

static const char *const ports[] = { "n0", "n1", "p0", "p1" };

void us_scene_must(bool condition)
{
	if (!condition)
		abort();
}

static int make_ports(void)
{
	FILE *ip = popen("ip -batch -", "we");

	if (!ip)
		return -1;
	fprintf(ip, "link add br0 type bridge mcast_snooping 0\nlink set br0 up\n");
	for (size_t i = 0; i < US_ARRAY_LENGTH(ports); i++)
		fprintf(ip, "tuntap add %s mode tap\nlink set %s up master br0\n", ports[i],
			ports[i]);
	return pclose(ip);
}

void us_scene_init(struct us_daemon *daemon)
{
	static const char all_off[] = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
	FILE *off;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0) {
		perror("namespaces of its own need root");
		exit(SKIPPED);
	}
	off = fopen(all_off, "we");
	if (off) {
		fputs("1", off);
		fclose(off);
	}
	us_scene_must(make_ports() == 0);
	/* No input gets as far as another program. */
	setenv("PATH", "/run/none", 1);

	*daemon = (struct us_daemon){
		.socket_path = "/run/control",
		.state_dir = "/run/state",
		.migrations.address = "127.0.0.1",
	};
	us_scene_must(mkdir(daemon->state_dir, 0700) == 0);
	us_scene_must(us_daemon_init(daemon) == 0);
}

void us_scene_clear(struct us_daemon *daemon)
{
	struct us_host_vm *vm;

	while ((vm = us_vms_next(daemon->vms, NULL)))
		us_host_vm_free(vm);
	for (size_t i = 0; i < US_ARRAY_LENGTH(us_scene_macs); i++) {
		struct us_fdb_entry entry;
		int bridge = if_nametoindex("br0");

		while (us_fdb_get(us_scene_macs[i], bridge, &entry, NULL) == 0)
			us_scene_must(us_fdb_delete(us_scene_macs[i], entry.port, entry.vlan) == 0);
	}
}

void us_scene_settle(struct us_daemon *daemon)
{
	int r, steps = 0;

	while ((r = sd_event_run(daemon->loop, 0)) > 0)
		us_scene_must(++steps < STEPS_MAX);
	us_scene_must(r == 0);
}

struct us_host_pair *us_scene_add_pair(struct us_host_vm *vm, const char *name, unsigned index)
{
	const struct us_pair_start start = { .hold = false };
	struct us_pair_spec spec = { .mode = US_MODE_COMBINED, .queue_pairs = 1 };
	struct us_host_pair *pair;

	snprintf(spec.name, sizeof(spec.name), "%s", name);
	snprintf(spec.standby, sizeof(spec.standby), "net0");
	snprintf(spec.port, sizeof(spec.port), "%s", ports[index]);
	memcpy(spec.mac, us_scene_macs[index], US_MAC_BYTES);
	us_scene_must(us_pair_options_read(NULL, &spec.options, NULL) == 0);
	us_scene_must(us_host_vm_add_pair(vm, &spec, &start) == 0);
	us_host_vm_for_each_pair (pair, vm)
		if (strcmp(us_host_pair_name(pair), name) == 0)
			break;
	return pair;
}
