# SPDX-License-Identifier: Apache-2.0
"""Persistent disks: create_disk, delete_disk, has_disk, resize_disk, update_disk, set_disk_metadata, and what is in the
account afterwards, by another client's eyes."""
import re

import pytest
from conftest import director_context, wait_until
from disk_kit import DISK_NOT_FOUND, MISSING_DISK, MISSING_VM, VM_NOT_FOUND, caller, cleaned, hurried
from scenarios import ZONE, attach, holdings, make_disk, make_vm, more_than
from test_create_stemcell import REQUEST_TAG, actions, config_with, created, refused, tags

CLOUD_ERROR, NOT_SUPPORTED = "Bosh::Clouds::CloudError", "Bosh::Clouds::NotSupported"
KEY = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"
OTHER_KEY = "arn:aws:kms:us-east-1:123456789012:key/87654321-1234-1234-1234-123456789012"
READING = {"DescribeVolumes", "DescribeInstances", "DescribeAvailabilityZones", "DescribeVolumesModifications"}


@pytest.fixture(scope="module", autouse=True)
def account_as_it_was(session_lab):
    with cleaned(session_lab):
        yield


@pytest.fixture
def call(lab, tmp_path):
    return caller(lab, tmp_path)


def volume(lab, disk):
    return lab.ec2.describe_volumes(VolumeIds=[disk])["Volumes"][0]


def sent(lab, action):
    """The parameters of the one call of that action."""
    found = lab.calls(action)
    assert len(found) == 1, actions(lab)
    return found[0]["params"]


def changed_nothing(lab):
    assert set(actions(lab)) <= READING, actions(lab)


def is_gone(lab, disk):
    return disk not in holdings(lab)["volumes"]


# --- create_disk ---

def test_create(lab, call):
    disk = created(call("create_disk", 2048, {}))
    assert actions(lab) == ["DescribeAvailabilityZones", "CreateVolume", "DescribeVolumes"]
    made = volume(lab, disk)
    assert (made["State"], made["Size"], made["VolumeType"], made["Encrypted"]) == ("available", 2, "gp3", False)
    zones = [z["ZoneName"] for z in lab.ec2.describe_availability_zones()["AvailabilityZones"]]
    assert made["AvailabilityZone"] in zones
    assert re.fullmatch(director_context()["director_uuid"] + r"/cpi-123456/1-[0-9a-f]{8}", tags(made)[REQUEST_TAG])
    assert "ClientToken" in sent(lab, "CreateVolume")


@pytest.mark.parametrize("mib, gib", [(512, 1), (1, 1), (1024, 1), (1025, 2), (25000, 25)])
def test_create_rounds_up(lab, call, mib, gib):
    assert volume(lab, created(call("create_disk", mib, {}, None)))["Size"] == gib


def test_create_with_everything(lab, call):
    disk = created(call("create_disk", 8192, {
        "type": "gp3", "iops": 4000, "throughput": 200, "encrypted": True, "kms_key_arn": KEY,
        "tags": {"owner": "me", "count": 3, "nothing": None, "k" * 200: "v" * 300, REQUEST_TAG: "not this"}}))
    params = sent(lab, "CreateVolume")
    assert (params["VolumeType"], params["Iops"], params["Throughput"]) == ("gp3", "4000", "200")
    assert (params["Encrypted"], params["KmsKeyId"]) == ("true", KEY)
    made = volume(lab, disk)
    assert made["Encrypted"] is True
    assert tags(made).pop(REQUEST_TAG).startswith(director_context()["director_uuid"])
    assert {k: v for k, v in tags(made).items() if k != REQUEST_TAG} == {
        "owner": "me", "count": "3", "k" * 127: "v" * 255}
    # from its creation on, not in a further call
    assert "CreateTags" not in actions(lab)


@pytest.mark.parametrize("kind, size", [("gp2", 1), ("io1", 4), ("io2", 4), ("st1", 125), ("sc1", 125), ("standard", 1)])
def test_create_type(lab, call, kind, size):
    properties = {"type": kind} | ({"iops": 100} if kind.startswith("io") else {})
    made = volume(lab, created(call("create_disk", size * 1024, properties)))
    assert made["VolumeType"] == kind and made["Size"] == size


@pytest.mark.parametrize("properties, config, encrypted, key", [
    ({}, {"encrypted": True, "kms_key_arn": KEY}, True, KEY),
    ({}, {"encrypted": False, "kms_key_arn": KEY}, False, None),
    ({"encrypted": False}, {"encrypted": True, "kms_key_arn": KEY}, False, None),
    ({"encrypted": "yes"}, {}, True, None),
    ({"encrypted": True}, {"kms_key_arn": KEY}, True, KEY),
    ({"kms_key_arn": OTHER_KEY}, {"encrypted": True, "kms_key_arn": KEY}, True, OTHER_KEY),
    ({"kms_key_arn": None}, {"encrypted": True, "kms_key_arn": KEY}, True, None),
])
def test_create_encrypted(lab, call, properties, config, encrypted, key):
    disk = created(call("create_disk", 1024, properties, config=config_with(lab, **config)))
    assert volume(lab, disk)["Encrypted"] is encrypted
    params = sent(lab, "CreateVolume")
    assert params.get("Encrypted", "false") == str(encrypted).lower()
    assert params.get("KmsKeyId") == key


def test_create_for_a_vm(lab, call):
    vm = make_vm(lab)
    disk = created(call("create_disk", 1024, {}, vm, config=config_with(lab, availability_zone="us-east-1b")))
    assert actions(lab) == ["DescribeInstances", "CreateVolume", "DescribeVolumes"]
    assert volume(lab, disk)["AvailabilityZone"] == ZONE


def test_create_in_the_configured_zone(lab, call):
    disk = created(call("create_disk", 1024, {}, None, config=config_with(lab, availability_zone="us-east-1c")))
    assert actions(lab) == ["CreateVolume", "DescribeVolumes"]
    assert volume(lab, disk)["AvailabilityZone"] == "us-east-1c"


def test_create_picks_one_zone_of_all(lab, call):
    assert len({volume(lab, created(call("create_disk", 1024, {})))["AvailabilityZone"] for _ in range(12)}) > 1


def test_create_for_a_missing_vm(lab, call):
    refused(call("create_disk", 1024, {}, MISSING_VM), MISSING_VM, VM_NOT_FOUND)
    changed_nothing(lab)


@pytest.mark.parametrize("kind, size", [("gp3", 64 * 1024 + 1), ("gp2", 16 * 1024 + 1), ("io1", 16 * 1024 + 1),
                                        ("io2", 64 * 1024 + 1), ("st1", 16 * 1024 + 1), ("sc1", 16 * 1024 + 1),
                                        ("standard", 1024 + 1), ("st1", 124), ("io1", 3)])
def test_create_too_much_or_too_little(lab, call, kind, size):
    message = refused(call("create_disk", size * 1024, {"type": kind}), f"{size} GiB")
    assert kind in message
    assert actions(lab) == []


def test_create_with_a_key_but_no_encryption(lab, call):
    refused(call("create_disk", 1024, {"kms_key_arn": KEY}), "kms_key_arn")
    assert actions(lab) == []


@pytest.mark.parametrize("arguments", [["1024", {}], [1024.5, {}], [0, {}], [-5, {}], [1024, []], [1024, {}, 5],
                                       [1024, {"type": 3}], [1024, {"iops": "many"}], [1024]])
def test_create_with_wrong_arguments(lab, call, arguments):
    refused(call("create_disk", *arguments), "^Arguments are not correct", "InvalidCall")
    assert actions(lab) == []


def test_create_that_ends_in_error_is_undone(lab, call):
    before = holdings(lab)
    lab.states(volume={"available": {"error": "lost"}})
    refused(call("create_disk", 1024, {}), "error")
    assert more_than(before, holdings(lab)) == {}


def test_create_waits(lab, call):
    lab.states(volume={"available": {"looks": 2}})
    assert volume(lab, created(call("create_disk", 1024, {})))["State"] == "available"
    assert len(lab.calls("DescribeVolumes")) >= 3


def test_create_whose_answer_is_lost(lab, call):
    before = holdings(lab)
    lab.faults({"action": "CreateVolume", "kind": "drop"})
    disk = created(call("create_disk", 1024, {}))
    assert more_than(before, holdings(lab)) == {"volumes": [disk]}


# --- delete_disk, has_disk ---

def test_delete(lab, call):
    disk = make_disk(lab)
    assert created(call("delete_disk", disk)) is None
    assert actions(lab) == ["DeleteVolume", "DescribeVolumes"]
    assert is_gone(lab, disk)


def test_delete_of_a_missing_disk(lab, call):
    answer = call("delete_disk", MISSING_DISK)
    refused(answer, f"Disk '{MISSING_DISK}' not found", DISK_NOT_FOUND)
    assert answer.json["error"]["ok_to_retry"] is False


def test_delete_waits_while_the_disk_is_in_use(lab, call):
    disk = make_disk(lab)
    lab.faults({"action": "DeleteVolume", "kind": "error", "status": 400, "code": "VolumeInUse", "count": 5})
    assert created(call("delete_disk", disk)) is None
    assert len(lab.calls("DeleteVolume")) == 6
    assert is_gone(lab, disk)


def test_delete_gives_up_on_a_disk_that_stays_in_use(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk)
    message = refused(call("delete_disk", disk, config=hurried(lab)), "VolumeInUse")
    assert disk in message and "600 s" in message
    assert holdings(lab)["volumes"][disk] == "in-use"


def test_delete_does_not_repeat_other_refusals(lab, call):
    disk = make_disk(lab)
    lab.faults({"action": "DeleteVolume", "kind": "error", "status": 403, "code": "UnauthorizedOperation", "count": -1})
    refused(call("delete_disk", disk), "UnauthorizedOperation")
    assert actions(lab) == ["DeleteVolume"]


def test_delete_whose_answer_is_lost(lab, call):
    disk = make_disk(lab)
    lab.faults({"action": "DeleteVolume", "kind": "drop"})
    assert created(call("delete_disk", disk)) is None
    assert len(lab.calls("DeleteVolume")) == 2


@pytest.mark.parametrize("value", [True, "yes"])
def test_delete_on_the_fast_path(lab, call, value):
    disk = make_disk(lab)
    assert created(call("delete_disk", disk, config=config_with(lab, fast_path_delete=value))) is None
    assert actions(lab) == ["DeleteVolume", "CreateTags"]
    params = sent(lab, "CreateTags")
    assert (params["ResourceId.1"], params["Tag.1.Key"], params["Tag.1.Value"]) == (disk, "Name", "to be deleted")
    assert is_gone(lab, disk)


def test_delete_on_the_fast_path_minds_no_tag(lab, call):
    disk = make_disk(lab)
    lab.faults({"action": "CreateTags", "kind": "error", "status": 403, "code": "UnauthorizedOperation", "count": -1})
    answer = call("delete_disk", disk, config=config_with(lab, fast_path_delete=True))
    assert created(answer) is None
    assert re.search(r"WARN.*UnauthorizedOperation", answer.stderr)


def test_has(lab, call):
    disk = make_disk(lab)
    assert created(call("has_disk", disk)) is True
    assert actions(lab) == ["DescribeVolumes"]
    assert created(call("has_disk", MISSING_DISK)) is False


def test_has_does_not_take_a_failure_for_no(lab, call):
    lab.faults({"action": "DescribeVolumes", "kind": "error", "status": 403, "code": "UnauthorizedOperation", "count": -1})
    refused(call("has_disk", MISSING_DISK), "UnauthorizedOperation")


# --- resize_disk ---

@pytest.mark.parametrize("mib, gib", [(4096, 4), (2049, 3)])
def test_resize(lab, call, mib, gib):
    disk = make_disk(lab)
    assert created(call("resize_disk", disk, mib)) is None
    assert actions(lab) == ["DescribeVolumes", "ModifyVolume", "DescribeVolumesModifications"]
    assert sent(lab, "ModifyVolume")["Size"] == str(gib)
    assert volume(lab, disk)["Size"] == gib


@pytest.mark.parametrize("mib", [2048, 1025])
def test_resize_to_the_same_size(lab, call, mib):
    assert created(call("resize_disk", make_disk(lab), mib)) is None
    changed_nothing(lab)


def test_resize_to_a_smaller_size(lab, call):
    disk = make_disk(lab)
    refused(call("resize_disk", disk, 1024), "smaller size from 2 GiB to 1 GiB", NOT_SUPPORTED)
    changed_nothing(lab)


def test_resize_of_an_attached_disk(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk)
    refused(call("resize_disk", disk, 4096), f"1 attachment.*{vm}", CLOUD_ERROR)
    changed_nothing(lab)


def test_resize_of_a_missing_disk(lab, call):
    refused(call("resize_disk", MISSING_DISK, 4096), MISSING_DISK, DISK_NOT_FOUND)


def test_resize_over_the_limit(lab, call):
    refused(call("resize_disk", make_disk(lab), 65 * 1024 * 1024), "gp3.*65536", CLOUD_ERROR)
    changed_nothing(lab)


@pytest.mark.parametrize("code, kind", [("VolumeModificationRateExceeded", NOT_SUPPORTED),
                                        ("IncorrectModificationState", NOT_SUPPORTED), ("InvalidParameterValue", CLOUD_ERROR)])
def test_resize_that_is_refused(lab, call, code, kind):
    disk = make_disk(lab)
    lab.faults({"action": "ModifyVolume", "kind": "error", "status": 400, "code": code, "count": -1})
    refused(call("resize_disk", disk, 4096), code, kind)
    assert volume(lab, disk)["Size"] == 2


# --- update_disk ---

def test_update(lab, call):
    disk = make_disk(lab)
    assert created(call("update_disk", disk, 4096, {"type": "io2", "iops": 500})) is None
    assert actions(lab) == ["DescribeVolumes", "ModifyVolume", "DescribeVolumesModifications"]
    now = volume(lab, disk)
    assert (now["Size"], now["VolumeType"], now["Iops"]) == (4, "io2", 500)


@pytest.mark.parametrize("properties, wanted", [
    ({"type": "gp3", "iops": 4000}, {"Iops": "4000"}),
    ({"throughput": 300}, {"Throughput": "300"}),
    ({"type": "gp2"}, {"VolumeType": "gp2"}),
])
def test_update_sends_what_differs(lab, call, properties, wanted):
    disk = make_disk(lab, 8)
    assert created(call("update_disk", disk, 8192, properties)) is None
    params = sent(lab, "ModifyVolume")
    assert {k: v for k, v in params.items() if k in ("Size", "VolumeType", "Iops", "Throughput")} == wanted
    assert params["VolumeId"] == disk


@pytest.mark.parametrize("properties", [{}, {"type": "gp3"}, None])
def test_update_of_what_is_so_already(lab, call, properties):
    assert created(call("update_disk", make_disk(lab), 2048, properties)) is None
    changed_nothing(lab)


def test_update_puts_new_tags_on(lab, call):
    disk = make_disk(lab, TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "1"},
                                                                                 {"Key": "b", "Value": "2"}]}])
    assert created(call("update_disk", disk, 2048, {"tags": {"a": "1", "b": "3", "c": "4"}})) is None
    assert tags(volume(lab, disk)) == {"a": "1", "b": "3", "c": "4"}
    assert sorted(v for k, v in sent(lab, "CreateTags").items() if k.endswith(".Key")) == ["b", "c"]


def test_update_minds_no_tag(lab, call):
    disk = make_disk(lab)
    lab.faults({"action": "CreateTags", "kind": "error", "status": 403, "code": "UnauthorizedOperation", "count": -1})
    assert created(call("update_disk", disk, 4096, {"tags": {"a": "1"}})) is None
    assert volume(lab, disk)["Size"] == 4


@pytest.mark.parametrize("made, wanted, size, text", [
    ({}, {}, 1024, "smaller"),
    ({}, {"encrypted": True}, 2048, "not encrypted"),
    ({"Encrypted": True}, {"encrypted": False}, 2048, "is encrypted, and is to be not encrypted"),
    ({"Encrypted": True, "KmsKeyId": KEY}, {"encrypted": True, "kms_key_arn": OTHER_KEY}, 2048, "the key"),
    ({}, {"type": "standard"}, 2048, "standard"),
    ({}, {"type": "st1"}, 4096, "125"),
    ({}, {"type": "gp2"}, 17 * 1024 * 1024, "16384"),
    ({}, {"type": "gp3", "iops": -5}, 2048, "iops"),
])
def test_update_that_cannot_be_done_in_place(lab, call, made, wanted, size, text):
    disk = make_disk(lab, **made)
    refused(call("update_disk", disk, size, wanted), text, NOT_SUPPORTED)
    changed_nothing(lab)


def test_update_of_a_magnetic_disk(lab, call):
    disk = lab.ec2.create_volume(AvailabilityZone=ZONE, Size=2, VolumeType="standard")["VolumeId"]
    refused(call("update_disk", disk, 4096, {}), "standard", NOT_SUPPORTED)
    refused(call("resize_disk", disk, 4096), "standard", NOT_SUPPORTED)
    changed_nothing(lab)


@pytest.mark.parametrize("wanted", [{}, {"encrypted": True}, {"encrypted": True, "kms_key_arn": KEY},
                                    {"encrypted": True, "kms_key_arn": KEY.rsplit("/", maxsplit=1)[1]}])
def test_update_keeps_encryption(lab, call, wanted):
    disk = make_disk(lab, Encrypted=True, KmsKeyId=KEY)
    assert created(call("update_disk", disk, 4096, wanted)) is None
    assert volume(lab, disk)["Size"] == 4


def test_update_by_the_configurations_encryption(lab, call):
    disk = make_disk(lab)
    refused(call("update_disk", disk, 4096, {}, config=config_with(lab, encrypted=True)), "encrypted", NOT_SUPPORTED)


@pytest.mark.parametrize("action, code", [
    ("ModifyVolume", "VolumeModificationRateExceeded"), ("ModifyVolume", "IncorrectModificationState"),
    ("ModifyVolume", "InvalidParameterCombination"), ("ModifyVolume", "UnauthorizedOperation"),
    ("ModifyVolume", "UnsupportedOperation"), ("DescribeVolumes", "UnauthorizedOperation"),
])
def test_update_that_is_refused(lab, call, action, code):
    disk = make_disk(lab)
    lab.faults({"action": action, "kind": "error", "status": 400, "code": code, "count": -1})
    refused(call("update_disk", disk, 4096, {}), code, NOT_SUPPORTED)
    lab.clear()
    assert volume(lab, disk)["Size"] == 2


@pytest.mark.parametrize("rules", [
    # it was done, and nobody said so
    [{"action": "ModifyVolume", "kind": "error_after", "status": 500, "code": "InternalError", "count": -1},
     {"action": "DescribeVolumesModifications", "kind": "error", "status": 403, "code": "UnauthorizedOperation", "count": -1}],
    [{"action": "DescribeVolumesModifications", "kind": "error", "status": 403, "code": "UnauthorizedOperation", "count": -1}],
])
def test_update_that_has_begun(lab, call, rules):
    """Never NotSupported: the Director would copy a disk that has been changed."""
    disk = make_disk(lab)
    lab.faults(*rules)
    refused(call("update_disk", disk, 4096, {}), "UnauthorizedOperation|InternalError", CLOUD_ERROR)
    lab.clear()
    assert volume(lab, disk)["Size"] == 4


def test_update_whose_answer_is_lost(lab, call):
    disk = make_disk(lab)
    lab.faults({"action": "ModifyVolume", "kind": "drop"})
    assert created(call("update_disk", disk, 4096, {})) is None
    assert volume(lab, disk)["Size"] == 4


def test_update_of_a_missing_disk(lab, call):
    refused(call("update_disk", MISSING_DISK, 4096, {}), MISSING_DISK, DISK_NOT_FOUND)


@pytest.mark.parametrize("arguments", [[MISSING_DISK, 4096], [MISSING_DISK, "4096", {}], [MISSING_DISK, 0, {}],
                                       [5, 4096, {}], [MISSING_DISK, 4096, "x"]])
def test_update_with_wrong_arguments(lab, call, arguments):
    refused(call("update_disk", *arguments), "^Arguments are not correct", "InvalidCall")
    assert actions(lab) == []


# --- set_disk_metadata ---

def test_metadata(lab, call):
    disk = make_disk(lab)
    assert created(call("set_disk_metadata", disk, {
        "director": "bosh", "index": 0, "none": None, "bootstrap": True, "k" * 128: "ü" * 256})) is None
    assert actions(lab) == ["CreateTags"]
    assert tags(volume(lab, disk)) == {"director": "bosh", "index": "0", "bootstrap": "true", "k" * 127: "ü" * 255}


@pytest.mark.parametrize("code", ["TagLimitExceeded", "InvalidParameterValue"])
def test_metadata_that_is_refused(lab, call, code):
    disk = make_disk(lab)
    lab.faults({"action": "CreateTags", "kind": "error", "status": 400, "code": code, "count": -1})
    answer = call("set_disk_metadata", disk, {"a": "1"})
    assert created(answer) is None
    assert re.search(rf"could not tag.*{disk}.*{code}", answer.stderr)


def test_metadata_that_is_not_allowed(lab, call):
    disk = make_disk(lab)
    lab.faults({"action": "CreateTags", "kind": "error", "status": 403, "code": "UnauthorizedOperation", "count": -1})
    refused(call("set_disk_metadata", disk, {"a": "1"}), "UnauthorizedOperation")


def test_metadata_of_nothing(lab, call):
    assert created(call("set_disk_metadata", make_disk(lab), {})) is None
    assert actions(lab) == []


def test_metadata_of_a_missing_disk(lab, call):
    refused(call("set_disk_metadata", MISSING_DISK, {"a": "1"}), MISSING_DISK, DISK_NOT_FOUND)


def test_a_disks_life(lab, call):
    """In the Director's order, on one disk."""
    disk = created(call("create_disk", 2048, {"type": "gp2"}))
    assert created(call("set_disk_metadata", disk, {"deployment": "cf"})) is None
    assert created(call("update_disk", disk, 4096, {"type": "gp3"})) is None
    assert created(call("resize_disk", disk, 5120)) is None
    assert created(call("delete_disk", disk)) is None
    wait_until(lambda: is_gone(lab, disk))
    assert created(call("has_disk", disk)) is False
