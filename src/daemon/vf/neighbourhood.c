/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The neighbours of each PF that a pair has a VF of: they come and go with every entry of its
 * bridge, so they are looked at a moment after something changed, and once a second at most. MACs
 * of pairs with a VF are left to the steering of those.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "daemon/daemon.h"
#include "util/clock.h"
#include "util/file.h"

enum {
	SOON_USEC = 50 * 1000,
	AGAIN_USEC = 1000 * 1000,
	REFUSED_USEC = 10 * 1000 * 1000, /* what was refused may be over, which nobody tells */
};

#define RECORD "neighbours-"

struct us_neighbourhood {
	struct us_list link;
	struct us_neighbours *neighbours;
	char *told; /* the last refusal, said once */
};

static struct us_neighbourhood *find(struct us_daemon *daemon, const char *pf)
{
	struct us_neighbourhood *one;

	us_list_for_each (one, &daemon->neighbourhoods, link)
		if (strcmp(us_neighbours_pf(one->neighbours), pf) == 0)
			return one;
	return NULL;
}

static void begin(struct us_daemon *daemon, const char *pf)
{
	struct us_neighbourhood *one;
	char record[PATH_MAX];

	if (find(daemon, pf))
		return;
	one = calloc(1, sizeof(*one));
	snprintf(record, sizeof(record), "%s/" RECORD "%s", daemon->state_dir, pf);
	if (!one || us_neighbours_new(&one->neighbours, pf, record) < 0) {
		free(one);
		return; /* it is tried again at the next look */
	}
	us_list_append(&daemon->neighbourhoods, &one->link);
}

static void end(struct us_neighbourhood *one)
{
	us_list_remove(&one->link);
	free(one->told);
	free(one);
}

static bool is_of_vf(const struct us_host_pair *pair, const char *pf)
{
	const char *own = us_host_vf_pf(pair);

	return own && (!pf || strcmp(own, pf) == 0);
}

/* The pair that @is_wanted(pair, @what) is true of, or NULL. */
static const struct us_host_pair *
any_pair(struct us_daemon *daemon,
	 bool (*is_wanted)(const struct us_host_pair *pair, const void *what), const void *what)
{
	struct us_host_vm *vm;
	struct us_host_pair *pair;

	us_list_for_each (vm, &daemon->vms, link)
		us_list_for_each (pair, &vm->pairs, link)
			if (is_wanted(pair, what))
				return pair;
	return NULL;
}

static bool uses(const struct us_host_pair *pair, const void *pf)
{
	return is_of_vf(pair, pf);
}

static bool steers(const struct us_host_pair *pair, const void *mac)
{
	return is_of_vf(pair, NULL) && memcmp(pair->spec.mac, mac, US_MAC_BYTES) == 0;
}

static bool is_steered(void *userdata, const uint8_t mac[US_MAC_BYTES])
{
	return any_pair(userdata, steers, mac);
}

/* What is learned at those that were declared is of interest. */
static void follow_ports(struct us_daemon *daemon, const struct us_pools *pools)
{
	int ports[US_POOL_NEIGHBOURS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < pools->neighbour_count; i++) {
		ports[count] = if_nametoindex(pools->neighbours[i]);
		count += ports[count] != 0;
	}
	if (count == daemon->neighbour_port_count &&
	    memcmp(ports, daemon->neighbour_ports, count * sizeof(*ports)) == 0)
		return;
	memcpy(daemon->neighbour_ports, ports, count * sizeof(*ports));
	daemon->neighbour_port_count = count;
	us_recheck_update_interest(daemon);
}

static void follow(struct us_daemon *daemon, struct us_neighbourhood *one)
{
	struct us_neighbours_rules rules = { .is_others = is_steered, .userdata = daemon };
	struct us_reason reason = { .text = "" };
	struct us_pools pools;
	int r = us_pools_read(daemon->pools_path, &pools, &reason);

	/* A file with a mistake declares no port. */
	rules.ports = (const char(*)[IF_NAMESIZE])pools.neighbours;
	rules.port_count = pools.neighbour_count;
	follow_ports(daemon, &pools);
	if (r == 0)
		r = us_neighbours_update(one->neighbours, &rules, &reason);
	else
		us_neighbours_update(one->neighbours, &rules, NULL);
	us_pools_free(&pools);
	if (r < 0)
		us_refuse(&reason, "interface %s: its neighbours: %s",
			  us_neighbours_pf(one->neighbours), us_strerror(r));
	if (r != 0 && !us_timer_is_set(&daemon->neighbouring))
		us_timer_set(&daemon->neighbouring, us_now_usec() + REFUSED_USEC);
	if (r != 0 && strcmp(us_optional_text(one->told), reason.text) != 0)
		us_log(LOG_WARNING, "%s", reason.text);
	us_optional_set(&one->told, reason.text);
}

static void on_due(void *userdata)
{
	struct us_daemon *daemon = userdata;
	struct us_neighbourhood *one;
	struct us_host_vm *vm;
	struct us_host_pair *pair;

	daemon->neighbours_usec = us_now_usec();
	us_list_for_each (vm, &daemon->vms, link)
		us_list_for_each (pair, &vm->pairs, link)
			if (is_of_vf(pair, NULL))
				begin(daemon, us_host_vf_pf(pair));
	us_list_for_each (one, &daemon->neighbourhoods, link) {
		if (any_pair(daemon, uses, us_neighbours_pf(one->neighbours)) ||
		    us_orphans_have_behind(daemon, us_neighbours_pf(one->neighbours))) {
			follow(daemon, one);
		} else {
			us_neighbours_free(one->neighbours);
			end(one);
		}
	}
}

void us_neighbourhood_changed(struct us_daemon *daemon)
{
	uint64_t soon_usec = us_now_usec() + SOON_USEC;
	uint64_t again_usec = daemon->neighbours_usec + AGAIN_USEC;
	uint64_t due_usec = again_usec > soon_usec ? again_usec : soon_usec;
	const struct us_timer *timer = &daemon->neighbouring;

	if ((us_timer_is_set(timer) && timer->due_usec <= due_usec) ||
	    (us_list_is_empty(&daemon->neighbourhoods) && !any_pair(daemon, uses, NULL)))
		return;
	us_timer_set(&daemon->neighbouring, due_usec);
}

/* What an earlier daemon has left is looked at as well: nobody may have a VF there any more. */
static void find_records(struct us_daemon *daemon)
{
	US_CLEANUP(closedirp) DIR *directory = opendir(daemon->state_dir);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (strncmp(entry->d_name, RECORD, strlen(RECORD)) == 0)
			begin(daemon, entry->d_name + strlen(RECORD));
}

int us_neighbourhood_init(struct us_daemon *daemon)
{
	int r = us_timer_init(&daemon->neighbouring, daemon->loop, on_due, daemon);

	us_list_init(&daemon->neighbourhoods);
	if (r < 0)
		return r;
	if (daemon->state_dir)
		find_records(daemon);
	if (!us_list_is_empty(&daemon->neighbourhoods)) /* pairs come from the state file first */
		us_timer_set(&daemon->neighbouring, us_now_usec() + AGAIN_USEC);
	return 0;
}

void us_neighbourhood_deinit(struct us_daemon *daemon)
{
	struct us_neighbourhood *one;

	us_list_for_each (one, &daemon->neighbourhoods, link) {
		us_neighbours_abandon(one->neighbours);
		end(one);
	}
	us_timer_deinit(&daemon->neighbouring);
}
