/* SPDX-License-Identifier: BSD-3-Clause */
/* Makes a tap, then a quiet bridge port of it, before any frame can reach it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/ioctl.h>

#include "net/netlink/rtnl.h"
#include "net/park/park-tap.h"
#include "util/cleanup.h"
#include "util/clock.h"

enum {
	FORWARDING = 3, /* BR_STATE_FORWARDING of the kernel */
	ADDR_GEN_MODE_NONE = 1,
	FORWARDING_TRIES = 100, /* half a millisecond each */
	QUEUE_LIMIT = 32767,	/* Debian 13's Linux, 6.12.117, refuses more with ERANGE */
};

static int open_tap(int *ret_fd, char ret_name[IF_NAMESIZE])
{
	struct ifreq request = { .ifr_name = US_PARK_TAP_PREFIX "%d",
				 .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	unsigned int offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_UFO;
	int size = sizeof(struct virtio_net_hdr);
	US_CLEANUP(us_closep) int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &size) < 0 ||
	    ioctl(fd, TUNSETOFFLOAD, offloads) < 0)
		return -errno;
	memcpy(ret_name, request.ifr_name, IF_NAMESIZE);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* A bridge takes the lowest MAC address and the least MTU of its ports for its own. */
static int enslave(const struct us_link *tap, const struct us_link *peer, uint32_t queue_frames,
		   struct us_rtnl_error *error)
{
	struct us_rtnl_request request = us_rtnl_link_request(RTM_NEWLINK, AF_UNSPEC, tap->index);
	struct nlattr *families, *inet6;
	uint8_t mac[6];

	memcpy(mac, tap->mac, sizeof(mac));
	mac[0] = 0xfe;
	mnl_attr_put(&request.header, IFLA_ADDRESS, sizeof(mac), mac);
	mnl_attr_put_u32(&request.header, IFLA_MTU, peer->mtu);
	mnl_attr_put_u32(&request.header, IFLA_TXQLEN, queue_frames);
	mnl_attr_put_u32(&request.header, IFLA_MASTER, peer->master);
	families = mnl_attr_nest_start(&request.header, IFLA_AF_SPEC);
	inet6 = mnl_attr_nest_start(&request.header, AF_INET6);
	mnl_attr_put_u8(&request.header, IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(&request.header, inet6);
	mnl_attr_nest_end(&request.header, families);
	return us_rtnl_exchange(&request.header, NULL, NULL, error);
}

/* Sets attributes of the bridge port to @value. */
static int set_port(const struct us_link *tap, const uint16_t *attributes, size_t count,
		    uint8_t value, struct us_rtnl_error *error)
{
	struct us_rtnl_request request = us_rtnl_link_request(RTM_SETLINK, AF_BRIDGE, tap->index);
	struct nlattr *port = mnl_attr_nest_start(&request.header, IFLA_PROTINFO | NLA_F_NESTED);

	for (size_t i = 0; i < count; i++)
		mnl_attr_put_u8(&request.header, attributes[i], value);
	mnl_attr_nest_end(&request.header, port);
	return us_rtnl_exchange(&request.header, NULL, NULL, error);
}

/* The kernel makes a port forward when a work queue has noticed its link. This does not wait. */
static int make_forward(const struct us_link *tap, struct us_rtnl_error *error)
{
	static const uint16_t state[] = { IFLA_BRPORT_STATE };
	const struct timespec moment = { .tv_nsec = 500 * 1000 };
	struct us_rtnl_request request = us_rtnl_link_request(RTM_NEWLINK, AF_UNSPEC, tap->index);
	struct ifinfomsg *head = mnl_nlmsg_get_payload(&request.header);
	int r;

	head->ifi_flags = head->ifi_change = IFF_UP;
	r = us_rtnl_exchange(&request.header, NULL, NULL, error);
	for (int i = 0; r == 0 && i < FORWARDING_TRIES; i++) {
		r = set_port(tap, state, 1, FORWARDING, error);
		if (r != -ENETDOWN)
			break;
		r = 0;
		nanosleep(&moment, NULL);
	}
	return r;
}

int us_park_tap_new(const struct us_link *peer, uint32_t queue_frames, int *ret_fd,
		    struct us_link *ret_link, struct us_reason *reason)
{
	static const uint16_t quiet[] = { IFLA_BRPORT_LEARNING, IFLA_BRPORT_UNICAST_FLOOD,
					  IFLA_BRPORT_MCAST_FLOOD, IFLA_BRPORT_BCAST_FLOOD };
	US_CLEANUP(us_closep) int fd = -1;
	struct us_rtnl_error error = { "" };
	char name[IF_NAMESIZE];
	int r = open_tap(&fd, name);

	if (r < 0)
		return us_refuse(reason, "the park tap cannot be made: %s", us_strerror(r));
	r = us_link_get(name, ret_link, reason);
	if (r != 0)
		return r;
	r = enslave(ret_link, peer, queue_frames, &error);
	if (r == -ERANGE && queue_frames > QUEUE_LIMIT)
		r = enslave(ret_link, peer, QUEUE_LIMIT, &error);
	if (r == 0) /* before the port is up, so that no frame is flooded to it */
		r = set_port(ret_link, quiet, US_ARRAY_LENGTH(quiet), 0, &error);
	if (r == 0)
		r = make_forward(ret_link, &error);
	if (r < 0)
		return us_refuse(reason, "interface %s: cannot become a port of %s's bridge: %s",
				 name, peer->name, error.text);
	r = us_link_get(name, ret_link, reason);
	if (r != 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}
