/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a client, or a daemon, may send: the reader of calls with the check of their parameters,
 * the reader of answers, and what we would write again.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/codec.h"
#include "api/interface.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct us_interface *interface;

/* Unlike assert(), also where those are compiled out. */
static void must(bool condition)
{
	if (!condition)
		abort();
}

/* Every method's parameters, so that the input need not guess a name to reach a type. */
static void check_all(const json_t *parameters)
{
	char where[64];

	for (size_t i = 0; i < interface->member_count; i++) {
		const struct us_member *member = &interface->members[i];
		int r = us_type_check(member->in, parameters, true, where, sizeof(where));

		must(r == 0 || r == US_REFUSED);
		must(strlen(where) < sizeof(where));
		if (member->out)
			us_type_check(member->out, parameters, true, where, sizeof(where));
	}
}

/* A call that was understood is understood again when we write it. */
static void check_call(const struct us_wire_call *call)
{
	struct us_wire_call again;
	char *text = us_wire_write_call(call->method, json_deep_copy(call->parameters), call->more);

	must(text);
	must(us_wire_read_call(&again, text, strlen(text)) == 0);
	must(strcmp(again.method, call->method) == 0);
	must(again.more == call->more);
	us_wire_call_deinit(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct us_wire_call call;
	struct us_wire_answer answer;
	char *text;
	json_t *string;

	if (!interface)
		must(us_interface_new(&interface, us_control_interface_text, NULL) == 0);
	if (us_wire_read_call(&call, (const char *)data, size) == 0) {
		check_all(call.parameters);
		check_call(&call);
		us_wire_call_deinit(&call);
	}
	if (us_wire_read_answer(&answer, (const char *)data, size) == 0) {
		check_all(answer.parameters);
		us_wire_answer_deinit(&answer);
	}
	text = strndup((const char *)data, size);
	string = text ? us_wire_string(text) : NULL;
	must(!text || string);
	json_decref(string);
	free(text);
	return 0;
}
