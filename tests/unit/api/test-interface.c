/* SPDX-License-Identifier: BSD-3-Clause */
/* Interface definitions: what is understood and what is not; values against types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "api/interface.h"

static void test_built_in(void **state)
{
	static const struct {
		const char *text, *name;
	} cases[] = {
		{ us_control_interface_text, "org.understudy.Control" },
		{ us_service_interface_text, "org.varlink.service" },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		US_CLEANUP(us_interface_freep) struct us_interface *interface = NULL;
		struct us_reason reason = { 0 };

		assert_int_equal(us_interface_new(&interface, cases[i].text, &reason), 0);
		assert_string_equal(interface->name, cases[i].name);
		assert_ptr_equal(interface->text, cases[i].text);
	}
	/* The comments are part of what is served. */
	assert_non_null(strstr(us_control_interface_text, "# (changes) Adopts a running VM"));
}

static void test_members(void **state)
{
	US_CLEANUP(us_interface_freep) struct us_interface *interface = NULL;
	const struct us_member *member;

	assert_int_equal(us_interface_new(&interface, us_control_interface_text, NULL), 0);
	member = us_interface_find(interface, US_MEMBER_METHOD, "SetHold");
	assert_non_null(member);
	assert_int_equal(member->in->field_count, 2);
	assert_string_equal(member->in->fields[1].name, "hold");
	assert_int_equal(member->in->fields[1].type->kind, US_TYPE_BOOL);
	assert_string_equal(member->out->fields[0].type->name, "Pair");
	assert_int_equal(member->out->fields[0].type->element->kind, US_TYPE_STRUCT);
	assert_null(us_interface_find(interface, US_MEMBER_METHOD, "Pair"));
	assert_non_null(us_interface_find(interface, US_MEMBER_TYPE, "Pair"));
	assert_non_null(us_interface_find(interface, US_MEMBER_ERROR, "Refused"));
}

static void test_definitions(void **state)
{
	/* NULL: it is understood; else a part of the reason. */
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "interface a.b\nmethod M() -> ()", NULL },
		{ "# c\ninterface a.b # c\nmethod M(a: ?[]string, b: [string](x, y)) -> ()", NULL },
		{ "interface a.b type T (a: int, next: ?T) error E (t: []T)", NULL },
		{ "interface a.b method M(t: T) -> () type T (one, two)", NULL },
		{ "", "line 1: expected interface" },
		{ "interface", "line 1: expected interface" },
		{ "interface 7", "line 1: expected a name" },
		{ "interface a.b\nmethod M()", "line 2: expected ->" },
		{ "interface a.b\nmethod M() -> (", "line 2: expected a name" },
		{ "interface a.b\nmethod M() -> (x: int", "line 2: expected )" },
		{ "interface a.b\nmethod M(x: number) -> ()", "line 2: expected a type" },
		{ "interface a.b\n\nmethod M(x, y: int) -> ()", "line 3: expected types for all" },
		{ "interface a.b\nmethod M(x: int, x: int) -> ()", "a name that is not taken" },
		{ "interface a.b\nerror E ()\nerror E ()", "line 3: expected a name that is not" },
		{ "interface a.b\nmethod M(x, y) -> ()", "expected named parameters" },
		{ "interface a.b\nmethod M?() -> ()", "expected" },
		{ "interface a.b\nmethod M(t: T) -> ()", "type T is not defined" },
		{ "interface a.b\ntype T T", "expected members" },
		{ "interface a.b\nfunction M() -> ()", "line 2: expected type, method or error" },
		{ "interface a.b\nerror E (a: [][][][][][][][][][][][][][][][][][]int)",
		  "fewer types" },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		US_CLEANUP(us_interface_freep) struct us_interface *interface = NULL;
		struct us_reason reason = { 0 };
		int r = us_interface_new(&interface, cases[i].text, &reason);

		if (cases[i].reason) {
			assert_int_equal(r, US_REFUSED);
			if (!strstr(reason.text, cases[i].reason))
				fail_msg("%s: %s", cases[i].text, reason.text);
		} else if (r != 0) {
			fail_msg("%s: %s", cases[i].text, reason.text);
		}
	}
}

static void test_values(void **state)
{
	static const char text[] =
		"interface a.b\n"
		"type Node (value: int, next: ?Node)\n"
		"method M(b: ?bool, i: ?int, f: ?float, s: ?string, o: ?object, e: ?(one, two),\n"
		"  a: ?[]int, m: ?[string]string, n: ?Node) -> ()\n"
		"method Needs(name: string, pairs: [](mac: string)) -> ()\n";
	/* NULL: it fits; else where it does not. */
	static const struct {
		const char *method, *value, *where;
	} cases[] = {
		{ "M", "{}", NULL },
		{ "M", "{\"b\":null}", NULL },
		{ "M", "{\"b\":true,\"i\":1,\"f\":1.5,\"s\":\"\",\"o\":{\"any\":[]}}", NULL },
		{ "M", "{\"f\":2}", NULL },
		{ "M", "{\"e\":\"two\",\"a\":[],\"m\":{\"k\":\"v\"}}", NULL },
		{ "M", "{\"n\":{\"value\":1,\"next\":{\"value\":2,\"next\":null}}}", NULL },
		{ "M", "[]", "" },
		{ "M", "{\"b\":1}", "b" },
		{ "M", "{\"i\":1.5}", "i" },
		{ "M", "{\"i\":\"1\"}", "i" },
		{ "M", "{\"f\":\"1\"}", "f" },
		{ "M", "{\"s\":1}", "s" },
		{ "M", "{\"o\":[]}", "o" },
		{ "M", "{\"e\":\"three\"}", "e" },
		{ "M", "{\"e\":1}", "e" },
		{ "M", "{\"a\":[1,null]}", "a[1]" },
		{ "M", "{\"a\":{}}", "a" },
		{ "M", "{\"m\":{\"k\":1}}", "m.k" },
		{ "M", "{\"m\":[]}", "m" },
		{ "M", "{\"n\":{\"value\":1,\"next\":{\"next\":null}}}", "n.next.value" },
		{ "M", "{\"unknown\":null}", "unknown" },
		{ "Needs", "{\"name\":\"x\",\"pairs\":[{\"mac\":\"m\"}]}", NULL },
		{ "Needs", "{\"pairs\":[]}", "name" },
		{ "Needs", "{\"name\":null,\"pairs\":[]}", "name" },
		{ "Needs", "{\"name\":\"x\",\"pairs\":[{\"mac\":\"m\"},{}]}", "pairs[1].mac" },
		{ "Needs", "{\"name\":\"x\",\"pairs\":[{\"mac\":\"m\",\"z\":1}]}", "pairs[0].z" },
	};
	US_CLEANUP(us_interface_freep) struct us_interface *interface = NULL;

	assert_int_equal(us_interface_new(&interface, text, NULL), 0);
	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		US_CLEANUP(json_decrefp) json_t *value = json_loads(cases[i].value, 0, NULL);
		const struct us_member *member =
			us_interface_find(interface, US_MEMBER_METHOD, cases[i].method);
		char where[64];
		int r;

		assert_non_null(value);
		r = us_type_check(member->in, value, true, where, sizeof(where));
		assert_int_equal(r, cases[i].where ? US_REFUSED : 0);
		assert_string_equal(where, cases[i].where ? cases[i].where : "");
	}
}

/* What another version says besides is no fault; what is known has its type all the same. */
static void test_known_values(void **state)
{
	static const char text[] = "interface a.b\nmethod M(name: string, pairs: [](mac: string), "
				   "e: ?(one, two)) -> ()";
	static const struct {
		const char *value, *where;
	} cases[] = {
		{ "{\"name\":\"x\",\"pairs\":[]}", "" },
		{ "{\"name\":\"x\",\"pairs\":[{\"mac\":\"m\",\"z\":1}],\"y\":{}}", "" },
		{ "{\"name\":1,\"pairs\":[],\"y\":{}}", "name" },
		{ "{\"pairs\":[],\"y\":{}}", "name" },
		{ "{\"name\":\"x\",\"pairs\":[{\"z\":1}]}", "pairs[0].mac" },
		{ "{\"name\":\"x\",\"pairs\":[],\"e\":\"three\"}", "e" },
	};
	US_CLEANUP(us_interface_freep) struct us_interface *interface = NULL;

	assert_int_equal(us_interface_new(&interface, text, NULL), 0);
	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		US_CLEANUP(json_decrefp) json_t *value = json_loads(cases[i].value, 0, NULL);
		const struct us_member *member =
			us_interface_find(interface, US_MEMBER_METHOD, "M");
		char where[64];

		assert_int_equal(us_type_check(member->in, value, false, where, sizeof(where)),
				 cases[i].where[0] ? US_REFUSED : 0);
		assert_string_equal(where, cases[i].where);
	}
}

/* The place of what is wrong is the peer's text: it must not outgrow its buffer. */
static void test_long_place(void **state)
{
	US_CLEANUP(us_interface_freep) struct us_interface *interface = NULL;
	US_CLEANUP(json_decrefp) json_t *value = json_object();
	char key[1000], where[32];

	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	json_object_set_new(value, key, json_null());
	assert_int_equal(us_interface_new(&interface, us_control_interface_text, NULL), 0);
	assert_int_equal(
		us_type_check(us_interface_find(interface, US_MEMBER_METHOD, "ListVms")->in, value,
			      true, where, sizeof(where)),
		US_REFUSED);
	assert_int_equal(strlen(where), sizeof(where) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_built_in),    cmocka_unit_test(test_members),
		cmocka_unit_test(test_definitions), cmocka_unit_test(test_values),
		cmocka_unit_test(test_long_place),  cmocka_unit_test(test_known_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
