/* SPDX-License-Identifier: BSD-3-Clause */
/* Compares two sets of MAC addresses: the neighbours in the FDB, and those the PF listens for. */
#include <errno.h>
#include <limits.h>
#include <linux/neighbour.h>
#include <string.h>
#include <sys/random.h>

#include "net/netlink/fdb.h"
#include "net/netlink/link.h"
#include "net/vf/neighbours.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/mac.h"

enum {
	LINE_BYTES = US_MAC_TEXT_SIZE, /* of the record: an address and its newline */
	BEYOND_ROWS = 512,
	BEYOND_PER_ROW = 8,
	LEARNED_MAX = 8 * US_NEIGHBOURS_MAX,
};

#define RECENT_USEC (300 * US_USEC_PER_SEC) /* ageing time of a bridge */

struct set {
	uint8_t macs[US_NEIGHBOURS_MAX][6];
	size_t count;
	bool is_full; /* one more was refused */
};

/* A station whose frames came in through the PF. A few thousand of these, in rows by their hash. */
struct beyond {
	uint8_t mac[6];
	bool is_there;	    /* at the last update */
	uint64_t seen_usec; /* 0: none */
};

struct us_neighbours {
	char pf[IF_NAMESIZE], record[PATH_MAX];
	struct set listening; /* the PF listens for these */
	uint64_t seed;	      /* of the hash, so that nobody can choose addresses for one row */
	struct beyond beyond[BEYOND_ROWS][BEYOND_PER_ROW];
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
	if (set->count == US_NEIGHBOURS_MAX)
		set->is_full = true;
	else
		memcpy(set->macs[set->count++], mac, 6);
}

/* The addresses in @set that are not in @other. */
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
		add(&neighbours->listening, mac);
}

static size_t put_macs(char *text, const struct set *set)
{
	size_t used = 0;

	for (size_t i = 0; i < set->count; i++) {
		strcpy(text + used, us_mac_text(set->macs[i]).text);
		used += strlen(text + used);
		text[used++] = '\n';
	}
	return used;
}

/* All addresses that the PF listens for, and those that it will. */
static int write_record(const struct us_neighbours *neighbours, const struct set *news)
{
	char text[2 * US_NEIGHBOURS_MAX * LINE_BYTES + 1];
	struct iovec part = { .iov_base = text };

	part.iov_len = put_macs(text, &neighbours->listening);
	part.iov_len += put_macs(text + part.iov_len, news);
	return us_file_replace(neighbours->record, &part, 1);
}

/* ---- Stations beyond the PF ---- */

static size_t hash(const struct us_neighbours *neighbours, const uint8_t mac[6])
{
	uint64_t word = 0;

	memcpy(&word, mac, US_MAC_BYTES);
	word = (word ^ neighbours->seed) * UINT64_C(0x9e3779b97f4a7c15);
	return (word >> 32) % BEYOND_ROWS;
}

/* The address's entry; otherwise the oldest of its row, which it may replace. */
static struct beyond *beyond_of(struct us_neighbours *neighbours, const uint8_t mac[6])
{
	struct beyond *row = neighbours->beyond[hash(neighbours, mac)], *oldest = row;

	for (size_t i = 0; i < BEYOND_PER_ROW; i++) {
		if (memcmp(row[i].mac, mac, US_MAC_BYTES) == 0)
			return &row[i];
		if (row[i].seen_usec < oldest->seen_usec)
			oldest = &row[i];
	}
	return oldest;
}

static void note_beyond(struct us_neighbours *neighbours, const uint8_t mac[6], uint64_t now_usec)
{
	struct beyond *beyond = beyond_of(neighbours, mac);

	memcpy(beyond->mac, mac, US_MAC_BYTES);
	beyond->seen_usec = now_usec;
	beyond->is_there = true;
}

/* A station of the last update was there until now: the bridge reports changes. */
static void renew_beyond(struct us_neighbours *neighbours, uint64_t now_usec)
{
	for (size_t i = 0; i < BEYOND_ROWS; i++) {
		for (size_t j = 0; j < BEYOND_PER_ROW; j++) {
			struct beyond *beyond = &neighbours->beyond[i][j];

			if (beyond->is_there)
				beyond->seen_usec = now_usec;
			beyond->is_there = false;
		}
	}
}

static bool is_beyond(struct us_neighbours *neighbours, const uint8_t mac[6], uint64_t now_usec)
{
	const struct beyond *beyond = beyond_of(neighbours, mac);

	return memcmp(beyond->mac, mac, US_MAC_BYTES) == 0 && beyond->seen_usec &&
	       now_usec - beyond->seen_usec < RECENT_USEC;
}

/* ---- Neighbours in the FDB ---- */

struct port {
	int index;
	size_t news, count; /* learned addresses there: new ones, and those that are wanted */
};

struct search {
	struct us_neighbours *neighbours;
	const struct us_neighbours_rules *rules;
	const struct us_link *pf;
	struct port ports[US_NEIGHBOURS_MAX]; /* the declared ones */
	size_t port_count;
	/* Addresses with a static entry: the PF listens for them already (kept), or not. */
	struct set kept, sticky, movable;
	struct learned {
		uint8_t mac[6];
		size_t port;
	} learned[LEARNED_MAX];
	size_t learned_count;
	const char *full_port; /* had more learned addresses than allowed */
	struct set wanted;
};

static bool is_candidate(const struct search *search, const uint8_t mac[6])
{
	return !(mac[0] & 1) && memcmp(mac, search->pf->mac, 6) != 0 &&
	       !search->rules->is_others(search->rules->userdata, mac);
}

/* The limit of a port applies to new addresses only. */
static void note_learned(struct search *search, const struct us_fdb_entry *entry)
{
	bool is_listening = has(&search->neighbours->listening, entry->mac);
	struct learned *learned = &search->learned[search->learned_count];
	size_t port = 0;

	while (port < search->port_count && search->ports[port].index != entry->port)
		port++;
	if (port == search->port_count || !is_candidate(search, entry->mac))
		return;
	if (!is_listening && search->ports[port].news == US_NEIGHBOURS_PER_PORT_MAX) {
		search->full_port = search->rules->ports[port];
		return;
	}
	for (size_t i = 0; i < search->learned_count; i++)
		if (memcmp(search->learned[i].mac, entry->mac, 6) == 0)
			return; /* in another VLAN */
	if (search->learned_count == LEARNED_MAX)
		return;
	search->ports[port].news += !is_listening;
	memcpy(learned->mac, entry->mac, sizeof(learned->mac));
	learned->port = port;
	search->learned_count++;
}

/* The address of a port itself is no neighbour. */
static void on_entry(void *userdata, const struct us_fdb_entry *entry)
{
	struct search *search = userdata;

	if (entry->state & NUD_PERMANENT)
		return;
	if (entry->port == search->pf->index)
		note_beyond(search->neighbours, entry->mac, us_now_usec());
	else if (!(entry->state & NUD_NOARP))
		note_learned(search, entry);
	else if (is_candidate(search, entry->mac))
		add(has(&search->neighbours->listening, entry->mac) ? &search->kept
		    : entry->flags & NTF_STICKY			    ? &search->sticky
								    : &search->movable,
		    entry->mac);
}

static void want_each(struct search *search, const struct set *set, bool checks_beyond)
{
	uint64_t now_usec = us_now_usec();

	for (size_t i = 0; i < set->count; i++)
		if (!checks_beyond || !is_beyond(search->neighbours, set->macs[i], now_usec))
			add(&search->wanted, set->macs[i]);
	search->wanted.is_full |= set->is_full;
}

static void want_learned(struct search *search, bool is_listening)
{
	uint64_t now_usec = us_now_usec();

	for (size_t i = 0; i < search->learned_count; i++) {
		const struct learned *learned = &search->learned[i];
		struct port *port = &search->ports[learned->port];

		if (has(&search->neighbours->listening, learned->mac) != is_listening ||
		    (!is_listening && is_beyond(search->neighbours, learned->mac, now_usec)))
			continue;
		if (port->count++ < US_NEIGHBOURS_PER_PORT_MAX)
			add(&search->wanted, learned->mac);
		else
			search->full_port = search->rules->ports[learned->port];
	}
}

/* First the addresses that the PF listens for already, then those that the operator named. */
static void choose_wanted(struct search *search)
{
	want_each(search, &search->kept, false);
	want_learned(search, true);
	want_each(search, &search->sticky, false);
	want_each(search, &search->movable, true);
	want_learned(search, false);
}

/* The bridge's own address, mostly that of one of its ports, is the host's. */
static int find_all(struct search *search, struct us_reason *reason)
{
	const struct us_neighbours_rules *rules = search->rules;
	char name[IF_NAMESIZE] = "";
	struct us_link bridge;
	int r;

	if_indextoname(search->pf->master, name);
	r = us_link_get(name, &bridge, reason);
	if (r != 0)
		return r;
	for (size_t i = 0; i < rules->port_count && i < US_NEIGHBOURS_MAX; i++)
		search->ports[search->port_count++].index = if_nametoindex(rules->ports[i]);
	if (is_candidate(search, bridge.mac))
		add(&search->wanted, bridge.mac);
	renew_beyond(search->neighbours, us_now_usec());
	r = us_fdb_each(bridge.index, on_entry, search);
	if (r == -E2BIG)
		return us_refuse(reason,
				 "interface %s: its bridge has too many FDB entries: the PF keeps "
				 "listening for its present neighbours",
				 search->pf->name);
	if (r != 0)
		return r;
	choose_wanted(search);
	return 0;
}

/* ---- Listening ---- */

/* An address that is a pair's now is the pair's to remove. Without @rules, all are removed. */
static void stop_listening(struct set *listening, int pf, const struct set *wanted,
			   const struct us_neighbours_rules *rules)
{
	for (size_t i = listening->count; i-- > 0;)
		if (!has(wanted, listening->macs[i]) &&
		    ((rules && rules->is_others(rules->userdata, listening->macs[i])) ||
		     us_fdb_listen(listening->macs[i], pf, false, NULL) == 0))
			memcpy(listening->macs[i], listening->macs[--listening->count], 6);
}

static int start_listening(struct set *listening, int pf, const struct set *news,
			   struct us_rtnl_error *error)
{
	int r = 0;

	for (size_t i = 0; i < news->count && r == 0; i++) {
		r = us_fdb_listen(news->macs[i], pf, true, error);
		if (r == 0)
			add(listening, news->macs[i]);
	}
	return r;
}

/* Records new addresses before the PF listens for them. */
static int change(struct us_neighbours *neighbours, const struct search *search,
		  struct us_rtnl_error *error)
{
	struct set news;
	int r = 0;

	without(&search->wanted, &neighbours->listening, &news);
	if (news.count > 0)
		r = write_record(neighbours, &news);
	if (r < 0)
		return r;
	stop_listening(&neighbours->listening, search->pf->index, &search->wanted, search->rules);
	return start_listening(&neighbours->listening, search->pf->index, &news, error);
}

int us_neighbours_update(struct us_neighbours *neighbours, const struct us_neighbours_rules *rules,
			 struct us_reason *reason)
{
	struct us_rtnl_error error = { "" };
	struct us_link pf;
	struct search search = { .neighbours = neighbours, .rules = rules, .pf = &pf };
	int r = us_link_get_bridge_port(neighbours->pf, &pf, reason);

	if (r != 0)
		return r;
	r = find_all(&search, reason);
	if (r > 0)
		return r;
	if (r == 0)
		r = change(neighbours, &search, &error);
	if (r != 0)
		return us_refuse(
			reason,
			"interface %s: cannot listen for all neighbours behind its bridge: %s",
			pf.name, error.text[0] ? error.text : us_strerror(r));
	if (search.wanted.is_full)
		return us_refuse(reason,
				 "interface %s: more than %d neighbours behind its bridge: VFs do "
				 "not reach all of them",
				 pf.name, US_NEIGHBOURS_MAX);
	if (search.full_port)
		return us_refuse(reason,
				 "interface %s: more than %d learned neighbours at %s: VFs do not "
				 "reach all of them",
				 pf.name, US_NEIGHBOURS_PER_PORT_MAX, search.full_port);
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
	if (getrandom(&neighbours->seed, sizeof(neighbours->seed), GRND_NONBLOCK) < 0)
		neighbours->seed = us_now_usec();
	read_record(neighbours);
	*ret_neighbours = neighbours;
	return 0;
}

const char *us_neighbours_pf(const struct us_neighbours *neighbours)
{
	return neighbours->pf;
}

void us_neighbours_free(struct us_neighbours *neighbours)
{
	struct set nobody = { .count = 0 };
	struct us_link pf;

	if (!neighbours)
		return;
	if (us_link_get(neighbours->pf, &pf, NULL) == 0)
		stop_listening(&neighbours->listening, pf.index, &nobody, NULL);
	unlink(neighbours->record);
	free(neighbours);
}

void us_neighbours_abandon(struct us_neighbours *neighbours)
{
	free(neighbours);
}
