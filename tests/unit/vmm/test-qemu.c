/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm.h against the real QEMU, without a guest: paused machines, in a network namespace of
 * their own so that taps may come and go. Needs root; skipped (77) without.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "util/cleanup.h"

#define QEMU "qemu-system-x86_64"

static char directory[] = "/tmp/understudy-vmm-XXXXXX";
static sd_event *loop;

struct machine {
	struct observed observed;
	pid_t pid;
	char path[64];
};

/* ---- Machines ---- */

static void start_qemu(struct machine *machine, const char *name, const char *const *extra)
{
	char qmp[128];
	const char *arguments[64] = { QEMU, "-nodefaults", "-display", "none",
				      "-m", "32",	   "-qmp",     qmp };
	size_t count = 8;
	int null;

	snprintf(machine->path, sizeof(machine->path), "%s/%s", directory, name);
	snprintf(qmp, sizeof(qmp), "unix:%s,server=on,wait=off", machine->path);
	while (*extra)
		arguments[count++] = *extra++;
	machine->pid = fork();
	assert_true(machine->pid >= 0);
	if (machine->pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* QEMU warns of unconnected devices. */
	null = open("/dev/null", O_RDWR);
	dup2(null, STDERR_FILENO);
	execvp(QEMU, (char *const *)arguments);
	_exit(127);
}

static void stop_qemu(struct machine *machine)
{
	if (machine->pid <= 0)
		return;
	kill(machine->pid, SIGKILL);
	waitpid(machine->pid, NULL, 0);
	machine->pid = 0;
}

static void attach(struct machine *machine)
{
	machine->observed.loop = loop;
	while (access(machine->path, F_OK) < 0)
		assert_true(sd_event_run(loop, 10 * 1000) >= 0);
	assert_int_equal(us_vmm_new(&machine->observed.vm, loop, NULL, machine->path, on_vm_event,
				    &machine->observed),
			 0);
	/* The socket exists a moment before QEMU listens. */
	do {
		machine->observed.log[0] = '\0';
		us_vmm_connect(machine->observed.vm);
		WAIT_FOR(loop, machine->observed.log[0]);
	} while (strstr(machine->observed.log, "refused"));
}

static void start(struct machine *machine, const char *name, const char *const *extra)
{
	*machine = (struct machine){ 0 };
	start_qemu(machine, name, extra);
	attach(machine);
}

static void stop(struct machine *machine)
{
	us_vmm_free(machine->observed.vm);
	machine->observed.vm = NULL;
	stop_qemu(machine);
	unlink(machine->path);
}

/* The machine of most tests: every kind of port, and two standbys. */
static const char *const q35[] = {
	"-machine",
	"q35",
	"-S",
	"-device",
	"pcie-root-port,id=rp1,chassis=1",
	"-device",
	"pcie-root-port,id=rp2,chassis=2,hotplug=off",
	"-device",
	"pcie-root-port,chassis=3",
	"-device",
	"pcie-root-port,chassis=4",
	"-device",
	"pcie-root-port,id=rp5,chassis=5",
	"-netdev",
	"tap,id=n0,ifname=vm-standby,script=no,downscript=no,queues=4",
	"-device",
	"virtio-net-pci,id=net0,bus=rp1,netdev=n0,failover=on,"
	"mac=52:54:00:aa:bb:01,host_mtu=1400,mq=on,romfile=",
	"-device",
	"virtio-net-pci,id=net1,bus=pcie.0,mac=52:54:00:aa:bb:02,romfile=",
	NULL
};
static const char *const pc[] = { "-machine", "pc", "-S", NULL };
static const uint8_t mac[] = { 0x52, 0x54, 0, 0xaa, 0xbb, 1 };

/* ---- Tests ---- */

static void test_adopt(void **state)
{
	struct machine machine;

	start(&machine, "adopt", q35);
	assert_string_equal(machine.observed.log, "adopted running\n");
	assert_true(us_vmm_is_adopted(machine.observed.vm));
	assert_int_equal(us_vmm_state(machine.observed.vm), US_VM_RUNNING);
	assert_true(strtod(us_vmm_version(machine.observed.vm), NULL) >= 7.2);
	assert_int_equal(us_vmm_pid(machine.observed.vm), machine.pid);
	stop(&machine);
}

static void test_inspect(void **state)
{
	struct machine machine;
	struct answer a;

	start(&machine, "inspect", q35);
	ASK(&machine.observed, a, us_vmm_inspect(machine.observed.vm, "net0", on_standby, &a));
	assert_int_equal(a.r, 0);
	assert_memory_equal(a.standby.mac, mac, sizeof(mac));
	assert_int_equal(a.standby.queue_pairs, 4);
	assert_int_equal(a.standby.mtu, 1400);
	assert_true(a.standby.offers_standby);
	assert_int_equal(a.standby.guest, US_GUEST_NONE);
	assert_false(a.standby.driver_ok);
	assert_string_equal(a.standby.interface, "vm-standby");
	assert_string_equal(a.standby.bus, "rp1");

	ASK(&machine.observed, a, us_vmm_inspect(machine.observed.vm, "net1", on_standby, &a));
	assert_int_equal(a.r, 0);
	assert_int_equal(a.standby.queue_pairs, 1);
	assert_int_equal(a.standby.mtu, 0);
	assert_false(a.standby.offers_standby);
	assert_string_equal(a.standby.interface, "");
	assert_string_equal(a.standby.bus, "pcie.0");

	ASK(&machine.observed, a, us_vmm_inspect(machine.observed.vm, "nobody", on_standby, &a));
	assert_int_equal(a.r, US_REFUSED);
	assert_contains(a.reason, "no device \"nobody\"");
	ASK(&machine.observed, a, us_vmm_inspect(machine.observed.vm, "rp1", on_standby, &a));
	assert_int_equal(a.r, US_REFUSED);
	assert_contains(a.reason, "is a pcie-root-port");
	assert_int_equal(us_vmm_inspect(machine.observed.vm, "../x", on_standby, &a), -EINVAL);
	stop(&machine);
}

static void test_track(void **state)
{
	struct machine machine;
	struct answer a;

	start(&machine, "watch", q35);
	assert_int_equal(us_vmm_track_guest(machine.observed.vm, "net0"), 0);
	WAIT_FOR(loop, strstr(machine.observed.log, "guest net0 none\n"));
	machine.observed.log[0] = '\0';
	ASK(&machine.observed, a, us_vmm_reset(machine.observed.vm, on_done, &a));
	assert_int_equal(a.r, 0);
	WAIT_FOR(loop, strstr(machine.observed.log, "reset by host\n"));
	assert_string_equal(machine.observed.log, "trace RESET\nreset by host\n");
	us_vmm_untrack_guest(machine.observed.vm, "net0");
	stop(&machine);
}

static void test_find_slot(void **state)
{
	struct machine machine;
	struct answer a, b, c;

	/* Both are handed out once: rp2 is not hot-pluggable, rp1 has the standby, the first
	 * anonymous port cannot be addressed. */
	start(&machine, "slot", q35);
	ASK(&machine.observed, a, us_vmm_find_slot(machine.observed.vm, on_text, &a));
	ASK(&machine.observed, b, us_vmm_find_slot(machine.observed.vm, on_text, &b));
	ASK(&machine.observed, c, us_vmm_find_slot(machine.observed.vm, on_text, &c));
	assert_int_equal(a.r, 0);
	assert_int_equal(b.r, 0);
	assert_string_equal(a.text, "rp5");
	assert_string_equal(b.text, "pcie.1");
	assert_int_equal(c.r, US_REFUSED);
	assert_contains(c.reason, "no free hot-pluggable PCIe port: start the VM with one more");
	stop(&machine);

	start(&machine, "slot-pc", pc);
	ASK(&machine.observed, a, us_vmm_find_slot(machine.observed.vm, on_text, &a));
	assert_int_equal(a.r, 0);
	assert_string_equal(a.text, "pci.0");
	stop(&machine);
}

/* Unplugs, resets to complete the unplug (no guest acknowledges it), waits for the event. */
static void remove_device(struct machine *machine, const char *id)
{
	struct answer a;

	machine->observed.log[0] = '\0';
	ASK(&machine->observed, a, us_vmm_unplug(machine->observed.vm, id, on_done, &a));
	assert_int_equal(a.r, 0);
	ASK(&machine->observed, a, us_vmm_unplug(machine->observed.vm, id, on_done, &a));
	assert_int_equal(a.r, 0);
	ASK(&machine->observed, a, us_vmm_reset(machine->observed.vm, on_done, &a));
	WAIT_FOR(loop, strstr(machine->observed.log, "deleted "));
	ASK(&machine->observed, a, us_vmm_has_device(machine->observed.vm, id, on_done, &a));
	assert_int_equal(a.r, US_REFUSED);
}

static void test_plug(void **state)
{
	const struct us_plug good = {
		.id = "p0", .model = "vmxnet3", .interface = "vm-primary", .mac = mac
	};
	struct machine machine;
	struct us_plug bad;
	struct answer a;

	start(&machine, "plug", q35);
	for (int i = 0; i < 2; i++) {
		/* The second time shows that the tap and the slot are free again. */
		ASK(&machine.observed, a, us_vmm_plug(machine.observed.vm, &good, on_done, &a));
		assert_string_equal(a.reason, "");
		ASK(&machine.observed, a,
		    us_vmm_has_device(machine.observed.vm, "p0", on_done, &a));
		assert_int_equal(a.r, 0);
		ASK(&machine.observed, a, us_vmm_plug(machine.observed.vm, &good, on_done, &a));
		assert_int_equal(a.r, US_REFUSED);
		assert_contains(a.reason, "\"p0\" already");
		remove_device(&machine, "p0");
	}

	bad = good;
	bad.model = "no-such-model";
	ASK(&machine.observed, a, us_vmm_plug(machine.observed.vm, &bad, on_done, &a));
	assert_int_equal(a.r, US_REFUSED);
	assert_contains(a.reason, "QEMU refused device_add: \"'no-such-model'");
	bad = good;
	bad.bus = "rp1";
	ASK(&machine.observed, a, us_vmm_plug(machine.observed.vm, &bad, on_done, &a));
	assert_int_equal(a.r, US_REFUSED);
	assert_contains(a.reason, "bus rp1 has a device already");
	bad.bus = "rp2";
	ASK(&machine.observed, a, us_vmm_plug(machine.observed.vm, &bad, on_done, &a));
	assert_int_equal(a.r, US_REFUSED);
	assert_contains(a.reason, "does not support hot-plug");
	bad.bus = "nowhere";
	ASK(&machine.observed, a, us_vmm_plug(machine.observed.vm, &bad, on_done, &a));
	assert_int_equal(a.r, US_REFUSED);
	assert_contains(a.reason, "'nowhere' not found");
	bad = good;
	bad.interface = "vm-standby";
	ASK(&machine.observed, a, us_vmm_plug(machine.observed.vm, &bad, on_done, &a));
	assert_int_equal(a.r, US_REFUSED);
	assert_contains(a.reason, "QEMU refused netdev_add");
	bad = (struct us_plug){ .id = "p0", .model = "vfio-pci", .host = "ffff:ff:1f.7" };
	ASK(&machine.observed, a, us_vmm_plug(machine.observed.vm, &bad, on_done, &a));
	assert_int_equal(a.r, US_REFUSED);
	assert_contains(a.reason, "vfio");

	/* These refusals left nothing behind. */
	bad = good;
	bad.bus = "rp5";
	ASK(&machine.observed, a, us_vmm_plug(machine.observed.vm, &bad, on_done, &a));
	assert_string_equal(a.reason, "");
	stop(&machine);
}

static void expect_unplug_delay(struct machine *machine, uint64_t delay_usec)
{
	const struct us_plug plug = {
		.id = "p0", .model = "vmxnet3", .interface = "vm-primary", .mac = mac
	};
	struct answer a;

	ASK(&machine->observed, a,
	    us_vmm_query_unplug_delay(machine->observed.vm, "p0", on_number, &a));
	assert_int_equal(a.r, US_REFUSED);
	ASK(&machine->observed, a, us_vmm_plug(machine->observed.vm, &plug, on_done, &a));
	assert_string_equal(a.reason, "");
	ASK(&machine->observed, a,
	    us_vmm_query_unplug_delay(machine->observed.vm, "p0", on_number, &a));
	assert_int_equal(a.r, 0);
	assert_int_equal(a.number, delay_usec);
	stop(machine);
}

static void test_unplug_delay(void **state)
{
	static const char *const native[] = { "-machine",
					      "q35",
					      "-S",
					      "-global",
					      "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
					      "-device",
					      "pcie-root-port,id=rp1,chassis=1",
					      NULL };
	struct machine machine;

	start(&machine, "unplug-delay-acpi", q35);
	expect_unplug_delay(&machine, 0);
	start(&machine, "unplug-delay-native", native);
	expect_unplug_delay(&machine, 4800000);
	start(&machine, "unplug-delay-pc", pc);
	expect_unplug_delay(&machine, 0);
}

/* An unplug that overtakes its plug cancels it: no device comes. */
static void test_plug_called_off(void **state)
{
	const struct us_plug plug = {
		.id = "p0", .model = "vmxnet3", .interface = "vm-primary", .mac = mac
	};
	struct answer plugged = { 0 }, unplugged = { 0 }, a;
	struct machine machine;

	start(&machine, "called-off", q35);
	assert_int_equal(us_vmm_plug(machine.observed.vm, &plug, on_done, &plugged), 0);
	assert_int_equal(us_vmm_unplug(machine.observed.vm, "p0", on_done, &unplugged), 0);
	WAIT_FOR(loop, plugged.done && unplugged.done);
	assert_int_equal(unplugged.r, 0);
	assert_int_equal(plugged.r, US_REFUSED);
	assert_contains(plugged.reason, "cancelled");
	ASK(&machine.observed, a, us_vmm_has_device(machine.observed.vm, "p0", on_done, &a));
	assert_int_equal(a.r, US_REFUSED);
	/* Otherwise the next plug could be taken for this one. */
	assert_null(strstr(machine.observed.log, "deleted"));
	ASK(&machine.observed, a, us_vmm_plug(machine.observed.vm, &plug, on_done, &a));
	assert_string_equal(a.reason, "");
	stop(&machine);
}

/* Two plugs that are requested at once get a slot each. */
static void test_plug_two(void **state)
{
	struct us_plug plug = { .id = "p0", .model = "vmxnet3", .interface = "vm-p0", .mac = mac };
	struct answer a = { 0 }, b = { 0 };
	struct machine machine;

	start(&machine, "two", q35);
	assert_int_equal(us_vmm_plug(machine.observed.vm, &plug, on_done, &a), 0);
	plug.id = "p1";
	plug.interface = "vm-p1";
	assert_int_equal(us_vmm_plug(machine.observed.vm, &plug, on_done, &b), 0);
	WAIT_FOR(loop, a.done && b.done);
	assert_string_equal(a.reason, "");
	assert_string_equal(b.reason, "");
	stop(&machine);
}

static void test_plug_pc(void **state)
{
	const struct us_plug plug = {
		.id = "p0", .model = "e1000", .interface = "vm-primary", .mac = mac
	};
	struct machine machine;
	struct answer a;

	start(&machine, "plug-pc", pc);
	ASK(&machine.observed, a, us_vmm_plug(machine.observed.vm, &plug, on_done, &a));
	assert_string_equal(a.reason, "");
	remove_device(&machine, "p0");
	stop(&machine);
}

static void test_unplug_missing(void **state)
{
	struct machine machine;
	struct answer a;

	start(&machine, "missing", pc);
	ASK(&machine.observed, a, us_vmm_unplug(machine.observed.vm, "ghost", on_done, &a));
	assert_int_equal(a.r, 0);
	WAIT_FOR(loop, strstr(machine.observed.log, "deleted ghost\n"));
	stop(&machine);
}

static void configure(struct machine *machine, struct answer *a, const char *name,
		      const char *value)
{
	json_t *settings = json_pack("{s:s}", name, value);

	ASK(&machine->observed, *a,
	    us_vmm_configure_transfer(machine->observed.vm, settings, NULL, on_done, a));
	json_decref(settings);
}

static void test_configure(void **state)
{
	struct machine machine;
	struct answer a;

	start(&machine, "configure", pc);
	configure(&machine, &a, "max-bandwidth", "64M");
	assert_string_equal(a.reason, "");
	configure(&machine, &a, "multifd", "on");
	assert_string_equal(a.reason, "");
	configure(&machine, &a, "multifd-compression", "zlib");
	assert_string_equal(a.reason, "");
	configure(&machine, &a, "multifd-compression", "magic");
	assert_int_equal(a.r, US_REFUSED);
	assert_contains(a.reason, "QEMU refused migrate-set-parameters");
	configure(&machine, &a, "warp", "9");
	assert_int_equal(a.r, US_REFUSED);
	assert_contains(a.reason, "named \"warp\"");
	configure(&machine, &a, "max-bandwidth", "fast");
	assert_int_equal(a.r, US_REFUSED);
	assert_contains(a.reason, "\"fast\" is no number");
	configure(&machine, &a, "multifd", "perhaps");
	assert_int_equal(a.r, US_REFUSED);
	stop(&machine);
}

static const char *const pc_incoming[] = { "-machine", "pc", "-S", "-incoming", "defer", NULL };

/* Whether somebody listens on the port of a URI "tcp:HOST:PORT" at this host. */
static bool is_open(const char *uri)
{
	char command[128];

	/* The state is 0A (LISTEN), the port in hexadecimal digits (proc_net_tcp.txt). */
	snprintf(command, sizeof(command),
		 "grep -q ':%04X [0-9A-F:]* 0A ' /proc/net/tcp /proc/net/tcp6",
		 atoi(strrchr(uri, ':') + 1));
	return system(command) == 0;
}

static void test_migrate(void **state)
{
	static const char *const addresses[] = { "127.0.0.1", "::1" };
	static const char *const prefixes[] = { "tcp:127.0.0.1:", "tcp:[::1]:" };

	for (size_t i = 0; i < US_ARRAY_LENGTH(addresses); i++) {
		struct machine source, destination;
		struct answer a, again;

		start(&source, "source", pc);
		start(&destination, "destination", pc_incoming);
		assert_string_equal(destination.observed.log, "adopted incoming\n");
		configure(&source, &a, "max-bandwidth", "1G");
		configure(&destination, &a, "max-bandwidth", "1G");
		ASK(&destination.observed, a,
		    us_vmm_listen_transfer(destination.observed.vm, addresses[i], on_text, &a));
		assert_int_equal(a.r, 0);
		assert_int_equal(strncmp(a.text, prefixes[i], strlen(prefixes[i])), 0);
		/* The first source gave up. The next one finds QEMU unchanged. */
		assert_true(is_open(a.text));
		us_vmm_stop_listening(destination.observed.vm);
		assert_false(is_open(a.text));
		ASK(&destination.observed, again,
		    us_vmm_listen_transfer(destination.observed.vm, addresses[i], on_text, &again));
		assert_int_equal(again.r, 0);
		a = again;
		assert_int_equal(
			us_vmm_start_transfer(source.observed.vm,
					      &(struct us_transfer_target){ .uri = a.text },
					      on_done, &(struct answer){ 0 }),
			0);
		WAIT_FOR(loop, strstr(source.observed.log, "transfer completed\n"));
		WAIT_FOR(loop, us_vmm_state(source.observed.vm) == US_VM_MOVED);
		WAIT_FOR(loop, us_vmm_state(destination.observed.vm) == US_VM_RUNNING);
		assert_contains(source.observed.log, "transfer active\n");
		ASK(&source.observed, a,
		    us_vmm_query_transfer(source.observed.vm, on_transfer_progress, &a));
		assert_int_equal(a.progress.transfer, US_TRANSFER_COMPLETED);
		assert_true(a.progress.transferred_bytes > 0);
		assert_int_equal(a.progress.remaining_bytes, 0);
		assert_false(is_open(again.text));
		stop(&source);
		stop(&destination);
	}
}

/* If QEMU itself listens, that cannot be stopped, and a second request is refused. */
static void test_listens_itself(void **state)
{
	struct machine destination;
	struct answer a;

	start(&destination, "itself", pc_incoming);
	configure(&destination, &a, "multifd", "on");
	ASK(&destination.observed, a,
	    us_vmm_listen_transfer(destination.observed.vm, "::1", on_text, &a));
	assert_int_equal(a.r, 0);
	assert_contains(a.text, "tcp:[::1]:");
	us_vmm_stop_listening(destination.observed.vm);
	assert_true(is_open(a.text));
	ASK(&destination.observed, a,
	    us_vmm_listen_transfer(destination.observed.vm, "::1", on_text, &a));
	assert_int_equal(a.r, US_REFUSED);
	assert_contains(a.reason, "listens at tcp:[::1]:");
	stop(&destination);
}

/* A migration with several connections. */
static void test_multifd(void **state)
{
	struct machine source, destination;
	struct answer a;

	start(&source, "source", pc);
	start(&destination, "destination", pc_incoming);
	configure(&source, &a, "multifd", "on");
	configure(&destination, &a, "multifd", "on");
	ASK(&destination.observed, a,
	    us_vmm_listen_transfer(destination.observed.vm, "127.0.0.1", on_text, &a));
	assert_int_equal(a.r, 0);
	assert_int_equal(us_vmm_start_transfer(source.observed.vm,
					       &(struct us_transfer_target){ .uri = a.text },
					       on_done, &(struct answer){ 0 }),
			 0);
	WAIT_FOR(loop, us_vmm_state(source.observed.vm) == US_VM_MOVED);
	WAIT_FOR(loop, us_vmm_state(destination.observed.vm) == US_VM_RUNNING);
	assert_false(is_open(a.text));
	stop(&source);
	stop(&destination);
}

static void test_listens_nowhere(void **state)
{
	static const char *const addresses[] = { "192.0.2.1", "fd00::77", "localhost", "",
						 "127.0.0.1 " };
	struct machine destination;
	struct answer a;

	start(&destination, "nowhere", pc_incoming);
	for (size_t i = 0; i < US_ARRAY_LENGTH(addresses); i++) {
		ASK(&destination.observed, a,
		    us_vmm_listen_transfer(destination.observed.vm, addresses[i], on_text, &a));
		assert_int_equal(a.r, US_REFUSED);
		assert_contains(a.reason, "cannot listen at ");
	}
	stop(&destination);
}

/* The peer sends something else than a migration: QEMU exits. */
static void test_stranger_connects(void **state)
{
	struct machine destination;
	char command[160];
	struct answer a;

	start(&destination, "stranger", pc_incoming);
	ASK(&destination.observed, a,
	    us_vmm_listen_transfer(destination.observed.vm, "127.0.0.1", on_text, &a));
	snprintf(command, sizeof(command), "bash -c 'echo hello >/dev/tcp/127.0.0.1/%s'",
		 strrchr(a.text, ':') + 1);
	assert_int_equal(system(command), 0);
	WAIT_FOR(loop, strstr(destination.observed.log, "lost exited\n"));
	assert_false(is_open(a.text));
	stop(&destination);
}

/* A machine without -incoming: the connection is closed. */
static void test_not_incoming(void **state)
{
	struct machine machine;
	char command[160];
	struct answer a;

	start(&machine, "running", pc);
	ASK(&machine.observed, a,
	    us_vmm_listen_transfer(machine.observed.vm, "127.0.0.1", on_text, &a));
	assert_int_equal(a.r, 0);
	snprintf(command, sizeof(command),
		 "bash -c 'exec 3<>/dev/tcp/127.0.0.1/%s; cat <&3 >/dev/null' &",
		 strrchr(a.text, ':') + 1);
	assert_int_equal(system(command), 0);
	WAIT_FOR(loop, strstr(machine.observed.log, "incoming failed\n"));
	assert_contains(machine.observed.reason, "QEMU refused migrate-incoming");
	stop(&machine);
}

static void on_before(void *userdata, const json_t *before, bool is_encrypted)
{
	struct answer *answer = userdata;
	char *text = json_dumps(before, JSON_COMPACT | JSON_SORT_KEYS);

	assert_false(answer->done);
	snprintf(answer->text, sizeof(answer->text), "%s", text);
	free(text);
}

/* The settings of one migration are put back, so the next one finds the same values. */
static void test_restore(void **state)
{
	json_t *settings = json_pack("{s:s, s:s, s:s, s:s}", "max-bandwidth", "4000000", "multifd",
				     "on", "tls-creds", "none-such", "downtime-limit", "77");
	json_t *before;
	struct machine machine;
	struct answer a, first;

	start(&machine, "restore", pc);
	for (int i = 0; i < 2; i++) {
		struct answer said = { 0 };

		memset(&a, 0, sizeof(a));
		assert_int_equal(us_vmm_configure_transfer(machine.observed.vm, settings, on_before,
							   on_done, &said),
				 0);
		while (!said.text[0])
			assert_true(sd_event_run(loop, 100 * 1000) >= 0);
		if (i == 0)
			first = said;
		assert_string_equal(said.text, first.text);
		WAIT_FOR(loop, said.done);
		assert_int_equal(said.r, 0);
		before = json_loads(first.text, 0, NULL);
		ASK(&machine.observed, a,
		    us_vmm_restore_transfer(machine.observed.vm, before, on_done, &a));
		assert_int_equal(a.r, 0);
		json_decref(before);
	}
	assert_contains(first.text, "\"capabilities\":{\"multifd\":false}");
	assert_contains(first.text, "\"tls-creds\":\"\"");
	assert_contains(first.text, "\"downtime-limit\":300");
	json_decref(settings);
	stop(&machine);
}

static void test_cancel(void **state)
{
	struct machine source, destination;
	struct answer a, started = { 0 };

	start(&source, "source", pc);
	start(&destination, "destination", pc_incoming);
	/* So slow that even a machine full of zeros would take minutes. */
	configure(&source, &a, "max-bandwidth", "1");
	ASK(&destination.observed, a,
	    us_vmm_listen_transfer(destination.observed.vm, "127.0.0.1", on_text, &a));
	assert_int_equal(us_vmm_start_transfer(source.observed.vm,
					       &(struct us_transfer_target){ .uri = a.text },
					       on_done, &started),
			 0);
	WAIT_FOR(loop, strstr(source.observed.log, "transfer active\n"));
	ASK(&source.observed, a, us_vmm_cancel_transfer(source.observed.vm, on_done, &a));
	assert_int_equal(a.r, 0);
	WAIT_FOR(loop, strstr(source.observed.log, "transfer cancelled\n"));
	assert_int_equal(us_vmm_state(source.observed.vm), US_VM_RUNNING);
	/* The destination's QEMU exits. */
	WAIT_FOR(loop, strstr(destination.observed.log, "lost exited\n"));
	assert_int_equal(us_vmm_state(destination.observed.vm), US_VM_GONE);
	stop(&source);
	stop(&destination);
}

static void test_start_refused(void **state)
{
	struct machine machine;
	struct answer a;

	start(&machine, "nowhere", pc);
	ASK(&machine.observed, a,
	    us_vmm_start_transfer(machine.observed.vm,
				  &(struct us_transfer_target){ .uri = "bogus:uri" }, on_done, &a));
	assert_int_equal(a.r, US_REFUSED);
	assert_contains(a.reason, "QEMU refused migrate");
	/* A migration to a closed port fails later, and the VM stays adopted. */
	configure(&machine, &a, "max-bandwidth", "1G");
	ASK(&machine.observed, a,
	    us_vmm_start_transfer(machine.observed.vm,
				  &(struct us_transfer_target){ .uri = "tcp:127.0.0.1:1" }, on_done,
				  &a));
	WAIT_FOR(loop, strstr(machine.observed.log, "transfer failed\n"));
	assert_int_equal(us_vmm_state(machine.observed.vm), US_VM_RUNNING);
	stop(&machine);
}

/* A QEMU is killed, and another one starts at the same path. */
static void test_death(void **state)
{
	struct machine machine;
	struct answer a = { 0 };

	start(&machine, "death", pc);
	kill(machine.pid, SIGSTOP);
	assert_int_equal(us_vmm_has_device(machine.observed.vm, "x", on_done, &a), 0);
	stop_qemu(&machine);
	WAIT_FOR(loop, strstr(machine.observed.log, "lost exited\n"));
	assert_int_equal(a.r, -ECONNRESET);
	assert_int_equal(us_vmm_has_device(machine.observed.vm, "x", on_done, &a), -ENOTCONN);
	machine.observed.log[0] = '\0';
	unlink(machine.path);
	start_qemu(&machine, "death", pc);
	WAIT_FOR(loop, strstr(machine.observed.log, "adopted running\n"));
	stop(&machine);
}

/* The next QEMU listens before the end of the first one is noticed. It is still another one. */
static void test_replaced(void **state)
{
	struct machine machine, next = { 0 };

	start(&machine, "first", pc);
	start_qemu(&next, "next", pc);
	while (access(next.path, F_OK) < 0)
		assert_true(sd_event_run(loop, 10 * 1000) >= 0);
	assert_int_equal(rename(next.path, machine.path), 0);
	stop_qemu(&machine);
	WAIT_FOR(loop, strstr(machine.observed.log, "lost\nlost exited\nadopted running\n"));
	assert_int_equal(us_vmm_pid(machine.observed.vm), next.pid);
	stop(&machine);
	stop_qemu(&next);
}

/* QEMU serves one client per monitor; the next one gets no greeting. */
static void test_held(void **state)
{
	struct observed second = { .loop = loop };
	struct machine machine;

	start(&machine, "held", pc);
	assert_int_equal(us_vmm_new(&second.vm, loop, NULL, machine.path, on_vm_event, &second), 0);
	WAIT_FOR(loop, strstr(second.log, "refused\n"));
	assert_contains(second.reason, "held by another client");
	us_vmm_free(second.vm);
	stop(&machine);
}

static int set_up(void **state)
{
	return mkdtemp(directory) && sd_event_new(&loop) >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	sd_event_unref(loop);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adopt),
		cmocka_unit_test(test_inspect),
		cmocka_unit_test(test_track),
		cmocka_unit_test(test_find_slot),
		cmocka_unit_test(test_plug),
		cmocka_unit_test(test_plug_two),
		cmocka_unit_test(test_plug_called_off),
		cmocka_unit_test(test_unplug_delay),
		cmocka_unit_test(test_plug_pc),
		cmocka_unit_test(test_unplug_missing),
		cmocka_unit_test(test_configure),
		cmocka_unit_test(test_migrate),
		cmocka_unit_test(test_listens_itself),
		cmocka_unit_test(test_multifd),
		cmocka_unit_test(test_listens_nowhere),
		cmocka_unit_test(test_stranger_connects),
		cmocka_unit_test(test_not_incoming),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_start_refused),
		cmocka_unit_test(test_death),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_held),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0 ||
	    system("command -v " QEMU " >/dev/null")) {
		fprintf(stderr, "skipped: needs root, network namespaces and " QEMU "\n");
		return 77;
	}
	/* ::1 and 127.0.0.1 of this namespace */
	if (system("ip link set lo up"))
		return 77;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
