/* SPDX-License-Identifier: BSD-3-Clause */
/* Declarations as XML, their changes, and which interface can be a standby. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libvirt/declaration.h"
#include "libvirt/domain-xml.h"
#include "libvirt/write-xml.h"
#include "util/cleanup.h"

static void refused(const char *xml, const char *words)
{
	struct us_reason reason = { .text = "" };

	assert_null(us_domain_xml_pairs(xml, &reason));
	assert_non_null(strstr(reason.text, words));
}

static void test_invalid_declarations(void **state)
{
	refused("", "no element <pairs>");
	refused("<other/>", "no element <pairs>");
	refused("<pairs><domain/></pairs>", "<domain> is no <pair>");
	refused("<pairs><pair primary='pool:a'/></pairs>", "no attribute \"standby\"");
	refused("<pairs><pair standby=''/></pairs>", "empty or too long");
	refused("<pairs><pair standby='a'/><pair standby='a'/></pairs>", "two pairs for standby a");
}

static void test_changes(void **state)
{
	US_CLEANUP(json_decrefp) json_t *pairs = json_array();
	US_CLEANUP(json_decrefp) json_t *again = NULL;
	US_CLEANUP(json_decrefp)
	json_t *pair = json_pack("{s:s, s:s}", "standby", "net0", "mode", "a & \"b\" <c>");
	US_CLEANUP(us_freep) char *xml = NULL;
	struct us_reason reason = { .text = "" };

	assert_int_equal(us_declaration_add("web", pairs, pair, &reason), 0);
	assert_int_equal(us_declaration_add("web", pairs, pair, &reason), US_REFUSED);
	assert_non_null(strstr(reason.text, "web-net0, which has that standby"));
	json_object_set_new(pair, "standby", json_string("net1"));
	json_object_set_new(pair, "name", json_string("web-net0"));
	assert_int_equal(us_declaration_add("web", pairs, pair, &reason), US_REFUSED);
	assert_non_null(strstr(reason.text, "which has that name"));
	assert_true(us_declaration_assign("web", pairs, "web-net0", "pool:fast"));
	xml = us_domain_xml_declaration(pairs);
	again = us_domain_xml_pairs(xml, &reason);
	assert_true(json_equal(again, pairs));
	assert_true(us_declaration_assign("web", pairs, "web-net0", NULL));
	assert_false(json_equal(again, pairs));
	assert_false(us_declaration_assign("web", pairs, "none", NULL));
	assert_false(us_declaration_remove("other", pairs, "web-net0"));
	assert_true(us_declaration_remove("web", pairs, "web-net0"));
	assert_int_equal(json_array_size(pairs), 0);
}

#define TEAMING "<model type='virtio'/><teaming type='persistent'/>"

static void test_standbys(void **state)
{
	static const char xml[] =
		"<domain><devices><interface>" TEAMING "</interface>"
		"<interface><model type='virtio'/></interface>"
		"<interface><model type='e1000e'/></interface>"
		"<interface>" TEAMING "<alias name='ua-x'/></interface></devices></domain>";
	static const struct {
		const char *id;
		bool is_running, can_be;
		const char *words;
	} cases[] = {
		{ "net0", false, true, "" },
		{ "net0", true, false, "no interface with the alias" },
		{ "net1", false, false, "no <teaming type='persistent'/>" },
		{ "net2", false, false, "has the model \"e1000e\"" },
		{ "net3", false, false, "no interface with the alias" },
		{ "net4", false, false, "no interface with the alias" },
		{ "net0x", false, false, "no interface with the alias" },
		{ "ua-x", false, true, "" },
		{ "ua-x", true, true, "" },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		struct us_reason reason = { .text = "" };
		int r = us_domain_xml_check_standby(xml, cases[i].id, cases[i].is_running, &reason);

		assert_int_equal(r, cases[i].can_be ? 0 : US_REFUSED);
		assert_non_null(strstr(reason.text, cases[i].words));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_invalid_declarations),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_standbys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
