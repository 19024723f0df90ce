# SPDX-License-Identifier: Apache-2.0
"""Refuses parameters that the action does not have, as AWS does; moto passes over them. What an action takes, and how its
parameters are spelled, is in botocore's model of the service."""
import functools
import re

from botocore.loaders import Loader
from botocore.model import ServiceModel

MODELS = {"2016-11-15": "ec2", "2012-06-01": "elb", "2015-12-01": "elbv2", "2011-06-15": "sts"}  # by API version
BOOLEANS = ("true", "false", "0", "1")
# shape of an id: what it begins with, and the code for one that is written wrongly ("Error codes for the Amazon EC2 API")
IDS = {"InstanceId": ("i", "InvalidInstanceID.Malformed"), "VolumeId": ("vol", "InvalidVolumeID.Malformed"),
       "VolumeIdWithResolver": ("vol", "InvalidVolumeID.Malformed"), "SnapshotId": ("snap", "InvalidSnapshotID.Malformed")}


@functools.lru_cache(maxsize=None)
def _model(name):
    return ServiceModel(Loader().load_service_model(name, "service-2"))


def _names(shape, ec2):
    """The members of a structure by the names that they have in a request."""
    names = {}
    for member, inner in shape.members.items():
        told = inner.serialization
        if ec2:
            name = told.get("queryName") or told.get("name", member)[:1].upper() + told.get("name", member)[1:]
        else:
            name = told.get("name", member)
        names[name] = inner
    return names


def _leaf(shape, path, ec2):
    """The shape at the end of a path, or None where there is none."""
    while path:
        if shape.type_name == "structure":
            shape = _names(shape, ec2).get(path.pop(0))
            if shape is None:
                return None
        elif shape.type_name == "list":
            if not ec2 and not shape.serialization.get("flattened"):
                if path.pop(0) != (shape.member.serialization.get("name") or "member") or not path:
                    return None
            if not re.fullmatch(r"[1-9]\d*", path.pop(0)):
                return None
            shape = shape.member
        else:
            return None
    return shape


def wrong(version, action, params):
    """What AWS would say of the parameters' names and forms, as (code, message); or None."""
    if version not in MODELS or action not in _model(MODELS[version]).operation_names:
        return None
    ec2 = MODELS[version] == "ec2"
    operation = _model(MODELS[version]).operation_model(action)
    for name, value in params.items():
        if name.startswith("X-Amz-"):
            continue
        shape = _leaf(operation.input_shape, name.split("."), ec2)
        # a list alone, without a value, is how an empty one is sent
        if shape is None or shape.type_name in ("structure", "list") and value:
            return ("UnknownParameter" if ec2 else "MalformedInput"), f"The parameter {name} is not recognized"
        kind = shape.type_name
        if kind == "boolean" and value.lower() not in BOOLEANS or \
                kind in ("integer", "long") and not re.fullmatch(r"-?\d+", value):
            return "InvalidParameterValue", f"Value ({value}) for parameter {name} is invalid. Expected a {kind}"
    names = _names(operation.input_shape, ec2)
    for member in operation.input_shape.required_members:
        name = next(n for n, s in names.items() if s is operation.input_shape.members[member])
        if not any(p == name or p.startswith(name + ".") for p in params):
            return "MissingParameter", f"The request must contain the parameter {name}"
    return _malformed(operation, params) if ec2 else None


def _malformed(operation, params):
    """Ids that are none: EC2 does not even look for them."""
    for name, value in params.items():
        shape = None if name.startswith("X-Amz-") else _leaf(operation.input_shape, name.split("."), True)
        kind, code = IDS.get(shape.name if shape else None, (None, None))
        if kind and not re.fullmatch(kind + "-([0-9a-f]{8}|[0-9a-f]{17})", value):
            return code, f'Invalid id: "{value}" (expecting "{kind}-...")'
    return None
