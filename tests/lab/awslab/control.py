# SPDX-License-Identifier: Apache-2.0
"""The control endpoint, /_lab/… of the lab's server; JSON in, JSON out, no signature. README.md lists it."""
import json
from urllib.parse import parse_qs, urlsplit


def handle(gateway, method, path, body):
    """Answers one control request."""
    from .gateway import Answer
    lab = gateway.lab
    url = urlsplit(path)
    name = url.path.removeprefix("/_lab/")
    try:
        value = json.loads(body) if body else None
        result = _do(gateway, lab, method, name, value, parse_qs(url.query))
        return Answer(200, json.dumps(result), "application/json")
    except (ValueError, KeyError, TypeError) as error:
        return Answer(400, json.dumps({"error": f"{type(error).__name__}: {error}"}), "application/json")


def _do(gateway, lab, method, name, value, query):
    if name == "calls":
        with gateway.lock:
            if method == "DELETE":
                gateway.calls.clear()
            since = int(query.get("since", ["0"])[0])
            return [c.as_dict(n) for n, c in enumerate(gateway.calls) if n >= since]
    if name == "faults":
        if method in ("DELETE", "PUT"):
            lab.faults.clear()
        if method in ("POST", "PUT"):
            lab.faults.add(value)
        return lab.faults.rules()
    if name == "faults/release" and method == "POST":
        lab.faults.release()
        return lab.faults.rules()
    if name == "reset":
        lab.faults.clear()
        for settings in lab.settings().values():
            settings.clear()
        with gateway.lock:
            gateway.calls.clear()
            lab.metadata.requests.clear()
            lab.container.requests.clear()
            lab.buckets.changed()
            lab.states.release()
        return {}
    if name == "status":
        return lab.status() | {"connections": gateway.server.connections}
    if name in ("imds/requests", "container/requests"):
        return list((lab.metadata if name.startswith("imds") else lab.container).requests)
    if name == "sessions/owners":
        with gateway.lock:
            return lab.sessions.owners()
    if name == "sessions/expire" and method == "POST":
        lab.sessions.expire()
        return {}
    if name == "direct/expire" and method == "POST":
        with gateway.lock:
            return lab.direct.expire((value or {}).get("SnapshotId", "*"))
    if name == "sessions/token":
        return lab.sessions.token(**value)
    settings = lab.policy.settings if name == "policy" else lab.settings()[name]  # states, devices, imds, options, buckets, sessions, container
    with gateway.lock:
        if method in ("DELETE", "PUT"):
            settings.clear()
        if method in ("POST", "PUT"):
            _merge(settings, value)
        if name == "buckets":
            if method != "GET":
                lab.buckets.changed()
            return {"settings": settings, "buckets": lab.buckets.shown()}
        return settings


def _merge(into, new):
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            into[key] = {**into[key], **value}
        else:
            into[key] = value
