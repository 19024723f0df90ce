/* SPDX-License-Identifier: Apache-2.0 */
/* The names under which volumes are attached, and what kernels make of them. Facts: "Device names for volumes on Amazon
 * EC2 instances", Amazon EC2 User Guide. */
#ifndef ONHOST_NAMES_H
#define ONHOST_NAMES_H

#include <stdbool.h>

/* What this kernel makes of "sda": on some, all of Xen's letters come four later. */
enum names_shift {
	NAMES_SHIFT_UNKNOWN, /* either */
	NAMES_SHIFT_NONE,    /* xvda */
	NAMES_SHIFT_FOUR,    /* xvde */
};

/* On Xen: the kernel's disk ("xvdf") can be what was attached under that name ("/dev/sdf", "sdf", "/dev/xvdf"). Names
 * that begin with xvd are never shifted. */
bool names_xen_fit(const char *asked, const char *disk, enum names_shift shift);
/* Two names of one attachment, whatever its prefix: "/dev/sdf", "sdf", "xvdf", "/dev/xvdf" are the same. */
bool names_same(const char *a, const char *b);
/* The name says something: not NULL, not "", not "none". */
bool names_given(const char *name);

#endif
