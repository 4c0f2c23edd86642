/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/xmlwriter.h>
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

/* ---- Writing ---- */

static xmlTextWriterPtr start(xmlBufferPtr buffer, const char *element)
{
	xmlTextWriterPtr writer = buffer ? xmlNewTextWriterMemory(buffer, 0) : NULL;

	if (writer)
		xmlTextWriterStartElement(writer, (const xmlChar *)element);
	return writer;
}

static void write_attribute(xmlTextWriterPtr writer, const char *name, const char *value)
{
	xmlTextWriterWriteAttribute(writer, (const xmlChar *)name, (const xmlChar *)value);
}

/* An element with up to two attributes and no content. */
static void write_element(xmlTextWriterPtr writer, const char *element, const char *name,
			  const char *value, const char *name2, const char *value2)
{
	xmlTextWriterStartElement(writer, (const xmlChar *)element);
	write_attribute(writer, name, value);
	if (name2)
		write_attribute(writer, name2, value2);
	xmlTextWriterEndElement(writer);
}

/* Ends the outer element. Takes @writer and @buffer. The caller frees the text; NULL: no memory. */
static char *finish(xmlTextWriterPtr writer, xmlBufferPtr buffer)
{
	char *text = NULL;

	if (writer && xmlTextWriterEndDocument(writer) >= 0)
		text = strdup((const char *)xmlBufferContent(buffer));
	xmlFreeTextWriter(writer);
	xmlBufferFree(buffer);
	return text;
}

char *us_domain_xml_declaration(const json_t *pairs)
{
	xmlBufferPtr buffer = xmlBufferCreate();
	xmlTextWriterPtr writer = start(buffer, "pairs");
	const json_t *pair, *value;
	const char *name;
	size_t i;

	if (!writer)
		return finish(writer, buffer);
	json_array_foreach (pairs, i, pair) {
		xmlTextWriterStartElement(writer, (const xmlChar *)"pair");
		json_object_foreach ((json_t *)pair, name, value)
			if (json_is_string(value))
				write_attribute(writer, name, json_string_value(value));
		xmlTextWriterEndElement(writer);
	}
	return finish(writer, buffer);
}

/* The number of the bus behind the PCI controller with the alias @id; -1: there is none. */
static int bus_number(const char *xml, const char *id)
{
	US_CLEANUP(xmlFreeDocp) xmlDocPtr document = parse(xml, XML_BYTES_MAX);
	xmlNodePtr controller = document && id[0] ? find_device(document, "controller", id) : NULL;

	return controller && xmlHasProp(controller, (const xmlChar *)"index")
		       ? number(controller, "index")
		       : -1;
}

struct pci_address {
	unsigned domain, bus, slot, function;
};

/* Reads "0000:5e:00.2". */
static bool read_address(const char *text, struct pci_address *ret_address)
{
	struct pci_address address;
	int length = 0;

	if (sscanf(text, "%4x:%2x:%2x.%1x%n", &address.domain, &address.bus, &address.slot,
		   &address.function, &length) != 4 ||
	    text[length] || address.slot > 0x1f || address.function > 7)
		return false;
	*ret_address = address;
	return true;
}

static void write_vf(xmlTextWriterPtr writer, const struct pci_address *address)
{
	char text[4][16];

	snprintf(text[0], sizeof(text[0]), "0x%04x", address->domain);
	snprintf(text[1], sizeof(text[1]), "0x%02x", address->bus);
	snprintf(text[2], sizeof(text[2]), "0x%02x", address->slot);
	snprintf(text[3], sizeof(text[3]), "0x%x", address->function);
	write_attribute(writer, "mode", "subsystem");
	write_attribute(writer, "type", "pci");
	write_attribute(writer, "managed", "no");
	write_element(writer, "driver", "name", "vfio", NULL, NULL);
	xmlTextWriterStartElement(writer, (const xmlChar *)"source");
	xmlTextWriterStartElement(writer, (const xmlChar *)"address");
	write_attribute(writer, "domain", text[0]);
	write_attribute(writer, "bus", text[1]);
	write_attribute(writer, "slot", text[2]);
	write_attribute(writer, "function", text[3]);
	xmlTextWriterEndElement(writer);
	xmlTextWriterEndElement(writer);
}

/* Without a ROM: its memory would break an incoming migration of a VM that does not have it. */
static void write_emulated(xmlTextWriterPtr writer, const char *model, const char *tap,
			   const char *mac)
{
	write_attribute(writer, "type", "ethernet");
	write_element(writer, "mac", "address", mac, NULL, NULL);
	write_element(writer, "target", "dev", tap, "managed", "no");
	write_element(writer, "model", "type", model, NULL, NULL);
	write_element(writer, "rom", "enabled", "no", NULL, NULL);
}

/* A port has one slot; on another bus, @slot is NULL, and libvirt chooses one. */
static void write_slot(xmlTextWriterPtr writer, const char *bus, const char *slot)
{
	if (!slot)
		return;
	xmlTextWriterStartElement(writer, (const xmlChar *)"address");
	write_attribute(writer, "type", "pci");
	write_attribute(writer, "bus", bus);
	write_attribute(writer, "slot", slot);
	xmlTextWriterEndElement(writer);
}

char *us_domain_xml_primary(const char *xml, const json_t *wanted, struct us_reason *reason)
{
	const char *id = NULL, *model = NULL, *host = NULL, *tap = NULL, *mac = NULL, *bus = NULL;
	const char *slot = NULL;
	struct pci_address address = { 0 };
	xmlTextWriterPtr writer;
	xmlBufferPtr buffer;
	char bus_text[16];
	char *text;

	if (json_unpack((json_t *)wanted, "{s:s, s:s, s?s, s?s, s?s, s:s, s?s}", "id", &id, "model",
			&model, "host", &host, "interface", &tap, "mac", &mac, "bus", &bus, "addr",
			&slot) < 0 ||
	    (host ? !read_address(host, &address) : !tap || !mac)) {
		us_refuse(reason, "it is no description of a primary");
		return NULL;
	}
	if (bus_number(xml, bus) < 0) {
		us_refuse(reason, "the domain has no PCI controller with the alias \"%.60s\"", bus);
		return NULL;
	}
	snprintf(bus_text, sizeof(bus_text), "0x%02x", (unsigned)bus_number(xml, bus));
	buffer = xmlBufferCreate();
	writer = start(buffer, host ? "hostdev" : "interface");
	if (writer) {
		if (host)
			write_vf(writer, &address);
		else
			write_emulated(writer, model, tap, mac);
		write_element(writer, "alias", "name", id, NULL, NULL);
		write_slot(writer, bus_text, slot);
	}
	text = finish(writer, buffer);
	if (!text)
		us_refuse(reason, "%s", us_strerror(ENOMEM));
	return text;
}
