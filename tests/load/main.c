/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Load: hundreds of VMs that reset, negotiate, hold, migrate and crash all the time, to show that
 * the daemons lose no event.
 *
 *     load [--vms N] [--seconds S] [--seed N] … UNDERSTUDYD
 *
 * Two understudyds run on bridges in a network namespace; the VMs are scripted QEMUs
 * (bench-qemu.h). All are attached to the first daemon. A tenth of them are attached to the second
 * one as well, and migrate between the two. The load fails unless every event is reported in order,
 * every pair ends in the state of its VM, the counts agree, and memory is bounded. Times are only
 * printed.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "load/load-check.h"
#include "load/load-vm.h"
#include "util/clock.h"

enum {
	VMS_MAX = 2000,
	STUCK_SEC = 60, /* longer than any action, even with a back-off */
	PROGRESS_SEC = 5,
	GROWTH_PERCENT = 10, /* allowed growth of memory after the first third */
	GROWTH_KIB = 512,    /* plus this, for few VMs */
};

/* ---- Memory and processor ---- */

struct usage_sample {
	long resident_kib[2]; /* of each daemon */
};

static struct usage_sample *usage_samples;
static unsigned sample_count;

static void take_sample(struct load *load)
{
	for (unsigned side = 0; side < 2; side++)
		usage_samples[sample_count].resident_kib[side] =
			bench_daemon_usage(&load->daemons[side]).resident_kib;
	sample_count++;
}

/* The mean over sixth number @sixth (from 0) of the run. */
static long mean_memory(unsigned side, unsigned sixth)
{
	unsigned first = sample_count * sixth / 6, end = sample_count * (sixth + 1) / 6;
	long sum = 0;

	for (unsigned i = first; i < end; i++)
		sum += usage_samples[i].resident_kib[side];
	return end > first ? sum / (long)(end - first) : 0;
}

static void check_memory(struct load *load)
{
	for (unsigned side = 0; side < 2; side++) {
		long first = mean_memory(side, 2), last = mean_memory(side, 5);

		if (last > first + first * GROWTH_PERCENT / 100 + GROWTH_KIB)
			load_error(load, "daemon %u grew from %ld to %ld KiB", side, first, last);
	}
}

/* ---- The run ---- */

static void on_second(struct load *load, unsigned second)
{
	uint64_t now = us_now_usec(), acts = 0;
	unsigned busy = 0;

	take_sample(load);
	for (unsigned i = 0; i < load->vm_count; i++) {
		struct load_vm *vm = &load->vms[i];

		busy += vm->is_busy;
		if (!vm->is_busy || now - vm->since_usec < STUCK_SEC * US_USEC_PER_SEC)
			continue;
		load_error(load, "v%u: stuck in %s%s", i, load_action_name(vm->action),
			   vm->awaits_unplug ? ": device_del was never received" : "");
		vm->since_usec = now;
	}
	for (unsigned i = 0; i < LOAD_ACTIONS; i++)
		acts += load->actions[i];
	if (second % PROGRESS_SEC == 0)
		fprintf(stderr,
			"load: %u s: %" PRIu64 " actions, %u under way, %" PRIu64
			" events, %" PRIu64 " moves, %ld and %ld KiB, %u wrong\n",
			second, acts, busy, load->events_reported, load->moves_reported,
			usage_samples[sample_count - 1].resident_kib[0],
			usage_samples[sample_count - 1].resident_kib[1], load->errors);
}

static void run(struct load *load)
{
	uint64_t start = us_now_usec();

	for (unsigned i = 0; i < load->vm_count; i++)
		load_vm_start(&load->vms[i]);
	for (unsigned second = 1; second <= load->seconds; second++) {
		uint64_t now = us_now_usec(), due = start + second * US_USEC_PER_SEC;

		bench_run_for(load->loop, due > now ? due - now : 0);
		on_second(load, second);
	}
	load->is_ending = true;
}

/* Into the last VM, while it is idle. */
static void inject_fault(struct load *load)
{
	struct load_vm *vm = &load->vms[load->vm_count - 1];
	struct bench_qemu *qemu = &vm->here->qemu;

	if (load->fault == LOAD_FAULT_ANSWER) {
		qemu->is_mute = true;
		qemu->guest = qemu->guest ? BENCH_GUEST_NONE : BENCH_GUEST_LEGACY;
	} else if (load->fault == LOAD_FAULT_EVENT) {
		load_check_expect_event(vm->here, "RTC_CHANGE");
	}
}

static bool is_busy(const struct load *load)
{
	for (unsigned i = 0; i < load->vm_count; i++)
		if (load->vms[i].is_busy)
			return true;
	return false;
}

static void settle(struct load *load)
{
	uint64_t end = us_now_usec() + load->settle_seconds * US_USEC_PER_SEC;
	unsigned wrong;

	while (is_busy(load) && us_now_usec() < end)
		bench_run_for(load->loop, 100 * US_USEC_PER_MSEC);
	inject_fault(load);
	/* A dump of a switch that changes meanwhile may miss entries, so one matching comparison is
	 * enough. */
	while ((wrong = load_check_pairs(load, false)) && us_now_usec() < end)
		bench_run_for(load->loop, 500 * US_USEC_PER_MSEC);
	if (wrong)
		load_check_pairs(load, true);
	load_check_counts(load);
}

/* ---- The report ---- */

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t percentile(const struct load_samples *samples, unsigned per_mille)
{
	return samples->count ? samples->usec[(samples->count - 1) * per_mille / 1000] : 0;
}

static json_t *report_json(struct load *load, double cpu_percent)
{
	struct load_samples *samples = &load->unplug_samples;
	json_t *actions = json_object(), *report;

	qsort(samples->usec, samples->count, sizeof(*samples->usec), compare);
	for (unsigned i = 0; i < LOAD_ACTIONS; i++)
		json_object_set_new(actions, load_action_name(i),
				    json_integer((json_int_t)load->actions[i]));
	report = json_pack("{s:i, s:i, s:o, s:[I, I, I, I], s:I, s:I, s:I, s:I, s:I, s:I}", "vms",
			   load->vm_count, "seconds", load->seconds, "acts", actions, "migrations",
			   (json_int_t)load->migrations[0], (json_int_t)load->migrations[1],
			   (json_int_t)load->migrations[2], (json_int_t)load->migrations[3],
			   "events", (json_int_t)load->events_reported, "moves",
			   (json_int_t)load->moves_reported, "resets",
			   (json_int_t)load->resets_reported, "negotiations",
			   (json_int_t)load->negotiations_reported, "plugs",
			   (json_int_t)load->plugs, "unplugs", (json_int_t)load->unplugs);
	json_object_update_new(
		report, json_pack("{s:{s:I, s:I, s:I, s:I}, s:f, s:[i, i], s:[i, i], s:i}",
				  "event_to_command_usec", "samples", (json_int_t)samples->count,
				  "p50", (json_int_t)percentile(samples, 500), "p99",
				  (json_int_t)percentile(samples, 990), "most",
				  (json_int_t)percentile(samples, 1000), "cpu_percent", cpu_percent,
				  "memory_kib_settled", (int)mean_memory(0, 2),
				  (int)mean_memory(1, 2), "memory_kib_end", (int)mean_memory(0, 5),
				  (int)mean_memory(1, 5), "wrong", (int)load->errors));
	return report;
}

static void print_report(struct load *load, double cpu_percent)
{
	json_t *report = report_json(load, cpu_percent), *value;
	const char *key;

	if (load->prints_json) {
		json_dumpf(report, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(4));
		printf("\n");
	} else {
		json_object_foreach (report, key, value) {
			US_CLEANUP(us_freep)
			char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(4));

			printf("%-22s %s\n", key, text);
		}
	}
	json_decref(report);
	fprintf(stderr, "load: %s\n", load->errors ? "FAILED" : "nothing lost");
}

/* ---- Main ---- */

static struct load *opened;

/* Called by exit(3). */
static void close_all(void)
{
	struct load *load = opened;

	for (unsigned side = 0; side < 2; side++) {
		us_client_free(US_STEAL(load->subscriptions[side]));
		bench_daemon_end(&load->daemons[side]);
	}
	for (unsigned i = 0; load->vms && i < load->vm_count; i++)
		load_vm_close(&load->vms[i]);
	for (unsigned side = 0; side < 2; side++)
		bench_daemon_remove(&load->daemons[side]);
	free(load->vms);
	free(load->unplug_samples.usec);
	free(usage_samples);
	bench_host_close(&load->host);
}

static int on_probe(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	load_instance_answer_probes(userdata);
	return 0;
}

static void open_vms(struct load *load)
{
	int r = bench_host_open(&load->host, load->vm_count, load->mover_count);

	if (r < 0)
		bench_fail("the bridges", r);
	load->vms = calloc(load->vm_count, sizeof(*load->vms));
	usage_samples = calloc(load->seconds + 1, sizeof(*usage_samples));
	if (!load->vms || !usage_samples)
		bench_fail("the VMs", ENOMEM);
	for (unsigned i = 0; i < load->vm_count; i++)
		load_vm_open(load, i);
	for (unsigned port = 0; port < load->host.count; port++) {
		unsigned side = port >= load->vm_count;
		struct load_instance *instance =
			&load->vms[port - side * load->vm_count].instances[side];

		r = sd_event_add_io(load->loop, NULL, load->host.taps[port][0], EPOLLIN, on_probe,
				    instance);
		if (r < 0)
			bench_fail("a tap", r);
	}
}

static void open_all(struct load *load)
{
	load->loop = bench_begin();
	opened = load;
	atexit(close_all);
	for (unsigned side = 0; side < 2; side++) {
		bench_daemon_init(&load->daemons[side], load->loop, load->program,
				  "/run/understudy-load-XXXXXX");
		snprintf(load->daemons[side].log, sizeof(load->daemons[side].log), "%s", load->log);
	}
	open_vms(load);
	for (unsigned side = 0; side < 2; side++) {
		bench_daemon_start(&load->daemons[side]);
		load_check_subscribe(load, side);
	}
	for (unsigned i = 0; i < load->vm_count; i++)
		load_vm_attach(&load->vms[i]);
	fprintf(stderr, "load: %u VMs attached, %u of them at both daemons\n", load->vm_count,
		load->mover_count);
}

static const char usage[] = "usage: load [OPTION]… UNDERSTUDYD\n"
			    "  --vms N       scripted VMs, a tenth of them at two daemons (500)\n"
			    "  --seconds S   duration of the load (600)\n"
			    "  --pause MSEC  mean pause between two actions of a VM (1500)\n"
			    "  --seed N      seed of the random numbers (1)\n"
			    "  --log PATH    file for the daemons' logs (none)\n"
			    "  --json        print the report as JSON\n"
			    "  --fault NAME  answer, event: an error that the load has to find\n"
			    "  --help\n";

static bool parse(struct load *load, int argc, char **argv)
{
	static const struct option options[] = {
		{ "vms", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 's' },
		{ "settle", required_argument, NULL, 'e' },
		{ "pause", required_argument, NULL, 'p' },
		{ "seed", required_argument, NULL, 'r' },
		{ "log", required_argument, NULL, 'l' },
		{ "json", no_argument, NULL, 'j' },
		{ "fault", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static const char *const faults[] = { "none", "answer", "event" };
	int option;

	_Static_assert(US_ARRAY_LENGTH(faults) == LOAD_FAULTS, "a name for each");
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'n')
			load->vm_count = atoi(optarg);
		else if (option == 's')
			load->seconds = atoi(optarg);
		else if (option == 'e')
			load->settle_seconds = atoi(optarg);
		else if (option == 'p')
			load->pause_msec = atoi(optarg);
		else if (option == 'r')
			load->seed = atoi(optarg);
		else if (option == 'l')
			load->log = optarg;
		else if (option == 'j')
			load->prints_json = true;
		else if (option != 'f')
			return false;
		for (unsigned i = 0; option == 'f' && i < LOAD_FAULTS; i++)
			if (strcmp(optarg, faults[i]) == 0)
				load->fault = i;
	}
	load->program = argv[optind];
	load->mover_count = (load->vm_count + 9) / 10;
	return optind == argc - 1 && load->vm_count > 0 && load->vm_count <= VMS_MAX &&
	       load->seconds > 0;
}

int main(int argc, char **argv)
{
	static struct load load = { .vm_count = 500,
				    .seconds = 600,
				    .settle_seconds = 60,
				    .pause_msec = 1500,
				    .seed = 1,
				    .log = "/dev/null" };
	uint64_t start, cpu;

	if (!parse(&load, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	if (geteuid()) {
		fprintf(stderr, "load: network namespaces need root\n");
		return 77;
	}
	open_all(&load);
	start = us_now_usec();
	cpu = bench_daemon_usage(&load.daemons[0]).cpu_nsec;
	run(&load);
	cpu = bench_daemon_usage(&load.daemons[0]).cpu_nsec - cpu;
	start = us_now_usec() - start;
	settle(&load);
	check_memory(&load);
	print_report(&load, cpu / 10.0 / start);
	return load.errors ? 1 : 0;
}
