# SPDX-License-Identifier: Apache-2.0
"""What all of EC2's actions share and moto does otherwise: filters, pages, signatures over the bytes that came."""
import copy
import datetime
import re

from flask import request
from moto.core.responses import ActionResult
from moto.core.authorization import ActionAuthenticatorMixin
from moto.ec2 import utils
from moto.ec2.responses.instances import InstanceResponse
from moto.iam.access_control import IAMRequestBase

from .errors import combination, invalid

UNSIGNED = ("AssumeRoleWithWebIdentity", "AssumeRoleWithSAML")
SKEW = 15 * 60  # seconds that EC2 lets a request's time be off


def install(lab):
    """Patches moto's filters, paging and signature check."""
    _filters()
    _pages(lab)
    _signatures()


# Filters: `*` and `?` are EC2's only wildcards, a backslash escapes; any of a filter's values is enough.

def _pattern(value):
    parts = re.findall(r"\\.|[*?]|[^\\*?]+|\\", str(value), re.DOTALL)
    return "".join({"*": ".*", "?": "."}.get(p) or re.escape(p[1:] if len(p) > 1 and p[0] == "\\" else p)
                   for p in parts)


def matches(value, wanted):
    """Whether a value, or one of several, matches one of the wanted patterns."""
    if value is None:
        return False
    if isinstance(value, datetime.datetime):
        value = utils.format_timestamp(value)
    if isinstance(value, bool):
        value = str(value).lower()
    values = value if isinstance(value, (list, tuple, set)) else [value]
    wanted = wanted if isinstance(wanted, list) else [wanted]
    return any(re.fullmatch(_pattern(w), str(v), re.DOTALL) for w in wanted for v in values)


def _filters():
    utils.is_filter_matching = lambda obj, name, wanted: matches(obj.get_filter_value(name), wanted)

    def tag_filter(obj, name, wanted):
        tags = obj.get_tags()
        if name == "tag-key":
            return matches([t["key"] for t in tags], wanted)
        if name == "tag-value":
            return matches([t["value"] for t in tags], wanted)
        return matches([t["value"] for t in tags if t["key"] == name[4:]], wanted)
    utils.tag_filter_matches = tag_filter
    utils.instance_value_in_filter_values = matches
    utils.filter_dict_attribute_mapping["client-token"] = "client_token"


def page(lab, response, answer, key, ids=None, most=1000, usual=None):
    """Cuts the list under key to the page that was asked for; never where the parameter named `ids` is given. A page is
    at most `most`, and `usual` where nothing is said. The option page_size makes pages smaller, as EC2 may."""
    items = list(answer.result[key])
    token, asked = response._get_param("NextToken"), response._get_param("MaxResults")
    if ids and response._get_param(ids):
        if asked is not None:
            raise combination(f"The parameter {ids} cannot be used with the parameter maxResults")
        return answer
    if asked is not None and not 5 <= int(asked) <= most:
        raise invalid(f"Value ( {asked} ) for parameter maxResults is invalid. Expecting a value between 5 and {most}.")
    limits = [int(n) for n in (asked or usual, lab.options.get("page_size")) if n]
    start = 0
    if token:
        found = re.fullmatch(r"lab-page-(\d+)", token)
        if not found:
            raise invalid(f"Unable to parse pagination token {token}")
        start = int(found.group(1))
    end = start + min(limits) if limits else len(items)
    result = dict(answer.result)
    result[key] = items[start:end]
    if end < len(items):
        result["NextToken"] = f"lab-page-{end}"
    return ActionResult(result)


def _pages(lab):
    describe_instances = InstanceResponse.describe_instances

    def whole(self):
        """All of them: moto's pages are of so many reservations."""
        asked = {name: self.params.pop(name) for name in ("MaxResults", "NextToken") if name in self.params}
        self.params["MaxResults"] = 1 << 30
        try:
            return describe_instances(self).result["Reservations"]
        finally:
            del self.params["MaxResults"]
            self.params.update(asked)

    def instances(self):
        """Pages of so many instances: a reservation goes on where the page before ended."""
        every = [(reservation, instance) for reservation in whole(self) for instance in reservation.instances]
        result = dict(page(lab, self, ActionResult({"every": every}), "every", "InstanceIds").result)
        reservations = []
        for reservation, instance in result.pop("every"):
            if not reservations or reservations[-1].id != reservation.id:
                reservations.append(copy.copy(reservation))
                reservations[-1].instances = []
            reservations[-1].instances.append(instance)
            lab.states.look(instance.id)
        return ActionResult(result | {"Reservations": reservations})

    InstanceResponse.describe_instances = instances


# Signatures. moto recomputes them, but over the form as it would have written it itself; a client that writes `%20`
# for a blank is right too. So it is given the body's own bytes. What it leaves unchecked is in refusal().

def _signatures():
    create = IAMRequestBase._create_aws_request
    authorize = ActionAuthenticatorMixin._authenticate_and_authorize_action

    def create_aws_request(self):
        self._body = request.environ["lab.body"]
        made = create(self)
        if not self._body:
            made.data = b""
        return made

    def authenticate(self, iam_request_cls, resource="*"):
        if self._get_action() not in UNSIGNED:
            authorize(self, iam_request_cls, resource)

    IAMRequestBase._create_aws_request = create_aws_request
    ActionAuthenticatorMixin._authenticate_and_authorize_action = authenticate


def refusal(headers, payload_hash, action, service, now):
    """What is wrong with a request's signing, beyond what moto checks, as (status, code, message); or None."""
    authorization = headers.get("Authorization")
    if authorization is None:
        if action in UNSIGNED:
            return None
        if service == "sts":
            return 403, "MissingAuthenticationToken", "Request is missing Authentication Token"
        return 401, "AuthFailure", "AWS was not able to validate the provided access credentials"
    found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/([\w-]+)/([\w-]+)/aws4_request, ?"
                         r"SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})", authorization)
    if not found:
        return 400, "IncompleteSignature", "The Authorization header is not a complete version 4 signature"
    signed = found.group(5).split(";")
    must = ["host", "x-amz-date"] + [h.lower() for h in headers.keys()
                                     if h.lower().startswith("x-amz-") and h.lower() != "x-amz-date"]
    missing = [h for h in must if h not in signed]
    if missing or signed != sorted(signed):
        return 403, "SignatureDoesNotMatch", f"SignedHeaders must be sorted and name {', '.join(must)}"
    stamp = headers.get("X-Amz-Date", "")
    if stamp[:8] != found.group(2):
        return 403, "SignatureDoesNotMatch", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version " \
               "of date from HTTP"
    try:
        when = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()
    except ValueError:
        return 400, "IncompleteSignature", f"Date must be in ISO-8601 basic format. Got '{stamp}'"
    if abs(now - when) > SKEW:
        return 400, "RequestExpired", f"Request has expired: signed at {stamp}"
    declared = headers.get("X-Amz-Content-Sha256")
    if declared not in (None, "UNSIGNED-PAYLOAD", payload_hash):
        return 400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was " \
               "computed."
    return None
