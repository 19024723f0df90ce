# SPDX-License-Identifier: Apache-2.0
"""docs/troubleshooting.md: messages of it, provoked. What an operator would do wrong is done, and the page's message comes."""
import copy
import json
import os
import subprocess

import pytest
from command_kit import lab_env
from conftest import CPI, ONHOST, director_context, run_cpi
from docs_kit import messages, pattern
from scenarios import STEMCELL, ZONE, attach, create_vm, dynamic, holdings, make_disk, make_vm, small_image, wipe

pytestmark = [pytest.mark.once, pytest.mark.beyond_incumbent]

PAGE = "docs/troubleshooting.md"
VOLUME, VM = "vol-0123456789abcdef0", "i-0123456789abcdef0"
HAS_DISK = {"method": "has_disk", "arguments": [VOLUME]}


class Scene:
    """The lab, and a call of which something is wrong; what it says."""

    def __init__(self, lab, folder):
        self.lab, self.folder = lab, folder

    def config(self, **aws):
        """The lab's with these members of aws; None takes one out."""
        config = copy.deepcopy(self.lab.config)
        given = config["cloud"]["properties"]["aws"]
        for key, value in aws.items():
            if value is None:
                given.pop(key, None)
            else:
                given[key] = value
        return config

    def stemcell(self, **members):
        """The same, of aws.stemcell."""
        config = self.config()
        config["cloud"]["properties"]["aws"]["stemcell"] |= members
        return config

    def file(self, name, text, mode=0o600):
        """A file of the scene's own."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def say(self, request, config=None, **env):
        """The error's message, and the log."""
        given = lab_env(self.lab, self.folder, AWS_ENDPOINT_URL=None, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None,
                        AWS_EC2_METADATA_DISABLED=None)
        answer = run_cpi(self.lab, request, config, {key: value for key, value in (given | env).items() if value is not None})
        error = answer.json["error"]
        return (error["message"] if error else "") + "\n" + answer.stderr

    def by_hand(self, *arguments, config=None, **env):
        """What a command of cpi says."""
        path = self.file("cpi.json", json.dumps(config or self.lab.config))
        done = subprocess.run([CPI, *(path if word == "cpi.json" else word for word in arguments)], env=lab_env(self.lab, self.folder) | env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
        return done.stdout

    def fault(self, action, code, request, config=None, **more):
        """AWS answers that action with that code."""
        self.lab.faults({"action": action, "kind": "error", "status": 400, "code": code, "message": "no", "count": -1, **more})
        return self.say(request, config)

    def vm(self, properties=None, networks=None, config=None, **more):
        """A VM of these cloud properties."""
        networks = networks or {"default": dynamic(self.lab, cloud_properties={"security_groups": ["bosh"]})}
        return self.say(create_vm(self.lab, networks, properties, **more), config)

    def image(self, path, config=None, **properties):
        """A heavy stemcell of that image."""
        return self.say({"method": "create_stemcell", "arguments": [path, STEMCELL | properties]}, config or self.stemcell(builder="direct"))

    def other_onhost(self, text):
        """A program in place of onhost."""
        return self.file("onhost", "#!/bin/sh\n" + text, 0o755)


def network(scene, **properties):
    return {"default": dynamic(scene.lab, cloud_properties=properties)}


def resize_attached(scene):
    vm, disk = make_vm(scene.lab), make_disk(scene.lab)
    attach(scene.lab, vm, disk)
    return scene.say({"method": "resize_disk", "arguments": [disk, 8192]})


def stopped_vm(scene):
    vm = make_vm(scene.lab)
    scene.lab.ec2.stop_instances(InstanceIds=[vm])
    scene.lab.faults({"action": "StartInstances", "kind": "deny", "count": -1})
    return scene.say({"method": "reboot_vm", "arguments": [vm]})


def same_name_twice(scene):
    upload = ["upload-image", small_image(scene.lab), "--register", "--name", "twice", "--config", "cpi.json"]
    return scene.by_hand(*upload) + scene.by_hand(*upload)


def cut_image(scene, stemcell_image):
    with open(stemcell_image, "rb") as f:
        (scene.folder / "cut").write_bytes(f.read()[:100000])
    return scene.image(str(scene.folder / "cut"))


def others_state(scene, mode, owner):
    journals = scene.folder / "state" / "journal"
    journals.mkdir(parents=True, mode=0o700)
    os.chmod(journals, mode)
    os.chown(journals, owner, owner)
    return scene.say({"method": "create_disk", "arguments": [2048, {}, None]}, AWS_CPI_STATE_DIR=str(scene.folder / "state"))


ENV = {"credentials_source": "env_or_profile", "access_key_id": None, "secret_access_key": None}
DIED = {"metadata_endpoint": "http://127.0.0.1:1"}
# the page's message → how it comes about
TROUBLE = {
    "the configuration … cannot be read": lambda s: s.say(HAS_DISK, "/nowhere/cpi.json"),
    "the configuration … is not valid JSON": lambda s: s.say(HAS_DISK, s.file("bad.json", "{")),
    "Could not find cloud properties in the configuration": lambda s: s.say(HAS_DISK, s.file("bad.json", "{}")),
    "the configuration's ….… is …, but should be …": lambda s: s.say(HAS_DISK, s.config(encrypted="yes")),
    "Unknown credentials_source …": lambda s: s.say(HAS_DISK, s.config(credentials_source="profile")),
    "missing configuration parameters > aws:region":
        lambda s: s.say(HAS_DISK, s.config(region=None, ec2_endpoint=None, elb_endpoint=None, **DIED)),
    "'…' is no AWS region": lambda s: s.say(HAS_DISK, s.config(region="us-east 1", ec2_endpoint=None)),
    "the configuration's aws.stemcell.builder is …, but should be auto, local, ssh or direct":
        lambda s: s.say(HAS_DISK, s.stemcell(builder="locale")),
    "Must use access_key_id and secret_access_key with static credentials_source":
        lambda s: s.say(HAS_DISK, s.config(access_key_id=None)),
    "Can't use access_key_id and secret_access_key with env_or_profile credentials_source":
        lambda s: s.say(HAS_DISK, s.config(credentials_source="env_or_profile")),
    "no AWS credentials were found; looked at: …": lambda s: s.say(HAS_DISK, s.config(**ENV), AWS_EC2_METADATA_DISABLED="true"),
    "AWS_ACCESS_KEY_ID is set in the environment and AWS_SECRET_ACCESS_KEY is not":
        lambda s: s.say(HAS_DISK, s.config(**ENV), AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE"),
    "AWS_PROFILE (or AWS_DEFAULT_PROFILE) is '…', and there is no such profile":
        lambda s: s.say(HAS_DISK, s.config(**ENV), AWS_PROFILE="nobody"),
    "the AWS profile …, which … names, is neither in … nor in …":
        lambda s: s.say(HAS_DISK, s.config(region=None, ec2_endpoint=None, **ENV), AWS_PROFILE="nobody"),
    "AWS code AuthFailure": lambda s: s.fault("DescribeVolumes", "AuthFailure", HAS_DISK),
    "AWS code RequestExpired": lambda s: s.fault("DescribeVolumes", "RequestExpired", HAS_DISK),
    "AWS code UnauthorizedOperation": lambda s: s.fault("DescribeVolumes", "UnauthorizedOperation", HAS_DISK),
    "AWS code VolumeLimitExceeded":
        lambda s: s.fault("CreateVolume", "VolumeLimitExceeded", {"method": "create_disk", "arguments": [2048, {}, None]}),
    "AWS code InstanceLimitExceeded": lambda s: s.fault("RunInstances", "InstanceLimitExceeded", create_vm(s.lab, network(s, security_groups=["bosh"]))),
    "AWS code VcpuLimitExceeded": lambda s: s.fault("RunInstances", "VcpuLimitExceeded", create_vm(s.lab, network(s, security_groups=["bosh"]))),
    "VM '…' is not running, so that it cannot be rebooted, and ec2:StartInstances is not allowed": stopped_vm,
    "cannot reach …: …; check the endpoint, the region and this machine's name servers":
        lambda s: s.say(HAS_DISK, s.config(ec2_endpoint="http://nowhere.invalid", max_retries=0)),
    "cannot reach …": lambda s: s.say(HAS_DISK, s.config(ec2_endpoint="http://127.0.0.1:1", max_retries=0)),
    "the CA file … cannot be used: …":
        lambda s: s.say(HAS_DISK, s.config(ec2_endpoint=s.lab.endpoint.replace("http:", "https:"), max_retries=0), BOSH_CA_CERT_FILE="/nowhere.pem"),
    "AWS code InternalError": lambda s: s.fault("DescribeVolumes", "InternalError", HAS_DISK, s.config(max_retries=1), status=500),
    "EC2 has no capacity for … in …":
        lambda s: s.fault("RunInstances", "InsufficientInstanceCapacity", create_vm(s.lab, network(s, security_groups=["bosh"]))),
    "Spot instance creation failed":
        lambda s: s.fault("RunInstances", "SpotMaxPriceTooLow", create_vm(s.lab, network(s, security_groups=["bosh"]), {"spot_bid_price": 0.01})),
    "Missing properties: …": lambda s: s.vm({"instance_type": None}),
    "can't use multiple availability zones: subnet in …, VM in …": lambda s: s.vm({"availability_zone": "us-east-1b"}),
    "Security group not found with name '…' in …, the VPC of subnet …": lambda s: s.vm(networks=network(s, security_groups=["nobody"])),
    "Missing security groups.": lambda s: s.vm(networks=network(s), config=s.config(default_security_groups=None)),
    "Elastic IP with VPC scope not found with address '…'":
        lambda s: s.vm(networks=network(s, security_groups=["bosh"]) | {"vip": {"type": "vip", "ip": "203.0.113.99"}}),
    "could not find AMI '…'": lambda s: s.vm(stemcell="ami-0123456789abcdef0"),
    "the VM's user data is … bytes, and EC2 takes at most …": lambda s: s.vm(env={"bosh": {"large": "x" * 20000}}),
    "raw_instance_storage requested for instance type '…' that does not have instance storage": lambda s: s.vm({"raw_instance_storage": True}),
    "VM '…' not found": lambda s: s.say({"method": "attach_disk", "arguments": [VM, VOLUME]}),
    "Disk '…' not found": lambda s: s.say({"method": "delete_disk", "arguments": [VOLUME]}),
    "Disk '…' is not attached to VM '…'": lambda s: s.say({"method": "detach_disk", "arguments": [make_vm(s.lab), make_disk(s.lab)]}),
    "Cannot resize disk '…': it still has … attachment(s), to …": resize_attached,
    "Cannot change disk '…' in place …": lambda s: s.say({"method": "update_disk", "arguments": [make_disk(s.lab), 2048, {"encrypted": True}]}),
    "a disk of … GiB is asked for, but volumes of type … have from … to … GiB":
        lambda s: s.say({"method": "create_disk", "arguments": [1024, {"type": "st1"}, None]}),
    "cloud_properties.kms_key_arn is given, but the disk is not to be encrypted":
        lambda s: s.say({"method": "create_disk", "arguments": [1024, {"kms_key_arn": "arn:aws:kms:us-east-1:1:key/k"}, None]}),
    "cannot use the … stemcell builder …": lambda s: s.image(small_image(s.lab), s.stemcell(builder="local", onhost_path=s.other_onhost("exit 1"))),
    "… does not look like an EC2 instance": lambda s: s.image(small_image(s.lab), s.config(**DIED)),
    "… (…) is in region …, aws.region is …": lambda s: s.image(small_image(s.lab), s.config(region="eu-west-1")),
    "the image is neither a tar archive nor a disk image": lambda s: s.image(s.file("noise", "hello" * 2000)),
    "Stemcell does not contain an AMI in region …": lambda s: s.image("/nowhere", ami={"eu-west-1": "ami-0123456789abcdef0"}),
    "aws.stemcell.skip_zero_blocks does not go with an encrypted stemcell":
        lambda s: s.image(small_image(s.lab), s.stemcell(skip_zero_blocks=True), encrypted=True),
    "AMI … has the name … already": same_name_twice,
    "CPI API version … was requested, but the highest that is supported is …": lambda s: s.say(HAS_DISK | {"api_version": 4}),
    "Method '…' is part of the CPI API, but this CPI (version …) does not have it":
        lambda s: s.say({"method": "create_network", "arguments": [{}]}),
    "… cannot do without a registry with CPI v… and stemcell api version …, and the registry is not configured":
        lambda s: s.say(create_vm(s.lab, network(s, security_groups=["bosh"])) |
                        {"context": director_context(vm={"stemcell": {"api_version": 1}})}),
    "onhost … speaks version … of the session and cpi … version …": lambda s: s.image(
        small_image(s.lab), s.stemcell(builder="local", onhost_path=s.other_onhost(
            f"""sed -u 's/"version":1/"version":1/' | {ONHOST} serve --lab | sed -u 's/"version":1,/"version":2,/'"""))),
    "… is version … and cpi is version …: install both from one release":
        lambda s: s.image(small_image(s.lab), s.stemcell(builder="direct", onhost_path=s.other_onhost("echo onhost 9.9.9"))),
    "no journal: …": lambda s: s.say({"method": "create_disk", "arguments": [2048, {}, None]}, AWS_CPI_STATE_DIR="/proc/nowhere"),
    "the state directory … is writable for others; chmod 0700 it": lambda s: others_state(s, 0o777, os.geteuid()),
    "the state directory … belongs to user …, not to user … who runs this": lambda s: others_state(s, 0o700, 65534),
    "… is not among what was found, so it was not removed": lambda s: s.by_hand("sweep", "--delete", "cpi.json", VOLUME),
    "Request should include context with director uuid, got: …": lambda s: s.say(HAS_DISK | {"context": {}}),
    "Method is not known, got: '…'": lambda s: s.say({"method": "has_disc", "arguments": [VOLUME]}),
    "Arguments are not correct, got: …": lambda s: s.say({"method": "has_disk", "arguments": []}),
}


@pytest.fixture(scope="module", name="tidied")
def _tidied(session_lab):
    """Wiped once: that takes longer than what is tested."""
    before = holdings(session_lab)
    yield
    session_lab.reset()
    wipe(session_lab, before)


@pytest.fixture(name="scene")
def _scene(tidied, lab, tmp_path):  # pylint: disable=unused-argument
    return Scene(lab, tmp_path)


def test_these_are_the_pages():
    assert set(TROUBLE) <= set(messages(PAGE)) and len(TROUBLE) > len(messages(PAGE)) // 2
    assert {each for each in messages(PAGE) if each.startswith("AWS code ")} - set(TROUBLE) == {"AWS code RequestLimitExceeded"}


@pytest.mark.parametrize("message", TROUBLE)
def test_it_is_said(scene, message):
    said = TROUBLE[message](scene)
    assert pattern(message).search(said), said


def test_an_image_that_is_cut(scene, stemcell):
    said = cut_image(scene, stemcell.image)
    wanted, = [each for each in messages(PAGE) if "its gzip data stop before their end" in each]
    assert pattern(wanted).search(said), said


def test_a_zone_in_place_of_a_region(scene):
    """As the page says of it."""
    said = scene.say({"method": "has_disk", "arguments": [VOLUME]}, scene.config(region=ZONE, ec2_endpoint=None, max_retries=0))
    assert ZONE in said
