/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stages of a migration at its source: what each does when all goes well, what its failure, its
 * deadline and an abort undo, and that nothing is undone past the point of no return. The daemon is
 * the real one with one VM; the VMM (fake-vmm.h) and the destination's daemon follow a script, and
 * time passes when the test says.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "api/client.h"
#include "daemon/daemon.h"
#include "daemon/rpc/rpc.h"
#include "daemon/state/state.h"
#include "fake-vmm.h"
#include "util/clock.h"

enum {
	STEPS_MAX = 10000, /* of the loop: more would be a livelock */
	METHODS_MAX = 40,
	SEC = 1000 * 1000,
};

static char folder[] = "/tmp/understudy-migration-XXXXXX";
static char control_path[64], peer_path[64], qmp_path[64];
static sd_event *loop;
static struct us_daemon the_daemon;
static struct us_server *server;
static struct us_client *client, *other_client; /* a connection has one call at a time */
static uint64_t passed_usec;

/* What came of a call. */
struct result {
	bool is_answered;
	char error[64], message[400], warning[400];
};

/* ---- Time ---- */

/* In place of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	long r = syscall(SYS_clock_gettime, clock, ret_time);
	uint64_t usec = (uint64_t)ret_time->tv_nsec / 1000 + passed_usec;

	ret_time->tv_sec += usec / US_USEC_PER_SEC;
	ret_time->tv_nsec = (usec % US_USEC_PER_SEC) * 1000;
	return r;
}

static void settle(void)
{
	int steps = 0, r;

	while ((r = sd_event_run(loop, 0)) > 0)
		assert_true(++steps < STEPS_MAX);
	assert_int_equal(r, 0);
}

static void pass(uint64_t usec)
{
	passed_usec += usec;
	settle();
}

/* ---- The destination's daemon ---- */

static struct {
	bool is_silent;		   /* does not answer GetStatus */
	bool is_silent_in_receive; /* the same for Receive */
	const char *refusal;	   /* of Receive */
	int protocol;
	const char *uri, *token;
	struct us_call *receive; /* NULL: not under way */
} peer;

static void on_receive_gone(void *userdata, struct us_call *call)
{
	fake_trace("peer:gone");
	peer.receive = NULL;
}

static void on_gone(void *userdata, struct us_call *call)
{
}

static void peer_status(void *userdata, struct us_call *call, const json_t *parameters)
{
	fake_trace("peer:status");
	if (peer.is_silent)
		us_call_on_gone(call, on_gone, NULL);
	else
		us_call_reply(call,
			      json_pack("{s:s, s:i}", "version", "9", "protocol", peer.protocol));
}

static void peer_receive(void *userdata, struct us_call *call, const json_t *parameters)
{
	fake_trace("peer:receive");
	if (peer.refusal) {
		us_call_fail(call, "Refused", "%s", peer.refusal);
		return;
	}
	peer.receive = call;
	us_call_on_gone(call, on_receive_gone, NULL);
	if (!peer.is_silent_in_receive)
		us_call_continue(call, json_pack("{s:s, s:b, s:s*}", "uri", peer.uri, "arrived",
						 false, "token", peer.token));
}

static void peer_arrive(void)
{
	us_call_continue(peer.receive, json_pack("{s:s, s:b}", "uri", "", "arrived", true));
	settle();
}

static const struct us_method peer_methods[] = {
	{ "GetStatus", 0, peer_status },
	{ "Receive", 0, peer_receive },
	{ NULL, 0, NULL },
};

/* ---- Calls of an operator ---- */

static void on_answer(void *userdata, const char *error, const json_t *parameters, bool more)
{
	const char *message = json_string_value(json_object_get(parameters, "message"));
	const json_t *progress = json_object_get(parameters, "progress");
	const char *warning = json_string_value(json_object_get(progress, "warning"));
	struct result *result = userdata;

	if (warning)
		snprintf(result->warning, sizeof(result->warning), "%s", warning);
	if (more)
		return;
	result->is_answered = true;
	snprintf(result->error, sizeof(result->error), "%s", error ? strrchr(error, '.') + 1 : "");
	snprintf(result->message, sizeof(result->message), "%s", message ? message : "");
}

static void call(struct us_client *caller, const char *method, json_t *parameters,
		 struct result *ret_result)
{
	*ret_result = (struct result){ .is_answered = false };
	assert_int_equal(us_client_call(caller, method, parameters, true, on_answer, ret_result),
			 0);
	settle();
}

static void abort_migration(struct result *ret_result)
{
	call(other_client, "AbortMigration", json_pack("{s:s}", "vm", "web"), ret_result);
}

static void migrate(struct result *ret_result)
{
	char destination[80];

	snprintf(destination, sizeof(destination), "unix:%s", peer_path);
	call(client, "Migrate",
	     json_pack("{s:s, s:s, s:i}", "vm", "web", "destination", destination, "deadline_sec",
		       100),
	     ret_result);
}

static void emit_transfer(enum us_transfer transfer)
{
	if (transfer == US_TRANSFER_COMPLETED)
		fake_emit((struct us_vmm_event){ .type = US_VMM_STATE, .state = US_VM_MOVED });
	fake_emit((struct us_vmm_event){ .type = US_VMM_TRANSFER, .transfer = transfer });
	settle();
}

/* Until QEMU transfers the guest. */
static void migrate_to_transfer(struct result *ret_result)
{
	migrate(ret_result);
	emit_transfer(US_TRANSFER_ACTIVE);
	assert_string_equal(fake_take_trace(), "peer:status peer:receive configure start");
	assert_false(ret_result->is_answered);
}

static void check_failed(const struct result *result, const char *message)
{
	assert_true(result->is_answered);
	assert_string_equal(result->error, "Failed");
	if (!strstr(result->message, message))
		fail_msg("\"%s\" has not \"%s\"", result->message, message);
}

static void all_goes_well(void)
{
	fake_script = (struct fake_script){ .mac = { 0x52, 0x54, 0, 0, 0, 1 } };
	memset(&peer, 0, sizeof(peer));
	peer.protocol = 2;
	peer.uri = "tcp:127.0.0.1:1";
	peer.token = "0";
}

/* Nothing of a migration is left: the next one gets as far as the first. */
static void check_next(void)
{
	struct result result;

	all_goes_well();
	fake_take_trace();
	migrate_to_transfer(&result);
}

/* ---- All goes well ---- */

static void test_success(void **state)
{
	struct result result, aborted;

	migrate_to_transfer(&result);
	fake_script.progress.downtime_msec = 17;
	emit_transfer(US_TRANSFER_COMPLETED);
	assert_string_equal(fake_take_trace(), "");
	peer_arrive();
	abort_migration(&aborted);
	assert_string_equal(aborted.error, "Refused");
	assert_false(result.is_answered); /* late frames are still awaited */
	pass(SEC + 1);
	assert_true(result.is_answered);
	assert_string_equal(result.error, "");
	assert_string_equal(fake_take_trace(), "restore peer:gone");
}

static void test_guest_arrives_before_completion(void **state)
{
	struct result result;

	migrate_to_transfer(&result);
	peer_arrive();
	emit_transfer(US_TRANSFER_COMPLETED);
	pass(SEC + 1);
	assert_string_equal(result.error, "");
	assert_true(result.is_answered);
}

/* ---- check ---- */

static void test_no_daemon(void **state)
{
	struct result result;

	call(client, "Migrate",
	     json_pack("{s:s, s:s}", "vm", "web", "destination", "unix:/nowhere/control"), &result);
	check_failed(&result, "no understudyd at unix:/nowhere/control");
	check_next();
}

static void test_other_protocol(void **state)
{
	struct result result;

	peer.protocol = 1;
	migrate(&result);
	check_failed(&result, "version 1 of the migration protocol");
	assert_string_equal(fake_take_trace(), "peer:status");
	check_next();
}

static void test_check_deadline(void **state)
{
	struct result result;

	peer.is_silent = true;
	migrate(&result);
	pass(29 * SEC);
	assert_false(result.is_answered);
	pass(2 * SEC);
	check_failed(&result, "vm web: check did not end in time");
	check_next();
}

/* ---- reserve ---- */

static void test_reserve_refused(void **state)
{
	struct result result;

	peer.refusal = "vm web has no pair web0 at the destination";
	migrate(&result);
	check_failed(&result, peer.refusal);
	assert_string_equal(fake_take_trace(), "peer:status peer:receive");
	check_next();
}

static void test_reserve_without_token(void **state)
{
	struct result result;

	peer.token = NULL;
	migrate(&result);
	check_failed(&result, "sent no valid token");
	assert_string_equal(fake_take_trace(), "peer:status peer:receive peer:gone");
	check_next();
}

/* QEMU would run a program. */
static void test_reserve_with_other_uri(void **state)
{
	struct result result;

	peer.uri = "exec:true";
	migrate(&result);
	check_failed(&result, "sent no TCP address of its QEMU");
	assert_string_equal(fake_take_trace(), "peer:status peer:receive peer:gone");
	check_next();
}

static void test_reserve_deadline(void **state)
{
	struct result result;

	peer.is_silent_in_receive = true;
	migrate(&result);
	pass(31 * SEC);
	check_failed(&result, "vm web: reserve did not end in time");
	assert_string_equal(fake_take_trace(), "peer:status peer:receive peer:gone");
	check_next();
}

/* ---- hide ---- */

static void test_hide(void **state)
{
	struct result result;

	migrate(&result);
	assert_string_equal(fake_take_trace(), "peer:status peer:receive");
	fake_emit((struct us_vmm_event){ .type = US_VMM_DELETED, .device = "understudy-web0" });
	settle();
	assert_string_equal(fake_take_trace(), "configure start");
}

/* The guest does not acknowledge the unplug. */
static void test_hide_overdue(void **state)
{
	struct result result;

	migrate(&result);
	pass(19 * SEC);
	assert_string_equal(fake_take_trace(), "peer:status peer:receive");
	pass(2 * SEC);
	pass(6 * SEC); /* its undo has a deadline, too */
	check_failed(&result, "vm web: hide: pair web0: guest has not acknowledged the unplug");
	if (!strstr(fake_take_trace(), "peer:gone"))
		fail_msg("the destination is not released");
}

static void test_abort_while_hiding(void **state)
{
	struct result result, aborted;

	migrate(&result);
	abort_migration(&aborted);
	pass(6 * SEC);
	check_failed(&result, "vm web: the migration was aborted");
	assert_true(aborted.is_answered);
}

/* ---- transfer ---- */

static void test_settings_refused(void **state)
{
	struct result result;

	fake_script.refusal[FAKE_CONFIGURE] = "no such setting";
	migrate(&result);
	check_failed(&result, "vm web: transfer: no such setting");
	assert_string_equal(fake_take_trace(),
			    "peer:status peer:receive configure restore peer:gone");
	check_next();
}

static void test_start_refused(void **state)
{
	struct result result;

	fake_script.refusal[FAKE_START] = "not now";
	migrate(&result);
	check_failed(&result, "vm web: transfer: not now");
	assert_string_equal(fake_take_trace(),
			    "peer:status peer:receive configure start cancel restore peer:gone");
	check_next();
}

static void test_transfer_failed(void **state)
{
	struct result result;

	migrate_to_transfer(&result);
	strcpy(fake_script.progress.error, "Broken pipe");
	emit_transfer(US_TRANSFER_FAILED);
	check_failed(&result, "vm web: transfer: Broken pipe");
	assert_string_equal(fake_take_trace(), "cancel restore peer:gone");
	check_next();
}

static void test_transfer_deadline(void **state)
{
	struct result result;

	migrate_to_transfer(&result);
	pass(101 * SEC);
	assert_string_equal(fake_take_trace(), "cancel");
	emit_transfer(US_TRANSFER_CANCELLED);
	check_failed(&result, "vm web: transfer did not end in time");
	assert_string_equal(fake_take_trace(), "restore peer:gone");
	check_next();
}

/* QEMU does not even cancel: the rest is undone all the same. */
static void test_undo_deadline(void **state)
{
	struct result result;

	migrate_to_transfer(&result);
	pass(101 * SEC);
	pass(61 * SEC);
	check_failed(&result, "vm web: transfer did not end in time");
}

static void test_connection_to_peer_ends(void **state)
{
	struct result result;

	migrate_to_transfer(&result);
	us_call_fail(US_STEAL(peer.receive), "Failed", "its QEMU ended");
	settle();
	assert_string_equal(fake_take_trace(), "cancel");
	emit_transfer(US_TRANSFER_CANCELLED);
	check_failed(&result, "its QEMU ended");
	check_next();
}

static void lose_vm(bool has_ended)
{
	struct us_reason reason;

	us_refuse(&reason, "the monitor closed");
	fake_emit((struct us_vmm_event){
		.type = US_VMM_LOST, .exited = has_ended, .reason = &reason });
	settle();
}

static void test_vm_ends(void **state)
{
	struct result result;

	migrate_to_transfer(&result);
	lose_vm(true);
	check_failed(&result, "vm web: transfer: the monitor closed");
	assert_string_equal(fake_take_trace(), "peer:gone");
}

/* The transfer goes on without its monitor, and is cancelled as soon as there is one. */
static void test_vm_lost(void **state)
{
	struct result result;

	migrate_to_transfer(&result);
	lose_vm(false);
	lose_vm(false);
	assert_false(result.is_answered);
	assert_string_equal(fake_take_trace(), "");
	fake_emit((struct us_vmm_event){
		.type = US_VMM_ADOPTED, .state = US_VM_RUNNING, .transfer = US_TRANSFER_ACTIVE });
	settle();
	assert_string_equal(fake_take_trace(), "cancel");
	assert_false(result.is_answered);
	emit_transfer(US_TRANSFER_CANCELLED);
	check_failed(&result, "vm web: transfer: the monitor closed");
	assert_string_equal(fake_take_trace(), "restore peer:gone");
	check_next();
}

/* What completed is the guest's arrival here, at an earlier time. */
static void test_vm_lost_before_its_transfer(void **state)
{
	struct result result;

	migrate_to_transfer(&result);
	lose_vm(false);
	fake_emit((struct us_vmm_event){ .type = US_VMM_ADOPTED,
					 .state = US_VM_RUNNING,
					 .transfer = US_TRANSFER_COMPLETED });
	settle();
	check_failed(&result, "vm web: transfer: the monitor closed");
	assert_string_equal(fake_take_trace(), "cancel restore peer:gone");
	check_next();
}

/* ---- Abort ---- */

static void test_abort(void **state)
{
	struct result result, aborted;

	migrate_to_transfer(&result);
	abort_migration(&aborted);
	assert_string_equal(fake_take_trace(), "cancel");
	assert_false(aborted.is_answered);
	emit_transfer(US_TRANSFER_CANCELLED);
	check_failed(&result, "vm web: the migration was aborted");
	assert_true(aborted.is_answered);
	assert_string_equal(aborted.error, "");
	assert_string_equal(fake_take_trace(), "restore peer:gone");
	check_next();
}

/* The guest has moved: nothing brings it back. */
static void test_abort_comes_too_late(void **state)
{
	struct result result, aborted;

	migrate_to_transfer(&result);
	abort_migration(&aborted);
	emit_transfer(US_TRANSFER_COMPLETED);
	peer_arrive();
	pass(SEC + 1);
	assert_true(result.is_answered);
	assert_string_equal(result.error, "");
	assert_string_equal(aborted.error, "Refused");
	assert_string_equal(fake_take_trace(), "cancel restore peer:gone");
}

/* QEMU completes the transfer, and then says that it has cancelled it. */
static void test_abort_while_completing(void **state)
{
	struct result result, aborted;

	migrate_to_transfer(&result);
	fake_script.completes_at_cancel = true;
	abort_migration(&aborted);
	pass(2 * SEC);
	assert_false(result.is_answered); /* the guest has not arrived */
	peer_arrive();
	pass(SEC + 1);
	assert_true(result.is_answered);
	assert_string_equal(result.error, "");
	assert_string_equal(aborted.error, "Refused");
}

static void test_abort_without_migration(void **state)
{
	struct result aborted;

	abort_migration(&aborted);
	assert_string_equal(aborted.error, "Refused");
}

/* ---- Past the point of no return ---- */

static void test_failure_past_return(void **state)
{
	struct result result;

	migrate_to_transfer(&result);
	emit_transfer(US_TRANSFER_COMPLETED);
	us_call_fail(US_STEAL(peer.receive), "Failed", "it is being restarted");
	settle();
	pass(SEC + 1);
	assert_true(result.is_answered);
	assert_string_equal(result.error, "");
	if (!strstr(result.warning, "it is being restarted"))
		fail_msg("warned: \"%s\"", result.warning);
	assert_string_equal(fake_take_trace(), "restore");
}

static void test_guest_never_arrives(void **state)
{
	struct result result;

	migrate_to_transfer(&result);
	emit_transfer(US_TRANSFER_COMPLETED);
	pass(29 * SEC);
	assert_false(result.is_answered);
	pass(2 * SEC); /* arrive ends, and handoff begins */
	pass(2 * SEC);
	assert_true(result.is_answered);
	assert_string_equal(result.error, "");
}

/* ---- Life ---- */

static struct us_server *peer_server;
static struct us_method methods[METHODS_MAX];

/* The test may run as anybody, and the daemon's own methods are for its group. */
static void open_methods(void)
{
	for (size_t i = 0; us_rpc_methods[i].name; i++) {
		assert_true(i < METHODS_MAX - 1);
		methods[i] = us_rpc_methods[i];
		methods[i].access = 0;
	}
}

static void adopt(void)
{
	fake_emit((struct us_vmm_event){ .type = US_VMM_ADOPTED, .state = US_VM_RUNNING });
	settle();
	fake_take_trace();
}

static void write_state(void)
{
	json_t *pair =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i}", "name", "web0",
			  "standby", "net0", "port", "none0", "bus", "", "group", "", "mac",
			  "52:54:00:00:00:01", "mode", "combined", "primary",
			  "emulated:vmxnet3,port=none1", "hold", false, "mtu", 0, "queue_pairs", 1);
	json_t *saved = json_pack("{s:i, s:[{s:s, s:s, s:b, s:[o]}]}", "version", 1, "vms", "name",
				  "web", "qmp", qmp_path, "prepared", false, "pairs", pair);
	char path[80];

	snprintf(path, sizeof(path), "%s/state.json", folder);
	assert_int_equal(json_dump_file(saved, path, 0), 0);
	json_decref(saved);
}

static void begin_daemon(void)
{
	struct us_reason reason;
	char host[80];

	passed_usec = 0;
	all_goes_well();
	the_daemon = (struct us_daemon){ .socket_path = control_path, .state_dir = folder };
	assert_int_equal(us_daemon_init(&the_daemon), 0);
	loop = the_daemon.loop;
	assert_int_equal(
		us_server_new(&server, loop, control_path, -1, methods, the_daemon.rpc, &reason),
		0);
	assert_int_equal(
		us_server_new(&peer_server, loop, peer_path, -1, peer_methods, NULL, &reason), 0);
	snprintf(host, sizeof(host), "unix:%s", control_path);
	assert_int_equal(us_client_new(&client, loop, host), 0);
	assert_int_equal(us_client_new(&other_client, loop, host), 0);
}

static int begin(void **state)
{
	struct result attached;

	begin_daemon();
	call(client, "AttachVm", json_pack("{s:s, s:s}", "name", "web", "qmp", qmp_path),
	     &attached);
	adopt();
	assert_true(attached.is_answered);
	assert_string_equal(attached.message, "");
	return 0;
}

/* The daemon has restarted, and finds a guest with its primary, which was asked to release it. */
static int begin_with_pair(void **state)
{
	begin_daemon();
	write_state();
	assert_int_equal(us_state_load(the_daemon.state), 0);
	adopt();
	return 0;
}

static int end(void **state)
{
	us_client_free(client);
	us_client_free(other_client);
	us_server_free(server);
	us_daemon_deinit(&the_daemon);
	us_server_free(peer_server);
	return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)
#define TEST_WITH_PAIR(function) cmocka_unit_test_setup_teardown(function, begin_with_pair, end)

static int run(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_success),
		TEST(test_guest_arrives_before_completion),
		TEST(test_no_daemon),
		TEST(test_other_protocol),
		TEST(test_check_deadline),
		TEST(test_reserve_refused),
		TEST(test_reserve_without_token),
		TEST(test_reserve_with_other_uri),
		TEST(test_reserve_deadline),
		TEST_WITH_PAIR(test_hide),
		TEST_WITH_PAIR(test_hide_overdue),
		TEST_WITH_PAIR(test_abort_while_hiding),
		TEST(test_settings_refused),
		TEST(test_start_refused),
		TEST(test_transfer_failed),
		TEST(test_transfer_deadline),
		TEST(test_undo_deadline),
		TEST(test_connection_to_peer_ends),
		TEST(test_vm_ends),
		TEST(test_vm_lost),
		TEST(test_vm_lost_before_its_transfer),
		TEST(test_abort),
		TEST(test_abort_comes_too_late),
		TEST(test_abort_while_completing),
		TEST(test_abort_without_migration),
		TEST(test_failure_past_return),
		TEST(test_guest_never_arrives),
	};

	return cmocka_run_group_tests_name("migration", tests, NULL, NULL);
}

int main(void)
{
	int result;

	if (!mkdtemp(folder))
		return 1;
	snprintf(control_path, sizeof(control_path), "%s/control", folder);
	snprintf(peer_path, sizeof(peer_path), "%s/peer", folder);
	snprintf(qmp_path, sizeof(qmp_path), "%s/qmp", folder);
	close(open(qmp_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	open_methods();
	result = run();
	for (size_t i = 0; i < 4; i++) {
		static const char *const names[] = { "control", "peer", "qmp", "state.json" };
		char path[80];

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
	return result;
}
