/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake-vmm.h"

enum {
	PENDING_MAX = 32,
	TRACE_BYTES = 4096,
};

struct us_vmm {
	us_vmm_event_fn report;
	void *userdata;
	bool is_adopted;
};

/* A request that is not answered yet. */
struct pending {
	enum fake_request request;
	us_vmm_done_fn done;
	us_vmm_progress_fn progress;
	us_vmm_queue_fn queue;
	us_vmm_listen_fn listen;
	us_vmm_standby_fn standby;
	void *userdata;
};

struct fake_script fake_script;

static struct us_vmm *the_vmm;
static sd_event_source *answering;
static struct pending pending[PENDING_MAX];
static size_t pending_count;
static char trace[TRACE_BYTES];

void fake_trace(const char *word)
{
	size_t length = strlen(trace);

	snprintf(trace + length, sizeof(trace) - length, "%s%s", length ? " " : "", word);
}

const char *fake_take_trace(void)
{
	static char taken[TRACE_BYTES];

	strcpy(taken, trace);
	trace[0] = '\0';
	return taken;
}

void fake_emit(struct us_vmm_event event)
{
	if (event.type == US_VMM_ADOPTED || event.type == US_VMM_LOST)
		the_vmm->is_adopted = event.type == US_VMM_ADOPTED;
	the_vmm->report(the_vmm->userdata, &event);
}

/* ---- Answers ---- */

static void complete(void)
{
	fake_emit((struct us_vmm_event){ .type = US_VMM_STATE, .state = US_VM_MOVED });
	fake_emit((struct us_vmm_event){ .type = US_VMM_TRANSFER,
					 .transfer = US_TRANSFER_COMPLETED });
}

static void answer(const struct pending *asked)
{
	struct us_vmm_standby standby = { .queue_pairs = 1 };
	const char *refusal = fake_script.refusal[asked->request];
	struct us_reason reason, *why = refusal ? &reason : NULL;
	int r = refusal ? us_refuse(&reason, "%s", refusal) : 0;

	if (asked->request == FAKE_CANCEL && fake_script.completes_at_cancel)
		complete();
	memcpy(standby.mac, fake_script.mac, sizeof(standby.mac));
	if (asked->progress)
		asked->progress(asked->userdata, r, why, refusal ? NULL : &fake_script.progress);
	else if (asked->queue)
		asked->queue(asked->userdata, refusal ? NULL : &fake_script.queue);
	else if (asked->listen)
		asked->listen(asked->userdata, r, why, refusal ? NULL : "tcp:127.0.0.1:1");
	else if (asked->standby)
		asked->standby(asked->userdata, r, why, &standby);
	else
		asked->done(asked->userdata, r, why);
}

static int on_answering(sd_event_source *defer, void *userdata)
{
	struct pending asked[PENDING_MAX];
	size_t count = pending_count;

	memcpy(asked, pending, count * sizeof(*asked));
	pending_count = 0;
	for (size_t i = 0; i < count; i++)
		answer(&asked[i]);
	return 0;
}

static int ask(const char *word, struct pending asked)
{
	if (!the_vmm->is_adopted)
		return -ENOTCONN;
	if (word)
		fake_trace(word);
	if (fake_script.is_silent[asked.request])
		return 0;
	if (pending_count == PENDING_MAX)
		abort();
	pending[pending_count++] = asked;
	sd_event_source_set_enabled(answering, SD_EVENT_ONESHOT);
	return 0;
}

static int ask_done(const char *word, enum fake_request request, us_vmm_done_fn done,
		    void *userdata)
{
	return ask(word,
		   (struct pending){ .request = request, .done = done, .userdata = userdata });
}

/* ---- vmm/vmm.h ---- */

int us_vmm_new(struct us_vmm **ret_vmm, sd_event *loop, struct us_libvirt *libvirt,
	       const char *monitor_path, us_vmm_event_fn report, void *userdata)
{
	the_vmm = calloc(1, sizeof(*the_vmm));
	if (!the_vmm)
		return -ENOMEM;
	the_vmm->report = report;
	the_vmm->userdata = userdata;
	pending_count = 0;
	*ret_vmm = the_vmm;
	return sd_event_add_defer(loop, &answering, on_answering, NULL);
}

void us_vmm_free(struct us_vmm *vmm)
{
	if (!vmm)
		return;
	answering = sd_event_source_disable_unref(answering);
	free(vmm);
	the_vmm = NULL;
}

void us_vmm_connect(struct us_vmm *vmm)
{
}

bool us_vmm_is_adopted(const struct us_vmm *vmm)
{
	return vmm->is_adopted;
}

const char *us_vmm_version(const struct us_vmm *vmm)
{
	return "0.0.0";
}

int us_vmm_pid(const struct us_vmm *vmm)
{
	return fake_script.pid;
}

bool us_vmm_is_domain(const struct us_vmm *vmm)
{
	return false;
}

int us_vmm_pidfd(const struct us_vmm *vmm)
{
	return fake_script.pid ? fake_script.pidfd : -1;
}

int us_vmm_inspect(struct us_vmm *vmm, const char *device, us_vmm_standby_fn done, void *userdata)
{
	return ask(NULL, (struct pending){
				 .request = FAKE_OTHER, .standby = done, .userdata = userdata });
}

int us_vmm_track_guest(struct us_vmm *vmm, const char *device)
{
	return 0;
}

void us_vmm_untrack_guest(struct us_vmm *vmm, const char *device)
{
}

int us_vmm_plug(struct us_vmm *vmm, const struct us_plug *plug, us_vmm_done_fn done, void *userdata)
{
	return ask_done("plug", FAKE_OTHER, done, userdata);
}

int us_vmm_unplug(struct us_vmm *vmm, const char *id, us_vmm_done_fn done, void *userdata)
{
	return ask_done("unplug", FAKE_UNPLUG, done, userdata);
}

int us_vmm_has_device(struct us_vmm *vmm, const char *id, us_vmm_done_fn done, void *userdata)
{
	return ask_done(NULL, FAKE_HAS_DEVICE, done, userdata);
}

int us_vmm_query_unplug_delay(struct us_vmm *vmm, const char *id, us_vmm_unplug_delay_fn done,
			      void *userdata)
{
	return -ENOTCONN;
}

int us_vmm_query_memory(struct us_vmm *vmm, us_vmm_memory_fn done, void *userdata)
{
	return -ENOTCONN;
}

int us_vmm_reset(struct us_vmm *vmm, us_vmm_done_fn done, void *userdata)
{
	return ask_done("reset", FAKE_OTHER, done, userdata);
}

int us_vmm_find_slot(struct us_vmm *vmm, us_vmm_slot_fn done, void *userdata)
{
	return -ENOTCONN;
}

void us_vmm_return_slot(struct us_vmm *vmm, const char *bus)
{
}

/* There is one setting to be restored. */
int us_vmm_configure_transfer(struct us_vmm *vmm, const json_t *settings, us_vmm_settings_fn before,
			      us_vmm_done_fn done, void *userdata)
{
	json_t *values =
		json_pack("{s:{s:b}, s:{}}", "capabilities", "events", false, "parameters");
	int r = ask_done("configure", FAKE_CONFIGURE, done, userdata);

	if (r == 0)
		before(userdata, values, false);
	json_decref(values);
	return r;
}

int us_vmm_restore_transfer(struct us_vmm *vmm, const json_t *before, us_vmm_done_fn done,
			    void *userdata)
{
	return ask_done("restore", FAKE_RESTORE, done, userdata);
}

int us_vmm_start_transfer(struct us_vmm *vmm, const struct us_transfer_target *target,
			  us_vmm_done_fn done, void *userdata)
{
	return ask_done("start", FAKE_START, done, userdata);
}

void us_vmm_finish_transfer(struct us_vmm *vmm)
{
}

int us_vmm_cancel_transfer(struct us_vmm *vmm, us_vmm_done_fn done, void *userdata)
{
	return ask_done("cancel", FAKE_CANCEL, done, userdata);
}

int us_vmm_listen_transfer(struct us_vmm *vmm, const char *address, us_vmm_listen_fn done,
			   void *userdata)
{
	return ask(
		"listen",
		(struct pending){ .request = FAKE_LISTEN, .listen = done, .userdata = userdata });
}

void us_vmm_stop_listening(struct us_vmm *vmm)
{
}

int us_vmm_query_transfer(struct us_vmm *vmm, us_vmm_progress_fn done, void *userdata)
{
	return ask(NULL, (struct pending){ .request = FAKE_PROGRESS,
					   .progress = done,
					   .userdata = userdata });
}

int us_vmm_locate_queue(struct us_vmm *vmm, const char *device, unsigned queue_pair,
			us_vmm_queue_fn done, void *userdata)
{
	return ask(NULL, (struct pending){ .request = FAKE_LOCATE_QUEUE,
					   .queue = done,
					   .userdata = userdata });
}
