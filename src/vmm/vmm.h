/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtual machine monitor (VMM): observes one running VM and makes requests to it.
 *
 * vmm/qemu/ implements this header over QMP, on a monitor socket of its own. A second
 * implementation will reach the same QEMU through libvirt, and a libvirt back end must be able to
 * serve everything that is declared here. Therefore this header speaks of devices by their ids,
 * slots by their bus names, and migrations by their URIs, and of nothing below: QMP commands,
 * QEMU's object paths, and differences between its versions stay in vmm/qemu/. Only the
 * constructor names a transport.
 *
 * No function blocks. A request calls its callback exactly once, from the loop, with @r:
 *
 *   0            done; the value that was asked for is valid
 *   US_REFUSED   the VMM refused; @reason has its words
 *   -ETIMEDOUT   the VMM did not answer in time
 *   -ECONNRESET  the monitor went away first
 *   -errno       another failure, on this side
 *
 * @reason is NULL if @r is 0, and never otherwise. The value is 0 or NULL if @r is not 0. What a
 * callback is given is valid during the call.
 *
 * A request that returns an error was not made, and its callback is not called: -ENOTCONN while the
 * VM is not adopted, -EINVAL for a name that no device can have, -ENOMEM. Requests leave in the
 * order in which they were made and do not wait for each other's answers. Events and answers arrive
 * in the order in which the monitor sent them. No callback is called after us_vmm_free().
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

struct us_libvirt;
struct us_vmm;

enum {
	US_DEVICE_NAME_MAX = 64, /* a device id, bus name or similar, with its NUL */
};

/* The state of a migration (QMP MigrationStatus, reduced). */
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
	uint64_t bytes_per_sec, dirty_bytes_per_sec; /* 0 while the monitor does not know */
	uint64_t downtime_msec; /* once completed: as measured; before: as expected */
	char error[200];	/* the monitor's words if the migration failed */
};

enum us_vmm_event_type {
	US_VMM_ADOPTED, /* the monitor answered; `state` and `transfer` are known. Repeated after
			 * every reconnect: everything known before must be observed anew */
	US_VMM_REFUSED, /* the VM cannot be adopted (`reason`): the monitor has another client, is
			 * too old, does not exist … No event follows until us_vmm_connect() */
	US_VMM_LOST,	/* the monitor went away (`reason`); reconnects by itself with back-off.
			 * In both: `exited` is true if no process listens on the socket */
	US_VMM_STATE,	/* `state` changed */
	US_VMM_RESET,	/* the machine was reset: `by_guest`, `age_usec` */
	US_VMM_GUEST,	/* the driver of a tracked standby: `device`, `guest`, `driver_ok` */
	US_VMM_DELETED, /* `device` was removed from the VM */
	US_VMM_INCOMING_FAILED, /* the connection that came after us_vmm_listen_transfer() could
				 * not be given to the VMM (`reason`) */
	US_VMM_TRANSFER, /* `transfer` changed. After a migration ended, `state` is up to date */
	US_VMM_TRACE,	 /* any event of the monitor: `name` (RESET, STOP …), `age_usec`. Precedes
			  * the event above that it causes */
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
	/* Valid during the call */
	const char *device, *name;
	const struct us_reason *reason;
};

typedef void (*us_vmm_event_fn)(void *userdata, const struct us_vmm_event *event);

/*
 * Makes the connection to a VM by the path of its monitor's Unix socket, or by the address of its
 * domain, "libvirt:URI#DOMAIN". Connecting starts at once; US_VMM_ADOPTED, US_VMM_REFUSED or
 * US_VMM_LOST tells the result (the monitor must greet within 5 s). Calls @report with @userdata
 * for each event; borrows @loop and @libvirt (NULL: domains are refused). Returns 0 or -errno.
 */
int us_vmm_new(struct us_vmm **ret_vmm, sd_event *loop, struct us_libvirt *libvirt,
	       const char *address, us_vmm_event_fn report, void *userdata);
void us_vmm_free(struct us_vmm *vmm); /* may be called from inside a callback */

/* Tries again after US_VMM_REFUSED. */
void us_vmm_connect(struct us_vmm *vmm);

bool us_vmm_is_adopted(const struct us_vmm *vmm);
enum us_vm_state us_vmm_state(const struct us_vmm *vmm);
const char *us_vmm_version(const struct us_vmm *vmm); /* "7.2.22", "" while unknown */
int us_vmm_pid(const struct us_vmm *vmm);	      /* of the VMM's process, 0 while unknown */
/* Whether the VM is a domain of libvirt. Its device ids begin with "ua-" then. */
bool us_vmm_is_domain(const struct us_vmm *vmm);
/*
 * A pidfd (pidfd_open(2)) of the same process: unlike the number it never refers to a later
 * process. Borrowed, valid until the next connection; -1 while unknown or after the process ended.
 */
int us_vmm_pidfd(const struct us_vmm *vmm);

/* A request that answers with success or failure only. */
typedef void (*us_vmm_done_fn)(void *userdata, int r, const struct us_reason *reason);

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

typedef void (*us_vmm_standby_fn)(void *userdata, int r, const struct us_reason *reason,
				  const struct us_vmm_standby *standby);

/*
 * Reads the properties of a virtio-net device, by its id. Refused if there is no such device or it
 * is no virtio-net device.
 */
int us_vmm_inspect(struct us_vmm *vmm, const char *device, us_vmm_standby_fn done, void *userdata);

/*
 * Reports a standby's driver with US_VMM_GUEST: at the start, after each adoption, and whenever it
 * changes. A driver whose negotiated features nobody can know is not reported. If the monitor
 * announces a change, the VMM is asked at once. Other changes (unbind, kexec) are found by asking
 * every 1.85 s while the guest runs; an unchanged answer is not parsed.
 */
int us_vmm_track_guest(struct us_vmm *vmm, const char *device);
void us_vmm_untrack_guest(struct us_vmm *vmm, const char *device);

/* ---- The primary ---- */

struct us_plug {
	const char *id;	       /* of the new device; not "" */
	const char *model;     /* "vfio-pci", "vmxnet3", … */
	const char *host;      /* vfio: "0000:5e:00.2"; else NULL */
	const char *interface; /* emulated: the tap to use; else NULL */
	const uint8_t *mac;    /* emulated: its address; else NULL */
	const char *bus;       /* to plug into; NULL: any free slot that supports hot-plug */
};

/*
 * Plugs a primary. For an emulated one the back end (a tap) is made first, and removed if the
 * device is refused. Never sets failover_pair_id. @done is called when the VMM has the device,
 * which is before the guest uses it.
 */
int us_vmm_plug(struct us_vmm *vmm, const struct us_plug *plug, us_vmm_done_fn done,
		void *userdata);

/*
 * Asks the guest to release a device. @done tells whether the VMM took the request; US_VMM_DELETED
 * is the guest's acknowledgement, and then the back end is removed too. If there is no such device,
 * @done gets 0 and US_VMM_DELETED follows. A request that is pending already is no error. If the
 * device is still being plugged, the plug is cancelled and refused if there is time, and no
 * US_VMM_DELETED follows.
 */
int us_vmm_unplug(struct us_vmm *vmm, const char *id, us_vmm_done_fn done, void *userdata);

/*
 * Whether the VM has a device with this id: @r is 0 if it has, US_REFUSED if not, -EAGAIN if
 * libvirt cannot ask QEMU now, or -errno.
 */
int us_vmm_has_device(struct us_vmm *vmm, const char *id, us_vmm_done_fn done, void *userdata);

typedef void (*us_vmm_unplug_delay_fn)(void *userdata, int r, const struct us_reason *reason,
				       uint64_t delay_usec);

/*
 * The unplug delay of a device: for how long the guest certainly goes on using it after it was
 * asked to release it. 0 with ACPI hot-plug. With native PCIe hot-plug (PCI Express Base
 * Specification, "Attention Button") the guest waits 5 s for a second press that would cancel the
 * request; the delay is a little less, so that it can be relied on.
 */
int us_vmm_query_unplug_delay(struct us_vmm *vmm, const char *id, us_vmm_unplug_delay_fn done,
			      void *userdata);

typedef void (*us_vmm_memory_fn)(void *userdata, int r, const struct us_reason *reason,
				 uint64_t bytes);

/* The size of the guest's memory, hot-plugged memory included. */
int us_vmm_query_memory(struct us_vmm *vmm, us_vmm_memory_fn done, void *userdata);

/* Resets the machine, which completes pending unplugs. */
int us_vmm_reset(struct us_vmm *vmm, us_vmm_done_fn done, void *userdata);

typedef void (*us_vmm_slot_fn)(void *userdata, int r, const struct us_reason *reason,
			       const char *bus);

/*
 * Finds a slot for a hot-plugged PCI NIC: an empty PCIe root or downstream port that supports
 * hot-plug, else a free slot on the `pc` machine's bus. The slot is reserved for 30 s, unless
 * us_vmm_return_slot() gives it back. Refused if there is none.
 */
int us_vmm_find_slot(struct us_vmm *vmm, us_vmm_slot_fn done, void *userdata);
void us_vmm_return_slot(struct us_vmm *vmm, const char *bus);

/* ---- Migration ---- */

/*
 * The present values of the settings that are about to be changed, as us_vmm_restore_transfer()
 * takes them: {"capabilities": {NAME: BOOL…}, "parameters": {NAME: VALUE…}}. @is_encrypted tells
 * whether a migration with the new settings is encrypted.
 */
typedef void (*us_vmm_settings_fn)(void *userdata, const json_t *before, bool is_encrypted);

/*
 * Sets migration capabilities and parameters from `--set` pairs: a JSON object of strings,
 * {"max-bandwidth": "64M", "multifd": "on"}. A name is looked up among the capabilities, then
 * among the parameters; its value is converted to the parameter's type (sizes with K, M, G, T). An
 * unknown name is refused. `events` is always set. @before (or NULL) is called once, before the
 * first setting changes; it is not called if none does. For a domain, the names are libvirt's
 * (libvirt/migrate.h), nothing changes, and @before gets NULL.
 */
int us_vmm_configure_transfer(struct us_vmm *vmm, const json_t *settings, us_vmm_settings_fn before,
			      us_vmm_done_fn done, void *userdata);

/* Sets the values that a us_vmm_settings_fn was given; @before has at least one. */
int us_vmm_restore_transfer(struct us_vmm *vmm, const json_t *before, us_vmm_done_fn done,
			    void *userdata);

/* Where a migration goes. */
struct us_transfer_target {
	const char *uri;     /* where the destination's VMM listens: "tcp:ADDRESS:PORT" */
	const char *libvirt; /* a domain: the URI of the destination's libvirtd; @uri has no port */
};

/*
 * Source: starts a migration. US_VMM_TRANSFER events tell its progress and end. A domain takes the
 * settings of us_vmm_configure_transfer() with it.
 */
int us_vmm_start_transfer(struct us_vmm *vmm, const struct us_transfer_target *target,
			  us_vmm_done_fn done, void *userdata);

/* Source: asks for the end. US_VMM_TRANSFER tells the result; the migration may still complete. */
int us_vmm_cancel_transfer(struct us_vmm *vmm, us_vmm_done_fn done, void *userdata);

/*
 * Source: the caller has finished with a migration. If the guest has left, the VM ends as seen from
 * here: libvirt has ended a domain's QEMU already.
 */
void us_vmm_finish_transfer(struct us_vmm *vmm);

typedef void (*us_vmm_listen_fn)(void *userdata, int r, const struct us_reason *reason,
				 const char *uri);

/*
 * Destination, started to wait for a migration (QEMU: `-incoming defer`): listens on @address, an
 * IP address of this host, at a port that the kernel chooses. @uri is where to migrate to. The
 * listener closes when it has one connection, which is given to the VMM. If a capability needs
 * several connections (multifd, postcopy-preempt), the VMM itself listens, and cannot stop before
 * one has come. Refused if the VMM listens already or @address is not of this host.
 */
int us_vmm_listen_transfer(struct us_vmm *vmm, const char *address, us_vmm_listen_fn done,
			   void *userdata);
/* The source gave up: closes the listener, unless the VMM itself listens. */
void us_vmm_stop_listening(struct us_vmm *vmm);

typedef void (*us_vmm_progress_fn)(void *userdata, int r, const struct us_reason *reason,
				   const struct us_transfer_progress *progress);
int us_vmm_query_transfer(struct us_vmm *vmm, us_vmm_progress_fn done, void *userdata);

/* Where a receive queue is in the memory of the VMM's process; net/undelivered/receive-queue.h. */
struct us_vmm_queue {
	uint64_t used, descriptors; /* addresses of the used ring and the descriptors */
	uint64_t displacement;	    /* to them from guest-physical addresses */
	uint16_t size;		    /* descriptors */
};

/* @queue is NULL if it cannot be known (an older VMM, no split virtqueue, no driver). */
typedef void (*us_vmm_queue_fn)(void *userdata, const struct us_vmm_queue *queue);

/* The receive queue of queue pair @queue_pair (from 0) of the standby @device. */
int us_vmm_locate_queue(struct us_vmm *vmm, const char *device, unsigned queue_pair,
			us_vmm_queue_fn done, void *userdata);
