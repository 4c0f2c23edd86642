/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "load/load-vm-private.h"
#include "util/clock.h"

void load_then(struct load_vm *vm, unsigned low_msec, unsigned high_msec,
	       void (*next)(struct load_vm *vm))
{
	vm->next = next;
	us_timer_set(&vm->timer, us_now_usec() + load_random(vm->load, low_msec, high_msec) * MSEC);
}

void load_rest(struct load_vm *vm)
{
	unsigned pause = vm->load->pause_msec;

	vm->is_busy = false;
	load_then(vm, pause / 2, pause + pause / 2, vm->begin);
}

struct call {
	struct load_vm *vm;
	struct us_client *client;
	load_answer_fn answer;
};

static void on_answer(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct call *call = userdata;

	if (more)
		return;
	call->answer(call->vm, error, parameters);
	us_client_free(call->client);
	free(call);
}

void load_call(struct load_vm *vm, unsigned side, const char *method, json_t *parameters, bool more,
	       load_answer_fn answer)
{
	struct call *call = malloc(sizeof(*call));
	char address[80];
	int r = -ENOMEM;

	bench_daemon_address(&vm->load->daemons[side], address);
	if (call) {
		*call = (struct call){ .vm = vm, .answer = answer };
		r = us_client_new(&call->client, vm->load->loop, address);
	}
	if (r == 0)
		r = us_client_call(call->client, method, parameters, more, on_answer, call);
	if (r < 0)
		bench_fail(method, r);
}

json_t *load_name_json(const struct load_vm *vm, const char *key, char letter)
{
	char name[20];

	snprintf(name, sizeof(name), "%c%u", letter, vm->index);
	return json_pack("{s:s}", key, name);
}

bool load_succeeded(struct load_vm *vm, const char *error, const json_t *parameters)
{
	const char *words = json_string_value(json_object_get(parameters, "message"));

	if (error)
		load_error(vm->load, "v%u: %s: %s", vm->index, load_action_name(vm->action),
			   words ? words : error);
	return !error;
}
