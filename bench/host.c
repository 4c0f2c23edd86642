/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench/host.h"
#include "bench/peers.h"

static int tap_open(const char *prefix, unsigned index)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s%u", prefix, index);
	if (ioctl(fd, TUNSETIFF, &request) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* Thousands of addresses that nobody uses would only cost time. */
static void disable_ipv6(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1", 1) < 0)
		fprintf(stderr, "bench: IPv6 stays on: %m\n");
	if (fd >= 0)
		close(fd);
}

enum {
	/* Of a bridge's 1,023 ports each VM takes two, and a third while frames are parked. */
	VMS_PER_BRIDGE = 300,
};

static int make_ports(unsigned count)
{
	FILE *ip = popen("ip -batch -", "we");

	if (!ip)
		return -errno;
	fprintf(ip, "link set lo up\n");
	for (unsigned i = 0; i < count; i++) {
		unsigned bridge = i / VMS_PER_BRIDGE;

		if (i % VMS_PER_BRIDGE == 0)
			fprintf(ip, "link add br%u type bridge\nlink set br%u up\n", bridge,
				bridge);
		fprintf(ip,
			"link set s%u up master br%u\n"
			"link set p%u up master br%u\n",
			i, bridge, i, bridge);
	}
	return pclose(ip) ? -EIO : 0;
}

int bench_host_open(struct bench_host *host, unsigned count)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	disable_ipv6();
	host->primaries = calloc(count, sizeof(*host->primaries));
	host->standbys = calloc(count, sizeof(*host->standbys));
	if (!host->primaries || !host->standbys)
		return -ENOMEM;
	for (; host->count < count; host->count++) {
		int primary = tap_open("p", host->count), standby = tap_open("s", host->count);

		if (primary < 0 || standby < 0)
			return primary < 0 ? primary : standby;
		host->primaries[host->count] = primary;
		host->standbys[host->count] = standby;
	}
	return make_ports(count);
}

void bench_host_close(struct bench_host *host)
{
	for (unsigned i = 0; i < host->count; i++) {
		close(host->primaries[i]);
		close(host->standbys[i]);
	}
	free(host->primaries);
	free(host->standbys);
	*host = (struct bench_host){ 0 };
}

void bench_host_answer(const struct bench_host *host, unsigned index)
{
	uint8_t probe[2048], answer[60] = { [12] = 0x88, 0xb5 /* for experiments */ };
	bool is_probed = false;

	while (read(host->primaries[index], probe, sizeof(probe)) > 0)
		is_probed = true;
	if (!is_probed)
		return;
	memcpy(answer, probe + 6, 6);
	bench_mac(index, answer + 6);
	if (write(host->primaries[index], answer, sizeof(answer)) < 0)
		fprintf(stderr, "bench: p%u: %m\n", index);
}

void bench_host_steer(unsigned index)
{
	char command[120];
	uint8_t mac[6];

	bench_mac(index, mac);
	snprintf(command, sizeof(command),
		 "bridge fdb replace %02x:%02x:%02x:%02x:%02x:%02x dev p%u master static sticky",
		 mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], index);
	if (system(command))
		fprintf(stderr, "bench: %s: failed\n", command);
}
