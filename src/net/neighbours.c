/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of a few MAC addresses: the one that the bridge shows, and the one that the PF was told. */
#include <errno.h>
#include <limits.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/fdb.h"
#include "net/neighbours.h"
#include "util/file.h"
#include "util/mac.h"

enum {
	LINE_BYTES = US_MAC_TEXT_SIZE, /* of the record: an address and its end */
};

struct set {
	uint8_t macs[US_NEIGHBOURS_MAX][6];
	size_t count;
	bool is_full; /* and there was one more */
};

struct us_neighbours {
	char pf[IF_NAMESIZE], record[PATH_MAX];
	struct set told;
};

static bool has(const struct set *set, const uint8_t mac[6])
{
	for (size_t i = 0; i < set->count; i++)
		if (memcmp(set->macs[i], mac, 6) == 0)
			return true;
	return false;
}

static void add(struct set *set, const uint8_t mac[6])
{
	if (has(set, mac))
		return;
	set->is_full = set->count == US_NEIGHBOURS_MAX;
	if (!set->is_full)
		memcpy(set->macs[set->count++], mac, 6);
}

static void drop(struct set *set, size_t i)
{
	memcpy(set->macs[i], set->macs[--set->count], 6);
}

/* Those of @set that are not in @other. */
static void without(const struct set *set, const struct set *other, struct set *ret_rest)
{
	ret_rest->count = 0;
	for (size_t i = 0; i < set->count; i++)
		if (!has(other, set->macs[i]))
			add(ret_rest, set->macs[i]);
}

/* ---- The record ---- */

static void read_record(struct us_neighbours *neighbours)
{
	US_CLEANUP(fclosep) FILE *file = fopen(neighbours->record, "re");
	char text[US_MAC_TEXT_SIZE];
	uint8_t mac[US_MAC_BYTES];

	while (file && fscanf(file, "%17s", text) == 1 && us_mac_parse(text, mac) == 0)
		add(&neighbours->told, mac);
}

static size_t put_macs(char *text, const struct set *set)
{
	size_t used = 0;

	for (size_t i = 0; i < set->count; i++) {
		us_mac_text(set->macs[i], text + used);
		used += strlen(text + used);
		text[used++] = '\n';
	}
	return used;
}

/* All that is told now and all that is to be. */
static int write_record(const struct us_neighbours *neighbours, const struct set *news)
{
	char text[2 * US_NEIGHBOURS_MAX * LINE_BYTES + 1];
	struct iovec part = { .iov_base = text };

	part.iov_len = put_macs(text, &neighbours->told);
	part.iov_len += put_macs(text + part.iov_len, news);
	return us_file_replace(neighbours->record, &part, 1);
}

/* ---- What there is ---- */

struct search {
	const struct us_link *pf;
	bool (*is_others)(void *userdata, const uint8_t mac[6]);
	void *userdata;
	struct set *found;
};

static void want(struct search *search, const uint8_t mac[6])
{
	if (!(mac[0] & 1) && memcmp(mac, search->pf->mac, 6) != 0 &&
	    !search->is_others(search->userdata, mac))
		add(search->found, mac);
}

/* The addresses of the ports themselves are nobody's. */
static void on_entry(void *userdata, const struct us_fdb_entry *entry)
{
	struct search *search = userdata;

	if (entry->port != search->pf->index && !(entry->state & NUD_PERMANENT))
		want(search, entry->mac);
}

/* The host has the bridge's own address, mostly that of one of its ports. */
static int find_all(struct search *search, struct us_reason *reason)
{
	char name[IF_NAMESIZE] = "";
	struct us_link bridge;
	int r;

	if_indextoname(search->pf->master, name);
	r = us_link_get(name, &bridge, reason);
	if (r != 0)
		return r;
	want(search, bridge.mac);
	return us_fdb_each(bridge.index, on_entry, search);
}

/* ---- What the PF is told ---- */

/* One that is others' now is for them to take back. */
static void take_back(struct set *told, const struct search *search)
{
	for (size_t i = told->count; i-- > 0;)
		if (!has(search->found, told->macs[i]) &&
		    (search->is_others(search->userdata, told->macs[i]) ||
		     us_fdb_listen(told->macs[i], search->pf->index, false, NULL) == 0))
			drop(told, i);
}

static int tell(struct set *told, int pf, const struct set *news, struct us_rtnl_words *words)
{
	int r = 0;

	for (size_t i = 0; i < news->count && r == 0; i++) {
		r = us_fdb_listen(news->macs[i], pf, true, words);
		if (r == 0)
			add(told, news->macs[i]);
	}
	return r;
}

int us_neighbours_follow(struct us_neighbours *neighbours,
			 bool (*is_others)(void *userdata, const uint8_t mac[6]), void *userdata,
			 struct us_reason *reason)
{
	struct us_rtnl_words words = { "" };
	struct set wanted = { .count = 0 }, news;
	struct us_link pf;
	struct search search = { &pf, is_others, userdata, &wanted };
	int r = us_link_get(neighbours->pf, &pf, reason);

	if (r != 0)
		return r;
	if (!pf.master_is_bridge)
		return us_refuse(reason, "interface %s: is a port of no bridge", pf.name);
	r = find_all(&search, reason);
	if (r > 0)
		return r;
	without(&wanted, &neighbours->told, &news);
	if (r == 0 && news.count > 0) /* what is told is on record before it is */
		r = write_record(neighbours, &news);
	if (r == 0) {
		take_back(&neighbours->told, &search);
		r = tell(&neighbours->told, pf.index, &news, &words);
	}
	if (r != 0)
		return us_refuse(reason,
				 "interface %s: cannot listen for all behind its bridge: %s",
				 pf.name, words.text[0] ? words.text : us_strerror(r));
	if (wanted.is_full)
		return us_refuse(reason,
				 "interface %s: more than %d are behind its bridge: VFs do not "
				 "reach all of them",
				 pf.name, US_NEIGHBOURS_MAX);
	return 0;
}

/* ---- Life ---- */

int us_neighbours_new(struct us_neighbours **ret_neighbours, const char *pf, const char *record)
{
	struct us_neighbours *neighbours = calloc(1, sizeof(*neighbours));

	if (!neighbours)
		return -ENOMEM;
	snprintf(neighbours->pf, sizeof(neighbours->pf), "%s", pf);
	snprintf(neighbours->record, sizeof(neighbours->record), "%s", record);
	read_record(neighbours);
	*ret_neighbours = neighbours;
	return 0;
}

const char *us_neighbours_pf(const struct us_neighbours *neighbours)
{
	return neighbours->pf;
}

static bool is_nobodys(void *userdata, const uint8_t mac[6])
{
	return false;
}

void us_neighbours_free(struct us_neighbours *neighbours)
{
	struct set nobody = { .count = 0 };
	struct us_link pf;
	struct search search = { &pf, is_nobodys, NULL, &nobody };

	if (!neighbours)
		return;
	if (us_link_get(neighbours->pf, &pf, NULL) == 0)
		take_back(&neighbours->told, &search);
	unlink(neighbours->record);
	free(neighbours);
}

void us_neighbours_abandon(struct us_neighbours *neighbours)
{
	free(neighbours);
}
