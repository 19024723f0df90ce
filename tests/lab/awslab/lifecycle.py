# SPDX-License-Identifier: Apache-2.0
"""An instance's states, and what goes with it at its end: volumes, interfaces, addresses, load balancers' entries."""
import copy

from moto.core.utils import utcnow
from moto.ec2.models.instances import Instance, StateReason

from . import balancers, interfaces
from .errors import incorrect_state, refuse

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
BY_USER = "Client.UserInitiatedShutdown"


def _become(instance, state, reason="", code=None, message=None):
    """reason is StateTransitionReason; code and message are StateReason, which running instances have none of."""
    instance._state.name, instance._state.code = state, CODES[state]
    instance._reason = reason
    instance.state_reason = StateReason(message, code) if code else None


def _by_user(instance, state):
    _become(instance, state, f"User initiated ({utcnow():%Y-%m-%d %H:%M:%S} GMT)", BY_USER,
            f"{BY_USER}: User initiated shutdown")


def begin(lab, instance):
    """It is on its way to running, or to its death."""
    _become(instance, "pending", "", "pending", "pending")

    def finish(error):
        if error:
            code = error.partition(":")[0] if ":" in error else "Server.InternalError"
            _become(instance, "terminated", code, code, error if ":" in error else f"{code}: {error}")
            _leave(lab, instance)
        else:
            _become(instance, "running")
    lab.states.begin("instance", "running", instance.id, finish)


def _leave(lab, instance):
    """What was the instance's goes with it, or is free again."""
    backend = instance.ec2_backend
    for address in backend.addresses:
        if address.association_id and address.eni in instance.nics.values():
            backend.disassociate_address(association_id=address.association_id)
    for eni in list(instance.nics.values()):
        interfaces.let_go(lab, backend, eni)
    instance.nics, instance._subnet_id = {}, None
    for device in list(instance.block_device_mapping.values()):
        if device.delete_on_termination:
            with lab.states.at_once("volume"):
                backend.detach_volume(device.volume_id, instance.id, None)
                backend.delete_volume(device.volume_id)
        else:
            backend.detach_volume(device.volume_id, instance.id, None)
    backend.iam_instance_profile_associations.pop(instance.id, None)
    balancers.forget(backend, instance.id)


def _wrong_state(instance, verb):
    return refuse("IncorrectInstanceState", f"The instance '{instance.id}' is not in a state from which it can be {verb}.")


def install(lab):
    """Puts the lab's states in place of moto's."""
    def terminate(self):
        before = copy.copy(self._state)
        if before.name not in ("shutting-down", "terminated"):
            _by_user(self, "shutting-down")

            def finish(_):
                self._state.name, self._state.code = "terminated", CODES["terminated"]
                _leave(lab, self)
            lab.states.begin("instance", "terminated", self.id, finish)
        return before

    def start(self):
        before = copy.copy(self._state)
        if before.name not in ("pending", "running"):
            if before.name != "stopped":
                raise _wrong_state(self, "started")
            for eni in self.nics.values():
                eni.start()
            begin(lab, self)
        return before

    def stop(self):
        before = copy.copy(self._state)
        if before.name not in ("stopping", "stopped"):
            if before.name != "running":
                raise _wrong_state(self, "stopped")
            if self.lifecycle == "spot":
                raise refuse("UnsupportedOperation", f"You can't stop the Spot Instance '{self.id}' because it is "
                             "associated with a one-time Spot Instance request.")
            _by_user(self, "stopping")

            def finish(_):
                for eni in self.nics.values():
                    eni.stop()
                self._state.name, self._state.code = "stopped", CODES["stopped"]
            lab.states.begin("instance", "stopped", self.id, finish)
        return before

    def reboot(self):
        if self.state != "running":
            raise incorrect_state(f"Cannot reboot instance {self.id} that is currently in {self.state} state.")

    def mappings(self):
        """DescribeInstances shows each volume's attachment as it is now."""
        shown = []
        for name, device in self.block_device_mapping.items():
            device = copy.copy(device)
            attachment = self.ec2_backend.volumes[device.volume_id].attachment
            device.status = attachment.status if attachment else "detached"
            shown.append({"DeviceName": name, "Ebs": device})
        return shown

    Instance.start, Instance.stop, Instance.reboot, Instance.terminate = start, stop, reboot, terminate
    Instance.block_device_mappings = property(mappings)
    # A terminated instance has no interface, and moto would look for the first.
    Instance.private_ip = Instance.private_ip_address = property(lambda self: _first(self, "private_ip_address"))
    Instance.public_ip = Instance.public_ip_address = property(lambda self: _first(self, "public_ip"))
    dns = Instance.private_dns_name
    Instance.private_dns_name = property(lambda self: dns.fget(self) if self.private_ip else None)


def _first(instance, name):
    return getattr(instance.nics[0], name) if 0 in instance.nics else None
