/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests: how each question of vmm/vmm.h begins and ends, and how the files of vmm/qemu/ tell
 * the handler of an event.
 *
 * This is the lowest file above QMP. It knows no part of the VM and calls none.
 */
#pragma once

#include "vmm/qmp/qmp.h"
#include "vmm/vmm.h"

/*
 * Keeps the VM's memory while a callback runs, because the callback may free the VM. Every function
 * that touches the VM after it called back holds a reference.
 */
void us_qemu_ref(struct us_vmm *vmm);
void us_qemu_unref(struct us_vmm *vmm);

/* Calls the handler, unless the VM was freed. Fills in `state` and `transfer`. */
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
	us_vmm_last_frame_fn last_frame;
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
