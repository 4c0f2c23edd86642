/* SPDX-License-Identifier: BSD-3-Clause */
/* An intrusive doubly linked list; an empty head is a node that points at itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/cleanup.h"

struct us_list {
	struct us_list *next, *previous;
};

static inline void us_list_init(struct us_list *node)
{
	node->next = node->previous = node;
}

static inline bool us_list_is_empty(const struct us_list *head)
{
	return head->next == head;
}

static inline void us_list_append(struct us_list *head, struct us_list *node)
{
	node->previous = head->previous;
	node->next = head;
	head->previous->next = node;
	head->previous = node;
}

/* Removes a node from its list; no effect on a node that is initialised and in no list. */
static inline void us_list_remove(struct us_list *node)
{
	node->previous->next = node->next;
	node->next->previous = node->previous;
	us_list_init(node);
}

/* The body may remove and free @variable, but not its successor. */
#define us_list_for_each(variable, head, member)                                                   \
	for (__typeof__(variable) us_next_##variable,                                              \
	     us_unused_##variable __attribute__((unused)) =                                        \
		     (variable = US_CONTAINER_OF((head)->next, __typeof__(*variable), member));    \
	     &variable->member != (head) &&                                                        \
	     (us_next_##variable =                                                                 \
		      US_CONTAINER_OF(variable->member.next, __typeof__(*variable), member),       \
	     1);                                                                                   \
	     variable = us_next_##variable)
