# SPDX-License-Identifier: Apache-2.0
"""Where requests go and the region that they are signed for, against botocore: every service and region of its partitions
by its own rules, and generated variables and profiles by whole clients whose requests are caught before they leave.

Intended differences, each with a test below or left out of the comparison:
- AWS_REGION is read, and before AWS_DEFAULT_REGION; botocore knows only the latter.
- An empty variable counts as not set.
- An endpoint may come without a scheme (https then), as the configuration's ec2_endpoint always could.
- The pseudo regions (aws-cn-global and so on) stand for services that have no regions; none of ours is such, but STS, which
  keeps aws-global.
- A region of the European Sovereign Cloud outside of Germany, of which botocore knows none yet, is in that partition.
- STS without a region is an error here as for the others; botocore takes the global endpoint.
- Dual-stack in the ISO partitions follows the rule sets; botocore's older table, which its clients ask as well, lacks some.
- A services section without a single key is no error."""

import gzip
import json
import os
import random
import re
import subprocess
from unittest import mock
from urllib.parse import urlsplit

import botocore
import botocore.exceptions
import botocore.loaders
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.endpoint_provider import EndpointProvider
from conftest import director_context, director_env, run_cpi

CASES = 200
DRIVER = os.path.join(os.environ.get("BUILD_DIR", "build"), "tests", "aws_driver")
DATA = os.path.join(os.path.dirname(botocore.__file__), "data")

# our name: botocore's, what it is called in variables and files, a call of it
SERVICES = {
    "ec2": ("ec2", "ec2", lambda c: c.describe_regions()),
    "elasticloadbalancing": ("elb", "elastic_load_balancing", lambda c: c.describe_load_balancers()),
    "elasticloadbalancingv2": ("elbv2", "elastic_load_balancing_v2", lambda c: c.describe_load_balancers()),
    "sts": ("sts", "sts", lambda c: c.get_caller_identity()),
    "ebs": ("ebs", "ebs", lambda c: c.list_snapshot_blocks(SnapshotId="snap-1")),
    "sso": ("sso", "sso", lambda c: c.get_role_credentials(roleName="r", accountId="1", accessToken="t")),
    "sso-oidc": ("sso-oidc", "sso_oidc", lambda c: c.create_token(clientId="c", clientSecret="s", grantType="g")),
}


def read_data(*path):
    """One of botocore's data files."""
    name = os.path.join(DATA, *path)
    with gzip.open(name + ".gz") if os.path.exists(name + ".gz") else open(name, "rb") as f:
        return json.load(f)


PARTITIONS = read_data("partitions.json")
REGIONS = [r for p in PARTITIONS["partitions"] for r in p["regions"] if not r.endswith("-global")] + ["us-new-9", "xx-far-1"]


def ask(requests):
    """The driver's answers."""
    if not os.access(DRIVER, os.X_OK):
        pytest.fail(f"{DRIVER} is missing: run 'make integration', which builds it")
    done = subprocess.run([DRIVER], input="".join(json.dumps({"want": "endpoint", **r}) + "\n" for r in requests),
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.split("\n")[:-1]]


def variables(**more):
    """An environment that needs no metadata service, with keys to sign with."""
    return {"HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret-for-the-test", **more}


# --- by the rules ---


def rules_of(name):
    """botocore's endpoint rules of a service, their newest version."""
    version = sorted(os.listdir(os.path.join(DATA, name)))[-1]
    return EndpointProvider(read_data(name, version, "endpoint-rule-set-1.json"), PARTITIONS)


@pytest.mark.parametrize("service", SERVICES)
def test_every_region(service):
    provider = rules_of(SERVICES[service][0])
    cases = [(region, fips, dualstack, legacy) for region in REGIONS + ["aws-global"] * (service == "sts")
             for fips in (False, True) for dualstack in (False, True) for legacy in ([False, True] if service == "sts" else [False])]
    answers = ask([{"service": service, "env": variables(
        AWS_REGION=region, AWS_USE_FIPS_ENDPOINT=str(fips), AWS_USE_DUALSTACK_ENDPOINT=str(dualstack).lower(),
        AWS_STS_REGIONAL_ENDPOINTS="legacy" if legacy else "regional")} for region, fips, dualstack, legacy in cases])
    for (region, fips, dualstack, legacy), ours in zip(cases, answers):
        parameters = {"Region": region, "UseFIPS": fips, "UseDualStack": dualstack}
        if service == "sts":
            parameters["UseGlobalEndpoint"] = legacy
        theirs = provider.resolve_endpoint(**parameters)
        schemes = theirs.properties.get("authSchemes", [{}])
        assert ours["url"] == theirs.url + "/", (region, fips, dualstack, legacy)
        assert ours["region"] == schemes[0].get("signingRegion", region), (region, fips, dualstack, legacy)


# --- by whole clients ---


LOADER = botocore.loaders.Loader()


def by_botocore(service, env):
    """Where its request would go and the region it is signed for (None for a call that is not signed); or what it refuses."""
    sent = []

    def catch(request, **_):
        sent.append(request)
        return AWSResponse(request.url, 500, {}, None)
    name, _, call = SERVICES[service]
    with mock.patch.dict(os.environ, env, clear=True):
        session = botocore.session.Session()
        session.register_component("data_loader", LOADER)
        try:
            client = session.create_client(name, config=botocore.config.Config(retries={"total_max_attempts": 1}))
            client.meta.events.register("before-send", catch)
            call(client)
        except (botocore.exceptions.InvalidConfigError, botocore.exceptions.NoRegionError, botocore.exceptions.ProfileNotFound,
                botocore.exceptions.EndpointVariantError, botocore.exceptions.InvalidSTSRegionalEndpointsConfigError) as error:
            return type(error).__name__
        except Exception:  # pylint: disable=broad-except  # no answer came
            if not sent:
                raise
    signed = re.search(r"Credential=[^/]+/\d+/([^/]+)/", (sent[0].headers.get("Authorization") or b"").decode())
    return sent[0].url, signed and signed.group(1)


def random_profile(rng, key):
    lines = []
    for name, values in (("region", ["eu-central-1", "us-gov-west-1", "cn-north-1", "us-east-2"]),
                         ("use_fips_endpoint", ["true", "false", "True", "yes"]),
                         ("use_dualstack_endpoint", ["true", "false", "TRUE"]),
                         ("sts_regional_endpoints", ["legacy", "regional"]),
                         ("endpoint_url", ["http://of-the-profile:8/base"]),
                         ("services", ["one", "one", "two", "missing"]),
                         ("ignore_configured_endpoint_urls", ["true", "false"])):
        if rng.random() < (0.8 if name == "region" else 0.3):
            lines.append(f"{name} = {rng.choice(values)}")
    return ("[profile p]\n" + "\n".join(lines) + f"\n[services one]\n{key} =\n  endpoint_url = https://one.of-services:9\n"
            "s3 =\n  endpoint_url = http://s3\n[services two]\ns3 =\n  endpoint_url = http://s3\n")


def random_case(rng, folder, number):
    """A service and an environment."""
    service = rng.choice(list(SERVICES))
    key = SERVICES[service][1]
    env = {}
    for name, share, values in (("AWS_DEFAULT_REGION", 0.7, REGIONS),
                                ("AWS_USE_FIPS_ENDPOINT", 0.3, ["true", "false", "TRUE"]),
                                ("AWS_USE_DUALSTACK_ENDPOINT", 0.3, ["true", "false", "1"]),
                                ("AWS_STS_REGIONAL_ENDPOINTS", 0.3, ["legacy", "regional"]),
                                ("AWS_ENDPOINT_URL", 0.2, ["http://127.0.0.1:5000", "https://all.example:443/x/", "https://[::1]:8443"]),
                                (f"AWS_ENDPOINT_URL_{key.upper()}", 0.2, ["http://its.own:1", "https://its.own/a/b"]),
                                ("AWS_ENDPOINT_URL_S3", 0.2, ["http://not-this:1"]),
                                ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", 0.2, ["true", "false"])):
        if rng.random() < share:
            env[name] = rng.choice(values)
    if rng.random() < 0.6:
        path = folder / f"config-{number}"
        path.write_text(random_profile(rng, key))
        env.update(AWS_CONFIG_FILE=str(path), AWS_PROFILE="p")
    if service == "sts":
        env.setdefault("AWS_DEFAULT_REGION", "eu-west-1")
    return service, variables(**env)


def test_generated_environments(tmp_path):
    rng = random.Random(5)
    cases = [random_case(rng, tmp_path, number) for number in range(CASES)]
    refused = 0
    for (service, env), ours in zip(cases, ask([{"service": s, "env": e} for s, e in cases])):
        theirs = by_botocore(service, env)
        shown = {k: v for k, v in env.items() if not k.endswith("KEY")}
        if isinstance(theirs, str):
            # without a region an endpoint that is given will do here
            if theirs == "NoRegionError" and "url" in ours:
                assert urlsplit(ours["url"]).hostname in ("127.0.0.1", "all.example", "::1", "its.own", "of-the-profile",
                                                          "one.of-services"), shown
                continue
            if theirs == "EndpointVariantError":
                assert ours["region"].startswith(("us-isof-", "eu-isoe-")), (ours, shown)
                continue
            assert "error" in ours, (theirs, ours, shown)
            refused += 1
            continue
        assert "url" in ours, (theirs, ours, shown)
        url, region = theirs
        # theirs is normalised, and has the operation's own path behind ours
        mine = urlsplit(ours["url"])
        assert (mine.scheme, mine.hostname, mine.port or 443) == (
            urlsplit(url).scheme, urlsplit(url).hostname, urlsplit(url).port or 443), (url, ours, shown)
        assert urlsplit(url).path.startswith(mine.path.rstrip("/")), (url, ours, shown)
        assert region in (None, ours["region"]), (theirs, ours, shown)
    assert refused > 5


# --- intended differences ---


@pytest.mark.parametrize("env,url", [
    ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "https://ec2.eu-west-1.amazonaws.com/"),
    ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-2"}, "https://ec2.eu-west-2.amazonaws.com/"),
    ({"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "plain.example:99/x"}, "https://plain.example:99/x"),
    ({"AWS_REGION": "eusc-fr-east-1"}, "https://ec2.eusc-fr-east-1.amazonaws.eu/"),
    ({"AWS_REGION": "eu-west-1", "AWS_USE_FIPS_ENDPOINT": ""}, "https://ec2.eu-west-1.amazonaws.com/")])
def test_intended(env, url):
    answer, = ask([{"service": "ec2", "env": variables(**env)}])
    assert answer["url"] == url


# --- the settings' way into cpi ---


def debug_call(config, env, **request):
    """A call's log and error."""
    result = run_cpi(None, {"method": "delete_stemcell", "arguments": ["ami-00000000000000000"], **request}, config,
                     env=director_env() | {"CPI_LOG_LEVEL": "debug", "AWS_EC2_METADATA_DISABLED": "true"} | env)
    return result.stderr, (result.json["error"] or {}).get("message", "")


def static(**aws):
    return {"cloud": {"properties": {"aws": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "secret-for-the-test",
                                             "ec2_endpoint": "http://127.0.0.1:1", "max_retries": 0, **aws}}}}


def write_config(folder, text):
    """AWS_CONFIG_FILE with that text."""
    path = folder / "aws-config"
    path.write_text(text)
    return {"AWS_CONFIG_FILE": str(path)}


def write_json(folder, config):
    path = folder / "cpi.json"
    path.write_text(json.dumps(config))
    return str(path)


def test_dualstack_of_the_configuration(tmp_path):
    """True is heard; false is what the release's template writes by itself, and leaves it to the environment."""
    region = variables(AWS_REGION="eu-west-1")
    for configured, env, host in ((True, {}, "api.aws"), (True, {"AWS_USE_DUALSTACK_ENDPOINT": "false"}, "api.aws"),
                                  (False, {}, "amazonaws.com"), (False, {"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "api.aws")):
        config = static(dualstack=configured)
        del config["cloud"]["properties"]["aws"]["ec2_endpoint"]
        answer, = ask([{"service": "ec2", "env": region | env, "config": write_json(tmp_path, config)}])
        assert answer["url"] == f"https://ec2.eu-west-1.{host}/"


def test_where_the_ca_file_comes_from(tmp_path):
    """BOSH's own variable, then the SDKs' and the profile's."""
    profile = write_config(tmp_path, "[default]\nca_bundle = ~/of-profile.pem\n")
    every = variables(AWS_REGION="eu-west-1", HOME="/home/me", BOSH_CA_CERT_FILE="/of-bosh.pem", AWS_CA_BUNDLE="/of-sdk.pem", **profile)
    for env, path in ((every, "/of-bosh.pem"), (every | {"BOSH_CA_CERT_FILE": ""}, "/of-sdk.pem"),
                      (every | {"BOSH_CA_CERT_FILE": "", "AWS_CA_BUNDLE": ""}, "/home/me/of-profile.pem"),
                      (variables(AWS_REGION="eu-west-1"), None)):
        answer, = ask([{"service": "ec2", "env": env}])
        assert answer["ca_file"] == path


def test_where_the_region_comes_from(tmp_path):
    """In order: context, configuration, AWS_REGION, AWS_DEFAULT_REGION, profile."""
    profile = write_config(tmp_path, "[default]\nregion = eu-north-1\n[profile dev]\nregion = eu-south-1\n")
    every = profile | {"AWS_REGION": "ap-east-1", "AWS_DEFAULT_REGION": "ap-east-2"}
    path = write_json(tmp_path, static(region="us-west-1"))
    log, _ = debug_call(path, every, context=director_context(region="us-west-2"))
    assert "the region is us-west-2, from region of the request's context" in log
    log, _ = debug_call(path, every)
    assert "the region is us-west-1, from aws.region of the configuration" in log
    path = write_json(tmp_path, static())
    log, _ = debug_call(path, every)
    assert "the region is ap-east-1, from AWS_REGION" in log
    log, _ = debug_call(path, every | {"AWS_REGION": ""})
    assert "the region is ap-east-2, from AWS_DEFAULT_REGION" in log
    log, _ = debug_call(path, profile)
    assert f"the region is eu-north-1, from profile default of {profile['AWS_CONFIG_FILE']}" in log
    log, _ = debug_call(path, profile | {"AWS_PROFILE": "dev"})
    assert "the region is eu-south-1, from profile dev of" in log
    _, message = debug_call(path, profile | {"AWS_PROFILE": "nobody"})
    assert "the AWS profile nobody" in message and profile["AWS_CONFIG_FILE"] in message
    _, message = debug_call(path, {})
    assert "missing configuration parameters > aws:region, or aws:ec2_endpoint and aws:elb_endpoint" in message


def test_region_of_the_instance(lab):
    """Last of all; and not asked where it is switched off, or no region is needed."""
    config = json.loads(json.dumps(lab.config))
    aws = config["cloud"]["properties"]["aws"]
    for key in ("region", "elb_endpoint"):
        aws.pop(key, None)
    call = {"method": "delete_stemcell", "arguments": ["ami-00000000000000000"]}
    env = director_env() | {"CPI_LOG_LEVEL": "debug", "HOME": "/nonexistent"}
    result = run_cpi(lab, call, config, env=env)
    assert result.json["error"] is None, result.stderr
    assert "the region is us-east-1, from the instance metadata" in result.stderr
    result = run_cpi(lab, call, config, env=env | {"AWS_EC2_METADATA_DISABLED": "true"})
    assert "missing configuration parameters > aws:region" in result.json["error"]["message"]
    assert "no region from the instance metadata" in result.stderr
    aws["elb_endpoint"] = aws["ec2_endpoint"]
    before = len(lab.imds_requests())
    result = run_cpi(lab, call, config, env=env)
    assert result.json["error"] is None, result.stderr
    assert len(lab.imds_requests()) == before


def test_broken_file_is_named_and_info_does_not_read_it(tmp_path):
    env = write_config(tmp_path, "[default]\nregion = eu-north-1\nregion = do-not-repeat-me\n")
    path = write_json(tmp_path, static())
    log, message = debug_call(path, env)
    assert f"{env['AWS_CONFIG_FILE']}: line 3" in message and "do-not-repeat-me" not in log + message
    _, message = debug_call(path, env, method="info", arguments=[])
    assert message == ""


def test_a_password_in_an_endpoint_is_not_repeated(tmp_path):
    env = write_config(tmp_path, "[default]\nregion = eu-west-1\nendpoint_url = https://user:do-not-repeat-me@h\n")
    config = static()
    del config["cloud"]["properties"]["aws"]["ec2_endpoint"]
    log, message = debug_call(write_json(tmp_path, config), env)
    assert "endpoint_url of the profile default is no endpoint" in message and "do-not-repeat-me" not in log + message
