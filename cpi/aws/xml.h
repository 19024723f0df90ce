/* SPDX-License-Identifier: Apache-2.0 */
/* XML text to a tree, for AWS's answers. Attributes and namespaces are passed over: EC2's answers do without. A
 * document type is refused, and with it every entity but the five built in. */
#ifndef CPI_AWS_XML_H
#define CPI_AWS_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/error.h"

#define XML_MAX_BYTES ((size_t)64 * 1024 * 1024)
#define XML_MAX_DEPTH 64
#define XML_MAX_NODES ((size_t)1000 * 1000)

struct xml_node {
	const char *name;
	const char *text; /* character data, entities resolved; "" where there is none and for elements that have
			     children */
	const struct xml_node *child; /* the first one */
	const struct xml_node *next;  /* the next sibling */
	size_t n_children;
};

/* Parses len bytes; the tree lives in the arena and does not refer to text. ERROR_INVALID with line and reason for what
 * is not well-formed or has a document type; ERROR_TOO_BIG over the limits above; ERROR_NOMEM. */
int xml_parse(struct arena *arena, const char *text, size_t len, const struct xml_node **ret_root, struct error *err);

/* The first child of that name; NULL when there is none, or node is NULL. */
const struct xml_node *xml_child(const struct xml_node *node, const char *name);
/* The text of that child, NULL when there is no such child. */
const char *xml_text(const struct xml_node *node, const char *name);
/* The elements of a list, called "item" by EC2 and "member" by the other services, one after the other: xml_item(list)
 * first, then xml_next_item(item). */
const struct xml_node *xml_item(const struct xml_node *list);
const struct xml_node *xml_next_item(const struct xml_node *item);
/* How many of them there are; 0 for NULL. */
size_t xml_count_items(const struct xml_node *list);

#endif
