# SPDX-License-Identifier: Apache-2.0
"""One identity for each way in which a program can get credentials, so that GetCallerIdentity tells which way was taken. All
may do everything. DIR/identities.json has what the ways need.
"""
import json

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

from . import container
from .account import policy
from .sessions import AUDIENCE, ISSUER, new_session
from .sso import HOURS, Portal

# Users, for the places where keys are written down.
USERS = ("environment", "shared-file", "config-file", "process", "source")
EXTERNAL_ID = "the lab's external id"
SSO_ROLE = "LabAccess"
POD_TOKEN = "pod-token-of-the-lab"
SUBJECT = "system:serviceaccount:bosh:director"


def _trust(action="sts:AssumeRole", principal=None, **more):
    account = {"AWS": f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:root"}
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": action, "Principal": principal or account, **more}]})


def _roles():
    """Name and trust policy of each role."""
    provider = {"Federated": f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:oidc-provider/{ISSUER}"}
    return {
        "lab-role": _trust(), "lab-role-2": _trust(principal={"AWS": f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/lab-role"}),
        "lab-external": _trust(Condition={"StringEquals": {"sts:ExternalId": EXTERNAL_ID}}),
        "lab-nobody": _trust(principal={"AWS": "arn:aws:iam::999999999999:root"}),
        "lab-web": _trust("sts:AssumeRoleWithWebIdentity", provider, Condition={
            "StringEquals": {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": SUBJECT}}),
        "lab-task": _trust(principal={"Service": "ecs-tasks.amazonaws.com"}),
        "lab-pod": _trust(principal={"Service": "pods.eks.amazonaws.com"}),
        f"AWSReservedSSO_{SSO_ROLE}_0123456789abcdef": _trust("sts:AssumeRoleWithSAML", {"Federated": "sso"})}


def make(lab, lock, region):
    """Makes users, roles, the portal and the container's agent; what identities.json says of them."""
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    users, roles = {}, {}
    for name in USERS:
        user = iam.create_user("us-east-1", f"lab-{name}")
        iam.put_user_policy(user.name, "all", policy(Action="*", Resource="*"))
        key = iam.create_access_key(user.name)
        users[name] = {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key, "arn": user.arn}
    for name, trust in _roles().items():
        path = f"/aws-reserved/sso.amazonaws.com/{region}/" if name.startswith("AWSReserved") else "/"
        roles[name] = iam.create_role(name, trust, path, None, "", [], None).arn
        iam.put_role_policy(name, "all", policy(Action="*", Resource="*"))
    lab.portal = Portal(lab.sessions, region)
    lab.portal.roles[DEFAULT_ACCOUNT_ID, SSO_ROLE] = next(arn for name, arn in roles.items() if "SSO" in name)
    lab.container = container.Container(lambda path: _container(roles, lock, path, region), POD_TOKEN)
    access, refresh = lab.portal.login()
    return {"account": DEFAULT_ACCOUNT_ID, "users": users, "roles": roles, "external_id": EXTERNAL_ID,
            "web_identity": {"subject": SUBJECT, "token": lab.sessions.token(SUBJECT, 24 * HOURS),
                             "expired": lab.sessions.token(SUBJECT, -60)},
            "sso": {"start_url": Portal.start_url, "region": region, "account_id": DEFAULT_ACCOUNT_ID, "role_name": SSO_ROLE,
                    "access_token": access, "expired_access_token": lab.portal.login(-60)[0], "refresh_token": refresh,
                    "client_id": lab.portal.client[0], "client_secret": lab.portal.client[1]},
            "container": {"task": container.TASK, "pod": container.POD, "pod_token": POD_TOKEN}}


def _container(roles, lock, path, region):
    arn = roles["lab-task" if path == container.TASK else "lab-pod"]
    with lock:
        made = new_session(arn, "lab-container", region, 6 * HOURS)
    return {"RoleArn": arn, "AccessKeyId": made.access_key_id, "SecretAccessKey": made.secret_access_key,
            "Token": made.session_token, "Expiration": made.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "AccountId": DEFAULT_ACCOUNT_ID}
