# SPDX-License-Identifier: Apache-2.0
"""Sessions of roles: who may assume which (moto lets anyone), how long their keys last (moto's last for ever), and the tokens
of an identity provider. Settings (control endpoint `sessions`): "lasts": seconds after which new sessions are refused; "told":
seconds after which they are said to end, where that is something else.
"""
import base64
import datetime
import fnmatch
import hashlib
import hmac
import json
import re
import secrets

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.access_control import IAMRequestBase
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.exceptions import STSClientError
from moto.sts.models import STSBackend, sts_backends
from moto.sts.responses import TokenResponse

ISSUER = "oidc.lab.example"
AUDIENCE = "sts.amazonaws.com"


class Sessions:
    """Which keys belong to whom, and until when."""

    account = DEFAULT_ACCOUNT_ID

    def __init__(self, now):
        self.settings, self.now = {}, now
        self._ends = {}
        self._key = secrets.token_bytes(32)

    def begin(self, role, duration):
        """A session has been made: says when it ends."""
        lasts = float(self.settings.get("lasts", duration))
        told = self.now() + float(self.settings.get("told", lasts))
        role.expiration = datetime.datetime.fromtimestamp(told, datetime.timezone.utc).replace(tzinfo=None)
        self._ends[role.access_key_id] = self.now() + lasts

    def expired(self, access_key_id):
        return self._ends.get(access_key_id, float("inf")) <= self.now()

    def expire(self):
        """Ends all sessions at once."""
        self._ends = dict.fromkeys(self._ends, 0)

    def arn_of(self, access_key_id):
        """Whose key it is, as GetCallerIdentity says it."""
        return sts_backends[self.account]["aws"].get_caller_identity(access_key_id, "us-east-1")[1]

    def owners(self):
        """All keys that the lab knows, with their owners."""
        keys = [k for user in iam_backends[self.account]["aws"].users.values() for k in user.access_keys]
        roles = sts_backends[self.account]["aws"].assumed_roles
        return {k.access_key_id: self.arn_of(k.access_key_id) for k in [*keys, *roles]}

    def token(self, subject, seconds, audience=AUDIENCE):
        """What the identity provider gives a workload, for AssumeRoleWithWebIdentity."""
        claims = {"iss": f"https://{ISSUER}", "aud": audience, "sub": subject, "exp": int(self.now() + seconds)}
        text = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        return f"{text}.{self._sign(text)}"

    def claims(self, token):
        """The claims of a token that this lab has made and that has not expired."""
        text, _, signature = (token or "").rpartition(".")
        if text.count(".") != 1 or not hmac.compare_digest(signature.encode(), self._sign(text).encode()):
            raise STSClientError("InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if "
                                 "you sent an Access Token)")
        claims = json.loads(base64.urlsafe_b64decode(text.partition(".")[2] + "=="))
        if claims["aud"] != AUDIENCE:
            raise STSClientError("InvalidIdentityToken", "Incorrect token audience")
        if claims["exp"] <= self.now():
            raise STSClientError("ExpiredTokenException", f"Token expired: current date/time {int(self.now())} must be before "
                                 f"the expiration date/time {claims['exp']}")
        return claims

    def _sign(self, text):
        return _base64(hmac.new(self._key, text.encode(), hashlib.sha256).digest())


def _base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_session(role_arn, name, region, seconds):
    """Keys of a role as AWS's services hand them out; those who may do so need not be trusted."""
    return sts_backends[DEFAULT_ACCOUNT_ID]["aws"].assume_role(region, name, role_arn, "", seconds, "")


def install(lab):
    """Puts checks before AssumeRole and AssumeRoleWithWebIdentity, and an end to what they give."""
    make, assume = STSBackend.assume_role, TokenResponse.assume_role

    def make_session(self, region_name, role_session_name, role_arn, policy, duration, external_id):
        role = make(self, region_name, role_session_name, role_arn, policy, duration, external_id)
        lab.sessions.begin(role, duration)
        return role

    def assume_role(self):
        _session_is_valid(self)
        caller = self.backend.get_caller_identity(self.get_access_key(), self.region)[1]
        context = {"sts:ExternalId": self._get_param("ExternalId")}
        if not _trusts(self, "sts:AssumeRole", _principals(caller), context):
            raise STSClientError("AccessDenied", f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: "
                                 f"{self._get_param('RoleArn')}")
        if ":assumed-role/" in caller and self._get_int_param("DurationSeconds", 3600) > 3600:
            raise STSClientError("ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles "
                                 "assumed by role chaining")
        return assume(self)

    def assume_role_with_web_identity(self):
        _session_is_valid(self)
        claims = lab.sessions.claims(self._get_param("WebIdentityToken"))
        context = {f"{ISSUER}:aud": claims["aud"], f"{ISSUER}:sub": claims["sub"]}
        provider = f"arn:aws:iam::{lab.sessions.account}:oidc-provider/{ISSUER}"
        if not _trusts(self, "sts:AssumeRoleWithWebIdentity", {provider}, context):
            raise STSClientError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        return assume(self)

    STSBackend.assume_role = make_session
    TokenResponse.assume_role = assume_role
    TokenResponse.assume_role_with_web_identity = assume_role_with_web_identity
    IAMRequestBase._check_role_trust_relationship = lambda self, role_arn: True  # done above, with its conditions


def _session_is_valid(response):
    name, seconds = response._get_param("RoleSessionName"), response._get_int_param("DurationSeconds", 3600)
    if not re.fullmatch(r"[\w+=,.@-]{2,64}", name or "", re.ASCII):
        raise STSClientError("ValidationError", f"1 validation error detected: Value '{name}' at 'roleSessionName' failed to "
                             "satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*")
    if not 900 <= seconds <= 43200:
        raise STSClientError("ValidationError", f"1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to "
                             "satisfy constraint: Member must have value greater than or equal to 900")
    if not re.fullmatch(r"arn:[\w-]+:iam::\d{12}:role/[\w+=,.@/-]+", response._get_param("RoleArn"), re.ASCII):
        raise STSClientError("ValidationError", f"{response._get_param('RoleArn')} is invalid")


def _principals(arn):
    """All that a trust policy may call this caller."""
    account = arn.split(":")[4]
    names = {arn, account, f"arn:aws:iam::{account}:root"}
    if ":assumed-role/" in arn:
        names.add(f"arn:aws:iam::{account}:role/{arn.split('/')[1]}")
    return names


def _listed(value):
    return value if isinstance(value, list) else [value]


def _trusts(response, action, principals, context):
    arn = response._get_param("RoleArn")
    try:
        role = iam_backends[arn.split(":")[4]]["aws"].get_role_by_arn(arn)
    except NotFoundException:
        return False
    effects = [s["Effect"] for s in _listed(json.loads(role.assume_role_policy_document)["Statement"])
               if any(fnmatch.fnmatchcase(action, a) for a in _listed(s["Action"]))
               and _names(s["Principal"], principals) and _holds(s.get("Condition", {}), context)]
    return "Allow" in effects and "Deny" not in effects


def _names(told, principals):
    if told == "*":
        return True
    named = [n for kind in ("AWS", "Federated") for n in _listed(told.get(kind, []))]
    return "*" in named or any(n in principals for n in named)


def _holds(conditions, context):
    tests = {"StringEquals": lambda have, want: have == want, "StringLike": fnmatch.fnmatchcase}
    return all(context.get(key) is not None and any(tests[kind](context[key], want) for want in _listed(wanted))
               for kind, keys in conditions.items() for key, wanted in keys.items())
