/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all parts of understudy-lab share: the laboratory itself, its places and its event loop.
 *
 * A laboratory NAME is: network namespaces NAME-host-a, NAME-host-b, NAME-switch and NAME-client,
 * the processes recorded under /run/understudy-lab/NAME/pids, and nothing else. Ending the
 * recorded processes and deleting the namespaces and that directory removes it completely,
 * whatever happened to the lab's own process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "util/error.h"

enum us_lab_host {
	US_LAB_HOST_A,
	US_LAB_HOST_B,
	US_LAB_HOSTS,
};

/* What the hosts are. */
enum us_lab_host_kind {
	US_LAB_HOST_KIND_NETNS, /* network namespaces; a primary is emulated */
	US_LAB_HOST_KIND_MACHINE,	/* emulated machines; a primary is a VF of theirs: machine.h */
	US_LAB_HOST_KINDS,
};

/* "netns", "vm". */
const char *us_lab_host_kind_name(enum us_lab_host_kind hosts);

/* Who shows and hides the primary. */
enum us_lab_manager {
	US_LAB_MANAGER_UNDERSTUDY,
	US_LAB_MANAGER_QEMU, /* QEMU's own failover, and no understudyd */
	US_LAB_MANAGERS,
};

/* "understudy", "qemu". */
const char *us_lab_manager_name(enum us_lab_manager manager);

/* "host-a", "host-b". */
const char *us_lab_host_name(enum us_lab_host host);

/* What a guest can be, and what it is made of. */
struct us_lab_platform {
	const char *name;	      /* as QEMU calls it */
	const char *arch;	      /* as Debian calls it */
	const char *qemu;	      /* the program that emulates it */
	const char *cpu;	      /* QEMU's model, or NULL for its default */
	const char *kernel_arguments; /* which console, and what makes it boot fast */
	const char *hotplug;	      /* the only kind that it has, or NULL */
	bool is_ccw;		      /* its virtio devices are no PCI devices */
	bool has_ports;		      /* its PCI devices are plugged into PCIe ports */
	bool has_bios;		      /* SeaBIOS, which says what it finds */
};

/* platforms.c: NULL if there is none of that name. */
const struct us_lab_platform *us_lab_platform_find(const char *name);

#define US_LAB_CHOICES 100
#define US_LAB_TIMES_MAX 200

struct us_lab_options {
	const char *name;    /* of the laboratory */
	const char *qemu;    /* program; NULL: emulator.c chooses */
	const char *accel;   /* tcg or kvm */
	const char *guest;   /* Debian's release that its kernel is of */
	const char *hotplug; /* acpi or native; or what the machine has */
	const struct us_lab_platform *machine;
	const char *primary; /* QEMU's model of the primary */
	const char *json;    /* file for the report, or NULL */
	const char *html;    /* file for the picture, or NULL */
	const char *svg;     /* the same of the demo, small, or NULL */
	const char *log;     /* file of the demo that gets what is not shown, or NULL */
	enum us_lab_manager manager;
	enum us_lab_host_kind hosts;
	unsigned queues; /* of the standby, and CPUs */
	unsigned repeat;
	unsigned times;		  /* that a guest migrates back or forth in one run */
	unsigned rate;		  /* frames a second, each way */
	unsigned slow_switch_sec; /* the switch keeps its entry so long after a migration; 0: not */
	bool tcp;
	bool is_verbose; /* the demo shows all */
	bool allows_unsound; /* migrate with a QEMU that does it wrongly; the result is invalid */
	/* To compare: every one of these with every one of those. */
	const char *primaries[US_LAB_CHOICES], *scenarios[US_LAB_CHOICES];
	unsigned primaries_count, scenarios_count;
};

struct us_lab {
	struct us_lab_options options;
	char dir[128];		 /* /run/understudy-lab/NAME */
	char daemon[256];	 /* understudyd */
	char daemon_crash[256];	 /* the same with crash points, for faults */
	char cli[256];		 /* understudy */
	char beacon[256];	 /* understudy-beacon, of the guest's architecture */
	char data[256];		 /* directory of init, net-up and make-image */
	char kernel[256];	 /* unpacked, for QEMU */
	char kernel_packed[256]; /* as Debian ships it, for iPXE */
	char initrd[256];
	char kernel_version[64];
	char host_data[256];  /* directory of make-host-image and host-machine */
	char host_image[256]; /* what machines boot */
	char host_qemu[256];  /* what emulates them */
	char host_vf[20];     /* their first VF's PCI address, if it is bound by hand */
	int64_t host_ahead_usec[US_LAB_HOSTS]; /* the machines' CLOCK_REALTIME, of ours */
	char qemu[256];			       /* the program that runs the guests */
	char qemu_choice[400];		       /* a line that says which that is, and why */
	char qemu_why_unsound[200];	       /* of migrations with it, or empty */
	bool transient;			       /* children are to die with this process */
	bool interrupted;		       /* by the operator */
	bool is_over;			       /* the run is invalid: nothing waits any more */
	bool quiet; /* runs say nothing but their failures */
	FILE *log;  /* where runs say it instead, and what us_lab_out() gets; borrowed, or NULL */
	void (*on_phase)(void *userdata, const char *phase); /* of a run, begins; or NULL */
	void *on_phase_userdata;
	sd_event *loop;
};

/* options.c: reads the command line; what is left of it begins at *ret_rest. False: usage. */
bool us_lab_options_parse(int argc, char **argv, struct us_lab_options *ret_options, int *ret_rest);
void us_lab_options_usage(void);

/* Finds the programs and the data: beside our own binary, else where they are installed. */
int us_lab_init(struct us_lab *lab, const struct us_lab_options *options);
void us_lab_deinit(struct us_lab *lab);
/* Makes the lab's directories where they are missing. */
int us_lab_directories(const struct us_lab *lab);

/*
 * Runs the loop until done(userdata) or until @timeout_usec have passed; done() is asked after
 * every event. Returns 0, -ETIMEDOUT, -EINTR when the operator wants us to stop, or
 * -ECANCELED when the run is over.
 */
int us_lab_wait(struct us_lab *lab, bool (*done)(void *userdata), void *userdata,
		uint64_t timeout_usec);

/* Runs the loop until @usec have passed, or as us_lab_wait() until it is to stop. */
void us_lab_sleep(struct us_lab *lab, uint64_t usec);

/* The same as us_lab_wait(), and asks every 50 ms, for what nobody announces. */
int us_lab_poll(struct us_lab *lab, bool (*done)(void *userdata), void *userdata,
		uint64_t timeout_usec);

/* up.c: raises the network and the daemons; clears whatever is left of the lab. */
int us_lab_up(struct us_lab *lab, struct us_reason *reason);
void us_lab_down(struct us_lab *lab);
/* The same, and the lock that we hold on it. */
void us_lab_remove(struct us_lab *lab);
/* The file that is locked while the lab is changed or used. */
void us_lab_lock_path(const struct us_lab *lab, char path[160]);
/* The same, but the logs stay. */
void us_lab_end(struct us_lab *lab);
/* Ends what belongs to one run: all of it, but for machines, which take a minute to boot. */
void us_lab_end_run(struct us_lab *lab);
/* Network and both daemons are there. */
bool us_lab_is_up(const struct us_lab *lab);
/* The guest that an operator finds in a lab that is up; ended before a scenario brings its own. */
int us_lab_guest_up(struct us_lab *lab, struct us_reason *reason);
void us_lab_guest_down(struct us_lab *lab);
void us_lab_status(const struct us_lab *lab);
/* Replaces this process by a shell in @place: "host-a", "host-b", "client", or "guest". */
int us_lab_shell(const struct us_lab *lab, const char *place, struct us_reason *reason);

/* net.c: the namespaces. Making what exists, or deleting what does not, is no error. */
int us_lab_net_up(struct us_lab *lab, struct us_reason *reason);
void us_lab_net_down(struct us_lab *lab);
bool us_lab_net_is_up(const struct us_lab *lab);
/* "NAME-host-a" and so on for @place "host-a", "host-b", "switch", "client". */
const char *us_lab_net_namespace(const struct us_lab *lab, const char *place, char buffer[64]);
/* The switch keeps sending what is for the first NIC to host-a, whoever is heard; or learns. */
int us_lab_net_switch_keep(struct us_lab *lab);
int us_lab_net_switch_learn(struct us_lab *lab);
/* Frames that the host sent out of @port (a tap: frames to the guest), or a negative errno. */
int64_t us_lab_net_frames_out(const struct us_lab *lab, enum us_lab_host host, const char *port);

#define US_LAB_NET_CLIENT "10.83.0.9"
#define US_LAB_NET_CLIENT_MAC "52:54:00:83:ff:09"
#define US_LAB_NET_NICS 2

/* What the guest's NIC number @nic (from 0) is called and has. */
struct us_lab_net_nic {
	const char *pair, *standby, *standby_port, *primary_port, *mac, *address, *client;
	uint16_t port; /* of its beacon */
};
extern const struct us_lab_net_nic us_lab_net_nics[US_LAB_NET_NICS];

/* Where a person reads: the log, or the standard output, unless the report goes there. */
FILE *us_lab_out(const struct us_lab *lab);

/*
 * emulator.c: chooses the QEMU that runs the guests, fills lab->qemu and prints the choice with its
 * reason. @migrates: a guest is to migrate, so an emulated one needs a QEMU that migrates emulated
 * guests correctly; one is prepared if the host has none. Refused if --qemu names an unsound one,
 * unless --allow-unsound is given.
 */
int us_lab_emulator_choose(struct us_lab *lab, bool migrates, struct us_reason *reason);
/* Major version in the first line of `QEMU --version`, or a negative errno. */
int us_lab_emulator_parse_version(const char *line, char ret_version[32]);

/* image.c: makes or finds kernel and initramfs; fills lab->kernel and the like. */
int us_lab_image_prepare(struct us_lab *lab, struct us_reason *reason);

#define US_LAB_MODEL_VF "vfio" /* the only primary of machines, and only theirs */

/* models.c: what --primary takes. Writes the space-separated list when @model is none of them. */
int us_lab_model_check(const struct us_lab *lab, const char *model, struct us_reason *reason);
/* SPEC of --primary of understudy(1) for NIC @nic. */
const char *us_lab_model_spec(const struct us_lab_options *options, unsigned nic, char buffer[100]);
