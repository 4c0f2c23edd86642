/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The seam to the virtual machine monitor: one running VM, as Understudy needs to see it and
 * what it may ask of it. vmm/qemu/ implements this header over QMP.
 *
 * Nothing here blocks. A request is answered exactly once through its callback, from the loop:
 * with 0, with US_REFUSED and the peer's words, with -ETIMEDOUT, or with -ECONNRESET when the
 * monitor went away first. A request that returns an error was not made, and is not answered:
 * -ENOTCONN while the VM is not adopted, -EINVAL for a name that no device can have, -ENOMEM.
 * Requests leave in the order in which they were made, without waiting
 * for each other's answers. Events and answers arrive in the order in which the monitor sent
 * them. A freed VM calls nobody back.
 */
#pragma once

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "understudy/pair.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/mac.h"

struct us_vmm;

enum {
	US_DEVICE_NAME_MAX = 64, /* a device id, bus name or similar, with its NUL */
};

/* Where a migration stands, as the monitor tells it (QMP MigrationStatus, folded). */
enum us_transfer {
	US_TRANSFER_NONE,
	US_TRANSFER_ACTIVE,    /* anything between the request and the end */
	US_TRANSFER_COMPLETED, /* the guest runs (or may run) at the destination */
	US_TRANSFER_FAILED,
	US_TRANSFER_CANCELLED,
	US_TRANSFER_N
};
const char *us_transfer_name(enum us_transfer transfer);

struct us_transfer_progress {
	enum us_transfer transfer;
	uint64_t transferred_bytes, remaining_bytes, total_bytes;
	uint64_t bytes_per_sec, dirty_bytes_per_sec; /* 0 when the monitor does not know yet */
	uint64_t downtime_msec;			     /* measured when completed, else expected */
	char error[200];			     /* the monitor's words when it failed */
};

enum us_vmm_event_type {
	US_VMM_ADOPTED, /* the monitor answered; `state` and `transfer` are known. Again after
			 * every reconnect: whatever was known before must be observed anew */
	US_VMM_REFUSED, /* cannot be adopted (`reason`): held by someone else, too old, no such
			 * path … Nothing more will come until us_vmm_connect() */
	US_VMM_LOST,	/* the monitor went away (`reason`); reconnecting by itself with back-off.
			 * Of both: `exited` is true when no process listens on the socket */
	US_VMM_STATE,	/* `state` changed */
	US_VMM_RESET,	/* the machine was reset: `by_guest`, `age_usec` */
	US_VMM_GUEST,	/* a watched standby's driver: `device`, `guest`, `driver_ok` */
	US_VMM_DELETED, /* a device is gone from the VM: `device` */
	US_VMM_INCOMING_FAILED, /* what connected after us_vmm_listen_transfer() could not be given
				 * to the VMM (`reason`) */
	US_VMM_TRANSFER, /* `transfer` changed; to its end, once `state` tells who has the guest */
	US_VMM_TRACE,	 /* any event of the monitor, for those who watch: `name` (RESET, STOP …),
			  * told before the meaning above is */
};

struct us_vmm_event {
	enum us_vmm_event_type type;
	enum us_vm_state state;
	enum us_transfer transfer;
	enum us_guest guest;
	bool driver_ok;
	bool by_guest;
	bool exited;
	uint64_t age_usec; /* since the monitor sent it, by its own time stamp; 0 if unknown */
	const char *device, *name, *reason; /* valid during the call */
};

struct us_vmm_handler {
	void (*event)(void *userdata, const struct us_vmm_event *event);
};

/*
 * A VM by the path of its monitor's Unix socket. Connecting starts at once; US_VMM_ADOPTED,
 * US_VMM_REFUSED or US_VMM_LOST tells how it went (the monitor has 5 s to greet).
 * @loop, @handler and @userdata are borrowed. Returns 0 or -errno.
 */
int us_vmm_new(struct us_vmm **ret_vmm, sd_event *loop, const char *name, const char *monitor_path,
	       const struct us_vmm_handler *handler, void *userdata);
void us_vmm_free(struct us_vmm *vmm); /* may be called from inside a callback */
US_DEFINE_CLEANUP(struct us_vmm *, us_vmm_free)

/* Tries again after US_VMM_REFUSED. */
void us_vmm_connect(struct us_vmm *vmm);

bool us_vmm_is_adopted(const struct us_vmm *vmm);
enum us_vm_state us_vmm_state(const struct us_vmm *vmm);
const char *us_vmm_version(const struct us_vmm *vmm); /* "7.2.22", "" while unknown */
int us_vmm_pid(const struct us_vmm *vmm);	      /* of the socket's peer, 0 while unknown */
/* The same process by a descriptor (pidfd_open(2)), which stays its own if another one gets its
 * number. Borrowed, valid until the next connection; -1 while unknown, or it has ended. */
int us_vmm_pidfd(const struct us_vmm *vmm);

/* ---- The standby ---- */

struct us_vmm_standby {
	uint8_t mac[US_MAC_BYTES];
	uint16_t queue_pairs; /* 1 without multiqueue */
	uint16_t mtu;	      /* host_mtu of the device, 0 if it announces none */
	bool offers_standby;  /* failover=on: VIRTIO_NET_F_STANDBY is offered */
	enum us_guest guest;
	bool driver_ok;
	char interface[IF_NAMESIZE]; /* the tap behind it, "" if the monitor does not tell */
	char bus[US_DEVICE_NAME_MAX];
};

/*
 * Looks at a virtio-net device by its id. Refused, in words, when there is no such device or
 * it is no virtio-net device. @standby is valid during the call and NULL unless @r is 0.
 */
typedef void (*us_vmm_standby_fn)(void *userdata, int r, const char *why,
				  const struct us_vmm_standby *standby);
int us_vmm_inspect(struct us_vmm *vmm, const char *device, us_vmm_standby_fn done, void *userdata);

/*
 * Watches a standby's driver: US_VMM_GUEST once at the start, after each adoption, and
 * whenever it changes; not while nobody can know what it negotiated. Changes that the monitor
 * announces are looked up at once; those it does not (unbind, kexec) are found by looking every
 * second or so while the driver is bound or a guest runs, at the cost of one short exchange and no
 * parsing while nothing changes.
 */
int us_vmm_track_guest(struct us_vmm *vmm, const char *device);
void us_vmm_untrack_guest(struct us_vmm *vmm, const char *device);

/* ---- The primary ---- */

typedef void (*us_vmm_done_fn)(void *userdata, int r, const char *why);

struct us_plug {
	const char *id;	       /* of the new device; "" never */
	const char *model;     /* "vfio-pci", "vmxnet3", … */
	const char *host;      /* vfio: "0000:5e:00.2"; else NULL */
	const char *interface; /* emulated: the tap to use; else NULL */
	const uint8_t *mac;    /* emulated: its address; else NULL */
	const char *bus;       /* where; NULL: us_vmm finds a free hot-pluggable slot by itself */
};

/*
 * Plugs a primary. For an emulated one the back end (a tap netdev "ID-net") is made first, and
 * removed again if the device is refused. Never sets failover_pair_id. @done is told when the
 * VMM has the device (not: when the guest uses it).
 */
int us_vmm_plug(struct us_vmm *vmm, const struct us_plug *plug, us_vmm_done_fn done,
		void *userdata);

/*
 * Asks the guest to let a device go. @done tells whether the VMM took the request;
 * US_VMM_DELETED is the guest's acknowledgement (its back end is removed as well then). A device
 * that is not there: @done with 0, and US_VMM_DELETED follows. A request that is already
 * pending is no error. One that is still being plugged: its plug is called off and refused, if
 * there is time; that it never came is all that is told then.
 */
int us_vmm_unplug(struct us_vmm *vmm, const char *id, us_vmm_done_fn done, void *userdata);

/* Whether a device with this id is in the VM: @r is 0 (yes), US_REFUSED (no) or -errno. */
int us_vmm_has_device(struct us_vmm *vmm, const char *id, us_vmm_done_fn done, void *userdata);

/*
 * How long a guest surely goes on using a device after it was asked to let it go: in @why, as a
 * decimal number of microseconds, if @r is 0. Not at all with ACPI's hot-plug; with a port's own
 * (PCI Express Base Specification, "Attention Button") five seconds in which a second press would
 * call it off, less what it takes to be ready in time.
 */
int us_vmm_query_unplug_delay(struct us_vmm *vmm, const char *id, us_vmm_done_fn done,
			      void *userdata);

/*
 * How many bytes of memory the guest has, with what was plugged: in @why, as a decimal number, if
 * @r is 0.
 */
int us_vmm_query_memory(struct us_vmm *vmm, us_vmm_done_fn done, void *userdata);

/* Resets the machine; completes pending unplugs. */
int us_vmm_reset(struct us_vmm *vmm, us_vmm_done_fn done, void *userdata);

/*
 * A free slot that can take a hot-plugged PCI NIC: an empty, hot-pluggable PCIe root or
 * downstream port, else a free slot on the `pc` machine's bus. Answers through @done with the
 * bus name in @why on success (r == 0), or refuses: "no free hot-pluggable PCIe port: start
 * the VM with one more pcie-root-port".
 */
int us_vmm_find_slot(struct us_vmm *vmm, us_vmm_done_fn done, void *userdata);
/* One that was found is kept for half a minute from others who ask, unless it is given back. */
void us_vmm_return_slot(struct us_vmm *vmm, const char *bus);

/* ---- Migration ---- */

/*
 * What the settings were that are about to be changed, as us_vmm_restore_transfer() takes it:
 * {"capabilities": {NAME: BOOL…}, "parameters": {NAME: VALUE…}}; valid during the call. And whether
 * a migration with the new ones is encrypted.
 */
typedef void (*us_vmm_settings_fn)(void *userdata, const json_t *before, bool is_encrypted);

/*
 * Sets migration capabilities and parameters from `--set` pairs: a JSON object of strings,
 * {"max-bandwidth": "64M", "multifd": "on"}; a name is looked up among the capabilities, then
 * among the parameters, and its value converted to the parameter's type (sizes with K, M, G, T).
 * Unknown names are refused by name. `events` is always set. @before (or NULL) is told once, before
 * the first of them is set, unless none is.
 */
int us_vmm_configure_transfer(struct us_vmm *vmm, const json_t *settings, us_vmm_settings_fn before,
			      us_vmm_done_fn done, void *userdata);

/* Sets them to what they were; @before holds at least one. */
int us_vmm_restore_transfer(struct us_vmm *vmm, const json_t *before, us_vmm_done_fn done,
			    void *userdata);

/* Source: starts towards @uri; US_VMM_TRANSFER events tell the rest. */
int us_vmm_start_transfer(struct us_vmm *vmm, const char *uri, us_vmm_done_fn done, void *userdata);

/* Source: asks for the end; US_VMM_TRANSFER tells what became of it (it may complete after all). */
int us_vmm_cancel_transfer(struct us_vmm *vmm, us_vmm_done_fn done, void *userdata);

/*
 * Destination, started with `-incoming defer`: listens on @address (an IP address of this host;
 * port chosen by the kernel) until one has connected, who is given to the VMM. @done with r == 0
 * has the URI to migrate to in @why. With a capability that needs several connections (multifd,
 * postcopy-preempt) the VMM listens itself, and goes on until one has come. Refused, in words:
 * it does so already, it is no address of this host.
 */
int us_vmm_listen_transfer(struct us_vmm *vmm, const char *address, us_vmm_done_fn done,
			   void *userdata);
/* The source gave up: nobody may connect any more, unless the VMM listens itself. */
void us_vmm_stop_listening(struct us_vmm *vmm);

typedef void (*us_vmm_progress_fn)(void *userdata, int r, const char *why,
				   const struct us_transfer_progress *progress);
int us_vmm_query_transfer(struct us_vmm *vmm, us_vmm_progress_fn done, void *userdata);

enum {
	US_LAST_FRAME_BYTES = 84,
};

/*
 * What a guest received last through @queue_pair (from 0) of its standby @device. NULL if that
 * cannot be known (an older VMM, no split virtqueue, no driver).
 */
struct us_last_frame {
	uint16_t index; /* of the used ring: it counts buffers */
	/* How the frame begins, as the guest's memory has it: possibly something else, if the
	 * guest has used that memory since. */
	uint8_t start[US_LAST_FRAME_BYTES];
};

typedef void (*us_vmm_last_frame_fn)(void *userdata, const struct us_last_frame *received);
int us_vmm_query_last_frame(struct us_vmm *vmm, const char *device, unsigned queue_pair,
			    us_vmm_last_frame_fn done, void *userdata);
