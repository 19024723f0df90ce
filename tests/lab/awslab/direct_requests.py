# SPDX-License-Identifier: Apache-2.0
"""Requests to the EBS direct APIs, read and checked by botocore's model of them: which action it is, with which parameters,
and whether these are what the model lets them be. What they do is in direct.py."""
import functools
import json
import re
from urllib.parse import parse_qsl, unquote

from botocore.loaders import Loader
from botocore.model import ServiceModel

# What the model calls wrong with a parameter of that type; INVALID_PARAMETER_VALUE for others.
REASONS = {"SnapshotId": "INVALID_SNAPSHOT_ID", "BlockToken": "INVALID_BLOCK_TOKEN", "PageToken": "INVALID_PAGE_TOKEN",
           "VolumeSize": "INVALID_VOLUME_SIZE", "KmsKeyArn": "INVALID_CUSTOMER_KEY", "BlockIndex": "INVALID_BLOCK",
           "TagKey": "INVALID_TAG", "TagValue": "INVALID_TAG", "Tag": "INVALID_TAG", "Tags": "INVALID_TAG"}
# The reason where a refusal has just one that fits.
USUAL = {"RequestThrottledException": "ACCOUNT_THROTTLED", "ResourceNotFoundException": "SNAPSHOT_NOT_FOUND",
         "ServiceQuotaExceededException": "DEPENDENCY_SERVICE_QUOTA_EXCEEDED"}
# Fault rules by kind: status, code, message.
TROUBLE = {"throttle": (400, "RequestThrottledException", "The request was throttled."),
           "bucket": (400, "RequestThrottledException", "The request was throttled."),
           "not_found": (404, "ResourceNotFoundException", "The snapshot does not exist.")}
FAILED = (500, "InternalServerException", "An internal error has occurred.")


class Refusal(Exception):
    """An error answer; the status is the model's unless it is given."""

    def __init__(self, code, message, reason=None, status=None):
        super().__init__(code, message)
        self.code, self.message, self.reason = code, message, reason
        self.status = status or modelled(code) or 400


def invalid(message, reason="INVALID_PARAMETER_VALUE"):
    return Refusal("ValidationException", message, reason)


@functools.lru_cache(maxsize=None)
def _model():
    return ServiceModel(Loader().load_service_model("ebs", "service-2"))


@functools.lru_cache(maxsize=None)
def modelled(code):
    """The HTTP status of an error that the model knows, or None."""
    if code not in _model().shape_names:
        return None
    return _model().shape_for(code).metadata.get("error", {}).get("httpStatusCode")


def error_body(code, message, reason=None):
    """The JSON of an error. The model's own errors spell Message large, those of any service small."""
    if modelled(code) is None:
        return json.dumps({"message": message})
    reason = reason or USUAL.get(code)
    return json.dumps({"Message": message} | ({"Reason": reason} if reason else {}))


@functools.lru_cache(maxsize=None)
def _routes():
    """(method, pattern of the path, action), and the members of the request by where they stand."""
    routes = []
    for name in _model().operation_names:
        http = _model().operation_model(name).http
        routes.append((http["method"], re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", http["requestUri"])), name))
    return routes


@functools.lru_cache(maxsize=None)
def _members(action):
    shape = _model().operation_model(action).input_shape
    found = {"uri": {}, "header": {}, "querystring": {}, "body": {}, "payload": shape.serialization.get("payload")}
    for member, inner in shape.members.items():
        if member != found["payload"]:
            told = inner.serialization
            found[told.get("location", "body")][told.get("name", member)] = member
    return found


def read(method, path, query, headers, body):
    """The action, and the parameters as they came (by botocore's names, never the block's data); None, {} for what is no
    request of these APIs. A body that is no JSON object is the parameter "body"."""
    for verb, pattern, action in _routes():
        match = pattern.fullmatch(path) if verb == method else None
        if match:
            members = _members(action)
            params = {members["uri"][k]: unquote(v) for k, v in match.groupdict().items()}
            params |= {members["querystring"].get(k, k): v for k, v in parse_qsl(query, keep_blank_values=True)}
            params |= {m: headers[k] for k, m in members["header"].items() if k in headers}
            if members["body"]:
                params |= _json(body)
            return action, params
    return None, {}


def _json(body):
    try:
        value = json.loads(body)
        return value if isinstance(value, dict) else {"body": value}
    except ValueError:
        return {"body": body.decode("utf-8", "replace")}


def flat(params):
    """Parameters as the record and the rules of faults have them, texts all: Tags.1.Key and so on."""
    texts = {}
    for name, value in params.items():
        if isinstance(value, list):
            texts |= flat({f"{name}.{n}": each for n, each in enumerate(value, 1)})
        elif isinstance(value, dict):
            texts |= flat({f"{name}.{key}": each for key, each in value.items()})
        elif value is not None:
            texts[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return texts


def checked(action, params):
    """The parameters in their types, or a ValidationException."""
    shape = _model().operation_model(action).input_shape
    payload = _members(action)["payload"]
    return _structure(shape, params, payload)


def _structure(shape, given, payload=None):
    if not isinstance(given, dict):
        raise invalid(f"{shape.name} must be an object", REASONS.get(shape.name, "INVALID_PARAMETER_VALUE"))
    given = {name: value for name, value in given.items() if value is not None}
    unknown = given.keys() - shape.members.keys()
    if unknown:  # AWS passes over these; here they are mistakes
        raise invalid(f"Unknown parameter {min(unknown)}")
    for name in shape.required_members:
        if name not in given and name != payload:
            raise invalid(f"Value null at '{name}' failed to satisfy constraint: Member must not be null",
                          REASONS.get(shape.members[name].name, "INVALID_PARAMETER_VALUE"))
    return {name: _value(shape.members[name], name, value) for name, value in given.items()}


def _value(shape, name, value):
    kind = shape.type_name
    if kind == "list" and isinstance(value, list):
        return [_value(shape.member, name, each) for each in value]
    if kind == "structure":
        return _structure(shape, value)
    if kind in ("integer", "long") and isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
        value = int(value)
    fits = {"integer": int, "long": int, "boolean": bool, "string": str}.get(kind)
    if fits is None or not isinstance(value, fits) or fits is int and isinstance(value, bool):
        raise _unfit(shape, name, value, f"Member must be of type {kind}")
    _bounded(shape, name, value)
    return value


def _bounded(shape, name, value):
    told = shape.metadata
    amount = len(value) if isinstance(value, str) else value
    if "min" in told and amount < told["min"]:
        raise _unfit(shape, name, value, f"Member must be at least {told['min']}")
    if "max" in told and amount > told["max"]:
        raise _unfit(shape, name, value, f"Member must be at most {told['max']}")
    if "pattern" in told and not re.fullmatch(told["pattern"], value):
        raise _unfit(shape, name, value, f"Member must satisfy regular expression pattern: {told['pattern']}")
    if "enum" in told and value not in told["enum"]:
        raise _unfit(shape, name, value, f"Member must satisfy enum value set: {told['enum']}")


def _unfit(shape, name, value, constraint):
    return invalid(f"Value '{str(value)[:80]}' at '{name}' failed to satisfy constraint: {constraint}"[:256],
                   REASONS.get(shape.name, "INVALID_PARAMETER_VALUE"))
