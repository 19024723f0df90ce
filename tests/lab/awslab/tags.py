# SPDX-License-Identifier: Apache-2.0
"""Tags as EC2 keeps and refuses them."""
from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidInstanceIdError
from moto.ec2.models import EC2Backend
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.tags import TagBackend
from moto.ec2.responses._base_response import EC2BaseResponse
from moto.ec2.responses.tags import TagResponse
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

from . import common
from .errors import invalid, refuse

MOST = 50
TYPES = {"vpc-elastic-ip": "elastic-ip", "spot-instance-request": "spot-instances-request"}


def check(keys_and_values):
    """Refuses tags that nothing may have; pairs, as a key twice would be lost in a dict."""
    keys = [key for key, _ in keys_and_values]
    for key, value in keys_and_values:
        if not key:
            raise invalid("Tag key cannot be empty")
        if key.lower().startswith("aws:"):
            raise invalid("Tag keys starting with 'aws:' are reserved for internal use")
        if len(key) > 127:
            raise invalid("Tag key exceeds the maximum length of 127 characters")
        if len(value or "") > 256:
            raise invalid("Tag value exceeds the maximum length of 256 characters")
        if keys.count(key) > 1:
            raise invalid(f"Duplicate tag key '{key}' specified.")


def given(response, *kinds):
    """The TagSpecification of a request by resource type; refuses types that are not among kinds."""
    found = {}
    for spec in response._get_param("TagSpecifications", []) or []:
        kind, pairs = spec.get("ResourceType"), [(t.get("Key"), t.get("Value", "")) for t in spec.get("Tags", [])]
        if kind not in kinds:
            raise invalid(f"'{kind}' is not a valid taggable resource type for this operation.")
        if kind in found:
            raise invalid(f"Duplicate resource type '{kind}' in tag specifications")
        check(pairs)
        if len(pairs) > MOST:
            raise too_many()
        found[kind] = dict(pairs)
    return found


def too_many():
    return refuse("TagLimitExceeded", f"The maximum number of Tags for a resource has been reached. ({MOST})")


def install(lab):
    """Puts the lab's tags in place of moto's."""
    exist, create, parse = EC2Backend.do_resources_exist, TagResponse.create_tags, EC2BaseResponse._parse_tag_specification

    def do_resources_exist(self, resource_ids):
        for ident in resource_ids:
            prefix = get_prefix(ident)
            if prefix == "i" and self.get_instance_by_id(ident) is None:
                raise InvalidInstanceIdError(ident)
            if prefix == "eni":
                self.get_network_interface(ident)
        return exist(self, [i for i in resource_ids if get_prefix(i) != "eni"])

    def create_tags(self):
        check([(t.get("Key"), t.get("Value", "")) for t in self._get_param("Tags", [])])
        for tag in self._get_param("Tags", []):
            tag.setdefault("Value", "")
        return create(self)

    def keep(self, resource_ids, tags):
        for ident in resource_ids:
            if len(self.tags[ident].keys() | tags.keys()) > MOST:
                raise too_many()
        for ident in resource_ids:
            self.tags[ident].update(tags)
        return True

    def parse_checked(self, *args):
        for spec in self._get_param("TagSpecifications", []) or []:
            check([(t.get("Key"), t.get("Value", "")) for t in spec.get("Tags", [])])
            if len(spec.get("Tags", [])) > MOST:
                raise too_many()
        return parse(self, *args)

    EC2Backend.do_resources_exist, TagBackend.create_tags = do_resources_exist, keep
    TagResponse.create_tags, EC2BaseResponse._parse_tag_specification = create_tags, parse_checked
    TaggedEC2Resource.get_tags = lambda self: _shown(self.ec2_backend, self.id)
    TagResponse.describe_tags = lambda self: common.page(lab, self, _described(self), "Tags")


def _shown(backend, ident):
    kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(ident), "")
    return [{"resource_id": ident, "key": key, "value": value, "resource_type": TYPES.get(kind, kind)}
            for key, value in backend.tags.get(ident, {}).items()]


def _described(response):
    response.error_on_dryrun()
    backend = response.ec2_backend
    found = [tag for ident in backend.tags for tag in _shown(backend, ident)]
    for name, wanted in response._filters_from_querystring().items():
        if name.startswith("tag:"):
            found = [t for t in found if t["key"] == name[4:] and common.matches(t["value"], wanted)]
        elif name in ("key", "value", "resource-id", "resource-type"):
            found = [t for t in found if common.matches(t[name.replace("-", "_")], wanted)]
        else:
            raise invalid(f"The filter '{name}' is invalid")
    return ActionResult({"Tags": found})
