/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab/world/net.h"
#include "lab/world/process.h"
#include "util/cleanup.h"

static const char *const places[] = { "switch", "client", "host-a", "host-b" };

const struct us_lab_net_nic us_lab_net_nics[US_LAB_NET_NICS] = {
	{ "web0", "net0", "web0-s", "web0-p", "52:54:00:83:00:01", "10.83.0.100", US_LAB_NET_CLIENT,
	  9000 },
	{ "web1", "net1", "web1-s", "web1-p", "52:54:00:83:00:02", "10.83.1.100", "10.83.1.9",
	  9001 },
};

bool us_lab_net_is_up(const struct us_lab *lab)
{
	char netns[64], path[100];

	/* Every lab has the client's namespace. */
	snprintf(path, sizeof(path), "/run/netns/%s", us_lab_namespace(lab, "client", netns));
	return access(path, F_OK) == 0;
}

void us_lab_net_down(struct us_lab *lab)
{
	char netns[64], path[100];

	for (size_t i = US_ARRAY_LENGTH(places); i-- > 0;) {
		us_lab_namespace(lab, places[i], netns);
		snprintf(path, sizeof(path), "/run/netns/%s", netns);
		if (access(path, F_OK) == 0)
			us_lab_process_run(
				lab, NULL,
				(const char *const[]){ "ip", "netns", "del", netns, NULL });
	}
}

/* Runs @commands with `ip -batch` in @place. Returns as us_lab_process_run(). */
static int batch(struct us_lab *lab, const char *place, const char *commands)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s/ip-batch", lab->dir);
	file = fopen(path, "we");
	if (!file)
		return -errno;
	fputs(commands, file);
	if (fclose(file))
		return -errno;
	return us_lab_process_run(lab, place, (const char *const[]){ "ip", "-batch", path, NULL });
}

static int switch_up(struct us_lab *lab)
{
	char commands[2048], ns[64];
	FILE *out = fmemopen(commands, sizeof(commands), "w");

	fprintf(out, "link set lo up\n"
		     "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n"
		     "link set br0 up\n");
	for (size_t i = 1; i < US_ARRAY_LENGTH(places); i++) {
		us_lab_namespace(lab, places[i], ns);
		if (us_lab_is_machine(lab, places[i]))
			fprintf(out, "tuntap add dev to-%s mode tap\n", places[i]);
		else
			fprintf(out, "link add to-%s type veth peer name uplink netns %s\n",
				places[i], ns);
		fprintf(out, "link set to-%s master br0 up\n", places[i]);
	}
	for (int host = 0; us_lab_has_machines(lab) && host < US_LAB_HOSTS; host++)
		fprintf(out,
			"tuntap add dev manage-%d mode tap\n"
			"addr add 10.85.%d.1/24 dev manage-%d\n"
			"link set manage-%d up\n"
			/* A machine that is busy may not answer ARP for seconds. */
			"neigh add 10.85.%d.2 lladdr 52:54:00:85:00:0%d dev manage-%d nud "
			"permanent\n",
			host + 1, host + 1, host + 1, host + 1, host + 1, host + 1, host + 1);
	fclose(out);
	return batch(lab, "switch", commands);
}

static int host_up(struct us_lab *lab, enum us_lab_host host)
{
	char commands[2048];
	FILE *out = fmemopen(commands, sizeof(commands), "w");

	fprintf(out,
		"link set lo up\n"
		"link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n"
		"addr add 10.83.0.%d/24 dev br0\n"
		"link set br0 up\n"
		"link set uplink master br0 up\n",
		host + 1);
	for (int i = 0; i < US_LAB_NET_NICS; i++) {
		const char *const ports[] = { us_lab_net_nics[i].standby_port,
					      us_lab_net_nics[i].primary_port };

		/* libvirt makes the standby's tap. */
		for (size_t j = us_lab_has_libvirt(lab); j < US_ARRAY_LENGTH(ports); j++)
			fprintf(out,
				"tuntap add dev %s mode tap vnet_hdr%s\nlink set %s master br0 "
				"up\n",
				ports[j], j == 0 && lab->options.queues > 1 ? " multi_queue" : "",
				ports[j]);
	}
	fclose(out);
	return batch(lab, us_lab_host_name(host), commands);
}

/* The guest's addresses are permanent neighbour entries, so ARP never causes the loss of a probe.
 */
static int client_up(struct us_lab *lab)
{
	char commands[1024];
	FILE *out = fmemopen(commands, sizeof(commands), "w");

	fprintf(out, "link set lo up\nlink set uplink address " US_LAB_NET_CLIENT_MAC " up\n");
	for (int i = 0; i < US_LAB_NET_NICS; i++)
		fprintf(out,
			"addr add %s/24 dev uplink\nneigh replace %s lladdr %s nud permanent dev "
			"uplink\n",
			us_lab_net_nics[i].client, us_lab_net_nics[i].address,
			us_lab_net_nics[i].mac);
	fclose(out);
	return batch(lab, "client", commands);
}

/* Without IPv6: its unsolicited traffic would change what the learning switch learns. */
static int namespace_new(struct us_lab *lab, const char *place)
{
	char netns[64];
	const char *const add[] = { "ip", "netns", "add", us_lab_namespace(lab, place, netns),
				    NULL };
	const char *const quiet[] = { "sh", "-c",
				      "for i in all default; do"
				      " echo 1 >/proc/sys/net/ipv6/conf/$i/disable_ipv6; done",
				      NULL };
	int r = us_lab_process_run(lab, NULL, add);

	return r ? r : us_lab_process_run(lab, place, quiet);
}

int us_lab_net_up(struct us_lab *lab, struct us_reason *reason)
{
	int r = 0;

	us_lab_net_down(lab);
	for (size_t i = 0; !r && i < US_ARRAY_LENGTH(places); i++)
		r = us_lab_is_machine(lab, places[i]) ? 0 : namespace_new(lab, places[i]);
	if (!r)
		r = switch_up(lab);
	for (int host = 0; !r && !us_lab_has_machines(lab) && host < US_LAB_HOSTS; host++)
		r = host_up(lab, host);
	if (!r)
		r = client_up(lab);
	if (!r)
		return 0;
	us_refuse(reason, "the lab's network cannot be made");
	return us_advise(reason, "see the messages of ip above");
}

static int switch_entry(struct us_lab *lab, const char *port, const char *kind, const char *flag)
{
	return us_lab_process_run(lab, "switch",
				  (const char *const[]){ "bridge", "fdb", "replace",
							 us_lab_net_nics[0].mac, "dev", port,
							 "master", kind, flag, NULL });
}

int us_lab_net_switch_keep(struct us_lab *lab)
{
	return switch_entry(lab, "to-host-a", "static", "sticky");
}

/* Replaces the entry in one step, as a switch does. Without an entry it would flood the frames to
 * both hosts. */
int us_lab_net_switch_learn(struct us_lab *lab)
{
	return switch_entry(lab, "to-host-b", "dynamic", NULL);
}

int64_t us_lab_net_frames_out(const struct us_lab *lab, enum us_lab_host host, const char *port)
{
	char path[80];
	const char *const show[] = { "cat", path, NULL };
	US_CLEANUP(us_freep) char *text = NULL;
	int64_t frames;

	snprintf(path, sizeof(path), "/sys/class/net/%.20s/statistics/tx_packets", port);
	text = us_lab_process_read(lab, us_lab_host_name(host), show);
	return text && sscanf(text, "%" SCNd64, &frames) == 1 ? frames : -EIO;
}
