/* SPDX-License-Identifier: Apache-2.0 */
/* The tree builder on expat, which is used nowhere else. What the elements mean is left to those who asked for the
 * answer. */
#include "cpi/aws/xml.h"

#include <expat.h>
#include <limits.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"

/* An element that is open. */
struct open_element {
	struct xml_node *node;
	struct xml_node *last_child;
	size_t text_start; /* where its text begins in builder.text */
};

struct builder {
	XML_Parser parser;
	struct arena *arena;
	struct open_element stack[XML_MAX_DEPTH];
	unsigned depth;
	size_t n_nodes;
	struct xml_node *root;
	struct buf *text; /* of all open elements, the innermost's last */
	struct error error; /* the first of ours; kind ERROR_NONE while there is none */
};

static void cleanup_parser(XML_Parser *parser)
{
	if (*parser != NULL)
		XML_ParserFree(*parser);
}

static void stop(struct builder *builder)
{
	XML_StopParser(builder->parser, XML_FALSE);
}

static void stop_nomem(struct builder *builder)
{
	error_nomem(&builder->error);
	stop(builder);
}

static struct xml_node *new_node(struct builder *builder, const char *name)
{
	struct xml_node *node = arena_alloc(builder->arena, sizeof(*node));

	if (node == NULL)
		return NULL;
	node->name = arena_strdup(builder->arena, name);
	node->text = "";
	return node->name == NULL ? NULL : node;
}

static void append_child(struct open_element *parent, struct xml_node *node)
{
	if (parent->last_child == NULL)
		parent->node->child = node;
	else
		parent->last_child->next = node;
	parent->last_child = node;
	parent->node->n_children++;
}

static void XMLCALL on_start(void *self, const XML_Char *name, const XML_Char **attributes)
{
	struct builder *builder = self;

	(void)attributes;
	if (builder->error.kind != ERROR_NONE)
		return; /* expat may report a little more after it was stopped */
	if (builder->depth == XML_MAX_DEPTH) {
		error_set(&builder->error, ERROR_TOO_BIG, "the XML is nested deeper than %d elements", XML_MAX_DEPTH);
		stop(builder);
		return;
	}
	if (++builder->n_nodes > XML_MAX_NODES) {
		error_set(&builder->error, ERROR_TOO_BIG, "the XML has more than %zu elements", XML_MAX_NODES);
		stop(builder);
		return;
	}
	struct xml_node *node = new_node(builder, name);
	if (node == NULL) {
		stop_nomem(builder);
		return;
	}
	if (builder->depth > 0)
		append_child(&builder->stack[builder->depth - 1], node);
	else
		builder->root = node;
	builder->stack[builder->depth++] =
		(struct open_element){ .node = node, .text_start = builder->text->len };
}

static void XMLCALL on_text(void *self, const XML_Char *text, int len)
{
	struct builder *builder = self;

	if (builder->error.kind != ERROR_NONE)
		return;
	buf_append(builder->text, text, (size_t)len);
	if (builder->text->failed)
		stop_nomem(builder);
}

static void XMLCALL on_end(void *self, const XML_Char *name)
{
	struct builder *builder = self;

	(void)name;
	if (builder->error.kind != ERROR_NONE)
		return;
	struct open_element *element = &builder->stack[--builder->depth];
	size_t len = builder->text->len - element->text_start;
	/* blanks between children are layout */
	if (len > 0 && element->node->child == NULL) {
		char *text = arena_strndup(builder->arena, builder->text->data + element->text_start, len);
		if (text == NULL) {
			stop_nomem(builder);
			return;
		}
		element->node->text = text;
	}
	builder->text->len = element->text_start;
}

static void XMLCALL on_doctype(void *self, const XML_Char *name, const XML_Char *system_id, const XML_Char *public_id,
			       int has_internal_subset)
{
	struct builder *builder = self;

	(void)name;
	(void)system_id;
	(void)public_id;
	(void)has_internal_subset;
	if (builder->error.kind == ERROR_NONE)
		error_set(&builder->error, ERROR_INVALID, "the XML has a document type, which is refused");
	stop(builder);
}

static int parse_error(const struct builder *builder, struct error *err)
{
	if (builder->error.kind != ERROR_NONE) {
		if (err != NULL)
			*err = builder->error;
		return -1;
	}
	enum XML_Error code = XML_GetErrorCode(builder->parser);
	if (code == XML_ERROR_NO_MEMORY)
		return error_nomem(err);
	return error_set(err, ERROR_INVALID, "not well-formed XML: %s in line %lu", XML_ErrorString(code),
			 (unsigned long)XML_GetCurrentLineNumber(builder->parser));
}

int xml_parse(struct arena *arena, const char *text, size_t len, const struct xml_node **ret_root, struct error *err)
{
	_Static_assert(XML_MAX_BYTES <= INT_MAX, "expat takes an int");

	if (len > XML_MAX_BYTES)
		return error_set(err, ERROR_TOO_BIG, "the XML is larger than %zu bytes", XML_MAX_BYTES);
	XML_Parser parser CLEANUP(cleanup_parser) = XML_ParserCreate(NULL);
	if (parser == NULL)
		return error_nomem(err);
	struct buf text_of_open CLEANUP_BUF = BUF_INIT(XML_MAX_BYTES);
	struct builder builder = { .parser = parser, .arena = arena, .text = &text_of_open };

	XML_SetUserData(parser, &builder);
	XML_SetElementHandler(parser, on_start, on_end);
	XML_SetCharacterDataHandler(parser, on_text);
	XML_SetStartDoctypeDeclHandler(parser, on_doctype);
	enum XML_Status status = XML_Parse(parser, text, (int)len, XML_TRUE);
	if (status != XML_STATUS_OK)
		return parse_error(&builder, err);
	*ret_root = builder.root;
	return 0;
}

static const struct xml_node *named(const struct xml_node *node, const char *name)
{
	while (node != NULL && strcmp(node->name, name) != 0)
		node = node->next;
	return node;
}

const struct xml_node *xml_child(const struct xml_node *node, const char *name)
{
	return node == NULL ? NULL : named(node->child, name);
}

const char *xml_text(const struct xml_node *node, const char *name)
{
	const struct xml_node *child = xml_child(node, name);

	return child == NULL ? NULL : child->text;
}

static const struct xml_node *item_from(const struct xml_node *node)
{
	while (node != NULL && strcmp(node->name, "item") != 0 && strcmp(node->name, "member") != 0)
		node = node->next;
	return node;
}

const struct xml_node *xml_item(const struct xml_node *list)
{
	return list == NULL ? NULL : item_from(list->child);
}

const struct xml_node *xml_next_item(const struct xml_node *item)
{
	return item_from(item->next);
}

size_t xml_count_items(const struct xml_node *list)
{
	size_t count = 0;

	for (const struct xml_node *item = xml_item(list); item != NULL; item = xml_next_item(item))
		count++;
	return count;
}
