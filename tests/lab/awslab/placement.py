# SPDX-License-Identifier: Apache-2.0
"""Placement groups, which moto does not know, so that an instance can be put into one."""
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import EC2Backend
from moto.ec2.responses.instances import InstanceResponse

from .errors import refuse


def install(_):
    """Adds the three actions."""
    EC2Backend.placement_groups = property(lambda self: self.__dict__.setdefault("_placement_groups", {}))

    def create_placement_group(self):
        name = self._get_param("GroupName")
        if name in self.ec2_backend.placement_groups:
            raise refuse("InvalidPlacementGroup.Duplicate", f"The placement group '{name}' already exists.")
        made = {"GroupName": name, "State": "available", "Strategy": self._get_param("Strategy", "cluster")}
        self.ec2_backend.placement_groups[name] = made
        return ActionResult({"PlacementGroup": made})

    def describe_placement_groups(self):
        names, groups = self._get_param("GroupNames", []), self.ec2_backend.placement_groups
        for name in names:
            if name not in groups:
                raise unknown(name)
        return ActionResult({"PlacementGroups": [g for n, g in groups.items() if not names or n in names]})

    def delete_placement_group(self):
        if self.ec2_backend.placement_groups.pop(self._get_param("GroupName"), None) is None:
            raise unknown(self._get_param("GroupName"))
        return EmptyResult()

    for action in (create_placement_group, describe_placement_groups, delete_placement_group):
        setattr(InstanceResponse, action.__name__, action)


def unknown(name):
    return refuse("InvalidPlacementGroup.Unknown", f"The placement group '{name}' is unknown.")
