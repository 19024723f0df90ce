# SPDX-License-Identifier: Apache-2.0
"""EC2's request token buckets as AWS publishes them: one an account, region and action, full at first. Off unless asked for.

Settings (control endpoint `buckets`): "limits": "published" turns them on; "depth" and "refill" are factors for all of
them; "actions": {"CreateVolume": [20, 5]} sets one action's depth and refill (before the factors).
Fact: "Request throttling for the Amazon EC2 API", Amazon EC2 Developer Guide.
"""
import re
import threading
import time

FILTERED, UNFILTERED, CHANGING = (100, 20), (50, 10), (50, 5)
# Of these Describe calls those without filter or page are dearer; of others there is no such difference.
DEAR = {"DescribeInstances", "DescribeInstanceStatus", "DescribeNetworkInterfaces", "DescribeSecurityGroups",
        "DescribeSnapshots", "DescribeSpotInstanceRequests", "DescribeVolumes"}
REQUESTS = {"RunInstances": (5, 2), "StartInstances": (5, 2), "TerminateInstances": (100, 5), "CreateVolume": (100, 5),
            "DeleteVolume": (100, 5), "CreateSnapshot": (100, 5), "DeleteSnapshot": (100, 5),
            "CreateNetworkInterface": (100, 5), "DeregisterImage": (100, 5), "CreateTags": (100, 10), "CopyImage": (100, 1)}
# The EBS direct APIs have rates alone, for a snapshot the same as for the account. Fact: "Amazon EBS endpoints and quotas", AWS
# General Reference.
DIRECT = {"PutSnapshotBlock": 1000, "GetSnapshotBlock": 1000, "ListSnapshotBlocks": 50, "ListChangedBlocks": 50,
          "StartSnapshot": 10, "CompleteSnapshot": 10}
RESOURCES = {"RunInstances": (1000, 2), "StartInstances": (1000, 2), "TerminateInstances": (1000, 20)}


class Bucket:
    """Tokens, and what became of those who asked for them."""

    def __init__(self, depth, refill, now):
        self.depth, self.refill, self.level, self.then = depth, refill, depth, now
        self.given = self.refused = 0

    def fill(self, now):
        self.level = min(self.depth, self.level + (now - self.then) * self.refill)
        self.then = now

    def shown(self, now):
        self.fill(now)
        return {"depth": self.depth, "refill": self.refill, "level": self.level, "given": self.given,
                "refused": self.refused}


class Buckets:
    """All buckets of the lab's account; they are made when they are first asked."""

    def __init__(self):
        self.settings = {}
        self._buckets = {}
        self._lock = threading.Lock()

    def changed(self):
        """The settings are others now: all buckets are full again."""
        if self.settings.get("limits", "published") != "published":
            self.settings.clear()
            raise ValueError("limits can be \"published\" or not set")
        with self._lock:
            self._buckets.clear()

    def shown(self):
        """What each bucket holds, gave and refused, by "region action" (and " filtered", " resources")."""
        now = time.monotonic()
        with self._lock:
            return {" ".join(key).strip(): bucket.shown(now) for key, bucket in self._buckets.items()}

    def empty(self, call):
        """Takes the call's tokens; whether it must be refused because there are none. Then nothing is taken."""
        if "limits" not in self.settings or call.service not in ("ec2", "ebs"):
            return False
        now = time.monotonic()
        with self._lock:
            wanted = [(self._bucket((call.region, call.action, filtered(call)), request_limit(call), now), 1)]
            if call.action in RESOURCES:
                limit = RESOURCES[call.action]
                wanted.append((self._bucket((call.region, call.action, "resources"), limit, now), resources(call)))
            refused = any(bucket.level < tokens for bucket, tokens in wanted)
            for bucket, tokens in wanted:
                bucket.refused += tokens if refused and bucket.level < tokens else 0
                bucket.given += 0 if refused else tokens
                bucket.level -= 0 if refused else tokens
            return refused

    def _bucket(self, key, limit, now):
        if key not in self._buckets:
            if key[2] != "resources":
                limit = self.settings.get("actions", {}).get(key[1], limit)
            self._buckets[key] = Bucket(limit[0] * float(self.settings.get("depth", 1)),
                                        limit[1] * float(self.settings.get("refill", 1)), now)
        bucket = self._buckets[key]
        bucket.fill(now)
        return bucket


def filtered(call):
    """"filtered" for a call that has the better of two buckets, else ""."""
    narrow = any(name in ("MaxResults", "NextToken") or name.startswith("Filter.") for name in call.params)
    return "filtered" if call.action in DEAR and narrow else ""


def request_limit(call):
    """Depth and refill of the call's bucket."""
    if call.action in DIRECT:
        return DIRECT[call.action], DIRECT[call.action]
    if re.match("Describe|Get|List|Search", call.action or ""):
        return UNFILTERED if call.action in DEAR and not filtered(call) else FILTERED
    return REQUESTS.get(call.action, CHANGING)


def resources(call):
    """How many instances a call is about."""
    if call.action == "RunInstances":
        count = call.params.get("MaxCount", "1")
        return int(count) if count.isdigit() else 1
    return max(1, sum(name.startswith("InstanceId.") for name in call.params))
