/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What understudyd costs, in numbers: the time from a QMP event's arrival to our command's
 * leaving, the processor and memory for many idle VMs, and the time to adopt them again.
 *
 *     bench [--vms N] [--seconds S] [--samples N] UNDERSTUDYD
 *
 * One understudyd, whose VMs are scripted peers (peers.h) on a real bridge (host.h). Times are
 * taken in this process: they contain the kernel's passing of the event and of the command.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#include "bench/host.h"
#include "bench/peers.h"
#include "understudy/client.h"
#include "util/clock.h"

#define PATIENCE_USEC (60 * US_USEC_PER_SEC)
/* After a VM was attached: what that leads to (the state file, for one) is not to be measured. */
#define SETTLE_USEC (100 * US_USEC_PER_MSEC)

enum {
	VMS_MAX = 4000, /* four descriptors each */
};

struct bench {
	const char *program;
	unsigned vms, seconds, samples;
	char dir[40];
	sd_event *loop;
	struct bench_host host;
	struct bench_peer *peers;
	pid_t daemon;
	struct us_client *client;
	unsigned waiting; /* calls without an answer */
	unsigned visible; /* pairs, at the last look */
};

struct usage {
	uint64_t cpu_nsec;
	long resident_kib, anonymous_kib;
};

static void die(const char *what, int error)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(abs(error)));
	exit(1);
}

static void run_for(struct bench *bench, uint64_t usec)
{
	uint64_t end = us_now_usec() + usec, now;

	while ((now = us_now_usec()) < end)
		sd_event_run(bench->loop, end - now);
}

static void run_until(struct bench *bench, bool (*done)(struct bench *bench, unsigned index),
		      unsigned index, const char *what)
{
	uint64_t end = us_now_usec() + PATIENCE_USEC;

	while (!done(bench, index)) {
		if (us_now_usec() > end)
			die(what, ETIMEDOUT);
		if (sd_event_run(bench->loop, 100 * US_USEC_PER_MSEC) < 0)
			die("the loop", EIO);
	}
}

/* ---- The daemon ---- */

static void spawn(struct bench *bench)
{
	char socket[60];
	const char *const argv[] = { bench->program, "--socket", socket,
				     "--state-dir",  bench->dir, NULL };
	int r;

	snprintf(socket, sizeof(socket), "%s/control", bench->dir);
	unlink(socket);
	r = posix_spawn(&bench->daemon, bench->program, NULL, NULL, (char *const *)argv, environ);
	if (r)
		die(bench->program, r);
	snprintf(socket, sizeof(socket), "unix:%s/control", bench->dir);
	/* It is there when it is ready, and a moment before it listens. */
	for (uint64_t end = us_now_usec() + PATIENCE_USEC;; usleep(1000)) {
		r = us_client_new(&bench->client, bench->loop, socket);
		if (r == 0)
			return;
		if ((r != -ENOENT && r != -ECONNREFUSED) || us_now_usec() > end ||
		    waitpid(bench->daemon, NULL, WNOHANG) > 0)
			die(socket, r);
	}
}

static void end(struct bench *bench)
{
	us_client_free(US_STEAL(bench->client));
	kill(bench->daemon, SIGTERM);
	waitpid(bench->daemon, NULL, 0);
	bench->daemon = 0;
}

static struct usage usage_of(const struct bench *bench)
{
	struct usage usage = { 0 };
	char path[60], line[200];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", bench->daemon);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%lu", &usage.cpu_nsec) != 1)
		die(path, errno);
	fclose(file);
	snprintf(path, sizeof(path), "/proc/%d/status", bench->daemon);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		sscanf(line, "VmRSS: %ld", &usage.resident_kib);
		sscanf(line, "RssAnon: %ld", &usage.anonymous_kib);
	}
	if (file)
		fclose(file);
	return usage;
}

/* ---- Calls ---- */

static void on_answer(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct bench *bench = userdata;
	const char *words = "";

	json_unpack((json_t *)parameters, "{s:s}", "message", &words);
	if (error) {
		fprintf(stderr, "bench: %s: %s\n", error, words);
		exit(1);
	}
	bench->waiting--;
}

static void on_pairs(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct bench *bench = userdata;
	const json_t *pair;
	size_t i;

	bench->visible = 0;
	json_array_foreach (json_object_get(parameters, "pairs"), i, pair) {
		const char *primary = json_string_value(json_object_get(pair, "primary"));

		bench->visible += primary && strcmp(primary, "visible") == 0;
	}
	on_answer(userdata, error, parameters, more);
}

static bool is_answered(struct bench *bench, unsigned index)
{
	return bench->waiting == 0;
}

static void call(struct bench *bench, const char *method, json_t *parameters)
{
	int r = us_client_call(bench->client, method, parameters, false, on_answer, bench);

	if (r < 0)
		die(method, r);
	bench->waiting++;
	run_until(bench, is_answered, 0, method);
}

static unsigned count_visible(struct bench *bench)
{
	int r = us_client_call(bench->client, "ListPairs", NULL, false, on_pairs, bench);

	if (r < 0)
		die("ListPairs", r);
	bench->waiting++;
	run_until(bench, is_answered, 0, "ListPairs");
	return bench->visible;
}

static void attach(struct bench *bench, unsigned i)
{
	char vm[20], pair[20], path[60], port[20], spec[60];

	snprintf(vm, sizeof(vm), "v%u", i);
	snprintf(pair, sizeof(pair), "p%u", i);
	snprintf(port, sizeof(port), "s%u", i);
	snprintf(spec, sizeof(spec), "emulated:vmxnet3,port=p%u", i);
	snprintf(path, sizeof(path), "%s/%u.qmp", bench->dir, i);
	call(bench, "AttachVm", json_pack("{s:s, s:s}", "name", vm, "qmp", path));
	call(bench, "AddPair",
	     json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", pair, "vm", vm, "standby", "net0",
		       "port", port, "primary", spec));
}

static void detach(struct bench *bench, unsigned i)
{
	char vm[20];

	snprintf(vm, sizeof(vm), "v%u", i);
	call(bench, "DetachVm", json_pack("{s:s}", "name", vm));
}

static void wait_until_visible(struct bench *bench, uint64_t look_usec)
{
	uint64_t give_up = us_now_usec() + PATIENCE_USEC;

	while (count_visible(bench) < bench->vms) {
		if (us_now_usec() > give_up)
			die("not every pair became visible", ETIMEDOUT);
		run_for(bench, look_usec);
	}
}

/* ---- Event to command ---- */

static bool is_looked_at(struct bench *bench, unsigned index)
{
	return bench->peers[index].looked && bench->peers[index].asked;
}

static bool is_unplugging(struct bench *bench, unsigned index)
{
	return bench->peers[index].unplug_usec > 0;
}

/*
 * Attached anew, and so without back-off. A pair whose path leads to the primary is visible as
 * soon as it is made; any other waits for traffic.
 */
static void renew(struct bench *bench, unsigned index, bool visible)
{
	detach(bench, index);
	bench_peer_renew(&bench->peers[index]);
	if (visible)
		bench_host_steer(index);
	attach(bench, index);
}

/* From a RESET's sending to device_del's arrival. */
static uint64_t sample_reset(struct bench *bench, unsigned index, bool visible)
{
	struct bench_peer *peer = &bench->peers[index];
	uint64_t sent;

	renew(bench, index, visible);
	run_until(bench, is_looked_at, index, "the VM is not looked at");
	run_for(bench, SETTLE_USEC);
	sent = bench_peer_reset(peer);
	run_until(bench, is_unplugging, index, "no device_del after a reset");
	bench_peer_deleted(peer);
	return peer->unplug_usec - sent;
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
		die("samples", ENOMEM);
	qsort(samples, bench->samples, sizeof(*samples), compare);
	printf("event to command, %u attached, primary %s: p50 %lu us, p99 %lu us, most %lu us "
	       "(%u resets)\n",
	       vms, visible ? "visible" : "exposing", samples[bench->samples / 2],
	       samples[bench->samples * 99 / 100], samples[bench->samples - 1], bench->samples);
	free(samples);
}

/* ---- Idle, and after a restart ---- */

static void measure_idle(struct bench *bench, struct usage base)
{
	struct usage before = usage_of(bench), after;

	run_for(bench, bench->seconds * US_USEC_PER_SEC);
	after = usage_of(bench);
	printf("%u idle for %u s: %.2f %% of one core\n", bench->vms, bench->seconds,
	       (after.cpu_nsec - before.cpu_nsec) / 1e7 / bench->seconds);
	printf("memory: %ld KiB resident (%ld anonymous), %ld (%ld) without a VM: "
	       "%.1f KiB (%.1f) for each pair\n",
	       after.resident_kib, after.anonymous_kib, base.resident_kib, base.anonymous_kib,
	       (double)(after.resident_kib - base.resident_kib) / bench->vms,
	       (double)(after.anonymous_kib - base.anonymous_kib) / bench->vms);
}

static void measure_restart(struct bench *bench)
{
	uint64_t start;

	end(bench);
	start = us_now_usec();
	spawn(bench);
	wait_until_visible(bench, 10 * US_USEC_PER_MSEC);
	printf("adopted again after a restart: %u in %.2f s\n", bench->vms,
	       (us_now_usec() - start) / 1e6);
}

/* ---- All guests at once ---- */

/* Every guest reboots: all primaries are hidden, then parked for, plugged, probed and shown. */
static void measure_reboots(struct bench *bench)
{
	uint64_t start = us_now_usec(), looked = start;

	for (unsigned i = 0; i < bench->vms; i++) {
		bench->peers[i].reboots = true;
		bench_peer_reset(&bench->peers[i]);
	}
	for (bench->visible = 0; bench->visible < bench->vms; looked = us_now_usec()) {
		if (looked > start + PATIENCE_USEC)
			die("not every pair became visible again", ETIMEDOUT);
		while (us_now_usec() < looked + 100 * US_USEC_PER_MSEC) {
			for (unsigned i = 0; i < bench->vms; i++)
				bench_host_answer(&bench->host, i);
			run_for(bench, 5 * US_USEC_PER_MSEC);
		}
		count_visible(bench);
		/* At first none has been hidden yet. */
		for (unsigned i = 0; i < bench->vms; i++)
			if (!bench->peers[i].unplug_usec)
				bench->visible = 0;
	}
	printf("rebooted at once: %u visible again after %.2f s\n", bench->vms,
	       (us_now_usec() - start) / 1e6);
}

/* ---- All of it ---- */

static struct bench *opened;

/* However it ends, also by exit(). */
static void close_all(void)
{
	static const char *const files[] = { "control", "state.json" };
	struct bench *bench = opened;
	char path[60];

	if (bench->daemon)
		end(bench);
	for (unsigned i = 0; bench->peers && i < bench->vms; i++) {
		bench_peer_close(&bench->peers[i]);
		snprintf(path, sizeof(path), "%s/%u.qmp", bench->dir, i);
		unlink(path);
	}
	for (size_t i = 0; i < US_ARRAY_LENGTH(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", bench->dir, files[i]);
		unlink(path);
	}
	rmdir(bench->dir);
	free(bench->peers);
	bench_host_close(&bench->host);
	sd_event_unref(bench->loop);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	exit(1);
}

static void open_all(struct bench *bench)
{
	static const int signals[] = { SIGINT, SIGTERM };
	struct rlimit files = { 16384, 16384 };
	sigset_t mask;
	char path[60];
	int r;

	setrlimit(RLIMIT_NOFILE, &files);
	strcpy(bench->dir, "/run/understudy-bench-XXXXXX");
	if (!mkdtemp(bench->dir))
		die(bench->dir, errno);
	opened = bench;
	atexit(close_all);
	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	r = sd_event_default(&bench->loop);
	for (size_t i = 0; r >= 0 && i < US_ARRAY_LENGTH(signals); i++)
		r = sd_event_add_signal(bench->loop, NULL, signals[i], on_signal, NULL);
	if (r < 0)
		die("the loop", r);
	r = bench_host_open(&bench->host, bench->vms);
	if (r < 0)
		die("the bridge", r);
	bench->peers = calloc(bench->vms, sizeof(*bench->peers));
	for (unsigned i = 0; bench->peers && i < bench->vms; i++) {
		snprintf(path, sizeof(path), "%s/%u.qmp", bench->dir, i);
		r = bench_peer_open(&bench->peers[i], bench->loop, i, path);
		if (r < 0)
			die(path, r);
	}
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
		*(option == 'n'	  ? &bench->vms
		  : option == 's' ? &bench->seconds
				  : &bench->samples) = value;
	}
	bench->program = argv[optind];
	return optind == argc - 1 && bench->vms <= VMS_MAX;
}

int main(int argc, char **argv)
{
	static struct bench bench = { .vms = 500, .seconds = 60, .samples = 200 };
	struct usage base;

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
	spawn(&bench);
	base = usage_of(&bench);

	bench_host_steer(0);
	attach(&bench, 0);
	measure_resets(&bench, 1, true);
	measure_resets(&bench, 1, false);
	renew(&bench, 0, true);
	for (unsigned i = 1; i < bench.vms; i++) {
		bench_host_steer(i);
		attach(&bench, i);
	}
	measure_resets(&bench, bench.vms, true);
	measure_resets(&bench, bench.vms, false);
	for (unsigned i = 0; i < bench.vms; i++)
		renew(&bench, i, true);
	wait_until_visible(&bench, 200 * US_USEC_PER_MSEC);
	measure_idle(&bench, base);
	measure_restart(&bench);
	measure_reboots(&bench);
	return 0;
}
