# SPDX-License-Identifier: Apache-2.0
"""The account as it is when a lab starts: a user with a key who may do all, a role for the builder instance, the builder
itself, an image of someone else's that light stemcells can name, and a network for VMs."""
import ipaddress
import json

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.sts.models import sts_backends

from .images import Image, add_image
from .storage import new_snapshot

ROLE = "lab-builder"
TYPE = "m5.large"
BUILDER_AMI = "ami-0000000000000b001"  # never registered: the builder was there before
LIGHT_OWNER = "099720109477"
NAME = "bosh"  # of the security group, the key pair and the instance profile
PUBLIC_KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f lab"


def policy(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def user():
    """A user who may do everything; its access key id and secret."""
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    iam.create_user("us-east-1", "lab")
    iam.put_user_policy("lab", "all", policy(Action="*", Resource="*"))
    key = iam.create_access_key("lab")
    return key.access_key_id, key.secret_access_key


def role():
    """The builder's role; it may do everything too."""
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    trust = policy(Action="sts:AssumeRole", Principal={"Service": "ec2.amazonaws.com"})
    made = iam.create_role(ROLE, trust, "/", None, "", [], None)
    iam.put_role_policy(ROLE, "all", policy(Action="*", Resource="*"))
    return made.arn


def role_credentials(arn, region):
    """Fresh credentials of the role as the metadata service gives them; moto takes them."""
    made = sts_backends[DEFAULT_ACCOUNT_ID]["aws"].assume_role(region, "i-lab", arn, "", 6 * 3600, "")
    expires = made.expiration.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"Code": "Success", "LastUpdated": expires[:11] + "00:00:00Z", "Type": "AWS-HMAC",
            "AccessKeyId": made.access_key_id, "SecretAccessKey": made.secret_access_key,
            "Token": made.session_token, "Expiration": expires}


def builder(region):
    """The instance on which onhost runs."""
    backend = ec2_backends[DEFAULT_ACCOUNT_ID][region]
    subnet = backend.get_default_subnets()[region + "a"]
    return backend.run_instances(
        BUILDER_AMI, 1, None, [], instance_type=TYPE, is_instance_type_default=False, region_name=region,
        subnet_id=subnet.id, placement=None, nics=[], tags={"instance": {"Name": "lab-builder"}},
        launch_template={}, metadata_options={"HttpTokens": "required"},
        client_token="lab-builder").instances[0]


def light_image(lab, region):
    """A public image of another account's, with a snapshot of one GiB."""
    backend = ec2_backends[DEFAULT_ACCOUNT_ID][region]

    class Source:
        id, size, encrypted = "vol-ffffffffffffffff", 1, False
    snapshot = new_snapshot(lab, backend, Source, "light", owner_id=LIGHT_OWNER)
    lab.disks.create_snapshot(snapshot.id, 1)
    mapping = {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot.id, "VolumeSize": 1, "VolumeType": "gp3",
                                                  "DeleteOnTermination": True, "Encrypted": False}}
    image = Image(backend, {"Name": "light-stemcell", "Description": "light", "Architecture": "x86_64",
                            "VirtualizationType": "hvm", "RootDeviceName": "/dev/sda1", "EnaSupport": True,
                            "SriovNetSupport": "simple"}, [mapping], owner_id=LIGHT_OWNER, public=True)
    return add_image(lab, backend, image).id


def network(region):
    """What an operator has made before the first deployment; its names and ids as env gives them."""
    backend, iam = ec2_backends[DEFAULT_ACCOUNT_ID][region], iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    vpc = backend.create_vpc("10.0.0.0/16", amazon_provided_ipv6_cidr_block=True)
    six = ipaddress.ip_network(vpc.get_cidr_block_association_set(ipv6=True)[0]["cidr_block"]).subnets(new_prefix=64)
    subnets = [backend.create_subnet(vpc.id, f"10.0.{n}.0/24", str(next(six)), region + zone)
               for n, zone in enumerate("ab")]
    group = backend.create_security_group(NAME, "what VMs have", vpc_id=vpc.id)
    table = next(t for t in backend.route_tables.values() if t.vpc_id == vpc.id)
    backend.import_key_pair(NAME, PUBLIC_KEY, {})
    profile = iam.create_instance_profile(NAME, "/", [ROLE])
    key = kms_backends[DEFAULT_ACCOUNT_ID][region].create_key("", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "", None)
    return {"LAB_VPC": vpc.id, "LAB_SUBNET": subnets[0].id, "LAB_SUBNET_B": subnets[1].id,
            "LAB_SUBNET_IPV6": subnets[0].ipv6_cidr_block_association_set[0]["ipv6CidrBlock"],
            "LAB_SECURITY_GROUP": group.id, "LAB_SECURITY_GROUP_NAME": NAME, "LAB_ROUTE_TABLE": table.id,
            "LAB_KEY_NAME": NAME, "LAB_INSTANCE_PROFILE": profile.name, "LAB_INSTANCE_PROFILE_ARN": profile.arn,
            "LAB_KMS_KEY": key.arn}
