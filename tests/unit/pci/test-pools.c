/* SPDX-License-Identifier: BSD-3-Clause */
/* The file of pools, and the VFs that it leads to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "pci/pools.h"
#include "support/sysfs-tree.h"

static const char *path(void)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s/pools.conf", sysfs_tree_root);
	return text;
}

static void write_file(const char *text)
{
	FILE *file = fopen(path(), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_no_file(void **state)
{
	struct us_pools pools;
	struct us_reason reason;

	assert_int_equal(us_pools_read("/nowhere/pools.conf", &pools, &reason), 0);
	assert_int_equal(pools.count, 0);
}

static void test_all_words(void **state)
{
	const struct us_pool *pool;
	struct us_pools pools;
	struct us_reason reason = { .text = "" };

	write_file("neighbours veth0\nneighbours tap7\n# comment\n\n\tpool fast # one\npf eth7\n  "
		   "create 8\n"
		   "vlan 100\nqos 3\nmax-rate 1000\nspoof-check off\ntrust on\n"
		   "pool some\nvf 0000:5e:00.2\nvf 0000:5e:00.3\nnetwork blue-net\n");
	if (us_pools_read(path(), &pools, &reason) != 0)
		fail_msg("%s", reason.text);
	assert_int_equal(pools.count, 2);
	assert_int_equal(pools.neighbour_count, 2);
	assert_string_equal(pools.neighbours[1], "tap7");
	pool = us_pools_find(&pools, "fast");
	assert_non_null(pool);
	assert_int_equal(pool->create, 8);
	assert_int_equal(pool->count, 1);
	assert_int_equal(pool->sources[0].type, US_POOL_PF);
	assert_string_equal(pool->sources[0].value, "eth7");
	assert_int_equal(pool->settings[US_POOL_VLAN], 100);
	assert_int_equal(pool->settings[US_POOL_QOS], 3);
	assert_int_equal(pool->settings[US_POOL_MIN_RATE], US_POOL_UNCHANGED);
	assert_int_equal(pool->settings[US_POOL_MAX_RATE], 1000);
	assert_int_equal(pool->settings[US_POOL_SPOOF_CHECK], 0);
	assert_int_equal(pool->settings[US_POOL_TRUST], 1);
	pool = us_pools_find(&pools, "some");
	assert_int_equal(pool->create, 0);
	assert_int_equal(pool->count, 3);
	assert_int_equal(pool->sources[1].type, US_POOL_VF);
	assert_int_equal(pool->sources[2].type, US_POOL_NETWORK);
	assert_string_equal(pool->sources[2].value, "blue-net");
	assert_null(us_pools_find(&pools, "none"));
	us_pools_free(&pools);
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *text, *words;
	} mistakes[] = {
		{ "pf eth7\n", ":1: pf: belongs to a pool: begin with \"pool NAME\"" },
		{ "pool a\n\npf\n", ":3: pf: its value is missing" },
		{ "pool a\npf eth0 eth1\n", ":2: pf eth0: one value a line" },
		{ "pool a\nqf eth0\n",
		  ":2: qf: is not a known word: neighbours, pool, pf, vf, network, create, "
		  "vlan, qos, min-rate, max-rate, spoof-check or trust" },
		{ "pool a\npf x\nneighbours y\n",
		  ":3: neighbours y: does not belong to a pool: write it before the first pool" },
		{ "neighbours abcdefghijklmnop\n",
		  ":1: neighbours abcdefghijklmnop: is no valid name of an interface" },
		{ "pool a/b\n",
		  ":1: pool a/b: a name has up to 31 letters, digits, '.', '_' and '-'" },
		{ "pool a\npf x\npool a\n", ":3: pool a: exists already: choose another name" },
		{ "pool a\nvf 5e:00.2\n",
		  ":2: vf 5e:00.2: is no PCI address: write it like 0000:5e:00.2" },
		{ "pool a\npf ../../etc\n", ":2: pf ../../etc: up to 63 characters, and no '/'" },
		{ "pool a\npf abcdefghijklmnopq\n",
		  ":2: pf abcdefghijklmnopq: is no valid name of an interface" },
		{ "pool a\ncreate 0\n", ":2: create 0: a number from 1 to 256" },
		{ "pool a\ncreate -1\n", ":2: create -1: a number from 1 to 256" },
		{ "pool a\ncreate 8x\n", ":2: create 8x: a number from 1 to 256" },
		{ "pool a\nvlan 4095\n", ":2: vlan 4095: a number from 0 to 4094" },
		{ "pool a\nqos 8\n", ":2: qos 8: a number from 0 to 7" },
		{ "pool a\ntrust 1\n", ":2: trust 1: on or off" },
		{ "pool a\n", ": pool a: has no pf, vf or network" },
		{ "pool a\ncreate 2\nvf 0000:5e:00.2\n",
		  ": pool a: create: has no pf or network to create VFs of" },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(mistakes); i++) {
		struct us_reason reason = { .text = "" };
		struct us_pools pools;

		write_file(mistakes[i].text);
		assert_int_equal(us_pools_read(path(), &pools, &reason), US_REFUSED);
		assert_memory_equal(reason.text, path(), strlen(path()));
		assert_string_equal(reason.text + strlen(path()), mistakes[i].words);
		assert_int_equal(pools.count, 0);
	}
}

static void test_long_line(void **state)
{
	struct us_reason reason = { .text = "" };
	struct us_pools pools;
	char text[400];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	write_file(text);
	assert_int_equal(us_pools_read(path(), &pools, &reason), US_REFUSED);
	assert_string_equal(reason.text + strlen(path()), ":1: a line has up to 254 characters");
}

static void test_too_many(void **state)
{
	struct us_reason reason = { .text = "" };
	struct us_pools pools;
	FILE *file = fopen(path(), "w");

	for (int i = 0; i <= US_POOLS_MAX; i++)
		fprintf(file, "pool p%d\npf eth0\n", i);
	fclose(file);
	assert_int_equal(us_pools_read(path(), &pools, &reason), US_REFUSED);
	assert_string_equal(reason.text + strlen(path()), ":129: pool p64: more than 64 pools");

	file = fopen(path(), "w");
	fprintf(file, "pool a\n");
	for (int i = 0; i <= US_POOL_SOURCES_MAX; i++)
		fprintf(file, "pf eth%d\n", i);
	fclose(file);
	assert_int_equal(us_pools_read(path(), &pools, &reason), US_REFUSED);
	assert_string_equal(reason.text + strlen(path()),
			    ":66: pool a: more than 64 sources: make two pools of it");
}

/* ---- VFs of a pool ---- */

static int note(const char *address, void *userdata)
{
	char *text = userdata;

	sprintf(text + strlen(text), "%s ", address);
	return 0;
}

static int find(struct us_pool *pool, char *ret_text, struct us_reason *reason)
{
	ret_text[0] = '\0';
	return us_pool_each(sysfs_tree_path(), pool, note, ret_text, reason);
}

static void test_sources(void **state)
{
	struct us_pool pool = { .name = "a",
				.count = 2,
				.sources = { { US_POOL_VF, "0000:01:00.1" },
					     { US_POOL_PF, "eth7" } } };
	struct us_reason reason = { .text = "" };
	char text[256];

	sysfs_tree_add_pf("eth7", 3, "vfio-pci");
	assert_int_equal(find(&pool, text, &reason), 0);
	assert_string_equal(text, "0000:01:00.1 0000:5e:00.1 0000:5e:00.2 0000:5e:00.3 ");

	pool = (struct us_pool){ .name = "a",
				 .count = 1,
				 .sources = { { US_POOL_NETWORK, "blue" } } };
	assert_int_equal(find(&pool, text, &reason), US_REFUSED);
	assert_string_equal(reason.text,
			    "pool a: no PF is on network blue: ip link set PF alias blue");
	sysfs_tree_sh("echo blue >sys/class/net/eth7/ifalias");
	assert_int_equal(find(&pool, text, &reason), 0);
	assert_string_equal(text, "0000:5e:00.1 0000:5e:00.2 0000:5e:00.3 ");
}

static void test_no_vfs(void **state)
{
	struct us_pool pool = { .name = "a", .count = 1, .sources = { { US_POOL_PF, "eth8" } } };
	struct us_reason reason = { .text = "" };
	char text[256];

	assert_int_equal(find(&pool, text, &reason), US_REFUSED);
	assert_string_equal(reason.text, "pool a: eth8: is not an interface of a PCI device");

	sysfs_tree_add_pf("eth8", 0, "none");
	assert_int_equal(find(&pool, text, &reason), US_REFUSED);
	assert_string_equal(reason.text,
			    "pool a: eth8: has no VFs: \"create N\" in the pool, or echo N "
			    ">/sys/class/net/eth8/device/sriov_numvfs");
	pool.create = 8;
	assert_int_equal(find(&pool, text, &reason), US_REFUSED);
	assert_string_equal(reason.text, "pool a: create 8: eth8 can have 7 VFs");

	sysfs_tree_sh("echo 0 >sys/devices/0000:5e:00.0/sriov_totalvfs");
	assert_int_equal(find(&pool, text, &reason), US_REFUSED);
	assert_string_equal(reason.text, "pool a: eth8: cannot have VFs: name another PF");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_file, sysfs_tree_setup,
						sysfs_tree_teardown),
		cmocka_unit_test_setup_teardown(test_all_words, sysfs_tree_setup,
						sysfs_tree_teardown),
		cmocka_unit_test_setup_teardown(test_mistakes, sysfs_tree_setup,
						sysfs_tree_teardown),
		cmocka_unit_test_setup_teardown(test_long_line, sysfs_tree_setup,
						sysfs_tree_teardown),
		cmocka_unit_test_setup_teardown(test_too_many, sysfs_tree_setup,
						sysfs_tree_teardown),
		cmocka_unit_test_setup_teardown(test_sources, sysfs_tree_setup,
						sysfs_tree_teardown),
		cmocka_unit_test_setup_teardown(test_no_vfs, sysfs_tree_setup, sysfs_tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
