/* SPDX-License-Identifier: BSD-3-Clause */
/* A domain's XML: what is read from it, what is written for it, and XML that is hostile. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libvirt/domain-xml.h"
#include "libvirt/write-xml.h"
#include "util/cleanup.h"

#define DOMAIN(devices) "<domain type='kvm'><name>web</name><devices>" devices "</devices></domain>"
#define PORT                                                                                       \
	"<controller type='pci' index='5' model='pcie-root-port'><alias "                          \
	"name='pci.5'/></controller>"

/* ---- The standby ---- */

static const struct {
	const char *devices, *values, *refusal; /* one of the last two */
} standbys[] = {
	{ "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/>"
	  "<target dev='vnet0'/><model type='virtio'/><driver name='vhost' queues='4'/>"
	  "<mtu size='9000'/><teaming type='persistent'/><alias name='ua-net0'/>"
	  "<address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></interface>",
	  "{\"mac\": \"52:54:00:00:00:01\", \"interface\": \"vnet0\", \"queues\": 4, \"mtu\": "
	  "9000, \"failover\": true, \"bus\": \"pci.1\"}",
	  NULL },
	{ "<interface><model type='virtio-non-transitional'/><alias name='ua-net0'/></interface>",
	  "{\"mac\": \"\", \"interface\": \"\", \"queues\": 1, \"mtu\": 0, \"failover\": false, "
	  "\"bus\": \"pcie.0\"}",
	  NULL },
	/* The device with the alias, not the first one */
	{ "<interface><model type='e1000e'/><alias name='net0'/></interface><disk/>"
	  "<interface><model type='virtio'/><alias name='ua-net0'/><teaming type='transient'/>"
	  "</interface>",
	  "{\"mac\": \"\", \"interface\": \"\", \"queues\": 1, \"mtu\": 0, \"failover\": false, "
	  "\"bus\": \"pcie.0\"}",
	  NULL },
	/* Numbers that make no sense are none */
	{ "<interface><model type='virtio'/><alias name='ua-net0'/><driver queues='-1'/>"
	  "<mtu size='99999999999'/><address bus='0xfffffff'/></interface>",
	  "{\"mac\": \"\", \"interface\": \"\", \"queues\": 1, \"mtu\": 0, \"failover\": false, "
	  "\"bus\": \"pcie.0\"}",
	  NULL },
	{ "<interface><model type='e1000e'/><alias name='ua-net0'/></interface>", NULL,
	  "interface \"ua-net0\" has the model \"e1000e\": a standby is a virtio interface" },
	{ "<interface><model type='virtio'/></interface>", NULL,
	  "the domain has no interface with the alias \"ua-net0\": virsh dumpxml shows the "
	  "aliases" },
	{ "<hostdev><alias name='ua-net0'/></hostdev>", NULL,
	  "the domain has no interface with the alias" },
	{ "<interface><model type='virtio'/><alias name='ua-net0'></interface>", NULL,
	  "the domain has no interface with the alias" },
};

static void check_standby(const char *xml, const char *values, const char *refusal)
{
	US_CLEANUP(json_decrefp) json_t *expected = values ? json_loads(values, 0, NULL) : NULL;
	struct us_reason reason = { .text = "" };
	US_CLEANUP(json_decrefp) json_t *found = us_domain_xml_standby(xml, "ua-net0", &reason);

	if (refusal) {
		assert_null(found);
		assert_int_equal(strncmp(reason.text, refusal, strlen(refusal)), 0);
	} else {
		assert_non_null(expected);
		assert_non_null(found);
		assert_true(json_equal(found, expected));
	}
}

static void test_standby(void **state)
{
	char xml[4096];

	for (size_t i = 0; i < US_ARRAY_LENGTH(standbys); i++) {
		snprintf(xml, sizeof(xml), DOMAIN("%s"), standbys[i].devices);
		check_standby(xml, standbys[i].values, standbys[i].refusal);
	}
}

/* A device without an alias is not the device that nobody named. */
static void test_standby_without_name(void **state)
{
	struct us_reason reason;

	assert_null(us_domain_xml_standby(DOMAIN("<interface><model type='virtio'/></interface>"),
					  "", &reason));
}

/* ---- Declarations ---- */

static const struct {
	const char *xml, *pairs; /* NULL: not valid */
} declarations[] = {
	{ "<pairs><pair standby='ua-net0' primary='pool:fast'/></pairs>",
	  "[{\"standby\": \"ua-net0\", \"primary\": \"pool:fast\"}]" },
	{ "<understudy:pairs xmlns:understudy='urn:understudy:pairs:1'>\n <!-- web -->\n"
	  "<understudy:pair standby='a'/><understudy:pair standby='b' name='&lt;x&#10;'/>"
	  "</understudy:pairs>",
	  "[{\"standby\": \"a\"}, {\"standby\": \"b\", \"name\": \"<x\\n\"}]" },
	{ "<pairs/>", "[]" },
	{ "", NULL },
	{ "pairs", NULL },
	{ "<pairs", NULL },
	{ "<pair standby='a'/>", NULL },
	{ "<pairs><pair primary='pool:fast'/></pairs>", NULL },
	{ "<pairs><pair standby='a'/><peer standby='a'/></pairs>", NULL },
	{ "<pairs><pair standby='a' standby='b'/></pairs>", NULL },
	{ "<pairs xmlns:x='urn:x'><pair standby='a' x:primary='pool:fast'/></pairs>", NULL },
	{ "<pairs><pair standby='\xff\xfe'/></pairs>", NULL },
	{ "<?xml version='1.0' encoding='UTF-16'?><pairs><pair standby='a'/></pairs>", NULL },
	{ "<!DOCTYPE pairs [<!ENTITY a 'b'>]><pairs><pair standby='&a;'/></pairs>", NULL },
	{ "<!DOCTYPE pairs SYSTEM 'file:///etc/hostname'><pairs/>", NULL },
	{ "<!DOCTYPE pairs [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>"
	  "<pairs><pair standby='a'/>&x;</pairs>",
	  NULL },
	{ "<!DOCTYPE pairs [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
	  "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;&c;'>"
	  "<!ENTITY e '&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;'><!ENTITY f '&e;&e;&e;&e;&e;&e;&e;&e;&e;'>"
	  "<!ENTITY g '&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;'><!ENTITY h '&g;&g;&g;&g;&g;&g;&g;&g;&g;'>"
	  "<!ENTITY i '&h;&h;&h;&h;&h;&h;&h;&h;&h;&h;'>]><pairs><pair standby='&i;'/></pairs>",
	  NULL },
};

static void check_declaration(const char *xml, const char *pairs)
{
	US_CLEANUP(json_decrefp) json_t *expected = pairs ? json_loads(pairs, 0, NULL) : NULL;
	struct us_reason reason = { .text = "" };
	US_CLEANUP(json_decrefp) json_t *found = us_domain_xml_pairs(xml, &reason);

	if (!found)
		assert_string_equal(
			us_reason_next(&reason),
			"mend it with virsh edit, or remove it: virsh metadata --remove");
	if ((pairs && !found) || (!pairs && found))
		fail_msg("%s: %s", xml, found ? "accepted" : "refused");
	if (pairs)
		assert_true(json_equal(found, expected));
}

static void test_declaration(void **state)
{
	for (size_t i = 0; i < US_ARRAY_LENGTH(declarations); i++)
		check_declaration(declarations[i].xml, declarations[i].pairs);
}

/* "<pairs>", @count times "<pair …/>", "</pairs>". The caller frees it. */
static char *many_pairs(unsigned count)
{
	char *xml = calloc(1, sizeof("<pairs></pairs>") + count * sizeof("<pair standby='123'/>"));

	assert_non_null(xml);
	strcpy(xml, "<pairs>");
	for (unsigned i = 0; i < count; i++)
		sprintf(xml + strlen(xml), "<pair standby='%u'/>", i);
	return strcat(xml, "</pairs>");
}

/* @before, @count times @text, @after. The caller frees it. */
static char *repeat(const char *before, const char *text, unsigned count, const char *after)
{
	size_t length = strlen(text);
	char *xml = malloc(strlen(before) + count * length + strlen(after) + 1), *end;

	assert_non_null(xml);
	end = stpcpy(xml, before);
	for (unsigned i = 0; i < count; i++)
		end = stpcpy(end, text);
	strcpy(end, after);
	return xml;
}

static json_t *read_and_free(char *xml)
{
	struct us_reason reason;
	json_t *pairs = us_domain_xml_pairs(xml, &reason);

	free(xml);
	return pairs;
}

static void test_limits(void **state)
{
	json_t *pairs = read_and_free(many_pairs(64));
	char attributes[64 * 8] = "";

	assert_int_equal(json_array_size(pairs), 64);
	json_decref(pairs);
	assert_null(read_and_free(many_pairs(65)));

	pairs = read_and_free(repeat("<pairs><pair standby='", "x", 255, "'/></pairs>"));
	assert_int_equal(json_array_size(pairs), 1);
	json_decref(pairs);
	/* A value is never cut: half a name may be another thing's. */
	assert_null(read_and_free(repeat("<pairs><pair standby='", "x", 256, "'/></pairs>")));
	assert_null(read_and_free(repeat("<pairs><pair standby='", "x", 7000000, "'/></pairs>")));
	assert_null(read_and_free(repeat("<pairs>", "<x>", 20000, "")));
	assert_null(read_and_free(repeat("<pairs>", " ", 64 * 1024, "</pairs>")));

	for (unsigned i = 0; i < 40; i++)
		sprintf(attributes + strlen(attributes), "a%u='' ", i);
	assert_null(
		read_and_free(repeat("<pairs><pair standby='a' ", attributes, 1, "/></pairs>")));
}

/* The largest declaration fits into a report: 256 KiB, src/vmm/libvirt. */
static void test_report_size(void **state)
{
	char *xml = calloc(1, 128 * 1024);
	json_t *pairs;
	char *text;

	/* A quotation mark needs two bytes in JSON. */
	assert_non_null(xml);
	strcpy(xml, "<pairs>");
	for (unsigned i = 0; i < 64; i++) {
		sprintf(xml + strlen(xml), "<pair standby='%u'", i);
		for (char name = 'b'; name <= 'd'; name++) {
			sprintf(xml + strlen(xml), " %c='", name);
			memset(xml + strlen(xml), '"', 255);
			strcat(xml, "'");
		}
		strcat(xml, "/>");
	}
	pairs = read_and_free(strcat(xml, "</pairs>"));
	assert_int_equal(json_array_size(pairs), 64);
	text = json_dumps(pairs, JSON_COMPACT);
	assert_true(strlen(text) < 200 * 1024);
	free(text);
	json_decref(pairs);
}

/* What is written is read as the same. */
static void test_write_declaration(void **state)
{
	US_CLEANUP(json_decrefp)
	json_t *pairs = json_loads("[{\"standby\": \"ua-net0\", \"primary\": \"pool:<&'\\\">\"}, "
				   "{\"standby\": \"b\", \"name\": \"x\\ny\\u00e9\"}]",
				   0, NULL);
	struct us_reason reason;
	char *xml = us_domain_xml_declaration(pairs);
	US_CLEANUP(json_decrefp) json_t *again = xml ? us_domain_xml_pairs(xml, &reason) : NULL;

	assert_non_null(again);
	assert_true(json_equal(again, pairs));
	free(xml);
}

/* ---- The primary ---- */

static const struct {
	const char *wanted, *xml, *refusal;
} primaries[] = {
	{ "{\"id\": \"ua-understudy-p\", \"model\": \"vfio-pci\", \"host\": \"0000:5e:1f.7\", "
	  "\"bus\": \"pci.5\", \"addr\": \"0x00\"}",
	  "<hostdev mode=\"subsystem\" type=\"pci\" managed=\"no\"><driver name=\"vfio\"/><source>"
	  "<address domain=\"0x0000\" bus=\"0x5e\" slot=\"0x1f\" function=\"0x7\"/></source>"
	  "<alias name=\"ua-understudy-p\"/>"
	  "<address type=\"pci\" bus=\"0x05\" slot=\"0x00\"/></hostdev>\n",
	  NULL },
	{ "{\"id\": \"ua-understudy-p\", \"model\": \"e1000e\", \"interface\": \"t0\", "
	  "\"mac\": \"52:54:00:00:00:01\", \"bus\": \"pci.5\"}",
	  "<interface type=\"ethernet\"><mac address=\"52:54:00:00:00:01\"/>"
	  "<target dev=\"t0\" managed=\"no\"/><model type=\"e1000e\"/><rom enabled=\"no\"/>"
	  "<alias name=\"ua-understudy-p\"/></interface>\n",
	  NULL },
	/* Text is no markup. */
	{ "{\"id\": \"'><x/>\", \"model\": \"\\\"/><y/>\", \"interface\": \"t\", \"mac\": \"\", "
	  "\"bus\": \"pci.5\"}",
	  "<interface type=\"ethernet\"><mac address=\"\"/><target dev=\"t\" managed=\"no\"/>"
	  "<model type=\"&quot;/&gt;&lt;y/&gt;\"/><rom enabled=\"no\"/>"
	  "<alias name=\"'&gt;&lt;x/&gt;\"/></interface>\n",
	  NULL },
	{ "{\"id\": \"x\", \"model\": \"vfio-pci\", \"host\": \"0000:5e:00.2\", \"bus\": "
	  "\"pci.6\"}",
	  NULL, "the domain has no PCI controller with the alias \"pci.6\"" },
	{ "{\"id\": \"x\", \"model\": \"vfio-pci\", \"host\": \"0000:5e:00.2\", \"bus\": \"\"}",
	  NULL, "the domain has no PCI controller" },
	{ "{\"id\": \"x\", \"model\": \"vfio-pci\", \"host\": \"pool\", \"bus\": \"pci.5\"}", NULL,
	  "it is no description of a primary" },
	{ "{\"id\": \"x\", \"model\": \"vfio-pci\", \"host\": \"0000:5e:00.8\", \"bus\": "
	  "\"pci.5\"}",
	  NULL, "it is no description of a primary" },
	{ "{\"id\": \"x\", \"model\": \"vfio-pci\", \"host\": \"0000:5e:00.2x\", \"bus\": "
	  "\"pci.5\"}",
	  NULL, "it is no description of a primary" },
	{ "{\"id\": \"x\", \"model\": \"e1000e\", \"interface\": \"t0\", \"bus\": \"pci.5\"}", NULL,
	  "it is no description of a primary" },
	{ "[]", NULL, "it is no description of a primary" },
};

static void check_primary(size_t i)
{
	US_CLEANUP(json_decrefp) json_t *wanted = json_loads(primaries[i].wanted, 0, NULL);
	struct us_reason reason = { .text = "" };
	char *xml = us_domain_xml_primary(DOMAIN("<controller type='pci' index='1'/>" PORT), wanted,
					  &reason);

	assert_non_null(wanted);
	if (primaries[i].xml)
		assert_string_equal(xml ? xml : reason.text, primaries[i].xml);
	else if (xml || strncmp(reason.text, primaries[i].refusal, strlen(primaries[i].refusal)))
		fail_msg("%s: %s", primaries[i].wanted, xml ? xml : reason.text);
	free(xml);
}

static void test_primary(void **state)
{
	for (size_t i = 0; i < US_ARRAY_LENGTH(primaries); i++)
		check_primary(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_standby),	    cmocka_unit_test(test_standby_without_name),
		cmocka_unit_test(test_declaration), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_report_size), cmocka_unit_test(test_write_declaration),
		cmocka_unit_test(test_primary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
