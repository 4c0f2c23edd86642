/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net/: the switch of each host, as far as it directs frames for the pairs, and the watches for the
 * guest's frames. Frames themselves are not simulated.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/presence/claims.h"
#include "net/presence/announce.h"
#include "net/netlink/changes.h"
#include "net/presence/watch.h"
#include "net/steer/steer.h"
#include "net/undelivered/drain.h"
#include "net/undelivered/receive-queue.h"
#include "net/netlink/fdb.h"
#include "net/netlink/link.h"
#include "net/undelivered/capture.h"
#include "pci/vfio.h"
#include "sim.h"

enum {
	STABLE_USEC = 300 * 1000,
	RELEASE_USEC = 8 * 1000 * 1000, /* the latest release, plus the time of parking */
	HELD_USEC = 20 * 1000 * 1000,
	FIRST_PORT = 10,
};

struct us_steer {
	struct us_list link;
	int host;
	unsigned pair;
	bool is_freed, has_lot;
	void (*steered)(void *userdata, enum us_path path, int r, const struct us_reason *reason);
	void *userdata;
	unsigned releases; /* their number */
	enum us_path releasing_to;
};

struct us_watch {
	struct us_list link;
	int host;
	unsigned pair;
	bool is_on_standby, is_freed;
	const struct us_watch_handler *handler;
	void *userdata;
};

static struct us_list steers = { &steers, &steers }, watches = { &watches, &watches };

static unsigned pair_of(const char *name)
{
	return name[strlen(name) - 1] == '1';
}

void sim_switch_set(int host, unsigned pair, enum us_path path)
{
	struct sim_switch *net = &sim.hosts[host].net;

	if (net->path[pair] == path)
		return;
	sim_log("switch %s: web%u to %s", sim.hosts[host].name, pair, us_path_name(path));
	net->path[pair] = path;
	net->since[pair] = sim.now_usec;
}

/* ---- Steering ---- */

int us_steer_new_bridge(struct us_steer **ret_steer, const struct us_steer_config *config,
			struct us_reason *reason)
{
	struct us_steer *steer;

	if (config->steered && sim_is_alive() && sim_choose("switch not found", 2)) {
		/* The entries have gone with their port. */
		sim_switch_set(sim.host, pair_of(config->standby_port), US_PATH_NONE);
		return us_refuse(reason, "%s is in no bridge", config->standby_port);
	}
	steer = sim_keep(sizeof(*steer));
	steer->host = sim.host;
	steer->pair = pair_of(config->standby_port);
	steer->steered = config->steered;
	steer->userdata = config->userdata;
	us_list_append(&steers, &steer->link);
	*ret_steer = steer;
	return 0;
}

void us_steer_abandon(struct us_steer *steer)
{
	steer->is_freed = true;
	us_list_remove(&steer->link);
	if (steer->has_lot && sim.hosts[steer->host].net.path[steer->pair] == US_PATH_PARKED)
		sim_switch_set(steer->host, steer->pair, US_PATH_NONE);
}

void sim_net_abandon(int host)
{
	struct us_steer *steer;
	struct us_watch *watch;

	us_list_for_each (steer, &steers, link)
		if (steer->host == host)
			us_steer_abandon(steer);
	us_list_for_each (watch, &watches, link)
		if (watch->host == host)
			us_watch_free(watch);
}

int us_steer_set_primary(struct us_steer *steer, const char *port, struct us_reason *reason)
{
	if (sim_is_alive() && sim_choose("port not taken", 2))
		return us_refuse(reason, "%s is in no bridge", port);
	return 0;
}

int us_steer_set_sriov(struct us_steer *steer, struct us_sriov *sriov, struct us_reason *reason)
{
	return 0;
}

void us_steer_set_answering(struct us_steer *steer, bool is_answering)
{
}

static void obey(struct us_steer *steer, enum us_path path)
{
	if (path != US_PATH_PARKED)
		steer->has_lot = false;
	sim_switch_set(steer->host, steer->pair, path);
}

static void on_released(void *object, unsigned releases)
{
	struct us_steer *steer = object;
	struct us_reason reason = { .text = "" };

	if (steer->is_freed || steer->releases != releases)
		return;
	if (sim_choose("release fails", 2)) {
		us_refuse(&reason, "the port is gone");
		steer->steered(steer->userdata, steer->releasing_to, US_REFUSED, &reason);
		return;
	}
	obey(steer, steer->releasing_to);
	steer->steered(steer->userdata, steer->releasing_to, 0, &reason);
}

static uint64_t held_usec(const struct us_steer *steer)
{
	uint64_t usec = sim.now_usec - sim.hosts[steer->host].net.since[steer->pair];

	return usec < HELD_USEC ? usec : HELD_USEC;
}

int us_steer_to(struct us_steer *steer, enum us_path path, struct us_reason *reason)
{
	enum us_path present = sim.hosts[steer->host].net.path[steer->pair];
	const uint64_t releases[] = { 20 * 1000, 0, RELEASE_USEC + held_usec(steer) };
	uint64_t usec;

	if (!sim_is_alive())
		return 0;
	steer->releases++; /* replaces a release that has not ended */
	if (sim_choose("steer", 2))
		return us_refuse(reason, "the bridge does not obey");
	if (path == US_PATH_PARKED)
		steer->has_lot = true;
	usec = releases[sim_choose("release", US_ARRAY_LENGTH(releases))];
	if (path == US_PATH_PARKED || present != US_PATH_PARKED || usec == 0) {
		obey(steer, path);
		return 0;
	}
	steer->releasing_to = path;
	sim_at_host(steer->host, sim.now_usec + usec, on_released, steer, steer->releases);
	return US_PARK_RELEASING;
}

int us_steer_path(struct us_steer *steer, enum us_path *ret_path)
{
	*ret_path = sim.hosts[steer->host].net.path[steer->pair];
	return 0;
}

int us_steer_save(const struct us_steer *steer, char *ret_text, size_t size)
{
	ret_text[0] = '\0';
	return 0;
}

int us_steer_restore(struct us_steer *steer, const char *text)
{
	return 0;
}

/* ---- The park buffer, whose frames are not simulated ---- */

struct us_park *us_steer_park(struct us_steer *steer)
{
	return steer->has_lot ? (struct us_park *)steer : NULL;
}

int us_steer_make_park(struct us_steer *steer, struct us_reason *reason)
{
	return 0;
}

void us_steer_drop_park(struct us_steer *steer)
{
}

int us_steer_deliver(struct us_steer *steer, const struct us_frame *frame, struct us_reason *reason)
{
	return 0;
}

void us_steer_counts(const struct us_steer *steer, struct us_park_counts *ret_counts)
{
	*ret_counts = (struct us_park_counts){ 0 };
}

void us_park_set_observer(struct us_park *park, us_park_frame_fn each, void *userdata)
{
}

bool us_park_put(struct us_park *park, const struct us_frame *frame, bool is_earlier)
{
	return true;
}

bool us_park_take(struct us_park *park, us_park_frame_fn each, void *userdata)
{
	return true;
}

int us_capture_new(struct us_capture **ret_capture, sd_event *event, const char *port,
		   const uint8_t mac[6], int queue, struct us_reason *reason)
{
	*ret_capture = sim_keep(1);
	return 0;
}

void us_capture_free(struct us_capture *capture)
{
}

bool us_capture_has(struct us_capture *capture, const struct us_frame *frame)
{
	return false;
}

const struct us_frame *us_capture_before(struct us_capture *capture, const struct us_frame *next)
{
	return NULL;
}

uint64_t us_capture_newest(struct us_capture *capture, const struct us_frame *next)
{
	return 0;
}

uint64_t us_capture_number(struct us_capture *capture, const uint8_t *start, size_t length,
			   const struct us_frame *next)
{
	return 0;
}

bool us_capture_took_one_buffer_each(struct us_capture *capture, uint64_t number, uint64_t last)
{
	return false;
}

int us_capture_after(struct us_capture *capture, uint64_t number, const struct us_frame *next,
		     const struct us_frame **ret_frames, size_t max)
{
	return 0;
}

int us_claims_new(struct us_claims **ret_claims, sd_event *event, const char *port,
		  const uint8_t mac[6], struct us_reason *reason)
{
	*ret_claims = sim_keep(1);
	return 0;
}

void us_claims_free(struct us_claims *claims)
{
}

bool us_claims_address(struct us_claims *claims, size_t i, char ret_text[US_ADDRESS_TEXT_MAX])
{
	return false;
}

int us_announce_new(struct us_announce **ret_announce, sd_event *event, const uint8_t mac[6],
		    const char *standby, const char *primary, struct us_reason *reason)
{
	*ret_announce = sim_keep(1);
	return 0;
}

void us_announce_free(struct us_announce *announce)
{
}

void us_announce_add_address(struct us_announce *announce, const char *text)
{
}

int us_drain_check(const struct us_drain_process *process, struct us_reason *reason)
{
	return sim.config.can_drain ? 0 : us_refuse(reason, "not permitted");
}

int us_drain_new(struct us_drain **ret_drain, sd_event *event,
		 const struct us_drain_process *process, const char *interface,
		 us_drain_done_fn done, void *userdata, struct us_reason *reason)
{
	*ret_drain = sim_keep(1);
	done(userdata, 0, NULL);
	return 0;
}

void us_drain_free(struct us_drain *drain)
{
}

bool us_drain_is_ready(const struct us_drain *drain)
{
	return true;
}

int us_drain_read(struct us_drain *drain, us_drain_done_fn done, void *userdata)
{
	done(userdata, 0, NULL);
	return 0;
}

void us_drain_each(struct us_drain *drain, us_drain_fn each, void *userdata)
{
}

/* A guest here has no memory. */

int us_receive_queues_new(struct us_receive_queues **ret_queues, sd_event *event,
			  const struct us_drain_process *process, struct us_reason *reason)
{
	*ret_queues = sim_keep(1);
	return 0;
}

void us_receive_queues_free(struct us_receive_queues *queues)
{
}

int us_receive_queues_read(struct us_receive_queues *queues, const struct us_receive_queue *where,
			   size_t count, us_receive_queues_fn done, void *userdata)
{
	return -ESRCH;
}

/* ---- Watching for the guest ---- */

/* The guest receives on one side, and answers probes there. */
static bool is_answered(const struct us_watch *watch)
{
	bool is_joined = sim.guest.drivers[watch->pair].is_joined;

	return sim.guest.host == watch->host && is_joined != watch->is_on_standby &&
	       sim_guest_is_capable(watch->pair);
}

static void on_stable(void *object, unsigned argument)
{
	static const struct us_reason gone = { .text = "the interface is gone" };
	struct us_watch *watch = object;

	if (watch->is_freed)
		return;
	if (sim_choose("watch fails", 2))
		watch->handler->traffic(watch->userdata, false, &gone);
	else if (is_answered(watch))
		watch->handler->traffic(watch->userdata, true, NULL);
}

static void look(struct us_watch *watch)
{
	if (is_answered(watch))
		sim_at_host(watch->host, sim.now_usec + STABLE_USEC, on_stable, watch, 0);
}

void sim_net_look(unsigned pair)
{
	struct us_watch *watch;

	us_list_for_each (watch, &watches, link)
		if (watch->pair == pair)
			look(watch);
}

int us_watch_new(struct us_watch **ret_watch, sd_event *event, const struct us_watch_config *config,
		 const struct us_watch_handler *handler, void *userdata, struct us_reason *reason)
{
	struct us_watch *watch = sim_keep(sizeof(*watch));

	watch->host = sim.host;
	watch->pair = pair_of(config->standby_port);
	watch->is_on_standby = strncmp(config->primary_port, "prm", 3) != 0;
	watch->handler = handler;
	watch->userdata = userdata;
	us_list_append(&watches, &watch->link);
	look(watch);
	*ret_watch = watch;
	return 0;
}

void us_watch_free(struct us_watch *watch)
{
	if (!watch)
		return;
	watch->is_freed = true;
	us_list_remove(&watch->link);
}

void us_watch_learn(struct us_watch *watch, const uint8_t *frame, size_t length)
{
}

/* ---- Interfaces ---- */

int us_changes_new(struct us_changes **ret_changes, sd_event *event,
		   const struct us_changes_handler *handler, void *userdata)
{
	*ret_changes = sim_keep(1);
	return 0;
}

void us_changes_free(struct us_changes *changes)
{
}

int us_changes_set_interest(struct us_changes *changes, const struct us_changes_interest *interest)
{
	return 0;
}

int us_link_get(const char *name, struct us_link *ret_link, struct us_reason *reason)
{
	*ret_link = (struct us_link){ .index = FIRST_PORT + 2 * pair_of(name) + (name[0] == 'p'),
				      .master = 1,
				      .master_is_bridge = true,
				      .is_up = true,
				      .mtu = 1500 };
	snprintf(ret_link->name, sizeof(ret_link->name), "%s", name);
	return 0;
}

/* The bridges have learnt nothing. */
int us_fdb_get(const uint8_t mac[6], int bridge, struct us_fdb_entry *ret_entry,
	       struct us_rtnl_error *ret_words)
{
	return -ENOENT;
}

int us_link_get_traffic(int index, struct us_link_traffic *ret_traffic)
{
	*ret_traffic = (struct us_link_traffic){ 0 };
	return 0;
}

int us_vfio_check(const char *sysfs, const char *address, struct us_vfio *ret_vfio,
		  struct us_reason *reason)
{
	return us_refuse(reason, "no such device");
}
