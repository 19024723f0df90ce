# SPDX-License-Identifier: Apache-2.0
"""What our programs may do, where a test says so, and a note of all that they have asked for. Calls of others (boto3 of the tests)
are neither refused nor noted.

Control endpoint `policy`: {"allow": ["ec2:Describe*", …]}, as in an IAM policy; all else is refused as EC2, STS, the load
balancers and the EBS direct APIs refuse it. Nothing set: all is allowed. It outlives `reset`.

Where AWS asks for further permissions, so does this. Facts: "Grant permission to tag Amazon EC2 resources during creation",
"Granting a user permissions to pass a role to an AWS service".
"""
import fnmatch
import os

OURS = "bosh-aws-cpi/"  # how our User-Agent begins
SERVICES = {"ec2", "ebs", "elasticloadbalancing", "sts"}
# Nobody needs a permission for the one; the other is the role's to allow.
ANYBODYS = {"sts:GetCallerIdentity", "sts:AssumeRoleWithWebIdentity"}


class Policy:
    """The patterns that are allowed, and the actions seen so far."""

    def __init__(self):
        self.settings = {}
        self._seen = set()
        self._folder = os.environ.get("LAB_RECORDED_ACTIONS")

    def look(self, call, user_agent):
        """Notes a call; the permission that it lacks, or None."""
        if not user_agent.startswith(OURS) or call.service not in SERVICES:
            return None
        action = f"{call.service}:{call.action}"
        self._note(action)
        call.permissions = [] if action in ANYBODYS else [action, *_further(call)]
        allowed = self.settings.get("allow")
        if allowed is None:
            return None
        return next((p for p in call.permissions if not any(fnmatch.fnmatchcase(p, a) for a in allowed)), None)

    def _note(self, action):
        if action in self._seen:
            return
        self._seen.add(action)
        if self._folder:
            with open(os.path.join(self._folder, str(os.getpid())), "a", encoding="ascii") as f:
                f.write(action + "\n")


def _further(call):
    """What AWS asks for besides."""
    if call.action not in ("CreateTags", "DeleteTags") and any(k.startswith(("TagSpecification.", "Tags")) for k in call.params):
        yield "ec2:CreateTags"
    if any(k.startswith("IamInstanceProfile.") for k in call.params):
        yield "iam:PassRole"
