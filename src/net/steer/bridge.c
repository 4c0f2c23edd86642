/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steering by a Linux bridge: an entry for the MAC that is static (never ages) and sticky (does
 * not move when the MAC is seen at another port).
 *
 * Owns the entries for one MAC from the first change on. Asks for interfaces by name at each
 * call, because taps are renamed and made anew. At any time our entries point to one port only.
 *
 * VLANs: an entry without a VLAN makes the kernel add one for every VLAN of that port, and
 * its acknowledgement stands for all of them. A move to a port that is in fewer VLANs leaves
 * entries at the old one, so what is left there is deleted after each move.
 *
 * Put back is what is static. An entry that the bridge had learned needs nothing: without ours,
 * frames are flooded until the bridge has learned anew.
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/netlink/fdb.h"
#include "net/netlink/link.h"
#include "net/vf/sriov.h"
#include "net/steer/steer.h"
#include "util/clock.h"
#include "util/mac.h"
#include "util/timer.h"

enum {
	FOUND_MAX = 32, /* static entries for one MAC, one per VLAN, that can be put back */
};

/* A static entry that was there before us. */
struct found {
	char port[IF_NAMESIZE];
	uint16_t vlan, state;
	uint8_t flags;
};

struct us_steer {
	uint8_t mac[6];
	char standby[IF_NAMESIZE];
	char primary[IF_NAMESIZE]; /* "": none assigned */
	struct us_sriov *sriov;	   /* of a primary that is a VF; not ours */
	bool is_changed;	   /* entries of ours may be there */
	struct found *found;	   /* mostly none */
	size_t found_count;

	sd_event *loop; /* NULL: frames cannot be parked */
	const struct us_steer_handler *handler;
	void *userdata;
	struct us_park_limits limits;
	struct us_park *park;	    /* from the first parking to a while after the last release */
	struct us_park_counts past; /* of the lots before it */
	bool is_parked;		    /* our entry points there */
	enum us_path release_to;    /* while a release is under way */
	bool is_delivering;	    /* frames from elsewhere, and nothing is parked */

	struct us_timer card;  /* set while its card is to be told again, for … */
	enum us_path deferred; /* … this path */
	unsigned told;	       /* the card, so often in vain */
};

static void on_card(void *userdata);

static int get_port(const char *name, struct us_link *ret_port, struct us_reason *reason)
{
	int r = us_link_get(name, ret_port, reason);

	if (r != 0)
		return r;
	if (!ret_port->master_is_bridge)
		return us_refuse(reason, "interface %s: is a port of no bridge: add it to one",
				 name);
	return 0;
}

static int check_same_bridge(const struct us_link *one, const struct us_link *other,
			     struct us_reason *reason)
{
	if (one->master == other->master)
		return 0;
	return us_refuse(reason,
			 "interfaces %s and %s: are ports of two bridges: put both into one",
			 one->name, other->name);
}

static int remember(struct us_steer *steer, const struct found *found, size_t count)
{
	struct found *copy = calloc(count + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	memcpy(copy, found, sizeof(*found) * count);
	free(steer->found);
	steer->found = copy;
	steer->found_count = count;
	return 0;
}

static bool is_ours(const struct us_fdb_entry *entry)
{
	return (entry->state & NUD_NOARP) && (entry->flags & NTF_STICKY);
}

/* Takes down one static entry. The host's own is no entry that frames could be steered by. */
static int add_found(struct us_steer *steer, const struct us_fdb_entry *entry, struct found *found,
		     size_t *count, struct us_reason *reason)
{
	char mac[US_MAC_TEXT_SIZE];

	found += *count;
	if (entry->state & NUD_PERMANENT) {
		us_mac_text(steer->mac, mac);
		return us_refuse(reason,
				 "MAC %s: is an address of this host itself: give the pair another",
				 mac);
	}
	if (!(entry->state & NUD_NOARP) || !if_indextoname(entry->port, found->port))
		return 0;
	/* Left by a pair that was let go as it was: nobody else sends to a primary's port so. */
	if (is_ours(entry) && strcmp(found->port, steer->primary) == 0) {
		steer->is_changed = true;
		return 0;
	}
	found->vlan = entry->vlan;
	found->state = entry->state;
	found->flags = entry->flags & ~NTF_MASTER;
	(*count)++;
	return 0;
}

/* What the bridge has for the MAC; a bridge that looks at no VLANs can be asked directly. */
static int look(const struct us_steer *steer, int bridge, struct us_fdb_entry *ret_entries,
		size_t *ret_count)
{
	bool filters_vlans = false;
	int r;

	r = us_link_filters_vlans(bridge, &filters_vlans);
	if (r < 0)
		return r;
	if (filters_vlans)
		return us_fdb_find(steer->mac, bridge, ret_entries, FOUND_MAX, ret_count);
	r = us_fdb_get(steer->mac, bridge, ret_entries, NULL);
	*ret_count = r == 0;
	return r == -ENOENT ? 0 : r;
}

static int find_before_change(struct us_steer *steer, int bridge, struct us_reason *reason)
{
	struct us_fdb_entry entries[FOUND_MAX];
	struct found found[FOUND_MAX];
	size_t count = 0, found_count = 0;
	int r;

	r = look(steer, bridge, entries, &count);
	if (r == -ENOSPC)
		return us_refuse(reason, "bridge of %s: more than %d entries for one MAC",
				 steer->standby, FOUND_MAX);
	if (r < 0)
		return us_refuse(reason, "bridge of %s: does not show its entries: %s",
				 steer->standby, us_strerror(r));
	for (size_t i = 0; i < count && r == 0; i++)
		r = add_found(steer, &entries[i], found, &found_count, reason);
	return r ? r : remember(steer, found, found_count);
}

int us_steer_new_bridge(struct us_steer **ret_steer, const struct us_steer_config *config,
			struct us_reason *reason)
{
	US_CLEANUP(us_freep) struct us_steer *steer = NULL;
	struct us_link standby;
	int r;

	steer = calloc(1, sizeof(*steer));
	if (!steer)
		return -ENOMEM;
	memcpy(steer->mac, config->mac, sizeof(steer->mac));
	steer->loop = config->loop;
	steer->handler = config->handler;
	steer->userdata = config->userdata;
	steer->limits = config->limits;

	r = get_port(config->standby_port, &standby, reason);
	if (r != 0)
		return r;
	memcpy(steer->standby, standby.name, sizeof(steer->standby));
	r = us_steer_set_primary(steer, config->primary_port, reason);
	if (r == 0)
		r = find_before_change(steer, standby.master, reason);
	if (r == 0 && steer->loop)
		r = us_timer_init(&steer->card, steer->loop, on_card, steer);
	if (r == 0)
		*ret_steer = US_STEAL(steer);
	return r;
}

int us_steer_set_primary(struct us_steer *steer, const char *port, struct us_reason *reason)
{
	struct us_link standby, primary;
	int r;

	if (!port) {
		steer->primary[0] = '\0';
		return 0;
	}
	r = get_port(steer->standby, &standby, reason);
	if (r == 0)
		r = get_port(port, &primary, reason);
	if (r == 0)
		r = check_same_bridge(&standby, &primary, reason);
	if (r == 0)
		memcpy(steer->primary, primary.name, sizeof(steer->primary));
	return r;
}

/* What the card does with the MAC, before the bridge does as much. */
static int tell_card(struct us_steer *steer, enum us_path path, struct us_reason *reason)
{
	static const enum us_sriov_target tos[] = {
		[US_PATH_NONE] = US_SRIOV_AWAY,
		[US_PATH_STANDBY] = US_SRIOV_BRIDGE,
		[US_PATH_PRIMARY] = US_SRIOV_GUEST,
		[US_PATH_PARKED] = US_SRIOV_BRIDGE,
	};

	return steer->sriov ? us_sriov_steer(steer->sriov, tos[path], reason) : 0;
}

static void stop_deferred(struct us_steer *steer)
{
	if (steer->loop)
		us_timer_stop(&steer->card);
	steer->told = 0;
}

/* The whole of a path waits for its card: neither is told before the other could be. */
static int defer(struct us_steer *steer, enum us_path path)
{
	if (!steer->loop || ++steer->told >= US_SRIOV_TRIES)
		return US_REFUSED; /* with the words of the last attempt */
	steer->deferred = path;
	us_timer_set(&steer->card, us_now_usec() + US_SRIOV_PAUSE_USEC);
	return US_STEER_RELEASING;
}

int us_steer_set_sriov(struct us_steer *steer, struct us_sriov *sriov, struct us_reason *reason)
{
	enum us_path path;
	int r;

	steer->sriov = sriov;
	/* A path that waits is steered to with this one, or without. */
	if (!sriov || (steer->loop && us_timer_is_set(&steer->card)))
		return 0;
	steer->told = 0;
	r = us_steer_path(steer, &path);
	if (r == 0)
		r = tell_card(steer, path, reason);
	if (r != US_SRIOV_AGAIN)
		return r;
	return defer(steer, path) == US_STEER_RELEASING ? 0 : US_REFUSED;
}

/* If the card does not obey, it will be told again with the next path. */
void us_steer_set_answering(struct us_steer *steer, bool is_answering)
{
	enum us_path path;

	if (!steer->sriov || us_steer_path(steer, &path) != 0)
		return;
	if (is_answering)
		us_sriov_steer(steer->sriov, US_SRIOV_GUEST, NULL);
	else
		tell_card(steer, path, NULL);
}

/* Deletes whatever points to a port of ours; a port that is gone took its entries with it. */
static void delete_at(const struct us_steer *steer, const char *name)
{
	int port = name[0] ? if_nametoindex(name) : 0;

	if (port)
		us_fdb_delete(steer->mac, port, 0);
}

static void delete_park(struct us_steer *steer)
{
	if (steer->is_parked)
		us_fdb_delete(steer->mac, us_park_tap(steer->park)->index, 0);
	steer->is_parked = false;
}

static int put_back(struct us_steer *steer, struct us_reason *reason)
{
	struct us_rtnl_error words;

	if (!steer->is_changed)
		return 0;
	delete_at(steer, steer->standby);
	delete_at(steer, steer->primary);
	delete_park(steer);
	steer->is_changed = false;
	for (size_t i = 0; i < steer->found_count; i++) {
		const struct found *found = &steer->found[i];
		struct us_fdb_entry entry = { .port = if_nametoindex(found->port),
					      .vlan = found->vlan,
					      .state = found->state,
					      .flags = found->flags };

		memcpy(entry.mac, steer->mac, sizeof(entry.mac));
		if (entry.port && us_fdb_put(&entry, &words) < 0)
			return us_refuse(reason, "interface %s: its entry was not put back: %s",
					 found->port, words.text);
	}
	return 0;
}

/* Changes the entry, and proves it by reading it back. */
static int point_to(struct us_steer *steer, const struct us_link *port, struct us_reason *reason)
{
	struct us_fdb_entry entry = { .port = port->index,
				      .state = NUD_NOARP,
				      .flags = NTF_STICKY };
	struct us_fdb_entry seen;
	struct us_rtnl_error words;
	int r;

	memcpy(entry.mac, steer->mac, sizeof(entry.mac));
	steer->is_changed = true;
	r = us_fdb_put(&entry, &words);
	if (r == 0 && steer->is_parked) /* at once: what comes now overtakes it */
		us_park_forward(steer->park);
	if (r < 0 || us_fdb_get(steer->mac, port->master, &seen, &words) < 0)
		return us_refuse(reason, "interface %s: the bridge refused the entry: %s",
				 port->name, words.text);
	if (seen.port != port->index || !is_ours(&seen))
		return us_refuse(reason, "interface %s: the bridge took the entry but has another",
				 port->name);
	return 0;
}

static int find_and_point_to(struct us_steer *steer, const struct us_link *port,
			     struct us_reason *reason)
{
	int r = steer->is_changed ? 0 : find_before_change(steer, port->master, reason);

	return r == 0 ? point_to(steer, port, reason) : r;
}

/* ---- To a port, or back ---- */

/* The name of the port where the guest listens if @path is steered to, "": there is none. */
static const char *port_of(const struct us_steer *steer, enum us_path path)
{
	return path == US_PATH_PRIMARY ? steer->primary : steer->standby;
}

static int steer_away(struct us_steer *steer, enum us_path path, struct us_reason *reason)
{
	struct us_link port;
	int r = tell_card(steer, path, reason);

	if (r != 0)
		return r;
	if (path == US_PATH_NONE)
		return put_back(steer, reason);
	r = get_port(port_of(steer, path), &port, reason);
	if (r == 0)
		r = find_and_point_to(steer, &port, reason);
	if (r != 0)
		return r;
	delete_at(steer, path == US_PATH_PRIMARY ? steer->standby : steer->primary);
	delete_park(steer);
	return 0;
}

/* ---- To the parking lot, and from there ---- */

/* What it still holds goes with it. */
static void end_park(struct us_steer *steer)
{
	us_steer_counts(steer, &steer->past);
	steer->past.undelivered += steer->past.frames;
	us_park_free(US_STEAL(steer->park));
}

static void on_emptied(void *userdata)
{
	struct us_steer *steer = userdata;
	struct us_reason reason = { .text = "" };
	int r;

	if (steer->is_delivering) {
		steer->is_delivering = false;
		us_park_finish(steer->park);
		return;
	}
	r = steer_away(steer, steer->release_to, &reason);
	if (r == 0)
		us_park_finish(steer->park);
	else
		us_park_start_buffering(steer->park);
	if (r == US_SRIOV_AGAIN)
		r = defer(steer, steer->release_to);
	if (r == US_STEER_RELEASING)
		return;
	steer->handler->steered(steer->userdata, steer->release_to, r, &reason);
}

static void on_failed(void *userdata)
{
	struct us_steer *steer = userdata;
	struct us_reason reason;

	if (steer->is_delivering) {
		steer->is_delivering = false;
		end_park(steer);
		return;
	}
	us_refuse(&reason, "interface %s: is gone", port_of(steer, steer->release_to));
	steer->handler->steered(steer->userdata, steer->release_to, US_REFUSED, &reason);
}

static void on_idle(void *userdata)
{
	struct us_steer *steer = userdata;

	end_park(steer);
}

static const struct us_park_handler park_handler = { on_emptied, on_failed, on_idle };

int us_steer_make_park(struct us_steer *steer, struct us_reason *reason)
{
	struct us_park_config config = { .loop = steer->loop, .limits = steer->limits };
	struct us_link standby;
	int r;

	if (steer->park) {
		if (us_park_is_finished(steer->park)) /* it is about to go */
			us_park_start_buffering(steer->park);
		return 0;
	}
	if (!steer->loop)
		return us_refuse(reason, "frames cannot be parked here");
	r = get_port(steer->standby, &standby, reason);
	if (r != 0)
		return r;
	memcpy(config.mac, steer->mac, sizeof(config.mac));
	return us_park_new(&steer->park, &config, &standby, &park_handler, steer, reason);
}

void us_steer_drop_park(struct us_steer *steer)
{
	if (steer->park && !steer->is_parked && !steer->is_delivering &&
	    !us_park_is_finished(steer->park))
		us_park_finish(steer->park);
}

static int park(struct us_steer *steer, struct us_reason *reason)
{
	enum us_path present;
	int r = us_steer_make_park(steer, reason);

	if (r != 0)
		return r;
	us_park_start_buffering(steer->park);
	steer->is_delivering = false;
	r = tell_card(steer, US_PATH_PARKED, reason);
	if (r != 0)
		return r;
	if (steer->is_parked && us_steer_path(steer, &present) == 0 && present == US_PATH_PARKED)
		return 0;
	r = find_and_point_to(steer, us_park_tap(steer->park), reason);
	if (r != 0 && steer->is_parked)
		return r;
	if (r != 0) {
		us_steer_drop_park(steer);
		return r;
	}
	steer->is_parked = true;
	delete_at(steer, steer->standby);
	delete_at(steer, steer->primary);
	return 0;
}

static int release(struct us_steer *steer, enum us_path path, struct us_reason *reason)
{
	struct us_link port;
	int r = tell_card(steer, path, reason);

	if (r == 0)
		r = us_link_get(port_of(steer, path), &port, reason);
	if (r == 0)
		r = us_park_release(steer->park, &port, reason);
	if (r == US_STEER_RELEASING) {
		steer->release_to = path;
		return r;
	}
	if (r != 0 && path != US_PATH_NONE)
		return r;
	/* Nothing is held, or nobody is there who could get it. */
	r = steer_away(steer, path, reason);
	if (r == 0)
		us_park_finish(steer->park);
	return r;
}

static int steer_to(struct us_steer *steer, enum us_path path, struct us_reason *reason)
{
	int r;

	if (path == US_PATH_PARKED)
		r = park(steer, reason);
	else if (steer->is_parked)
		r = release(steer, path, reason);
	else
		r = steer_away(steer, path, reason);
	return r == US_SRIOV_AGAIN ? defer(steer, path) : r;
}

static void on_card(void *userdata)
{
	struct us_steer *steer = userdata;
	struct us_reason reason = { .text = "" };
	enum us_path path = steer->deferred;
	int r = steer_to(steer, path, &reason);

	if (r != US_STEER_RELEASING)
		steer->handler->steered(steer->userdata, path, r, &reason);
}

int us_steer_to(struct us_steer *steer, enum us_path path, struct us_reason *reason)
{
	if (path >= US_PATH_N)
		return -EINVAL;
	if (path == US_PATH_PRIMARY && !steer->primary[0])
		return us_refuse(reason, "the pair has no primary port to steer to");
	stop_deferred(steer);
	return steer_to(steer, path, reason);
}

struct us_park *us_steer_park(struct us_steer *steer)
{
	return steer->park;
}

void us_steer_counts(const struct us_steer *steer, struct us_park_counts *ret_counts)
{
	struct us_park_counts counts = { 0 };

	if (steer->park)
		us_park_counts(steer->park, &counts);
	counts.held += steer->past.held;
	counts.held_bytes += steer->past.held_bytes;
	counts.released += steer->past.released;
	counts.overflowed += steer->past.overflowed;
	counts.undelivered += steer->past.undelivered;
	*ret_counts = counts;
}

/* ---- Handoff ---- */

static int begin_delivery(struct us_steer *steer, struct us_reason *reason)
{
	enum us_path path = US_PATH_NONE;
	struct us_link port;
	int r = us_steer_path(steer, &path);

	if (r == 0)
		r = us_link_get(port_of(steer, path), &port, reason);
	if (r == 0)
		r = us_park_release(steer->park, &port, reason);
	if (r != US_STEER_RELEASING)
		return r;
	steer->is_delivering = true;
	return 0;
}

int us_steer_deliver(struct us_steer *steer, const struct us_frame *frame,
		     struct us_reason *reason)
{
	int r = us_steer_make_park(steer, reason);

	if (r != 0)
		return r;
	us_park_put(steer->park, frame, true);
	if (steer->is_parked || steer->is_delivering)
		return 0;
	r = begin_delivery(steer, reason);
	us_steer_drop_park(steer); /* if it did not begin */
	return r;
}

/* ---- The end ---- */

static void flush_to(struct us_steer *steer, const char *name)
{
	struct us_link port;

	if (name[0] && us_link_get(name, &port, NULL) == 0)
		us_park_flush(steer->park, &port);
}

static void steer_end(struct us_steer *steer)
{
	us_timer_deinit(&steer->card);
	us_park_free(steer->park);
	free(steer->found);
	free(steer);
}

void us_steer_free(struct us_steer *steer)
{
	if (!steer)
		return;
	put_back(steer, NULL);
	if (steer->park)
		flush_to(steer, steer->standby);
	steer_end(steer);
}

void us_steer_abandon(struct us_steer *steer)
{
	if (steer->is_parked) {
		delete_park(steer);
		flush_to(steer, steer->standby);
		flush_to(steer, steer->primary);
	}
	steer_end(steer);
}

int us_steer_path(struct us_steer *steer, enum us_path *ret_path)
{
	struct us_link standby, primary = { .index = 0 };
	struct us_fdb_entry entry;
	int r;

	*ret_path = US_PATH_NONE;
	r = us_link_get(steer->standby, &standby, NULL);
	if (r < 0)
		return r;
	if (r > 0)
		standby = (struct us_link){ .index = 0 };
	r = steer->primary[0] ? us_link_get(steer->primary, &primary, NULL) : 0;
	if (r < 0)
		return r;
	if (r > 0)
		primary = (struct us_link){ .index = 0 };
	if (!standby.master && !primary.master)
		return 0;

	r = us_fdb_get(steer->mac, standby.master ? standby.master : primary.master, &entry, NULL);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (is_ours(&entry) && steer->is_parked && entry.port == us_park_tap(steer->park)->index)
		*ret_path = US_PATH_PARKED;
	else if (is_ours(&entry) && entry.port == standby.index)
		*ret_path = US_PATH_STANDBY;
	else if (is_ours(&entry) && entry.port == primary.index)
		*ret_path = US_PATH_PRIMARY;
	return 0;
}

int us_steer_save(const struct us_steer *steer, char *ret_text, size_t size)
{
	size_t used = 0;

	if (size == 0)
		return -ENOBUFS;
	ret_text[0] = '\0';
	for (size_t i = 0; i < steer->found_count; i++) {
		const struct found *found = &steer->found[i];
		int n = snprintf(ret_text + used, size - used, "%s%s/%u/%x/%x", i ? " " : "",
				 found->port, found->vlan, found->state, found->flags);

		if (n < 0 || (size_t)n >= size - used)
			return -ENOBUFS;
		used += n;
	}
	return 0;
}

int us_steer_restore(struct us_steer *steer, const char *text)
{
	struct found found[FOUND_MAX];
	size_t count = 0;
	int used = 0;

	for (; *text; text += used) {
		unsigned int vlan, state, flags;

		if (count == FOUND_MAX ||
		    sscanf(text, " %15[^/ ]/%u/%x/%x%n", found[count].port, &vlan, &state, &flags,
			   &used) != 4 ||
		    vlan > 4094 || state > UINT16_MAX || flags > UINT8_MAX)
			return -EBADMSG;
		found[count].vlan = vlan;
		found[count].state = state;
		found[count++].flags = flags;
	}
	if (remember(steer, found, count) < 0)
		return -ENOMEM;
	steer->is_changed = true;
	return 0;
}
