/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

#include "lab/world/kernel-crash.h"
#include "lab/world/machine.h"
#include "lab/world/machine-command.h"
#include "lab/world/process.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/unix-socket.h"

/*
 * The Debian release of the emulator. QEMU 10.0 (Debian 13) reads its table of devices while
 * another processor changes it: while the guest assigns PCI addresses, it aborts or accesses the
 * wrong device.
 */
#define QEMU_RELEASE "forky"
#define OWN_MEMORY_MIB 1792 /* of a machine, beside the guest's */
#define BOOT_TIMEOUT_USEC (300 * US_USEC_PER_SEC)
#define SILENCE_USEC (120 * US_USEC_PER_SEC) /* longer than any pause in a boot's output */
#define ANSWER_USEC (5 * US_USEC_PER_SEC)

struct booting {
	const struct us_lab *lab;
	enum us_lab_host host;
	pid_t pid;
	long output_bytes;     /* on its console so far */
	uint64_t output_usec;  /* time of the latest output */
	const char *why_stuck; /* or NULL */
};

const char *us_lab_machine_console_path(const struct us_lab *lab, enum us_lab_host host,
					char path[US_LAB_PATH])
{
	return us_lab_host_path(lab, host, "boot", path);
}

bool us_lab_machine_is_up(const struct us_lab *lab)
{
	return us_lab_process_is_alive(lab, "host-a-ssh", NULL) &&
	       us_lab_process_is_alive(lab, "host-b-ssh", NULL);
}

/* Reads the console. Returns whether the machine is ready. The last line may be incomplete. */
static bool read_console(struct booting *booting)
{
	char path[200], line[240];
	bool is_ready = false;
	FILE *file;

	us_lab_machine_console_path(booting->lab, booting->host, path);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!is_ready && fgets(line, sizeof(line), file)) {
		is_ready = strstr(line, "host: ready");
		if (us_lab_kernel_has_crashed(line))
			booting->why_stuck = "its kernel died";
	}
	if (ftell(file) != booting->output_bytes)
		booting->output_usec = us_now_usec();
	booting->output_bytes = ftell(file);
	fclose(file);
	return is_ready;
}

static bool has_booted(void *userdata)
{
	struct booting *booting = userdata;
	bool is_ready = read_console(booting);

	if (!is_ready && us_now_usec() - booting->output_usec > SILENCE_USEC)
		booting->why_stuck = "no console output for 120 s";
	return is_ready || booting->why_stuck || us_lab_process_has_ended(booting->pid);
}

static bool is_connected(void *userdata)
{
	const struct booting *booting = userdata;
	char path[200];

	us_lab_machine_connection_path(booting->lab, us_lab_host_name(booting->host), path);
	return access(path, F_OK) == 0 || us_lab_process_has_ended(booting->pid);
}

static int start(struct booting *booting, const char *what, const char *const argv[])
{
	char record[40];

	return us_lab_process_start(booting->lab, "switch",
				    us_lab_host_record(booting->host, what, record), argv,
				    &booting->pid);
}

#ifdef __x86_64__
/* Reads the time stamp counter and the time, as close to each other as possible. */
static void read_time_stamp(uint64_t *ret_stamp, uint64_t *ret_nsec)
{
	uint64_t closest = UINT64_MAX;

	for (int i = 0; i < 50; i++) {
		struct timespec time;
		uint64_t before = __rdtsc(), after;

		clock_gettime(CLOCK_MONOTONIC_RAW, &time);
		after = __rdtsc();
		if (after - before >= closest)
			continue;
		closest = after - before;
		*ret_stamp = before + closest / 2;
		*ret_nsec = time.tv_sec * UINT64_C(1000000000) + time.tv_nsec;
	}
}

/* The frequency of the time stamp counter, which the machines' VMs read as theirs. */
static unsigned time_stamp_khz(void)
{
	static const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	uint64_t stamp, nsec, stamp_later, nsec_later;

	read_time_stamp(&stamp, &nsec);
	nanosleep(&pause, NULL);
	read_time_stamp(&stamp_later, &nsec_later);
	return (stamp_later - stamp) * 1000000 / (nsec_later - nsec);
}
#else
static unsigned time_stamp_khz(void)
{
	return 0;
}
#endif

static int start_machine(struct booting *booting)
{
	const struct us_lab *lab = booting->lab;
	char script[300], number[10], khz[20], memory[20], qemu[256];
	const char *name = us_lab_host_name(booting->host);
	const char *argv[] = { script,
			       lab->machines.image,
			       lab->machines.qemu,
			       lab->dir,
			       name,
			       number,
			       khz,
			       memory,
			       NULL,
			       NULL };

	snprintf(khz, sizeof(khz), "%u", time_stamp_khz());
	snprintf(memory, sizeof(memory), "%u", lab->options.memory + OWN_MEMORY_MIB);
	snprintf(script, sizeof(script), "%s/host-machine", lab->programs.host_data);
	snprintf(number, sizeof(number), "%d", booting->host + 1);
	snprintf(qemu, sizeof(qemu), "%s", lab->emulator.program);
	if (*qemu == '/') /* a QEMU of this host is to run in the machine */
		argv[8] = dirname(qemu);
	return start(booting, "machine", argv);
}

/* Forwards the sockets: the daemon and the console listen in the machine, the lab here. */
static int start_connection(struct booting *booting)
{
	const struct us_lab *lab = booting->lab;
	enum us_lab_host host = booting->host;
	char control[200], key[210], daemon[300], console[410], monitor[410], address[40],
		path[200];
	const char *const argv[] = { "ssh", "-F/dev/null", "-NTM", "-oLogLevel=ERROR", "-S",
				     control, "-i", key, "-oStrictHostKeyChecking=no",
				     "-oUserKnownHostsFile=/dev/null", "-oBatchMode=yes",
				     "-oStreamLocalBindUnlink=yes", "-oExitOnForwardFailure=yes",
				     /* End the connection to a machine that hangs. */
				     "-oServerAliveInterval=5", "-oServerAliveCountMax=6", "-L",
				     daemon, "-L", console, "-R", monitor, address, NULL };

	us_lab_machine_connection_path(lab, us_lab_host_name(host), control);
	us_lab_machine_shared_dir(lab, path);
	snprintf(key, sizeof(key), "%s/key", path);
	us_lab_host_path(lab, host, US_LAB_SOCKET_DAEMON, path);
	snprintf(daemon, sizeof(daemon), "%s:/run/understudy/control", path);
	us_lab_host_path(lab, host, US_LAB_SOCKET_CONSOLE, path);
	snprintf(console, sizeof(console), "%s:%s", path, path);
	us_lab_host_path(lab, host, US_LAB_SOCKET_MONITOR, path);
	snprintf(monitor, sizeof(monitor), "%s:%s", path, path);
	snprintf(address, sizeof(address), "root@10.85.%d.2", host + 1);
	return start(booting, "ssh", argv);
}

int us_lab_machine_dump(const struct us_lab *lab, enum us_lab_host host)
{
	static const char questions[] = "info registers -a\n"
					"sendkey alt-sysrq-l\n"
					"sendkey alt-sysrq-w\n";
	char path[200];
	int fd;

	us_lab_host_path(lab, host, "machine-monitor", path);
	if (us_connect_unix(path, &fd))
		return -1;
	return write(fd, questions, strlen(questions)) > 0 ? fd : us_close(fd);
}

void us_lab_machine_show_console(struct us_lab *lab, enum us_lab_host host)
{
	char path[200];
	const char *const argv[] = { "sh", "-c", "tail -n 60 \"$0\" >&2", path, NULL };

	us_lab_machine_console_path(lab, host, path);
	us_lab_process_run(lab, NULL, argv);
}

static void ask_why(struct us_lab *lab, enum us_lab_host host)
{
	US_CLEANUP(us_closep) int monitor = us_lab_machine_dump(lab, host);

	if (monitor >= 0)
		us_lab_sleep(lab, ANSWER_USEC);
}

static int wait_for(struct us_lab *lab, struct booting *booting, bool (*is_done)(void *userdata),
		    struct us_reason *reason)
{
	const char *host = us_lab_host_name(booting->host), *why = "time limit";
	int r = us_lab_poll(lab, is_done, booting, BOOT_TIMEOUT_USEC);

	if (r == -EINTR)
		return r;
	if (booting->why_stuck)
		why = booting->why_stuck;
	else if (!r && us_lab_process_has_ended(booting->pid))
		why = "its emulator or connection has ended";
	else if (!r)
		return 0;
	ask_why(lab, booting->host);
	us_lab_machine_show_console(lab, booting->host);
	us_refuse(reason, "%s did not boot (%s)", host, why);
	return us_advise(reason, "see its console above, and %s/%s-machine.log, %s-ssh.log",
			 lab->dir, host, host);
}

/* Both at once, because each uses one processor. */
static int start_both(struct us_lab *lab, int (*start_one)(struct booting *booting),
		      bool (*is_done)(void *userdata), struct us_reason *reason)
{
	struct booting both[US_LAB_HOSTS];
	int r = 0;

	for (int host = 0; !r && host < US_LAB_HOSTS; host++) {
		both[host] =
			(struct booting){ .lab = lab, .host = host, .output_usec = us_now_usec() };
		r = start_one(&both[host]);
	}
	for (int host = 0; !r && host < US_LAB_HOSTS; host++)
		r = wait_for(lab, &both[host], is_done, reason);
	return r;
}

/* Runs a script that makes a file and prints its path, which is returned in @ret_path. */
static int make(struct us_lab *lab, const char *const argv[], const char *what, char ret_path[256],
		struct us_reason *reason)
{
	US_CLEANUP(us_freep) char *path = us_lab_process_read_line(lab, NULL, argv);

	if (!path || !*path) {
		us_refuse(reason, "the %s of the host machines cannot be made", what);
		return us_advise(reason, "see the messages of %s above", strrchr(argv[0], '/') + 1);
	}
	snprintf(ret_path, 256, "%.250s", path);
	return 0;
}

static int make_qemu(struct us_lab *lab, struct us_reason *reason)
{
	char script[300];
	const char *const argv[] = { script, QEMU_RELEASE, NULL };

	snprintf(script, sizeof(script), "%s/make-qemu", lab->programs.guest_data);
	return make(lab, argv, "QEMU", lab->machines.qemu, reason);
}

static int make_image(struct us_lab *lab, struct us_reason *reason)
{
	char script[300];
	const char *const argv[] = {
		script, lab->programs.daemon, lab->programs.cli, lab->image.kernel, lab->dir, NULL
	};

	snprintf(script, sizeof(script), "%s/make-host-image", lab->programs.host_data);
	return make(lab, argv, "image", lab->machines.image, reason);
}

int us_lab_machine_boot(struct us_lab *lab, struct us_reason *reason)
{
	int r = make_image(lab, reason);

	if (!r)
		r = make_qemu(lab, reason);
	if (!r)
		r = start_both(lab, start_machine, has_booted, reason);
	return r ? r : start_both(lab, start_connection, is_connected, reason);
}
