/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The settings of a migration: asks which capabilities and parameters this QEMU has, sets those
 * that are wanted, and puts the former values back later.
 */
#include <errno.h>
#include <stdlib.h>

#include "vmm/qemu/decode-settings.h"
#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/request.h"

struct configuration {
	struct us_vmm *vmm;
	struct us_qemu_request *request;
	us_vmm_settings_fn before;
	json_t *settings, *known_capabilities;
	json_t *parameters; /* to be set after the capabilities; NULL until they are known */
};

/* @reason is as for us_qemu_request_finish(). */
static void finish_configuration(struct configuration *configuration, int r,
				 const struct us_reason *reason)
{
	us_qemu_request_finish(configuration->request, r, reason);
	json_decref(configuration->settings);
	json_decref(configuration->known_capabilities);
	json_decref(configuration->parameters);
	free(configuration);
}

static void on_parameters_set(void *userdata, const struct us_qmp_answer *answer)
{
	finish_configuration(userdata, answer->r, answer->reason);
}

static void on_capabilities_set(void *userdata, const struct us_qmp_answer *answer)
{
	struct configuration *configuration = userdata;
	int r;

	if (answer->r) {
		finish_configuration(configuration, answer->r, answer->reason);
		return;
	}
	configuration->vmm->transfer_events = true;
	if (json_object_size(configuration->parameters) == 0) {
		finish_configuration(configuration, 0, NULL);
		return;
	}
	r = us_qmp_call(configuration->vmm->qmp, on_parameters_set, configuration,
			"migrate-set-parameters", "O", configuration->parameters);
	if (r < 0)
		finish_configuration(configuration, r, NULL);
}

/* Called before anything is set, so that the present values can be saved in time. */
static int report_before(struct configuration *configuration, const json_t *known_parameters,
			 const json_t *capabilities)
{
	struct us_qemu_request *request = configuration->request;
	US_CLEANUP(json_decrefp)
	json_t *before = us_qemu_decode_before(configuration->known_capabilities, known_parameters,
					       capabilities, configuration->parameters);

	if (!before)
		return -ENOMEM;
	if (!configuration->vmm->freed && configuration->before)
		configuration->before(
			request->userdata, before,
			us_qemu_decode_is_encrypted(known_parameters, configuration->parameters));
	return 0;
}

static void on_parameters_known(void *userdata, const struct us_qmp_answer *answer)
{
	struct configuration *configuration = userdata;
	json_t *capabilities = NULL;
	struct us_reason reason = { .text = "" };
	int r = answer->r;

	if (r) {
		finish_configuration(configuration, r, answer->reason);
		return;
	}
	r = us_qemu_decode_settings(configuration->settings, configuration->known_capabilities,
				    answer->value, &capabilities, &configuration->parameters,
				    &reason);
	if (r == 0)
		r = report_before(configuration, answer->value, capabilities);
	if (r != 0)
		json_decref(capabilities);
	else
		r = us_qmp_call(configuration->vmm->qmp, on_capabilities_set, configuration,
				"migrate-set-capabilities", "{s:o}", "capabilities", capabilities);
	if (r)
		finish_configuration(configuration, r, r == US_REFUSED ? &reason : NULL);
}

static void on_capabilities_known(void *userdata, const struct us_qmp_answer *answer)
{
	struct configuration *configuration = userdata;
	int r = answer->r;

	if (r) {
		finish_configuration(configuration, r, answer->reason);
		return;
	}
	configuration->known_capabilities = json_incref((json_t *)answer->value);
	r = us_qmp_call(configuration->vmm->qmp, on_parameters_known, configuration,
			"query-migrate-parameters", NULL);
	if (r < 0)
		finish_configuration(configuration, r, NULL);
}

int us_vmm_configure_transfer(struct us_vmm *vmm, const json_t *settings, us_vmm_settings_fn before,
			      us_vmm_done_fn done, void *userdata)
{
	struct us_qemu_request *request;
	struct configuration *configuration;
	int r = us_qemu_request_begin(vmm, NULL, done, userdata, &request);

	if (r < 0)
		return r;
	configuration = calloc(1, sizeof(*configuration));
	if (!configuration)
		return us_qemu_request_made(request, -ENOMEM);
	configuration->vmm = vmm;
	configuration->before = before;
	configuration->request = request;
	configuration->settings = settings ? json_deep_copy(settings) : json_object();
	r = configuration->settings ? us_qmp_call(vmm->qmp, on_capabilities_known, configuration,
						  "query-migrate-capabilities", NULL)
				    : -ENOMEM;
	if (r < 0) {
		json_decref(configuration->settings);
		free(configuration);
	}
	return us_qemu_request_made(request, r);
}

/* Both commands are sent at once, because neither depends on the other. */
struct restoring {
	struct us_qemu_request *request;
	unsigned unanswered;
	int r; /* of the first failure */
	struct us_reason reason;
};

static void on_restored(void *userdata, const struct us_qmp_answer *answer)
{
	struct restoring *restoring = userdata;

	if (answer->r && !restoring->r) {
		restoring->r = answer->r;
		restoring->reason = *answer->reason;
	}
	if (--restoring->unanswered > 0)
		return;
	us_qemu_request_finish(restoring->request, restoring->r,
			       restoring->reason.text[0] ? &restoring->reason : NULL);
	free(restoring);
}

static json_t *capability_list(const json_t *capabilities)
{
	json_t *list = json_array(), *state;
	const char *name;

	json_object_foreach ((json_t *)capabilities, name, state)
		json_array_append_new(list,
				      json_pack("{s:s, s:O}", "capability", name, "state", state));
	return list;
}

static int send_restore(struct us_vmm *vmm, const json_t *before, struct restoring *restoring)
{
	json_t *capabilities = json_object_get(before, "capabilities");
	json_t *parameters = json_object_get(before, "parameters");
	int r = 0;

	if (json_object_size(capabilities) > 0)
		r = us_qmp_call(vmm->qmp, on_restored, restoring, "migrate-set-capabilities",
				"{s:o}", "capabilities", capability_list(capabilities));
	if (r < 0)
		return r;
	restoring->unanswered = json_object_size(capabilities) > 0;
	if (json_object_size(parameters) > 0)
		r = us_qmp_call(vmm->qmp, on_restored, restoring, "migrate-set-parameters", "O",
				parameters);
	if (r == 0)
		restoring->unanswered += json_object_size(parameters) > 0;
	else if (restoring->unanswered > 0) /* the answer to the first command will report it */
		restoring->r = r;
	return restoring->unanswered > 0 ? 0 : r;
}

int us_vmm_restore_transfer(struct us_vmm *vmm, const json_t *before, us_vmm_done_fn done,
			    void *userdata)
{
	struct us_qemu_request *request;
	struct restoring *restoring;
	int r = us_qemu_request_begin(vmm, NULL, done, userdata, &request);

	if (r < 0)
		return r;
	restoring = calloc(1, sizeof(*restoring));
	if (!restoring)
		return us_qemu_request_made(request, -ENOMEM);
	restoring->request = request;
	r = send_restore(vmm, before, restoring);
	if (restoring->unanswered == 0) {
		us_qemu_request_free(request);
		free(restoring);
	}
	return r;
}
