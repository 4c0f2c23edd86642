/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The settings of a migration: asks which capabilities and parameters this QEMU has, sets those
 * that are wanted, and puts the former values back later.
 */
#include <errno.h>

#include "vmm/qemu/decode-settings.h"
#include "vmm/qemu/domain.h"
#include "vmm/qemu/qemu-private.h"

struct configuration {
	struct us_qemu_request request;
	us_vmm_settings_fn before;
	json_t *settings, *known_capabilities;
	json_t *parameters; /* to be set after the capabilities; NULL until they are known */
};

static void release_configuration(struct us_qemu_request *request)
{
	struct configuration *configuration =
		US_CONTAINER_OF(request, struct configuration, request);

	json_decref(configuration->settings);
	json_decref(configuration->known_capabilities);
	json_decref(configuration->parameters);
}

static void on_capabilities_set(void *userdata, const struct us_qmp_answer *answer)
{
	struct configuration *configuration = userdata;
	struct us_vmm *vmm = configuration->request.vmm;
	int r;

	vmm->transfer_events |= answer->r == 0;
	if (answer->r || json_object_size(configuration->parameters) == 0) {
		us_qemu_request_finish(&configuration->request, answer->r, answer->reason);
		return;
	}
	r = us_qmp_call(vmm->qmp, us_qemu_request_answer, configuration, "migrate-set-parameters",
			"O", configuration->parameters);
	if (r < 0)
		us_qemu_request_finish(&configuration->request, r, NULL);
}

/* Called before anything is set, so that the present values can be saved in time. */
static int report_before(struct configuration *configuration, const json_t *known_parameters,
			 const json_t *capabilities)
{
	struct us_qemu_request *request = &configuration->request;
	US_CLEANUP(json_decrefp)
	json_t *before = us_qemu_decode_before(configuration->known_capabilities, known_parameters,
					       capabilities, configuration->parameters);

	if (!before)
		return -ENOMEM;
	if (us_qemu_request_is_wanted(request) && configuration->before)
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
		us_qemu_request_finish(&configuration->request, r, answer->reason);
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
		r = us_qmp_call(configuration->request.vmm->qmp, on_capabilities_set, configuration,
				"migrate-set-capabilities", "{s:o}", "capabilities", capabilities);
	if (r)
		us_qemu_request_finish(&configuration->request, r,
				       r == US_REFUSED ? &reason : NULL);
}

static void on_capabilities_known(void *userdata, const struct us_qmp_answer *answer)
{
	struct configuration *configuration = userdata;
	int r = answer->r;

	configuration->known_capabilities = json_incref((json_t *)answer->value);
	if (r == 0)
		r = us_qmp_call(configuration->request.vmm->qmp, on_parameters_known, configuration,
				"query-migrate-parameters", NULL);
	if (r)
		us_qemu_request_finish(&configuration->request, r, answer->reason);
}

int us_vmm_configure_transfer(struct us_vmm *vmm, const json_t *settings, us_vmm_settings_fn before,
			      us_vmm_done_fn done, void *userdata)
{
	struct configuration *configuration;
	int r;

	if (vmm->domain)
		return us_qemu_domain_configure(vmm, settings, before, done, userdata);
	configuration = us_qemu_request_new(vmm, NULL, sizeof(*configuration), done, userdata, &r);
	if (!configuration)
		return r;
	configuration->request.release = release_configuration;
	configuration->before = before;
	configuration->settings = settings ? json_deep_copy(settings) : json_object();
	r = configuration->settings ? us_qmp_call(vmm->qmp, on_capabilities_known, configuration,
						  "query-migrate-capabilities", NULL)
				    : -ENOMEM;
	return us_qemu_request_made(&configuration->request, r);
}

static void on_restored(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_qemu_request *request = userdata;

	us_qemu_request_note(request, answer->r, answer->reason);
	if (--request->unanswered == 0)
		us_qemu_request_finish(request, 0, NULL);
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

/* Both commands are sent at once, because neither depends on the other. */
int us_vmm_restore_transfer(struct us_vmm *vmm, const json_t *before, us_vmm_done_fn done,
			    void *userdata)
{
	json_t *capabilities = json_object_get(before, "capabilities");
	json_t *parameters = json_object_get(before, "parameters");
	int r;
	struct us_qemu_request *request =
		us_qemu_request_new(vmm, NULL, sizeof(*request), done, userdata, &r);

	if (!request)
		return r;
	if (json_object_size(capabilities) > 0)
		us_qemu_request_sent(request,
				     us_qmp_call(vmm->qmp, on_restored, request,
						 "migrate-set-capabilities", "{s:o}",
						 "capabilities", capability_list(capabilities)));
	if (json_object_size(parameters) > 0)
		us_qemu_request_sent(request,
				     us_qmp_call(vmm->qmp, on_restored, request,
						 "migrate-set-parameters", "O", parameters));
	return us_qemu_request_asked(request);
}
