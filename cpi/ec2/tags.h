/* SPDX-License-Identifier: Apache-2.0 */
/* CreateTags, and the limits of tags: keys are cut at 127 and values at 255 Unicode characters, as the original. */
#ifndef CPI_EC2_TAGS_H
#define CPI_EC2_TAGS_H

#include <stdbool.h>

#include "cpi/ec2/client.h"

#define TAG_KEY_MAX 127   /* MAX_TAG_KEY_LENGTH */
#define TAG_VALUE_MAX 255 /* MAX_TAG_VALUE_LENGTH */

int tags_create(struct ec2_client *ec2, struct ec2_ids resources, struct ec2_tags tags, struct error *err);
/* The same for what is on its way out: gone already counts as success. */
int tags_create_if_there(struct ec2_client *ec2, struct ec2_ids resources, struct ec2_tags tags, struct error *err);
/* Whether EC2 refused the tags themselves: a full tag set (TagLimitExceeded), or a value (InvalidParameterValue). */
bool tags_are_refused(const struct error *failure);
/* The text cut to max characters (not bytes), in the arena; NULL when memory runs out. */
const char *tags_cut(struct arena *arena, const char *text, size_t max);
/* The value of that key, NULL when there is none. */
const char *tags_get(struct ec2_tags tags, const char *key);

#endif
