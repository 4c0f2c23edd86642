/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "support/bench-daemon.h"
#include "support/bench-host.h"
#include "support/bench-qemu.h"

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

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	exit(1);
}

/* Thousands of unused link-local addresses would cost time. */
static void disable_ipv6(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1", 1) < 0)
		fprintf(stderr, "bench: IPv6 stays on: %m\n");
	if (fd >= 0)
		close(fd);
}

enum {
	/* A bridge has 1,023 ports. A VM uses two of them, and a third while frames are parked. */
	VMS_PER_BRIDGE = 300,
};

static void make_port(FILE *ip, const char *host, unsigned vm, unsigned port)
{
	unsigned bridge = vm / VMS_PER_BRIDGE;

	if (vm % VMS_PER_BRIDGE == 0)
		fprintf(ip,
			"link add %s%u type bridge\n"
			"link set %s%u up\n",
			host, bridge, host, bridge);
	fprintf(ip,
		"link set s%u up master %s%u\n"
		"link set p%u up master %s%u\n",
		port, host, bridge, port, host, bridge);
}

static int make_ports(const struct bench_host *host)
{
	FILE *ip = popen("ip -batch -", "we");

	if (!ip)
		return -errno;
	fprintf(ip, "link set lo up\n");
	for (unsigned i = 0; i < host->vms; i++)
		make_port(ip, "br", i, i);
	for (unsigned i = host->vms; i < host->count; i++)
		make_port(ip, "other", i - host->vms, i);
	return pclose(ip) ? -EIO : 0;
}

static sd_event *open_loop(void)
{
	static const int signals[] = { SIGINT, SIGTERM };
	const struct rlimit files = { 16384, 16384 };
	sd_event *loop = NULL;
	sigset_t mask;
	int r;

	setrlimit(RLIMIT_NOFILE, &files);
	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	r = sd_event_default(&loop);
	for (size_t i = 0; r >= 0 && i < US_ARRAY_LENGTH(signals); i++)
		r = sd_event_add_signal(loop, NULL, signals[i], on_signal, NULL);
	if (r < 0)
		bench_fail("the loop", r);
	return loop;
}

sd_event *bench_begin(void)
{
	sd_event *loop = open_loop();

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0)
		bench_fail("namespaces", errno);
	disable_ipv6();
	return loop;
}

int bench_host_open(struct bench_host *host, unsigned vms, unsigned movers)
{
	host->vms = vms;
	host->taps = calloc(vms + movers, sizeof(*host->taps));
	if (!host->taps)
		return -ENOMEM;
	for (; host->count < vms + movers; host->count++) {
		int primary = tap_open("p", host->count), standby = tap_open("s", host->count);

		if (primary < 0 || standby < 0)
			return primary < 0 ? primary : standby;
		host->taps[host->count][0] = primary;
		host->taps[host->count][1] = standby;
	}
	return make_ports(host);
}

void bench_host_close(struct bench_host *host)
{
	for (unsigned i = 0; i < host->count; i++) {
		close(host->taps[i][0]);
		close(host->taps[i][1]);
	}
	free(host->taps);
	*host = (struct bench_host){ 0 };
}

void bench_host_answer(const struct bench_host *host, unsigned port, bool answers)
{
	uint8_t probe[2048], answer[60] = { [12] = 0x88, 0xb5 /* for experiments */ };
	int tap = host->taps[port][0];
	bool is_probed = false;

	while (read(tap, probe, sizeof(probe)) > 0)
		is_probed = true;
	if (!is_probed || !answers)
		return;
	memcpy(answer, probe + 6, 6);
	bench_mac(port < host->vms ? port : port - host->vms, answer + 6);
	if (write(tap, answer, sizeof(answer)) < 0)
		fprintf(stderr, "bench: p%u: %m\n", port);
}

void bench_host_steer(unsigned vm)
{
	char command[120];
	uint8_t mac[6];

	bench_mac(vm, mac);
	snprintf(command, sizeof(command),
		 "bridge fdb replace %02x:%02x:%02x:%02x:%02x:%02x dev p%u master static sticky",
		 mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], vm);
	if (system(command))
		fprintf(stderr, "bench: %s: failed\n", command);
}
