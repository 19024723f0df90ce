/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and name patterns. Whether they are used, or EC2 is asked, is instance_facts.c's to say. */
#include "cpi/methods/instance_catalog.h"

#include <stddef.h>
#include <string.h>

struct size {
	const char *name;
	uint16_t size;
	uint16_t disks;
};

/* Families with the same storage at the same size; a family may lack some of a newer row's sizes. */
struct row {
	const char *families;
	struct size sizes[14];
};

/* clang-format off */
static const struct row fixed_rows[] = {
	{ "m1", { { "small", 160, 1 }, { "medium", 410, 1 }, { "large", 420, 2 }, { "xlarge", 420, 4 } } },
	{ "c1", { { "medium", 350, 1 }, { "xlarge", 420, 4 } } },
	{ "cc2", { { "8xlarge", 840, 4 } } },
	{ "cg1", { { "4xlarge", 840, 2 } } },
	{ "m2", { { "xlarge", 420, 1 }, { "2xlarge", 850, 1 }, { "4xlarge", 840, 2 } } },
	{ "cr1", { { "8xlarge", 120, 2 } } },
	{ "hi1", { { "4xlarge", 1024, 2 } } },
	{ "hs1", { { "8xlarge", 2000, 24 } } },
	{ "m3", { { "medium", 4, 1 }, { "large", 32, 1 }, { "xlarge", 40, 2 }, { "2xlarge", 80, 2 } } },
	{ "c3",
	  { { "large", 16, 2 }, { "xlarge", 40, 2 }, { "2xlarge", 80, 2 }, { "4xlarge", 160, 2 }, { "8xlarge", 320, 2 } } },
	{ "r3",
	  { { "large", 32, 1 }, { "xlarge", 80, 1 }, { "2xlarge", 160, 1 }, { "4xlarge", 320, 1 }, { "8xlarge", 320, 2 } } },
	{ "g2", { { "2xlarge", 60, 1 }, { "8xlarge", 120, 2 } } },
	{ "i2", { { "xlarge", 800, 1 }, { "2xlarge", 800, 2 }, { "4xlarge", 800, 4 }, { "8xlarge", 800, 8 } } },
	{ "i3",
	  { { "large", 475, 1 }, { "xlarge", 950, 1 }, { "2xlarge", 1900, 1 }, { "4xlarge", 1900, 2 },
	    { "8xlarge", 1900, 4 }, { "16xlarge", 1900, 8 } } },
	{ "i3en",
	  { { "large", 1250, 1 }, { "xlarge", 2500, 1 }, { "2xlarge", 2500, 2 }, { "3xlarge", 7500, 1 },
	    { "6xlarge", 7500, 2 }, { "12xlarge", 7500, 4 }, { "24xlarge", 7500, 8 } } },
	{ "i4i",
	  { { "large", 468, 1 }, { "xlarge", 937, 1 }, { "2xlarge", 1875, 1 }, { "4xlarge", 3750, 1 },
	    { "8xlarge", 3750, 2 }, { "16xlarge", 3750, 4 }, { "32xlarge", 3750, 8 } } },
	{ "d2", { { "xlarge", 2000, 3 }, { "2xlarge", 2000, 6 }, { "4xlarge", 2000, 12 }, { "8xlarge", 2000, 24 } } },
	{ "x1", { { "16xlarge", 1920, 1 }, { "32xlarge", 1920, 2 } } },
	{ "c6id m6id m6idn r6id r6idn",
	  { { "large", 118, 1 }, { "xlarge", 237, 1 }, { "2xlarge", 474, 1 }, { "4xlarge", 950, 1 },
	    { "8xlarge", 1900, 1 }, { "12xlarge", 1425, 2 }, { "16xlarge", 1900, 2 }, { "24xlarge", 1425, 4 },
	    { "32xlarge", 1900, 4 } } },
};

static const struct row newer_rows[] = {
	{ "c5ad z1d",
	  { { "large", 75, 1 }, { "xlarge", 150, 1 }, { "2xlarge", 300, 1 }, { "3xlarge", 450, 1 },
	    { "4xlarge", 300, 2 }, { "6xlarge", 900, 1 }, { "8xlarge", 600, 2 }, { "12xlarge", 900, 2 },
	    { "16xlarge", 1200, 2 }, { "24xlarge", 1900, 2 }, { "metal", 900, 2 } } },
	{ "c5d",
	  { { "large", 50, 1 }, { "xlarge", 100, 1 }, { "2xlarge", 200, 1 }, { "4xlarge", 400, 1 },
	    { "9xlarge", 900, 1 }, { "12xlarge", 900, 2 }, { "18xlarge", 900, 2 }, { "24xlarge", 900, 4 },
	    { "metal", 900, 4 } } },
	{ "c6gd c7gd m6gd m7gd r6gd r7gd",
	  { { "medium", 59, 1 }, { "large", 118, 1 }, { "xlarge", 237, 1 }, { "2xlarge", 474, 1 },
	    { "4xlarge", 950, 1 }, { "8xlarge", 1900, 1 }, { "12xlarge", 1425, 2 }, { "16xlarge", 1900, 2 },
	    { "metal", 1900, 2 } } },
	{ "c6id m6id m6idn r6id r6idn", { { "metal", 1900, 4 } } },
	{ "c8gd m8gd r8gd",
	  { { "medium", 59, 1 }, { "large", 118, 1 }, { "xlarge", 237, 1 }, { "2xlarge", 474, 1 },
	    { "4xlarge", 950, 1 }, { "8xlarge", 1900, 1 }, { "12xlarge", 950, 3 }, { "16xlarge", 1900, 2 },
	    { "24xlarge", 1900, 3 }, { "48xlarge", 1900, 6 }, { "metal-24xl", 1900, 3 },
	    { "metal-48xl", 1900, 6 } } },
	{ "c8id m8id m8idb m8idn r8id r8idb r8idn",
	  { { "large", 118, 1 }, { "xlarge", 237, 1 }, { "2xlarge", 474, 1 }, { "4xlarge", 950, 1 },
	    { "8xlarge", 1900, 1 }, { "12xlarge", 2850, 1 }, { "16xlarge", 3800, 1 }, { "24xlarge", 2850, 2 },
	    { "32xlarge", 3800, 2 }, { "48xlarge", 3800, 3 }, { "96xlarge", 3800, 6 }, { "metal-48xl", 3800, 3 },
	    { "metal-96xl", 3800, 6 } } },
	{ "c9gd m9gd",
	  { { "medium", 59, 1 }, { "large", 118, 1 }, { "xlarge", 237, 1 }, { "2xlarge", 474, 1 },
	    { "4xlarge", 950, 1 }, { "8xlarge", 1900, 1 }, { "12xlarge", 950, 3 }, { "16xlarge", 3800, 1 },
	    { "24xlarge", 1900, 3 }, { "48xlarge", 3800, 3 }, { "metal-48xl", 3800, 3 } } },
	{ "d3", { { "xlarge", 1980, 3 }, { "2xlarge", 1980, 6 }, { "4xlarge", 1980, 12 }, { "8xlarge", 1980, 24 } } },
	{ "d3en",
	  { { "xlarge", 13980, 2 }, { "2xlarge", 13980, 4 }, { "4xlarge", 13980, 8 }, { "6xlarge", 13980, 12 },
	    { "8xlarge", 13980, 16 }, { "12xlarge", 13980, 24 } } },
	{ "f2", { { "6xlarge", 940, 1 }, { "12xlarge", 940, 2 }, { "48xlarge", 940, 8 } } },
	{ "g4ad",
	  { { "xlarge", 150, 1 }, { "2xlarge", 300, 1 }, { "4xlarge", 600, 1 }, { "8xlarge", 1200, 1 },
	    { "16xlarge", 1200, 2 } } },
	{ "g4dn",
	  { { "xlarge", 125, 1 }, { "2xlarge", 225, 1 }, { "4xlarge", 225, 1 }, { "8xlarge", 900, 1 },
	    { "12xlarge", 900, 1 }, { "16xlarge", 900, 1 }, { "metal", 900, 2 } } },
	{ "g5",
	  { { "xlarge", 250, 1 }, { "2xlarge", 450, 1 }, { "4xlarge", 600, 1 }, { "8xlarge", 900, 1 },
	    { "12xlarge", 3800, 1 }, { "16xlarge", 1900, 1 }, { "24xlarge", 3800, 1 }, { "48xlarge", 3800, 2 } } },
	{ "g6 gr6",
	  { { "xlarge", 250, 1 }, { "2xlarge", 450, 1 }, { "4xlarge", 600, 1 }, { "8xlarge", 450, 2 },
	    { "12xlarge", 940, 4 }, { "16xlarge", 940, 2 }, { "24xlarge", 940, 4 }, { "48xlarge", 940, 8 } } },
	{ "g6e",
	  { { "xlarge", 250, 1 }, { "2xlarge", 450, 1 }, { "4xlarge", 600, 1 }, { "8xlarge", 450, 2 },
	    { "12xlarge", 1900, 2 }, { "16xlarge", 950, 2 }, { "24xlarge", 1900, 2 }, { "48xlarge", 1900, 4 } } },
	{ "g6f gr6f", { { "large", 100, 1 }, { "xlarge", 100, 1 }, { "2xlarge", 200, 1 }, { "4xlarge", 450, 1 } } },
	{ "g7",
	  { { "2xlarge", 440, 1 }, { "4xlarge", 875, 1 }, { "8xlarge", 930, 1 }, { "12xlarge", 1900, 1 },
	    { "24xlarge", 3800, 1 }, { "48xlarge", 3800, 2 } } },
	{ "g7e",
	  { { "2xlarge", 1900, 1 }, { "4xlarge", 1900, 1 }, { "8xlarge", 1900, 1 }, { "12xlarge", 3800, 1 },
	    { "24xlarge", 3800, 2 }, { "48xlarge", 3800, 4 } } },
	{ "h1", { { "2xlarge", 2000, 1 }, { "4xlarge", 2000, 2 }, { "8xlarge", 2000, 4 }, { "16xlarge", 2000, 8 } } },
	{ "hpc6id", { { "32xlarge", 3800, 4 } } },
	{ "i3en", { { "metal", 7500, 8 } } },
	{ "i4g i7i i8g",
	  { { "large", 468, 1 }, { "xlarge", 937, 1 }, { "2xlarge", 1875, 1 }, { "4xlarge", 3750, 1 },
	    { "8xlarge", 3750, 2 }, { "12xlarge", 3750, 3 }, { "16xlarge", 3750, 4 }, { "24xlarge", 3750, 6 },
	    { "48xlarge", 3750, 12 }, { "metal-24xl", 3750, 6 }, { "metal-48xl", 3750, 12 } } },
	{ "i4i", { { "12xlarge", 3750, 3 }, { "24xlarge", 3750, 6 }, { "metal", 3750, 8 } } },
	{ "i7ie i8ge",
	  { { "large", 1250, 1 }, { "xlarge", 2500, 1 }, { "2xlarge", 2500, 2 }, { "3xlarge", 7500, 1 },
	    { "6xlarge", 7500, 2 }, { "12xlarge", 7500, 4 }, { "18xlarge", 7500, 6 }, { "24xlarge", 7500, 8 },
	    { "48xlarge", 7500, 16 }, { "metal-24xl", 7500, 8 }, { "metal-48xl", 7500, 16 } } },
	{ "im4gn",
	  { { "large", 937, 1 }, { "xlarge", 1875, 1 }, { "2xlarge", 3750, 1 }, { "4xlarge", 7500, 1 },
	    { "8xlarge", 7500, 2 }, { "16xlarge", 7500, 4 } } },
	{ "is4gen",
	  { { "medium", 937, 1 }, { "large", 1875, 1 }, { "xlarge", 3750, 1 }, { "2xlarge", 7500, 1 },
	    { "4xlarge", 7500, 2 }, { "8xlarge", 7500, 4 } } },
	{ "m5ad m5d m5dn r5ad r5d r5dn",
	  { { "large", 75, 1 }, { "xlarge", 150, 1 }, { "2xlarge", 300, 1 }, { "4xlarge", 300, 2 },
	    { "8xlarge", 600, 2 }, { "12xlarge", 900, 2 }, { "16xlarge", 600, 4 }, { "24xlarge", 900, 4 },
	    { "metal", 900, 4 } } },
	{ "mac-m4 mac-m4pro", { { "metal", 1900, 1 } } },
	{ "p3dn", { { "24xlarge", 900, 2 } } },
	{ "p4d p4de", { { "24xlarge", 1000, 8 } } },
	{ "p5 p5e p5en p6-b200 p6-b300", { { "4xlarge", 3800, 1 }, { "48xlarge", 3800, 8 } } },
	{ "trn1 trn1n", { { "2xlarge", 474, 1 }, { "32xlarge", 1900, 4 } } },
	{ "trn2", { { "3xlarge", 470, 1 }, { "48xlarge", 1900, 4 } } },
	{ "x1e",
	  { { "xlarge", 120, 1 }, { "2xlarge", 240, 1 }, { "4xlarge", 480, 1 }, { "8xlarge", 960, 1 },
	    { "16xlarge", 1920, 1 }, { "32xlarge", 1920, 2 } } },
	{ "x2gd",
	  { { "medium", 59, 1 }, { "large", 118, 1 }, { "xlarge", 237, 1 }, { "2xlarge", 475, 1 },
	    { "4xlarge", 950, 1 }, { "8xlarge", 1900, 1 }, { "12xlarge", 1425, 2 }, { "16xlarge", 1900, 2 },
	    { "metal", 1900, 2 } } },
	{ "x2idn x2iedn",
	  { { "xlarge", 118, 1 }, { "2xlarge", 237, 1 }, { "4xlarge", 475, 1 }, { "8xlarge", 950, 1 },
	    { "16xlarge", 1900, 1 }, { "24xlarge", 1425, 2 }, { "32xlarge", 1900, 2 }, { "metal", 1900, 2 } } },
	{ "x8aedz",
	  { { "large", 158, 1 }, { "xlarge", 316, 1 }, { "3xlarge", 950, 1 }, { "6xlarge", 1900, 1 },
	    { "12xlarge", 3800, 1 }, { "24xlarge", 3800, 2 }, { "metal-12xl", 3800, 1 },
	    { "metal-24xl", 3800, 2 } } },
};
/* clang-format on */

/* Xen: EBS volumes under the names that they were attached by. All other families are Nitro. */
static const char xen_families[] = "c1 c3 c4 cc1 cc2 cg1 cr1 d2 f1 g2 g3 g3s h1 hi1 hs1 i2 i3 m1 m2 m3 m4 p2 p3 r3 r4 t1 t2 "
				   "x1 x1e";
static const char nitro_families[] =
	"a1 c5 c5a c5ad c5d c5n c6a c6g c6gd c6gn c6i c6id c6in c7a c7g c7gd c7gn c7i c7i-flex c8a c8g c8gb c8gd c8gn c8i "
	"c8i-flex c8ib c8id c8in c8ine c9g c9gd d3 d3en dl1 dl2q f2 g4ad g4dn g5 g5g g6 g6e g6f g7 g7e gr6 gr6f hpc6a hpc6id "
	"hpc7a hpc7g hpc8a i3en i4g i4i i7i i7ie i8g i8ge im4gn inf1 inf2 is4gen m5 m5a m5ad m5d m5dn m5n m5zn m6a m6g m6gd "
	"m6i m6id m6idn m6in m7a m7g m7gd m7i m7i-flex m8a m8azn m8g m8gb m8gd m8gn m8i m8i-flex m8ib m8id m8idb m8idn m8in "
	"m8ine m9g m9gd mac-m3ultra mac-m4 mac-m4max mac-m4pro mac1 mac2 mac2-m1ultra mac2-m2 mac2-m2pro p3dn p4d p4de p5 p5e "
	"p5en p6-b200 p6-b300 p6e-gb200 r5 r5a r5ad r5b r5d r5dn r5n r6a r6g r6gd r6i r6id r6idn r6in r7a r7g r7gd r7i r7iz "
	"r8a r8g r8gb r8gd r8gn r8i r8i-flex r8ib r8id r8idb r8idn r8in t3 t3a t4g trn1 trn1n trn2 trn2u u-12tb1 u-18tb1 "
	"u-24tb1 u-3tb1 u-6tb1 u-9tb1 u7i-12tb u7i-6tb u7i-8tb u7in-16tb u7in-24tb u7in-32tb u7inh-32tb vt1 x2gd x2idn "
	"x2iedn x2iezn x8aedz x8g x8i z1d";
/* With a limit for volumes alone, although their generation does not tell. */
static const char dedicated_families[] = "f2 g6 g6e g6f gr6 gr6f p5 p5e p5en p6-b200 p6-b300 trn2";

/* --- names --- */

/* "m7i-flex.large" in its parts; nothing is copied. */
struct name {
	const char *family;
	size_t family_len;
	const char *attributes; /* behind the generation: "i-flex"; their end is the family's */
	unsigned generation;    /* 0: the name has none ("u-6tb1") */
	const char *size;       /* "" where there is none */
};

static struct name split(const char *type)
{
	struct name name = { .family = type, .family_len = strcspn(type, ".") };
	const char *at = type + strspn(type, "abcdefghijklmnopqrstuvwxyz");

	for (; *at >= '0' && *at <= '9' && name.generation < 1000; at++)
		name.generation = name.generation * 10 + (unsigned)(*at - '0');
	name.attributes = at;
	name.size = type + name.family_len + (type[name.family_len] == '.');
	return name;
}

static bool is_listed(const char *list, const struct name *name)
{
	if (name->family_len == 0)
		return false;
	for (const char *word = list; *word != '\0'; word += strspn(word, " ")) {
		size_t len = strcspn(word, " ");
		if (len == name->family_len && memcmp(word, name->family, len) == 0)
			return true;
		word += len;
	}
	return false;
}

static bool is_metal(const struct name *name)
{
	return strncmp(name->size, "metal", 5) == 0;
}

/* 48 for "48xlarge" and "metal-48xl"; 0 for "large", and "metal" by itself. */
static unsigned size_number(const struct name *name)
{
	const char *at = strncmp(name->size, "metal-", 6) == 0 ? name->size + 6 : name->size;
	unsigned number = 0;

	for (; *at >= '0' && *at <= '9' && number < 10000; at++)
		number = number * 10 + (unsigned)(*at - '0');
	return number;
}

/* --- instance storage --- */

static bool find_size(const struct row *rows, size_t n_rows, const char *type,
		      struct instance_catalog_storage *ret_storage)
{
	const struct name name = split(type);

	for (size_t i = 0; i < n_rows; i++) {
		if (!is_listed(rows[i].families, &name))
			continue;
		for (const struct size *size = rows[i].sizes; size->name != NULL; size++) {
			if (strcmp(size->name, name.size) == 0) {
				*ret_storage = (struct instance_catalog_storage){ size->size, size->disks };
				return true;
			}
		}
	}
	return false;
}

bool instance_catalog_fixed(const char *type, struct instance_catalog_storage *ret_storage)
{
	return find_size(fixed_rows, sizeof(fixed_rows) / sizeof(fixed_rows[0]), type, ret_storage);
}

bool instance_catalog_storage(const char *type, struct instance_catalog_storage *ret_storage)
{
	return instance_catalog_fixed(type, ret_storage) ||
	       find_size(newer_rows, sizeof(newer_rows) / sizeof(newer_rows[0]), type, ret_storage);
}

/* --- kinds --- */

bool instance_catalog_is_nitro(const char *type)
{
	const struct name name = split(type);

	/* what is bare metal has Nitro cards, i3.metal too */
	return is_metal(&name) || !is_listed(xen_families, &name);
}

bool instance_catalog_nvme_storage(const char *type)
{
	const struct name name = split(type);

	return instance_catalog_is_nitro(type) || is_listed("i3 f1", &name);
}

bool instance_catalog_is_arm(const char *type)
{
	const struct name name = split(type);
	const char *end = name.family + name.family_len;

	if (is_listed("a1", &name))
		return true;
	if (strncmp(name.family, "mac", 3) == 0)
		return !is_listed("mac1", &name);
	return name.attributes < end && memchr(name.attributes, 'g', (size_t)(end - name.attributes)) != NULL;
}

bool instance_catalog_knows(const char *type)
{
	const struct name name = split(type);

	return is_listed(xen_families, &name) || is_listed(nitro_families, &name);
}

/* --- volumes --- */

static bool has_dedicated_limit(const struct name *name, bool is_arm)
{
	return name->generation >= 8 || (name->generation == 7 && !is_arm) || is_listed(dedicated_families, name);
}

uint64_t instance_catalog_max_volumes(const char *type, uint64_t storage_disks)
{
	static const struct {
		unsigned size;
		uint64_t volumes;
	} dedicated[] = { { 12, 32 }, { 18, 48 }, { 24, 64 }, { 32, 88 } };
	const uint64_t shared = 28 - 1; /* less the interface */
	const struct name name = split(type);
	const bool is_dedicated = has_dedicated_limit(&name, instance_catalog_is_arm(type));
	const unsigned number = size_number(&name);

	if (!instance_catalog_is_nitro(type))
		return 39;
	if (is_metal(&name))
		return !is_dedicated ? 31 : number <= 24 ? 39 : 64;
	if (strncmp(name.family, "hpc", 3) == 0)
		return shared;
	if (!is_dedicated)
		return storage_disks < shared ? shared - storage_disks : 1;
	for (size_t i = 0; i < sizeof(dedicated) / sizeof(dedicated[0]); i++)
		if (number <= dedicated[i].size)
			return dedicated[i].volumes;
	return 128;
}
