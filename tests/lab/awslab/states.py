# SPDX-License-Identifier: Apache-2.0
"""States that take time, as EC2's do, or fail.

A setting names a kind and the state that is waited for: {"volume": {"available": 1.5}}. It counts for objects whose
change begins after it was set. A value is seconds, {"between": [2, 28]} (seconds, picked anew for each change),
{"looks": N} (the first N describes still show the old state), {"never": true}, or {"error": "reason"} (with "seconds",
"between" or "looks": after that) where the change ends in the failed state. With "count": N it counts for the next N
changes only.

Kinds and states: volume available attached detached deleted; modification optimizing completed; snapshot completed;
image available deregistered; instance running stopped terminated; interface available detached.
An instance whose "running" is an error, {"error": "Server.InternalError: Internal error on launch"}, dies at birth. What
a terminated instance leaves behind takes as long as its volumes' and interfaces' "detached".
"""
import contextlib
import random
import time


class Change:
    """One change on its way; finish(error) is called once, when it is due."""

    def __init__(self, spec, finish):
        spec = spec if isinstance(spec, dict) else {"seconds": spec}
        self.error = spec.get("error")
        self.never = spec.get("never", False)
        self.looks = spec.get("looks", 0)
        self.seconds = random.uniform(*spec["between"]) if "between" in spec else float(spec.get("seconds", 0))
        self.finish = finish
        self.began = time.monotonic()
        self.seen = 0

    def due(self):
        return (not self.never and self.seen >= self.looks
                and time.monotonic() - self.began >= self.seconds)

    def progress(self):
        """How far it is, in percent, for snapshots."""
        parts = []
        if self.seconds:
            parts.append((time.monotonic() - self.began) / self.seconds)
        if self.looks:
            parts.append(self.seen / self.looks)
        return int(min(parts + [0.99]) * 100) if parts else 0


class States:
    """All changes on their way in one lab. Called with the lab's lock held."""

    def __init__(self):
        self.settings = {}
        self._changes = {}  # id -> Change
        self._at_once = ()

    @contextlib.contextmanager
    def at_once(self, *kinds):
        """Within this, changes of these kinds take no time."""
        before, self._at_once = self._at_once, kinds
        try:
            yield
        finally:
            self._at_once = before

    def begin(self, kind, state, ident, finish):
        """Begins a change of an object; without a setting it is done before this returns."""
        change = Change(self._setting(kind, state), finish)
        self._changes[ident] = change
        self._settle(ident)

    def _setting(self, kind, state):
        spec = 0 if kind in self._at_once else self.settings.get(kind, {}).get(state, 0)
        if isinstance(spec, dict) and "count" in spec:
            if spec["count"] < 1:
                return 0
            spec["count"] -= 1
        return spec

    def settle(self):
        """Finishes what is due by time."""
        for ident in list(self._changes):
            self._settle(ident)

    def look(self, ident):
        """An object is about to be shown. What waits for looks counts this one as seen only afterwards."""
        change = self._changes.get(ident)
        if change is not None:
            self._settle(ident)
            change.seen += 1

    def pending(self, ident):
        return self._changes.get(ident)

    def forget(self, ident):
        self._changes.pop(ident, None)

    def _settle(self, ident):
        change = self._changes.get(ident)
        if change is not None and change.due():
            del self._changes[ident]
            change.finish(change.error)

    def release(self):
        """Finishes everything now, whatever it was waiting for."""
        for change in list(self._changes.values()):
            change.never, change.looks, change.seconds = False, 0, 0
        self.settle()
