/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Measures understudyd: the time from a QMP event to the command that answers it, the processor
 * time and memory for many idle VMs, and the time to adopt them after a restart.
 *
 *     bench [--vms N] [--seconds S] [--samples N] UNDERSTUDYD
 *
 * One understudyd manages scripted QEMUs (bench-qemu.h) on a real bridge (bench-host.h). Times are
 * taken in this process, so they include the kernel's transfer of the event and of the command.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "support/bench-daemon.h"
#include "support/bench-host.h"
#include "support/bench-qemu.h"
#include "util/clock.h"

#define PATIENCE_USEC (60 * US_USEC_PER_SEC)
/* After a VM was attached: its consequences, such as the state file, must not be measured. */
#define SETTLE_USEC (100 * US_USEC_PER_MSEC)

enum {
	VMS_MAX = 4000, /* four descriptors each */
};

struct vm {
	struct bench_qemu qemu;
	char path[80];
	bool reboots;	      /* unplugs at once, then negotiates again */
	uint64_t unplug_usec; /* device_del came in then; 0: not yet */
};

struct bench {
	const char *program;
	unsigned count, seconds, samples;
	sd_event *loop;
	struct bench_host host;
	struct bench_daemon daemon;
	struct vm *vms;
};

/* ---- A VM ---- */

static void on_command(void *userdata, const char *command, uint64_t at_usec)
{
	struct vm *vm = userdata;

	if (strcmp(command, "device_del") != 0)
		return;
	vm->unplug_usec = at_usec;
	if (!vm->reboots)
		return;
	bench_qemu_primary_deleted(&vm->qemu);
	bench_qemu_negotiate(&vm->qemu, BENCH_GUEST_CAPABLE);
}

static void attach(struct bench *bench, unsigned i)
{
	char vm[20], pair[20], port[20], spec[60];

	snprintf(vm, sizeof(vm), "v%u", i);
	snprintf(pair, sizeof(pair), "p%u", i);
	snprintf(port, sizeof(port), "s%u", i);
	snprintf(spec, sizeof(spec), "emulated:vmxnet3,port=p%u", i);
	json_decref(
		bench_daemon_call(&bench->daemon, "AttachVm",
				  json_pack("{s:s, s:s}", "name", vm, "qmp", bench->vms[i].path)));
	json_decref(bench_daemon_call(&bench->daemon, "AddPair",
				      json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", pair, "vm", vm,
						"standby", "net0", "port", port, "primary", spec)));
}

static void detach(struct bench *bench, unsigned i)
{
	char vm[20];

	snprintf(vm, sizeof(vm), "v%u", i);
	json_decref(bench_daemon_call(&bench->daemon, "DetachVm", json_pack("{s:s}", "name", vm)));
}

static unsigned count_visible(struct bench *bench)
{
	json_t *answer = bench_daemon_call(&bench->daemon, "ListPairs", NULL);
	unsigned visible = 0;
	const json_t *pair;
	size_t i;

	json_array_foreach (json_object_get(answer, "pairs"), i, pair) {
		const char *primary = json_string_value(json_object_get(pair, "primary"));

		visible += primary && strcmp(primary, "visible") == 0;
	}
	json_decref(answer);
	return visible;
}

static void wait_until_visible(struct bench *bench, uint64_t check_usec)
{
	uint64_t give_up = us_now_usec() + PATIENCE_USEC;

	while (count_visible(bench) < bench->count) {
		if (us_now_usec() > give_up)
			bench_fail("not every pair became visible", ETIMEDOUT);
		bench_run_for(bench->loop, check_usec);
	}
}

/* ---- Event to command ---- */

static bool is_observed(const void *userdata)
{
	const struct vm *vm = userdata;

	return vm->qemu.has_read_driver && vm->qemu.has_read_primary;
}

static bool is_unplugging(const void *userdata)
{
	return ((const struct vm *)userdata)->unplug_usec > 0;
}

/*
 * Attaches the VM again, which clears the back-off. A pair whose path leads to the primary is
 * visible at once; otherwise it waits for traffic.
 */
static void reattach(struct bench *bench, unsigned index, bool visible)
{
	struct bench_qemu *qemu = &bench->vms[index].qemu;

	detach(bench, index);
	qemu->guest = BENCH_GUEST_CAPABLE;
	qemu->has_primary = true;
	qemu->is_unplugging = qemu->has_read_driver = qemu->has_read_primary = false;
	if (visible)
		bench_host_steer(index);
	attach(bench, index);
}

static uint64_t reset(struct vm *vm)
{
	vm->unplug_usec = 0;
	return bench_qemu_reset(&vm->qemu, true);
}

/* The time from sending RESET to receiving device_del. */
static uint64_t sample_reset(struct bench *bench, unsigned index, bool visible)
{
	struct vm *vm = &bench->vms[index];
	uint64_t sent;

	reattach(bench, index, visible);
	bench_run_until(bench->loop, is_observed, vm, "the VM is not observed");
	bench_run_for(bench->loop, SETTLE_USEC);
	sent = reset(vm);
	bench_run_until(bench->loop, is_unplugging, vm, "no device_del after a reset");
	bench_qemu_primary_deleted(&vm->qemu);
	return vm->unplug_usec - sent;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void measure_resets(struct bench *bench, unsigned vms, bool visible)
{
	uint64_t *samples = calloc(bench->samples, sizeof(*samples));

	for (unsigned i = 0; samples && i < bench->samples; i++)
		samples[i] = sample_reset(bench, i % vms, visible);
	if (!samples)
		bench_fail("samples", ENOMEM);
	qsort(samples, bench->samples, sizeof(*samples), compare);
	printf("event to command, %u attached, primary %s: p50 %lu us, p99 %lu us, most %lu us "
	       "(%u resets)\n",
	       vms, visible ? "visible" : "exposing", samples[bench->samples / 2],
	       samples[bench->samples * 99 / 100], samples[bench->samples - 1], bench->samples);
	free(samples);
}

/* ---- Idle, and after a restart ---- */

static void measure_idle(struct bench *bench, struct bench_usage base)
{
	struct bench_usage before = bench_daemon_usage(&bench->daemon), after;

	bench_run_for(bench->loop, bench->seconds * US_USEC_PER_SEC);
	after = bench_daemon_usage(&bench->daemon);
	printf("%u idle for %u s: %.2f %% of one core\n", bench->count, bench->seconds,
	       (after.cpu_nsec - before.cpu_nsec) / 1e7 / bench->seconds);
	printf("memory: %ld KiB resident (%ld anonymous), %ld (%ld) without a VM: "
	       "%.1f KiB (%.1f) for each pair\n",
	       after.resident_kib, after.anonymous_kib, base.resident_kib, base.anonymous_kib,
	       (double)(after.resident_kib - base.resident_kib) / bench->count,
	       (double)(after.anonymous_kib - base.anonymous_kib) / bench->count);
}

static void measure_restart(struct bench *bench)
{
	uint64_t start;

	bench_daemon_end(&bench->daemon);
	start = us_now_usec();
	bench_daemon_start(&bench->daemon);
	wait_until_visible(bench, 10 * US_USEC_PER_MSEC);
	printf("adopted again after a restart: %u in %.2f s\n", bench->count,
	       (us_now_usec() - start) / 1e6);
}

/* ---- All guests at once ---- */

/* Each primary was hidden since, and is visible now. */
static bool are_visible_again(struct bench *bench)
{
	for (unsigned i = 0; i < bench->count; i++)
		if (!bench->vms[i].unplug_usec)
			return false;
	return count_visible(bench) == bench->count;
}

/* All guests reboot at once: each primary is hidden and exposed again. */
static void measure_reboots(struct bench *bench)
{
	uint64_t start = us_now_usec(), checked = start;

	for (unsigned i = 0; i < bench->count; i++) {
		bench->vms[i].reboots = true;
		reset(&bench->vms[i]);
	}
	while (!are_visible_again(bench)) {
		if (checked > start + PATIENCE_USEC)
			bench_fail("not every pair became visible again", ETIMEDOUT);
		while (us_now_usec() < checked + 100 * US_USEC_PER_MSEC) {
			for (unsigned i = 0; i < bench->count; i++)
				bench_host_answer(&bench->host, i, true);
			bench_run_for(bench->loop, 5 * US_USEC_PER_MSEC);
		}
		checked = us_now_usec();
	}
	printf("rebooted at once: %u visible again after %.2f s\n", bench->count,
	       (us_now_usec() - start) / 1e6);
}

/* ---- Main ---- */

static struct bench *opened;

/* Called by exit(3). */
static void close_all(void)
{
	struct bench *bench = opened;

	bench_daemon_end(&bench->daemon);
	for (unsigned i = 0; bench->vms && i < bench->count; i++) {
		bench_qemu_close(&bench->vms[i].qemu);
		unlink(bench->vms[i].path);
	}
	bench_daemon_remove(&bench->daemon);
	free(bench->vms);
	bench_host_close(&bench->host);
	sd_event_unref(bench->loop);
}

static void open_vm(struct bench *bench, unsigned i)
{
	static const struct bench_qemu_handler handler = { .command = on_command };
	struct vm *vm = &bench->vms[i];
	int r;

	vm->qemu = (struct bench_qemu){
		.loop = bench->loop, .vm = i, .port = i, .handler = &handler, .userdata = vm
	};
	snprintf(vm->path, sizeof(vm->path), "%s/%u.qmp", bench->daemon.dir, i);
	r = bench_qemu_open(&vm->qemu, vm->path, bench->host.taps[i]);
	if (r < 0)
		bench_fail(vm->path, r);
}

static void open_all(struct bench *bench)
{
	int r;

	bench->loop = bench_begin();
	bench_daemon_init(&bench->daemon, bench->loop, bench->program,
			  "/run/understudy-bench-XXXXXX");
	opened = bench;
	atexit(close_all);
	r = bench_host_open(&bench->host, bench->count, 0);
	if (r < 0)
		bench_fail("the bridge", r);
	bench->vms = calloc(bench->count, sizeof(*bench->vms));
	for (unsigned i = 0; bench->vms && i < bench->count; i++)
		open_vm(bench, i);
}

static bool parse(struct bench *bench, int argc, char **argv)
{
	static const struct option options[] = {
		{ "vms", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 's' },
		{ "samples", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		unsigned value = optarg ? atoi(optarg) : 0;

		if (option == '?' || value == 0)
			return false;
		*(option == 'n'	  ? &bench->count
		  : option == 's' ? &bench->seconds
				  : &bench->samples) = value;
	}
	bench->program = argv[optind];
	return optind == argc - 1 && bench->count <= VMS_MAX;
}

int main(int argc, char **argv)
{
	static struct bench bench = { .count = 500, .seconds = 60, .samples = 200 };
	struct bench_usage base;

	if (!parse(&bench, argc, argv)) {
		fprintf(stderr,
			"usage: bench [--vms N] [--seconds S] [--samples N] UNDERSTUDYD\n"
			"at most %d VMs\n",
			VMS_MAX);
		return 2;
	}
	if (geteuid()) {
		fprintf(stderr, "bench: network namespaces need root\n");
		return 77;
	}
	setlinebuf(stdout);
	open_all(&bench);
	bench_daemon_start(&bench.daemon);
	base = bench_daemon_usage(&bench.daemon);

	bench_host_steer(0);
	attach(&bench, 0);
	measure_resets(&bench, 1, true);
	measure_resets(&bench, 1, false);
	reattach(&bench, 0, true);
	for (unsigned i = 1; i < bench.count; i++) {
		bench_host_steer(i);
		attach(&bench, i);
	}
	measure_resets(&bench, bench.count, true);
	measure_resets(&bench, bench.count, false);
	for (unsigned i = 0; i < bench.count; i++)
		reattach(&bench, i, true);
	wait_until_visible(&bench, 200 * US_USEC_PER_MSEC);
	measure_idle(&bench, base);
	measure_restart(&bench);
	measure_reboots(&bench);
	return 0;
}
