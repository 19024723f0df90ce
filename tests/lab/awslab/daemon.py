# SPDX-License-Identifier: Apache-2.0
"""The lab's process: moto behind the gateway, the metadata service, the devices. Started by `lab up`."""
import json
import os
import signal
import sys
import threading
import time

# moto reads these when it is imported.
os.environ.update({
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false", "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
    "MOTO_DISABLE_GLOBAL_CORS": "true", "AWS_ACCESS_KEY_ID": "unused", "AWS_SECRET_ACCESS_KEY": "unused",
    "AWS_EC2_METADATA_DISABLED": "true",
})

# pylint: disable=wrong-import-position
from moto import settings as moto_settings
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from . import (account, balancers, common, compute, container, denials, describe, direct, files, gateway, identities, images,
               imds, interfaces, lifecycle, loop, modify, namespace, placement, process, routing, sessions, storage, tags, udev)
from .buckets import Buckets
from .disks import Disks
from .faults import Faults
from .policy import Policy
from .sessions import Sessions
from .states import States


class Lab:
    """What the parts of a lab share."""

    def __init__(self, folder, kind, by_udev, why):
        self.folder, self.kind, self.why = folder, kind, why
        self.options = {}
        self.sessions, self.denied = Sessions(self.now), {}  # denied: what encoded messages say
        self.states, self.faults, self.buckets = States(), Faults(), Buckets()
        self.policy = Policy()
        self.disks = Disks(folder, kind, by_udev, self.log)
        self.builder_id = self.metadata = self.portal = self.container = None
        self.direct = direct.Direct(self)
        self.about_to_run = []  # what compute.py does with an instance once moto has made it

    def log(self, text):
        print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)

    def now(self):
        """The lab's time, seconds since 1970."""
        return time.time() + self.options.get("clock_offset", 0)

    def settings(self):
        """What the control endpoint may set, by name."""
        return {"states": self.states.settings, "devices": self.disks.settings, "imds": self.metadata.settings,
                "options": self.options, "buckets": self.buckets.settings, "sessions": self.sessions.settings,
                "container": self.container.settings}

    def status(self):
        return {"dir": self.folder, "devices": self.kind, "why": self.why, "udev": self.disks.by_udev,
                "builder": self.builder_id, "pid": os.getpid()}

    def shown(self, response, answer, key, ids=None, **limits):
        """A describe is about to show these objects: their states move on, and one page of them is shown."""
        answer = common.page(self, response, answer, key, ids, **limits)
        for item in answer.result[key]:
            self.states.look(item.id)
        return answer

    @staticmethod
    def instance_gone(region, instance_id):
        instance = ec2_backends[DEFAULT_ACCOUNT_ID][region].get_instance_by_id(instance_id)
        return instance is None or instance.state in ("shutting-down", "terminated")


def choose_devices(wanted, folder):
    """The kind of device and, where it is not the one hoped for, why."""
    if wanted == "plain":
        return "plain", "asked for"
    why = loop.why_not(folder)
    if why is None:
        return "loop", None
    if wanted == "loop":
        raise loop.LoopError(why)
    return "plain", why


def main(options):
    """Runs a lab until SIGTERM; options come from the command line."""
    folder, region = options["dir"], options["region"]
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    identity = process.identity()
    try:
        kind, why = choose_devices(options["devices"], folder)
        by_udev = kind == "loop" and options["udev"] and udev.acquire(identity)
        lab = Lab(folder, kind, by_udev, why)
        _run(lab, region, options, identity, ended)
    finally:
        if "lab" in locals():
            lab.disks.detach_all()
        files.clean(folder, identity, by_daemon=True)


def _run(lab, region, options, identity, ended):
    for part in (common, tags, storage, modify, images, interfaces, lifecycle, compute, placement, routing,
                 balancers, describe, sessions, denials):
        part.install(lab)
    key_id, secret = account.user()
    role_arn = account.role()
    instance = account.builder(region)
    lab.builder_id = instance.id
    light, network = account.light_image(lab, region), account.network(region)
    moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = 0 if options["auth"] else float("inf")

    gate = gateway.Gateway(lab, DomainDispatcherApplication(create_backend_app))
    server = gateway.serve(gate, options["port"])
    gate.server = server
    lab.metadata = imds.Metadata({
        "account": DEFAULT_ACCOUNT_ID, "instance-id": instance.id, "instance-type": instance.instance_type,
        "ami-id": instance.image_id, "local-ipv4": instance.private_ip, "placement/region": region,
        "placement/availability-zone": region + "a"}, account.ROLE, lambda: _credentials(gate, role_arn, region))
    known = identities.make(lab, gate.lock, region)
    servers = [server, imds.serve(lab.metadata), container.serve(lab.container)]
    if options["fixed_addresses"]:
        servers += [imds.serve(lab.metadata, (a, 80)) for a in namespace.METADATA]
        servers += [container.serve(lab.container, (a, 80)) for a in namespace.CONTAINER]
    for each in servers:
        threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    addresses = [f"http://127.0.0.1:{each.server_address[1]}" for each in servers[:3]]
    files.write(lab, region, key_id, secret, addresses, {"LAB_LIGHT_AMI": light, **network}, known, identity)
    lab.log(f"ready: {json.dumps(lab.status())}")
    ended.wait()
    for each in servers:
        each.server_close()


def _credentials(gate, role_arn, region):
    with gate.lock:
        return account.role_credentials(role_arn, region)


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except (loop.LoopError, OSError) as failure:
        sys.exit(f"{type(failure).__name__}: {failure}")
