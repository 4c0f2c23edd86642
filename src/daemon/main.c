/* SPDX-License-Identifier: BSD-3-Clause */
/* understudyd: its options, its start and its end. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/loop.h"
#include "daemon/metrics/metrics.h"
#include "daemon/rpc/permissions.h"
#include "daemon/rpc/rpc.h"
#include "daemon/state/state.h"
#include "daemon/vf/vf.h"
#include "util/clock.h"
#include "util/log.h"
#include "vmm/libvirt/libvirt.h"

#define DEFAULT_DIR "/run/understudy"

static const char usage[] =
	"usage: understudyd [--socket PATH] [--state-dir DIR] [--migration-address ADDRESS]\n"
	"                   [--trust-migration-network] [--metrics ADDRESS] [--pools FILE]\n"
	"                   [--config FILE] [--park-memory BYTES] [--libvirt URI]\n"
	"                   [--libvirt-helper PATH]\n"
	"\n"
	"Shows, hides and migrates the primaries of the VMs on this host.\n"
	"\n"
	"  --socket PATH                 the control socket (" DEFAULT_DIR "/control)\n"
	"  --state-dir DIR               the directory of the state file (" DEFAULT_DIR ")\n"
	"  --migration-address ADDRESS   where incoming migrations listen (the address at which\n"
	"                                ssh reached this host; 127.0.0.1 from this host)\n"
	"  --trust-migration-network     do not warn about migrations that are not encrypted\n"
	"  --metrics ADDRESS             serve metrics there: unix:PATH or 127.0.0.1:PORT\n"
	"  --pools FILE                  the pools of VFs (/etc/understudy/pools.conf)\n"
	"  --config FILE                 the restrictions of the group understudy\n"
	"                                (/etc/understudy/understudyd.conf)\n"
	"  --park-memory BYTES           limit of the parked frames of all pairs, as in 1G (256M)\n"
	"  --libvirt URI                 adopt the domains of this libvirt that declare pairs\n"
	"                                (qemu:///system; \"none\" for none)\n"
	"  --libvirt-helper PATH         the program that talks to libvirt\n"
	"                                (" US_LIBVIRT_HELPER ")\n"
	"  --help, --version\n"
	"\n"
	"See understudyd(8); talk to it with understudy(1).\n";

enum {
	PARK_MIN_BYTES = 1024 * 1024,
};

/* Reads a number, with K, M or G for KiB, MiB or GiB. */
static bool read_size(const char *text, uint64_t *ret_bytes)
{
	unsigned int shift = 0;
	char *end;

	errno = 0;
	*ret_bytes = strtoull(text, &end, 10);
	if (*end == 'K')
		shift = 10;
	else if (*end == 'M')
		shift = 20;
	else if (*end == 'G')
		shift = 30;
	if (text[0] < '0' || text[0] > '9' || errno || end[shift > 0] ||
	    *ret_bytes > UINT64_MAX >> 1 >> shift)
		return false;
	*ret_bytes <<= shift;
	return *ret_bytes >= PARK_MIN_BYTES;
}

/* Sets an option with a value. False: the value is not accepted, as standard error tells. */
static bool set_option(struct us_daemon *daemon, const char **ret_metrics, int option,
		       const char *value)
{
	const char **texts[] = {
		['s'] = &daemon->socket_path,	     ['d'] = &daemon->state_dir,
		['m'] = &daemon->migrations.address, ['M'] = ret_metrics,
		['p'] = &daemon->pools_path,	     ['c'] = &daemon->config_path,
		['l'] = &daemon->libvirt_uri,	     ['L'] = &daemon->libvirt_helper,
	};
	struct us_reason reason;

	if (option == 'P') {
		if (read_size(value, &daemon->park_bytes))
			return true;
		fprintf(stderr,
			"understudyd: --park-memory %s: a number from 1M on, with K, M or G\n",
			value);
		return false;
	}
	*texts[option] = value;
	if (option != 'm' || us_migration_address_check(value, &reason) == 0)
		return true;
	fprintf(stderr, "understudyd: --migration-address: %s\n", reason.text);
	return false;
}

/* Returns 0 to go on, or 1 + the exit code. */
static int parse_options(struct us_daemon *daemon, const char **ret_metrics, int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "state-dir", required_argument, NULL, 'd' },
		{ "migration-address", required_argument, NULL, 'm' },
		{ "trust-migration-network", no_argument, NULL, 't' },
		{ "metrics", required_argument, NULL, 'M' },
		{ "pools", required_argument, NULL, 'p' },
		{ "config", required_argument, NULL, 'c' },
		{ "park-memory", required_argument, NULL, 'P' },
		{ "libvirt", required_argument, NULL, 'l' },
		{ "libvirt-helper", required_argument, NULL, 'L' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		switch (option) {
		case 't':
			daemon->migrations.trusts_network = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 1;
		case 'v':
			puts("understudyd " US_VERSION);
			return 1;
		case '?':
			fputs(usage, stderr);
			return 1 + 2;
		default:
			if (!set_option(daemon, ret_metrics, option, optarg))
				return 1 + 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "understudyd: %s: no such option\n%s", argv[optind], usage);
		return 1 + 2;
	}
	return 0;
}

/*
 * Makes the directory, if there is none, and locks it: two daemons would undo each other's work.
 * The lock lasts until the process ends.
 */
static int lock_directory(const char *path, struct us_reason *reason)
{
	int fd = -1;

	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		us_refuse(reason, "%s: %s", path, us_strerror(errno));
		return us_advise(reason, "name another with --state-dir");
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	close(fd);
	us_refuse(reason, "%s: another understudyd keeps its state there", path);
	return us_advise(reason, "stop it, or name another with --state-dir");
}

/*
 * Large blocks, such as a list of all pairs, have mappings of their own, which end when they are
 * freed. By default, malloc(3) would raise its threshold at the first of them, and keep them.
 */
static void limit_kept_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	mallopt(M_TRIM_THRESHOLD, 64 * 1024);
}

/* A VM needs one descriptor, and a few more while one of its pairs is in a transition. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* The sockets of the service manager: one that is named "metrics", and the control socket. */
static void take_sockets(int *ret_control, int *ret_metrics)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(true, &names);

	*ret_control = *ret_metrics = -1;
	for (int i = 0; i < count; i++) {
		int *taken = strcmp(names[i], "metrics") == 0 ? ret_metrics : ret_control;

		if (*taken >= 0)
			close(SD_LISTEN_FDS_START + i);
		else
			*taken = SD_LISTEN_FDS_START + i;
		free(names[i]);
	}
	free(names);
}

static int serve(struct us_daemon *daemon, const char *metrics, struct us_reason *reason)
{
	int control_fd, metrics_fd, r;

	take_sockets(&control_fd, &metrics_fd);
	r = us_rpc_serve(daemon->rpc, daemon->loop, daemon->socket_path, control_fd, reason);
	if (r != 0 || (!metrics && metrics_fd < 0))
		return r;
	if (metrics)
		metrics_fd = us_close(metrics_fd);
	return us_metrics_serve(daemon->metrics, metrics, metrics_fd, reason);
}

/* A host without the helper has no domains. */
static void watch_libvirt(struct us_daemon *daemon)
{
	const char *uri = daemon->libvirt_uri;
	int r = strcmp(uri, "none") == 0 ? 0 : us_libvirt_watch(daemon->libvirt, uri);

	if (r < 0 && r != -ENOENT)
		us_log(LOG_WARNING, "%s: %s: its domains are not adopted: %s", uri,
		       daemon->libvirt_helper, us_strerror(r));
}

static int start(struct us_daemon *daemon, const char *metrics, struct us_reason *reason)
{
	int r;

	daemon->started_usec = us_clock_usec(CLOCK_REALTIME);
	r = us_daemon_init(daemon);
	if (r >= 0)
		r = sd_event_add_signal(daemon->loop, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(daemon->loop, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_set_watchdog(daemon->loop, true);
	if (r < 0)
		return r;
	r = lock_directory(daemon->state_dir, reason);
	if (r != 0)
		return r;

	/* Before clients can connect: they find all VMs. */
	r = us_state_load(daemon->state);
	if (r < 0)
		return r;
	us_orphans_find(daemon->vfs);
	if (us_allow_check(daemon->config_path, reason) != 0)
		us_log(LOG_WARNING,
		       "%s: until this is mended, it allows the group understudy nothing",
		       reason->text);
	watch_libvirt(daemon);
	return serve(daemon, metrics, reason);
}

int main(int argc, char **argv)
{
	struct us_daemon daemon = {
		.socket_path = DEFAULT_DIR "/control",
		.state_dir = DEFAULT_DIR,
		.libvirt_helper = US_LIBVIRT_HELPER,
		.libvirt_uri = US_LIBVIRT_SYSTEM,
		.pools_path = "/etc/understudy/pools.conf",
		.config_path = "/etc/understudy/understudyd.conf",
	};
	struct us_reason reason = { .text = "" };
	sigset_t signals;
	const char *metrics = NULL;
	int r = parse_options(&daemon, &metrics, argc, argv);

	if (r > 0)
		return r - 1;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	limit_kept_memory();
	us_json_memory_init();
	raise_file_limit();
	r = start(&daemon, metrics, &reason);
	if (r != 0) {
		us_log(LOG_ERR, "understudyd: %s", r < 0 ? us_strerror(r) : reason.text);
		return 1;
	}
	sd_notify(false, "READY=1");
	us_log(LOG_INFO, "understudyd " US_VERSION " at %s", daemon.socket_path);
	r = us_loop_run(daemon.loop);
	if (r < 0)
		us_log(LOG_ERR, "understudyd: the event loop failed: %s", us_strerror(r));
	sd_notify(false, "STOPPING=1");
	us_rpc_stop_serving(daemon.rpc);
	us_state_save(daemon.state);
	/* VMs, pairs and the switch stay as they are; the next daemon takes them over. */
	us_daemon_deinit(&daemon);
	return r < 0 ? 1 : 0;
}
