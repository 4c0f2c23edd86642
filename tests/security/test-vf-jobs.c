/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VF has one job at a time. The next job waits until the one before it has ended, and cancels a
 * wait of that one. Runs in the daemon's loop, on a tree of files that looks like sysfs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "daemon/daemon.h"
#include "daemon/vf/vf-private.h"
#include "support/exclusive-group.h"
#include "support/reserved-vf.h"
#include "support/sysfs-tree.h"

static struct us_daemon daemon_of_test;

/* The results of the jobs, in the order in which they ended. */
static struct {
	enum us_vf_job_type type;
	int r;
	bool has_group;
} results[4];
static size_t count;

static void on_done(struct us_vf_job *job)
{
	results[count].type = job->type;
	results[count].r = job->r;
	results[count++].has_group = job->group_fd >= 0;
}

static int restore_nothing(const struct us_reserved *reserved, struct us_reason *reason)
{
	return 0;
}

static int setup(void **state)
{
	int r = sysfs_tree_setup(state);

	if (r != 0)
		return r;
	sysfs_tree_add_pf("eth7", 1, "vfio-pci");
	exclusive_group_new();
	count = 0;
	return us_daemon_init(&daemon_of_test);
}

static int teardown(void **state)
{
	us_daemon_deinit(&daemon_of_test);
	exclusive_group_free();
	return sysfs_tree_teardown(state);
}

static struct us_reserved reserve(void)
{
	struct us_reserve_request request = reserved_vf_request("a");
	struct us_reserved reserved;
	struct us_reason reason = { .text = "" };

	if (reserved_vf_reserve(&request, &reserved, &reason) != 0)
		fail_msg("%s", reason.text);
	return reserved;
}

static void start(enum us_vf_job_type type, const struct us_reserved *reserved)
{
	struct us_vf_job *job = us_vf_job_new(type, daemon_of_test.vfs);

	assert_non_null(job);
	job->request.sysfs = sysfs_tree_path();
	job->request.directory = reserved_vf_records();
	job->request.restore = restore_nothing;
	job->reserved = *reserved;
	job->wait.usec = UINT64_C(3600) * 1000000;
	us_vf_job_start(job, on_done, NULL);
}

static void run_until(size_t wanted)
{
	while (count < wanted)
		assert_true(sd_event_run(daemon_of_test.loop, UINT64_MAX) >= 0);
}

static void assert_result(size_t i, enum us_vf_job_type type, int r, bool has_group)
{
	assert_int_equal(results[i].type, type);
	assert_int_equal(results[i].r, r);
	assert_int_equal(results[i].has_group, has_group);
}

/* The VF is requested again while its return waits: the return is cancelled. */
static void test_return_then_hold(void **state)
{
	struct us_reserved reserved = reserve(), still;

	exclusive_group_open();
	start(US_VF_JOB_RETURN, &reserved);
	start(US_VF_JOB_OPEN_GROUP, &reserved);
	run_until(1);
	exclusive_group_close();
	run_until(2);
	assert_result(0, US_VF_JOB_RETURN, -ECANCELED, false);
	assert_result(1, US_VF_JOB_OPEN_GROUP, 0, true);
	assert_int_equal(us_reserved_find(reserved_vf_records(), "/run/one", "a", &still), 0);
}

/* The VF is released while its request waits: the request is cancelled, and the VF returned. */
static void test_hold_then_return(void **state)
{
	struct us_reserved reserved = reserve(), still;

	exclusive_group_open();
	start(US_VF_JOB_OPEN_GROUP, &reserved);
	start(US_VF_JOB_RETURN, &reserved);
	assert_true(us_vf_job_is_due(daemon_of_test.vfs, "a"));
	run_until(1);
	exclusive_group_close();
	run_until(2);
	assert_result(0, US_VF_JOB_OPEN_GROUP, -ECANCELED, false);
	assert_result(1, US_VF_JOB_RETURN, 0, false);
	assert_false(us_vf_job_is_due(daemon_of_test.vfs, "a"));
	assert_int_equal(us_reserved_find(reserved_vf_records(), "/run/one", "a", &still), -ENOENT);
}

/* Two jobs at once would both succeed, and the first would undo the second. */
static void test_none_overtakes(void **state)
{
	struct us_reserved reserved = reserve(), still;

	start(US_VF_JOB_OPEN_GROUP, &reserved);
	start(US_VF_JOB_OPEN_GROUP, &reserved);
	start(US_VF_JOB_RETURN, &reserved);
	run_until(3);
	assert_int_equal(results[0].type, US_VF_JOB_OPEN_GROUP);
	assert_int_equal(results[1].type, US_VF_JOB_OPEN_GROUP);
	assert_result(2, US_VF_JOB_RETURN, 0, false);
	assert_int_equal(us_reserved_find(reserved_vf_records(), "/run/one", "a", &still), -ENOENT);
}

static void test_adopted_before_it_is_given_back(void **state)
{
	struct us_reserved reserved = reserve(), still;

	exclusive_group_open();
	start(US_VF_JOB_RETURN, &reserved);
	assert_true(us_vf_job_stop_return(daemon_of_test.vfs, reserved.address));
	exclusive_group_close();
	run_until(1);
	assert_result(0, US_VF_JOB_RETURN, -ECANCELED, false);
	assert_int_equal(us_reserved_find(reserved_vf_records(), "/run/one", "a", &still), 0);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(test_return_then_hold),
		IN_TREE(test_hold_then_return),
		IN_TREE(test_none_overtakes),
		IN_TREE(test_adopted_before_it_is_given_back),
	};

	if (!exclusive_group_init())
		return 77;
	return cmocka_run_group_tests_name("vf-jobs", tests, NULL, NULL);
}
