/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The laboratory: its directory, its event loop, and what its parts have found out.
 *
 * A laboratory NAME consists of the network namespaces NAME-host-a, NAME-host-b, NAME-switch and
 * NAME-client, and of the processes recorded under /run/understudy-lab/NAME/pids. Ending the
 * recorded processes and deleting the namespaces and that directory removes the laboratory
 * completely, whatever happened to the process that made it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <systemd/sd-event.h>

#include "lab/world/options.h"

/* Paths of the programs and directories that the lab uses; filled by life.c. */
struct us_lab_programs {
	char daemon[256];	/* understudyd */
	char daemon_crash[256]; /* understudyd with crash points, or empty */
	char cli[256];		/* understudy */
	char libvirt[256];	/* understudy-libvirt of the build tree, or empty */
	char beacon[256];	/* understudy-beacon for the guest's architecture */
	char guest_data[256];	/* directory of make-image and make-qemu */
	char host_data[256];	/* directory of make-host-image and host-machine */
};

/* What the guest boots; filled by us_lab_image_prepare(). */
struct us_lab_image {
	char kernel[256];	 /* unpacked, for QEMU */
	char kernel_packed[256]; /* as Debian ships it, for iPXE */
	char initrd[256];
	char kernel_version[64];
};

/* The QEMU that runs the guests; filled by us_lab_emulator_choose(). */
struct us_lab_emulator {
	char program[256];
	char choice[400];      /* a line that names the program and the reason */
	char why_unsound[200]; /* of migrations with this QEMU; or empty */
};

/* The host machines; filled by machine.c and machine-run.c. */
struct us_lab_machines {
	char image[256];		  /* what they boot */
	char qemu[256];			  /* the program that emulates them */
	char vf[20];			  /* the PCI address of their first VF, if bound by hand */
	int64_t ahead_usec[US_LAB_HOSTS]; /* their CLOCK_REALTIME minus ours */
};

struct us_lab {
	struct us_lab_options options;
	char dir[128]; /* /run/understudy-lab/NAME */
	sd_event *loop;
	FILE *output;	     /* borrowed; where a person reads */
	bool is_transient;   /* child processes end with this process */
	bool is_interrupted; /* by the operator */
	bool is_cancelled;   /* the run is invalid: every wait ends at once */
	struct us_lab_programs programs;
	struct us_lab_image image;
	struct us_lab_emulator emulator;
	struct us_lab_machines machines;
};

/* Sets the directory and makes the event loop, which handles SIGINT, SIGTERM and SIGHUP. */
int us_lab_open(struct us_lab *lab, const struct us_lab_options *options);
void us_lab_close(struct us_lab *lab);
/* Makes the lab's directories where they are missing. */
int us_lab_directories(const struct us_lab *lab);

/* The hosts are emulated machines, not namespaces. */
bool us_lab_has_machines(const struct us_lab *lab);
/* libvirt starts the VM. */
bool us_lab_has_libvirt(const struct us_lab *lab);
/* Whether @place is a host, and the hosts are machines. @place may be NULL. */
bool us_lab_is_machine(const struct us_lab *lab, const char *place);

/* The namespace "NAME-PLACE" of @place "host-a", "host-b", "switch" or "client". */
const char *us_lab_namespace(const struct us_lab *lab, const char *place, char buffer[64]);

#define US_LAB_PATH 200
/* The file "HOST.SUFFIX" in the lab's directory. Returns @path. */
const char *us_lab_host_path(const struct us_lab *lab, enum us_lab_host host, const char *suffix,
			     char path[US_LAB_PATH]);
/* Suffixes of sockets that a host machine has at the same path. */
#define US_LAB_SOCKET_DAEMON "understudy" /* the daemon's API */
#define US_LAB_SOCKET_QMP "qmp"		  /* the daemon's monitor of the guest's QEMU */
#define US_LAB_SOCKET_MONITOR "monitor"	  /* the lab's own monitor, on a host machine */
#define US_LAB_SOCKET_CONSOLE "console"	  /* the guest's serial console */
/* The name under which a process of @host is recorded: "HOST-WHAT". Returns @name. */
const char *us_lab_host_record(enum us_lab_host host, const char *what, char name[40]);

/*
 * Runs the loop until done(userdata) or until @timeout_usec have passed; done() is asked after
 * every event. Returns 0, -ETIMEDOUT, -EINTR when the operator interrupts, or -ECANCELED when the
 * run was cancelled.
 */
int us_lab_wait(struct us_lab *lab, bool (*done)(void *userdata), void *userdata,
		uint64_t timeout_usec);
/* The same, but asks done() every 50 ms as well, for conditions that cause no event. */
int us_lab_poll(struct us_lab *lab, bool (*done)(void *userdata), void *userdata,
		uint64_t timeout_usec);
/* Runs the loop for @usec, or until the operator interrupts or the run is cancelled. */
void us_lab_sleep(struct us_lab *lab, uint64_t usec);
