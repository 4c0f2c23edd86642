/* SPDX-License-Identifier: BSD-3-Clause */
/* Any text as the XML of a domain, and as a declaration in its metadata. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libvirt/domain-xml.h"
#include "libvirt/write-xml.h"
#include "util/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void check_standby(const char *xml)
{
	struct us_reason reason = { .text = "" };
	json_t *standby = us_domain_xml_standby(xml, "ua-net0", &reason);
	json_int_t queues = json_integer_value(json_object_get(standby, "queues"));
	json_int_t mtu = json_integer_value(json_object_get(standby, "mtu"));

	must(standby ? queues >= 1 && queues <= 65535 && mtu >= 0 && mtu <= 65535 : reason.text[0]);
	json_decref(standby);
}

/* What is read fits into a report; written, it is read as the same. */
static void check_pairs(const char *xml)
{
	struct us_reason reason = { .text = "" };
	json_t *pairs = us_domain_xml_pairs(xml, &reason), *again;
	char *text = pairs ? json_dumps(pairs, JSON_COMPACT) : NULL;
	char *written = pairs ? us_domain_xml_declaration(pairs) : NULL;

	must(pairs ? text && written && strlen(text) < 200 * 1024 : reason.text[0] != 0);
	again = written ? us_domain_xml_pairs(written, &reason) : NULL;
	/* Escapes may make it longer than a declaration may be. */
	must(!pairs || strlen(written) > 64 * 1024 || (again && json_equal(again, pairs)));
	json_decref(again);
	json_decref(pairs);
	free(written);
	free(text);
}

static void check_primary(const char *xml)
{
	struct us_reason reason = { .text = "" };
	json_t *wanted = json_pack("{s:s, s:s, s:s, s:s}", "id", "ua-understudy-p", "model",
				   "vfio-pci", "host", "0000:5e:00.2", "bus", "pci.5");
	char *text = us_domain_xml_primary(xml, wanted, &reason);

	must(text || reason.text[0]);
	free(text);
	json_decref(wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *xml = malloc(size + 1);

	must(xml);
	memcpy(xml, data, size);
	xml[size] = '\0';
	check_standby(xml);
	check_pairs(xml);
	check_primary(xml);
	free(xml);
	return 0;
}
