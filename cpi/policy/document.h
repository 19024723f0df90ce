/* SPDX-License-Identifier: Apache-2.0 */
/* A selection as an IAM policy: JSON, a statement a feature, both statements and actions in alphabetical order. Each action stands
 * once: in its own feature's statement, else in the first chosen feature's that needs it too.
 * Facts: IAM JSON policy reference (Sid: letters and digits); global condition keys (aws:RequestedRegion); EC2 and spot: "Granting
 * a user permissions to pass a role to an AWS service", "Service-linked role for EC2 Spot"; EBS and KMS: "Amazon EBS encryption". */
#ifndef CPI_POLICY_DOCUMENT_H
#define CPI_POLICY_DOCUMENT_H

#include "common/buf.h"
#include "cpi/policy/selection.h"

#define POLICY_MAX_CHARACTERS 6144 /* of a managed policy, spaces not counted */

void policy_document_write(const struct policy_selection *selection, struct buf *out);

#endif
