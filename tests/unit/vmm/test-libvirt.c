/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's side of the helper, with a script in the helper's place: for what the real one does
 * not do on demand: it lies, ends, and never answers. What it does is the path of its URI.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "vmm/libvirt/libvirt.h"

static sd_event *loop;
static char directory[] = "/tmp/understudy-libvirt-XXXXXX";
static char program[64], starts[64];

static const char script[] =
	"#!/bin/sh\n"
	"cd \"${0%/*}\" && echo \"$1\" >>starts\n"
	"exec 3>&0\n"
	"say() { printf '%s\\n' \"$1\" >&3; }\n"
	"report() { say '{\"domain\": \"'$1'\", \"state\": \"'$2'\"}'; }\n"
	"again() { [ $(wc -l <starts) -gt 1 ]; }\n"
	"case $1 in\n"
	"lies) say 'no JSON'; say '{'; say '[]'; say '{}'; say '{\"domain\": 1, \"state\": "
	"\"x\"}'\n"
	"  say '{\"domain\": \"web\", \"state\": null}'; report web sleeping; report db running;;\n"
	"long) again && report web running || head -c 1048576 /dev/zero | tr '\\0' x >&3;;\n"
	"nul) again && report web running || printf 'a\\0b\\n' >&3;;\n"
	"deep) printf '%0100000d\\n' 0 | tr 0 '[' >&3; report web running;;\n"
	"ends) again && report web running || exit 1;;\n"
	"inherits) report $(env | grep -cE '^(NOTIFY_SOCKET|LISTEN_FDS|WATCHDOG_USEC)=') running\n"
	"  report $([ -e /proc/$$/fd/200 ] && echo leaked || echo closed) running; report "
	"\"$UA_KEPT\" "
	"running;;\n"
	"forks) sleep 1000 & echo $! >child; report web running;;\n"
	"esac\n"
	"exec sleep 1000\n";

struct reports {
	unsigned count;
	char domains[256]; /* each with its state, and a space behind */
};

static void on_report(void *userdata, const struct us_libvirt_report *report)
{
	static const char *const states[] = { "running", "incoming", "stopped" };
	struct reports *reports = userdata;
	size_t used = strlen(reports->domains);

	reports->count++;
	snprintf(reports->domains + used, sizeof(reports->domains) - used, "%s=%s ", report->domain,
		 states[report->state]);
}

static struct us_libvirt *begin(struct reports *reports, const char *what)
{
	struct us_libvirt *libvirt;

	unlink(starts);
	memset(reports, 0, sizeof(*reports));
	assert_int_equal(us_libvirt_new(&libvirt, loop, program, on_report, reports), 0);
	assert_int_equal(us_libvirt_watch(libvirt, what), 0);
	return libvirt;
}

static void expect(const char *what, unsigned count, const char *domains)
{
	struct reports reports;
	struct us_libvirt *libvirt = begin(&reports, what);

	WAIT_FOR(loop, reports.count >= count);
	assert_string_equal(reports.domains, domains);
	us_libvirt_free(libvirt);
}

/* A line that is no report is ignored; a state that is not known is that of no running domain. */
static void test_lies(void **state)
{
	expect("lies", 2, "web=stopped db=running ");
	expect("deep", 1, "web=running ");
}

/* A helper that breaks the protocol, or ends, is started again. */
static void test_restart(void **state)
{
	expect("ends", 1, "web=running ");
	expect("long", 1, "web=running ");
	expect("nul", 1, "web=running ");
}

/* Neither a helper that says nothing nor one that does not run delays the daemon. */
static void test_silent(void **state)
{
	struct us_libvirt *libvirt;
	struct reports reports;
	char byte;
	int fd, r;

	libvirt = begin(&reports, "silent");
	assert_int_equal(us_libvirt_open(libvirt, "libvirt:silent#web", &fd), 0);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	/* It never reads the names of the domains: the channel of one of them is refused. */
	for (r = 0; r == 0;) {
		int more = -1;

		r = us_libvirt_open(libvirt, "libvirt:silent#web", &more);
		us_close(more);
	}
	assert_true(r < 0);
	us_libvirt_free(libvirt);
	/* The channels end with the helper. */
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	us_close(fd);
}

static unsigned count_helpers(void)
{
	FILE *children = fopen("/proc/thread-self/children", "r");
	unsigned count = 0;
	int pid;

	assert_non_null(children);
	while (fscanf(children, "%d", &pid) == 1)
		count++;
	fclose(children);
	return count;
}

/* A helper that nobody watches ends with the last of its users. */
static void test_users(void **state)
{
	static const char *const address = "libvirt:used#web";
	struct reports reports;
	struct us_libvirt *libvirt = begin(&reports, "watched");
	int fd = -1;

	assert_false(us_libvirt_use(libvirt, address));
	assert_int_equal(us_libvirt_open(libvirt, address, &fd), 0);
	us_close(fd);
	assert_true(us_libvirt_use(libvirt, address));
	assert_true(us_libvirt_use(libvirt, address));
	assert_true(us_libvirt_use(libvirt, "libvirt:watched#web"));
	WAIT_FOR(loop, count_helpers() == 2); /* those of other tests are reaped */
	us_libvirt_unuse(libvirt, address);
	us_libvirt_unuse(libvirt, "libvirt:watched#web");
	us_libvirt_unuse(libvirt, address);
	WAIT_FOR(loop, count_helpers() == 1);
	assert_int_equal(us_libvirt_open(libvirt, address, &fd), 0); /* started again */
	us_close(fd);
	WAIT_FOR(loop, count_helpers() == 2); /* those of other tests are reaped */
	us_libvirt_free(libvirt);
	WAIT_FOR(loop, count_helpers() == 0);
}

static void test_absent(void **state)
{
	struct us_libvirt *libvirt;
	struct reports reports;
	int fd;

	assert_int_equal(us_libvirt_new(&libvirt, loop, "/nonexistent", on_report, &reports), 0);
	assert_int_equal(us_libvirt_watch(libvirt, "qemu:///system"), -ENOENT);
	assert_int_equal(us_libvirt_open(libvirt, "libvirt:qemu:///system#web", &fd), -EOPNOTSUPP);
	assert_int_equal(us_libvirt_open(libvirt, "/run/web.qmp", &fd), -EOPNOTSUPP);
	us_libvirt_free(libvirt);
}

/* The helper has none of the daemon's descriptors, and nothing that speaks for the daemon. */
static void test_inherits(void **state)
{
	int secret = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 200);

	setenv("NOTIFY_SOCKET", "@none", 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("WATCHDOG_USEC", "1", 1);
	setenv("UA_KEPT", "kept", 1);
	assert_int_equal(secret, 200);
	expect("inherits", 3, "0=running closed=running kept=running ");
	unsetenv("NOTIFY_SOCKET");
	unsetenv("LISTEN_FDS");
	unsetenv("WATCHDOG_USEC");
	us_close(secret);
}

/* What the helper has started, an ssh(1), ends with it. */
static void test_children(void **state)
{
	struct reports reports;
	struct us_libvirt *libvirt = begin(&reports, "forks");
	char path[80], text[16] = "";
	uint64_t until_usec = us_now_usec() + PATIENCE_USEC;
	int fd, dir;

	WAIT_FOR(loop, reports.count == 1);
	snprintf(path, sizeof(path), "%s/child", directory);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	us_close(fd);
	unlink(path);
	snprintf(path, sizeof(path), "/proc/%d/fd", atoi(text));
	dir = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	assert_true(dir >= 0);
	us_close(dir);
	us_libvirt_free(libvirt);
	/* A zombie that nobody has waited for yet has no descriptors. */
	while ((dir = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC)) >= 0 &&
	       faccessat(dir, "0", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		us_close(dir);
		if (us_now_usec() > until_usec)
			fail_msg("process %s goes on", text);
		usleep(1000);
	}
	us_close(dir);
}

static void test_address(void **state)
{
	assert_string_equal(us_libvirt_domain_of("libvirt:qemu:///system#web"), "web");
	assert_string_equal(us_libvirt_domain_of("libvirt:qemu:///system?x=#y#web"), "web");
	assert_null(us_libvirt_domain_of("/run/libvirt:x#web"));
	assert_null(us_libvirt_domain_of("libvirt:qemu:///system"));
}

static int set_up(void **state)
{
	int fd;

	if (!mkdtemp(directory) || sd_event_new(&loop) < 0)
		return -1;
	snprintf(program, sizeof(program), "%s/helper", directory);
	snprintf(starts, sizeof(starts), "%s/starts", directory);
	fd = open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	if (write(fd, script, strlen(script)) != (ssize_t)strlen(script))
		return -1;
	return close(fd);
}

static int tear_down(void **state)
{
	sd_event_unref(loop);
	unlink(starts);
	unlink(program);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lies),	 cmocka_unit_test(test_restart),
		cmocka_unit_test(test_silent),	 cmocka_unit_test(test_absent),
		cmocka_unit_test(test_users),	 cmocka_unit_test(test_inherits),
		cmocka_unit_test(test_children), cmocka_unit_test(test_address),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
