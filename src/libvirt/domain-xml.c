/* SPDX-License-Identifier: BSD-3-Clause */
#include <libxml/parser.h>
#include <stdio.h>
#include <string.h>

#include "libvirt/domain-xml.h"
#include "util/cleanup.h"

enum {
	XML_BYTES_MAX = 8 * 1024 * 1024,
	DECLARATION_BYTES_MAX = 64 * 1024, /* so that a report of it fits into a line */
	ATTRIBUTES_MAX = 32,
	NUMBER_MAX = 65535, /* of queues, an MTU, or a bus */
};

US_DEFINE_CLEANUP(xmlDocPtr, xmlFreeDoc)

/* ---- Reading ---- */

/*
 * Without the network and error output. NULL: it is no XML, it is too long, or it has a document
 * type: only that can declare entities, and libvirt writes none.
 */
static xmlDocPtr parse(const char *xml, size_t bytes_max)
{
	size_t length = strlen(xml);
	xmlDocPtr document;

	if (length > bytes_max)
		return NULL;
	document = xmlReadMemory(xml, (int)length, NULL, NULL,
				 XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (document && xmlGetIntSubset(document)) {
		xmlFreeDoc(document);
		return NULL;
	}
	return document;
}

/* The first child element @name of @node, or NULL. */
static xmlNodePtr child(xmlNodePtr node, const char *name)
{
	for (node = node ? node->children : NULL; node; node = node->next)
		if (node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0)
			return node;
	return NULL;
}

/* Copies the attribute @name of @node. False: it has none, or it does not fit; then it is "". */
static bool copy_attribute(xmlNodePtr node, const char *name, char *buffer, size_t size)
{
	xmlChar *value = node ? xmlGetNoNsProp(node, (const xmlChar *)name) : NULL;
	bool fits = value && strlen((const char *)value) < size;

	strcpy(buffer, fits ? (const char *)value : "");
	xmlFree(value);
	return fits;
}

static const char *attribute(xmlNodePtr node, const char *name, char *buffer, size_t size)
{
	copy_attribute(node, name, buffer, size);
	return buffer;
}

/* The number in the attribute @name of @node; 0: it has none, or it makes no sense. */
static int number(xmlNodePtr node, const char *name)
{
	char text[16];
	unsigned long value = strtoul(attribute(node, name, text, sizeof(text)), NULL, 0);

	return value <= NUMBER_MAX ? (int)value : 0;
}

/* The element @name in <devices> whose alias is @id, or NULL. */
static xmlNodePtr find_device(xmlDocPtr document, const char *name, const char *id)
{
	xmlNodePtr device = child(child(xmlDocGetRootElement(document), "devices"), name);
	char alias[128];

	for (; device; device = device->next)
		if (device->type == XML_ELEMENT_NODE &&
		    strcmp((const char *)device->name, name) == 0 &&
		    strcmp(attribute(child(device, "alias"), "name", alias, sizeof(alias)), id) ==
			    0)
			return device;
	return NULL;
}

static json_t *read_standby(xmlNodePtr interface)
{
	int queues = number(child(interface, "driver"), "queues");
	int bus = number(child(interface, "address"), "bus");
	char mac[32], tap[64], teaming[32], id[32];

	attribute(child(interface, "mac"), "address", mac, sizeof(mac));
	attribute(child(interface, "target"), "dev", tap, sizeof(tap));
	attribute(child(interface, "teaming"), "type", teaming, sizeof(teaming));
	snprintf(id, sizeof(id), bus ? "pci.%d" : "pcie.%d", bus);
	return json_pack("{s:s, s:s, s:i, s:i, s:b, s:s}", "mac", mac, "interface", tap, "queues",
			 queues ? queues : 1, "mtu", number(child(interface, "mtu"), "size"),
			 "failover", strcmp(teaming, "persistent") == 0, "bus", id);
}

json_t *us_domain_xml_standby(const char *xml, const char *id, struct us_reason *reason)
{
	US_CLEANUP(xmlFreeDocp) xmlDocPtr document = parse(xml, XML_BYTES_MAX);
	xmlNodePtr interface = document && id[0] ? find_device(document, "interface", id) : NULL;
	char model[64];
	json_t *standby;

	if (!interface) {
		us_refuse(reason, "the domain has no interface with the alias \"%.60s\"", id);
		us_advise(reason, "virsh dumpxml shows the aliases");
		return NULL;
	}
	attribute(child(interface, "model"), "type", model, sizeof(model));
	if (strncmp(model, "virtio", strlen("virtio")) != 0) {
		us_refuse(reason, "interface \"%s\" has the model \"%s\"", id, model);
		us_advise(reason, "a standby is a virtio interface");
		return NULL;
	}
	standby = read_standby(interface);
	if (!standby)
		us_refuse(reason, "the XML of interface \"%s\" has no valid text", id);
	return standby;
}

/* Interface number N of a domain that does not run, for the alias "netN" that it will get. */
static xmlNodePtr find_by_number(xmlDocPtr document, const char *id)
{
	xmlNodePtr device = child(child(xmlDocGetRootElement(document), "devices"), "interface");
	unsigned number;
	int end = 0;

	if (sscanf(id, "net%3u%n", &number, &end) != 1 || id[end])
		return NULL;
	for (; device; device = device->next)
		if (device->type == XML_ELEMENT_NODE &&
		    strcmp((const char *)device->name, "interface") == 0 && number-- == 0)
			return child(device, "alias") ? NULL : device;
	return NULL;
}

int us_domain_xml_check_standby(const char *xml, const char *id, bool is_running,
				struct us_reason *reason)
{
	US_CLEANUP(xmlFreeDocp) xmlDocPtr document = parse(xml, XML_BYTES_MAX);
	xmlNodePtr interface = document ? find_device(document, "interface", id) : NULL;
	char model[64], teaming[32];

	if (document && !interface && !is_running)
		interface = find_by_number(document, id);
	if (!interface) {
		us_refuse(reason, "it has no interface with the alias \"%.60s\"", id);
		return us_advise(reason, is_running ? "virsh dumpxml shows the aliases"
						    : "net0 is the first <interface>, net1 the "
						      "second");
	}
	attribute(child(interface, "model"), "type", model, sizeof(model));
	if (strncmp(model, "virtio", strlen("virtio")) != 0) {
		us_refuse(reason, "interface %s has the model \"%s\"", id, model);
		return us_advise(reason, "virsh edit: <model type='virtio'/>");
	}
	attribute(child(interface, "teaming"), "type", teaming, sizeof(teaming));
	if (strcmp(teaming, "persistent") == 0)
		return 0;
	us_refuse(reason, "interface %s has no <teaming type='persistent'/>", id);
	return us_advise(reason, is_running ? "add it with virsh edit, shut the domain down and "
					      "start it again"
					    : "add it with virsh edit");
}

/* ---- Controllers ---- */

int us_domain_xml_bus(const char *xml, const char *id)
{
	US_CLEANUP(xmlFreeDocp) xmlDocPtr document = parse(xml, XML_BYTES_MAX);
	xmlNodePtr controller = document && id[0] ? find_device(document, "controller", id) : NULL;

	return controller && xmlHasProp(controller, (const xmlChar *)"index")
		       ? number(controller, "index")
		       : -1;
}

/* ---- Declarations ---- */

/*
 * The attributes of @node; NULL: one is empty, too long or of another namespace, or there are too
 * many.
 */
static json_t *read_pair(xmlNodePtr node)
{
	US_CLEANUP(json_decrefp) json_t *pair = json_object();

	for (xmlAttrPtr property = node->properties; property; property = property->next) {
		const char *name = (const char *)property->name;
		char value[256];

		if (!copy_attribute(node, name, value, sizeof(value)) || !value[0] ||
		    json_object_size(pair) >= ATTRIBUTES_MAX ||
		    json_object_set_new(pair, name, json_string(value)) < 0)
			return NULL;
	}
	return US_STEAL(pair);
}

static bool has_standby(const json_t *pairs, const json_t *standby)
{
	const json_t *pair;
	size_t i;

	json_array_foreach (pairs, i, pair)
		if (json_equal(json_object_get(pair, "standby"), standby))
			return true;
	return false;
}

/* Appends the pair of @node. */
static int append_pair(json_t *pairs, xmlNodePtr node, struct us_reason *reason)
{
	bool is_pair = strcmp((const char *)node->name, "pair") == 0;
	US_CLEANUP(json_decrefp) json_t *pair = is_pair ? read_pair(node) : NULL;
	const json_t *standby = json_object_get(pair, "standby");

	if (!is_pair)
		return us_refuse(reason, "<%.40s> is no <pair>", (const char *)node->name);
	if (!pair)
		return us_refuse(reason, "an attribute of a <pair> is empty or too long");
	if (!standby)
		return us_refuse(reason, "a <pair> has no attribute \"standby\"");
	if (has_standby(pairs, standby))
		return us_refuse(reason, "it has two pairs for standby %.60s",
				 json_string_value(standby));
	if (json_array_size(pairs) >= US_DECLARED_PAIRS_MAX)
		return us_refuse(reason, "it has more than %d pairs", US_DECLARED_PAIRS_MAX);
	json_array_append(pairs, pair);
	return 0;
}

json_t *us_domain_xml_pairs(const char *xml, struct us_reason *reason)
{
	US_CLEANUP(xmlFreeDocp) xmlDocPtr document = parse(xml, DECLARATION_BYTES_MAX);
	xmlNodePtr root = document ? xmlDocGetRootElement(document) : NULL;
	US_CLEANUP(json_decrefp) json_t *pairs = json_array();
	struct us_reason cause;
	int r = root && strcmp((const char *)root->name, "pairs") == 0
			? 0
			: us_refuse(&cause, "it is no element <pairs>");

	for (xmlNodePtr node = root ? root->children : NULL; node && r == 0; node = node->next)
		if (node->type == XML_ELEMENT_NODE)
			r = append_pair(pairs, node, &cause);
	if (r == 0)
		return US_STEAL(pairs);
	us_refuse_because(reason, &cause, "the declaration in its metadata is not valid");
	us_advise(reason, "mend it with virsh edit, or remove it: virsh metadata --remove");
	return NULL;
}
