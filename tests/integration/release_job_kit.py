# SPDX-License-Identifier: Apache-2.0
"""What the tests of the BOSH job share: a job rendered, laid out as BOSH does, and what manifests say, each with the cpi.json
that has to come of it."""
import copy
import json
import os
import subprocess

from conftest import CPI, ONHOST, ROOT

JOB = os.path.join(ROOT, "packaging", "bosh", "jobs", "aws_cpi")
RENDERER = os.path.join(ROOT, "tests", "tools", "render_job.rb")


def render(properties, out, job=JOB, check=True):
    """The job's files below out, from a manifest's properties."""
    done = subprocess.run(["ruby", RENDERER, job, str(out)], input=json.dumps({"properties": properties}), text=True,
                          capture_output=True, check=False, timeout=60)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def configuration(properties, out):
    """The cpi.json of these properties."""
    render(properties, out)
    return json.loads((out / "config" / "cpi.json").read_text())


def installed(properties, folder, programs=None):
    """The job as `bosh create-env` lays it out, with the programs under test in place of the compiled package (or others, by name):
    the path of its bin/cpi, and the variables with which it is started."""
    job = folder / "jobs" / "aws_cpi"
    render(properties, job)
    for name in ("cpi", "cpi_ctl"):
        (job / "bin" / name).chmod(0o755)
    package = folder / "packages" / "aws_cpi" / "bin"
    package.mkdir(parents=True, exist_ok=True)
    for name, path in (programs or {"cpi": CPI, "onhost": ONHOST}).items():
        (package / name).unlink(missing_ok=True)
        (package / name).symlink_to(path)
    return job / "bin" / "cpi", {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": str(folder), "HOME": str(folder),
                                 "BOSH_PACKAGES_DIR": str(folder / "packages"), "BOSH_JOBS_DIR": str(folder / "jobs")}


def nested(properties):
    """{"aws.region": 1} as {"aws": {"region": 1}}."""
    whole = {}
    for name, value in properties.items():
        *folders, last = name.split(".")
        at = whole
        for each in folders:
            at = at.setdefault(each, {})
        at[last] = value
    return whole


# What a manifest must say, and what comes of it when it says no more.
LEAST = {"aws": {"region": "eu-west-1", "default_security_groups": ["bosh"]}}
LEAST_DOCUMENT = {"cloud": {"plugin": "aws", "properties": {
    "aws": {
        "credentials_source": "static", "access_key_id": None, "secret_access_key": None, "session_token": None,
        "role_arn": None, "default_iam_instance_profile": None, "default_key_name": None,
        "default_security_groups": ["bosh"], "max_retries": 8, "encrypted": False, "kms_key_arn": None,
        "metadata_options": None, "dualstack": False, "enable_describe_instance_types": True, "region": "eu-west-1"},
    "agent": {"ntp": ["0.pool.ntp.org", "1.pool.ntp.org"]},
    "debug": {"cpi": {"api_version": 3}}}}}


def document(**parts):
    """The least document, with more in these parts of its properties."""
    whole = copy.deepcopy(LEAST_DOCUMENT)
    for part, members in parts.items():
        whole["cloud"]["properties"].setdefault(part, {}).update(members)
    return whole


PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

# A manifest's properties as those of the Ruby CPI are written, and their cpi.json. The documents are what that CPI's own template
# gave for the same properties.
SETS = {
    "least": (LEAST, LEAST_DOCUMENT),
    "keys": (
        {"aws": {"credentials_source": "static", "access_key_id": "AKIAEXAMPLE", "secret_access_key": 'a/b+c"d\\e\'f', "region": "us-east-1",
                 "session_token": "token==", "default_key_name": "bosh", "default_security_groups": ["bosh", "sg-0123"],
                 "default_iam_instance_profile": "director"},
         "ntp": ["time1.google.com"]},
        document(aws={"access_key_id": "AKIAEXAMPLE", "secret_access_key": 'a/b+c"d\\e\'f', "session_token": "token==",
                      "region": "us-east-1", "default_key_name": "bosh", "default_security_groups": ["bosh", "sg-0123"],
                      "default_iam_instance_profile": "director"}, agent={"ntp": ["time1.google.com"]})),
    "instance profile and role": (
        {"aws": {"credentials_source": "env_or_profile", "role_arn": "arn:aws:iam::123456789012:role/bosh", "region": "eu-west-1",
                 "default_security_groups": ["bosh"], "access_key_id": None}},
        document(aws={"credentials_source": "env_or_profile", "role_arn": "arn:aws:iam::123456789012:role/bosh"})),
    "registry": (
        {**LEAST, "registry": {"username": "admin", "password": "p@ss w/rd:%?é", "host": "10.0.0.6"}},
        document(registry={"endpoint": "http://admin:p%40ss%20w%2Frd%3A%25%3F%C3%A9@10.0.0.6:25777", "user": "admin",
                           "password": "p@ss w/rd:%?é"})),
    "registry at another port": (
        {**LEAST, "registry": {"username": "u", "password": 1234, "host": "registry", "port": 8080}},
        document(registry={"endpoint": "http://u:1234@registry:8080", "user": "u", "password": 1234})),
    "nats": (
        {**LEAST, "nats": {"address": "10.0.0.6", "password": "nats-password"}},
        document(agent={"mbus": "nats://nats:nats-password@10.0.0.6:4222"})),
    "nats with everything": (
        {**LEAST, "nats": {"user": "n", "password": "p:@/", "address": "10.0.0.6", "port": 4223}, "agent": {"nats": {"address": "nats.bosh"}}},
        document(agent={"mbus": "nats://n:p:@/@nats.bosh:4223"})),
    "mbus": (
        {**LEAST, "agent": {"mbus": "https://mbus:secret@0.0.0.0:6868", "env": {"bosh": {"not": "ours"}}},
         "nats": {"address": "10.0.0.6", "password": "nats-password"}},
        document(agent={"mbus": "https://mbus:secret@0.0.0.0:6868"})),
    "endpoints": (
        {"aws": {"region": "cn-north-1", "default_security_groups": [], "ec2_endpoint": "ec2.cn-north-1.amazonaws.com.cn",
                 "elb_endpoint": "elasticloadbalancing.cn-north-1.amazonaws.com.cn", "dualstack": True, "max_retries": 0,
                 "connection_options": {"ca_cert": PEM}}},
        document(aws={"region": "cn-north-1", "default_security_groups": [], "ec2_endpoint": "ec2.cn-north-1.amazonaws.com.cn",
                      "elb_endpoint": "elasticloadbalancing.cn-north-1.amazonaws.com.cn", "dualstack": True, "max_retries": 0})),
    "encryption and metadata": (
        {"aws": {"region": "eu-west-1", "default_security_groups": ["bosh"], "encrypted": True, "enable_describe_instance_types": False,
                 "kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/e1c1f008-779b-4ebe-8116-0a34b77747dd",
                 "metadata_options": {"http_tokens": "required", "http_put_response_hop_limit": 2}}},
        document(aws={"encrypted": True, "enable_describe_instance_types": False,
                      "kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/e1c1f008-779b-4ebe-8116-0a34b77747dd",
                      "metadata_options": {"http_tokens": "required", "http_put_response_hop_limit": 2}})),
    "kernel": (
        {"aws": {"region": "eu-west-1", "default_security_groups": ["bosh"], "stemcell": {"kernel_id": "aki-0123"}}},
        document(stemcell={"kernel_id": "aki-0123"})),
    "debug": ({**LEAST, "debug": {"cpi": {"api_version": 2}}}, document(debug={"cpi": {"api_version": 2}})),
    "proxies": (
        {**LEAST, "env": {"http_proxy": "http://proxy:3128", "https_proxy": "http://proxy:3128", "no_proxy": "169.254.169.254"}},
        LEAST_DOCUMENT),
    "what other jobs have": (
        {**LEAST, "director": {"name": "d"}, "blobstore": {"provider": "s3"}, "aws_more": 1, "dns": None}, LEAST_DOCUMENT),
}

# Each property of ours, with a value, and what it adds to cloud.properties.aws.
OURS = {
    "aws.ebs_endpoint": ("https://ebs.example", {"ebs_endpoint": "https://ebs.example"}),
    "aws.metadata_endpoint": ("http://[fd00:ec2::254]", {"metadata_endpoint": "http://[fd00:ec2::254]"}),
    "aws.availability_zone": ("eu-west-1b", {"availability_zone": "eu-west-1b"}),
    "aws.instance_types_fallback": ({"m5.large": ["m6i.large"]}, {"instance_types_fallback": {"m5.large": ["m6i.large"]}}),
    "aws.fast_path_delete": (False, {"fast_path_delete": False}),
    "aws.worker_ami": ("ami-0123", {"worker_ami": "ami-0123"}),
    "aws.stemcell.builder": ("direct", {"stemcell": {"builder": "direct"}}),
    "aws.stemcell.onhost_path": ("/opt/onhost", {"stemcell": {"onhost_path": "/opt/onhost"}}),
    "aws.stemcell.upload_connections": (8, {"stemcell": {"upload_connections": 8}}),
    "aws.stemcell.skip_zero_blocks": (True, {"stemcell": {"skip_zero_blocks": True}}),
    "aws.stemcell.ssh.host": ("builder", {"stemcell": {"ssh": {"host": "builder"}}}),
    "aws.stemcell.ssh.port": (2222, {"stemcell": {"ssh": {"port": 2222}}}),
    "aws.stemcell.ssh.user": ("vcap", {"stemcell": {"ssh": {"user": "vcap"}}}),
    "aws.stemcell.ssh.private_key": ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n", {"stemcell": {"ssh": {
        "private_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n"}}}),
    "aws.stemcell.ssh.private_key_file": ("/home/vcap/key", {"stemcell": {"ssh": {"private_key_file": "/home/vcap/key"}}}),
    "aws.stemcell.ssh.host_key": ("ssh-ed25519 AAAA", {"stemcell": {"ssh": {"host_key": "ssh-ed25519 AAAA"}}}),
    "aws.stemcell.ssh.onhost_path": ("/opt/onhost", {"stemcell": {"ssh": {"onhost_path": "/opt/onhost"}}}),
}

# The Ruby CPI's properties and their defaults (jobs/aws_cpi/spec of its release): a manifest written for it means the same here.
INHERITED = {
    "debug.cpi.api_version": None, "aws.credentials_source": "static", "aws.access_key_id": None, "aws.secret_access_key": None,
    "aws.session_token": None, "aws.role_arn": None, "aws.default_iam_instance_profile": None, "aws.default_key_name": None,
    "aws.default_security_groups": None, "aws.region": None, "aws.ec2_endpoint": None, "aws.elb_endpoint": None, "aws.max_retries": 8,
    "aws.dualstack": False, "aws.connection_options.ca_cert": None, "aws.encrypted": False, "aws.kms_key_arn": None,
    "aws.metadata_options": None, "aws.enable_describe_instance_types": True, "registry.username": None, "registry.password": None,
    "registry.host": None, "registry.port": 25777, "aws.stemcell.kernel_id": None, "ntp": ["0.pool.ntp.org", "1.pool.ntp.org"],
    "agent.mbus": None, "nats.user": "nats", "nats.password": None, "agent.nats.address": None, "nats.address": None, "nats.port": 4222,
    "env.http_proxy": None, "env.https_proxy": None, "env.no_proxy": None,
}
