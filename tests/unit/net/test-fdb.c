/* SPDX-License-Identifier: BSD-3-Clause */
/* The FDB and the ports of a real bridge. */
#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>

#include "net/netlink/fdb.h"
#include "net/netlink/link.h"
#include "support/testbed.h"
#include "util/cleanup.h"

struct bed {
	int fds[2];
	struct us_link ports[2], bridge;
};

static int setup(void **state)
{
	static struct bed bed;
	const char *const names[] = { "one", "other" };

	testbed_run("ip link add br0 up type bridge mcast_snooping 0");
	assert_int_equal(us_link_get("br0", &bed.bridge, NULL), 0);
	for (int i = 0; i < 2; i++) {
		bed.fds[i] = testbed_tap(names[i], "br0");
		assert_int_equal(us_link_get(names[i], &bed.ports[i], NULL), 0);
	}
	*state = &bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	us_close(bed->fds[0]);
	us_close(bed->fds[1]);
	testbed_run("ip link del br0");
	return 0;
}

static struct us_fdb_entry entry_of(int port)
{
	struct us_fdb_entry entry = { .port = port, .state = NUD_NOARP, .flags = NTF_STICKY };

	memcpy(entry.mac, guest_mac, sizeof(entry.mac));
	return entry;
}

static void test_put_get_delete(void **state)
{
	const struct bed *bed = *state;
	struct us_fdb_entry entry = entry_of(bed->ports[0].index), seen;
	int bridge = bed->bridge.index;

	assert_int_equal(us_fdb_get(guest_mac, bridge, &seen, NULL), -ENOENT);
	assert_int_equal(us_fdb_delete(guest_mac, entry.port, 0), -ENOENT);
	assert_int_equal(us_fdb_put(&entry, NULL), 0);
	assert_int_equal(us_fdb_get(guest_mac, bridge, &seen, NULL), 0);
	assert_memory_equal(seen.mac, guest_mac, sizeof(seen.mac));
	assert_true(seen.port == entry.port && seen.vlan == 0);
	assert_true(seen.state & NUD_NOARP && seen.flags & NTF_STICKY);

	/* Replaced: one entry, at the other port. */
	entry.port = bed->ports[1].index;
	assert_int_equal(us_fdb_put(&entry, NULL), 0);
	assert_int_equal(us_fdb_get(guest_mac, bridge, &seen, NULL), 0);
	assert_int_equal(seen.port, entry.port);
	assert_int_equal(us_fdb_delete(guest_mac, bed->ports[0].index, 0), -ENOENT);
	assert_int_equal(us_fdb_delete(guest_mac, entry.port, 0), 0);
	assert_int_equal(us_fdb_get(guest_mac, bridge, &seen, NULL), -ENOENT);
}

/* A dump of the table; without VLAN filtering there is one entry. */
static void test_find(void **state)
{
	const struct bed *bed = *state;
	struct us_fdb_entry entry = entry_of(bed->ports[0].index), entries[2];
	bool filters_vlans = true;
	size_t count;

	assert_int_equal(us_link_filters_vlans(bed->bridge.index, &filters_vlans), 0);
	assert_false(filters_vlans);
	assert_int_equal(us_fdb_find(guest_mac, bed->bridge.index, entries, 2, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(us_fdb_put(&entry, NULL), 0);
	assert_int_equal(us_fdb_find(guest_mac, bed->bridge.index, entries, 2, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(entries[0].port, entry.port);
	assert_int_equal(us_fdb_find(guest_mac, bed->bridge.index, entries, 0, &count), -ENOSPC);
}

/* As libvirt sets a port of a bridge whose table it manages. */
static void test_fixed_port(void **state)
{
	const struct bed *bed = *state;
	const char *name = bed->ports[0].name;
	struct us_link link;

	assert_int_equal(us_link_get(name, &link, NULL), 0);
	assert_false(link.is_fixed);
	testbed_run("bridge link set dev %s learning off", name);
	assert_int_equal(us_link_get(name, &link, NULL), 0);
	assert_false(link.is_fixed);
	testbed_run("bridge link set dev %s flood off", name);
	assert_int_equal(us_link_get(name, &link, NULL), 0);
	assert_true(link.is_fixed);
	testbed_run("bridge link set dev %s learning on flood on", name);
	assert_int_equal(us_link_get(bed->bridge.name, &link, NULL), 0);
	assert_false(link.is_fixed);
}

static void count_guests(void *userdata, const struct us_fdb_entry *entry)
{
	*(int *)userdata += memcmp(entry->mac, guest_mac, sizeof(entry->mac)) == 0;
}

static void test_each_of_one_bridge_or_all(void **state)
{
	const struct bed *bed = *state;
	struct us_fdb_entry entry = entry_of(bed->ports[0].index);
	struct us_link second;
	int count = 0;

	testbed_run("ip link add br1 up type bridge");
	assert_int_equal(us_link_get("br1", &second, NULL), 0);
	assert_int_equal(us_fdb_put(&entry, NULL), 0);
	assert_int_equal(us_fdb_each(bed->bridge.index, count_guests, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(us_fdb_each(second.index, count_guests, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(us_fdb_each(0, count_guests, &count), 0);
	assert_int_equal(count, 2);
	testbed_run("ip link del br1");
}

/* The unicast filter of a NIC is not the bridge's FDB. */
static void test_listen(void **state)
{
	const struct bed *bed = *state;
	struct us_fdb_entry entry;
	char text[200];

	testbed_run("ip link add nic up master br0 type veth peer name wire");
	int port = (int)if_nametoindex("nic");

	for (int i = 0; i < 2; i++)
		assert_int_equal(us_fdb_listen(guest_mac, port, true, NULL), 0);
	testbed_read(text, sizeof(text),
		     "bridge fdb show dev nic | grep -o '^02:00:00:00:00:01.*self'");
	assert_string_equal(text, "02:00:00:00:00:01 self\n");
	assert_int_equal(us_fdb_get(guest_mac, bed->bridge.index, &entry, NULL), -ENOENT);
	for (int i = 0; i < 2; i++)
		assert_int_equal(us_fdb_listen(guest_mac, port, false, NULL), 0);
	testbed_read(text, sizeof(text),
		     "bridge fdb show dev nic | grep -o '^02:00:00:00:00:01.*self'");
	assert_string_equal(text, "");
	testbed_run("ip link del nic");
}

static void count_ports(void *userdata, const struct us_link *port)
{
	assert_true(port->is_tun && port->is_up && port->master_is_bridge);
	++*(int *)userdata;
}

static void test_ports(void **state)
{
	const struct bed *bed = *state;
	struct us_reason reason = { .text = "" };
	struct us_link link;
	int count = 0;

	assert_int_equal(us_link_each_port(bed->bridge.index, count_ports, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(us_link_get_bridge_port("one", &link, &reason), 0);
	assert_int_equal(link.master, bed->bridge.index);
	assert_int_equal(us_link_get_bridge_port("br0", &link, &reason), US_REFUSED);
	assert_string_equal(us_reason_next(&reason), "add it to a bridge");
	/* By another name, which is too long for IFLA_IFNAME. */
	testbed_run("ip link property add dev one altname the-tap-of-the-first-guest");
	assert_int_equal(us_link_get("the-tap-of-the-first-guest", &link, &reason), 0);
	assert_string_equal(link.name, "one");
	assert_int_equal(link.index, bed->ports[0].index);
}

static void test_traffic(void **state)
{
	const struct bed *bed = *state;
	const uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, [12] = 0x88, 0xb5 };
	struct us_link_traffic before, after;

	assert_int_equal(us_link_get_traffic(bed->ports[0].index, &before), 0);
	assert_int_equal(write(bed->fds[0], frame, sizeof(frame)), sizeof(frame));
	assert_int_equal(us_link_get_traffic(bed->ports[0].index, &after), 0);
	assert_int_equal(after.received, before.received + 1);
	assert_int_equal(us_link_get_traffic(9999, &after), -ENODEV);
}

#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BED(test_put_get_delete), WITH_BED(test_find),
		WITH_BED(test_fixed_port),     WITH_BED(test_each_of_one_bridge_or_all),
		WITH_BED(test_listen),	       WITH_BED(test_ports),
		WITH_BED(test_traffic),
	};

	if (!testbed_enter())
		return TESTBED_SKIP;
	return cmocka_run_group_tests_name("fdb", tests, NULL, NULL);
}
