# SPDX-License-Identifier: Apache-2.0
"""Who may do what in the lab: refusals and dry runs, roles, web identity, SSO, containers, and how long sessions last."""
import json
import time
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError
from conftest import account
from test_lab import new_volume, refused

pytestmark = pytest.mark.once

DRY = (("create_volume", {"Size": 1, "AvailabilityZone": "us-east-1a"}), ("delete_volume", {"VolumeId": "VOLUME"}),
       ("attach_volume", {"VolumeId": "VOLUME", "InstanceId": "BUILDER", "Device": "/dev/sdz"}),
       ("detach_volume", {"VolumeId": "VOLUME"}), ("modify_volume", {"VolumeId": "VOLUME", "Size": 2}),
       ("create_snapshot", {"VolumeId": "VOLUME"}), ("delete_snapshot", {"SnapshotId": "SNAPSHOT"}),
       ("register_image", {"Name": "dry", "RootDeviceName": "/dev/xvda", "VirtualizationType": "hvm",
                           "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "SNAPSHOT"}}]}),
       ("deregister_image", {"ImageId": "IMAGE"}),
       ("copy_image", {"Name": "dry", "SourceImageId": "IMAGE", "SourceRegion": "us-east-1"}),
       ("run_instances", {"ImageId": "IMAGE", "MinCount": 1, "MaxCount": 1, "SubnetId": "SUBNET"}),
       ("terminate_instances", {"InstanceIds": ["BUILDER"]}), ("start_instances", {"InstanceIds": ["BUILDER"]}),
       ("stop_instances", {"InstanceIds": ["BUILDER"]}), ("reboot_instances", {"InstanceIds": ["BUILDER"]}),
       ("modify_instance_attribute", {"InstanceId": "BUILDER", "SourceDestCheck": {"Value": False}}),
       ("create_network_interface", {"SubnetId": "SUBNET"}), ("create_tags", {"Resources": ["BUILDER"], "Tags": [{"Key": "a"}]}),
       ("delete_tags", {"Resources": ["BUILDER"], "Tags": [{"Key": "Name"}]}),
       ("delete_network_interface", {"NetworkInterfaceId": "INTERFACE"}),
       ("modify_network_interface_attribute", {"NetworkInterfaceId": "INTERFACE", "SourceDestCheck": {"Value": False}}),
       ("associate_address", {"InstanceId": "BUILDER", "AllocationId": "ADDRESS"}),
       ("create_route", {"RouteTableId": "TABLE", "DestinationCidrBlock": "10.8.0.0/16", "NetworkInterfaceId": "INTERFACE"}),
       ("replace_route", {"RouteTableId": "TABLE", "DestinationCidrBlock": "10.9.0.0/16", "NetworkInterfaceId": "INTERFACE"}),
       ("delete_route", {"RouteTableId": "TABLE", "DestinationCidrBlock": "10.9.0.0/16"}),
       ("describe_volumes", {}), ("describe_snapshots", {}), ("describe_images", {}), ("describe_instances", {}),
       ("describe_instance_types", {}), ("describe_subnets", {}), ("describe_security_groups", {}), ("describe_route_tables", {}),
       ("describe_network_interfaces", {}), ("describe_availability_zones", {}), ("describe_addresses", {}),
       ("describe_volumes_modifications", {}), ("describe_key_pairs", {}), ("describe_tags", {}), ("describe_vpcs", {}))


@pytest.fixture
def things(lab):
    """The ids that DRY names."""
    volume = new_volume(lab)
    snapshot = lab.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    interface = lab.ec2.create_network_interface(SubnetId=lab.env["LAB_SUBNET"])["NetworkInterface"]["NetworkInterfaceId"]
    address = lab.ec2.allocate_address(Domain="vpc")["AllocationId"]
    route = {"RouteTableId": lab.env["LAB_ROUTE_TABLE"], "DestinationCidrBlock": "10.9.0.0/16"}
    lab.ec2.create_route(**route, NetworkInterfaceId=interface)
    yield {"ADDRESS": address, "VOLUME": volume, "SNAPSHOT": snapshot, "INTERFACE": interface, "BUILDER": lab.builder,
           "IMAGE": lab.light_ami, "SUBNET": lab.env["LAB_SUBNET"], "TABLE": lab.env["LAB_ROUTE_TABLE"]}
    lab.clear()
    lab.ec2.delete_route(**route)
    lab.ec2.release_address(AllocationId=address)
    lab.ec2.delete_network_interface(NetworkInterfaceId=interface)
    lab.ec2.delete_snapshot(SnapshotId=snapshot)
    lab.ec2.delete_volume(VolumeId=volume)


def named(arguments, things):  # pylint: disable=redefined-outer-name
    """The arguments with ids put in."""
    return json.loads("".join(things.get(part, part) for part in json.dumps(arguments).replace('"', '\n"\n').split("\n")))


def everything(lab):
    """What a call could have changed."""
    builder = lab.ec2.describe_instances(InstanceIds=[lab.builder])["Reservations"][0]["Instances"][0]
    return account(lab), builder, lab.ec2.describe_route_tables()["RouteTables"], \
        lab.ec2.describe_network_interfaces()["NetworkInterfaces"]


def test_dry_runs_change_nothing(lab, things):  # pylint: disable=redefined-outer-name
    before = everything(lab)
    for name, arguments in DRY:
        error = refused("DryRunOperation", getattr(lab.ec2, name), DryRun=True, **named(arguments, things))
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 412, name
    assert everything(lab) == before


def test_dry_runs_say_what_is_not_permitted(lab, things):  # pylint: disable=redefined-outer-name
    lab.faults({"kind": "deny", "count": -1, "match": {"DryRun": "true"}})
    for name, arguments in DRY:
        error = refused("UnauthorizedOperation", getattr(lab.ec2, name), DryRun=True, **named(arguments, things))
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 403, name
        assert ("Encoded authorization failure message: " in error["Error"]["Message"]) != name.startswith("describe"), name
    lab.ec2.describe_volumes()


def test_a_refusal_is_decoded_for_who_may(lab):
    lab.faults({"action": "CreateVolume", "kind": "deny", "count": 2})
    lab.faults({"action": "DecodeAuthorizationMessage", "kind": "deny", "skip": 1})
    sts, before = lab.client("sts"), account(lab)
    message = refused("UnauthorizedOperation", new_volume, lab=lab)["Error"]["Message"]
    encoded = message.partition("Encoded authorization failure message: ")[2]
    told = json.loads(sts.decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
    assert told["allowed"] is False and told["context"]["action"] == "ec2:CreateVolume"
    assert told["context"]["principal"]["arn"] == sts.get_caller_identity()["Arn"]
    error = refused("AccessDenied", sts.decode_authorization_message, EncodedMessage=encoded)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 403
    refused("InvalidAuthorizationMessageException", sts.decode_authorization_message, EncodedMessage=encoded[1:])
    refused("AuthFailure", lab.client("ec2", secret="wrong").create_volume, Size=1, AvailabilityZone="us-east-1a")
    assert account(lab) == before


def test_other_services_refuse_in_their_words(lab):
    lab.faults({"kind": "deny", "count": -1})
    for service, call, arguments, code in (
            ("elb", "describe_load_balancers", {}, "AccessDenied"), ("elbv2", "describe_target_groups", {}, "AccessDenied"),
            ("ebs", "list_snapshot_blocks", {"SnapshotId": "snap-0123456789abcdef0"}, "AccessDeniedException"),
            ("ebs", "start_snapshot", {"VolumeSize": 1}, "AccessDeniedException")):
        error = refused(code, getattr(lab.client(service), call), **arguments)
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert lab.client("sts").get_caller_identity()["Arn"].endswith(":user/lab")


# Roles

def role(lab, name):
    """Arguments that assume a role."""
    return {"RoleArn": lab.identities["roles"][name], "RoleSessionName": "tester"}


def client_of(lab, service, made):
    """A client with the keys that STS gave."""
    return lab.client(service, made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


def test_roles_are_assumed_by_whom_they_trust(lab):
    sts = lab.client("sts")
    made = sts.assume_role(**role(lab, "lab-role"))["Credentials"]
    first = client_of(lab, "sts", made)
    assert first.get_caller_identity()["Arn"] == "arn:aws:sts::123456789012:assumed-role/lab-role/tester"
    client_of(lab, "ec2", made).describe_volumes()
    second = client_of(lab, "sts", first.assume_role(**role(lab, "lab-role-2"))["Credentials"])
    assert second.get_caller_identity()["Arn"] == "arn:aws:sts::123456789012:assumed-role/lab-role-2/tester"
    refused("ValidationError", first.assume_role, **role(lab, "lab-role-2"), DurationSeconds=7200)
    external = role(lab, "lab-external") | {"ExternalId": lab.identities["external_id"]}
    sts.assume_role(**external)
    missing = role(lab, "lab-role") | {"RoleArn": "arn:aws:iam::123456789012:role/missing"}
    for arguments in (role(lab, "lab-role-2"), role(lab, "lab-nobody"), role(lab, "lab-external"), missing,
                      external | {"ExternalId": "another"}):
        error = refused("AccessDenied", sts.assume_role, **arguments)
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 403
    refused("ValidationError", sts.assume_role, **role(lab, "lab-role") | {"RoleSessionName": "no blanks"})
    refused("ValidationError", sts.assume_role, **role(lab, "lab-role") | {"RoleArn": "arn:aws:iam::1:role/lab-role"})
    lab.ec2.describe_volumes()


def unsigned(lab, service):
    """A client without keys."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    return boto3.client(service, region_name="us-east-1", endpoint_url=lab.endpoint,
                        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}))


def test_web_identity(lab):
    sts, web = unsigned(lab, "sts"), lab.identities["web_identity"]
    made = sts.assume_role_with_web_identity(**role(lab, "lab-web"), WebIdentityToken=web["token"])["Credentials"]
    assert client_of(lab, "sts", made).get_caller_identity()["Arn"].endswith(":assumed-role/lab-web/tester")
    client_of(lab, "ec2", made).describe_volumes()
    others = [lab.control("sessions/token", "POST", t) for t in (
        {"subject": web["subject"], "seconds": 60, "audience": "another"}, {"subject": "another", "seconds": 60})]
    for token, code in ((web["expired"], "ExpiredTokenException"), ("no.token.this", "InvalidIdentityToken"),
                        (web["token"][:-2] + "xx", "InvalidIdentityToken"), (others[0], "InvalidIdentityToken"),
                        (others[1], "AccessDenied")):
        refused(code, sts.assume_role_with_web_identity, **role(lab, "lab-web"), WebIdentityToken=token)
    refused("AccessDenied", sts.assume_role_with_web_identity, **role(lab, "lab-role"), WebIdentityToken=web["token"])
    refused("MissingAuthenticationToken", sts.get_caller_identity)
    refused("MissingAuthenticationToken", sts.assume_role, **role(lab, "lab-role"))
    assert web["token"] not in json.dumps(lab.calls())


def test_sessions_end(lab):
    lab.control("sessions", "PUT", {"lasts": 1, "told": 900})
    made = lab.client("sts").assume_role(**role(lab, "lab-role"))["Credentials"]
    assert 890 < made["Expiration"].timestamp() - time.time() <= 900
    client_of(lab, "ec2", made).describe_volumes()
    lab.control("sessions", "DELETE")
    longer = lab.client("sts").assume_role(**role(lab, "lab-role"))["Credentials"]
    time.sleep(1)
    for service, call, code, status in (("ec2", "describe_volumes", "RequestExpired", 400),
                                        ("sts", "get_caller_identity", "ExpiredToken", 403),
                                        ("elb", "describe_load_balancers", "ExpiredToken", 403)):
        error = refused(code, getattr(client_of(lab, service, made), call))
        assert error["ResponseMetadata"]["HTTPStatusCode"] == status
        getattr(client_of(lab, service, longer), call)()
    lab.control("sessions/expire", "POST", {})
    refused("RequestExpired", client_of(lab, "ec2", longer).describe_volumes)
    lab.ec2.describe_volumes()
    owners = lab.control("sessions/owners")
    assert owners[longer["AccessKeyId"]].endswith("assumed-role/lab-role/tester")
    assert owners[lab.env["AWS_ACCESS_KEY_ID"]].endswith(":user/lab")


# Single sign-on

def test_sso(lab):
    told, portal, oidc = lab.identities["sso"], unsigned(lab, "sso"), unsigned(lab, "sso-oidc")
    wanted = {"accountId": told["account_id"], "roleName": told["role_name"], "accessToken": told["access_token"]}
    made = portal.get_role_credentials(**wanted)["roleCredentials"]
    assert 3500 < made["expiration"] / 1000 - time.time() <= 3600
    keys = (made["accessKeyId"], made["secretAccessKey"], made["sessionToken"])
    assert "assumed-role/AWSReservedSSO_LabAccess_0123456789abcdef/alice" in lab.client("sts", *keys).get_caller_identity()["Arn"]
    lab.client("ec2", *keys).describe_volumes()
    for wrong, code in (({"accessToken": "stray"}, "UnauthorizedException"), ({"roleName": "Other"}, "ForbiddenException"),
                        ({"accessToken": told["expired_access_token"]}, "UnauthorizedException"),
                        ({"accountId": "111111111111"}, "ResourceNotFoundException")):
        refused(code, portal.get_role_credentials, **wanted | wrong)
    ask = {"clientId": told["client_id"], "clientSecret": told["client_secret"], "grantType": "refresh_token",
           "refreshToken": told["refresh_token"]}
    fresh = oidc.create_token(**ask)
    assert fresh["expiresIn"] == 28800 and fresh["refreshToken"] != told["refresh_token"]
    portal.get_role_credentials(**wanted | {"accessToken": fresh["accessToken"]})
    oidc.create_token(**ask | {"refreshToken": fresh["refreshToken"]})
    for wrong, code in (({"refreshToken": "stray"}, "InvalidGrantException"), ({"clientSecret": "x"}, "InvalidClientException"),
                        ({"grantType": "password"}, "UnsupportedGrantTypeException")):
        refused(code, oidc.create_token, **ask | wrong)
    lab.faults({"action": "GetRoleCredentials", "kind": "error", "status": 429, "code": "TooManyRequestsException"},
               {"action": "CreateToken", "kind": "error", "status": 400, "code": "ExpiredTokenException"})
    refused("TooManyRequestsException", portal.get_role_credentials, **wanted)
    refused("ExpiredTokenException", oidc.create_token, **ask)
    assert told["access_token"] not in json.dumps(lab.calls()) and told["client_secret"] not in json.dumps(lab.calls())


# Containers

def container(lab, path, token=None):
    """Status and body of a request to the agent."""
    request = urllib.request.Request(lab.env["LAB_CONTAINER"] + path, headers={"Authorization": token} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=1) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_container_credentials(lab):
    told = lab.identities["container"]
    for path, token, name in ((told["task"], None, "lab-task"), (told["pod"], told["pod_token"], "lab-pod")):
        status, made = container(lab, path, token)
        who = lab.client("sts", made["AccessKeyId"], made["SecretAccessKey"], made["Token"]).get_caller_identity()["Arn"]
        assert status == 200 and who.endswith(f":assumed-role/{name}/lab-container")
    assert container(lab, told["pod"])[0] == 401 and container(lab, told["pod"], "wrong")[0] == 401
    assert container(lab, "/other")[0] == 404
    lab.container(drop=["SecretAccessKey"])
    assert "SecretAccessKey" not in container(lab, told["task"])[1]
    lab.container(status=500, body="sorry")
    assert container(lab, told["task"]) == (500, "sorry")
    lab.container(mode="off")
    with pytest.raises(ConnectionResetError):
        container(lab, told["task"])
    lab.container(mode="hang")
    with pytest.raises(TimeoutError):
        container(lab, told["task"])
    assert [r["path"] for r in lab.control("container/requests")][:2] == [told["task"], told["pod"]]
    with pytest.raises(ClientError):
        lab.client("sts", "ASIA0000000000000000", token="stray").get_caller_identity()
