# SPDX-License-Identifier: Apache-2.0
"""Trouble on demand: which of the rules that tests have set apply to a call. The gateway carries them out.

A rule is a dict: {"action": "CreateVolume" (or a pattern with * and ?, default "*"), "kind": …, "count": 1 (-1: always),
"skip": 0 (lets the first N pass), "for": seconds (from the first call that it counts for; then the rule is over), "match": {"VolumeId": "vol-*"} (parameters, by pattern)}, and by kind:
  error        {status, code, message}: answered instead of doing it
  error_after  the same, but it was done
  deny         not permitted: UnauthorizedOperation or AccessDenied, also of a dry run, if the call is properly signed
  throttle     RequestLimitExceeded, status 503, not done (EBS direct: RequestThrottledException, 400)
  not_found    {code}: the resource "does not exist" (yet); code is guessed from the action
  reset        the connection is reset before anything is done
  drop         done, then closed without an answer
  truncate     done, half of the answer's body
  garbage      {body, status}: done, answered with bytes that are no XML
  hang         {seconds}: nothing for that long, then closed; {"after": true}: done before
  delay        {seconds}: done that much later; {"after": true}: answered that much later
  hold         done when the rules are taken away, or those of this kind (at most two minutes later); {"after": true}: answered then
  signal       {pid or pid_file, signal (TERM), when: before|after}: a process gets a signal at this call; it is done all the same
  bucket       {depth, refill}: a token bucket for each action; an empty one throttles. Has no count.
"""
import fnmatch
import threading
import time

KINDS = {"error", "error_after", "deny", "throttle", "not_found", "reset", "drop", "truncate", "garbage", "hang", "delay", "hold",
         "signal", "bucket"}
LONGEST_HOLD = 120  # seconds
# The first that is in the action's name counts.
NOUNS = {"LoadBalancer": "LoadBalancerNotFound", "Target": "TargetGroupNotFound",
         "NetworkInterface": "InvalidNetworkInterfaceID.NotFound", "PrivateIp": "InvalidNetworkInterfaceID.NotFound",
         "Ipv6": "InvalidNetworkInterfaceID.NotFound", "InstanceType": "InvalidInstanceType",
         "RouteTable": "InvalidRouteTableID.NotFound", "Route": "InvalidRoute.NotFound",
         "SecurityGroup": "InvalidGroup.NotFound", "Volume": "InvalidVolume.NotFound",
         "Snapshot": "InvalidSnapshot.NotFound", "Image": "InvalidAMIID.NotFound",
         "Instance": "InvalidInstanceID.NotFound", "Tag": "InvalidID", "Address": "InvalidAllocationID.NotFound",
         "Subnet": "InvalidSubnetID.NotFound"}


class Faults:
    """The rules, in the order in which they were set."""

    def __init__(self):
        self._rules = []
        self._lock = threading.Lock()

    def add(self, rules):
        for rule in rules if isinstance(rules, list) else [rules]:
            if rule.get("kind") not in KINDS:
                raise ValueError(f"unknown kind of fault: {rule.get('kind')!r}; known: {', '.join(sorted(KINDS))}")
            with self._lock:
                self._rules.append({"action": "*", "count": 1, "skip": 0, **rule, "hits": 0, "over": threading.Event()})

    def clear(self):
        with self._lock:
            for rule in self._rules:
                rule["over"].set()
            self._rules.clear()

    def release(self):
        """Takes away those that hold calls."""
        with self._lock:
            for rule in [r for r in self._rules if r["kind"] == "hold"]:
                rule["over"].set()
                self._rules.remove(rule)

    def rules(self):
        with self._lock:
            return [{k: v for k, v in r.items() if k not in ("buckets", "over")} for r in self._rules]

    def take(self, action, params):
        """The rules that apply to this call; each has been counted."""
        with self._lock:
            return [dict(r) for r in self._rules if self._applies(r, action or "", params)]

    def _applies(self, rule, action, params):
        if not fnmatch.fnmatchcase(action, rule["action"]):
            return False
        for name, pattern in rule.get("match", {}).items():
            if not any(fnmatch.fnmatchcase(v, pattern) for k, v in params.items()
                       if k == name or k.startswith(name + ".")):
                return False
        if rule["kind"] == "bucket":
            return self._empty(rule, action)
        if rule["skip"] > 0:
            rule["skip"] -= 1
            return False
        if rule["count"] == 0 or "for" in rule and _over(rule):
            return False
        rule["count"] -= 1 if rule["count"] > 0 else 0
        rule["hits"] += 1
        return True

    @staticmethod
    def _empty(rule, action):
        now = time.monotonic()
        buckets = rule.setdefault("buckets", {})
        level, then = buckets.get(action, (float(rule["depth"]), now))
        level = min(float(rule["depth"]), level + (now - then) * float(rule["refill"]))
        empty = level < 1
        buckets[action] = (level if empty else level - 1, now)
        rule["hits"] += empty
        return empty


def _over(rule):
    """Whether the time of a rule that counts for so many seconds is over."""
    return time.monotonic() - rule.setdefault("since", time.monotonic()) > float(rule["for"])


def not_found_code(action):
    """InvalidVolume.NotFound for DescribeVolumes, and so on."""
    for noun, code in NOUNS.items():
        if noun in action.removesuffix("s"):
            return code
    return "InvalidParameterValue"
