# SPDX-License-Identifier: Apache-2.0
"""Classic load balancers and target groups: what does not exist is refused, who has terminated is no longer entered."""
from moto.core.responses import ActionResult
from moto.elb.exceptions import ELBClientError
from moto.elb.models import ELBBackend, elb_backends
from moto.elb.responses import ELBResponse
from moto.elbv2.exceptions import ELBClientError as V2Error
from moto.elbv2.models import FakeTargetGroup, elbv2_backends
from moto.elbv2.responses import ELBV2Response


def forget(backend, instance_id):
    """A terminated instance is taken out of everything."""
    balancers = elb_backends[backend.account_id][backend.region_name]
    for balancer in balancers.load_balancers.values():
        balancers.deregister_instances(balancer.name, [instance_id])
    elbv2_backends[backend.account_id][backend.region_name].notify_terminate_instances([instance_id])


def install(lab):
    """Puts the lab's checks in front of moto's entries, and EC2-like pages behind its lists."""
    _classic()
    _targets()
    # 400 is what both services give where nothing is said
    for response, name, key in ((ELBResponse, "describe_load_balancers", "LoadBalancerDescriptions"),
                                (ELBV2Response, "describe_target_groups", "TargetGroups")):
        setattr(response, name, _paged(lab, getattr(response, name), key))


def _not_found(name):
    return ELBClientError("LoadBalancerNotFound", f"There is no ACTIVE Load Balancer named '{name}'")


def _classic():
    register = ELBBackend.register_instances

    def describe_load_balancers(self, names):
        for name in names or []:
            if name not in self.load_balancers:
                raise _not_found(name)
        return [b for b in self.load_balancers.values() if not names or b.name in names]

    def register_instances(self, name, instance_ids, from_autoscaling=False):
        balancer = self.load_balancers.get(name)
        if balancer is None:
            raise _not_found(name)
        for instance_id in instance_ids:
            instance = _backend(self).get_instance_by_id(instance_id)
            if instance is None or instance.state in ("shutting-down", "terminated"):
                raise ELBClientError("InvalidInstance", f"Could not find EC2 instance {instance_id}.")
            if balancer.vpc_id and instance.vpc_id != balancer.vpc_id:
                raise ELBClientError("InvalidInstance", f"EC2 instance {instance_id} is not in the same VPC as ELB.")
        return register(self, name, [i for i in instance_ids if i not in balancer.instance_ids], from_autoscaling)

    def register_instances_with_load_balancer(self):
        balancer = self.elb_backend.register_instances(
            self._get_param("LoadBalancerName"), [i["InstanceId"] for i in self._get_param("Instances", [])])
        return ActionResult({"Instances": balancer.instances})

    ELBBackend.describe_load_balancers, ELBBackend.register_instances = describe_load_balancers, register_instances
    ELBResponse.register_instances_with_load_balancer = register_instances_with_load_balancer


def _backend(elb):
    from moto.ec2.models import ec2_backends
    return ec2_backends[elb.account_id][elb.region_name]


def _targets():
    register = FakeTargetGroup.register

    def checked(self, targets):
        for target in targets if self.target_type == "instance" else []:
            instance = self.ec2_backend.get_instance_by_id(target["Id"])
            if instance is None or instance.state in ("shutting-down", "terminated"):
                raise V2Error("InvalidTarget", f"The following targets are not valid instances: '{target['Id']}'")
            if instance.state == "running" and instance.vpc_id != self.vpc_id:
                raise V2Error("InvalidTarget", "The following targets are not in the target group VPC "
                              f"'{self.vpc_id}': '{target['Id']}'")
        register(self, targets)

    FakeTargetGroup.register = checked


def _paged(lab, describe, key):
    def shown(self):
        size, marker = self._get_int_param("PageSize"), self._get_param("Marker")
        for name in ("PageSize", "Marker"):
            self.params.pop(name, None)
        self.params["PageSize"] = 10 ** 6  # all of moto's; the page is cut here
        items = list(describe(self).result[key])
        start = int(marker or 0)
        end = start + min(n for n in (size or 400, 400, lab.options.get("page_size")) if n)
        return ActionResult({key: items[start:end], "NextMarker": str(end) if end < len(items) else None})
    return shown
