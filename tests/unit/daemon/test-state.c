/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state file: what is saved is loaded again, and nothing is lost when the file is damaged, when
 * it cannot be written, or when a daemon dies while it loads. The VMs have no monitor, and the
 * pairs no switch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon/daemon.h"
#include "daemon/state/state-private.h"

#define PAIR(name, more)                                                                           \
	"{\"name\": \"" name "\", \"standby\": \"net0\", \"port\": \"none-" name "\", "            \
	"\"bus\": \"rp0\", \"group\": \"\", \"mac\": \"52:54:00:00:00:01\", "                      \
	"\"mode\": \"coupled\", \"primary\": \"emulated:vmxnet3,port=p0\", \"hold\": true, "       \
	"\"mtu\": 1500, \"queue_pairs\": 2" more "}"
#define VM(name, more, pairs)                                                                      \
	"{\"name\": \"" name "\", \"qmp\": \"/nowhere/" name "\", \"prepared\": true" more         \
	", \"pairs\": [" pairs "]}"
#define FILE_OF(vms) "{\"version\": 1, \"vms\": [" vms "]}"

static char folder[] = "/tmp/test-state-XXXXXX";
static char path[64], bad_path[80];
static struct us_daemon the_daemon;
static struct us_state *state;
static struct us_host_vm *attaching; /* is not saved */
static json_t *settings;	     /* of every VM */
static const char *vm_that_saves;    /* while it is loaded; then … */
static json_t *left_by_a_crash;	     /* … a daemon that dies leaves this file */

/* ---- The file ---- */

static void write_file(const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static json_t *read_file(void)
{
	json_t *object = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(object);
	return object;
}

static size_t count_vms_of_file(void)
{
	json_t *object = read_file();
	size_t count = json_array_size(json_object_get(object, "vms"));

	json_decref(object);
	return count;
}

/* ---- The other parts ---- */

static bool is_attaching(void *userdata, const struct us_host_vm *vm)
{
	return vm == attaching;
}

static json_t *get_settings(void *userdata, const struct us_host_vm *vm)
{
	return settings;
}

static int load_settings(void *userdata, struct us_host_vm *vm, json_t *saved)
{
	if (json_is_string(saved))
		return -EBADMSG;
	if (!vm_that_saves || strcmp(us_host_vm_name(vm), vm_that_saves) != 0)
		return 0;
	assert_int_equal(us_state_save_vm(state, vm), 0);
	left_by_a_crash = read_file();
	return 0;
}

static const struct us_state_handler handler = { is_attaching, get_settings, load_settings };

/* ---- The daemon ---- */

/* A daemon whose state file has @handler. */
static void start(void)
{
	the_daemon = (struct us_daemon){ .state_dir = folder };
	assert_int_equal(us_daemon_init(&the_daemon), 0);
	us_state_free(the_daemon.state);
	assert_int_equal(
		us_state_new(&state, the_daemon.vms, the_daemon.loop, folder, &handler, NULL), 0);
	the_daemon.state = state;
}

static void restart(void)
{
	us_daemon_deinit(&the_daemon);
	start();
}

static int begin(void **unused)
{
	start();
	unlink(path);
	unlink(bad_path);
	attaching = NULL;
	vm_that_saves = NULL;
	return 0;
}

static int end(void **unused)
{
	us_daemon_deinit(&the_daemon);
	json_decref(US_STEAL(settings));
	return 0;
}

static void load(const char *text, const char *const *vms)
{
	write_file(text);
	assert_int_equal(us_state_load(state), 0);
	for (size_t i = 0; vms[i]; i++)
		if (!us_vms_find(the_daemon.vms, vms[i]))
			fail_msg("%s is lost", vms[i]);
}

static void await_file(void)
{
	while (access(path, F_OK) < 0)
		assert_true(sd_event_run(the_daemon.loop, 5 * 1000 * 1000) > 0);
}

/* ---- Load and save ---- */

static const char two_vms[] = FILE_OF(VM(
	"web", "", PAIR("web0", ", \"found\": \"x\"") ", " PAIR("web1", "")) ", " VM("db", "", ""));
static const char *const web_and_db[] = { "web", "db", NULL };

static void test_no_file(void **unused)
{
	assert_int_equal(us_state_load(state), 0);
	assert_null(us_vms_find(the_daemon.vms, "web"));
	assert_int_equal(access(path, F_OK), -1);
}

static void test_load(void **unused)
{
	const struct us_pair_spec *spec;
	const struct us_host_pair *pair;

	load(two_vms, web_and_db);
	pair = us_pairs_find(the_daemon.pairs, "web0");
	assert_non_null(pair);
	spec = us_host_pair_spec(pair);
	assert_string_equal(us_host_vm_name(us_host_vm_of(pair)), "web");
	assert_true(us_host_vm_facts(us_host_vm_of(pair))->is_prepared);
	assert_string_equal(us_host_vm_monitor(us_host_vm_of(pair)), "/nowhere/web");
	assert_string_equal(spec->standby, "net0");
	assert_string_equal(spec->port, "none-web0");
	assert_string_equal(spec->bus, "rp0");
	assert_string_equal(spec->primary.text, "emulated:vmxnet3,port=p0");
	assert_int_equal(spec->mac[5], 1);
	assert_int_equal(spec->mode, US_MODE_COUPLED);
	assert_int_equal(spec->mtu, 1500);
	assert_int_equal(spec->queue_pairs, 2);
	assert_true(us_host_pair_engine(pair)->facts.hold);
	assert_string_equal(us_host_pair_original_entry(pair), "x");
	assert_null(us_host_pair_original_entry(us_pairs_find(the_daemon.pairs, "web1")));
}

/* The next daemon saves what this one saved. */
static void test_save_and_load(void **unused)
{
	json_t *first, *second;

	settings = json_pack("{s:{s:i}}", "parameters", "max-bandwidth", 1);
	load(two_vms, web_and_db);
	assert_int_equal(us_state_save(state), 0);
	first = read_file();
	restart();
	assert_int_equal(us_state_load(state), 0);
	assert_int_equal(us_state_save(state), 0);
	second = read_file();
	assert_true(json_equal(first, second));
	assert_int_equal(json_array_size(json_object_get(second, "vms")), 2);
	assert_non_null(strstr(us_host_vm_slots(us_vms_find(the_daemon.vms, "web"))->saved_text,
			       "max-bandwidth"));
	json_decref(first);
	json_decref(second);
}

static void test_attaching_is_not_saved(void **unused)
{
	load(two_vms, web_and_db);
	attaching = us_vms_find(the_daemon.vms, "db");
	assert_int_equal(us_state_save(state), 0);
	assert_int_equal(count_vms_of_file(), 1);
	attaching = NULL;
	assert_int_equal(us_state_save(state), 0);
	assert_int_equal(count_vms_of_file(), 2);
}

/* The text of a VM is kept until the VM changes. */
static void test_kept_text(void **unused)
{
	struct us_host_vm *vm;

	load(two_vms, web_and_db);
	vm = us_vms_find(the_daemon.vms, "web");
	assert_null(us_host_vm_slots(vm)->saved_text);
	assert_int_equal(us_state_save(state), 0);
	assert_non_null(us_host_vm_slots(vm)->saved_text);
	us_host_vm_set_prepared(vm, false);
	us_state_save_soon(state, vm);
	assert_null(us_host_vm_slots(vm)->saved_text);
	unlink(path);
	await_file();
	assert_non_null(strstr(us_host_vm_slots(vm)->saved_text, "\"prepared\": false"));
}

/* ---- Files that make no sense ---- */

static void test_unknown_members(void **unused)
{
	load("{\"version\": 1, \"new\": [], \"vms\": [" VM("web", ", \"new\": 1",
							   PAIR("web0", ", \"new\": {}")) "]}",
	     (const char *const[]){ "web", NULL });
	assert_non_null(us_pairs_find(the_daemon.pairs, "web0"));
	assert_int_equal(access(bad_path, F_OK), -1);
}

static void test_damaged_file(void **unused)
{
	static const char *const texts[] = {
		"",
		"{\"version\": 1, \"vms\": [",
		"[]",
		"{\"version\": 2, \"vms\": []}",
		"{\"version\": 1}",
		"{\"version\": 1, \"vms\": {}}",
		"{\"version\": 1, \"version\": 1, \"vms\": []}",
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(texts); i++) {
		write_file(texts[i]);
		assert_int_equal(us_state_load(state), 0);
		assert_null(us_vms_next(the_daemon.vms, NULL));
		assert_int_equal(access(path, F_OK), -1);
		assert_int_equal(unlink(bad_path), 0);
	}
}

/* One VM makes no sense: it is left out as a whole, and the others are taken. */
static void test_damaged_entry(void **unused)
{
	static const char *const entries[] = {
		"{}",
		VM("9lives", "", ""),
		VM("db", "", ""), /* there is one already */
		VM("web", "", PAIR("web0", "") ", {}"),
		VM("web", "", PAIR("db0", "")), /* a pair of another VM */
		VM("web", "", PAIR("web0", ", \"found\": 1")),
		VM("web", "", PAIR("web0", ", \"handover\": \"never\"")),
		VM("web", ", \"settings_before\": \"none\"", ""),
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(entries); i++) {
		char text[2048];

		snprintf(text, sizeof(text), FILE_OF("%s, %s"), VM("db", "", PAIR("db0", "")),
			 entries[i]);
		load(text, (const char *const[]){ "db", NULL });
		if (us_vms_find(the_daemon.vms, "web") || us_pairs_find(the_daemon.pairs, "web0"))
			fail_msg("taken: %s", entries[i]);
		assert_int_equal(count_vms_of_file(), 1);
		assert_int_equal(unlink(bad_path), 0);
		restart();
	}
}

/* ---- Crashes and full disks ---- */

/* What changes while a VM is loaded is not written before the others are loaded. */
static void test_save_while_loading(void **unused)
{
	json_t *before, *after;

	write_file(two_vms);
	before = read_file();
	vm_that_saves = "web";
	assert_int_equal(us_state_load(state), 0);
	assert_true(json_equal(left_by_a_crash, before));
	assert_int_equal(count_vms_of_file(), 2);
	after = read_file();
	assert_false(json_equal(after, before)); /* with all members: it was written at the end */
	json_decref(before);
	json_decref(after);
	json_decref(US_STEAL(left_by_a_crash));
}

static void test_unwritable(void **unused)
{
	load(two_vms, web_and_db);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0); /* nothing can take its place */
	assert_true(us_state_save(state) < 0);
	assert_string_equal(us_state_unsaved(state), folder);
	assert_int_equal(rmdir(path), 0);
	await_file(); /* it is tried again */
	assert_null(us_state_unsaved(state));
	assert_int_equal(count_vms_of_file(), 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_file),
		TEST(test_load),
		TEST(test_save_and_load),
		TEST(test_attaching_is_not_saved),
		TEST(test_kept_text),
		TEST(test_unknown_members),
		TEST(test_damaged_file),
		TEST(test_damaged_entry),
		TEST(test_save_while_loading),
		TEST(test_unwritable),
	};
	int failed;

	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/state.json", folder);
	snprintf(bad_path, sizeof(bad_path), "%s.bad", path);
	failed = cmocka_run_group_tests_name("state", tests, NULL, NULL);
	unlink(path);
	unlink(bad_path);
	rmdir(folder);
	return failed;
}
