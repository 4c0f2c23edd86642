/* SPDX-License-Identifier: BSD-3-Clause */
/* Migration: settings, listening, starting, and how far it is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/decode.h"
#include "vmm/qemu/vm.h"

/* ---- State ---- */

static void on_looked(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vm *vm = userdata;

	if (answer->r || !vm->adopted)
		return;
	us_vm_hold(vm);
	us_vm_observe_transfer(vm, us_decode_transfer(json_object_get(answer->value, "status")));
	us_vm_release(vm);
}

void us_transfer_look(struct us_vm *vm)
{
	if (vm->adopted)
		us_qmp_call(vm->qmp, on_looked, vm, "query-migrate", NULL);
}

struct query {
	struct us_vm *vm;
	us_vm_progress_fn done;
	void *userdata;
};

static void on_progress(void *userdata, const struct us_qmp_answer *answer)
{
	struct query *query = userdata;
	struct us_vm *vm = query->vm;
	struct us_transfer_progress progress;

	us_decode_progress(answer->value, &progress);
	us_vm_hold(vm);
	if (!vm->freed)
		query->done(query->userdata, answer->r, answer->why, answer->r ? NULL : &progress);
	free(query);
	us_vm_release(vm);
}

int us_vm_query_transfer(struct us_vm *vm, us_vm_progress_fn done, void *userdata)
{
	struct query *query;
	int r;

	if (!vm->adopted)
		return -ENOTCONN;
	query = malloc(sizeof(*query));
	if (!query)
		return -ENOMEM;
	*query = (struct query){ vm, done, userdata };
	r = us_qmp_call(vm->qmp, on_progress, query, "query-migrate", NULL);
	if (r < 0)
		free(query);
	return r;
}

/* ---- Settings: learn what this QEMU knows, then set ---- */

struct configuration {
	struct us_vm *vm;
	struct us_request *request;
	json_t *settings, *known_capabilities;
	json_t *parameters; /* to be set last; NULL if there are none */
};

static void finish_configuration(struct configuration *configuration, int r, const char *why)
{
	us_request_finish(configuration->request, r, why);
	json_decref(configuration->settings);
	json_decref(configuration->known_capabilities);
	json_decref(configuration->parameters);
	free(configuration);
}

static void on_parameters_set(void *userdata, const struct us_qmp_answer *answer)
{
	finish_configuration(userdata, answer->r, answer->why);
}

static void on_capabilities_set(void *userdata, const struct us_qmp_answer *answer)
{
	struct configuration *configuration = userdata;
	int r;

	if (answer->r) {
		finish_configuration(configuration, answer->r, answer->why);
		return;
	}
	configuration->vm->transfer_events = true;
	if (json_object_size(configuration->parameters) == 0) {
		finish_configuration(configuration, 0, NULL);
		return;
	}
	r = us_qmp_call(configuration->vm->qmp, on_parameters_set, configuration,
			"migrate-set-parameters", "O", configuration->parameters);
	if (r < 0)
		finish_configuration(configuration, r, us_strerror(r));
}

static void on_parameters_known(void *userdata, const struct us_qmp_answer *answer)
{
	struct configuration *configuration = userdata;
	json_t *capabilities = NULL;
	struct us_reason reason = { "" };
	int r = answer->r;

	if (r) {
		finish_configuration(configuration, r, answer->why);
		return;
	}
	r = us_decode_settings(configuration->settings, configuration->known_capabilities,
			       answer->value, &capabilities, &configuration->parameters, &reason);
	if (r == 0)
		r = us_qmp_call(configuration->vm->qmp, on_capabilities_set, configuration,
				"migrate-set-capabilities", "{s:o}", "capabilities", capabilities);
	if (r)
		finish_configuration(configuration, r,
				     r == US_REFUSED ? reason.text : us_strerror(r));
}

static void on_capabilities_known(void *userdata, const struct us_qmp_answer *answer)
{
	struct configuration *configuration = userdata;
	int r = answer->r;

	if (r) {
		finish_configuration(configuration, r, answer->why);
		return;
	}
	configuration->known_capabilities = json_incref((json_t *)answer->value);
	r = us_qmp_call(configuration->vm->qmp, on_parameters_known, configuration,
			"query-migrate-parameters", NULL);
	if (r < 0)
		finish_configuration(configuration, r, us_strerror(r));
}

int us_vm_configure_transfer(struct us_vm *vm, const json_t *settings, us_vm_done_fn done,
			     void *userdata)
{
	struct configuration *configuration;
	int r;

	if (!vm->adopted)
		return -ENOTCONN;
	configuration = calloc(1, sizeof(*configuration));
	if (!configuration)
		return -ENOMEM;
	configuration->vm = vm;
	configuration->request = us_request_new(vm, done, userdata);
	configuration->settings = settings ? json_deep_copy(settings) : json_object();
	r = configuration->request && configuration->settings ? 0 : -ENOMEM;
	if (r == 0)
		r = us_qmp_call(vm->qmp, on_capabilities_known, configuration,
				"query-migrate-capabilities", NULL);
	if (r < 0) {
		json_decref(configuration->settings);
		free(configuration->request);
		free(configuration);
	}
	return r;
}

/* ---- The destination listens ---- */

struct listening {
	struct us_vm *vm;
	struct us_request *request;
	char uri[128]; /* "" once QEMU was told it */
};

static void finish_listening(struct listening *listening, int r, const char *why)
{
	us_request_finish(listening->request, r, why);
	free(listening);
}

static int ask_where(struct listening *listening);

static void on_incoming(void *userdata, const struct us_qmp_answer *answer)
{
	struct listening *listening = userdata;
	int r = answer->r ? answer->r : ask_where(listening);

	if (r)
		finish_listening(listening, r, answer->r ? answer->why : us_strerror(r));
}

/* It may listen already, for a source that gave up: QEMU does not stop, nor listen twice. */
static void on_address(void *userdata, const struct us_qmp_answer *answer)
{
	struct listening *listening = userdata;
	char uri[sizeof(listening->uri)];
	int r = answer->r;

	if (r) {
		finish_listening(listening, r, answer->why);
		return;
	}
	if (us_decode_listen_uri(answer->value, uri, sizeof(uri)) == 0) {
		finish_listening(listening, 0, uri);
		return;
	}
	if (!listening->uri[0]) {
		finish_listening(listening, US_REFUSED,
				 "QEMU does not tell where it listens for a migration");
		return;
	}
	r = us_qmp_call(listening->vm->qmp, on_incoming, listening, "migrate-incoming", "{s:s}",
			"uri", listening->uri);
	listening->uri[0] = '\0';
	if (r)
		finish_listening(listening, r, us_strerror(r));
}

static int ask_where(struct listening *listening)
{
	return us_qmp_call(listening->vm->qmp, on_address, listening, "query-migrate", NULL);
}

int us_vm_listen_transfer(struct us_vm *vm, const char *address, us_vm_done_fn done, void *userdata)
{
	struct listening *listening;
	int r;

	if (!vm->adopted)
		return -ENOTCONN;
	listening = malloc(sizeof(*listening));
	if (!listening)
		return -ENOMEM;
	listening->vm = vm;
	listening->request = us_request_new(vm, done, userdata);
	r = snprintf(listening->uri, sizeof(listening->uri),
		     strchr(address, ':') ? "tcp:[%s]:0" : "tcp:%s:0", address);
	if (r < 0 || (size_t)r >= sizeof(listening->uri))
		r = -EINVAL;
	else
		r = listening->request ? ask_where(listening) : -ENOMEM;
	if (r < 0) {
		free(listening->request);
		free(listening);
	}
	return r;
}

/* ---- The source starts and cancels ---- */

int us_vm_start_transfer(struct us_vm *vm, const char *uri, us_vm_done_fn done, void *userdata)
{
	struct us_request *request;
	int r = us_request_begin(vm, NULL, done, userdata, &request);

	if (r < 0)
		return r;
	return us_request_made(request, us_qmp_call(vm->qmp, us_request_answer, request, "migrate",
						    "{s:s}", "uri", uri));
}

int us_vm_cancel_transfer(struct us_vm *vm, us_vm_done_fn done, void *userdata)
{
	struct us_request *request;
	int r = us_request_begin(vm, NULL, done, userdata, &request);

	if (r < 0)
		return r;
	return us_request_made(
		request, us_qmp_call(vm->qmp, us_request_answer, request, "migrate_cancel", NULL));
}
