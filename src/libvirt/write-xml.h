/* SPDX-License-Identifier: BSD-3-Clause */
/* The elements of a domain's XML that the helper writes. Pure: values in, text out. */
#pragma once

#include <jansson.h>

#include "util/error.h"

/* Makes the element <pairs> from an array as us_domain_xml_pairs() returns. The caller frees the
 * text; NULL without memory. */
char *us_domain_xml_declaration(const json_t *pairs);

/*
 * Makes the element of a primary: a <hostdev> for "host", a PCI address; else an <interface> of the
 * model "model" behind the tap "interface", with the address "mac". "id" is its alias and "bus" the
 * alias of the PCI controller that it is plugged into, at "addr" unless libvirt may choose; @xml is
 * the domain's. The caller frees the text. Returns NULL with @reason if @wanted does not describe a
 * device, or the domain has no such controller.
 */
char *us_domain_xml_primary(const char *xml, const json_t *wanted, struct us_reason *reason);
