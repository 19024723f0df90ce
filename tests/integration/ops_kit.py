# SPDX-License-Identifier: Apache-2.0
"""The operations files of packaging/bosh-deployment, applied as `bosh int` does (of its language only what they use), to a manifest of
bosh-deployment's shape. `make acceptance` has the real CLI do the same."""
import copy
import os
import re

import yaml
from conftest import ROOT

FOLDER = os.path.join(ROOT, "packaging", "bosh-deployment")


def ops(name):
    """The operations of one of the files."""
    with open(os.path.join(FOLDER, name), encoding="utf-8") as f:
        return yaml.safe_load(f)


def bosh_deployment():
    """What counts of bosh.yml with aws/cpi.yml behind it."""
    aws = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "secret", "region": "us-east-1", "default_key_name": "bosh",
           "default_security_groups": ["bosh"]}
    job = {"name": "aws_cpi", "release": "bosh-aws-cpi"}
    return {
        "name": "bosh",
        "releases": [{"name": name, "url": f"https://bosh.io/d/{name}?v=1", "sha1": "a1" * 20, "version": "1.2.3"}
                     for name in ("bosh", "bpm", "bosh-aws-cpi")],
        "instance_groups": [{"name": "bosh", "jobs": [{"name": "director", "release": "bosh"}, job],
                             "properties": {"director": {"cpi_job": "aws_cpi"}, "aws": copy.deepcopy(aws)}}],
        "cloud_provider": {"template": dict(job), "properties": {"aws": copy.deepcopy(aws)}},
    }


def _replace(place, parts, value):
    optional = False
    for part in parts[:-1]:
        optional = optional or part.endswith("?")
        if "=" in part:
            key, name = part.split("=", 1)
            place, = [each for each in place if each[key] == name]
        elif optional:
            place = place.setdefault(part.rstrip("?"), {})
        else:
            place = place[part]
    last = parts[-1]
    if "=" in last:
        key, name = last.split("=", 1)
        index, = [i for i, each in enumerate(place) if each.get(key) == name] or [None]
        if index is None:
            raise KeyError(last)
        place[index] = value
    elif optional or last in place:
        place[last] = value
    else:
        raise KeyError(last)


def applied(manifest, operations, variables):
    """The manifest after them, with the variables in."""
    manifest = copy.deepcopy(manifest)
    for operation in operations:
        assert set(operation) == {"type", "path", "value"} and operation["type"] == "replace", operation
        text = re.sub(r"\(\((\w+)\)\)", lambda m: str(variables[m.group(1)]), yaml.safe_dump(operation["value"]))
        _replace(manifest, operation["path"].strip("/").split("/"), yaml.load(text, yaml.BaseLoader))
    return manifest
