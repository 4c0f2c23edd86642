/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The neighbours of each PF of which a pair has a VF: the hosts behind the PF's bridge that VFs
 * have to reach. They change with every entry of the bridge's FDB, so they are updated 50 ms after
 * a change, and once a second at most. A pair's own MAC address is left to the pair's path.
 */
#include <dirent.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/vf/vf-private.h"
#include "net/vf/neighbours.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/log.h"
#include "util/optional-string.h"

enum {
	SOON_USEC = 50 * 1000,
	AGAIN_USEC = 1000 * 1000,
	REFUSED_USEC = 10 * 1000 * 1000, /* nothing tells when the cause of a refusal is gone */
};

#define RECORD "neighbours-"

struct us_neighbourhood {
	struct us_list link;
	struct us_neighbours *neighbours;
	char *logged; /* an optional string: the last refusal */
};

static struct us_neighbourhood *find(struct us_vfs *vfs, const char *pf)
{
	struct us_neighbourhood *one;

	us_list_for_each (one, &vfs->neighbourhoods, link)
		if (strcmp(us_neighbours_pf(one->neighbours), pf) == 0)
			return one;
	return NULL;
}

static void begin(struct us_vfs *vfs, const char *pf)
{
	struct us_neighbourhood *one;
	char record[PATH_MAX];

	if (find(vfs, pf))
		return;
	one = calloc(1, sizeof(*one));
	snprintf(record, sizeof(record), "%s/" RECORD "%s", vfs->config.state_dir, pf);
	if (!one || us_neighbours_new(&one->neighbours, pf, record) < 0) {
		free(one);
		return; /* the next update tries again */
	}
	us_list_append(&vfs->neighbourhoods, &one->link);
}

static void end(struct us_neighbourhood *one)
{
	us_list_remove(&one->link);
	free(one->logged);
	free(one);
}

/* Whether a pair has a VF of @pf, or of any PF if @pf is NULL. */
static bool has_vf(const struct us_vfs *vfs, const char *pf)
{
	const struct us_host_vf *vf;

	us_list_for_each (vf, &vfs->vfs, link) {
		const char *own = us_host_vf_pf(vf);

		if (own && (!pf || strcmp(own, pf) == 0))
			return true;
	}
	return false;
}

/* Whether one is a VF of @pf without a representor: a guest may still use it. */
static bool has_orphan(const struct us_vfs *vfs, const char *pf)
{
	const struct us_orphan *orphan;

	us_list_for_each (orphan, &vfs->orphans, link)
		if (!orphan->reserved.representor[0] && strcmp(orphan->reserved.port, pf) == 0)
			return true;
	return false;
}

static bool is_steered(void *userdata, const uint8_t mac[US_MAC_BYTES])
{
	const struct us_vfs *vfs = userdata;
	const struct us_host_vf *vf;

	us_list_for_each (vf, &vfs->vfs, link)
		if (us_host_vf_pf(vf) && memcmp(vf->config.mac, mac, US_MAC_BYTES) == 0)
			return true;
	return false;
}

/* Has the entries at the declared ports reported. */
static void update_ports(struct us_vfs *vfs, const struct us_pools *pools)
{
	int ports[US_POOL_NEIGHBOURS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < pools->neighbour_count; i++) {
		ports[count] = if_nametoindex(pools->neighbours[i]);
		count += ports[count] != 0;
	}
	if (count == vfs->neighbour_port_count &&
	    memcmp(ports, vfs->neighbour_ports, count * sizeof(*ports)) == 0)
		return;
	memcpy(vfs->neighbour_ports, ports, count * sizeof(*ports));
	vfs->neighbour_port_count = count;
	vfs->handler->ports_changed(vfs->userdata);
}

static void update(struct us_vfs *vfs, struct us_neighbourhood *one)
{
	struct us_neighbours_rules rules = { .is_others = is_steered, .userdata = vfs };
	struct us_reason reason = { .text = "" };
	struct us_pools pools;
	int r = us_pools_read(vfs->config.pools_path, &pools, &reason);

	/* A file with a mistake declares no port. */
	rules.ports = (const char(*)[IF_NAMESIZE])pools.neighbours;
	rules.port_count = pools.neighbour_count;
	update_ports(vfs, &pools);
	if (r == 0)
		r = us_neighbours_update(one->neighbours, &rules, &reason);
	else
		us_neighbours_update(one->neighbours, &rules, NULL);
	us_pools_free(&pools);
	if (r < 0)
		us_refuse(&reason, "interface %s: its neighbours: %s",
			  us_neighbours_pf(one->neighbours), us_strerror(r));
	if (r != 0 && !us_timer_is_set(&vfs->neighbours_timer))
		us_timer_set(&vfs->neighbours_timer, us_now_usec() + REFUSED_USEC);
	if (r != 0 && strcmp(us_optional_text(one->logged), reason.text) != 0)
		us_log(LOG_WARNING, "%s", reason.text);
	us_optional_set(&one->logged, reason.text);
}

static void on_due(void *userdata)
{
	struct us_vfs *vfs = userdata;
	struct us_neighbourhood *one;
	const struct us_host_vf *vf;

	vfs->neighbours_usec = us_now_usec();
	us_list_for_each (vf, &vfs->vfs, link)
		if (us_host_vf_pf(vf))
			begin(vfs, us_host_vf_pf(vf));
	us_list_for_each (one, &vfs->neighbourhoods, link) {
		if (has_vf(vfs, us_neighbours_pf(one->neighbours)) ||
		    has_orphan(vfs, us_neighbours_pf(one->neighbours))) {
			update(vfs, one);
		} else {
			us_neighbours_free(one->neighbours);
			end(one);
		}
	}
}

void us_neighbourhood_changed(struct us_vfs *vfs)
{
	uint64_t soon_usec = us_now_usec() + SOON_USEC;
	uint64_t again_usec = vfs->neighbours_usec + AGAIN_USEC;
	uint64_t due_usec = again_usec > soon_usec ? again_usec : soon_usec;
	const struct us_timer *timer = &vfs->neighbours_timer;

	if ((us_timer_is_set(timer) && timer->due_usec <= due_usec) ||
	    (us_list_is_empty(&vfs->neighbourhoods) && !has_vf(vfs, NULL)))
		return;
	us_timer_set(&vfs->neighbours_timer, due_usec);
}

const int *us_vfs_neighbour_ports(const struct us_vfs *vfs, size_t *ret_count)
{
	*ret_count = vfs->neighbour_port_count;
	return vfs->neighbour_ports;
}

/* What an earlier daemon has set up is updated as well: perhaps no pair has a VF there any more. */
static void find_records(struct us_vfs *vfs)
{
	US_CLEANUP(closedirp) DIR *directory = opendir(vfs->config.state_dir);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (strncmp(entry->d_name, RECORD, strlen(RECORD)) == 0)
			begin(vfs, entry->d_name + strlen(RECORD));
}

int us_neighbourhood_init(struct us_vfs *vfs)
{
	int r = us_timer_init(&vfs->neighbours_timer, vfs->config.loop, on_due, vfs);

	if (r < 0)
		return r;
	if (vfs->config.state_dir)
		find_records(vfs);
	if (!us_list_is_empty(
		    &vfs->neighbourhoods)) /* after the pairs were read from the state file */
		us_timer_set(&vfs->neighbours_timer, us_now_usec() + AGAIN_USEC);
	return 0;
}

void us_neighbourhood_deinit(struct us_vfs *vfs)
{
	struct us_neighbourhood *one;

	us_list_for_each (one, &vfs->neighbourhoods, link) {
		us_neighbours_abandon(one->neighbours);
		end(one);
	}
	us_timer_deinit(&vfs->neighbours_timer);
}
