/* SPDX-License-Identifier: BSD-3-Clause */
/* A pair's primary: reserving and releasing it on the host, plugging and unplugging it in the VM.
 */
#include <errno.h>
#include <stdio.h>

#include "daemon/pair/pair-private.h"
#include "net/netlink/link.h"
#include "util/cleanup.h"

/* ---- Releasing ---- */

/* Which device of a pool it is, is known only as long as it is reserved. */
void us_host_pair_release(struct us_host_pair *pair, const struct us_effect *effect)
{
	struct us_host_vf *vf = US_STEAL(pair->vf);

	if (!vf)
		return;
	if (pair->steer)
		us_steer_set_sriov(pair->steer, NULL, NULL);
	if (pair->pairs->is_stopping)
		us_host_vf_detach(vf);
	else
		us_host_vf_release(vf);
	if (pair->spec.primary.pool[0])
		pair->spec.primary.host[0] = pair->spec.primary.port[0] = '\0';
}

/* ---- Reserving ---- */

/* libvirt makes a domain's tap when the domain starts, and removes it when the domain ends. */
static bool may_have_port(const struct us_host_pair *pair)
{
	return !us_vmm_is_domain(pair->vm->vmm) || us_vmm_is_adopted(pair->vm->vmm);
}

/* Has the switch know the primary. That of a domain that has ended is found again with its next
 * tap. */
static int tell_switch(struct us_host_pair *pair, struct us_reason *reason)
{
	int r;

	if (pair->steer && !may_have_port(pair) && us_pair_path(&pair->engine) == US_PATH_NONE)
		us_steer_abandon(US_STEAL(pair->steer));
	if (!pair->steer)
		return 0;
	r = us_steer_set_primary(pair->steer, pair->spec.primary.port, reason);
	return r == 0 ? us_host_pair_sync_vf(pair, reason) : r;
}

static void reserved(struct us_host_pair *pair, int r, const struct us_reason *reason)
{
	us_host_pair_answer(pair, US_EVENT_RESERVED, r == 0, r < 0 ? us_strerror(r) : reason->text);
}

static void fill_in(struct us_primary_spec *primary, const struct us_reserved *device)
{
	snprintf(primary->host, sizeof(primary->host), "%s", device->address);
	snprintf(primary->port, sizeof(primary->port), "%s",
		 device->representor[0] ? device->representor : device->port);
}

static void on_vf_reserved(void *userdata, int r, struct us_reason *reason)
{
	struct us_host_pair *pair = userdata;

	if (r == 0) {
		fill_in(&pair->spec.primary, us_host_vf_reserved(pair->vf));
		if (may_have_port(pair))
			r = us_primary_spec_check_port(&pair->spec.primary, pair->spec.port,
						       reason);
		if (r == 0)
			r = tell_switch(pair, reason);
	}
	if (r != 0)
		us_host_pair_release(pair, NULL);
	reserved(pair, r, reason);
}

static void on_retry_plug(void *userdata)
{
	struct us_host_pair *pair = userdata;

	if (us_pair_primary(&pair->engine) == US_PRIMARY_EXPOSING)
		us_host_pair_plug(pair, NULL);
}

static void on_group_in_use(void *userdata, const char *reason)
{
	us_optional_set(&((struct us_host_pair *)userdata)->detail, reason);
}

static struct us_host_vf_config vf_config(struct us_host_pair *pair)
{
	static const struct us_host_vf_handler handler = {
		.reserved = on_vf_reserved,
		.retry_plug = on_retry_plug,
		.group_in_use = on_group_in_use,
	};

	return (struct us_host_vf_config){ .pair = pair->spec.name,
					   .mac = pair->spec.mac,
					   .pool = pair->spec.primary.pool,
					   .address = pair->spec.primary.host,
					   .engine = &pair->engine,
					   .handler = &handler,
					   .userdata = pair };
}

static void reserve_vf(struct us_host_pair *pair, uint64_t memory_bytes)
{
	const struct us_host_vf_config config = vf_config(pair);
	struct us_reason reason = { .text = "" };
	int r = pair->vf ? 0 : us_host_vf_new(&pair->vf, pair->pairs->config.vfs, &config);

	/* libvirt itself gives the process of a domain the group and the limit of locked memory. */
	if (r == 0)
		r = us_host_vf_reserve(
			pair->vf, us_vmm_is_domain(pair->vm->vmm) ? 0 : us_vmm_pid(pair->vm->vmm),
			memory_bytes, &reason);
	if (r != 0)
		on_vf_reserved(pair, r, &reason);
}

/* Too late if the engine has given up meanwhile. */
static void on_memory(void *userdata, int r, const struct us_reason *reason, uint64_t bytes)
{
	struct us_host_pair *pair = userdata;

	us_host_pair_end_request(pair);
	if (us_pair_is_reserving(&pair->engine))
		reserve_vf(pair, bytes);
}

void us_host_pair_reserve(struct us_host_pair *pair, const struct us_effect *effect)
{
	struct us_primary_spec *primary = &pair->spec.primary;
	struct us_reason reason = { .text = "" };
	int r;

	if (us_primary_spec_is_vfio(primary)) {
		r = us_vmm_query_memory(pair->vm->vmm, on_memory, pair);
		if (us_host_pair_requested(pair, r) < 0)
			reserve_vf(pair, 0);
		return;
	}
	r = us_primary_spec_check(pair->pairs, pair, primary,
				  may_have_port(pair) ? pair->spec.port : "", &reason);
	if (r == 0)
		r = tell_switch(pair, &reason);
	reserved(pair, r, &reason);
}

void us_host_pair_adopt_vf(struct us_host_pair *pair)
{
	const struct us_host_vf_config config = vf_config(pair);
	struct us_primary_spec *primary = &pair->spec.primary;

	if (us_primary_spec_is_vfio(primary) &&
	    us_host_vf_adopt(&pair->vf, pair->pairs->config.vfs, &config) == 0)
		fill_in(primary, us_host_vf_reserved(pair->vf));
}

/* A plug that has to be tried again and is not wanted any more counts as refused. */
void us_host_pair_follow_vf(struct us_host_pair *pair)
{
	if (pair->vf && us_pair_primary(&pair->engine) != US_PRIMARY_EXPOSING &&
	    us_host_vf_cancel_plug(pair->vf))
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_PLUGGED });
	if (us_host_vf_sync_visibility(pair->vf) && pair->steer)
		us_steer_set_answering(pair->steer, false);
	if (pair->vf)
		us_host_vf_keep_group(pair->vf);
}

/* ---- Plugging ---- */

/* A refusal means that the primary is gone, or in no slot that is known: the delay is 0 then. */
static void on_unplug_delay(void *userdata, int r, const struct us_reason *reason,
			    uint64_t delay_usec)
{
	struct us_host_pair *pair = userdata;

	us_pair_set_unplug_delay(&pair->engine, delay_usec);
	us_host_pair_follow_unplug(pair); /* after a restart, an unplug may be under way */
	us_host_pair_end_request(pair);
}

void us_host_pair_query_unplug_delay(struct us_host_pair *pair)
{
	us_pair_set_unplug_delay(&pair->engine, 0);
	us_host_pair_requested(pair, us_vmm_query_unplug_delay(pair->vm->vmm, pair->device,
							       on_unplug_delay, pair));
}

/*
 * -ECONNRESET: the VM is lost, and another event tells the engine. -ETIMEDOUT: the VMM may still
 * plug the primary.
 */
static void on_plugged(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_pair *pair = userdata;
	bool is_busy = r == US_REFUSED && pair->vf && us_host_vf_is_busy(reason);

	us_host_pair_end_request(pair);
	if (r == 0)
		us_host_pair_query_unplug_delay(pair);
	if (r != -ECONNRESET)
		us_host_pair_answer(pair, is_busy ? US_EVENT_PLUG_BUSY : US_EVENT_PLUGGED,
				    r == 0 || r == -ETIMEDOUT, r == 0 ? NULL : reason->text);
}

void us_host_pair_plug(struct us_host_pair *pair, const struct us_effect *effect)
{
	const struct us_primary_spec *primary = &pair->spec.primary;
	bool is_vfio = us_primary_spec_is_vfio(primary);
	struct us_plug plug = {
		.id = pair->device,
		.model = primary->model,
		.host = is_vfio ? primary->host : NULL,
		.interface = is_vfio ? NULL : primary->port,
		.mac = is_vfio ? NULL : pair->spec.mac,
		.bus = pair->spec.bus[0] ? pair->spec.bus : NULL,
	};
	struct us_reason reason = { .text = "" };
	struct us_link link;
	/* For a tap that does not exist, QEMU would make one outside of every bridge. */
	int r = us_link_get(primary->port, &link, &reason);

	us_optional_set(&pair->detail, "");
	if (r == 0 && pair->vf)
		r = us_host_vf_prepare_plug(pair->vf, &reason);
	if (r == US_HOST_VF_LATER)
		return;
	if (r == 0)
		r = us_host_pair_requested(pair,
					   us_vmm_plug(pair->vm->vmm, &plug, on_plugged, pair));
	if (r != 0)
		us_host_pair_answer(pair, US_EVENT_PLUGGED, false,
				    r < 0 ? us_strerror(r) : reason.text);
}

static void on_unplug_taken(void *userdata, int r, const struct us_reason *reason)
{
	us_host_pair_end_request(userdata);
	if (r != 0 && r != -ECONNRESET)
		us_host_pair_answer(userdata, US_EVENT_UNPLUG_REFUSED, false, reason->text);
}

void us_host_pair_unplug(struct us_host_pair *pair, const struct us_effect *effect)
{
	int r = us_vmm_unplug(pair->vm->vmm, pair->device, on_unplug_taken, pair);

	if (us_host_pair_requested(pair, r) < 0)
		us_host_pair_answer(pair, US_EVENT_UNPLUG_REFUSED, false, us_strerror(r));
}
