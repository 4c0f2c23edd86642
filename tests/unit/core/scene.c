/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "scene.h"

#define MSEC UINT64_C(1000)

void scene_begin(struct scene *scene, enum us_mode mode, bool can_park)
{
	struct us_pair_config config;

	us_pair_config_default(&config);
	config.mode = mode;
	config.can_park = can_park;
	config.hide_idle = true;
	memset(scene, 0, sizeof(*scene));
	us_pair_init(&scene->pair, &config);
}

static int event_type(const char *name)
{
	for (int type = 0; type < US_EVENT_N; type++)
		if (strcmp(us_event_name(type), name) == 0)
			return type;
	fail_msg("no event is called %s", name);
	return -1;
}

/* Sets the member of @event that @word names. Returns false if no member takes this word. */
static bool carry(struct us_event *event, const char *word, const struct us_pair_config *config)
{
	for (int vm = 0; event->type == US_EVENT_VM && vm < US_VM_N; vm++)
		if (strcmp(us_vm_state_name(vm), word) == 0)
			return event->vm = vm, true;
	for (int guest = 0; event->type == US_EVENT_GUEST && guest < US_GUEST_N; guest++)
		if (strcmp(us_guest_name(guest), word) == 0)
			return event->guest = guest, true;
	for (int path = 0; path < US_PATH_N; path++)
		if (strcmp(us_path_name(path), word) == 0)
			return event->path = path, true;
	event->on |= strcmp(word, "on") == 0;
	if (strcmp(word, "stale") == 0)
		event->age_usec = config->reset_fresh_usec + 1;
	return event->on || event->age_usec > 0 || strcmp(word, "off") == 0;
}

struct us_event scene_event(const char *text, const struct us_pair_config *config)
{
	struct us_event event = { .on = false };
	char words[100], *rest = NULL, *word;

	snprintf(words, sizeof(words), "%s", text);
	event.type = event_type(strtok_r(words, " ", &rest));
	while ((word = strtok_r(NULL, " ", &rest)))
		if (!carry(&event, word, config))
			fail_msg("\"%s\": what is %s?", text, word);
	return event;
}

static void describe_effects(struct scene *scene)
{
	size_t used = 0;

	scene->told[0] = scene->line[0] = '\0';
	for (size_t i = 0; i < scene->effects.count; i++) {
		const struct us_effect *effect = &scene->effects.list[i];
		bool steer = effect->type == US_EFFECT_STEER;

		if (effect->type == US_EFFECT_PUBLISH) {
			if (effect->moved)
				us_pair_move_line(scene->line, sizeof(scene->line), "web0",
						  effect->from, &scene->pair);
			continue;
		}
		used += snprintf(scene->told + used, sizeof(scene->told) - used, "%s%s%s%s",
				 used ? " " : "", us_effect_name(effect->type), steer ? "=" : "",
				 steer ? us_path_name(effect->path) : "");
	}
}

int scene_tell(struct scene *scene, const char *text)
{
	struct us_event event = scene_event(text, &scene->pair.config);
	int r;

	event.now_usec = scene->now_usec;
	r = us_pair_step(&scene->pair, &event, &scene->effects);
	assert_true(scene->effects.count <= US_EFFECTS_MAX);
	/* The owner of a pair whose deadline has passed would spin. */
	assert_true(us_pair_deadline(&scene->pair) > scene->now_usec);
	describe_effects(scene);
	return r;
}

void scene_tell_all(struct scene *scene, const char *texts)
{
	char copy[1000], *next = copy, *text;

	snprintf(copy, sizeof(copy), "%s", texts);
	while ((text = next)) {
		next = strstr(text, ", ");
		if (next) {
			*next = '\0';
			next += strlen(", ");
		}
		scene_tell(scene, text);
	}
}

void scene_play(struct scene *scene, const struct scene_line *story)
{
	for (const struct scene_line *line = story; line->event; line++) {
		scene->now_usec = line->at_msec * MSEC;
		scene_tell(scene, line->event);
		if (strcmp(scene->told, line->effects) == 0 &&
		    strcmp(scene->line, line->log ? line->log : "") == 0)
			continue;
		print_error(
			"at %llu ms, %s:\n  effects %s\n  not     %s\n  log     %s\n  not     %s\n",
			(unsigned long long)line->at_msec, line->event, scene->told, line->effects,
			scene->line, line->log ? line->log : "");
		fail();
	}
}
