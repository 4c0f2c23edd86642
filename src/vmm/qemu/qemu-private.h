/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of a VM and its requests, shared by the files of vmm/qemu/. Each group of the state
 * belongs to one file; others read it and change it through that file's header.
 */
#pragma once

#include "util/list.h"
#include "util/timer.h"
#include "vmm/qmp/qmp.h"
#include "vmm/vmm.h"

struct us_vmm {
	/* Set once, by vmm.c */
	sd_event *loop;
	char *path;		    /* of the monitor's socket, or a domain's address */
	struct us_libvirt *libvirt; /* opens that domain's channel */
	const char *domain;	    /* NULL: the VM is not libvirt's */
	bool uses_helper;	    /* us_libvirt_unuse() must follow */
	us_vmm_event_fn report;
	void *userdata;
	void (*destroy)(struct us_vmm *vmm); /* called with the last reference */

	/* request.c */
	unsigned references; /* the owner's is one */
	bool freed;	     /* by the owner: no callback is called any more */

	/* connection.c */
	struct us_qmp *qmp; /* NULL between connections */
	const struct us_qmp_handler *qmp_handler;
	struct us_timer reconnect;
	bool adopted;
	bool was_adopted; /* since us_vmm_connect(): from then on a failure is LOST, not REFUSED */
	int lost_error;	  /* of the last US_VMM_LOST, so that each failure is reported once */
	uint64_t backoff_usec, adopted_usec;
	int pid, pidfd; /* of QEMU's process; 0 and -1: unknown */
	char version[16];
	bool is_version_known; /* of a domain; else it is that of the host's QEMU */
	bool may_ask_status;   /* x-query-virtio-status; else registers/ reads the driver */
	bool may_ask_queues;   /* x-query-virtio-queue-status */

	/* state.c */
	struct us_timer recheck;
	enum us_vm_state state;
	enum us_transfer transfer;
	bool running;	      /* the guest's CPUs run */
	bool transfer_events; /* QEMU sends MIGRATION events; otherwise it is asked */
	bool transfer_ended;  /* and is reported once the run state after it is known */

	/* settings.c */
	json_t *transfer_settings; /* of a domain, for its next migration */

	/* listen.c */
	int listen_fd; /* -1: no migration is awaited */
	sd_event_source *connecting;
	unsigned closings; /* of the listener; a connection of an earlier listener is ignored */

	struct us_list standbys;  /* standby.c: tracked */
	int64_t last_poll_id;	  /* counted down by all polls */
	struct us_list primaries; /* primary.c: plugged or unplugged */
	struct us_list plugs;	  /* plug.c: under way */
	struct us_list claims;	  /* slot.c: slots handed out */
};

/*
 * ---- request.c: how each question of vmm/vmm.h begins and ends, and how the files of vmm/qemu/
 * report an event. It knows no part of the VM and calls none. ----
 */

/*
 * Keeps the VM's memory while a callback runs, because the callback may free the VM. Every function
 * that touches the VM after it called back holds a reference.
 */
void us_qemu_ref(struct us_vmm *vmm);
void us_qemu_unref(struct us_vmm *vmm);

/* Calls report(), unless the VM was freed. Fills in `state` and `transfer`. */
void us_qemu_emit(struct us_vmm *vmm, struct us_vmm_event event);

/* The callback of a request. Which member it is depends on the question. */
union us_qemu_done {
	us_vmm_done_fn plain;
	us_vmm_standby_fn standby;
	us_vmm_unplug_delay_fn unplug_delay;
	us_vmm_memory_fn memory;
	us_vmm_slot_fn slot;
	us_vmm_listen_fn listening;
	us_vmm_progress_fn progress;
	us_vmm_queue_fn queue;
} __attribute__((transparent_union));

/* Asks for a property of a device, by the device's id. Returns as us_qmp_call(). */
int us_qemu_get_property(struct us_vmm *vmm, const char *device, const char *property,
			 us_qmp_answer_fn answer, void *userdata);

/*
 * A request under way. It holds a reference to its VM. A file that keeps more about its requests
 * makes this the first member of a struct of its own.
 */
struct us_qemu_request {
	struct us_vmm *vmm;
	union us_qemu_done done;
	void *userdata;
	void (*release)(struct us_qemu_request *request); /* of the other members; or NULL */
	unsigned unanswered; /* if it has several questions: those that were sent */
	int r;		     /* of the first failure, which causes the later ones */
	struct us_reason reason;
	char device[US_DEVICE_NAME_MAX]; /* "": none */
};

/*
 * Begins a request about device @id, or about no device if @id is NULL. Returns @size bytes that
 * begin with the request, the other members zero. Returns NULL on failure; *@ret_r is -ENOTCONN
 * while the VM is not adopted, -EINVAL for an @id that no device can have, or -ENOMEM.
 */
void *us_qemu_request_new(struct us_vmm *vmm, const char *id, size_t size, union us_qemu_done done,
			  void *userdata, int *ret_r);

/* Whether a device can have this id. */
bool us_qemu_is_device_id(const char *id);

/* Whether the callback is still to be called: it is not once the VM was freed. */
bool us_qemu_request_is_wanted(const struct us_qemu_request *request);

/* Frees a request whose callback was called, or must not be. */
void us_qemu_request_free(struct us_qemu_request *request);

/* Returns @r from a function that makes a request, and frees the request if @r is an error. */
int us_qemu_request_made(struct us_qemu_request *request, int r);

/* Keeps a failure, unless it is a later one. If @reason is NULL, the words for @r are the reason.
 */
void us_qemu_request_note(struct us_qemu_request *request, int r, const struct us_reason *reason);
/* Counts a question that was sent; notes @r, which us_qmp_call() returned, if it was not. */
void us_qemu_request_sent(struct us_qemu_request *request, int r);
/* Returns 0 from a function that sent questions. Frees the request if none was sent. */
int us_qemu_request_asked(struct us_qemu_request *request);

/*
 * A whole request of one command: begins it and sends @command, with one text as its argument if
 * @name is not NULL. @answer ends the request, which is its userdata. Returns as
 * us_qmp_call(), or as us_qemu_request_new() fails.
 */
int us_qemu_request_send(struct us_vmm *vmm, union us_qemu_done done, void *userdata,
			 us_qmp_answer_fn answer, const char *command, const char *name,
			 const char *text);
/* The same that asks for a property of device @id. */
int us_qemu_request_property(struct us_vmm *vmm, const char *id, const char *property,
			     union us_qemu_done done, void *userdata, us_qmp_answer_fn answer);

/* Notes the failure, and calls the plain callback of a request with the first one. */
void us_qemu_request_report(struct us_qemu_request *request, int r, const struct us_reason *reason);
/* The same, and frees the request. */
void us_qemu_request_finish(struct us_qemu_request *request, int r, const struct us_reason *reason);

/* The same as a us_qmp_answer_fn; its userdata is the request. */
void us_qemu_request_answer(void *userdata, const struct us_qmp_answer *answer);
