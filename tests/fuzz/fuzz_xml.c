/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the XML reader: whatever it accepts must be a whole tree within its limits. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cpi/aws/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_nodes(const struct xml_node *node, unsigned depth)
{
	size_t count = 1;
	size_t children = 0;

	if (depth > XML_MAX_DEPTH || node->name == NULL || *node->name == '\0' || node->text == NULL)
		abort();
	if (node->child != NULL && *node->text != '\0')
		abort();
	for (const struct xml_node *child = node->child; child != NULL; child = child->next) {
		count += count_nodes(child, depth + 1);
		children++;
	}
	if (children != node->n_children || xml_count_items(node) > children)
		abort();
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena CLEANUP_ARENA = arena_new((size_t)64 * 1024 * 1024);
	const struct xml_node *root = NULL;
	struct error err = { 0 };

	if (arena == NULL)
		return 0;
	if (xml_parse(arena, (const char *)data, size, &root, &err) != 0) {
		if (root != NULL || err.kind == ERROR_NONE || err.message[0] == '\0')
			abort();
		return 0;
	}
	if (root == NULL || root->next != NULL || count_nodes(root, 1) > XML_MAX_NODES)
		abort();
	return 0;
}
