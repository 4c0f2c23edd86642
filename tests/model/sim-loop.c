/* SPDX-License-Identifier: BSD-3-Clause */
/* Virtual time: the clock, the loop of the daemons, and the tasks of the outside. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

enum {
	TASKS_MAX = 1024,
	CHUNK_BYTES = 1 << 20,
};

struct task {
	uint64_t due, order;
	int host; /* -1: a task of the outside */
	sim_fn fn;
	void *object;
	unsigned argument;
};

struct sd_event_source {
	struct us_list link;
	uint64_t due, order;
	int host;
	int enabled;
	bool is_deferred;
	sd_event_handler_t defer;
	sd_event_time_handler_t time;
	void *userdata;
};

static struct {
	struct task tasks[TASKS_MAX];
	unsigned count;
	uint64_t order;
	struct us_list sources;
	char *chunk;
	size_t used;
	struct us_list chunks;
} loop = { .sources = { &loop.sources, &loop.sources }, .chunks = { &loop.chunks, &loop.chunks } };

/* ---- Memory ---- */

struct chunk {
	struct us_list link;
	char bytes[];
};

void *sim_keep(size_t size)
{
	void *memory;

	size = (size + 15) & ~(size_t)15;
	if (!loop.chunk || loop.used + size > CHUNK_BYTES) {
		struct chunk *chunk = malloc(sizeof(*chunk) + CHUNK_BYTES);

		if (!chunk)
			abort();
		us_list_append(&loop.chunks, &chunk->link);
		loop.chunk = chunk->bytes;
		loop.used = 0;
	}
	memory = memset(loop.chunk + loop.used, 0, size);
	loop.used += size;
	return memory;
}

void sim_loop_end(void)
{
	struct chunk *chunk;
	unsigned kept = 0;

	/* Keep the first block for the next simulation. */
	us_list_for_each (chunk, &loop.chunks, link) {
		if (kept++ == 0) {
			loop.chunk = chunk->bytes;
			continue;
		}
		us_list_remove(&chunk->link);
		free(chunk);
	}
	loop.used = loop.count = loop.order = 0;
	us_list_init(&loop.sources);
}

/* ---- Tasks ---- */

static void add(int host, uint64_t due_usec, sim_fn fn, void *object, unsigned argument)
{
	if (loop.count == TASKS_MAX)
		abort();
	loop.tasks[loop.count++] = (struct task){
		.due = due_usec > sim.now_usec ? due_usec : sim.now_usec,
		.order = ++loop.order,
		.host = host,
		.fn = fn,
		.object = object,
		.argument = argument,
	};
}

void sim_at(uint64_t due_usec, sim_fn fn, void *object, unsigned argument)
{
	add(-1, due_usec, fn, object, argument);
}

void sim_at_host(int host, uint64_t due_usec, sim_fn fn, void *object, unsigned argument)
{
	add(host, due_usec, fn, object, argument);
}

bool sim_is_alive(void)
{
	return sim.host >= 0 && sim.hosts[sim.host].is_up && !sim.hosts[sim.host].is_dying;
}

/* ---- The daemons' loop and clock ---- */

int clock_gettime(clockid_t clock, struct timespec *ret_now)
{
	ret_now->tv_sec = sim.now_usec / US_USEC_PER_SEC;
	ret_now->tv_nsec = sim.now_usec % US_USEC_PER_SEC * 1000;
	return 0;
}

int sd_event_default(sd_event **ret_loop)
{
	*ret_loop = (sd_event *)&loop;
	return 0;
}

sd_event *sd_event_unref(sd_event *event)
{
	return NULL;
}

static struct sd_event_source *source_new(sd_event_source **ret_source, void *userdata)
{
	struct sd_event_source *source = sim_keep(sizeof(*source));

	source->host = sim.host;
	source->enabled = SD_EVENT_ONESHOT;
	source->order = ++loop.order;
	source->userdata = userdata;
	us_list_append(&loop.sources, &source->link);
	*ret_source = source;
	return source;
}

int sd_event_add_defer(sd_event *event, sd_event_source **ret_source, sd_event_handler_t callback,
		       void *userdata)
{
	struct sd_event_source *source = source_new(ret_source, userdata);

	source->is_deferred = true;
	source->defer = callback;
	return 0;
}

int sd_event_add_time(sd_event *event, sd_event_source **ret_source, clockid_t clock, uint64_t usec,
		      uint64_t accuracy, sd_event_time_handler_t callback, void *userdata)
{
	struct sd_event_source *source = source_new(ret_source, userdata);

	source->due = usec;
	source->time = callback;
	return 0;
}

int sd_event_add_time_relative(sd_event *event, sd_event_source **ret_source, clockid_t clock,
			       uint64_t usec, uint64_t accuracy, sd_event_time_handler_t callback,
			       void *userdata)
{
	return sd_event_add_time(event, ret_source, clock, sim.now_usec + usec, accuracy, callback,
				 userdata);
}

int sd_event_source_set_enabled(sd_event_source *source, int enabled)
{
	if (source->enabled == SD_EVENT_OFF && enabled != SD_EVENT_OFF) {
		source->order = ++loop.order;
		if (source->is_deferred)
			source->due = sim.now_usec;
	}
	source->enabled = enabled;
	return 0;
}

int sd_event_source_set_time(sd_event_source *source, uint64_t usec)
{
	source->due = usec;
	source->order = ++loop.order;
	return 0;
}

int sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec)
{
	return sd_event_source_set_time(source, sim.now_usec + usec);
}

sd_event_source *sd_event_source_disable_unref(sd_event_source *source)
{
	if (source) {
		us_list_remove(&source->link);
		source->enabled = SD_EVENT_OFF;
	}
	return NULL;
}

int malloc_trim(size_t pad)
{
	return 0;
}

/* ---- util/timer.h ---- */

int us_timer_init(struct us_timer *timer, sd_event *event, us_timer_fn fire, void *userdata)
{
	*timer = (struct us_timer){ .fire = fire, .userdata = userdata, .due_usec = US_NEVER };
	us_list_append(&sim.hosts[sim.host].timers, &timer->link);
	return 0;
}

void us_timer_deinit(struct us_timer *timer)
{
	if (timer->fire)
		us_list_remove(&timer->link);
	*timer = (struct us_timer){ 0 };
}

void us_timer_set(struct us_timer *timer, uint64_t due_usec)
{
	timer->due_usec = due_usec;
}

void us_timer_stop(struct us_timer *timer)
{
	timer->due_usec = US_NEVER;
}

bool us_timer_is_set(const struct us_timer *timer)
{
	return timer->due_usec != US_NEVER;
}

/* ---- What is next ---- */

struct next {
	uint64_t due, order;
	struct task *task;
	struct sd_event_source *source;
	struct us_timer *timer;
	int host;
};

static bool comes_first(struct next *next, uint64_t due, uint64_t order, int host)
{
	if (due == US_NEVER || due > next->due || (due == next->due && order >= next->order))
		return false;
	*next = (struct next){ .due = due, .order = order, .host = host };
	return true;
}

static struct next find_next(void)
{
	struct next next = { .due = US_NEVER };
	struct sd_event_source *source;
	struct us_timer *timer;

	for (unsigned i = 0; i < loop.count; i++)
		if (comes_first(&next, loop.tasks[i].due, loop.tasks[i].order, loop.tasks[i].host))
			next.task = &loop.tasks[i];
	us_list_for_each (source, &loop.sources, link)
		if (source->enabled != SD_EVENT_OFF &&
		    comes_first(&next, source->due, source->order, source->host))
			next.source = source;
	for (int host = 0; host < SIM_HOSTS; host++)
		us_list_for_each (timer, &sim.hosts[host].timers, link)
			if (comes_first(&next, timer->due_usec, US_NEVER - 1, host))
				next.timer = timer;
	return next;
}

static void run(const struct next *next)
{
	if (next->task) {
		struct task task = *next->task;

		*next->task = loop.tasks[--loop.count];
		task.fn(task.object, task.argument);
	} else if (next->source) {
		struct sd_event_source *source = next->source;

		if (source->enabled == SD_EVENT_ONESHOT)
			source->enabled = SD_EVENT_OFF;
		source->order = ++loop.order;
		if (source->is_deferred)
			source->defer(source, source->userdata);
		else
			source->time(source, sim.now_usec, source->userdata);
	} else {
		us_timer_stop(next->timer);
		next->timer->fire(next->timer->userdata);
	}
}

bool sim_step(uint64_t until_usec)
{
	struct next next = find_next();

	if (next.due == US_NEVER || next.due > until_usec) {
		if (sim.now_usec < until_usec)
			sim.now_usec = until_usec;
		return false;
	}
	if (next.due > sim.now_usec)
		sim.now_usec = next.due;
	sim.host = next.host;
	sim.steps++;
	run(&next);
	sim.host = -1;
	for (int host = 0; host < SIM_HOSTS; host++)
		if (sim.hosts[host].is_dying)
			sim_daemon_kill(host);
	return true;
}
