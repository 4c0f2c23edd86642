/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <libxml/xmlwriter.h>
#include <stdio.h>
#include <string.h>

#include "libvirt/domain-xml.h"
#include "libvirt/write-xml.h"
#include "util/cleanup.h"

/* ---- Elements ---- */

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
	if (us_domain_xml_bus(xml, bus) < 0) {
		us_refuse(reason, "the domain has no PCI controller with the alias \"%.60s\"", bus);
		return NULL;
	}
	snprintf(bus_text, sizeof(bus_text), "0x%02x", (unsigned)us_domain_xml_bus(xml, bus));
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
