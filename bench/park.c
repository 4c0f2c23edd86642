/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Measures parking at speed, without a VM (support/park-rig.h): holds of 100 ms and their releases,
 * beside a bare loop that reads the same tap and sends through the same port.
 *
 *     bench-park [ROUNDS]
 *
 * A row is a load: as many frames as can be sent, 10 Gbit/s, or a part of the rate of the bare loop
 * at the same length. Those that are sent beside the release go on until its end. The measurements
 * of a round follow each other, and each printed value is the median of all rounds (lost and
 * reordered frames: the sum; the turn: the longest), so other work on the machine concerns all rows
 * alike. Processor time per frame is that of the loop, and hardly depends on other work.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/park-rig.h"
#include "util/clock.h"

enum {
	ROUNDS_MAX = 100,
	PARK_BYTES = 512 * 1024 * 1024,
};

static const double hold_sec = 0.1, bare_loop_sec = 0.3;

/* A row of the table. */
struct row {
	const char *name;
	struct park_traffic_load load;
	double of_bare_loop; /* the rate is this part of the bare loop's; 0: as in the load */
	bool is_alone;
	struct park_rig_result results[ROUNDS_MAX];
	double rates[ROUNDS_MAX];
};

enum {
	SMALL = 200,
	LARGE = 1514,
	GSO = 65226, /* 45 segments */
};

#define LOAD(length_, gso_size_, rate_)                                                            \
	{                                                                                          \
		.length = (length_), .gso_size = (gso_size_), .rate = (rate_)                      \
	}

static struct row rows[] = {
	{ .name = "200 bytes, all that come", .load = LOAD(SMALL, 0, 0), .is_alone = true },
	{ .name = "1,500 bytes, 10 Gbit/s", .load = LOAD(LARGE, 0, 833000), .is_alone = true },
	{ .name = "64 KiB, 10 Gbit/s", .load = LOAD(GSO, 1448, 19000), .is_alone = true },
	{ .name = "200 bytes, 0.3", .load = LOAD(SMALL, 0, 0), .of_bare_loop = 0.3 },
	{ .name = "200 bytes, 0.5", .load = LOAD(SMALL, 0, 0), .of_bare_loop = 0.5 },
	{ .name = "200 bytes, 0.7", .load = LOAD(SMALL, 0, 0), .of_bare_loop = 0.7 },
	{ .name = "1,500 bytes, 0.7", .load = LOAD(LARGE, 0, 0), .of_bare_loop = 0.7 },
	{ .name = "64 KiB, 0.7", .load = LOAD(GSO, 1448, 0), .of_bare_loop = 0.7 },
};

/* The bare loop at each length. */
static struct bare_loop {
	const char *name;
	struct park_traffic_load load;
	struct park_rig_bare_loop results[ROUNDS_MAX];
} bare_loops[] = {
	{ .name = "200 bytes", .load = LOAD(SMALL, 0, 0) },
	{ .name = "1,500 bytes", .load = LOAD(LARGE, 0, 0) },
	{ .name = "64 KiB", .load = LOAD(GSO, 1448, 0) },
};

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values, int count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

#define MEDIAN(row, member, rounds)                                                                \
	({                                                                                         \
		double values[ROUNDS_MAX];                                                         \
		for (int j = 0; j < (rounds); j++)                                                 \
			values[j] = (row)->results[j].member;                                      \
		median(values, (rounds));                                                          \
	})

static void print(struct row *row, int rounds)
{
	uint64_t sent = 0, lost = 0, reordered = 0;
	double turn_sec = 0;

	for (int i = 0; i < rounds; i++) {
		const struct park_rig_result *result = &row->results[i];

		sent += result->sent;
		lost += result->lost;
		reordered += result->reordered;
		if (turn_sec < result->turn_sec)
			turn_sec = result->turn_sec;
	}
	printf("%-26s %9.0f %9lu %7lu %7lu %7.0f %7.0f %7.1f %8.1f %8.2f\n", row->name,
	       median(row->rates, rounds), sent, lost, reordered,
	       MEDIAN(row, hold_sec, rounds) * 1e3, MEDIAN(row, release_sec, rounds) * 1e3,
	       turn_sec * 1e3, MEDIAN(row, memory, rounds) / 1024 / 1024,
	       MEDIAN(row, processor_usec, rounds));
}

static double bare_loop_rate(unsigned int length, int round)
{
	const struct bare_loop *loop = bare_loops;

	while (loop->load.length != length)
		loop++;
	return loop->results[round].rate;
}

static void measure(struct park_rig *rig, struct row *row, int round)
{
	struct park_traffic_load load = row->load;
	struct park_rig_result *result = &row->results[round];

	if (row->of_bare_loop > 0)
		load.rate = row->of_bare_loop * bare_loop_rate(load.length, round);
	*result = park_rig_hold(rig, &load, hold_sec, row->is_alone);
	row->rates[round] = result->sent /
			    (result->hold_sec + (row->is_alone ? 0 : result->release_sec + 0.02));
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 5;
	static struct park_rig rig;

	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench-park [ROUNDS]\n");
		return 2;
	}
	if (geteuid() || unshare(CLONE_NEWNET) < 0) {
		fprintf(stderr, "bench-park: network namespaces need root\n");
		return 77;
	}
	park_rig_open(&rig, PARK_BYTES);
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < US_ARRAY_LENGTH(bare_loops); i++)
			bare_loops[i].results[round] =
				park_rig_bare_loop(&rig, &bare_loops[i].load, bare_loop_sec);
		for (size_t i = 0; i < US_ARRAY_LENGTH(rows); i++)
			measure(&rig, &rows[i], round);
	}
	printf("%-26s %9s %9s %7s %7s %6s %7s %7s %8s %8s\n", "", "frames/s", "sent", "lost",
	       "reorder", "hold ms", "release", "turn ms", "MiB", "us/frame");
	for (size_t i = 0; i < US_ARRAY_LENGTH(rows); i++)
		print(&rows[i], rounds);
	for (size_t i = 0; i < US_ARRAY_LENGTH(bare_loops); i++)
		printf("bare loop, %-15s %9.0f %66.2f\n", bare_loops[i].name,
		       MEDIAN(&bare_loops[i], rate, rounds),
		       MEDIAN(&bare_loops[i], processor_usec, rounds));
	park_rig_close(&rig);
	return 0;
}
